package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// inversion leads from a value of a view's column back to the value of the base column that it shows: of c + 1, v leads to v - 1.
//
// There is one only if no two values of the base column look alike in the view. Otherwise to set a column to what it shows could
// change the base column: a cast of numeric to integer would lose what comes after the point.
type inversion struct {
	col  *algebra.Col
	back func(b *binder, v scalar) scalar // from the type of the view's column to about that of the base column
	// exact: whatever is stored is shown as it was given, or it is an error. If not, it must be compared.
	exact bool
}

// invert finds the inversion of an expression, or the reason why there is none.
func invert(e scalar) (x *inversion, reason string) {
	switch e := e.(type) {
	case *algebra.Col:
		return &inversion{col: e, back: func(_ *binder, v scalar) scalar { return v }, exact: true}, ""
	case *algebra.Cast:
		from, to := e.Arg.Type(), e.Type()
		if from.Underlying() != from || to.Underlying() != to || !lossless(from, to) {
			return nil, "The column shows a conversion from " + from.Name + " to " + to.Name + ", from which the stored value cannot be told."
		}
		under, reason := invert(e.Arg)
		if under == nil {
			return nil, reason
		}
		exact := under.exact && to != types.Text && to != types.Varchar
		back := func(b *binder, v scalar) scalar { return under.back(b, b.castTo(v, from)) }
		return &inversion{under.col, back, exact}, ""
	case *algebra.Call:
		return invertCall(e)
	}
	return nil, "The column shows an expression that cannot be inverted."
}

// invertCall inverts -c, and c + k, k + c, c - k and k - c of integers, decimals and dates.
func invertCall(e *algebra.Call) (*inversion, string) {
	const noInverse = "The column shows an expression that cannot be inverted; those that can are c + k, c - k, k - c and -c of integers, numeric and dates, and conversions that lose nothing."
	if e.Op != "+" && e.Op != "-" {
		return nil, noInverse
	}
	for _, a := range e.Args {
		if !additive(a.Type()) {
			return nil, noInverse
		}
	}
	if len(e.Args) == 1 {
		under, reason := invert(e.Args[0])
		if under == nil || e.Op != "-" {
			return nil, reason
		}
		back := func(b *binder, v scalar) scalar { return under.back(b, b.op("", "-", nil, v, -1)) }
		return &inversion{under.col, back, under.exact}, ""
	}
	if len(e.Args) != 2 {
		return nil, noInverse
	}
	left, right := e.Args[0], e.Args[1]
	var arg, k scalar
	switch {
	case !hasColumn(right) && !volatile(right):
		arg, k = left, right
	case !hasColumn(left) && !volatile(left):
		arg, k = right, left
	case hasColumn(left) && hasColumn(right):
		return nil, "The column shows an expression over several columns."
	default:
		return nil, noInverse
	}
	if arg.Type() == types.Date && arg == right && e.Op == "-" || e.Type() != arg.Type() {
		return nil, noInverse
	}
	under, reason := invert(arg)
	if under == nil {
		return nil, reason
	}
	back := func(b *binder, v scalar) scalar {
		switch {
		case e.Op == "+":
			v = b.op("", "-", v, k, -1)
		case arg == left:
			v = b.op("", "+", v, k, -1)
		default:
			v = b.op("", "-", k, v, -1)
		}
		return under.back(b, v)
	}
	return &inversion{under.col, back, under.exact && arg.Type() != types.Numeric}, ""
}

func additive(t *types.Type) bool {
	return t == types.Int2 || t == types.Int4 || t == types.Int8 || t == types.Numeric || t == types.Date
}

// lossless reports whether different values of a type stay different when they are converted to another.
func lossless(from, to *types.Type) bool {
	rank := func(t *types.Type) int {
		switch t {
		case types.Int2:
			return 1
		case types.Int4:
			return 2
		case types.Int8:
			return 3
		case types.Numeric:
			return 4
		}
		return 0
	}
	if a, b := rank(from), rank(to); a != 0 && b != 0 {
		return a <= b
	}
	if to == types.Text || to == types.Varchar {
		switch from {
		case types.Int2, types.Int4, types.Int8, types.Bool, types.UUID, types.Text, types.Varchar:
			return true
		}
	}
	return false
}

// castTo is CAST (e AS t) where there is such a cast.
func (b *binder) castTo(e scalar, t *types.Type) scalar {
	if e.Type() == t {
		return e
	}
	out, ok := b.convert(e, t, types.NoTypmod, funcs.CastExplicit, -1)
	if !ok {
		b.unsupported(-1, "a conversion from %s to %s", e.Type(), t)
	}
	return out
}
