package bind

import (
	"fmt"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Rows as values: constructors, comparison, fields.

// rowFields binds the fields of a row constructor; t.* stands for all columns of t.
func (s *scope) rowFields(e *ast.Row) []scalar {
	return s.exprList(e.Fields)
}

// exprList binds a list in which t.* and (row).* stand for their columns.
func (s *scope) exprList(list []ast.Expr) []scalar {
	out := make([]scalar, 0, len(list))
	for _, x := range list {
		switch x := x.(type) {
		case *ast.ColumnRef:
			if x.Star {
				for _, it := range s.starColumns(x) {
					out = append(out, it.expr)
				}
				continue
			}
		case *ast.Field:
			if x.Star {
				for _, it := range s.starFields(x) {
					out = append(out, it.expr)
				}
				continue
			}
		}
		out = append(out, s.expr(x))
	}
	return out
}

func (s *scope) rowExpr(e *ast.Row) scalar {
	fields := s.rowFields(e)
	names := make([]string, len(fields))
	for i := range names {
		names[i] = fmt.Sprintf("f%d", i+1)
	}
	return &algebra.Row{T: noMod(types.RecordType), Fields: fields, Names: names}
}

// rowCompare compares rows field by field. An order on rows is told by its definition: the first fields that
// differ decide. For the sake of index ranges, "the first fields are not in the wrong order" is said too,
// though it follows.
func (s *scope) rowCompare(schema, name string, left, right []scalar, pos int) scalar {
	b := s.b
	if len(left) != len(right) {
		b.fail(pos, errs.SyntaxError, "unequal number of entries in row expressions")
	}
	if len(left) == 0 {
		b.fail(pos, errs.FeatureNotSupported, "cannot compare rows of zero length")
	}
	if len(left) == 1 {
		return b.op(schema, name, left[0], right[0], pos)
	}
	each := func(op string) []scalar {
		parts := make([]scalar, len(left))
		for i := range left {
			parts[i] = b.op(schema, op, left[i], right[i], pos)
			if parts[i].Type() != types.Bool {
				b.fail(pos, errs.DatatypeMismatch, "row comparison operator must yield type boolean, not type %s", parts[i].Type())
			}
		}
		return parts
	}
	var out scalar
	switch name {
	case "=":
		return and(each(name)...)
	case "<>":
		return &algebra.Or{Args: each(name)}
	case "<", "<=", ">", ">=":
		parts := each(name)
		for i := range left { // parameters have their types now
			if c, ok := parts[i].(*algebra.Call); ok && len(c.Args) == 2 {
				left[i], right[i] = c.Args[0], c.Args[1]
			}
		}
		strict, weak := name[:1], name[:1]+"="
		out = parts[len(parts)-1]
		for i := len(left) - 2; i >= 0; i-- {
			out = &algebra.Or{Args: []scalar{
				b.op(schema, strict, left[i], right[i], pos),
				and(b.op(schema, "=", left[i], right[i], pos), out),
			}}
		}
		out = and(b.op(schema, weak, left[0], right[0], pos), out)
	default:
		b.bail(pos, errs.New(errs.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", name).
			WithHint("Row comparison operators must be associated with btree operator families."))
	}
	if b.text != nil {
		b.text.rowCompares[out] = &rowCompareText{name, left, right}
	}
	return out
}

// fieldsOf are the fields of a row value.
func (b *binder) fieldsOf(e scalar) []types.Field {
	if t := e.Type().Underlying(); t.Kind == 'c' {
		return liveFields(t)
	}
	switch e := e.(type) {
	case *algebra.Row:
		out := make([]types.Field, len(e.Fields))
		for i, f := range e.Fields {
			out[i] = types.Field{Name: e.Names[i], Type: f.Type(), Typmod: f.Mod()}
		}
		return out
	case *algebra.Col:
		return b.records[e.ID]
	case *algebra.Call:
		return outFields(e)
	case *algebra.Case:
		return b.fieldsOf(e.Else)
	case *algebra.Subquery:
		if e.Kind == algebra.ScalarSubquery {
			if cols := e.Rel.Columns(); len(cols) == 1 {
				return b.records[cols[0]]
			}
		}
	case *algebra.FieldOf:
		if fields := b.fieldsOf(e.Arg); e.Field < len(fields) {
			if t := fields[e.Field].Type.Underlying(); t.Kind == 'c' {
				return liveFields(t)
			}
		}
	}
	return nil
}

// outFields are the columns of a function with several results.
func outFields(c *algebra.Call) []types.Field {
	if len(c.Func.OutTypes) == 0 {
		return nil
	}
	out := make([]types.Field, len(c.Func.OutTypes))
	for i, t := range c.Func.OutTypes {
		out[i] = types.Field{Name: c.Func.OutNames[i], Type: t, Typmod: types.NoTypmod}
	}
	return out
}

// fieldAt takes a field out of a row value.
func fieldAt(e scalar, i int, f types.Field) scalar {
	if r, ok := e.(*algebra.Row); ok && len(r.Fields) > i {
		return r.Fields[i]
	}
	return &algebra.FieldOf{T: typeOf(f.Type, f.Typmod), Arg: e, Field: i}
}

// field binds (row).name.
func (s *scope) field(e *ast.Field) scalar {
	b := s.b
	if e.Star {
		b.fail(e.Pos(), errs.SyntaxError, "row expansion via \"*\" is not supported here")
	}
	arg := s.expr(e.Arg)
	fields := b.fieldsOf(arg)
	for i, f := range fields {
		if f.Name == e.Name {
			return fieldAt(arg, i, f)
		}
	}
	pos := loc(e)
	if ref, ok := e.Arg.(*ast.ColumnRef); ok && len(ref.Names) == 1 {
		if _, src := s.relation("", ref.Names[0], pos); src != nil && s.lookup(ref.Names[0], pos) == nil {
			s.missingColumn(ref.Names[0], e.Name, pos)
		}
	}
	switch t := arg.Type(); {
	case t.Underlying().Kind == 'c':
		b.fail(pos, errs.UndefinedColumn, "column %s not found in data type %s", quoted(e.Name), t)
	case t == types.RecordType:
		b.fail(pos, errs.UndefinedColumn, "could not identify column %s in record data type", quoted(e.Name))
	default:
		b.fail(pos, errs.WrongObjectType, "column notation .%s applied to type %s, which is not a composite type", e.Name, t)
	}
	return nil
}

// starItem is a column that * stands for.
type starItem struct {
	name string
	expr scalar
	col  *column
}

// starColumns are the columns that * or t.* stands for.
func (s *scope) starColumns(e *ast.ColumnRef) []starItem {
	b, pos := s.b, e.Pos()
	if len(e.Names) == 0 {
		var out []starItem
		any := false
		for _, src := range s.visible {
			if !src.colsVisible || src.lateralOnly {
				continue
			}
			any = true
			out = append(out, b.sourceColumns(src, pos)...)
		}
		if !any {
			b.fail(pos, errs.SyntaxError, "SELECT * with no tables specified is not valid")
		}
		return out
	}
	schema := ""
	n := len(e.Names)
	if n > 1 {
		schema = e.Names[n-2]
	}
	if n == 3 && e.Names[0] != b.database() {
		b.fail(pos, errs.FeatureNotSupported, "cross-database references are not implemented: %s.%s.%s.*", e.Names[0], e.Names[1], e.Names[2])
	}
	_, src := s.relation(schema, e.Names[n-1], pos)
	if src == nil {
		s.missingRelation(e.Names[n-1], pos)
	}
	return b.sourceColumns(src, pos)
}

func (b *binder) sourceColumns(src *source, pos int) []starItem {
	var out []starItem
	for _, c := range src.cols {
		if !c.hidden {
			out = append(out, starItem{c.name, b.use(c, pos), c})
		}
	}
	return out
}

// starFields are the fields that (row).* stands for.
func (s *scope) starFields(e *ast.Field) []starItem {
	b := s.b
	arg := s.expr(e.Arg)
	fields := b.fieldsOf(arg)
	if fields == nil {
		if arg.Type() == types.RecordType {
			b.fail(loc(e), errs.FeatureNotSupported, "record type has not been registered")
		}
		b.fail(loc(e), errs.WrongObjectType, "type %s is not composite", arg.Type())
	}
	out := make([]starItem, len(fields))
	for i, f := range fields {
		out[i] = starItem{name: f.Name, expr: fieldAt(arg, i, f)}
	}
	return out
}
