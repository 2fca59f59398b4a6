package optimize

import (
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// override plans relations in another way; tests put their reference planner here.
var override func(p *planner, r algebra.Rel, g goal) (exec.Node, bool, error)

// rel plans a relation. The node it returns produces at least the needed columns, and only rows that fulfil
// the conditions of the goal.
func (p *planner) rel(r algebra.Rel, g goal) (exec.Node, error) {
	if err := p.ctx.Err(); err != nil {
		return nil, err
	}
	if override != nil {
		if n, done, err := override(p, r, g); done {
			return n, err
		}
	}
	switch r := r.(type) {
	case *algebra.Scan:
		return p.scan(r, g)
	case *algebra.Values:
		return p.values(r, g)
	case *algebra.External:
		n := &exec.External{Props: p.props(r.Cols, 1000), Source: r.Next}
		return p.filter(n, g.conds)
	case *algebra.Filter:
		return p.filtered(r, g)
	case *algebra.Project:
		return p.project(r, g)
	case *algebra.Join:
		return p.join(r, g)
	case *algebra.Aggregate:
		return p.aggregate(r, g)
	case *algebra.DistinctRows:
		return p.distinct(r, g)
	case *algebra.Sort:
		return p.sort(r, g)
	case *algebra.Limit:
		return p.limit(r, g)
	case *algebra.SetOp:
		return p.setOp(r, g)
	case *algebra.CTEScan:
		return p.cteScan(r, g)
	case *algebra.Recurse:
		return nil, errs.Unsupported("recursion outside of a WITH query")
	case *algebra.FuncScan:
		return p.funcScan(r, g)
	case *algebra.ProjectSet:
		return p.projectSet(r, g)
	case *algebra.Window:
		return p.window(r, g)
	case *algebra.Accumulated:
		return p.accumulated(r, g)
	case *algebra.LockRows:
		return p.lockRows(r, g)
	case *algebra.Insert:
		return p.insert(r)
	case *algebra.Update:
		return p.update(r)
	case *algebra.Delete:
		return p.delete(r)
	}
	return nil, errs.New(errs.InternalError, "no plan for %T", r)
}

// filtered plans a Filter: its condition joins those from above.
func (p *planner) filtered(r *algebra.Filter, g goal) (exec.Node, error) {
	conds := conjuncts(append([]algebra.Scalar(nil), g.conds...), r.Cond)
	// A volatile condition stays where it is, over the rows it was written for.
	var stay, go_ []algebra.Scalar
	for _, c := range conds {
		if volatile(c) {
			stay = append(stay, c)
		} else {
			go_ = append(go_, c)
		}
	}
	if len(stay) > 0 {
		below := g
		below.conds = go_
		below.need = algebra.ColSet{}
		for id := range g.all(r) {
			below.need.Add(id)
		}
		for _, c := range stay {
			algebra.ScalarColumns(c, below.need)
		}
		n, err := p.rel(r.Input, below)
		if err != nil {
			return nil, err
		}
		return p.filter(n, stay)
	}
	below := g
	if g.need == nil {
		below.need = algebra.ColsOf(r.Columns()...)
	}
	input := r.Input
	var kept []algebra.Scalar
	for _, c := range conds {
		if joined, ok := p.unnest(input, c); ok {
			input = joined
			continue
		}
		kept = append(kept, c)
	}
	below.conds = kept
	return p.rel(input, below)
}

func (p *planner) values(r *algebra.Values, g goal) (exec.Node, error) {
	n := &exec.Values{Props: p.props(r.Cols, float64(len(r.Rows)))}
	for _, row := range r.Rows {
		out, err := p.scalars(row)
		if err != nil {
			return nil, err
		}
		n.Values = append(n.Values, out)
	}
	p.cost(n)
	return p.filter(n, g.conds)
}

// project plans a Project. Conditions over its results go below it, written over what they are computed from.
func (p *planner) project(r *algebra.Project, g goal) (exec.Node, error) {
	made := map[algebra.ColID]algebra.Scalar{}
	for _, it := range r.Items {
		if c, ok := it.Expr.(*algebra.Col); !ok || c.ID != it.ID {
			made[it.ID] = it.Expr
		}
	}
	var above, below []algebra.Scalar
	for _, c := range g.conds {
		down, ok := p.substitute(c, made)
		if ok {
			below = append(below, down)
		} else {
			above = append(above, c)
		}
	}
	need := algebra.ColSet{}
	outer := g
	outer.conds = above
	wanted := outer.all(r)
	var items []algebra.Item
	for _, it := range r.Items {
		if wanted.Has(it.ID) || volatile(it.Expr) {
			items = append(items, it)
			algebra.ScalarColumns(it.Expr, need)
		}
	}
	// The order hoped for is one of the input's if it is by columns passed on or renamed.
	var order []algebra.SortKey
	for _, k := range g.order {
		if e, ok := made[k.ID]; ok {
			c, isCol := strip(e).(*algebra.Col)
			if !isCol {
				order = nil
				break
			}
			k.ID = c.ID
		}
		order = append(order, k)
	}
	if len(order) != len(g.order) {
		order = nil
	}
	in, err := p.rel(r.Input, goal{need: need, conds: below, order: order, limit: g.limit})
	if err != nil {
		return nil, err
	}
	ids := make([]algebra.ColID, len(items))
	out := make([]algebra.Item, len(items))
	same := len(items) == len(in.Properties().Cols)
	for i, it := range items {
		e, err := p.scalar(it.Expr)
		if err != nil {
			return nil, err
		}
		ids[i], out[i] = it.ID, algebra.Item{ID: it.ID, Expr: e}
		if same && in.Properties().Cols[i] != it.ID {
			same = false
		}
		if c, ok := e.(*algebra.Col); !ok || c.ID != it.ID {
			same = false
		}
	}
	n := in
	if !same {
		n = &exec.Project{Props: p.props(ids, in.Properties().Rows), Input: in, Items: out}
		p.cost(n)
		// What is passed on keeps its order, under its new names.
		renamed := map[algebra.ColID]algebra.ColID{}
		for _, it := range out {
			if c, ok := strip(it.Expr).(*algebra.Col); ok {
				renamed[c.ID] = it.ID
			}
		}
		for _, k := range p.orders[in] {
			id, ok := renamed[k.ID]
			if !ok {
				break
			}
			k.ID = id
			p.orders[n] = append(p.orders[n], k)
		}
	}
	return p.filter(n, above)
}

// substitute writes a condition over the inputs of a Project, unless that would evaluate something volatile
// or costly more often.
func (p *planner) substitute(cond algebra.Scalar, made map[algebra.ColID]algebra.Scalar) (algebra.Scalar, bool) {
	ok := true
	for id := range columnsOf(cond) {
		if e, isMade := made[id]; isMade && (volatile(e) || hasSubquery(e)) {
			ok = false
		}
	}
	if !ok || hasSubquery(cond) && len(made) > 0 && usesMade(cond, made) {
		return nil, false
	}
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		if c, isCol := s.(*algebra.Col); isCol {
			if e, isMade := made[c.ID]; isMade {
				return e, true
			}
		}
		return nil, false
	}}
	return w.RewriteScalar(cond), true
}

