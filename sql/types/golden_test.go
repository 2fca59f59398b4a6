package types

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/sql/errs"
)

// The files in testdata hold what PostgreSQL 15 answers. A file of inputs (text_*.txt) has lines
//
//	set NAME = VALUE
//	TYPE <tab> INPUT <tab> = <tab> OUTPUT
//	TYPE <tab> INPUT <tab> ! <tab> SQLSTATE <tab> MESSAGE <tab> DETAIL <tab> HINT
//
// where INPUT is stored into a column of the type and read back. A file of expressions (expr_*.txt) has lines
// EXPRESSION <tab> = ..., for functions that the test knows how to call. To write them again from a running server:
//
//	go test -run Golden -record 'host=/tmp/pg15 port=5999 user=postgres'
//
// which fills in the lines' last parts, so that a new line needs only its first.
var record = flag.String("record", "", "rewrite the expectations from the PostgreSQL server with this connection string")

type goldenLine struct {
	raw    string // comments and settings
	fields []string
}

func unquoteField(s string) string {
	if strings.HasPrefix(s, `"`) {
		if u, err := strconv.Unquote(s); err == nil {
			return u
		}
	}
	return s
}

func quoteGolden(s string) string {
	if s == "" || strings.HasPrefix(s, `"`) || strings.ContainsAny(s, "\t\n\r\v\f\x00") || strings.TrimSpace(s) != s {
		return strconv.Quote(s)
	}
	return s
}

func readGolden(t testing.TB, name string) []goldenLine {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []goldenLine
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 10<<20)
	for sc.Scan() {
		s := sc.Text()
		if s == "" || s[0] == '#' || strings.HasPrefix(s, "set ") {
			lines = append(lines, goldenLine{raw: s})
			continue
		}
		var fields []string
		for _, p := range strings.Split(s, "\t") {
			fields = append(fields, unquoteField(p))
		}
		lines = append(lines, goldenLine{fields: fields})
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func writeGolden(t *testing.T, name string, lines []goldenLine) {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		if l.fields == nil {
			b.WriteString(l.raw + "\n")
			continue
		}
		for i, f := range l.fields {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(quoteGolden(f))
		}
		b.WriteByte('\n')
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// recorder asks PostgreSQL.
type recorder struct{ conn *pgconn.PgConn }

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	conn, err := pgconn.Connect(context.Background(), *record)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return &recorder{conn}
}

// query is the first column of the last statement's first row, as golden fields.
func (r *recorder) query(t *testing.T, sql string) []string {
	t.Helper()
	results, err := r.conn.Exec(context.Background(), sql).ReadAll()
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e):
		return []string{"!", e.Code, e.Message, e.Detail, e.Hint}
	case err != nil:
		t.Fatalf("%s: %v", sql, err)
	}
	last := results[len(results)-1]
	if len(last.Rows) == 0 || last.Rows[0][0] == nil {
		return []string{"=", "<null>"}
	}
	return []string{"=", string(last.Rows[0][0])}
}

