package bind

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Expressions over the row of one table.

// rowOf makes the columns of a table visible, column n as ColID n, and tableoid after them.
func (s *scope) rowOf(t *catalog.Table) *source {
	b := s.b
	src := &source{name: t.Name, table: t, base: t, scan: &algebra.Scan{Table: t}}
	for _, c := range t.Columns {
		id := b.newCol(algebra.Column{Name: c.Name, T: typeOf(c.Type, c.Mod), Table: t.OID, Number: c.Number}, colInfo{scope: s, src: src})
		if !c.Dropped {
			src.cols = append(src.cols, &column{name: c.Name, number: c.Number, expr: b.col(id, -1)})
		}
	}
	id := b.newCol(algebra.Column{Name: "tableoid", T: noMod(types.Oid), Table: t.OID, Number: catalog.TableOIDNumber}, colInfo{scope: s, src: src})
	src.scan.Cols = []algebra.ScanColumn{{ID: id, Number: catalog.TableOIDNumber}}
	s.add(src, nil, "table")
	s.visible = append(s.visible, src)
	return src
}

// usedColumns are the attribute numbers in an expression over a table.
func usedColumns(e scalar, t *catalog.Table) []int16 {
	if t == nil {
		return nil
	}
	cols := algebra.ColSet{}
	algebra.ScalarColumns(e, cols)
	var out []int16
	for id := range cols {
		if int(id) <= len(t.Columns) {
			out = append(out, int16(id))
		}
	}
	slices.Sort(out)
	return out
}

// checkExprKind applies the rules that need the whole expression.
func (s *scope) checkExprKind(kind ExprKind, e scalar, t *catalog.Table) {
	b := s.b
	least := byte('v')
	v := algebra.Visitor{Scalar: func(a scalar) bool {
		switch a := a.(type) {
		case *algebra.Call:
			least = min(least, a.Func.Volatility) // 'i' < 's' < 'v'
			if a.Func.Volatility != 'i' && kind >= GeneratedExpr && kind <= IndexPredicate {
				switch kind {
				case GeneratedExpr:
					b.fail(-1, errs.InvalidObjectDefinition, "generation expression is not immutable")
				case IndexExpr:
					b.fail(-1, errs.InvalidObjectDefinition, "functions in index expression must be marked IMMUTABLE")
				default:
					b.fail(-1, errs.InvalidObjectDefinition, "functions in index predicate must be marked IMMUTABLE")
				}
			}
		case *algebra.Cast:
			if kind >= GeneratedExpr && kind <= IndexPredicate && !stableCast(a) {
				return true
			}
			if kind >= GeneratedExpr && kind <= IndexPredicate {
				switch kind {
				case GeneratedExpr:
					b.fail(-1, errs.InvalidObjectDefinition, "generation expression is not immutable")
				case IndexExpr:
					b.fail(-1, errs.InvalidObjectDefinition, "functions in index expression must be marked IMMUTABLE")
				default:
					b.fail(-1, errs.InvalidObjectDefinition, "functions in index predicate must be marked IMMUTABLE")
				}
			}
		case *algebra.Col:
			if int(a.ID) > len(tableColumns(t)) {
				switch kind {
				case GeneratedExpr:
					b.fail(offset(a.Place), errs.InvalidColumnReference, "cannot use system column %s in column generation expression", quoted("tableoid"))
				case IndexExpr, IndexPredicate:
					b.fail(offset(a.Place), errs.FeatureNotSupported, "index creation on system columns is not supported")
				}
				return true
			}
			if kind == GeneratedExpr && t.Columns[a.ID-1].Generated != "" {
				b.bail(offset(a.Place), errs.New(errs.InvalidObjectDefinition, "cannot use generated column %s in column generation expression", quoted(t.Columns[a.ID-1].Name)).
					WithDetail("A generated column cannot reference another generated column."))
			}
		}
		return true
	}}
	v.VisitScalar(e)
}

func tableColumns(t *catalog.Table) []*catalog.Column {
	if t == nil {
		return nil
	}
	return t.Columns
}

// stableCast reports whether a cast depends on settings.
func stableCast(c *algebra.Cast) bool {
	if c.Cast == nil || c.Cast.Binary {
		return false
	}
	return !immutableCast(c.Cast) && (c.Cast.Func != nil || c.Cast.InOut && !plainIO(c.Cast.Source, c.Cast.Target))
}

// plainIO reports whether the conversion through text is free of settings on both sides.
func plainIO(types_ ...*types.Type) bool {
	for _, t := range types_ {
		switch t = t.Underlying(); t {
		case types.Date, types.Time, types.TimeTZType, types.Timestamp, types.TimestampTZ, types.IntervalType, types.Float4, types.Float8, types.Bytea:
			return false
		}
	}
	return true
}

// assign converts a value to the column it is assigned to.
func (b *binder) assign(e scalar, t *types.Type, mod int32, name string, pos int, isDefault bool) scalar {
	out, ok := b.convert(e, t, mod, funcs.CastAssignment, pos)
	if ok {
		return out
	}
	what := "expression"
	if isDefault {
		what = "default expression"
		pos = -1
	}
	b.bail(pos, errs.New(errs.DatatypeMismatch, "column %s is of type %s but %s is of type %s", quoted(name), t, what, e.Type()).
		WithHint("You will need to rewrite or cast the expression."))
	return nil
}

// dependencies are the columns read from relations that the statement names itself.
func (b *binder) dependencies() map[catalog.OID][]int16 {
	out := make(map[catalog.OID][]int16, len(b.reads))
	for oid, cols := range b.reads {
		list := make([]int16, 0, len(cols))
		for n := range cols {
			list = append(list, n)
		}
		slices.Sort(list)
		out[oid] = list
	}
	return out
}