func usesMade(s algebra.Scalar, made map[algebra.ColID]algebra.Scalar) bool {
	for id := range columnsOf(s) {
		if _, ok := made[id]; ok {
			return true
		}
	}
	return false
}

// aggregate plans an Aggregate. Conditions on its keys alone go below.
func (p *planner) aggregate(r *algebra.Aggregate, g goal) (exec.Node, error) {
	made := algebra.ColSet{}
	for i := range r.Aggs {
		made.Add(r.Aggs[i].ID)
	}
	if n, err := p.extremes(r, g); n != nil || err != nil {
		return n, err
	}
	var below, above []algebra.Scalar
	if len(r.Keys) > 0 {
		below, above = split(g.conds, made)
	} else {
		above = g.conds
	}
	outer := g
	outer.conds = above
	wanted := outer.all(r)
	need := algebra.ColsOf(r.Keys...)
	var aggs []algebra.Agg
	ids := append([]algebra.ColID(nil), r.Keys...)
	for _, a := range r.Aggs {
		if !wanted.Has(a.ID) {
			continue
		}
		for _, e := range a.Args {
			algebra.ScalarColumns(e, need)
		}
		for _, e := range a.OrderArgs {
			algebra.ScalarColumns(e, need)
		}
		for _, k := range a.OrderBy {
			if len(a.OrderArgs) == 0 {
				need.Add(k.ID)
			}
		}
		if a.Filter != nil {
			algebra.ScalarColumns(a.Filter, need)
		}
		out := a
		var err error
		if out.Args, err = p.scalars(a.Args); err != nil {
			return nil, err
		}
		if out.OrderArgs, err = p.scalars(a.OrderArgs); err != nil {
			return nil, err
		}
		if a.Filter != nil {
			if out.Filter, err = p.scalar(a.Filter); err != nil {
				return nil, err
			}
		}
		aggs = append(aggs, out)
		ids = append(ids, a.ID)
	}
	in, err := p.rel(r.Input, goal{need: need, conds: below})
	if err != nil {
		return nil, err
	}
	var n exec.Node
	if len(r.Keys) == 0 {
		n = &exec.OrderedAggregate{Props: p.props(ids, 1), Input: in, Aggs: aggs}
	} else {
		rows := p.groups(r.Keys, in)
		if grouped(p.orders[in], r.Keys) {
			exec.KeepOrder(in)
			n = &exec.OrderedAggregate{Props: p.props(ids, rows), Input: in, Keys: r.Keys, Aggs: aggs}
			p.orders[n] = p.orders[in][:len(r.Keys)]
		} else {
			n = &exec.HashAggregate{Props: p.props(ids, rows), Input: in, Keys: r.Keys, Aggs: aggs}
		}
	}
	p.cost(n)
	return p.filter(n, above)
}

