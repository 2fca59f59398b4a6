package bind

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// windowCall is a window function, or an aggregate used as one, of a query level.
type windowCall struct {
	id     algebra.ColID
	call   *algebra.Call
	filter scalar
	ast    *ast.WindowDef
	star   bool
	pos    int

	spec *windowSpec
}

// windowSpec is a window: what OVER says, with the windows it names worked in.
type windowSpec struct {
	partition []scalar
	order     []scalar
	keys      []algebra.SortKey
	frame     algebra.Frame
	written   bool // the frame was
	name      string
}

// windowCall notes a window function and gives its column.
func (s *scope) windowCall(e *ast.FuncCall, c *algebra.Call) scalar {
	b := s.b
	if c.Func.ReturnsSet {
		b.fail(e.Pos(), errs.InvalidFunctionDefinition, "window functions cannot return sets")
	}
	if c.Func.Kind == 'w' && e.Filter != nil {
		b.fail(e.Pos(), errs.FeatureNotSupported, "FILTER is not implemented for non-aggregate window functions")
	}
	s.checkWindowAllowed(e.Pos())
	if n := e.Over.Name; n != "" && !slices.ContainsFunc(s.named, func(d *ast.WindowDef) bool { return d.Name == n }) {
		b.fail(e.Over.Pos(), errs.UndefinedObject, "window %s does not exist", quoted(n))
	}
	for _, a := range c.Args {
		s.refuseNested(a)
	}
	w := &windowCall{call: c, ast: e.Over, star: e.Star, pos: e.Pos()}
	if e.Filter != nil {
		w.filter = s.condition(inFilter, e.Filter)
	}
	w.id = b.newCol(algebra.Column{Name: c.Func.Name, T: c.T}, colInfo{scope: s, kind: windowCol, win: w})
	s.windows = append(s.windows, w)
	return b.col(w.id, e.Pos())
}

func (s *scope) refuseNested(e scalar) {
	v := algebra.Visitor{Scalar: func(a scalar) bool {
		if col, ok := a.(*algebra.Col); ok {
			info := s.b.info(col.ID)
			if info.scope == s && info.kind == windowCol {
				s.b.fail(offset(col.Place), errs.WindowingError, "window function calls cannot be nested")
			}
			if info.scope == s && info.kind == setCol {
				s.b.bail(offset(col.Place), errs.New(errs.FeatureNotSupported, "window function calls cannot contain set-returning function calls").WithHint(lateralHint))
			}
		}
		return true
	}}
	v.VisitScalar(e)
}

// bindWindows binds the windows of the level's functions, and those of its WINDOW clause.
func (x *selecting) bindWindows() {
	b := x.b
	named := map[string]*windowSpec{}
	for _, def := range x.named {
		if named[def.Name] != nil {
			b.fail(def.Pos(), errs.WindowingError, "window %s is already defined", quoted(def.Name))
		}
		spec := x.windowSpec(def, named)
		spec.name = def.Name
		named[def.Name] = spec
		x.specs = append(x.specs, spec)
	}
	for i := 0; i < len(x.windows); i++ {
		w := x.windows[i]
		if w.ast.Name != "" {
			if w.spec = named[w.ast.Name]; w.spec == nil {
				b.fail(w.ast.Pos(), errs.UndefinedObject, "window %s does not exist", quoted(w.ast.Name))
			}
			continue
		}
		w.spec = x.windowSpec(w.ast, named)
	}
}

func (x *selecting) windowSpec(def *ast.WindowDef, named map[string]*windowSpec) *windowSpec {
	b := x.b
	spec := &windowSpec{}
	var base *windowSpec
	if def.Ref != "" {
		if base = named[def.Ref]; base == nil {
			b.fail(def.Pos(), errs.UndefinedObject, "window %s does not exist", quoted(def.Ref))
		}
	}
	for _, e := range def.PartitionBy {
		v := x.windowExpr(e, inPartitionBy)
		b.needEquality(v.Type(), loc(e))
		spec.partition = append(spec.partition, v)
	}
	for _, it := range def.OrderBy {
		v := x.windowExpr(it.Expr, inWindowOrder)
		k := b.sortItem(it, v.Type())
		spec.order = append(spec.order, v)
		spec.keys = append(spec.keys, algebra.SortKey{Desc: k.desc, NullsFirst: k.nullsFirst})
	}
	if base != nil {
		if len(def.PartitionBy) > 0 {
			b.fail(def.Pos(), errs.WindowingError, "cannot override PARTITION BY clause of window %s", quoted(def.Ref))
		}
		spec.partition = base.partition
		if len(base.order) > 0 {
			if len(def.OrderBy) > 0 {
				b.fail(def.Pos(), errs.WindowingError, "cannot override ORDER BY clause of window %s", quoted(def.Ref))
			}
			spec.order, spec.keys = base.order, base.keys
		}
		if base.written {
			e := errs.New(errs.WindowingError, "cannot copy window %s because it has a frame clause", quoted(def.Ref))
			if len(def.OrderBy) == 0 && def.FrameMode == "" {
				e.WithHint("Omit the parentheses in this OVER clause.")
			}
			b.bail(def.Pos(), e)
		}
	}
	x.frame(spec, def)
	return spec
}

// windowExpr binds an expression of a window as an item of the select list would be.
func (x *selecting) windowExpr(e ast.Expr, c clause) scalar {
	v := x.b.known(x.exprIn(c, e))
	x.refuseNested(v)
	return v
}

