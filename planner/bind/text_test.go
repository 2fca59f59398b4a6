package bind

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/sql/ast"
	"holdfast/sql/parse"
)

// TestText runs the files of testdata/text, whose answers are PostgreSQL's: of "view" the text that
// pg_get_viewdef(oid, true) gives for a view of the query, of "check" and "default" that of pg_get_expr. See
// TestErrors for how they are recorded. It also binds each text again, which must give the same text.
func TestText(t *testing.T) {
	record := os.Getenv("BIND_RECORD")
	datadriven.Walk(t, "testdata/text", func(t *testing.T, path string) {
		var conn *pgconn.PgConn
		ctx := context.Background()
		s := newSchema(t)
		if record != "" {
			var err error
			if conn, err = pgconn.Connect(ctx, record); err != nil {
				t.Fatal(err)
			}
			defer conn.Close(ctx)
			if err := sendAll(ctx, conn, "begin; create schema bind_record; set local search_path = bind_record"); err != nil {
				t.Fatal(err)
			}
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "schema" {
				if conn != nil {
					if err := sendAll(ctx, conn, d.Input); err != nil {
						t.Fatal(err)
					}
				} else if err := s.exec(d.Input); err != nil {
					d.Fatalf(t, "%s", describe(err))
				}
				return ""
			}
			var table string
			d.MaybeScanArgs(t, "table", &table)
			if conn != nil {
				return askText(ctx, conn, d.Cmd, table, d.Input)
			}
			return s.text(d.Cmd, table, d.Input)
		})
	})
}

func (s *schema) text(kind, table, input string) string {
	ctx := context.Background()
	if kind == "view" {
		list, err := parse.Parse(input)
		if err != nil {
			return describe(err)
		}
		_, v, err := BindView(ctx, s.options(list[0].Text), list[0].Stmt.(*ast.Select), nil)
		if err != nil {
			return describe(err)
		}
		for i, text := range []string{v.Query, v.Source} {
			list, err := parse.Parse(text)
			if err != nil {
				return describe(err) + text
			}
			o := s.options("")
			if i == 0 {
				o.SearchPath = nil
			}
			_, again, err := BindView(ctx, o, list[0].Stmt.(*ast.Select), nil)
			if err != nil {
				return "AGAIN " + describe(err) + text
			}
			list, err = parse.Parse(again.Query)
			if err != nil {
				return describe(err) + text
			}
			o.SearchPath = nil
			_, third, err := BindView(ctx, o, list[0].Stmt.(*ast.Select), nil)
			if err != nil || third.Query != again.Query {
				return "NOT THE SAME:\n" + again.Query + "\n" + third.Query
			}
		}
		return v.Source + "\n"
	}
	e, err := parse.ParseExpr(input)
	if err != nil {
		return describe(err)
	}
	t, err := s.snap.Lookup([]string{"public"}, "", table)
	if err != nil {
		return describe(err)
	}
	bind := func(e ast.Expr) (string, error) {
		o := s.options("")
		o.Print = true
		if kind == "check" {
			x, err := BindExpr(ctx, o, t, e, CheckExpr, nil, -1, "")
			if err != nil {
				return "", err
			}
			return x.Text, nil
		}
		x, err := BindExpr(ctx, o, nil, e, DefaultExpr, t.Column(kind).Type, t.Column(kind).Mod, kind)
		if err != nil {
			return "", err
		}
		return x.Text, nil
	}
	text, err := bind(e)
	if err != nil {
		return describe(err)
	}
	if e, err = parse.ParseExpr(text); err != nil {
		return describe(err) + text
	}
	// A list of varchar literals is converted as a whole, and when it is read again element by element.
	again, err := bind(e)
	if err == nil {
		e, err = parse.ParseExpr(again)
	}
	if err != nil {
		return "AGAIN " + describe(err) + text
	}
	if third, err := bind(e); err != nil || third != again {
		return "NOT THE SAME:\n" + again + "\n" + third + "\n"
	}
	return text + "\n"
}

func askText(ctx context.Context, conn *pgconn.PgConn, kind, table, input string) string {
	if err := sendAll(ctx, conn, "savepoint s"); err != nil {
		return err.Error() + "\n"
	}
	defer sendAll(ctx, conn, "rollback to s")
	var make, get string
	switch kind {
	case "view":
		make, get = "create view x as "+input, "select pg_get_viewdef('x'::regclass, true)"
	case "check":
		make = "alter table " + table + " add constraint x check (" + input + ")"
		get = "select pg_get_expr(conbin, conrelid) from pg_constraint where conname = 'x'"
	default:
		make = "alter table " + table + " alter " + kind + " set default " + input
		get = "select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = '" + table + "'::regclass order by oid desc limit 1"
	}
	if err := sendAll(ctx, conn, make); err != nil {
		return recorded(err)
	}
	r, err := conn.Exec(ctx, get).ReadAll()
	if err != nil {
		return recorded(err)
	}
	if len(r) == 0 || len(r[0].Rows) == 0 {
		return "nothing\n"
	}
	return strings.TrimRight(string(r[0].Rows[0][0]), "\n") + "\n"
}
