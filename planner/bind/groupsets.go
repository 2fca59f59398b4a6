package bind

import (
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// GROUPING SETS, ROLLUP and CUBE. The rows to be grouped become a WITH query that is evaluated once; each set
// is an Aggregate over it, and all their rows together are the result. A key that is not in a set is NULL in
// its rows, and so every key is a column of its own there and not the column it is made from.

// maxGroupingSets and maxCube are PostgreSQL's limits.
const (
	maxGroupingSets = 4096
	maxCube         = 12
)

// groupNode is an item of GROUP BY.
type groupNode struct {
	kind    string // as in ast.GroupItem
	targets []*target
	items   []*groupNode
}

// groupingCall is GROUPING(..): which of its arguments are not in the set that a row comes from, as bits.
type groupingCall struct {
	id   algebra.ColID
	args []scalar
	at   []int
}

// grouping binds GROUPING(..).
func (s *scope) groupingCall(e *ast.Grouping) scalar {
	b := s.b
	if len(e.Args) > 31 {
		b.fail(e.Pos(), errs.TooManyArguments, "GROUPING must have fewer than 32 arguments")
	}
	if where := clauseRules[s.clause].noAggs; where != "" {
		b.fail(e.Pos(), errs.GroupingError, "grouping operations are not allowed in %s", where)
	}
	c := &groupingCall{args: s.exprs(e.Args)}
	for _, a := range e.Args {
		c.at = append(c.at, loc(a))
	}
	c.id = b.newCol(algebra.Column{Name: "grouping", T: noMod(types.Int4)}, colInfo{scope: s, kind: groupingCol, grouping: c})
	s.groupings = append(s.groupings, c)
	return b.col(c.id, e.Pos())
}

// groupNode binds an item of GROUP BY.
func (x *selecting) groupNode(g *ast.GroupItem) *groupNode {
	n := &groupNode{kind: g.Kind}
	if g.Kind == "" {
		n.targets = x.groupTargets(nil, g.Expr)
		return n
	}
	for _, it := range g.Items {
		n.items = append(n.items, x.groupNode(it))
	}
	if g.Kind == "cube" && len(n.items) > maxCube {
		x.b.fail(g.Pos(), errs.TooManyColumns, "CUBE is limited to %d elements", maxCube)
	}
	return n
}

// groupTargets are the columns that an expression of GROUP BY means: several of a row without ROW.
func (x *selecting) groupTargets(list []*target, e ast.Expr) []*target {
	if r, ok := e.(*ast.Row); ok && !r.Explicit {
		for _, f := range r.Fields {
			list = x.groupTargets(list, f)
		}
		return list
	}
	t := x.findTarget(e, inGroupBy)
	t.expr = x.b.known(t.expr)
	x.b.needEquality(t.expr.Type(), loc(e))
	if !hasTarget(x.group, t) {
		x.group = append(x.group, t)
	}
	return append(list, t)
}

// expand lists the sets that an item stands for.
func (x *selecting) expand(n *groupNode) [][]*target {
	var out [][]*target
	switch n.kind {
	case "":
		return [][]*target{n.targets}
	case "empty":
		return [][]*target{nil}
	case "rollup":
		for k := len(n.items); k >= 0; k-- {
			var set []*target
			for _, it := range n.items[:k] {
				set = append(set, it.targets...)
			}
			out = append(out, set)
		}
	case "cube":
		for bits := 1<<len(n.items) - 1; bits >= 0; bits-- {
			var set []*target
			for k, it := range n.items {
				if bits&(1<<(len(n.items)-1-k)) != 0 {
					set = append(set, it.targets...)
				}
			}
			out = append(out, set)
		}
	default:
		for _, it := range n.items {
			out = append(out, x.expand(it)...)
		}
	}
	return out
}

// groupingSets are the sets of a GROUP BY: of several items, every combination of theirs.
func (x *selecting) groupingSets(nodes []*groupNode, distinct bool) [][]*target {
	sets := [][]*target{nil}
	for _, n := range nodes {
		var next [][]*target
		for _, set := range sets {
			for _, more := range x.expand(n) {
				next = append(next, append(set[:len(set):len(set)], more...))
				if len(next) > maxGroupingSets {
					x.b.fail(-1, errs.StatementTooComplex, "too many grouping sets present (maximum %d)", maxGroupingSets)
				}
			}
		}
		sets = next
	}
	if !distinct {
		return sets
	}
	var out [][]*target
	for _, set := range sets {
		again := false
		for _, other := range out {
			again = again || sameTargets(set, other)
		}
		if !again {
			out = append(out, set)
		}
	}
	return out
}

func sameTargets(a, b []*target) bool {
	for _, t := range a {
		if !hasTarget(b, t) {
			return false
		}
	}
	for _, t := range b {
		if !hasTarget(a, t) {
			return false
		}
	}
	return true
}

// bits are the value of a GROUPING call for rows of a set.
func (x *selecting) bits(c *groupingCall, set []*target, keys map[*target]scalar) int64 {
	var bits int64
	for i, a := range c.args {
		found := false
		for _, t := range set {
			found = found || algebra.Equal(keys[t], a)
		}
		if !found {
			bits |= 1 << (len(c.args) - 1 - i)
		}
	}
	return bits
}

// checkGroupings refuses arguments of GROUPING that are not grouped by.
func (x *selecting) checkGroupings(keys map[*target]scalar) {
	for _, c := range x.groupings {
		for i, a := range c.args {
			found := false
			for _, k := range keys {
				found = found || algebra.Equal(k, a)
			}
			if !found {
				x.b.fail(c.at[i], errs.GroupingError, "arguments to GROUPING must be grouping expressions of the associated query level")
			}
		}
	}
}

// aggregateSets makes one Aggregate for each set over the rows of rel, and puts their rows together. computed
// are the keys as columns of rel, by target; the results go under keys and the aggregates' own columns.
func (x *selecting) aggregateSets(rel algebra.Rel, computed map[*target]algebra.ColID, keys map[*target]algebra.ColID, exprs map[*target]scalar) algebra.Rel {
	b := x.b
	free := algebra.ColSet{}
	algebra.FreeColumns(rel, free)
	if len(free) > 0 {
		b.unsupported(-1, "GROUPING SETS in a query that depends on the rows of another")
	}
	input := &algebra.CTE{Name: "rows to group", Rel: rel}
	b.q.CTEs = append(b.q.CTEs, input)
	from := rel.Columns()
	var cols []algebra.ColID
	for _, t := range x.group {
		cols = append(cols, keys[t])
	}
	for _, a := range x.aggs {
		cols = append(cols, a.ID)
	}
	for _, c := range x.groupings {
		cols = append(cols, c.id)
	}
	fresh := func(id algebra.ColID) algebra.ColID {
		return b.newCol(*b.q.Column(id), colInfo{scope: x.scope, kind: outputCol})
	}
	var out algebra.Rel
	for n, set := range x.groupSets {
		scan := &algebra.CTEScan{CTE: input, Alias: input.Name}
		to := map[algebra.ColID]algebra.ColID{}
		for _, id := range from {
			to[id] = fresh(id)
			scan.Cols = append(scan.Cols, to[id])
		}
		r := renumber(to)
		agg := &algebra.Aggregate{Input: scan}
		p := &algebra.Project{Input: agg}
		for _, t := range x.group {
			e := scalar(nullOf(b.q.Column(keys[t]).T))
			if hasTarget(set, t) {
				key := to[computed[t]]
				agg.Keys = append(agg.Keys, key)
				e = b.col(key, -1)
			}
			p.Items = append(p.Items, algebra.Item{ID: fresh(keys[t]), Expr: e})
		}
		for _, a := range x.aggs {
			c := *a
			c.ID = fresh(a.ID)
			c.Args, c.OrderArgs, c.Filter = rewriteAll(r, a.Args), rewriteAll(r, a.OrderArgs), r.RewriteScalar(a.Filter)
			agg.Aggs = append(agg.Aggs, c)
			p.Items = append(p.Items, algebra.Item{ID: c.ID, Expr: b.col(c.ID, -1)})
		}
		for _, c := range x.groupings {
			v := &algebra.Const{T: noMod(types.Int4), Value: types.NewInt(x.bits(c, set, exprs))}
			p.Items = append(p.Items, algebra.Item{ID: fresh(c.id), Expr: v})
		}
		if out == nil {
			out = p
			continue
		}
		union := &algebra.SetOp{Kind: algebra.Union, All: true, Left: out, Right: p}
		if n == len(x.groupSets)-1 {
			union.Cols = cols
		} else {
			for _, id := range cols {
				union.Cols = append(union.Cols, fresh(id))
			}
		}
		out = union
	}
	return out
}

func rewriteAll(r *algebra.Rewriter, list []scalar) []scalar {
	if list == nil {
		return nil
	}
	out := make([]scalar, len(list))
	for i, e := range list {
		out[i] = r.RewriteScalar(e)
	}
	return out
}

// groupNode prints an item of GROUP BY as ruleutils does.
func (p *printer) groupNode(n *groupNode, bare bool) {
	switch n.kind {
	case "empty":
		p.s("()")
		return
	case "":
		bare = bare && len(n.targets) == 1
		if !bare {
			p.s("(")
		}
		for i, t := range n.targets {
			if i > 0 {
				p.s(", ")
			}
			p.sortExpr(t.plain)
		}
		if !bare {
			p.s(")")
		}
		return
	case "rollup":
		p.s("ROLLUP(")
	case "cube":
		p.s("CUBE(")
	default:
		p.s("GROUPING SETS (")
	}
	for i, it := range n.items {
		if i > 0 {
			p.s(", ")
		}
		p.groupNode(it, n.kind != "sets")
	}
	p.s(")")
}
