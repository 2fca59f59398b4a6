package optimize

import (
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// conjuncts takes a condition apart at its ANDs and appends the parts. TRUE disappears.
func conjuncts(list []algebra.Scalar, cond algebra.Scalar) []algebra.Scalar {
	switch c := cond.(type) {
	case nil:
		return list
	case *algebra.And:
		for _, a := range c.Args {
			list = conjuncts(list, a)
		}
		return list
	case *algebra.Const:
		if !c.Value.IsNull() && c.Value.Bool() {
			return list
		}
	}
	return append(list, cond)
}

// and is the conjunction of conditions, nil of none.
func and(conds []algebra.Scalar) algebra.Scalar {
	switch len(conds) {
	case 0:
		return nil
	case 1:
		return conds[0]
	}
	return &algebra.And{Args: conds}
}

// columnsOf are the columns an expression uses.
func columnsOf(s algebra.Scalar) algebra.ColSet {
	set := algebra.ColSet{}
	algebra.ScalarColumns(s, set)
	return set
}

// uses reports whether an expression uses any of the columns.
func uses(s algebra.Scalar, cols algebra.ColSet) bool {
	for id := range columnsOf(s) {
		if cols.Has(id) {
			return true
		}
	}
	return false
}

// split divides conditions into those that use none of the columns in without, which can go where those
// columns are not, and the rest.
func split(conds []algebra.Scalar, without algebra.ColSet) (free, rest []algebra.Scalar) {
	for _, c := range conds {
		if uses(c, without) {
			rest = append(rest, c)
		} else {
			free = append(free, c)
		}
	}
	return free, rest
}

// volatile reports whether an expression calls a volatile function: it must be evaluated exactly where and
// as often as it was written.
func volatile(s algebra.Scalar) bool {
	found := false
	v := algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		switch s := s.(type) {
		case *algebra.Call:
			found = found || s.Func.Volatility == 'v' || s.Func.ReturnsSet
		case *algebra.Cast:
			found = found || s.Cast != nil && s.Cast.Func != nil && s.Cast.Func.Volatility == 'v'
		}
		return !found
	}}
	v.VisitScalar(s)
	return found
}

// hasSubquery reports whether an expression holds a query.
func hasSubquery(s algebra.Scalar) bool {
	found := false
	v := algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		if _, ok := s.(*algebra.Subquery); ok {
			found = true
		}
		return !found
	}}
	v.VisitScalar(s)
	return found
}

// comparison describes the functions of comparison operators.
type comparison struct {
	strategy int // 1 <, 2 <=, 3 =, 4 >=, 5 >
	hashable bool
}

var comparisons = func() map[*funcs.Func]comparison {
	m := map[*funcs.Func]comparison{}
	for _, o := range funcs.Operators() {
		if o.Strategy != 0 && o.Left != nil && o.Func != nil {
			m[o.Func] = comparison{o.Strategy, o.Hashable}
		}
	}
	return m
}()

// compare takes a condition apart if it is a comparison of two expressions that the btree order knows.
func compare(s algebra.Scalar) (left, right algebra.Scalar, c comparison, ok bool) {
	call, isCall := s.(*algebra.Call)
	if !isCall || len(call.Args) != 2 {
		return nil, nil, c, false
	}
	c, ok = comparisons[call.Func]
	return call.Args[0], call.Args[1], c, ok
}

// equates reports whether a condition is an equality, maybe one for which NULLs are equal.
func equates(s algebra.Scalar) bool {
	if d, ok := s.(*algebra.Distinct); ok {
		return d.Not
	}
	_, _, c, ok := compare(s)
	return ok && c.strategy == 3
}

// turned is the strategy of a comparison with its sides exchanged.
func turned(strategy int) int { return 6 - strategy }

// strip takes off conversions that change nothing in memory, such as varchar to text.
func strip(s algebra.Scalar) algebra.Scalar {
	for {
		c, ok := s.(*algebra.Cast)
		if !ok || c.Cast == nil || !c.Cast.Binary || c.M != types.NoTypmod {
			return s
		}
		s = c.Arg
	}
}

// isInteger reports whether a type is one of the integers, which compare with each other and are held alike.
func isInteger(t *types.Type) bool { return t == types.Int2 || t == types.Int4 || t == types.Int8 }

// asKey converts an expression to the type of a key column so that comparing it there means the same, or
// reports that this cannot be done.
func asKey(s algebra.Scalar, t *types.Type) (algebra.Scalar, bool) {
	from := s.Type()
	if from == t {
		return s, true
	}
	if inner := strip(s); inner.Type() == t {
		return inner, true
	}
	switch {
	case isInteger(from) && isInteger(t):
		if from.Len < t.Len {
			if c, ok := funcs.FindCast(from, t, funcs.CastImplicit); ok {
				return &algebra.Cast{T: algebra.T{Typ: t, M: types.NoTypmod}, Arg: s, Cast: c, Implicit: true, Pos: -1}, true
			}
			return nil, false
		}
		// A wider constant can be narrowed if it fits.
		if c, ok := s.(*algebra.Const); ok && !c.Value.IsNull() {
			v, bits := c.Value.Int(), uint(t.Len)*8
			if v>>(bits-1) == 0 || v>>(bits-1) == -1 {
				return &algebra.Const{T: algebra.T{Typ: t, M: types.NoTypmod}, Value: c.Value}, true
			}
		}
		return nil, false
	case textLike(from) && textLike(t), from == types.Text && t == types.Name, from == types.Name && t == types.Text:
		// All are held as the same strings and compared bytewise.
		return &algebra.Cast{T: algebra.T{Typ: t, M: types.NoTypmod}, Arg: s, Cast: &funcs.Cast{Source: from, Target: t, Binary: true}, Implicit: true, Pos: -1}, true
	case from.Rep == types.RepInt && t.Rep == types.RepInt && oidLike(from) && oidLike(t):
		return &algebra.Cast{T: algebra.T{Typ: t, M: types.NoTypmod}, Arg: s, Cast: &funcs.Cast{Source: from, Target: t, Binary: true}, Implicit: true, Pos: -1}, true
	}
	return nil, false
}

func textLike(t *types.Type) bool { return t == types.Text || t == types.Varchar }

func oidLike(t *types.Type) bool {
	switch t {
	case types.Oid, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace, types.Regprocedure:
		return true
	}
	return false
}
