package bind

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/parse"
)

// TestMutations binds the statements of the other tests after words of some were put into others. Whatever comes
// out, binding must not panic, and what it accepts must be a sound tree.
func TestMutations(t *testing.T) {
	s := newSchema(t)
	if err := s.exec(`
		create table t (a int primary key, b text default 'x', c numeric(10,2));
		create table u (a int primary key, d int8);
		create table w (a int, b text, ts timestamp, tz timestamptz, dt date, iv interval, f float8, bo bool, arr int[], js json, jb jsonb, vc varchar(10), ch char(5), n name, o oid, i2 int2);
		create table g (id int generated always as identity, x int, y int generated always as (x * 2) stored);
		create table k (a int primary key, b int unique, c text, d int);
		create table emp (empno int primary key, ename text, deptno int, sal int);
		create table dept (deptno int primary key, dname text, loc text);
		create view v1 as select a, b from t where a > 5 with check option;
		create view v2 as select a as x, upper(b) as y, c from t;
		create view staff as select e.empno, e.ename, e.deptno, d.dname, d.loc, e.sal * 12 as year from emp e, dept d where e.deptno = d.deptno;
		create view staff_left as select e.empno, e.ename, d.dname from emp e left join dept d on e.deptno = d.deptno`); err != nil {
		t.Fatal(err)
	}
	var corpus []string
	for _, dir := range []string{"errors", "text", "bind"} {
		files, _ := filepath.Glob("testdata/" + dir + "/*")
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(string(data), "\n") {
				for _, word := range []string{"select ", "insert ", "update ", "delete ", "with ", "values "} {
					if strings.HasPrefix(line, word) {
						corpus = append(corpus, line)
					}
				}
			}
		}
	}
	rounds := 20000
	if testing.Short() {
		rounds = 500
	}
	r := rand.New(rand.NewPCG(6, 2))
	bound := 0
	for range rounds {
		words := tokens(corpus[r.IntN(len(corpus))])
		other := tokens(corpus[r.IntN(len(corpus))])
		for range 1 + r.IntN(8)/7 {
			switch i := r.IntN(len(words)); r.IntN(3) {
			case 0:
				words[i] = other[r.IntN(len(other))]
			case 1:
				words = append(words[:i], words[i+1:]...)
			default:
				j := r.IntN(len(other))
				n := min(1+r.IntN(4), len(other)-j)
				words = append(words[:i:i], append(append([]string(nil), other[j:j+n]...), words[i:]...)...)
			}
			if len(words) == 0 {
				words = []string{"select"}
			}
		}
		text := strings.Join(words, " ")
		list, err := parse.Parse(text)
		if err != nil || len(list) == 0 {
			continue
		}
		switch list[0].Stmt.(type) {
		case *ast.Select, *ast.Insert, *ast.Update, *ast.Delete:
		default:
			continue
		}
		func() {
			defer func() {
				if x := recover(); x != nil {
					t.Errorf("%s\npanic: %v", text, x)
				}
			}()
			q, err := Bind(context.Background(), s.options(list[0].Text), list[0].Stmt)
			if err != nil {
				return
			}
			bound++
			if err := verify(q); err != nil {
				t.Errorf("%s\n%v\n%s", text, err, algebra.Format(q))
			}
			if sel, ok := list[0].Stmt.(*ast.Select); ok && len(q.Params) == 0 {
				_, v, err := BindView(context.Background(), s.options(list[0].Text), sel, nil)
				if err != nil {
					if !q.Writes {
						t.Errorf("%s\nas a view: %v", text, err)
					}
					return
				}
				if _, err := parse.Parse(v.Query); err != nil {
					t.Errorf("%s\n%s\n%v", text, v.Query, err)
				}
			}
		}()
		if t.Failed() {
			return
		}
	}
	if bound < rounds/50 {
		t.Errorf("only %d of %d statements could be bound", bound, rounds)
	}
}

// tokens cuts a statement so that names, strings, numbers and punctuation can be exchanged one by one.
func tokens(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		j := i + 1
		switch c := text[i]; {
		case c == ' ':
			i++
			continue
		case c == '\'':
			for j < len(text) && text[j] != '\'' {
				j++
			}
			j = min(j+1, len(text))
		case isWord(c):
			for j < len(text) && isWord(text[j]) {
				j++
			}
		case strings.IndexByte("<>=:|~!-", c) >= 0:
			for j < len(text) && strings.IndexByte("<>=:|~!-", text[j]) >= 0 {
				j++
			}
		}
		out = append(out, text[i:j])
		i = j
	}
	return out
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c == '"'
}