// grouped reports whether rows in an order have equal keys side by side.
func grouped(order []algebra.SortKey, keys []algebra.ColID) bool {
	if len(order) < len(keys) {
		return false
	}
	set := algebra.ColsOf(keys...)
	for _, k := range order[:len(keys)] {
		if !set.Has(k.ID) {
			return false
		}
	}
	return true
}

func (p *planner) distinct(r *algebra.DistinctRows, g goal) (exec.Node, error) {
	if r.On == nil {
		in, err := p.rel(r.Input, goal{conds: g.conds, order: g.order})
		if err != nil {
			return nil, err
		}
		in = p.arrange(in, r.Input.Columns())
		props := p.props(r.Input.Columns(), p.groups(r.Input.Columns(), in))
		n := &exec.Distinct{Props: props, Input: in, Sorted: grouped(p.orders[in], props.Cols)}
		if n.Sorted {
			exec.KeepOrder(in)
		}
		p.cost(n)
		p.orders[n] = p.orders[in]
		return n, nil
	}
	// Conditions must see the rows that were kept: only those on the On columns may go below.
	others := algebra.ColSet{}
	on := algebra.ColsOf(r.On...)
	for _, id := range r.Columns() {
		if !on.Has(id) {
			others.Add(id)
		}
	}
	below, above := split(g.conds, others)
	outer := g
	outer.conds = above
	need := outer.all(r)
	need.Add(r.On...)
	in, err := p.rel(r.Input, goal{need: need, conds: below})
	if err != nil {
		return nil, err
	}
	if !grouped(p.orders[in], r.On) && len(r.On) > 0 {
		keys := make([]algebra.SortKey, len(r.On))
		for i, id := range r.On {
			keys[i].ID = id
		}
		in = p.sorted(in, keys)
	}
	exec.KeepOrder(in)
	props := *in.Properties()
	props.Rows = p.groups(r.On, in)
	n := &exec.DistinctOn{Props: props, Input: in, On: r.On}
	p.cost(n)
	p.orders[n] = p.orders[in]
	return p.filter(n, above)
}