// frame binds the frame of a window: all rows up to the current one and its peers, if nothing is said.
func (x *selecting) frame(spec *windowSpec, def *ast.WindowDef) {
	b := x.b
	if def.FrameMode == "" {
		spec.frame = algebra.Frame{Mode: "range", Start: "unbounded preceding", End: "current row"}
		return
	}
	spec.written = true
	f := algebra.Frame{Mode: def.FrameMode, Start: def.Start.Kind, End: def.End.Kind, Exclude: def.Exclude}
	if f.Mode == "groups" && len(spec.order) == 0 {
		b.fail(def.Pos(), errs.WindowingError, "GROUPS mode requires an ORDER BY clause")
	}
	bound := func(e ast.Expr) scalar {
		if e == nil {
			return nil
		}
		switch f.Mode {
		case "rows":
			return x.limitExpr(e, inFrameRows, "ROWS")
		case "groups":
			return x.limitExpr(e, inFrameGroups, "GROUPS")
		}
		if len(spec.order) != 1 {
			b.fail(def.Pos(), errs.WindowingError, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
		}
		return x.rangeOffset(e, spec.order[0].Type())
	}
	f.StartOffset, f.EndOffset = bound(def.Start.Offset), bound(def.End.Offset)
	spec.frame = f
}

// rangeOffset binds the distance in RANGE n PRECEDING, of the type that is added to the ordering column's.
func (x *selecting) rangeOffset(e ast.Expr, t *types.Type) scalar {
	b := x.b
	var want *types.Type
	switch t.Underlying() {
	case types.Int2, types.Int4, types.Int8:
		want = types.Int8
	case types.Float4, types.Float8:
		want = types.Float8
	case types.Numeric:
		want = types.Numeric
	case types.Date, types.Time, types.TimeTZType, types.Timestamp, types.TimestampTZ, types.IntervalType:
		want = types.IntervalType
	default:
		b.fail(loc(e), errs.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s", t)
	}
	return b.toType(x.exprIn(inFrameRange, e), want, loc(e), "RANGE")
}

func (w *windowCall) rewrite(f func(scalar) scalar) {
	c := *w.call
	c.Args = make([]scalar, len(w.call.Args))
	for i, a := range w.call.Args {
		c.Args[i] = f(a)
	}
	w.call = &c
	if w.filter != nil {
		w.filter = f(w.filter)
	}
	if w.spec.name != "" || len(w.spec.partition)+len(w.spec.order) > 0 {
		spec := *w.spec
		spec.partition, spec.order = nil, nil
		for _, e := range w.spec.partition {
			spec.partition = append(spec.partition, f(e))
		}
		for _, e := range w.spec.order {
			spec.order = append(spec.order, f(e))
		}
		w.spec = &spec
	}
}

// windowed puts the window functions of a level over its rows: one Window for each way of partitioning and
// ordering, what is not a column computed before.
func (x *selecting) windowed(rel algebra.Rel) algebra.Rel {
	if len(x.windows) == 0 {
		return rel
	}
	b := x.b
	var exprs []scalar
	var computed []algebra.Item
	column := func(e scalar) algebra.ColID {
		if c, ok := e.(*algebra.Col); ok && b.info(c.ID).scope == x.scope {
			return c.ID
		}
		for i, k := range exprs {
			if algebra.Equal(k, e) {
				return computed[i].ID
			}
		}
		id := b.newCol(algebra.Column{Name: "?column?", T: typeOf(e.Type(), e.Mod())}, colInfo{scope: x.scope, kind: outputCol})
		exprs = append(exprs, e)
		computed = append(computed, algebra.Item{ID: id, Expr: e})
		return id
	}
	var nodes []*algebra.Window
	for _, w := range x.windows {
		n := &algebra.Window{}
		for _, e := range w.spec.partition {
			n.Partition = append(n.Partition, column(e))
		}
		for i, e := range w.spec.order {
			k := w.spec.keys[i]
			k.ID = column(e)
			n.OrderBy = append(n.OrderBy, k)
		}
		f := algebra.WindowFunc{ID: w.id, T: w.call.T, Func: w.call.Func, Args: w.call.Args, Filter: w.filter, Frame: w.spec.frame}
		found := false
		for _, other := range nodes {
			if sameWindow(other, n) {
				other.Funcs = append(other.Funcs, f)
				found = true
				break
			}
		}
		if !found {
			n.Funcs = []algebra.WindowFunc{f}
			nodes = append(nodes, n)
		}
	}
	if len(computed) > 0 {
		items := computed
		for _, id := range rel.Columns() {
			items = append(items, algebra.Item{ID: id, Expr: b.col(id, -1)})
		}
		rel = &algebra.Project{Input: rel, Items: items}
	}
	for _, n := range nodes {
		n.Input = rel
		rel = n
	}
	return rel
}

func sameWindow(a, b *algebra.Window) bool {
	if len(a.Partition) != len(b.Partition) || len(a.OrderBy) != len(b.OrderBy) {
		return false
	}
	for i := range a.Partition {
		if a.Partition[i] != b.Partition[i] {
			return false
		}
	}
	for i := range a.OrderBy {
		if a.OrderBy[i] != b.OrderBy[i] {
			return false
		}
	}
	return true
}
