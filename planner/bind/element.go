package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Assignment to elements and slices of array columns: SET column[i] = value. It is assignment of a changed copy
// to the whole column.

// subscripts are those of a column assigned to.
type subscripts struct {
	slice  bool
	bounds []scalar // one for each dimension, or two of a slice
	given  []bool   // which of them were written
}

// subscriptsOf binds the subscripts of a column in SET or INSERT; nil if there are none.
func (s *scope) subscriptsOf(n *ast.InsertColumn) *subscripts {
	if len(n.Subscripts) == 0 {
		return nil
	}
	out := &subscripts{}
	for _, x := range n.Subscripts {
		out.slice = out.slice || x.Slice
	}
	add := func(e ast.Expr, otherwise scalar) {
		out.given = append(out.given, e != nil || otherwise != nil)
		switch {
		case e != nil:
			v, ok := s.b.convert(s.expr(e), types.Int4, types.NoTypmod, funcs.CastAssignment, loc(e))
			if !ok {
				s.b.fail(loc(e), errs.DatatypeMismatch, "array subscript must have type integer")
			}
			out.bounds = append(out.bounds, v)
		case otherwise != nil:
			out.bounds = append(out.bounds, otherwise)
		default:
			out.bounds = append(out.bounds, nullOf(noMod(types.Int4)))
		}
	}
	for _, x := range n.Subscripts {
		if out.slice {
			var lower scalar
			if !x.Slice {
				lower = &algebra.Const{T: noMod(types.Int4), Value: types.NewInt(1)}
			}
			add(x.Lower, lower)
		}
		add(x.Upper, nil)
	}
	return out
}

// element converts a value for the elements that subscripts name.
func (b *binder) element(subs *subscripts, c *writeColumn, n *ast.InsertColumn, value scalar, pos int) scalar {
	t := c.column.Type.Underlying()
	if !t.IsArray() {
		if t == types.JSONB {
			b.unsupported(n.Pos(), "assignment to part of column %s", quoted(n.Name))
		}
		b.fail(n.Pos(), errs.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", c.column.Type)
	}
	want := t.Elem
	if subs.slice {
		want = t
	}
	out, ok := b.convert(value, want, c.column.Mod, funcs.CastAssignment, pos)
	if !ok {
		b.bail(n.Pos(), errs.New(errs.DatatypeMismatch, "subscripted assignment to %s requires type %s but expression is of type %s", quoted(n.Name), want, value.Type()).
			WithHint("You will need to rewrite or cast the expression."))
	}
	return out
}

// assignElement is an array with elements changed.
func (b *binder) assignElement(subs *subscripts, c *writeColumn, array, value scalar) scalar {
	t := c.column.Type.Underlying()
	if array == nil {
		array = nullOf(noMod(t))
	}
	args := append([]scalar{array, value}, subs.bounds...)
	return b.newCall(&algebra.Call{T: typeOf(c.column.Type, c.column.Mod), Func: funcs.ArraySet(t, subs.slice, subs.given), Args: args, VariadicAt: -1, Pos: -1})
}
