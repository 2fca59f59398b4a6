package parse

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// putBack gives the tree with the lifted parameters replaced by literals, as a new tree, with every position
// turned into that of the original text.
func putBack(p *Parsed) ast.Stmt {
	s := p.Statements[0]
	real := s.NumParams
	var rebuild func(v reflect.Value) reflect.Value
	rebuild = func(v reflect.Value) reflect.Value {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				return v
			}
			if param, ok := v.Interface().(*ast.Param); ok && param.Number > real {
				l := p.Lifted[param.Number-real-1]
				return reflect.ValueOf(&ast.Literal{At: rebuild(reflect.ValueOf(param.At)).Interface().(ast.At), Kind: l.Kind, Value: l.Value})
			}
			out := reflect.New(v.Type().Elem())
			out.Elem().Set(rebuild(v.Elem()))
			return out
		case reflect.Interface:
			if v.IsNil() {
				return v
			}
			out := reflect.New(v.Type()).Elem()
			out.Set(rebuild(v.Elem()))
			return out
		case reflect.Struct:
			out := reflect.New(v.Type()).Elem()
			for i := range v.NumField() {
				out.Field(i).Set(rebuild(v.Field(i)))
			}
			return out
		case reflect.Slice:
			if v.IsNil() {
				return v
			}
			out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			for i := range v.Len() {
				out.Index(i).Set(rebuild(v.Index(i)))
			}
			return out
		}
		if at, ok := v.Interface().(ast.At); ok && at >= 0 {
			return reflect.ValueOf(ast.At(p.template.original(s.Offset+int(at), p.Lifted) - s.Offset))
		}
		return v
	}
	return rebuild(reflect.ValueOf(s.Stmt)).Interface().(ast.Stmt)
}

// checkLookup compares what the cache gives with a full parse: the same error, or the same tree with the same
// positions once the literals are put back.
func checkLookup(t *testing.T, c *Cache, text string) Parsed {
	t.Helper()
	want, wantErr := Parse(text)
	got, err := c.Lookup(text)
	if (err == nil) != (wantErr == nil) {
		t.Errorf("%v, not %v\n%s", err, wantErr, text)
		return got
	}
	if err != nil {
		if a, b := errs.As(err), errs.As(wantErr); *a != *b {
			t.Errorf("%v at %d, not %v at %d\n%s", a, a.Position, b, b.Position, text)
		}
		return got
	}
	if got.Lifted == nil {
		if !reflect.DeepEqual(got.Statements, want) {
			t.Errorf("another tree\n%s", text)
		}
		return got
	}
	if len(want) != 1 || len(got.Statements) != 1 || got.Statements[0].NumParams != want[0].NumParams {
		t.Errorf("%d statements, %d parameters\n%s", len(want), got.Statements[0].NumParams, text)
		return got
	}
	back := putBack(&got)
	if d := difference(want[0].Stmt, back); d != "" {
		t.Errorf("%s\n%s\nlifted as\n%s", d, text, got.Statements[0].Text)
	} else if !reflect.DeepEqual(want[0].Stmt, back) {
		t.Errorf("other positions\n%s\nlifted as\n%s", text, got.Statements[0].Text)
	}
	return got
}

func TestCacheCorpus(t *testing.T) {
	c := NewCache(0)
	for _, text := range corpus(t) {
		for range 2 {
			checkLookup(t, c, text)
		}
	}
}

