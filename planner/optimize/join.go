package optimize

import (
	"math"
	"slices"

	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

type colType = *types.Type

// join plans a Join with the conditions above it.
func (p *planner) join(r *algebra.Join, g goal) (exec.Node, error) {
	if r.Kind == algebra.InnerJoin {
		return p.innerJoins(r, g)
	}
	left, right := algebra.ColsOf(r.Left.Columns()...), algebra.ColsOf(r.Right.Columns()...)
	on := conjuncts(nil, r.On)
	var above, toLeft, toRight []algebra.Scalar
	switch r.Kind {
	case algebra.LeftJoin:
		if !r.Lateral && p.rejectsNulls(g.conds, right) {
			inner := *r
			inner.Kind = algebra.InnerJoin
			return p.innerJoins(&inner, g)
		}
		toLeft, above = split(g.conds, right)
		toRight, on = split(on, left)
	case algebra.SemiJoin, algebra.AntiJoin, algebra.AntiNullJoin:
		toLeft = g.conds
		if r.Kind != algebra.AntiNullJoin {
			toRight, on = split(on, left)
		}
		if r.Kind == algebra.SemiJoin {
			var more []algebra.Scalar
			more, on = split(on, right)
			toLeft = append(toLeft[:len(toLeft):len(toLeft)], more...)
		}
	default:
		above = g.conds
	}
	outer := g
	outer.conds = above
	wanted := outer.all(r)
	for _, c := range on {
		algebra.ScalarColumns(c, wanted)
	}
	if r.Lateral {
		algebra.FreeColumns(r.Right, wanted)
	}
	l, err := p.rel(r.Left, goal{need: restrict(wanted, left), conds: toLeft, order: p.orderOf(g.order, left), limit: g.limit})
	if err != nil {
		return nil, err
	}
	n, err := p.joinNodes(r.Kind, l, joinSide{rel: r.Right, conds: toRight, need: restrict(wanted, right), lateral: r.Lateral}, on)
	if err != nil {
		return nil, err
	}
	return p.filter(n, above)
}

// rejectsNulls reports whether one of the conditions cannot be true where all of the columns are NULL, which
// makes an outer join an inner one.
func (p *planner) rejectsNulls(conds []algebra.Scalar, cols algebra.ColSet) bool {
	for _, c := range conds {
		switch c := c.(type) {
		case *algebra.Call:
			if c.Func.Strict {
				for _, a := range c.Args {
					if col, ok := strip(a).(*algebra.Col); ok && cols.Has(col.ID) {
						return true
					}
				}
			}
		case *algebra.IsNull:
			if col, ok := c.Arg.(*algebra.Col); ok && c.Not && cols.Has(col.ID) {
				return true
			}
		}
	}
	return false
}

func restrict(set, to algebra.ColSet) algebra.ColSet {
	out := algebra.ColSet{}
	for id := range set {
		if to.Has(id) {
			out.Add(id)
		}
	}
	return out
}

// orderOf is an order if it is by the given columns alone.
func (p *planner) orderOf(order []algebra.SortKey, cols algebra.ColSet) []algebra.SortKey {
	for _, k := range order {
		if !cols.Has(k.ID) {
			return nil
		}
	}
	return order
}

// leaf is one of the relations of a tree of inner joins.
type leaf struct {
	rel     algebra.Rel
	cols    algebra.ColSet
	conds   []algebra.Scalar
	lateral algebra.ColSet // columns of other leaves it refers to
	node    exec.Node      // planned alone; nil if it is lateral
}

// innerJoins orders a tree of inner joins: it starts with the relation of fewest rows and adds, each time,
// the one that is connected by a condition and leaves fewest rows.
func (p *planner) innerJoins(r *algebra.Join, g goal) (exec.Node, error) {
	conds := append([]algebra.Scalar(nil), g.conds...)
	var leaves []*leaf
	var gather func(r algebra.Rel)
	gather = func(r algebra.Rel) {
		switch j := r.(type) {
		case *algebra.Join:
			if j.Kind == algebra.InnerJoin {
				gather(j.Left)
				gather(j.Right)
				conds = conjuncts(conds, j.On)
				return
			}
		case *algebra.Filter:
			if _, ok := j.Input.(*algebra.Join); ok && !volatile(j.Cond) && !hasSubquery(j.Cond) {
				conds = conjuncts(conds, j.Cond)
				gather(j.Input)
				return
			}
		}
		leaves = append(leaves, &leaf{rel: r, cols: algebra.ColsOf(r.Columns()...)})
	}
	gather(r)
	all := algebra.ColSet{}
	for _, l := range leaves {
		for id := range l.cols {
			all.Add(id)
		}
	}
	for _, l := range leaves {
		free := algebra.ColSet{}
		algebra.FreeColumns(l.rel, free)
		l.lateral = restrict(free, all)
	}
	conds = p.implyEqualities(conds, all)
	// Conditions on one relation go there; the others wait until all they use is joined.
	var waiting []algebra.Scalar
	var constant []algebra.Scalar
	for _, c := range conds {
		used := restrict(columnsOf(c), all)
		if len(used) == 0 || p.o.driven && hasSubquery(c) {
			constant = append(constant, c) // queries are run for the rows that are left
			continue
		}
		placed := false
		for _, l := range leaves {
			if contains(l.cols, used) && !volatile(c) {
				l.conds = append(l.conds, c)
				placed = true
				break
			}
		}
		if !placed {
			waiting = append(waiting, c)
		}
	}
	outer := g
	outer.conds = append(waiting[:len(waiting):len(waiting)], constant...)
	wanted := outer.all(r)
	for _, l := range leaves {
		for id := range l.lateral {
			wanted.Add(id)
		}
	}
	for _, l := range leaves {
		if len(l.lateral) > 0 {
			continue
		}
		var err error
		if l.node, err = p.rel(l.rel, goal{need: restrict(wanted, l.cols), conds: l.conds, order: p.orderOf(g.order, l.cols)}); err != nil {
			return nil, err
		}
	}
	first := -1
	for i, l := range leaves {
		if l.node != nil && (first < 0 || p.startsBetter(l, leaves[first], g.order)) {
			first = i
		}
	}
	if first < 0 {
		first = 0
	}
	current := leaves[first].node
	if current == nil {
		var err error
		if current, err = p.rel(leaves[first].rel, goal{need: restrict(wanted, leaves[first].cols), conds: leaves[first].conds}); err != nil {
			return nil, err
		}
	}
	joined := leaves[first].cols
	have := algebra.ColSet{}
	for id := range joined {
		have.Add(id)
	}
	rest := append(append([]*leaf(nil), leaves[:first]...), leaves[first+1:]...)
	for len(rest) > 0 {
		next, bestRows := -1, math.Inf(1)
		connected := false
		for i, l := range rest {
			if !contains(have, l.lateral) {
				continue
			}
			rows, conn := p.joinRows(current, l, waiting, have)
			if conn && !connected || conn == connected && rows < bestRows {
				next, bestRows, connected = i, rows, conn
			}
		}
		if next < 0 { // only lateral ones that wait for each other, which cannot be
			next = 0
		}
		l := rest[next]
		rest = append(rest[:next:next], rest[next+1:]...)
		for id := range l.cols {
			have.Add(id)
		}
		var on, later []algebra.Scalar
		for _, c := range waiting {
			if contains(have, restrict(columnsOf(c), all)) {
				on = append(on, c)
			} else {
				later = append(later, c)
			}
		}
		waiting = later
		var err error
		current, err = p.joinNodes(algebra.InnerJoin, current, joinSide{
			rel: l.rel, conds: l.conds, need: restrict(wanted, l.cols), node: l.node, lateral: len(l.lateral) > 0}, on)
		if err != nil {
			return nil, err
		}
	}
	return p.filter(current, append(waiting, constant...))
}

// startsBetter reports whether a is a better start than b: in the check of a change the changed rows; fewer rows, then the order hoped
// for.
func (p *planner) startsBetter(a, b *leaf, order []algebra.SortKey) bool {
	if p.o.driven {
		if x, y := readsChange(a.rel), readsChange(b.rel); x != y {
			return x
		}
	}
	x, y := a.node.Properties(), b.node.Properties()
	if x.Rows != y.Rows {
		return x.Rows < y.Rows
	}
	return len(order) > 0 && ordered(p.orders[a.node], order) && !ordered(p.orders[b.node], order)
}

// readsChange reports whether a relation reads changed rows.
func readsChange(r algebra.Rel) bool {
	found := false
	v := algebra.Visitor{Rel: func(r algebra.Rel) bool {
		if s, ok := r.(*algebra.Scan); ok && s.Transition != algebra.NoTransition {
			found = true
		}
		return !found
	}}
	v.VisitRel(r)
	return found
}

func contains(set, subset algebra.ColSet) bool {
	for id := range subset {
		if !set.Has(id) {
			return false
		}
	}
	return true
}

// implyEqualities adds conditions that follow: a = b and a = constant give b = constant.
func (p *planner) implyEqualities(conds []algebra.Scalar, all algebra.ColSet) []algebra.Scalar {
	type pair struct {
		a, b *algebra.Col
	}
	var equal []pair
	for _, c := range conds {
		l, r, cmp, ok := compare(c)
		if !ok || cmp.strategy != 3 {
			continue
		}
		a, okA := l.(*algebra.Col)
		b, okB := r.(*algebra.Col)
		if okA && okB && a.Typ == b.Typ && all.Has(a.ID) && all.Has(b.ID) {
			equal = append(equal, pair{a, b})
		}
	}
	if len(equal) == 0 {
		return conds
	}
	known := map[algebra.ColID]bool{}
	for round, n := 0, len(conds); round < 4; round++ {
		for _, c := range conds {
			call, ok := c.(*algebra.Call)
			if !ok {
				continue
			}
			l, r, cmp, ok := compare(c)
			if !ok || cmp.strategy != 3 {
				continue
			}
			col, isCol := l.(*algebra.Col)
			value, left := r, true
			if !isCol || uses(r, all) {
				col, isCol = r.(*algebra.Col)
				value, left = l, false
			}
			if !isCol || !all.Has(col.ID) || uses(value, all) || volatile(value) || hasSubquery(value) {
				continue
			}
			known[col.ID] = true
			for _, e := range equal {
				other := e.b
				if e.b.ID == col.ID {
					other = e.a
				} else if e.a.ID != col.ID {
					continue
				}
				if known[other.ID] {
					continue
				}
				known[other.ID] = true
				implied := *call
				if left {
					implied.Args = []algebra.Scalar{other, value}
				} else {
					implied.Args = []algebra.Scalar{value, other}
				}
				conds = append(conds[:len(conds):len(conds)], &implied)
			}
		}
		if len(conds) == n {
			break
		}
		n = len(conds)
	}
	return conds
}

// joinRows estimates the rows of joining a leaf, and whether a condition connects it.
func (p *planner) joinRows(left exec.Node, l *leaf, waiting []algebra.Scalar, have algebra.ColSet) (float64, bool) {
	rows := 100.0
	if l.node != nil {
		rows = l.node.Properties().Rows
	}
	out := left.Properties().Rows * rows
	connected := len(l.lateral) > 0
	for _, c := range waiting {
		used := columnsOf(c)
		if !uses(c, l.cols) {
			continue
		}
		within := true
		for id := range used {
			if !have.Has(id) && !l.cols.Has(id) {
				within = false
			}
		}
		if !within {
			continue
		}
		connected = true
		if equates(c) {
			out /= math.Max(1, math.Max(left.Properties().Rows, rows))
		} else {
			out *= p.selectivityOf(c)
		}
	}
	return out, connected
}

// joinSide is the right side of a join to be planned.
type joinSide struct {
	rel     algebra.Rel
	conds   []algebra.Scalar
	need    algebra.ColSet
	node    exec.Node // planned alone, if it was
	lateral bool
}

// joinNodes joins a planned left side with a right one: by probing an index of it for each left row, by
// hashing, or by trying all pairs.
func (p *planner) joinNodes(kind algebra.JoinKind, left exec.Node, side joinSide, on []algebra.Scalar) (exec.Node, error) {
	leftCols := algebra.ColsOf(left.Properties().Cols...)
	right := side.node
	if right == nil {
		var err error
		if right, err = p.rel(side.rel, goal{need: side.need, conds: side.conds}); err != nil {
			return nil, err
		}
	}
	free := algebra.ColSet{}
	free.Add(exec.FreeColumns(right)...)
	dependent := len(restrict(free, leftCols)) > 0
	ids, rows := p.joinShape(kind, left, right, on)
	var best exec.Node
	if kind != algebra.FullJoin && kind != algebra.AntiNullJoin && !dependent {
		lookup, err := p.lookupJoin(kind, left, side, on, ids, rows)
		if err != nil {
			return nil, err
		}
		if lookup != nil {
			best = lookup
		}
	}
	if !dependent {
		hash, err := p.hashJoin(kind, left, right, on, ids, rows)
		if err != nil {
			return nil, err
		}
		// An index probe also keeps the footprint to what the left rows need: hashing, which reads the whole
		// right side, has to be clearly cheaper.
		if hash != nil && (best == nil || hash.Properties().TotalCost*2 < best.Properties().TotalCost) {
			best = hash
		}
	}
	if p.o.driven && !dependent && kind != algebra.FullJoin && kind != algebra.AntiNullJoin {
		probe, err := p.probe(kind, left, side, on, ids, rows)
		if err != nil {
			return nil, err
		}
		if probe != nil && (best == nil || probe.Properties().TotalCost < best.Properties().TotalCost) {
			best = probe
		}
	}
	if best != nil {
		return best, nil
	}
	cond, err := p.optionalScalar(and(on))
	if err != nil {
		return nil, err
	}
	n := &exec.NestedLoop{Props: p.props(ids, rows), Left: left, Right: right, Kind: kind, On: cond}
	p.cost(n)
	p.orders[n] = p.orders[left]
	return n, nil
}

// probe plans the right side of a join anew for each left row, with the conditions of the join as conditions on it: where
// the right side is more than a table they go down to the indexes of its tables.
func (p *planner) probe(kind algebra.JoinKind, left exec.Node, side joinSide, on []algebra.Scalar, ids []algebra.ColID, rows float64) (exec.Node, error) {
	var down, stay []algebra.Scalar
	for _, c := range on {
		if volatile(c) || hasSubquery(c) {
			stay = append(stay, c)
		} else {
			down = append(down, c)
		}
	}
	if len(down) == 0 {
		return nil, nil
	}
	need := algebra.ColSet{}
	for id := range side.need {
		need.Add(id)
	}
	own := algebra.ColsOf(side.rel.Columns()...)
	for _, c := range stay {
		for id := range restrict(columnsOf(c), own) {
			need.Add(id)
		}
	}
	right, err := p.rel(side.rel, goal{need: need, conds: append(side.conds[:len(side.conds):len(side.conds)], down...)})
	if err != nil {
		return nil, err
	}
	cond, err := p.optionalScalar(and(stay))
	if err != nil {
		return nil, err
	}
	if kind == algebra.InnerJoin || kind == algebra.LeftJoin {
		l := left.Properties().Cols
		ids = append(l[:len(l):len(l)], right.Properties().Cols...)
	}
	n := &exec.NestedLoop{Props: p.props(ids, rows), Left: left, Right: right, Kind: kind, On: cond}
	p.cost(n)
	p.orders[n] = p.orders[left]
	return n, nil
}

// joinShape is the columns of a join and an estimate of its rows.
func (p *planner) joinShape(kind algebra.JoinKind, left, right exec.Node, on []algebra.Scalar) ([]algebra.ColID, float64) {
	l, r := left.Properties(), right.Properties()
	rows := l.Rows * r.Rows
	for _, c := range on {
		if equates(c) {
			rows /= math.Max(1, math.Max(l.Rows, r.Rows))
		} else {
			rows *= p.selectivityOf(c)
		}
	}
	ids := l.Cols
	switch kind {
	case algebra.SemiJoin, algebra.AntiJoin, algebra.AntiNullJoin:
		return ids, math.Max(1, l.Rows/2)
	case algebra.LeftJoin:
		rows = math.Max(rows, l.Rows)
	case algebra.FullJoin:
		rows = math.Max(rows, l.Rows+r.Rows)
	}
	return append(ids[:len(ids):len(ids)], r.Cols...), math.Max(rows, 1)
}

// equalKeys finds the conditions left expression = right expression that a hash table can test.
func equalKeys(on []algebra.Scalar, leftCols, rightCols algebra.ColSet) (lefts, rights, rest []algebra.Scalar, nulls bool) {
	for _, c := range on {
		if d, ok := c.(*algebra.Distinct); ok && d.Not && len(on) == 1 && d.Left.Type() == d.Right.Type() {
			a, b := d.Left, d.Right
			if uses(a, rightCols) {
				a, b = b, a
			}
			if !uses(a, rightCols) && !uses(b, leftCols) && uses(a, leftCols) && uses(b, rightCols) {
				return []algebra.Scalar{a}, []algebra.Scalar{b}, nil, true
			}
		}
		a, b, cmp, ok := compare(c)
		if ok && cmp.strategy == 3 && cmp.hashable && !volatile(c) && !hasSubquery(c) {
			if uses(a, rightCols) {
				a, b = b, a
			}
			if !uses(a, rightCols) && !uses(b, leftCols) && uses(a, leftCols) && uses(b, rightCols) {
				if a2, b2, ok := sameType(a, b); ok {
					lefts, rights = append(lefts, a2), append(rights, b2)
					continue
				}
			}
		}
		rest = append(rest, c)
	}
	return lefts, rights, rest, false
}

// sameType brings both sides of an equality to one type.
func sameType(a, b algebra.Scalar) (algebra.Scalar, algebra.Scalar, bool) {
	if a.Type() == b.Type() {
		return a, b, true
	}
	if x, ok := asKey(a, b.Type()); ok {
		return x, b, true
	}
	if x, ok := asKey(b, a.Type()); ok {
		return a, x, true
	}
	return nil, nil, false
}

func (p *planner) hashJoin(kind algebra.JoinKind, left, right exec.Node, on []algebra.Scalar, ids []algebra.ColID, rows float64) (exec.Node, error) {
	leftCols, rightCols := algebra.ColsOf(left.Properties().Cols...), algebra.ColsOf(right.Properties().Cols...)
	lefts, rights, rest, nulls := equalKeys(on, leftCols, rightCols)
	if len(lefts) == 0 || kind == algebra.AntiNullJoin && len(rest) > 0 {
		return nil, nil
	}
	n := &exec.HashJoin{Props: p.props(ids, rows), Left: left, Right: right, Kind: kind, NullsEqual: nulls}
	var err error
	if n.LeftKeys, err = p.scalars(lefts); err != nil {
		return nil, err
	}
	if n.RightKeys, err = p.scalars(rights); err != nil {
		return nil, err
	}
	if n.On, err = p.optionalScalar(and(rest)); err != nil {
		return nil, err
	}
	l, r := left.Properties(), right.Properties()
	n.BuildLeft = kind == algebra.InnerJoin && l.Rows < r.Rows
	p.cost(n)
	if !n.BuildLeft && kind != algebra.FullJoin {
		p.orders[n] = p.orders[left]
	}
	return n, nil
}

// lookupJoin probes an index of the right side, if it is a table, for each left row.
func (p *planner) lookupJoin(kind algebra.JoinKind, left exec.Node, side joinSide, on []algebra.Scalar, ids []algebra.ColID, rows float64) (exec.Node, error) {
	s, renamed, extra := tableUnder(side.rel)
	if s == nil || s.Table.Virtual != nil || s.Transition != algebra.NoTransition || renamed {
		return nil, nil
	}
	for _, c := range on {
		if hasSubquery(c) || volatile(c) {
			return nil, nil
		}
	}
	own := algebra.ColsOf(s.Columns()...)
	conds := append(append(append([]algebra.Scalar(nil), side.conds...), extra...), on...)
	for _, c := range conds {
		if hasSubquery(c) {
			return nil, nil
		}
	}
	need := algebra.ColSet{}
	for id := range side.need {
		need.Add(id)
	}
	for _, c := range conds {
		for id := range columnsOf(c) {
			if own.Has(id) {
				need.Add(id)
			}
		}
	}
	var cols []algebra.ScanColumn
	for _, c := range s.Cols {
		if need.Has(c.ID) {
			cols = append(cols, c)
		}
	}
	total := p.tableRows(s.Table)
	leftCols := algebra.ColsOf(left.Properties().Cols...)
	var best *path
	consider := func(c *path) {
		if c.bounds == nil || len(c.bounds.Prefix) == 0 {
			return
		}
		// The probe must depend on the left row, or it is a plain scan.
		depends := false
		for _, m := range c.bounds.Prefix {
			for _, v := range m.Values {
				depends = depends || uses(v, leftCols)
			}
			depends = depends || m.Array != nil && uses(m.Array, leftCols)
		}
		if depends && (best == nil || p.better(c, best)) {
			best = c
		}
	}
	g := goal{need: need, conds: conds}
	p.paths(s, cols, g, total, consider)
	if best == nil {
		return nil, nil
	}
	var filter, rest []algebra.Scalar
	for _, c := range conds {
		switch {
		case best.used[c]:
		case uses(c, leftCols):
			rest = append(rest, c)
		default:
			filter = append(filter, c)
		}
	}
	outIDs := left.Properties().Cols
	if kind != algebra.SemiJoin && kind != algebra.AntiJoin {
		outIDs = outIDs[:len(outIDs):len(outIDs)]
		for _, c := range cols {
			outIDs = append(outIDs, c.ID)
		}
	}
	f, err := p.optionalScalar(and(filter))
	if err != nil {
		return nil, err
	}
	onCond, err := p.optionalScalar(and(rest))
	if err != nil {
		return nil, err
	}
	n := &exec.LookupJoin{
		Props: p.props(outIDs, rows), Left: left, Kind: kind, Index: best.index, Bounds: best.bounds, Only: best.only, On: onCond,
		Access: exec.Access{Table: s.Table, Alias: s.Alias, Columns: cols, Footprint: p.footprint(cols), Filter: f},
	}
	if p.o.driven && len(p.orders[left]) == 0 && scansChange(left) {
		n.Sorted = soughtColumns(best.bounds, leftCols)
	}
	l := left.Properties()
	n.StartupCost = l.StartupCost
	perProbe := best.cost
	if kind == algebra.SemiJoin || kind == algebra.AntiJoin {
		perProbe = costProbe * 1.5
	}
	n.TotalCost = l.TotalCost + l.Rows*perProbe + rows*costRow
	p.orders[n] = p.orders[left]
	return n, nil
}

// scansChange reports whether a plan reads changed rows.
func scansChange(n exec.Node) bool {
	if _, ok := n.(*exec.TransitionScan); ok {
		return true
	}
	return slices.ContainsFunc(n.Inputs(), scansChange)
}

// soughtColumns are columns whose values a probe looks for.
func soughtColumns(b *exec.Bounds, of algebra.ColSet) (keys []algebra.SortKey) {
	for _, m := range b.Prefix {
		if len(m.Values) != 1 {
			continue
		}
		if c, ok := m.Values[0].(*algebra.Col); ok && of.Has(c.ID) {
			keys = append(keys, algebra.SortKey{ID: c.ID})
		}
	}
	return keys
}

// tableUnder finds the scan that a relation is, under filters and projections that only pass columns on.
func tableUnder(r algebra.Rel) (s *algebra.Scan, renamed bool, conds []algebra.Scalar) {
	for {
		switch x := r.(type) {
		case *algebra.Scan:
			return x, renamed, conds
		case *algebra.Filter:
			if volatile(x.Cond) {
				return nil, false, nil
			}
			conds = conjuncts(conds, x.Cond)
			r = x.Input
		case *algebra.Project:
			for _, it := range x.Items {
				if c, ok := it.Expr.(*algebra.Col); !ok || c.ID != it.ID {
					return nil, true, nil
				}
			}
			r = x.Input
		default:
			return nil, false, nil
		}
	}
}
