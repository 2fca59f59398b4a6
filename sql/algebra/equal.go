package algebra

import (
	"bytes"

	"holdfast/sql/types"
)

// Equal reports whether two expressions are written alike, and so have the same value wherever both are
// evaluated once (a volatile function may still differ from call to call). Positions and whether a
// conversion was implicit do not count. Queries are equal only if they are the same tree.
func Equal(a, b Scalar) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	switch a := a.(type) {
	case *Const:
		b, ok := b.(*Const)
		return ok && a.T == b.T && sameDatum(a.Typ, a.Value, b.Value)
	case *Param:
		b, ok := b.(*Param)
		return ok && a.T == b.T && a.Number == b.Number
	case *Col:
		b, ok := b.(*Col)
		return ok && a.ID == b.ID
	case *Call:
		b, ok := b.(*Call)
		return ok && a.Func == b.Func && a.T == b.T && a.VariadicAt == b.VariadicAt && equalAll(a.Args, b.Args)
	case *Cast:
		b, ok := b.(*Cast)
		return ok && a.T == b.T && a.Explicit == b.Explicit && Equal(a.Arg, b.Arg)
	case *And:
		b, ok := b.(*And)
		return ok && equalAll(a.Args, b.Args)
	case *Or:
		b, ok := b.(*Or)
		return ok && equalAll(a.Args, b.Args)
	case *Not:
		b, ok := b.(*Not)
		return ok && Equal(a.Arg, b.Arg)
	case *IsNull:
		b, ok := b.(*IsNull)
		return ok && a.Not == b.Not && Equal(a.Arg, b.Arg)
	case *BoolTest:
		b, ok := b.(*BoolTest)
		return ok && a.Want == b.Want && a.Unknown == b.Unknown && a.Not == b.Not && Equal(a.Arg, b.Arg)
	case *Distinct:
		b, ok := b.(*Distinct)
		return ok && a.Eq == b.Eq && a.Not == b.Not && Equal(a.Left, b.Left) && Equal(a.Right, b.Right)
	case *Case:
		b, ok := b.(*Case)
		if !ok || a.T != b.T || len(a.Whens) != len(b.Whens) || !Equal(a.Else, b.Else) {
			return false
		}
		for i := range a.Whens {
			if !Equal(a.Whens[i].Cond, b.Whens[i].Cond) || !Equal(a.Whens[i].Result, b.Whens[i].Result) {
				return false
			}
		}
		return true
	case *Coalesce:
		b, ok := b.(*Coalesce)
		return ok && a.T == b.T && equalAll(a.Args, b.Args)
	case *MinMax:
		b, ok := b.(*MinMax)
		return ok && a.T == b.T && a.Least == b.Least && equalAll(a.Args, b.Args)
	case *NullIf:
		b, ok := b.(*NullIf)
		return ok && a.T == b.T && a.Eq == b.Eq && Equal(a.Left, b.Left) && Equal(a.Right, b.Right)
	case *AnyAll:
		b, ok := b.(*AnyAll)
		return ok && a.Func == b.Func && a.All == b.All && Equal(a.Left, b.Left) && Equal(a.Array, b.Array)
	case *ArrayCtor:
		b, ok := b.(*ArrayCtor)
		return ok && a.T == b.T && equalAll(a.Elems, b.Elems)
	case *Subscript:
		b, ok := b.(*Subscript)
		return ok && a.T == b.T && a.Slice == b.Slice && Equal(a.Array, b.Array) && equalAll(a.Lower, b.Lower) && equalAll(a.Upper, b.Upper)
	case *Row:
		b, ok := b.(*Row)
		return ok && a.T == b.T && equalAll(a.Fields, b.Fields)
	case *FieldOf:
		b, ok := b.(*FieldOf)
		return ok && a.Field == b.Field && Equal(a.Arg, b.Arg)
	}
	return false
}

func equalAll(a, b []Scalar) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// sameDatum compares values as they are, not as their type does: numeric 1.0 and 1.00 differ.
func sameDatum(t *types.Type, a, b types.Datum) bool {
	if a.Rep() != b.Rep() {
		return false
	}
	switch a.Rep() {
	case types.RepNull:
		return true
	case types.RepInt:
		return a.Int() == b.Int()
	case types.RepFloat:
		return a.Int() == b.Int() // the bits
	case types.RepString:
		return a.Str() == b.Str()
	}
	return bytes.Equal(types.AppendText(nil, t, a, types.DefaultEnv), types.AppendText(nil, t, b, types.DefaultEnv))
}
