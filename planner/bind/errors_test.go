package bind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/sql/errs"
	"holdfast/sql/parse"
	"holdfast/sql/types"
)

// TestErrors runs the files of testdata/errors, whose answers are PostgreSQL's: of each statement the error of
// its analysis, or "ok" with the types
// of its parameters and its result columns. With BIND_RECORD set to the connection string of a
// PostgreSQL 15 server, it asks that server instead, so that -rewrite records what it says.
func TestErrors(t *testing.T) {
	record := os.Getenv("BIND_RECORD")
	datadriven.Walk(t, "testdata/errors", func(t *testing.T, path string) {
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
			var out strings.Builder
			for _, line := range strings.Split(d.Input, "\n") {
				if strings.TrimSpace(line) == "" {
					continue
				}
				out.WriteString("> " + line + "\n")
				if conn != nil {
					out.WriteString(ask(ctx, conn, line))
				} else {
					out.WriteString(s.answer(line))
				}
			}
			return out.String()
		})
	})
}

func sendAll(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

// shortType names a type; those of users go by one name, since their OIDs differ from run to run.
func shortType(oid uint32) string {
	if t := types.ByOID(types.OID(oid)); t != nil {
		return t.Name
	}
	return "user"
}

// answer is what the binder says.
func (s *schema) answer(line string) string {
	list, err := parse.Parse(line)
	if err != nil {
		return describe(err)
	}
	q, err := Bind(context.Background(), s.options(list[0].Text), list[0].Stmt)
	if err != nil {
		if e := errs.As(err); e.Hint == tablesHint {
			e.Hint = "" // it stands where recorded leaves out PostgreSQL's
		}
		return describe(err)
	}
	if err := verify(q); err != nil {
		return "BROKEN: " + err.Error() + "\n"
	}
	out := "ok"
	for _, p := range q.Params {
		out += fmt.Sprintf(" %d", p.OID)
	}
	for _, c := range q.Output {
		d := q.Column(c.ID)
		out += fmt.Sprintf(" %s:%s", c.Name, shortType(uint32(d.Typ.OID)))
		if d.M >= 0 {
			out += fmt.Sprintf("(%d)", d.M)
		}
	}
	return out + "\n"
}

// ask is what PostgreSQL says: first of the statement's analysis, then of its rewriting.
func ask(ctx context.Context, conn *pgconn.PgConn, line string) string {
	if err := sendAll(ctx, conn, "savepoint s"); err != nil {
		return err.Error() + "\n"
	}
	defer sendAll(ctx, conn, "rollback to s")
	d, err := conn.Prepare(ctx, "", line, nil)
	if err != nil {
		return recorded(err)
	}
	out := "ok"
	for _, oid := range d.ParamOIDs {
		out += fmt.Sprintf(" %d", oid)
	}
	for _, f := range d.Fields {
		out += fmt.Sprintf(" %s:%s", f.Name, shortType(f.DataTypeOID))
		if f.TypeModifier >= 0 {
			out += fmt.Sprintf("(%d)", f.TypeModifier)
		}
	}
	if len(d.ParamOIDs) == 0 {
		if err := sendAll(ctx, conn, "explain "+line); err != nil {
			return recorded(err)
		}
	}
	return out + "\n"
}

func recorded(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err.Error() + "\n"
	}
	out := fmt.Sprintf("ERROR %s: %s\n", e.Code, e.Message)
	if e.Position > 0 {
		out += fmt.Sprintf("POSITION %d\n", e.Position)
	}
	if e.Detail != "" {
		out += "DETAIL: " + e.Detail + "\n"
	}
	// PostgreSQL advises to write triggers or rules for views, which are not there.
	if e.Hint != "" && !strings.HasPrefix(e.Hint, "To enable") {
		out += "HINT: " + e.Hint + "\n"
	}
	return out
}
