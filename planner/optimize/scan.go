package optimize

import (
	"math"

	"holdfast/planner/exec"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// path is a way to read a table: through its primary key (index nil or primary) or another index.
type path struct {
	index   *catalog.Index // nil: the rows themselves
	bounds  *exec.Bounds
	key     []algebra.Scalar // of all columns of a unique key: at most one row
	used    map[algebra.Scalar]bool
	reverse bool
	only    bool // the index holds all columns needed
	order   []algebra.SortKey
	fixed   int     // columns that the conditions give one value each
	rows    float64 // read
	cost    float64
}

// scan plans the reading of a table.
func (p *planner) scan(r *algebra.Scan, g goal) (exec.Node, error) {
	wanted := g.all(r)
	for _, c := range []algebra.Scalar{r.Inserted, r.Deleted} {
		if c != nil {
			algebra.ScalarColumns(c, wanted)
		}
	}
	var cols []algebra.ScanColumn
	for _, c := range r.Cols {
		if wanted.Has(c.ID) {
			cols = append(cols, c)
		}
	}
	ids := make([]algebra.ColID, len(cols))
	for i, c := range cols {
		ids[i] = c.ID
	}
	if r.Table.Virtual != nil {
		return p.virtualScan(r, cols, ids, g)
	}
	total := p.tableRows(r.Table)
	if r.Transition != algebra.NoTransition {
		// Fewer than any table has: joins start with what has changed.
		n := &exec.TransitionScan{
			Props: p.props(ids, p.changedRows()), Table: r.Table, Alias: r.Alias, Columns: cols, Kind: r.Transition,
			Differs: r.Differs, Inserted: r.Inserted, Deleted: r.Deleted,
		}
		var err error
		if n.Filter, err = p.optionalScalar(and(g.conds)); err != nil {
			return nil, err
		}
		p.cost(n)
		return n, nil
	}
	best := p.choosePath(r, cols, g, total)
	var rest []algebra.Scalar
	for _, c := range g.conds {
		if !best.used[c] {
			rest = append(rest, c)
		}
	}
	filter, err := p.optionalScalar(and(rest))
	if err != nil {
		return nil, err
	}
	access := exec.Access{Table: r.Table, Alias: r.Alias, Columns: cols, Footprint: p.footprint(cols), Filter: filter}
	props := p.props(ids, best.rows*p.selectivity(rest))
	props.TotalCost = best.cost
	var n exec.Node
	switch {
	case best.key != nil:
		props.Rows = min(1, props.Rows)
		n = &exec.KeyLookup{Props: props, Access: access, Index: best.index, Key: best.key}
	case best.index == nil:
		n = &exec.TableScan{Props: props, Access: access, Bounds: best.bounds, Reverse: best.reverse}
	default:
		n = &exec.IndexScan{Props: props, Access: access, Index: best.index, Bounds: best.bounds, Reverse: best.reverse, Only: best.only}
	}
	p.orders[n] = best.order
	return n, nil
}

// virtualScan plans the reading of a relation of the system, with the conditions it may be able to use.
func (p *planner) virtualScan(r *algebra.Scan, cols []algebra.ScanColumn, ids []algebra.ColID, g goal) (exec.Node, error) {
	n := &exec.VirtualScan{Props: p.props(ids, p.tableRows(r.Table)*p.selectivity(g.conds)), Table: r.Table, Alias: r.Alias, Columns: cols}
	var err error
	if n.Filter, err = p.optionalScalar(and(g.conds)); err != nil {
		return nil, err
	}
	own := algebra.ColsOf(r.Columns()...)
	for _, c := range r.Cols {
		if c.Number <= 0 {
			continue
		}
		t := r.Table.Columns[c.Number-1].Type
		for _, cond := range g.conds {
			m, ok := p.keyMatch(cond, c.ID, t, own)
			if !ok || m.IsNull || m.NullSafe || hasSubquery(cond) {
				continue
			}
			if n.Pushed == nil {
				n.Pushed = map[int16]exec.KeyMatch{}
			}
			n.Pushed[c.Number] = m
		}
	}
	p.cost(n)
	return n, nil
}

// keyMatch reads a condition as column = values, for a column that has the given type in a key.
func (p *planner) keyMatch(cond algebra.Scalar, id algebra.ColID, t colType, own algebra.ColSet) (exec.KeyMatch, bool) {
	isColumn := func(s algebra.Scalar) bool {
		c, ok := strip(s).(*algebra.Col)
		return ok && c.ID == id
	}
	switch c := cond.(type) {
	case *algebra.IsNull:
		if !c.Not && isColumn(c.Arg) {
			return exec.KeyMatch{IsNull: true}, true
		}
	case *algebra.Col:
		// A bare boolean column.
	case *algebra.AnyAll:
		if c.Op != "=" || c.All || !isColumn(c.Left) || uses(c.Array, own) || volatile(c.Array) {
			return exec.KeyMatch{}, false
		}
		if cmp, ok := comparisons[c.Func]; !ok || cmp.strategy != 3 {
			return exec.KeyMatch{}, false
		}
		if a, ok := c.Array.(*algebra.ArrayCtor); ok {
			var values []algebra.Scalar
			for _, e := range a.Elems {
				v, ok := asKey(e, t)
				if !ok {
					return exec.KeyMatch{}, false
				}
				values = append(values, v)
			}
			return exec.KeyMatch{Values: values}, len(values) > 0
		}
		if c.Array.Type().Elem == t {
			return exec.KeyMatch{Array: c.Array}, true
		}
	case *algebra.Distinct:
		left, right := c.Left, c.Right
		if !isColumn(left) {
			left, right = right, left
		}
		if cmp, ok := comparisons[c.Eq]; !ok || cmp.strategy != 3 || !c.Not || !isColumn(left) || uses(right, own) || volatile(right) {
			return exec.KeyMatch{}, false
		}
		if v, ok := asKey(right, t); ok {
			return exec.KeyMatch{Values: []algebra.Scalar{v}, NullSafe: true}, true
		}
	case *algebra.Call:
		left, right, cmp, ok := compare(c)
		if !ok || cmp.strategy != 3 {
			return exec.KeyMatch{}, false
		}
		if !isColumn(left) {
			left, right = right, left
		}
		if !isColumn(left) || uses(right, own) || volatile(right) {
			return exec.KeyMatch{}, false
		}
		if v, ok := asKey(right, t); ok {
			return exec.KeyMatch{Values: []algebra.Scalar{v}}, true
		}
	}
	return exec.KeyMatch{}, false
}

// bound reads a condition as a bound of a column: below it if lower is false.
func (p *planner) bound(cond algebra.Scalar, id algebra.ColID, t colType, own algebra.ColSet) (b *exec.Bound, lower, ok bool) {
	left, right, cmp, isCmp := compare(cond)
	if !isCmp || cmp.strategy == 3 {
		return nil, false, false
	}
	isColumn := func(s algebra.Scalar) bool {
		c, ok := strip(s).(*algebra.Col)
		return ok && c.ID == id
	}
	strategy := cmp.strategy
	if !isColumn(left) {
		left, right, strategy = right, left, turned(strategy)
	}
	if !isColumn(left) || uses(right, own) || volatile(right) {
		return nil, false, false
	}
	v, fits := asKey(right, t)
	if !fits {
		return nil, false, false
	}
	return &exec.Bound{Values: []algebra.Scalar{v}, Inclusive: strategy == 2 || strategy == 4}, strategy > 3, true
}

// choosePath finds the cheapest path for a scan with the conditions of a goal.
func (p *planner) choosePath(r *algebra.Scan, cols []algebra.ScanColumn, g goal, total float64) *path {
	var best *path
	p.paths(r, cols, g, total, func(c *path) {
		if best == nil || p.better(c, best) {
			best = c
		}
	})
	return best
}

// atLeast keeps an estimate of rows read through an index from falling to nothing: it is one at least. In the check of a change it is
// more than a half, which is what the changed rows are taken to be, but still the less the more is looked for: joins
// begin where most is known.
func (p *planner) atLeast(rows float64) float64 {
	switch {
	case rows >= 1:
		return rows
	case p.o.driven:
		return 0.5 + 0.5/(1-math.Log10(max(rows, 1e-300)))
	}
	return 1
}

// better reports whether a path is to be preferred to another. In the check of a change, where nothing is known of the
// tables but that they may be large, two values say so much that a third seems to say nothing: whoever looks for more
// values reads less, whatever the guess makes of it.
func (p *planner) better(a, b *path) bool {
	if p.o.driven && a.key == nil && b.key == nil && a.fixed != b.fixed {
		return a.fixed > b.fixed
	}
	return a.cost < b.cost
}

// paths calls f with all paths for a scan with the conditions of a goal: first with that through the rows.
func (p *planner) paths(r *algebra.Scan, cols []algebra.ScanColumn, g goal, total float64, f func(*path)) {
	f(p.pathOf(r, nil, nil, cols, g, total))
	for _, x := range r.Table.Indexes {
		if x.Primary || x.Invalid {
			continue
		}
		var held []algebra.Scalar
		if x.Predicate != "" {
			var ok bool
			if held, ok = p.implied(r, x, g.conds); !ok {
				continue
			}
		}
		if c := p.pathOf(r, x, held, cols, g, total); c != nil {
			f(c)
		}
	}
}

// pathOf is the path through an index (nil: the rows), nil if it cannot be used. held are the conditions that hold for all
// that is in the index.
func (p *planner) pathOf(r *algebra.Scan, x *catalog.Index, held []algebra.Scalar, cols []algebra.ScanColumn, g goal, total float64) *path {
	codec := rowio.NewTableCodec(r.Table)
	keys := codec.KeyColumns()
	unique := r.Table.PrimaryKey() != nil
	if x != nil {
		keys = codec.Index(x).KeyColumns()
		unique = x.Unique
	} else if !unique {
		keys = nil // rows are in the order of their numbers, which nothing else knows
	}
	own := algebra.ColsOf(r.Columns()...)
	ids := p.keyIDs(r, x, keys)
	out := &path{index: x, used: map[algebra.Scalar]bool{}, rows: max(1, total*p.selectivity(held))}
	for _, c := range held {
		out.used[c] = true
	}
	bounds := &exec.Bounds{}
	single := true
	fixed := algebra.ColSet{}
	for i := range keys {
		if ids[i] == 0 {
			break
		}
		var found bool
		for _, c := range g.conds {
			if out.used[c] {
				continue
			}
			m, ok := p.keyMatch(c, ids[i], keys[i].Type, own)
			if !ok {
				continue
			}
			if m, ok = p.planMatch(m); !ok {
				continue
			}
			bounds.Prefix = append(bounds.Prefix, m)
			out.used[c] = true
			found = true
			n := 1.0
			if m.Array != nil {
				n, single = 10, false
			} else if len(m.Values) > 1 || m.IsNull || m.NullSafe {
				n, single = float64(max(1, len(m.Values))), false
				if len(m.Values) <= 1 { // NULL is a value here
					out.fixed++
					if len(g.order) > 0 { // else it stays in the order, for whoever groups by it
						fixed.Add(ids[i])
					}
				}
			} else {
				fixed.Add(ids[i])
				out.fixed++
			}
			out.rows *= min(1, n*p.selectEqual())
			break
		}
		if !found {
			break
		}
	}
	n := len(bounds.Prefix)
	ranged := false
	if n < len(keys) && ids[n] != 0 {
		for _, c := range g.conds {
			if out.used[c] {
				continue
			}
			b, lower, ok := p.bound(c, ids[n], keys[n].Type, own)
			if !ok {
				continue
			}
			values, err := p.scalars(b.Values)
			if err != nil {
				continue
			}
			b.Values = values
			if lower && bounds.Lower == nil {
				bounds.Lower = b
			} else if !lower && bounds.Upper == nil {
				bounds.Upper = b
			} else {
				continue
			}
			ranged = true
			out.used[c] = true
			out.rows *= p.selectRange()
		}
	}
	if n < len(keys) && ids[n] != 0 && (ranged || n > 0 || firstOf(withoutFixed(g.order, fixed)) == ids[n]) {
		// IS NOT NULL says little by itself: it is worth an index for the order, or for the columns before.
		for _, c := range g.conds {
			if is, ok := c.(*algebra.IsNull); ok && is.Not && isCol(is.Arg, ids[n]) && keys[n].Type.Kind != 'c' {
				bounds.NotNull, ranged = bounds.NotNull || !ranged, true
				out.used[c] = true
			}
		}
	}
	if unique && n == len(keys) && n > 0 {
		out.rows = min(out.rows, 1)
		if single {
			// A full unique key: at most one row, on the direct path.
			for _, m := range bounds.Prefix {
				out.key = append(out.key, m.Values[0])
			}
		} else {
			out.rows = 1
			for _, m := range bounds.Prefix {
				if m.Array != nil {
					out.rows *= 10
				}
				out.rows *= float64(max(1, len(m.Values)))
			}
		}
	}
	if n > 0 || ranged {
		out.bounds = bounds
		out.rows = p.atLeast(out.rows)
	}
	notNull := algebra.ColID(0)
	if ranged {
		notNull = ids[n]
	}
	p.pathOrder(out, ids, keys, fixed, notNull, g.order)
	read := out.rows
	orderedWell := len(g.order) > 0 && ordered(out.order, withoutFixed(g.order, fixed))
	if orderedWell {
		out.order = append([]algebra.SortKey(nil), g.order...)
	}
	if g.limit > 0 && (len(g.order) == 0 || orderedWell) {
		share := math.Min(1, g.limit/math.Max(1, out.rows*p.selectivity(p.unused(g.conds, out.used))))
		read = math.Max(1, read*share)
	}
	out.cost = costProbe + read*costRow
	if x != nil {
		if out.bounds == nil && !orderedWell && x.Predicate == "" {
			return nil
		}
		out.only = codec.Index(x).Covers(numbersOf(cols))
		if !out.only {
			out.cost += read * costProbe
		}
	}
	if out.key != nil {
		out.cost = costProbe
	}
	if len(g.order) > 0 && !orderedWell {
		out.cost += out.rows * costCompare * math.Log2(out.rows+2)
	}
	if x == nil && out.bounds == nil {
		// A bounded read through an index also leaves the other rows out of the footprint, which saves others
		// from conflicts: a full scan has to be clearly cheaper.
		out.cost = out.cost*2 + costProbe
	}
	return out
}

func (p *planner) unused(conds []algebra.Scalar, used map[algebra.Scalar]bool) (rest []algebra.Scalar) {
	for _, c := range conds {
		if !used[c] {
			rest = append(rest, c)
		}
	}
	return rest
}

// planMatch plans the queries in the values of a match.
func (p *planner) planMatch(m exec.KeyMatch) (exec.KeyMatch, bool) {
	var err error
	if m.Values, err = p.scalars(m.Values); err != nil {
		return m, false
	}
	if m.Array != nil {
		if m.Array, err = p.scalar(m.Array); err != nil {
			return m, false
		}
	}
	return m, true
}

// keyIDs are the columns of the query that the key columns are, 0 where a key column is none of them.
func (p *planner) keyIDs(r *algebra.Scan, x *catalog.Index, keys []rowio.KeyColumn) []algebra.ColID {
	ids := make([]algebra.ColID, len(keys))
	var numbers []int16
	if x == nil {
		if pk := r.Table.PrimaryKey(); pk != nil {
			x = pk
		}
	}
	if x != nil {
		for _, k := range x.Keys {
			numbers = append(numbers, k.Column)
		}
	}
	for i := range keys {
		if i >= len(numbers) || numbers[i] == 0 {
			continue
		}
		for _, c := range r.Cols {
			if c.Number == numbers[i] {
				ids[i] = c.ID
			}
		}
	}
	return ids
}

// firstOf is the column that rows are ordered by before others, 0 if there is none.
func firstOf(order []algebra.SortKey) algebra.ColID {
	if len(order) == 0 {
		return 0
	}
	return order[0].ID
}

func isCol(s algebra.Scalar, id algebra.ColID) bool {
	c, ok := s.(*algebra.Col)
	return ok && c.ID == id
}

// pathOrder sets the order in which a path gives the rows, forward or, if the order hoped for wants it, backward. fixed are columns of one
// value, and of notNull the path gives no NULLs.
func (p *planner) pathOrder(out *path, ids []algebra.ColID, keys []rowio.KeyColumn, fixed algebra.ColSet, notNull algebra.ColID, want []algebra.SortKey) {
	want = withoutFixed(want, fixed)
	var forward, backward []algebra.SortKey
	for i, k := range keys {
		if ids[i] == 0 {
			break
		}
		if fixed.Has(ids[i]) {
			continue
		}
		forward = append(forward, algebra.SortKey{ID: ids[i], Desc: k.Desc, NullsFirst: k.NullsFirst})
		backward = append(backward, algebra.SortKey{ID: ids[i], Desc: !k.Desc, NullsFirst: !k.NullsFirst})
	}
	placed := func(list []algebra.SortKey) []algebra.SortKey {
		// Where there are no NULLs it does not matter where they would be: take what is wanted.
		out := append([]algebra.SortKey(nil), list...)
		for i := range out {
			if i < len(want) && want[i].ID == out[i].ID && want[i].Desc == out[i].Desc && (out[i].ID == notNull || p.neverNull(out[i].ID)) {
				out[i].NullsFirst = want[i].NullsFirst
			}
		}
		return out
	}
	forward, backward = placed(forward), placed(backward)
	out.order = forward
	if len(want) > 0 && !ordered(forward, want) && ordered(backward, want) {
		out.order, out.reverse = backward, true
	}
}

// withoutFixed leaves out columns that have one value.
func withoutFixed(order []algebra.SortKey, fixed algebra.ColSet) []algebra.SortKey {
	var out []algebra.SortKey
	for _, k := range order {
		if !fixed.Has(k.ID) {
			out = append(out, k)
		}
	}
	return out
}

// neverNull reports whether a column is one of a table and declared NOT NULL.
func (p *planner) neverNull(id algebra.ColID) bool {
	c := p.q.Column(id)
	if c.Table == 0 || c.Number <= 0 || p.o.Snapshot == nil {
		return false
	}
	t := p.o.Snapshot.RelationByOID(c.Table)
	return t != nil && int(c.Number) <= len(t.Columns) && t.Columns[c.Number-1].NotNull
}

func numbersOf(cols []algebra.ScanColumn) []int16 {
	out := make([]int16, len(cols))
	for i, c := range cols {
		out[i] = c.Number
	}
	return out
}