func (p *planner) sort(r *algebra.Sort, g goal) (exec.Node, error) {
	need := g.all(r)
	for _, k := range r.Keys {
		need.Add(k.ID)
	}
	in, err := p.rel(r.Input, goal{need: need, conds: g.conds, order: r.Keys, limit: g.limit})
	if err != nil {
		return nil, err
	}
	return p.sorted(in, r.Keys), nil
}

// sorted puts a Sort on a node unless its rows are in that order already.
func (p *planner) sorted(in exec.Node, keys []algebra.SortKey) exec.Node {
	if ordered(p.orders[in], keys) {
		exec.KeepOrder(in)
		return in
	}
	n := &exec.Sort{Props: *in.Properties(), Input: in, Keys: keys}
	p.cost(n)
	p.orders[n] = keys
	return n
}

// ordered reports whether rows in one order are in another too.
func ordered(have, want []algebra.SortKey) bool {
	seen := algebra.ColSet{}
	i := 0
	for _, k := range want {
		if seen.Has(k.ID) {
			continue // equal already
		}
		seen.Add(k.ID)
		if i >= len(have) || have[i] != k {
			return false
		}
		i++
	}
	return true
}

func (p *planner) limit(r *algebra.Limit, g goal) (exec.Node, error) {
	count, err := p.optionalScalar(r.Count)
	if err != nil {
		return nil, err
	}
	offset, err := p.optionalScalar(r.Offset)
	if err != nil {
		return nil, err
	}
	wanted := 0.0
	if r.Count != nil {
		wanted = p.constant(r.Count, 10)
		if r.Offset != nil {
			wanted += p.constant(r.Offset, 10)
		}
	}
	need := g.all(r)
	if s, ok := r.Input.(*algebra.Sort); ok && r.Count != nil {
		for _, k := range s.Keys {
			need.Add(k.ID)
		}
		in, err := p.rel(s.Input, goal{need: need, order: s.Keys, limit: wanted})
		if err != nil {
			return nil, err
		}
		if !ordered(p.orders[in], s.Keys) || r.WithTies {
			props := *in.Properties()
			props.Rows = min(props.Rows, wanted)
			n := &exec.TopK{Props: props, Input: in, Keys: s.Keys, Count: count, Offset: offset, WithTies: r.WithTies}
			p.cost(n)
			p.orders[n] = s.Keys
			return p.filter(n, g.conds)
		}
		exec.KeepOrder(in)
		return p.filter(p.limited(in, count, offset, wanted), g.conds)
	}
	in, err := p.rel(r.Input, goal{need: need, limit: wanted})
	if err != nil {
		return nil, err
	}
	return p.filter(p.limited(in, count, offset, wanted), g.conds)
}

func (p *planner) limited(in exec.Node, count, offset algebra.Scalar, wanted float64) exec.Node {
	props := *in.Properties()
	if count != nil {
		props.Rows = min(props.Rows, wanted)
	}
	n := &exec.Limit{Props: props, Input: in, Count: count, Offset: offset}
	p.cost(n)
	p.orders[n] = p.orders[in]
	return n
}

