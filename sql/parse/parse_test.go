package parse

import (
	"strings"
	"testing"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

func one[T ast.Stmt](t *testing.T, text string) T {
	t.Helper()
	ss, err := Parse(text)
	if err != nil || len(ss) != 1 {
		t.Fatalf("%s: %d statements, %v", text, len(ss), err)
	}
	s, ok := ss[0].Stmt.(T)
	if !ok {
		t.Fatalf("%s: %T", text, ss[0].Stmt)
	}
	return s
}

func TestBatches(t *testing.T) {
	for _, c := range []struct {
		input string
		texts []string
	}{
		{"", nil}, {";", nil}, {" ;; ; ", nil}, {"-- ping", nil}, {"/* a */;-- b", nil},
		{"SELECT 1", []string{"SELECT 1"}},
		{" SELECT 1 ;\n SELECT 'é' ; SELECT 3", []string{"SELECT 1", "SELECT 'é'", "SELECT 3"}},
		{"SELECT 1; DROP ASSERTION é; ; SELECT ';'; CREATE ASSERTION b CHECK (1 = 1) ;SELECT 2",
			[]string{"SELECT 1", "DROP ASSERTION é", "SELECT ';'", "CREATE ASSERTION b CHECK (1 = 1)", "SELECT 2"}},
		{"SELECT 'assertion';", []string{"SELECT 'assertion'"}},
		{"; -- assertion", nil}, {"/* assertion */", nil},
		{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; DROP ASSERTION a",
			[]string{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END", "DROP ASSERTION a"}},
		{"CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); DROP ASSERTION a",
			[]string{"CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)", "DROP ASSERTION a"}},
		{"SELECT assertion FROM satisfy", []string{"SELECT assertion FROM satisfy"}},
	} {
		ss, err := Parse(c.input)
		if err != nil {
			t.Errorf("%q: %v", c.input, err)
			continue
		}
		var texts []string
		for _, s := range ss {
			texts = append(texts, s.Text)
			if c.input[s.Offset:s.Offset+len(s.Text)] != s.Text || s.Chars != len([]rune(c.input[:s.Offset])) {
				t.Errorf("%q: %q is not at %d (character %d)", c.input, s.Text, s.Offset, s.Chars)
			}
		}
		if strings.Join(texts, "|") != strings.Join(c.texts, "|") || len(texts) != len(c.texts) {
			t.Errorf("%q: %q", c.input, texts)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		input    string
		code     errs.Code
		position int
		message  string
	}{
		{"SELECT FROM FROM", "42601", 13, `syntax error at or near "FROM"`},
		{"SELECT 1; SELEC 2", "42601", 11, `syntax error at or near "SELEC"`},
		{"SELECT 'é'; SELEC 2", "42601", 13, `syntax error at or near "SELEC"`},
		{"SELECT (", "42601", 9, "syntax error at end of input"},
		{"SELECT 'a", "42601", 8, `unterminated quoted string at or near "'a"`},
		{`SELECT "a`, "42601", 8, `unterminated quoted identifier at or near ""a"`},
		{"SELECT /* a", "42601", 8, `unterminated /* comment at or near "/* a"`},
		{"SELECT 123abc", "42601", 8, `trailing junk after numeric literal at or near "123a"`},
		{"SELECT $0", "42P02", 8, "there is no parameter $0"},
		{"SELECT '\xe9 '", "22021", 0, `invalid byte sequence for encoding "UTF8": 0xe9 0x20 0x27`},
		{`SELECT E'\xff'`, "22021", 0, `invalid byte sequence for encoding "UTF8": 0xff`},
		{`SELECT E'\000'`, "22021", 0, `invalid byte sequence for encoding "UTF8": 0x00`},
		{`SELECT U&'\D83D'`, "42601", 16, "invalid Unicode surrogate pair"},
		{"SELECT '\x00'", "22021", 0, `invalid byte sequence for encoding "UTF8": 0x00`},
		{"SELECT 1 IS JSON", "0A000", 8, "IS JSON is not supported"},
		{"SELECT xmlelement(name a)", "0A000", 8, "XML is not supported"},
		{"SELECT sum(a) OVER (ROWS BETWEEN CURRENT ROW AND 1 PRECEDING)", "42P20", 50, "frame starting from current row cannot have preceding rows"},
		{`SELECT E'\u00zz'`, "22025", 10, "invalid Unicode escape"},
		{"CREATE TABLE t (a float(99))", "22023", 25, "precision for type float must be less than 54 bits"},
		{"CREATE TABLE t (a int CHECK (a > 0) DEFERRABLE)", "42601", 37, "misplaced DEFERRABLE clause"},
		{"CREATE TABLE t (a int UNIQUE NOT DEFERRABLE INITIALLY DEFERRED)", "42601", 45, "constraint declared INITIALLY DEFERRED must be DEFERRABLE"},
		{"CREATE TABLE t (a int, CHECK (a > 0) DEFERRABLE)", "0A000", 0, "CHECK constraints cannot be marked DEFERRABLE"},
		{"SELECT a.b.c.d.e FROM s.t.u.v", "42601", 23, "improper qualified name (too many dotted names): s.t.u.v"},
		{"SELECT * FROM (SELECT 1 INTO x) y", "42601", 30, "SELECT ... INTO is not allowed here"},
		{"DECLARE c CURSOR FOR SELECT 1 INTO x", "42P11", 0, "DECLARE CURSOR must specify a query that returns rows"},
		{"SELECT date $1", "42601", 13, `syntax error at or near "$1"`},
		{"SELECT interval $1 day", "42601", 17, `syntax error at or near "$1"`},
		{"SET a = $1", "42601", 9, `syntax error at or near "$1"`},
		{"SELECT EXTRACT($1 FROM a)", "42601", 16, `syntax error at or near "$1"`},
		{"CREATE ROLE r PASSWORD $1", "42601", 24, `syntax error at or near "$1"`},
		{"CREATE TABLE t AS SELECT 1 INTO u", "42601", 33, "SELECT ... INTO is not allowed here"},
		{"COPY (SELECT 1 INTO u) TO STDOUT", "0A000", 0, "COPY (SELECT INTO) is not supported"},
		{"CREATE ASSERTION", "42601", 17, "syntax error at end of input"},
		{"CREATE ASSERTION ; SELECT 1", "42601", 18, `syntax error at or near ";"`},
		{"CREATE ASSERTION a CHECK (a >)", "42601", 30, `syntax error at or near ")"`},
		{"SELECT 'é'; CREATE ASSERTION a CHECK (a >)", "42601", 42, `syntax error at or near ")"`},
		{"SELECT 1; CREATE ASSERTION a CHECK ()", "42601", 37, `syntax error at or near ")"`},
		{"CREATE ASSERTION a CHECK (SELECT 1)", "42601", 27, `syntax error at or near "SELECT"`},
		{"CREATE ASSERTION a CHECK (a, b)", "42601", 28, `syntax error at or near ","`},
		{"CREATE ASSERTION a CHECK (1 = 1", "42601", 32, "syntax error at end of input"},
		{"CREATE ASSERTION a CHECK (1 = ((1)", "42601", 35, "syntax error at end of input"},
		{"CREATE ASSERTION a CHECK (1 = 1) FOO", "42601", 34, `syntax error at or near "FOO"`},
		{"CREATE ASSERTION a CHECK (1 = 1) NOT DEFERRABLE INITIALLY DEFERRED", "42601", 49, "constraint declared INITIALLY DEFERRED must be DEFERRABLE"},
		{"CREATE ASSERTION select CHECK (1 = 1)", "42601", 18, `syntax error at or near "select"`},
		{"CREATE ASSERTION a.b.c.d CHECK (1 = 1)", "42601", 18, "improper qualified name (too many dotted names): a.b.c.d"},
		{"CREATE ASSERTION a CHECK (ALL (SELECT 1) e SATISFY (e.x >))", "42601", 58, `syntax error at or near ")"`},
		{"CREATE ASSERTION a CHECK (ALL (SELECT 1 FROM) e SATISFY (e.x))", "42601", 45, `syntax error at or near ")"`},
		{"CREATE ASSERTION a CHECK (ALL (SELECT 1) SATISFY (1 = 1))", "42601", 51, `syntax error at or near "1"`},
		{"CREATE ASSERTION a CHECK (ALL (SELECT 1) e SATISFY (e.x) AND true)", "42601", 58, `syntax error at or near "AND"`},
		{"SELECT ALL (SELECT 1) e SATISFY (true)", "42601", 25, `syntax error at or near "SATISFY"`},
		{"ALTER ASSERTION a FOO", "42601", 19, `syntax error at or near "FOO"`},
		{"ALTER ASSERTION a VALIDATE x", "42601", 28, `syntax error at or near "x"`},
		{"ALTER ASSERTION a RENAME COLUMN x TO y", "42601", 19, `syntax error at or near "RENAME"`},
		{"DROP ASSERTION a b", "42601", 18, `syntax error at or near "b"`},
		{"EXPLAIN ASSERTION a FOR SELECT ON t", "42601", 25, `syntax error at or near "SELECT"`},
		{"EXPLAIN ASSERTION a FOR INSERT", "42601", 31, "syntax error at end of input"},
		{"COMMENT ON ASSERTION a IS 5", "42601", 27, `syntax error at or near "5"`},
	} {
		ss, err := Parse(c.input)
		e := errs.As(err)
		if e == nil {
			t.Errorf("%s: no error, %d statements", c.input, len(ss))
		} else if e.Code != c.code || e.Position != c.position || e.Message != c.message {
			t.Errorf("%s: %s at %d: %s", c.input, e.Code, e.Position, e.Message)
		}
	}
}

func TestSizeLimit(t *testing.T) {
	defer SetMaxBytes(0)
	SetMaxBytes(100)
	if _, err := Parse(strings.Repeat(" ", 101)); errs.CodeOf(err) != "54000" || errs.As(err).Hint == "" {
		t.Error(err)
	}
	if _, err := Parse(strings.Repeat(" ", 100)); err != nil {
		t.Error(err)
	}
}

// TestDepth checks that nesting of every kind ends in an error before it ends the process.
func TestDepth(t *testing.T) {
	for name, text := range map[string]func(n int) string{
		"parentheses": func(n int) string { return "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) },
		"plus":        func(n int) string { return "SELECT 1" + strings.Repeat("+1", n) },
		"minus":       func(n int) string { return "SELECT " + strings.Repeat("- ", n) + "a" },
		"not":         func(n int) string { return "SELECT " + strings.Repeat("NOT ", n) + "a" },
		"union":       func(n int) string { return "SELECT 1" + strings.Repeat(" UNION SELECT 1, 2", n) },
		"join":        func(n int) string { return "SELECT FROM t" + strings.Repeat(" JOIN t ON a AND b", n) },
		"case": func(n int) string {
			return "SELECT " + strings.Repeat("CASE WHEN a THEN ", n) + "1" + strings.Repeat(" END", n)
		},
		"else": func(n int) string {
			return "SELECT " + strings.Repeat("CASE WHEN a AND b THEN 1 ELSE ", n) + "1" + strings.Repeat(" END", n)
		},
		"cases":     func(n int) string { return "SELECT 1" + strings.Repeat("+CASE WHEN a OR b THEN 1 END", n) },
		"between":   func(n int) string { return "SELECT a" + strings.Repeat(" IS NULL BETWEEN 1 AND 2", n) },
		"query":     func(n int) string { return strings.Repeat("SELECT (", n) + "SELECT 1" + strings.Repeat(")", n) },
		"from":      func(n int) string { return strings.Repeat("SELECT FROM (", n) + "SELECT" + strings.Repeat(")", n) },
		"call":      func(n int) string { return "SELECT " + strings.Repeat("f(a, ", n) + "1" + strings.Repeat(")", n) },
		"cast":      func(n int) string { return "SELECT 1" + strings.Repeat("::int", n) },
		"is":        func(n int) string { return "SELECT 1" + strings.Repeat(" IS NULL", n) },
		"collate":   func(n int) string { return "SELECT 1" + strings.Repeat(` COLLATE "C"`, n) },
		"subscript": func(n int) string { return "SELECT a" + strings.Repeat("[1]", n) },
		"array":     func(n int) string { return "SELECT ARRAY" + strings.Repeat("[", n) + strings.Repeat("]", n) },
		"sets": func(n int) string {
			return "SELECT GROUP BY " + strings.Repeat("GROUPING SETS (", n) + "a" + strings.Repeat(")", n)
		},
		"fields": func(n int) string { return "SELECT (a)" + strings.Repeat(".a", n) },
	} {
		for _, n := range []int{3900, 5500, 30_000, 100_000} {
			text := text(n)
			if len(text) > DefaultMaxBytes {
				continue
			}
			if _, err := Parse(text); err != nil && errs.CodeOf(err) != errs.StatementTooComplex {
				t.Errorf("%s, %d levels: %v", name, n, err)
			} else if err == nil && n > 3900 && name != "parentheses" {
				t.Errorf("%s: %d levels are taken", name, n)
			}
		}
		if _, err := Parse(text(1000)); err != nil {
			t.Errorf("%s: 1000 levels: %v", name, err)
		}
	}
	// Long is not deep.
	for name, text := range map[string]string{
		"list":   "SELECT 1 WHERE a IN (1" + strings.Repeat(",-1+1", 50_000) + ")",
		"and":    "SELECT 1 WHERE a = 1" + strings.Repeat(" AND a = 1", 50_000),
		"or":     "SELECT 1 WHERE a = 1" + strings.Repeat(" OR a = 1 AND b = 2", 30_000),
		"values": "INSERT INTO t VALUES (1, 2)" + strings.Repeat(", (1 + 2 * 3, f(1, 2))", 40_000),
		"batch":  strings.Repeat("SELECT a + b FROM t JOIN u ON true;", 20_000),
		"whens":  "SELECT CASE" + strings.Repeat(" WHEN a IN (1, 2) THEN 1 ", 2000) + " END",
	} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLexer compares the lexer with the grammar's own scanner, which knows the same tokens.
func TestLexer(t *testing.T) {
	for _, text := range corpus(t) {
		scan, err := pg_query.Scan(text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		tokens := lex(text)
		i := 0
		for _, s := range scan.Tokens {
			if s.Token == pg_query.Token_C_COMMENT || s.Token == pg_query.Token_SQL_COMMENT {
				continue
			}
			if i >= len(tokens) {
				t.Errorf("too few tokens\n%s", text)
				break
			}
			// The scanner counts white space before a string's continuation, and the like, differently at the end.
			if tokens[i].start != int(s.Start) || tokens[i].kind != tokenString && tokens[i].kind != tokenSpecial && tokens[i].end != int(s.End) {
				t.Errorf("token %d-%d %q, not %d-%d %q\n%s", tokens[i].start, tokens[i].end, text[tokens[i].start:tokens[i].end],
					s.Start, s.End, text[s.Start:s.End], text)
				break
			}
			i++
		}
	}
}

func TestSourceTexts(t *testing.T) {
	table := one[*ast.CreateTable](t, `CREATE TABLE t (a int DEFAULT 1 + f(2, 3) NOT NULL, b int DEFAULT NULL NULL CHECK ( (b > 0) OR ')' = b ),
		c int CONSTRAINT x CHECK (c IN (1,2)), d text DEFAULT 'x'::varchar(10) COLLATE "C", e int GENERATED ALWAYS AS ( a * 2 ) STORED,
		f timestamptz DEFAULT (now() AT TIME ZONE 'utc') UNIQUE, g bool DEFAULT 1 IS NOT DISTINCT FROM NULL REFERENCES u, h int DEFAULT -1,
		i int DEFAULT CASE WHEN true THEN 1 ELSE NULL END, j int DEFAULT (1) /* c */, CONSTRAINT y CHECK (a > b /* c */) NO INHERIT)`)
	var texts []string
	for _, c := range table.Columns {
		for _, k := range c.Constraints {
			if k.Expr != nil {
				texts = append(texts, k.ExprText)
			}
		}
	}
	texts = append(texts, table.Constraints[0].ExprText)
	compare(t, texts, "1 + f(2, 3)", "NULL", "(b > 0) OR ')' = b", "c IN (1,2)", "'x'::varchar(10)", "a * 2",
		"(now() AT TIME ZONE 'utc')", "1 IS NOT DISTINCT FROM NULL", "-1", "CASE WHEN true THEN 1 ELSE NULL END", "(1)", "a > b /* c */")

	index := one[*ast.CreateIndex](t, `CREATE INDEX "i(" ON s.t USING btree (a DESC, lower(b) text_ops, (c + d), pg_catalog.upper(e) COLLATE "C" ASC, ((f))) WHERE ((a > 1) AND b = ';') `)
	texts = nil
	for _, e := range index.Elems {
		texts = append(texts, e.ExprText)
	}
	compare(t, append(texts, index.WhereText), "", "lower(b)", "c + d", "pg_catalog.upper(e)", "(f)", "((a > 1) AND b = ';')")

	alter := one[*ast.AlterTable](t, `ALTER TABLE t ALTER a SET DEFAULT (1) + f(2, 3), ALTER b TYPE int USING (b)::int , ADD c int DEFAULT 5, ADD CHECK (c > 1), ALTER d TYPE int`)
	texts = nil
	for _, c := range alter.Commands {
		texts = append(texts, c.ExprText)
	}
	texts = append(texts, alter.Commands[2].Column.Constraints[0].ExprText, alter.Commands[3].Constraint.ExprText)
	compare(t, texts, "(1) + f(2, 3)", "(b)::int", "", "", "", "5", "c > 1")

	for text, want := range map[string]string{
		"CREATE VIEW v AS SELECT 1 ":                                               "SELECT 1",
		"CREATE VIEW v (a) WITH (security_barrier) AS SELECT a AS x FROM t":        "SELECT a AS x FROM t",
		"CREATE VIEW v AS WITH x AS (SELECT 1) TABLE x WITH CASCADED CHECK OPTION": "WITH x AS (SELECT 1) TABLE x",
		`CREATE OR REPLACE VIEW "as" AS (SELECT 1) -- note`:                        "(SELECT 1) -- note",
		"CREATE RECURSIVE VIEW v (n) AS SELECT 1":                                  "WITH RECURSIVE v(n) AS (SELECT 1) SELECT n FROM v",
	} {
		got := one[*ast.CreateView](t, text).QueryText
		if strings.HasPrefix(text, "CREATE RECURSIVE") {
			got = strings.ReplaceAll(got, " (n)", "(n)")
		}
		compare(t, []string{got}, want)
	}
	compare(t, []string{
		one[*ast.CreateAssertion](t, "CREATE ASSERTION a CHECK ( a > ( 1 ) ) NOT VALID").ConditionText,
		one[*ast.CreateAssertion](t, "CREATE ASSERTION a CHECK (ALL (TABLE t) x SATISFY (x.a > 1))").ConditionText,
	}, "a > ( 1 )", "ALL (TABLE t) x SATISFY (x.a > 1)")
}

func compare(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// TestPositions checks that nodes point into their own statement's text.
func TestPositions(t *testing.T) {
	ss, err := Parse("SELECT 'é'; UPDATE t SET a = bb WHERE cc IN (1, dd); CREATE ASSERTION x CHECK (ee > 1)")
	if err != nil {
		t.Fatal(err)
	}
	u := ss[1].Stmt.(*ast.Update)
	a := ss[2].Stmt.(*ast.CreateAssertion)
	for _, c := range []struct {
		s    Statement
		node interface{ Pos() int }
		want string
	}{
		{ss[1], u.Table, "t"}, {ss[1], u.Set[0].Value, "bb"}, {ss[1], u.Where.(*ast.In).Arg, "cc"},
		{ss[1], u.Where.(*ast.In).List[1], "dd"}, {ss[2], a.Condition.(*ast.Op).Left, "ee"}, {ss[2], a.Name, "x"},
	} {
		if !strings.HasPrefix(c.s.Text[c.node.Pos():], c.want) {
			t.Errorf("%d is not where %s is", c.node.Pos(), c.want)
		}
	}
	if p := ss[1].Position(u.Set[0].Value.Pos()); p != 30 {
		t.Errorf("bb is at character %d", p)
	}
}

// TestLongNames checks that names are cut at 63 bytes, between characters.
func TestLongNames(t *testing.T) {
	for _, quote := range []string{"", `"`} {
		q := one[*ast.Select](t, "SELECT a AS "+quote+"a"+strings.Repeat("é", 40)+quote+", b AS "+quote+strings.Repeat("日", 40)+quote+", c AS "+quote+strings.Repeat("x", 70)+quote)
		for i, want := range []string{"a" + strings.Repeat("é", 31), strings.Repeat("日", 21), strings.Repeat("x", 63)} {
			if got := q.Targets[i].Name; got != want {
				t.Errorf("%s, not %s", got, want)
			}
		}
	}
}

func TestParams(t *testing.T) {
	ss, err := Parse("SELECT $3 + $1; SELECT 1; CREATE ASSERTION a CHECK ($2)")
	if err != nil {
		t.Fatal(err)
	}
	if ss[0].NumParams != 3 || ss[1].NumParams != 0 || ss[2].NumParams != 2 {
		t.Error(ss[0].NumParams, ss[1].NumParams, ss[2].NumParams)
	}
}

func TestUnsupportedNames(t *testing.T) {
	for text, want := range map[string]string{
		"CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION f()": "CREATE TRIGGER",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS ''":                    "CREATE FUNCTION",
		"CREATE PROCEDURE f() LANGUAGE sql AS ''":                               "CREATE PROCEDURE",
		"CREATE AGGREGATE a (int) (SFUNC = f, STYPE = int)":                     "CREATE AGGREGATE",
		"CREATE TEXT SEARCH PARSER p (START = f)":                               "CREATE TEXT SEARCH PARSER",
		"CREATE DATABASE d":                                      "CREATE DATABASE",
		"ALTER SYSTEM SET a = 1":                                 "ALTER SYSTEM",
		"ALTER FUNCTION f() STABLE":                              "ALTER FUNCTION",
		"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO joe": "ALTER DEFAULT PRIVILEGES",
		"DROP OPERATOR CLASS c USING btree":                      "DROP OPERATOR CLASS",
		"DROP OWNED BY a":                                        "DROP OWNED",
		"CALL f()":                                               "CALL",
		"CREATE RULE r AS ON INSERT TO t DO NOTHING":             "CREATE RULE",
		"CREATE PUBLICATION p":                                   "CREATE PUBLICATION",
		"COMMENT ON OPERATOR + (int, int) IS 'x'":                "COMMENT ON OPERATOR",
		"ALTER COLLATION c RENAME TO d":                          "ALTER COLLATION RENAME",
		"CLUSTER":                                                "CLUSTER",
	} {
		if got := one[*ast.Unsupported](t, text).What; got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestParseExpr(t *testing.T) {
	e, err := ParseExpr("aa > 1 -- note")
	if err != nil {
		t.Fatal(err)
	}
	if got := ast.FormatExpr(e); got != "aa > 1" || e.(*ast.Op).Left.Pos() != 0 || e.(*ast.Op).Right.Pos() != 5 {
		t.Error(got, e.(*ast.Op).Left.Pos())
	}
	e, err = ParseExpr("ALL (SELECT * FROM t) x SATISFY (x.a > 1)")
	if err != nil {
		t.Fatal(err)
	}
	if got := ast.FormatExpr(e); got != "NOT EXISTS (SELECT * FROM (SELECT * FROM t) AS x WHERE NOT (x.a > 1))" {
		t.Error(got)
	}
	if again, _ := ParseExpr("ALL (SELECT * FROM t) x SATISFY (x.a > 1)"); again != e {
		t.Error("parsed twice")
	}
	for text, position := range map[string]int{"": 1, "é >": 4, "a b": 3, "a, b": 2, "a) + (b": 4, "SELECT 1": 1, "a)": 3, "(a": 3} {
		_, err := ParseExpr(text)
		if e := errs.As(err); e == nil || e.Code != errs.SyntaxError || e.Position != position {
			t.Errorf("%q: %v at %d", text, err, e.Position)
		}
	}
}

func TestParseType(t *testing.T) {
	for text, want := range map[string]string{
		"int": "integer", "numeric(10, 2)": "numeric(10, 2)", "text[]": "text[]", "Public.\"Mood\"": `public."Mood"`,
		"interval day to second(3)": "interval day to second(3)", "timestamp(3) with time zone": "timestamp(3) with time zone",
		"character varying(5)[]": "character varying(5)[]", " float8 ": "float8",
	} {
		ty, err := ParseType(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := ast.FormatType(ty); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"", "int; SELECT 1", "int AS x", "int FROM t", "int + 1", "int COLLATE \"C\"", "1", "int, 2", "int UNION SELECT 1", "int::text", "int[1]::text"} {
		if ty, err := ParseType(text); errs.CodeOf(err) != errs.SyntaxError {
			t.Errorf("%s: %v, %v", text, ty, err)
		}
	}
}

// TestDetails checks readings that a round trip cannot tell wrong from right.
func TestDetails(t *testing.T) {
	expr := func(text string) ast.Expr {
		e, err := ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for text, want := range map[string]ast.Literal{
		"1": {Kind: ast.LitInt, Value: "1"}, "-5": {Kind: ast.LitInt, Value: "-5"}, "007": {Kind: ast.LitInt, Value: "7"},
		"2147483648": {Kind: ast.LitInt, Value: "2147483648"}, "-9223372036854775808": {Kind: ast.LitInt, Value: "-9223372036854775808"},
		"9223372036854775808": {Kind: ast.LitNumeric, Value: "9223372036854775808"}, "1_0.5": {Kind: ast.LitNumeric, Value: "10.5"},
		"0x7FFFFFFFFF": {Kind: ast.LitInt, Value: "549755813887"}, "0xFFFFFFFFFFFFFFFFFF": {Kind: ast.LitNumeric, Value: "4722366482869645213695"},
		"1e3": {Kind: ast.LitNumeric, Value: "1e3"}, "'x'": {Kind: ast.LitString, Value: "x"}, "true": {Kind: ast.LitBool, Value: "t"},
		"false": {Kind: ast.LitBool, Value: "f"}, "null": {Kind: ast.LitNull}, "B'01'": {Kind: ast.LitBit, Value: "b01"}, "X'1f'": {Kind: ast.LitBit, Value: "x1f"},
	} {
		l, ok := expr(text).(*ast.Literal)
		if !ok || l.Kind != want.Kind || l.Value != want.Value {
			t.Errorf("%s: %#v", text, expr(text))
		}
	}
	if c := expr("interval '1' day to second(2)").(*ast.Cast); c.Type.Interval != 1<<3|1<<10|1<<11|1<<12 || c.Type.Mods[0].(*ast.Literal).Value != "2" {
		t.Errorf("%#v", c.Type)
	}
	if c := expr("a::interval(3)").(*ast.Cast); c.Type.Interval != 0 || len(c.Type.Mods) != 1 {
		t.Errorf("%#v", c.Type)
	}
	if s := expr("a NOT IN (SELECT 1)").(*ast.Subquery); !s.Not || s.Op != "=" || s.Kind != ast.AnySubquery {
		t.Errorf("%#v", s)
	}
	if _, ok := expr("NOT a IN (SELECT 1)").(*ast.BoolOp); !ok {
		t.Error("NOT a IN is not a NOT")
	}
	if l := expr("a NOT ILIKE 'x' ESCAPE 'y'").(*ast.Like); l.Op != "!~~*" || !l.Not || l.Keyword != "ILIKE" || l.Escape == nil {
		t.Errorf("%#v", l)
	}
	if f := expr("current_timestamp(3)").(*ast.FuncCall); f.Form != ast.CallKeyword || len(f.Args) != 1 || f.Name[0] != "current_timestamp" {
		t.Errorf("%#v", f)
	}
	if f := expr("a AT TIME ZONE 'x'").(*ast.FuncCall); f.Form != ast.CallSQL || f.Name[1] != "timezone" {
		t.Errorf("%#v", f)
	}
	w := one[*ast.Select](t, "SELECT sum(a) OVER (ROWS BETWEEN 2 PRECEDING AND UNBOUNDED FOLLOWING)").Targets[0].Expr.(*ast.FuncCall).Over
	if w.FrameMode != "rows" || w.Start.Kind != "preceding" || w.Start.Offset == nil || w.End.Kind != "unbounded following" || w.End.Offset != nil {
		t.Errorf("%#v", w)
	}
	u := one[*ast.Update](t, "UPDATE t SET a = 1, (b, c) = (SELECT 1, 2), d = DEFAULT")
	if len(u.Set) != 3 || !u.Set[1].Multi || len(u.Set[1].Columns) != 2 || u.Set[1].Columns[1].Name != "c" {
		t.Errorf("%#v", u.Set)
	}
	if f := one[*ast.Fetch](t, "FETCH BACKWARD ALL FROM c"); !f.All || f.Direction != "backward" {
		t.Errorf("%#v", f)
	}
	into := one[*ast.CreateTable](t, "SELECT 1 INTO t UNION SELECT 2")
	if q := into.Query.(*ast.Select); into.Table.Name != "t" || q.SetOp != ast.Union {
		t.Errorf("%#v", into)
	}
	k := one[*ast.CreateTable](t, "CREATE TABLE t (a int REFERENCES u ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT NULL)").Columns[0].Constraints
	if len(k) != 2 || !k[0].Deferrable || !k[0].InitiallyDeferred || !k[0].DeferrableSaid || k[0].OnDelete != "set null" || k[0].OnUpdate != "no action" || k[0].Match != "simple" {
		t.Errorf("%#v", k[0])
	}
	m := one[*ast.Transaction](t, "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, NOT DEFERRABLE").Modes
	if m.Isolation != "serializable" || !*m.ReadOnly || *m.Deferrable {
		t.Errorf("%#v", m)
	}
	x := one[*ast.Explain](t, "EXPLAIN ASSERTION s.a FOR UPDATE OF c ON t")
	if x.Assertion.Schema != "s" || x.Event != "update" || x.EventColumn != "c" || x.EventTable.Name != "t" || x.Stmt != nil {
		t.Errorf("%#v", x)
	}
	ca := one[*ast.CreateAssertion](t, "CREATE ASSERTION a CHECK (true) NOT ENFORCED INITIALLY DEFERRED NOT VALID")
	if !ca.NotEnforced || !ca.InitiallyDeferred || !ca.Deferrable || !ca.NotValid {
		t.Errorf("%#v", ca)
	}
	if d := one[*ast.Drop](t, "DROP TRIGGER x ON s.t"); d.On.Schema != "s" || d.On.Name != "t" || d.Names[0].Name != "x" {
		t.Errorf("%#v", d)
	}
	g := one[*ast.AlterTable](t, "ALTER TABLE t ALTER a SET GENERATED BY DEFAULT SET CACHE 5").Commands[0]
	if g.Generated != "by default" || len(g.Options) != 1 || g.Options[0].Name != "cache" {
		t.Errorf("%#v", g)
	}
}