func TestLift(t *testing.T) {
	for _, c := range []struct{ text, template string }{
		{"UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 4567;", "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2"},
		{"SELECT abalance FROM pgbench_accounts WHERE aid = 4567", "SELECT abalance FROM pgbench_accounts WHERE aid = $1"},
		{"INSERT INTO h (tid, bid, delta, mtime) VALUES (1, 2, -3, CURRENT_TIMESTAMP)", "INSERT INTO h (tid, bid, delta, mtime) VALUES ($1, $2, $3, CURRENT_TIMESTAMP)"},
		{" INSERT INTO t VALUES (1, 'it''s'), (DEFAULT, f(5), 1.5, 3000000000, -99999999999999999999)", "INSERT INTO t VALUES ($1, $2), (DEFAULT, f(5), $3, $4, $5)"},
		{"SELECT 1, 'x' FROM t JOIN u ON t.a = u.a AND u.b > 5 WHERE t.c='x'and d IN (1, -2, 3) OR e BETWEEN'a'AND'b'ORDER BY 1 LIMIT 10",
			"SELECT 1, 'x' FROM t JOIN u ON t.a = u.a AND u.b > $1 WHERE t.c=$2 and d IN ($3, $4, $5) OR e BETWEEN $6 AND $7 ORDER BY 1 LIMIT 10"},
		{"DELETE FROM t USING u WHERE (a = 1 OR (b <> 'x')) AND NOT c >= - 5", "DELETE FROM t USING u WHERE (a = $1 OR (b <> $2)) AND NOT c >= $3"},
		{"SELECT a FROM t WHERE a = $2 AND b = 5 AND c = $1", "SELECT a FROM t WHERE a = $2 AND b = $3 AND c = $1"},
		{"SELECT a FROM (SELECT b FROM u WHERE c = 5) x WHERE EXISTS (SELECT 1 FROM v WHERE d = 6) AND e = (SELECT 7 FROM w WHERE f = 8)",
			"SELECT a FROM (SELECT b FROM u WHERE c = $1) x WHERE EXISTS (SELECT 1 FROM v WHERE d = $2) AND e = (SELECT 7 FROM w WHERE f = $3)"},
		{"INSERT INTO t VALUES (1) ON CONFLICT (a) WHERE b = 5 DO UPDATE SET c = 6, d = excluded.d + 1 WHERE t.e < 7 RETURNING a + 8",
			"INSERT INTO t VALUES ($1) ON CONFLICT (a) WHERE b = 5 DO UPDATE SET c = $2, d = excluded.d + $3 WHERE t.e < $4 RETURNING a + 8"},
		{"SELECT a + 1 FROM t WHERE b = 2 GROUP BY a + 1 HAVING a + 1 > 5 ORDER BY 2", "SELECT a + 1 FROM t WHERE b = $1 GROUP BY a + 1 HAVING a + 1 > 5 ORDER BY 2"},
		{"SELECT a FROM t WHERE b = 5::int AND c = 6", "SELECT a FROM t WHERE b = 5::int AND c = $1"},
		{"SELECT a FROM t WHERE b = date '2020-01-01' AND c = 6", "SELECT a FROM t WHERE b = date '2020-01-01' AND c = $1"},
		{"SELECT a FROM t WHERE 1 = 0", ""}, // the planner should know
		{"SELECT a FROM t WHERE a % 10 = 3", "SELECT a FROM t WHERE a % 10 = $1"},
		{"SELECT a FROM t WHERE a LIKE 'x%'", ""}, {"SELECT a FROM t LIMIT 5", ""}, {"SELECT 5", ""}, {"SELECT f(5)", ""},
		{"SELECT a FROM t WHERE f(5) = a", ""}, {"SELECT a FROM t WHERE a = E'x'", ""}, {`SELECT a FROM t WHERE a = 'x\y'`, ""},
		{"SELECT a FROM t WHERE a = 5 -- x", ""}, {"SELECT a FROM t WHERE a = 5; SELECT 1", ""}, {"SELECT a FROM t WHERE a = 007", ""},
		{"SELECT a FROM t WHERE a = 0x1F", ""}, {"SELECT a FROM t WHERE a = 1_0", ""}, {"SELECT a INTO u FROM t WHERE a = 5", ""},
		{"WITH x AS (SELECT 1) SELECT a FROM t WHERE a = 5", ""}, {"SELECT (SELECT a FROM t WHERE b = 5)", ""},
		{"SELECT a FROM t WHERE a = 'x' COLLATE \"C\"", ""}, {"SELECT a FROM t WHERE a = 'x'\n'y'", ""},
		{"SELECT a FROM t WHERE a IN (" + strings.Repeat("1,", maxInList) + "2)", ""},
		{"SELECT a FROM t WHERE a IN (1, 2::int)", ""}, {"SELECT a FROM (VALUES (1), (2)) v", ""},
		{"SELECT a FROM t WHERE a OPERATOR(pg_catalog.-) - 5 = 1", ""}, {"SELECT a FROM t WHERE a = ~ 5", ""},
		{"SELECT count(*) FILTER (WHERE a = 5) FROM t", ""}, {"CREATE TABLE t AS SELECT 1 WHERE a = 5", ""},
	} {
		cache := NewCache(0)
		got := checkLookup(t, cache, c.text)
		template := ""
		if got.Lifted != nil {
			template = got.Statements[0].Text
		}
		if template != c.template {
			t.Errorf("%s\nlifted as %q", c.text, template)
		}
	}
}