func (p *planner) setOp(r *algebra.SetOp, g goal) (exec.Node, error) {
	side := func(in algebra.Rel) (exec.Node, error) {
		from := in.Columns()
		made := map[algebra.ColID]algebra.Scalar{}
		for i, id := range r.Cols {
			made[id] = p.col(from[i])
		}
		var conds []algebra.Scalar
		for _, c := range g.conds {
			if down, ok := p.substitute(c, made); ok {
				conds = append(conds, down)
			}
		}
		n, err := p.rel(in, goal{conds: conds, need: algebra.ColsOf(from...)})
		if err != nil {
			return nil, err
		}
		return p.arrange(n, from), nil
	}
	var stay []algebra.Scalar
	made := map[algebra.ColID]algebra.Scalar{}
	for i, id := range r.Cols {
		made[id] = p.col(r.Left.Columns()[i])
	}
	for _, c := range g.conds {
		if _, ok := p.substitute(c, made); !ok {
			stay = append(stay, c)
		}
	}
	left, err := side(r.Left)
	if err != nil {
		return nil, err
	}
	right, err := side(r.Right)
	if err != nil {
		return nil, err
	}
	a, b := left.Properties().Rows, right.Properties().Rows
	var n exec.Node
	switch {
	case r.Kind == algebra.Union && r.All:
		n = &exec.Append{Props: p.props(r.Cols, a+b), Children: []exec.Node{left, right}}
	case r.Kind == algebra.Union:
		n = &exec.SetOp{Props: p.props(r.Cols, (a+b)*0.9), Kind: r.Kind, Left: left, Right: right}
	case r.Kind == algebra.Intersect:
		n = &exec.SetOp{Props: p.props(r.Cols, min(a, b)*0.5), Kind: r.Kind, All: r.All, Left: left, Right: right}
	default:
		n = &exec.SetOp{Props: p.props(r.Cols, a*0.5), Kind: r.Kind, All: r.All, Left: left, Right: right}
	}
	p.cost(n)
	return p.filter(n, stay)
}

func (p *planner) cteScan(r *algebra.CTEScan, g goal) (exec.Node, error) {
	c, err := p.cte(r.CTE)
	if err != nil {
		return nil, err
	}
	rows := 100.0
	if c.Plan != nil { // within its own recursion it is not planned yet
		rows = c.Plan.Properties().Rows
	}
	n := &exec.CTEScan{Props: p.props(r.Cols, rows), CTE: c, Alias: r.Alias, Working: r.Working}
	if len(g.conds) > 0 {
		if n.Filter, err = p.scalar(and(g.conds)); err != nil {
			return nil, err
		}
		n.Rows *= p.selectivity(g.conds)
	}
	p.cost(n)
	return n, nil
}

func (p *planner) recurse(r *algebra.Recurse, c *exec.CTE) (exec.Node, error) {
	base, err := p.rel(r.Base, goal{})
	if err != nil {
		return nil, err
	}
	base = p.arrange(base, r.Base.Columns())
	step, err := p.rel(r.Step, goal{})
	if err != nil {
		return nil, err
	}
	step = p.arrange(step, r.Step.Columns())
	n := &exec.Recurse{Props: p.props(r.Cols, base.Properties().Rows*10), CTE: c, Base: base, Step: step, All: r.All}
	p.cost(n)
	return n, nil
}

func (p *planner) funcScan(r *algebra.FuncScan, g goal) (exec.Node, error) {
	n := &exec.FuncScan{Props: p.props(r.Columns(), 1000), Ordinality: r.Ordinality != 0, Alias: r.Alias}
	scalarOnly := true
	for _, c := range r.Calls {
		call, err := p.scalar(c.Call)
		if err != nil {
			return nil, err
		}
		if f, ok := call.(*algebra.Call); ok && f.Func.ReturnsSet {
			scalarOnly = false
			if f.Func.Name == "generate_series" && len(f.Args) >= 2 && f.Args[0].Type().Rep == types.RepInt {
				n.Rows = max(1, p.constant(f.Args[1], 1000)-p.constant(f.Args[0], 0)+1)
			}
		}
		n.Calls = append(n.Calls, &algebra.FuncCall{Call: call, Cols: c.Cols})
	}
	if scalarOnly {
		n.Rows = 1
	}
	if len(g.conds) > 0 {
		var err error
		if n.Filter, err = p.scalar(and(g.conds)); err != nil {
			return nil, err
		}
		n.Rows *= p.selectivity(g.conds)
	}
	p.cost(n)
	return n, nil
}

