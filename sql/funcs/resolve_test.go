package funcs

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// TestResolutionAsRecorded compares the choice among operators, functions, common types and casts with what
// PostgreSQL chose for every combination of some types: see testdata/record_resolution.sh.
func TestResolutionAsRecorded(t *testing.T) {
	file, err := os.Open("testdata/resolution.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []*types.Type
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Fields(lines.Text())
		kind, f := f[0], f[1:]
		if kind == "types" {
			for _, name := range f {
				all = append(all, types.ByName(name))
			}
			continue
		}
		what := f[0]
		f = f[1:]
		var left *types.Type
		switch kind {
		case "operator", "function2":
			left, f = types.ByName(f[0]), f[1:]
		case "common", "cast":
			left = types.ByName(what)
		}
		rights := all
		if kind == "cast" {
			rights = all[1:]
		}
		if len(f) != len(rights) {
			t.Fatalf("bad line: %s", lines.Text())
		}
		for i, want := range f {
			if want == "." {
				want = string(errs.UndefinedFunction)
			}
			if got := chosen(kind, what, left, rights[i]); got != want {
				t.Errorf("%s %s(%v, %v): got %s, want %s", kind, what, left, rights[i], got, want)
			}
		}
	}
}

func chosen(kind, what string, left, right *types.Type) string {
	answer := func(oid types.OID, err error) string {
		if err != nil {
			return string(errs.CodeOf(err))
		}
		return strconv.Itoa(int(oid))
	}
	switch kind {
	case "operator", "prefix":
		o, err := findOperator(what, left, right)
		if err != nil {
			return answer(0, err)
		}
		actual, declared := []*types.Type{right}, []*types.Type{o.Right}
		if left != nil {
			actual, declared = []*types.Type{left, right}, []*types.Type{o.Left, o.Right}
		}
		_, _, err = resolvePolymorphic(actual, declared, o.Result)
		return answer(o.OID, err)
	case "function1", "function2":
		actual := []*types.Type{right}
		if left != nil {
			actual = []*types.Type{left, right}
		}
		c, m, err := findFunc(what, actual, ResolveOptions{})
		if err != nil {
			return answer(0, err)
		}
		if m != nil {
			return "-"
		}
		_, _, err = resolvePolymorphic(actual, c.args, c.fn.Result)
		return answer(c.fn.OID, err)
	case "common":
		c, err := CommonType([]*types.Type{right, left}, "CASE") // ELSE comes first
		if err != nil {
			return answer(0, err)
		}
		return answer(c.OID, nil)
	}
	if _, ok := FindCast(left, right, CastExplicit); !ok {
		return string(errs.CannotCoerce)
	}
	return strconv.Itoa(int(right.OID))
}