func TestLiftedValues(t *testing.T) {
	c := NewCache(0)
	get := func(text string) Parsed { return checkLookup(t, c, text) }
	a := get("SELECT a FROM t WHERE a = 5 AND b = 'x''y' AND c = 1.50")
	b := get("SELECT a FROM t WHERE a =  6 AND b = '' AND c = 1e5")
	if a.Key == b.Key {
		t.Error("texts with different white space have one key") // it would cost more to find that they are alike
	}
	b = get("SELECT a FROM t WHERE a = -6 AND b = '' AND c = 1e5")
	if a.Key != b.Key || a.Key == nil {
		t.Error("two keys for one template")
	}
	if fmt.Sprint(a.Lifted) != "[{1 5 26 27} {3 x'y 36 42} {2 1.50 51 55}]" || fmt.Sprint(b.Lifted) != "[{1 -6 26 28} {3  37 39} {2 1e5 48 51}]" {
		t.Error(a.Lifted, b.Lifted)
	}
	for _, other := range []string{"3000000000", "99999999999999999999", "5.0", "'5'", "NULL"} {
		if o := get("SELECT a FROM t WHERE a = " + other + " AND b = 'x' AND c = 1.5"); o.Key == a.Key {
			t.Errorf("%s has the key of an int4", other)
		}
	}
	if o := get("SELECT a FROM t WHERE a = -2147483648 AND b = 'x' AND c = 1.5"); o.Key != a.Key {
		t.Error("the least int4 is not one")
	}
	if o := get("SELECT a FROM t WHERE a = 2147483648 AND b = 'x' AND c = 1.5"); o.Key != get("SELECT a FROM t WHERE a = -2147483649 AND b = 'x' AND c = 1.5").Key {
		t.Error("int8 has two keys")
	}
	a.Key.Store(5)
	if b.Key.Load() != 5 || new(Key).Load() != nil {
		t.Error(b.Key.Load())
	}
	// Positions: é is one character of two bytes.
	p := get("SELECT a FROM t WHERE é = 'éé' AND b = 12345 AND c = dd")
	and := p.Statements[0].Stmt.(*ast.Select).Where.(*ast.BoolOp)
	dd := and.Args[2].(*ast.Op).Right
	number := and.Args[1].(*ast.Op).Right
	if p.Position(0, dd.Pos()) != 54 || p.Position(0, number.Pos()) != 40 || p.Position(0, -1) != 0 {
		t.Error(p.Position(0, dd.Pos()), p.Position(0, number.Pos()))
	}
}

