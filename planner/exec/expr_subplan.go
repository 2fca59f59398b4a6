package exec

import (
	"encoding/binary"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// memoBytes is how much a correlated subquery remembers of its results, in bytes. Then it forgets all and begins anew.
const memoBytes = 1 << 20

// subPlanEval evaluates a query within an expression. For each row it sets the outer columns that the row gives and
// starts the plan over. A plan that uses no columns of the row is run once for all rows. Results for the same values are
// remembered, unless the plan is volatile.
type subPlanEval struct {
	def     *SubPlan
	plan    Operator // nil if the rows are kept
	cells   []boundCell
	depends *dependency // on what the row does not give: results are of no use once it changes
	memo    map[string]types.Datum
	held    int
	key     []byte
	out     types.Vec

	// Any and All
	left  []evaluator
	vecs  []*types.Vec
	cmp   []kernel
	pair  [2]*types.Vec
	value []*types.Vec // Const: the left values of one row
	inner frame
	kept  *materialized // rows of a plan that uses no columns of the row
	read  spoolReader
	set   *rowSet // of kept, where = ANY can be looked up
}

func (c *compiler) subPlan(s *SubPlan) (evaluator, error) {
	b := c.builder
	on := dependenciesOf(s.Plan)
	e := &subPlanEval{def: s, cells: b.bindCells(on, c.layout), out: types.Vec{Type: s.T.Typ}}
	if e.out.Type == nil {
		e.out.Type = types.Bool
	}
	e.depends = b.dependency(s.Plan)
	e.depends.without(e.cells)
	compares := s.Kind == algebra.AnySubquery || s.Kind == algebra.AllSubquery
	var err error
	if compares {
		if e.left, err = c.all(s.Left); err != nil {
			return nil, err
		}
		e.vecs, e.value = make([]*types.Vec, len(s.Left)), make([]*types.Vec, len(s.Left))
		for i, fn := range s.Funcs {
			e.cmp = append(e.cmp, newKernel(fn, types.Bool))
			e.value[i] = constVec(s.Left[i].Type(), types.Null)
		}
	}
	if compares && len(e.cells) == 0 {
		if e.kept, err = b.materialize(s.Plan); err != nil {
			return nil, err
		}
		e.read.spool = e.kept.rows
		b.closers = append(b.closers, e.kept)
		hashed := s.Kind == algebra.AnySubquery && s.Op == "=" || s.Kind == algebra.AllSubquery && s.Op == "<>"
		for i, t := range s.Plan.Properties().Types {
			hashed = hashed && i < len(s.Left) && sameEquality(s.Left[i].Type(), t, s.Funcs[i], s.Op)
		}
		if hashed {
			e.set = &rowSet{table: newGroupTable(s.Plan.Properties().Types)}
		}
		return e, nil
	}
	if e.plan, err = b.Build(s.Plan); err != nil {
		return nil, err
	}
	b.closers = append(b.closers, e.plan)
	if len(e.cells) == 0 || !volatile(s.Plan) && memoizable(e.cells, c.layout) {
		e.memo = map[string]types.Datum{}
	}
	return e, nil
}

// sameEquality reports whether a comparison for = or <> agrees with types.EqualVec.
func sameEquality(left, right *types.Type, fn *funcs.Func, op string) bool {
	if identical(left, right) {
		return true
	}
	eq, err := funcs.EqualityOperator(left)
	return left == right && err == nil && (eq.Func == fn || op == "<>")
}

// volatile reports whether a plan calls a volatile function.
func volatile(n Node) (is bool) {
	var visit func(n Node)
	v := algebra.Visitor{}
	v.Scalar = func(s algebra.Scalar) bool {
		switch s := s.(type) {
		case *algebra.Call:
			is = is || s.Func.Volatility == 'v'
		case *SubPlan:
			visit(s.Plan)
		}
		return !is
	}
	visit = func(n Node) {
		for _, s := range n.Scalars() {
			v.VisitScalar(s)
		}
		for _, in := range n.Inputs() {
			visit(in)
		}
	}
	visit(n)
	return is
}

func memoizable(cells []boundCell, l *Layout) bool {
	for _, c := range cells {
		if l.types[c.at].Rep == types.RepAny {
			return false
		}
	}
	return true
}

// appendMemoKey appends a value so that different ones never look alike.
func appendMemoKey(dst []byte, t *types.Type, d types.Datum) []byte {
	dst = append(dst, byte(d.Rep()))
	switch d.Rep() {
	case types.RepInt, types.RepFloat:
		return binary.LittleEndian.AppendUint64(dst, uint64(d.Int()))
	case types.RepString:
		return append(binary.AppendUvarint(dst, uint64(len(d.Str()))), d.Str()...)
	case types.RepDecimal:
		text := d.Decimal().String()
		return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
	}
	return dst
}

func (e *subPlanEval) eval(f *frame, rows types.Rows) (*types.Vec, error) {
	if rows.N == 0 {
		e.out.Resize(0)
		return &e.out, nil
	}
	constant, err := evalAll(f, rows, e.left, e.vecs)
	if err != nil {
		return nil, err
	}
	constant = constant && len(e.cells) == 0 && !(e.memo == nil && e.plan != nil)
	if constant {
		rows = types.Rows{N: 1}
		e.out.Resize(1)
		e.out.Const = true
	} else {
		e.out.Resize(f.size)
	}
	if !e.depends.fresh() {
		clear(e.memo)
		e.held = 0
		e.depends.mark()
		if e.set != nil {
			e.set.made = false
		}
	}
	for k := range rows.N {
		i := position(rows, k)
		d, err := e.row(f, i)
		if err != nil {
			return nil, err
		}
		e.out.Set(i, d)
	}
	return &e.out, nil
}

// row is the value for one row.
func (e *subPlanEval) row(f *frame, i int) (types.Datum, error) {
	if e.kept != nil {
		return e.compareKept(f, i)
	}
	e.key = e.key[:0]
	for _, c := range e.cells {
		v := f.cols[c.at]
		c.cell.value = v.Datum(i)
		if e.memo != nil {
			e.key = appendMemoKey(e.key, v.Type, c.cell.value)
		}
	}
	if e.memo == nil || e.left != nil {
		return e.run(f, i)
	}
	if d, ok := e.memo[string(e.key)]; ok {
		return d, nil
	}
	d, err := e.run(f, i)
	if err != nil {
		return d, err
	}
	if e.held += len(e.key) + int(datumsBytes([]types.Datum{d})) + 64; e.held > memoBytes && len(e.cells) > 0 {
		clear(e.memo)
		e.held = 0
	}
	e.memo[string(e.key)] = d
	return d, nil
}

// run runs the plan.
func (e *subPlanEval) run(f *frame, i int) (types.Datum, error) {
	ctx := f.ctx
	if err := ctx.Canceled(); err != nil {
		return types.Null, err
	}
	if err := e.plan.Open(ctx); err != nil {
		return types.Null, err
	}
	switch e.def.Kind {
	case algebra.ExistsSubquery:
		b, err := e.plan.Next(ctx, 1)
		return types.NewBool((b != nil) != e.def.Not), err
	case algebra.ScalarSubquery:
		b, err := e.plan.Next(ctx, 2)
		if b == nil || err != nil {
			return types.Null, err
		}
		d := b.Cols[0].Datum(position(b.Rows, 0))
		if b.N == 1 {
			if b, err = e.plan.Next(ctx, 1); b == nil {
				return d, err
			}
		}
		return types.Null, errs.New(errs.CardinalityViolation, "more than one row returned by a subquery used as an expression")
	case algebra.ArraySubquery:
		return e.array(ctx)
	}
	e.setValues(i)
	d, err := e.compare(f, func(max int) (*types.Batch, error) { return e.plan.Next(ctx, max) })
	return d, err
}

func (e *subPlanEval) array(ctx *Ctx) (types.Datum, error) {
	var elems []types.Datum
	for {
		b, err := e.plan.Next(ctx, types.BatchRows)
		if err != nil {
			return types.Null, err
		}
		if b == nil {
			break
		}
		for k := range b.N {
			elems = append(elems, b.Cols[0].Datum(position(b.Rows, k)))
		}
	}
	elem := e.out.Type.Underlying().Elem
	if e.def.Plan.Properties().Types[0].IsArray() {
		a, err := stackArrays(elem, elems)
		return types.NewAny(a), err
	}
	return types.NewAny(types.NewSlice(elem, elems)), nil
}

// setValues takes the left values of a row.
func (e *subPlanEval) setValues(i int) {
	for k, v := range e.vecs {
		e.value[k].Set(0, v.Datum(i))
	}
}

// compare compares the left values with rows until the result is decided: by a true comparison for ANY, by a false one for ALL.
func (e *subPlanEval) compare(f *frame, next func(max int) (*types.Batch, error)) (types.Datum, error) {
	all := e.def.Kind == algebra.AllSubquery
	unknown := false
	for max := 1; ; max = min(4*max, types.BatchRows) {
		b, err := next(max)
		if err != nil {
			return types.Null, err
		}
		if b == nil {
			break
		}
		e.inner = frame{ctx: f.ctx, size: extent(b.Rows)}
		state := make([]types.Datum, b.N)
		for c := range e.cmp {
			e.pair = [2]*types.Vec{e.value[c], b.Cols[c]}
			is, err := e.cmp[c].eval(&e.inner, b.Rows, e.pair[:], false)
			if err != nil {
				return types.Null, err
			}
			for k := range b.N {
				d := is.Datum(position(b.Rows, k))
				if c > 0 {
					d = combine(state[k], d, e.def.Op == "<>")
				}
				state[k] = d
			}
		}
		for _, d := range state {
			if d.IsNull() {
				unknown = true
			} else if d.Bool() != all {
				return types.NewBool(!all != e.def.Not), nil
			}
		}
	}
	if unknown {
		return types.Null, nil
	}
	return types.NewBool(all != e.def.Not), nil
}

// combine is a AND b, or a OR b.
func combine(a, b types.Datum, or bool) types.Datum {
	for _, d := range [2]types.Datum{a, b} {
		if !d.IsNull() && d.Bool() == or {
			return d
		}
	}
	if a.IsNull() {
		return a
	}
	return b
}

// compareKept compares with the rows that are kept.
func (e *subPlanEval) compareKept(f *frame, i int) (types.Datum, error) {
	ctx := f.ctx
	if err := e.kept.start(ctx); err != nil {
		return types.Null, err
	}
	next := func(max int) (*types.Batch, error) {
		for {
			b, err := e.read.next(max)
			if b != nil || err != nil {
				return b, err
			}
			if more, err := e.kept.more(ctx, max); !more || err != nil {
				return nil, err
			}
		}
	}
	e.read.rewind()
	if e.set == nil {
		e.setValues(i)
		return e.compare(f, next)
	}
	if !e.set.made {
		if err := e.set.make(next); err != nil {
			return types.Null, err
		}
		e.read.rewind()
	}
	null := false
	for _, v := range e.vecs {
		null = null || v.IsNull(i)
	}
	all := e.def.Kind == algebra.AllSubquery
	switch {
	case e.set.rows == 0:
		return types.NewBool(all != e.def.Not), nil
	case !null && e.set.has(e.vecs, i):
		return types.NewBool(!all != e.def.Not), nil
	case !null && !e.set.null:
		return types.NewBool(all != e.def.Not), nil
	case len(e.vecs) == 1:
		return types.Null, nil
	}
	e.setValues(i)
	return e.compare(f, next)
}

// rowSet is a set of rows, all NULL-free ones in a table.
type rowSet struct {
	table *groupTable
	made  bool
	rows  int
	null  bool // a NULL is among the values
	one   [1]int32
}

func (s *rowSet) make(next func(max int) (*types.Batch, error)) error {
	s.table.reset()
	s.rows, s.null = 0, false
	for {
		b, err := next(types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		s.rows += b.N
		hashes := s.table.hashRows(b.Cols, b.Rows)
		for k := range b.N {
			i := position(b.Rows, k)
			null := false
			for _, v := range b.Cols {
				null = null || v.IsNull(i)
			}
			if null {
				s.null = true
			} else if s.table.find(b.Cols, i, hashes[k]) < 0 {
				s.table.add(b.Cols, i, hashes[k])
			}
		}
	}
	s.made = true
	return nil
}

// has reports whether row i of vectors is in the set.
func (s *rowSet) has(vecs []*types.Vec, i int) bool {
	s.one[0] = int32(i)
	h := s.table.hashRows(vecs, types.Rows{N: 1, Sel: s.one[:]})
	return s.table.find(vecs, i, h[0]) >= 0
}
