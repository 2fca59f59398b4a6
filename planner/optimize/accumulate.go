package optimize

import (
	"context"
	"slices"

	"holdfast/assertions"
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// Accumulators of assertions: which of them there are follows from the condition and the schema; where they are kept is in the catalog.

// definitionsForm is that of the definitions' texts. What is kept under another form is never found again, and so neither written nor
// read: it is to be changed whenever definitions come to mean something else.
const definitionsForm = "1: "

func definitionText(d *assertions.Definition) string { return definitionsForm + d.Text() }

// storageOf finds where an accumulator is kept that checks of an assertion can use: of its own, or of another that needs the same.
func storageOf(ctx context.Context, o Options, a *catalog.Assertion) func(d *assertions.Definition) catalog.StorageID {
	return func(d *assertions.Definition) catalog.StorageID {
		text := definitionText(d)
		for _, k := range a.Accumulators {
			if k.Definition == text {
				return k.Storage
			}
		}
		id, err := KeptElsewhere(ctx, o, a, d.Table.OID, text)
		if err != nil {
			return 0 // its rows are looked at
		}
		return id
	}
}

// KeptElsewhere finds what an assertion needs among what is kept for others, 0 if it is not. It is in the catalog with one of those that
// need it, which is enough to have it written: so what is not derived any more from the condition it came from is not found.
func KeptElsewhere(ctx context.Context, o Options, a *catalog.Assertion, table catalog.OID, definition string) (catalog.StorageID, error) {
	for _, other := range o.Snapshot.AssertionsOn(table) {
		if other.OID == a.OID || !slices.ContainsFunc(other.Accumulators, func(k catalog.Accumulator) bool { return k.Definition == definition }) {
			continue
		}
		kept, err := Kept(ctx, o, other)
		if err != nil {
			return 0, err
		}
		for _, x := range kept {
			if x.Definition == definition {
				return x.Storage, nil
			}
		}
	}
	return 0, nil
}

// Definitions are the accumulators that checks of an assertion can use.
func Definitions(ctx context.Context, o Options, a *catalog.Assertion) ([]*exec.Accumulator, error) {
	cond, err := assertions.Condition(a.Condition)
	if err != nil {
		return nil, err
	}
	c := &ruleCompiler{o: o}
	var list []*exec.Accumulator
	known := map[string]bool{}
	for _, v := range assertions.Violations(cond) {
		q, err := c.bind(ctx, v)
		if err != nil {
			return nil, err
		}
		for i, occurrence := range assertions.NewDelta(q).Occurrences() {
			if occurrence.Full != "" {
				continue
			}
			over, err := c.bind(ctx, v)
			if err != nil {
				return nil, err
			}
			assertions.Show(over)
			assertions.NewDelta(over).Over(i)
			var found []*assertions.Definition
			ok := assertions.Accumulate(over, func(d *assertions.Definition) catalog.StorageID {
				found = append(found, d)
				return 1
			})
			if !ok {
				continue
			}
			for _, d := range found {
				text := definitionText(d)
				if known[text] {
					continue
				}
				known[text] = true
				x := &exec.Accumulator{Definition: text, Table: d.Table, Filter: d.Filter, Keys: d.Keys}
				for _, arg := range d.Args {
					x.Args = append(x.Args, exec.AccumulatorArg{Expr: arg.Expr, Sum: arg.Sum})
				}
				list = append(list, x)
			}
		}
	}
	return list, nil
}

type accumulatorsKey struct{ assertion catalog.OID }

// Kept are the accumulators that an assertion has itself.
func Kept(ctx context.Context, o Options, a *catalog.Assertion) ([]*exec.Accumulator, error) {
	if len(a.Accumulators) == 0 {
		return nil, nil
	}
	made, err := o.Snapshot.Memo(accumulatorsKey{a.OID}, func() (any, error) {
		o.Ctx = nil // they are shared by sessions
		list, err := Definitions(ctx, o, a)
		if err != nil {
			return nil, err
		}
		var kept []*exec.Accumulator
		for _, k := range a.Accumulators {
			for _, x := range list {
				if x.Definition == k.Definition {
					x := *x
					x.Storage = k.Storage
					kept = append(kept, &x)
				}
			}
		}
		return kept, nil
	})
	if err != nil {
		return nil, err
	}
	return made.([]*exec.Accumulator), nil
}

// accumulators are what writers of a table keep for assertions.
func (p *planner) accumulators(t *catalog.Table) ([]*exec.Accumulator, error) {
	s := p.o.Snapshot
	if s == nil {
		return nil, nil
	}
	var out []*exec.Accumulator
	for _, a := range s.AssertionsOn(t.OID) {
		list, err := Kept(p.ctx, p.o, a)
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			if x.Table.OID == t.OID {
				out = append(out, x)
			}
		}
	}
	return out, nil
}

// accumulated plans the look-ups of a check.
func (p *planner) accumulated(r *algebra.Accumulated, g goal) (exec.Node, error) {
	need := algebra.ColSet{}
	for _, group := range r.Groups {
		for _, k := range group.Keys {
			algebra.ScalarColumns(k.Expr, need)
		}
	}
	algebra.ScalarColumns(r.Cond, need)
	for _, it := range r.Items {
		algebra.ScalarColumns(it.Expr, need)
	}
	input, err := p.rel(r.Input, goal{need: restrict(need, algebra.ColsOf(r.Input.Columns()...))})
	if err != nil {
		return nil, err
	}
	n := &exec.Accumulated{Props: p.props(r.Columns(), 1), Input: input}
	for _, group := range r.Groups {
		keys := make([]algebra.AccumulatedKey, len(group.Keys))
		for i, k := range group.Keys {
			keys[i].Null = k.Null
			if keys[i].Expr, err = p.scalar(k.Expr); err != nil {
				return nil, err
			}
		}
		group.Keys = keys
		n.Groups = append(n.Groups, group)
	}
	if n.Cond, err = p.scalar(r.Cond); err != nil {
		return nil, err
	}
	if n.Items, err = p.items(r.Items); err != nil {
		return nil, err
	}
	p.cost(n)
	return p.filter(n, g.conds)
}