// TestLiftRandom puts random literals, operators and clauses together, right and wrong, and compares the
// cache with a full parse.
func TestLiftRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	literal := func() string {
		if r.IntN(3) > 0 {
			return pick("1", "-7", "'x'", "2.5")
		}
		return pick("1", "5", "-7", "- 7", "--7", "2147483648", "-2147483648", "99999999999999999999", "1.5", ".5", "5.", "1e5", "-1.5", "'x'", "''", "'it''s'",
			"E'x'", "'a\\b'", "007", "0", "-0", "0x1f", "null", "true", "$1", "'é'", "'x'::text", "5::int", "-5::int", "date '2020-01-01'", "int'5'", "B'1'", "N'x'",
			"'a' COLLATE \"C\"", "'a'\n'b'", "(5)", "ARRAY[1,2]", "interval '1' day", "+5", "- -5", "~5", "5 AT TIME ZONE 'x'", "-5 ^ 2", "-5[1]", "1 /* c */", "$$x$$")
	}
	var expr func(d int) string
	operand := func(d int) string {
		switch r.IntN(12) {
		case 0:
			return literal()
		case 1:
			return pick("f(", "left(", "coalesce(", "(", "((") + expr(d-1) + pick(")", "))", ", 5)", ")")
		case 2:
			if d > 0 {
				return "(SELECT " + expr(d-1) + " FROM u WHERE " + expr(d-1) + pick("", " GROUP BY "+literal(), " LIMIT 5") + ")"
			}
		case 3:
			return pick(`"a b"`, "between", "set", "zone", "end", "user", "current_date", "t.*", "t.a[1]", "a[5]")
		}
		return pick("a", "b", "t.c", "abalance", "a", "b")
	}
	expr = func(d int) string {
		if d <= 0 {
			return operand(0)
		}
		space := pick(" ", "", " ", " ")
		switch r.IntN(9) {
		case 0, 1, 2:
			return operand(d) + space + pick("=", "=", "<", "<", ">=", "<>", "+", "-", "||", "->", "@>", "^", "%", "=-", "- -", "OPERATOR(pg_catalog.=)") + space + literal()
		case 3:
			return operand(d) + pick(" IN (", " NOT IN (", " in(") + literal() + pick(")", ", "+literal()+")", ","+expr(d-1)+")")
		case 4:
			return operand(d) + pick(" BETWEEN ", " NOT BETWEEN ", " between symmetric ", " BETWEEN") + space + literal() + pick(" AND ", "AND") + literal()
		case 5:
			return expr(d-1) + pick(" AND ", " OR ", " IS NULL AND ") + expr(d-1)
		case 6:
			return pick("NOT ", "CASE WHEN "+expr(d-1)+" THEN 5 ELSE ", "EXISTS ", "a IS DISTINCT FROM ") + expr(d-1) + pick("", " END")
		case 7:
			return operand(d) + pick(" LIKE ", " SIMILAR TO ", " ISNULL - ", " IS ") + literal() + pick("", " ESCAPE 'x'")
		}
		return operand(d)
	}
	lifted, parsed := 0, 0
	c := NewCache(4 << 20)
	for i := range 16000 {
		d := r.IntN(3)
		var text string
		switch i % 4 {
		case 0:
			text = "SELECT " + pick("a", "5", expr(1)) + " FROM t" + pick("", " JOIN u ON "+expr(d), " LEFT JOIN u USING (a)", ", f(5)", " x (a, b)") + " WHERE " + expr(d) +
				pick("", " GROUP BY a, "+literal()+" HAVING "+expr(1), " ORDER BY "+literal(), " LIMIT "+literal(), " FOR UPDATE", " UNION SELECT "+literal()+" WHERE "+expr(1), " WINDOW w AS (ORDER BY 5)")
		case 1:
			text = "INSERT INTO t " + pick("", "(a, b) ", "(values) ") + pick("VALUES (", "VALUES(", "SELECT ", "values ((") + literal() + ", " + expr(1) + pick(")", "", "),("+literal()+")", "))") +
				pick("", " ON CONFLICT (a) WHERE "+expr(1)+" DO UPDATE SET a = "+expr(1)+" WHERE "+expr(1), " ON CONFLICT DO NOTHING", " RETURNING "+expr(1))
		case 2:
			text = "UPDATE " + pick("t", "set", "t AS x") + " SET a = " + expr(d) + pick("", ", b = "+literal(), ", (c, d) = (5, "+literal()+")") + pick("", " FROM u", " FROM u JOIN v ON "+expr(1)) + " WHERE " + expr(d) + pick("", ";", "; ", "; SELECT 5", " RETURNING "+expr(1))
		case 3:
			text = pick("", " ", "WITH x AS (SELECT 5) ") + "DELETE FROM t" + pick("", " USING u") + " WHERE " + expr(d+1) + pick("", ";;")
		}
		if _, err := Parse(text); err == nil {
			parsed++
		}
		if got := checkLookup(t, c, text); got.Lifted != nil {
			lifted++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d parsed, %d of them lifted", parsed, lifted)
	if parsed < 6000 || lifted < 1200 {
		t.Error("too few of the statements test anything")
	}
}

func TestLookupExact(t *testing.T) {
	c := NewCache(0)
	const text = "SELECT a FROM t WHERE b = 5"
	a, err := c.LookupExact(text)
	if err != nil || a.Lifted != nil || a.Statements[0].Text != text {
		t.Fatal(a, err)
	}
	if b, err := c.LookupExact(text); err != nil || b.Key != a.Key || b.Statements[0].Stmt != a.Statements[0].Stmt {
		t.Error(b, err)
	}
	if _, err := c.LookupExact("SELEC"); errs.CodeOf(err) != errs.SyntaxError {
		t.Error(err)
	}
}

func TestCacheEviction(t *testing.T) {
	const limit = 1 << 20
	c := NewCache(limit)
	hot := "SELECT hot"
	first, _ := c.Lookup(hot)
	for i := range 5000 {
		text := "SELECT a" + strconv.Itoa(i)
		if p, err := c.Lookup(text); err != nil || p.Statements[0].Text != text {
			t.Fatal(p, err)
		}
		if i%10 == 0 {
			if p, _ := c.Lookup(hot); p.Key != first.Key {
				t.Fatal("a text in constant use was evicted")
			}
		}
	}
	total, entries := 0, 0
	for i := range c.shards {
		s := &c.shards[i]
		sum := 0
		for _, e := range s.ring {
			sum += e.bytes
			if s.entries[e.text] != e {
				t.Error("an entry of the ring is not in the map")
			}
		}
		if sum != s.bytes || len(s.ring) != len(s.entries) {
			t.Errorf("%d bytes, not %d; %d entries, not %d", sum, s.bytes, len(s.ring), len(s.entries))
		}
		total += s.bytes
		entries += len(s.ring)
	}
	if total > limit || entries < 500 {
		t.Errorf("%d bytes in %d entries", total, entries)
	}
	// What is larger than a part of a shard is not kept, but answered.
	if p, err := c.Lookup("SELECT " + strings.Repeat("a, ", 5000) + "b"); err != nil || p.Key == nil {
		t.Error(err)
	}
}

func TestCacheConcurrently(t *testing.T) {
	c := NewCache(64 << 10)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				text := fmt.Sprintf("SELECT a%d FROM t WHERE b = %d", i%50, g*10000+i)
				if i%3 == 0 {
					text = fmt.Sprintf("SELECT a%d", i%100)
				}
				p, err := c.Lookup(text)
				if err != nil || p.Lifted != nil && p.Lifted[0].Value != strconv.Itoa(g*10000+i) {
					t.Error(p, err)
				}
			}
		})
	}
	wg.Wait()
}

const (
	benchUpdate   = "UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 4567;"
	benchPrepared = "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;"
)

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(benchUpdate); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookupExact(b *testing.B) {
	b.ReportAllocs()
	c := NewCache(0)
	for b.Loop() {
		if _, err := c.Lookup(benchPrepared); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookupLifted(b *testing.B) {
	b.ReportAllocs()
	c := NewCache(0)
	for b.Loop() {
		if p, err := c.Lookup(benchUpdate); err != nil || p.Lifted == nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookupLiftedInsert1000(b *testing.B) {
	b.ReportAllocs()
	text := "INSERT INTO t (a, b, c) VALUES (1, 'some text', 2.5)" + strings.Repeat(", (12345, 'some text', 2.5)", 999)
	c := NewCache(0)
	for b.Loop() {
		if p, err := c.Lookup(text); err != nil || p.Lifted == nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCatalogQuery(b *testing.B) {
	b.ReportAllocs()
	longest := ""
	for _, text := range captures(b) {
		if len(text) > len(longest) {
			longest = text
		}
	}
	b.SetBytes(int64(len(longest)))
	for b.Loop() {
		if _, err := Parse(longest); err != nil {
			b.Fatal(err)
		}
	}
}