func (r *recorder) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := r.conn.Exec(context.Background(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func sqlLiteral(s string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func errorFields(err error) []string {
	e := errs.As(err)
	return []string{"!", string(e.Code), e.Message, e.Detail, e.Hint}
}

// testTypes are the types of the tests beyond the built-in ones, as the recorder creates them.
var testTypes = func() map[string]*Type {
	mood := NewEnum(100001, "mood", []EnumLabel{{100002, "sad", 1}, {100004, "happy", 3}, {100003, "so so", 2}})
	NewArray(100005, "_mood", mood)
	comp := NewComposite(100010, "comp", []Field{{Name: "a", Type: Int4, Typmod: NoTypmod}, {Name: "b", Type: Text, Typmod: NoTypmod}})
	NewArray(100011, "_comp", comp)
	small := NewDomain(100020, "short", Varchar, 4+3)
	return map[string]*Type{"mood": mood, "comp": comp, "short": small}
}()

const testTypesSQL = `create type pg_temp.mood as enum ('sad', 'so so', 'happy');
create type pg_temp.comp as (a int, b text);
create domain pg_temp.short as varchar(3);`

var typeSyntax = regexp.MustCompile(`^([^([]+)(?:\(([-0-9, ]+)\))?((?:\[\])?)$`)

// testType finds a type with typmod and array brackets by PostgreSQL's internal names: "numeric(4,2)[]".
func testType(t *testing.T, s string) (*Type, int32) {
	t.Helper()
	m := typeSyntax.FindStringSubmatch(s)
	if m == nil {
		t.Fatalf("bad type %q", s)
	}
	typ := testTypes[m[1]]
	if typ == nil {
		typ = ByName(m[1])
	}
	if typ == nil && m[1] == `"char"` {
		typ = CharQuoted
	}
	var rng int32 = -1
	if name, fields, ok := strings.Cut(m[1], " "); ok && name == "interval" {
		typ = IntervalType
		for mask, text := range intervalRangeNames {
			if text == " "+fields {
				rng = mask
			}
		}
	}
	if typ == nil {
		t.Fatalf("no type %q", s)
	}
	var args []int32
	if m[2] != "" {
		for _, a := range strings.Split(m[2], ",") {
			n, err := strconv.Atoi(strings.TrimSpace(a))
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, int32(n))
		}
	}
	if typ == IntervalType && (rng >= 0 || args != nil) {
		if rng < 0 {
			rng = intervalFullRange
		}
		args = append([]int32{rng}, args...)
	}
	mod, err := TypmodFromArgs(typ, args)
	if err != nil {
		t.Fatal(err)
	}
	if m[3] != "" {
		typ = typ.Array
	}
	return typ, mod
}

var settingSyntax = regexp.MustCompile(`^set (\w+) = '([^']*)'$`)

// apply makes the environment follow a set line.
func applySetting(t *testing.T, env *Env, line string) {
	t.Helper()
	m := settingSyntax.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("bad setting %q", line)
	}
	find := func(names ...string) int {
		for i, n := range names {
			if n == strings.ToLower(m[2]) {
				return i
			}
		}
		t.Fatalf("bad value in %q", line)
		return 0
	}
	switch m[1] {
	case "timezone":
		loc, err := LoadLocation(m[2])
		if err != nil {
			t.Fatal(err)
		}
		env.Location = loc
	case "datestyle":
		style, order, _ := strings.Cut(m[2], ", ")
		env.DateStyle = DateStyle(map[string]int{"iso": 0, "sql": 1, "postgres": 2, "german": 3}[style])
		env.DateOrder = DateOrder(map[string]int{"mdy": 0, "dmy": 1, "ymd": 2}[order])
	case "intervalstyle":
		env.IntervalStyle = IntervalStyle(find("postgres", "postgres_verbose", "sql_standard", "iso_8601"))
	case "bytea_output":
		env.ByteaOutput = ByteaOutput(find("hex", "escape"))
	case "extra_float_digits":
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		env.ExtraFloatDigits = n
	default:
		t.Fatalf("unknown setting %q", line)
	}
}

func TestGoldenText(t *testing.T) {
	files, err := filepath.Glob("testdata/text_*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no test files", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			lines := readGolden(t, name)
			if *record != "" {
				r := newRecorder(t)
				r.exec(t, testTypesSQL)
				for i, l := range lines {
					if strings.HasPrefix(l.raw, "set ") {
						r.exec(t, l.raw)
					}
					if l.fields == nil {
						continue
					}
					typ := l.fields[0]
					if testTypes[strings.TrimSuffix(typ, "[]")] != nil {
						typ = "pg_temp." + typ
					}
					if typ == "char" {
						typ = `"char"`
					}
					r.exec(t, "drop table if exists pg_temp.r; create temp table r(v "+typ+")")
					got := r.query(t, "insert into r values ("+sqlLiteral(l.fields[1])+"); select v from r")
					lines[i].fields = append(l.fields[:2:2], got...)
				}
				writeGolden(t, name, lines)
			}
			env := *DefaultEnv
			failures := 0
			for _, l := range lines {
				if strings.HasPrefix(l.raw, "set ") {
					applySetting(t, &env, l.raw)
				}
				if l.fields == nil {
					continue
				}
				if len(l.fields) < 4 {
					t.Fatalf("%q has no expectation: run with -record", l.fields)
				}
				typ, mod := testType(t, l.fields[0])
				var got []string
				if d, err := ParseText(typ, mod, l.fields[1], &env); err != nil {
					got = errorFields(err)
				} else {
					got = []string{"=", string(AppendText(nil, typ, d, &env))}
				}
				if want := l.fields[2:]; strings.Join(got, "\t") != strings.Join(want, "\t") {
					t.Errorf("%s %q\n got %q\nwant %q", l.fields[0], l.fields[1], got, want)
					if failures++; failures > 40 {
						t.Fatal("too many failures")
					}
				}
			}
		})
	}
}
