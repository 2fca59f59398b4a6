package bind

import (
	"strconv"
	"strings"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// typeName finds the type that a name means, and its modifier.
func (b *binder) typeName(n *ast.TypeName) (*types.Type, int32) {
	pos := n.Pos()
	if n.PctType {
		b.unsupported(pos, "%%TYPE")
	}
	if n.SetOf {
		b.fail(pos, errs.FeatureNotSupported, "type references to setof types are not allowed here")
	}
	schema, name := "", n.Names[len(n.Names)-1]
	if len(n.Names) > 1 {
		schema = n.Names[len(n.Names)-2]
	}
	t, err := b.o.Snapshot.LookupType(b.path, schema, name)
	if err != nil {
		if n.Array > 0 && errs.CodeOf(err) == errs.UndefinedObject {
			b.fail(pos, errs.UndefinedObject, "type \"%s[]\" does not exist", strings.Join(n.Names, "."))
		}
		b.bail(pos, err)
	}
	mod := b.typeMod(n, t)
	if n.Array > 0 {
		if t.Array == nil {
			b.fail(pos, errs.UndefinedObject, "type \"%s[]\" does not exist", strings.Join(n.Names, "."))
		}
		t = t.Array
	}
	return t, mod
}

func (b *binder) typeMod(n *ast.TypeName, t *types.Type) int32 {
	if t == types.IntervalType && (n.Interval != 0 || len(n.Mods) > 0) {
		return b.intervalMod(n)
	}
	if len(n.Mods) == 0 {
		return types.NoTypmod
	}
	args := make([]int32, len(n.Mods))
	for i, m := range n.Mods {
		l, ok := m.(*ast.Literal)
		if !ok || l.Kind != ast.LitInt {
			b.fail(n.Pos(), errs.SyntaxError, "type modifiers must be simple constants or identifiers")
		}
		v, err := strconv.ParseInt(l.Value, 10, 32)
		if err != nil {
			b.fail(n.Pos(), errs.NumericValueOutOfRange, "value %s is out of range for type %s", quoted(l.Value), types.Int4)
		}
		args[i] = int32(v)
	}
	mod, err := types.TypmodFromArgs(t, args)
	if err != nil {
		b.bail(n.Pos(), err)
	}
	return mod
}

// intervalMod is the fields of an interval and the digits of its seconds: the mask in the upper 16 bits, the
// precision in the lower, as PostgreSQL has it.
func (b *binder) intervalMod(n *ast.TypeName) int32 {
	const fullRange, fullPrecision = 0x7fff, 0xffff
	fields, precision := int32(fullRange), int32(fullPrecision)
	if n.Interval != 0 {
		fields = int32(n.Interval)
	}
	if len(n.Mods) > 0 {
		if l, ok := n.Mods[len(n.Mods)-1].(*ast.Literal); ok && l.Kind == ast.LitInt {
			v, err := strconv.ParseInt(l.Value, 10, 32)
			if err != nil || v < 0 {
				b.fail(n.Pos(), errs.InvalidParameterValue, "INTERVAL(%s) precision must not be negative", l.Value)
			}
			if v > 6 {
				v = 6 // PostgreSQL warns, and does the same
			}
			precision = int32(v)
		}
	}
	if fields == fullRange && precision == fullPrecision {
		return types.NoTypmod
	}
	return fields<<16 | precision
}
