package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// A parameter without a declared type has type unknown where it is mentioned, and takes the type that the
// place it stands in would give an unknown literal. Mentions before that are left unknown, and it is an error
// if they still are in the end; mentions after it have the type.

const maxParam = 65535

func (b *binder) param(e *ast.Param) algebra.Scalar {
	n := e.Number
	if n <= 0 || n > maxParam || (b.o.FixedParams || b.foreign > 0) && n > len(b.params) {
		b.fail(e.Pos(), errs.UndefinedParameter, "there is no parameter $%d", n)
	}
	for len(b.params) < n {
		b.params = append(b.params, nil)
		b.used = append(b.used, 0)
	}
	if b.used[n-1] == 0 {
		b.used[n-1] = e.Pos() + 1
	}
	if t := b.params[n-1]; t != nil {
		return &algebra.Param{T: noMod(t), Number: n, Place: b.place(e.Pos())}
	}
	p := &algebra.Param{T: noMod(types.Unknown), Number: n, Place: b.place(e.Pos())}
	if b.open == nil {
		b.open = map[*algebra.Param]struct{}{}
	}
	b.open[p] = struct{}{}
	return p
}

// typeParam gives a mention of unknown type a type, and the parameter with it.
func (b *binder) typeParam(p *algebra.Param, t *types.Type) algebra.Scalar {
	if have := b.params[p.Number-1]; have != nil && have != t {
		b.bail(offset(p.Place), errs.New(errs.AmbiguousParameter, "inconsistent types deduced for parameter $%d", p.Number).
			WithDetail("%s versus %s", have, t))
	}
	b.params[p.Number-1] = t
	delete(b.open, p)
	return &algebra.Param{T: noMod(t), Number: p.Number, Place: p.Place}
}

// forget drops an expression in favour of an equal one: its parameters need no type of their own.
func (b *binder) forget(e scalar) {
	if len(b.open) == 0 {
		return
	}
	v := algebra.Visitor{Scalar: func(a scalar) bool {
		if p, ok := a.(*algebra.Param); ok {
			delete(b.open, p)
		}
		return true
	}}
	v.VisitScalar(e)
}

// lifted reports whether a parameter stands for a literal.
func (b *binder) lifted(n int) bool { return n <= len(b.o.Lifted) && b.o.Lifted[n-1] }

// checkParams refuses parameters whose type nothing has told.
func (b *binder) checkParams() {
	first := (*algebra.Param)(nil)
	for p := range b.open {
		if b.lifted(p.Number) {
			// The literal 'x' stays of unknown type where nothing asks for one; its value is then its text.
			if b.params[p.Number-1] == nil {
				b.params[p.Number-1] = types.Text
			}
			continue
		}
		if first == nil || p.Place < first.Place {
			first = p
		}
	}
	if first != nil {
		if b.params[first.Number-1] != nil {
			b.fail(offset(first.Place), errs.AmbiguousParameter, "could not determine data type of parameter $%d", first.Number)
		}
		b.bail(-1, indeterminate(first.Number))
	}
	for i, t := range b.params {
		if t == nil {
			b.bail(-1, indeterminate(i+1))
		}
	}
}

func indeterminate(n int) error {
	return errs.New(errs.IndeterminateDatatype, "could not determine data type of parameter $%d", n)
}