func (p *planner) projectSet(r *algebra.ProjectSet, g goal) (exec.Node, error) {
	made := algebra.ColSet{}
	need := algebra.ColSet{}
	for _, it := range r.Items {
		made.Add(it.ID)
		algebra.ScalarColumns(it.Expr, need)
	}
	below, above := split(g.conds, made)
	outer := g
	outer.conds = above
	for id := range outer.all(r) {
		if !made.Has(id) {
			need.Add(id)
		}
	}
	in, err := p.rel(r.Input, goal{need: need, conds: below})
	if err != nil {
		return nil, err
	}
	ids := append([]algebra.ColID(nil), in.Properties().Cols...)
	n := &exec.ProjectSet{Input: in}
	for _, it := range r.Items {
		e, err := p.scalar(it.Expr)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, algebra.Item{ID: it.ID, Expr: e})
		ids = append(ids, it.ID)
	}
	n.Props = p.props(ids, in.Properties().Rows*10)
	p.cost(n)
	return p.filter(n, above)
}

func (p *planner) window(r *algebra.Window, g goal) (exec.Node, error) {
	partition := algebra.ColsOf(r.Partition...)
	others := algebra.ColSet{}
	for _, id := range r.Columns() {
		if !partition.Has(id) {
			others.Add(id)
		}
	}
	below, above := split(g.conds, others)
	outer := g
	outer.conds = above
	need := algebra.ColsOf(r.Partition...)
	made := algebra.ColSet{}
	var fs []algebra.WindowFunc
	for _, f := range r.Funcs {
		made.Add(f.ID)
		for _, e := range append([]algebra.Scalar{f.Filter, f.Frame.StartOffset, f.Frame.EndOffset}, f.Args...) {
			if e != nil {
				algebra.ScalarColumns(e, need)
			}
		}
		var err error
		if f.Args, err = p.scalars(f.Args); err != nil {
			return nil, err
		}
		for _, e := range []*algebra.Scalar{&f.Filter, &f.Frame.StartOffset, &f.Frame.EndOffset} {
			if *e, err = p.optionalScalar(*e); err != nil {
				return nil, err
			}
		}
		fs = append(fs, f)
	}
	keys := make([]algebra.SortKey, 0, len(r.Partition)+len(r.OrderBy))
	for _, id := range r.Partition {
		keys = append(keys, algebra.SortKey{ID: id})
	}
	for _, k := range r.OrderBy {
		need.Add(k.ID)
		keys = append(keys, k)
	}
	for id := range outer.all(r) {
		if !made.Has(id) {
			need.Add(id)
		}
	}
	in, err := p.rel(r.Input, goal{need: need, conds: below, order: keys})
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		in = p.sorted(in, keys)
	}
	ids := append([]algebra.ColID(nil), in.Properties().Cols...)
	for _, f := range fs {
		ids = append(ids, f.ID)
	}
	n := &exec.Window{Props: p.props(ids, in.Properties().Rows), Input: in, Partition: r.Partition, OrderBy: r.OrderBy, Funcs: fs}
	p.cost(n)
	p.orders[n] = p.orders[in]
	return p.filter(n, above)
}

func (p *planner) lockRows(r *algebra.LockRows, g goal) (exec.Node, error) {
	need := g.all(r)
	for _, l := range r.Locks {
		need.Add(l.Key)
	}
	in, err := p.rel(r.Input, goal{need: need, conds: g.conds, order: g.order, limit: g.limit})
	if err != nil {
		return nil, err
	}
	n := &exec.LockRows{Props: *in.Properties(), Input: in, Locks: r.Locks}
	p.cost(n)
	p.orders[n] = p.orders[in]
	return n, nil
}
