package optimize

import (
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
)

// insert plans an Insert.
func (p *planner) insert(r *algebra.Insert) (exec.Node, error) {
	need := algebra.ColSet{}
	for _, a := range r.Values {
		algebra.ScalarColumns(a.Value, need)
	}
	checkColumns(r.Checks, need)
	verifyColumns(r.Verify, need)
	for _, it := range r.Returning {
		algebra.ScalarColumns(it.Expr, need)
	}
	if c := r.OnConflict; c != nil {
		for _, a := range c.Set {
			algebra.ScalarColumns(a.Value, need)
		}
		if c.Where != nil {
			algebra.ScalarColumns(c.Where, need)
		}
		checkColumns(c.Checks, need)
	}
	source, err := p.rel(r.Source, goal{need: restrict(need, algebra.ColsOf(r.Source.Columns()...))})
	if err != nil {
		return nil, err
	}
	n := &exec.Insert{Props: p.props(r.Columns(), source.Properties().Rows), Source: source, New: r.New, Part: r.Part}
	if n.Target, err = p.written(r.Table); err != nil {
		return nil, err
	}
	op := operation{table: r.Table, insert: true}
	if c := r.OnConflict; c != nil {
		op.update = assigned(c.Set)
	}
	if n.Rules, n.Skips, n.Target.Keep, err = p.rules([]operation{op}); err != nil {
		return nil, err
	}
	n.Target.Keep = n.Target.Keep || r.Part != 0
	if n.Verify, err = p.viewVerify(r.Verify, r.Part); err != nil {
		return nil, err
	}
	if n.Values, err = p.assignments(r.Values); err != nil {
		return nil, err
	}
	if c := r.OnConflict; c != nil {
		planned := *c
		if planned.Set, err = p.assignments(c.Set); err != nil {
			return nil, err
		}
		if planned.Where, err = p.optionalScalar(c.Where); err != nil {
			return nil, err
		}
		if planned.Checks, err = p.viewChecks(c.Checks); err != nil {
			return nil, err
		}
		n.OnConflict = &planned
	}
	if n.Checks, err = p.viewChecks(r.Checks); err != nil {
		return nil, err
	}
	if n.Returning, err = p.items(r.Returning); err != nil {
		return nil, err
	}
	p.cost(n)
	return n, nil
}

// update plans an Update.
func (p *planner) update(r *algebra.Update) (exec.Node, error) {
	need := algebra.ColSet{}
	for _, t := range r.Targets {
		need.Add(t.Key)
		for _, c := range t.Old {
			need.Add(c.ID)
		}
		for _, a := range append(t.Set[:len(t.Set):len(t.Set)], t.Make...) {
			algebra.ScalarColumns(a.Value, need)
		}
		algebra.ScalarColumns(t.MakeIf, need)
		algebra.ScalarColumns(t.Found, need)
	}
	verifyColumns(r.Verify, need)
	need.Add(r.Rows...)
	for _, it := range r.Returning {
		algebra.ScalarColumns(it.Expr, need)
	}
	checkColumns(r.Checks, need)
	source, err := p.rel(r.Source, goal{need: restrict(need, algebra.ColsOf(r.Source.Columns()...))})
	if err != nil {
		return nil, err
	}
	n := &exec.Update{Props: p.props(r.Columns(), source.Properties().Rows), Source: source, View: r.View, Rows: r.Rows}
	var ops []operation
	for _, t := range r.Targets {
		ops = append(ops, operation{table: t.Table, update: assigned(t.Set), insert: t.Make != nil})
	}
	var keep bool
	if n.Rules, n.Skips, keep, err = p.rules(ops); err != nil {
		return nil, err
	}
	for _, t := range r.Targets {
		planned := &exec.UpdateTarget{Key: t.Key, Old: t.Old, New: t.New, Optional: t.Optional, Joined: t.Joined, Unique: t.Unique, Given: t.Given}
		if planned.Target, err = p.written(t.Table); err != nil {
			return nil, err
		}
		planned.Target.Keep = keep || r.Verify != nil
		if planned.Set, err = p.assignments(t.Set); err != nil {
			return nil, err
		}
		if planned.MakeIf, err = p.optionalScalar(t.MakeIf); err != nil {
			return nil, err
		}
		if planned.Found, err = p.optionalScalar(t.Found); err != nil {
			return nil, err
		}
		if t.Make != nil {
			if planned.Make, err = p.assignments(t.Make); err != nil {
				return nil, err
			}
		}
		n.Targets = append(n.Targets, planned)
	}
	if n.Verify, err = p.viewVerify(r.Verify, 0); err != nil {
		return nil, err
	}
	if n.Checks, err = p.viewChecks(r.Checks); err != nil {
		return nil, err
	}
	if n.Returning, err = p.items(r.Returning); err != nil {
		return nil, err
	}
	p.cost(n)
	return n, nil
}

// delete plans a Delete.
func (p *planner) delete(r *algebra.Delete) (exec.Node, error) {
	need := algebra.ColSet{}
	for _, t := range r.Targets {
		need.Add(t.Key)
		for _, c := range t.Old {
			need.Add(c.ID)
		}
	}
	verifyColumns(r.Verify, need)
	need.Add(r.Rows...)
	for _, it := range r.Returning {
		algebra.ScalarColumns(it.Expr, need)
	}
	source, err := p.rel(r.Source, goal{need: restrict(need, algebra.ColsOf(r.Source.Columns()...))})
	if err != nil {
		return nil, err
	}
	n := &exec.Delete{Props: p.props(r.Columns(), source.Properties().Rows), Source: source, View: r.View, Rows: r.Rows}
	var ops []operation
	for _, t := range r.Targets {
		ops = append(ops, operation{table: t.Table, delete: true})
	}
	var keep bool
	if n.Rules, n.Skips, keep, err = p.rules(ops); err != nil {
		return nil, err
	}
	for _, t := range r.Targets {
		target, err := p.written(t.Table)
		if err != nil {
			return nil, err
		}
		target.Keep = keep || r.Verify != nil
		n.Targets = append(n.Targets, &exec.DeleteTarget{Target: target, Key: t.Key, Old: t.Old, Required: t.Required})
	}
	if n.Verify, err = p.viewVerify(r.Verify, 0); err != nil {
		return nil, err
	}
	if n.Returning, err = p.items(r.Returning); err != nil {
		return nil, err
	}
	p.cost(n)
	return n, nil
}

// assigned are the columns that assignments change.
func assigned(list []algebra.Assignment) (numbers []int16) {
	for _, a := range list {
		numbers = append(numbers, a.Number)
	}
	return numbers
}

func (p *planner) assignments(list []algebra.Assignment) ([]algebra.Assignment, error) {
	out := make([]algebra.Assignment, len(list))
	for i, a := range list {
		e, err := p.scalar(a.Value)
		if err != nil {
			return nil, err
		}
		out[i] = algebra.Assignment{Number: a.Number, Value: e}
	}
	return out, nil
}

func (p *planner) items(list []algebra.Item) ([]algebra.Item, error) {
	out := make([]algebra.Item, len(list))
	for i, it := range list {
		e, err := p.scalar(it.Expr)
		if err != nil {
			return nil, err
		}
		out[i] = algebra.Item{ID: it.ID, Expr: e}
	}
	return out, nil
}

// checkColumns adds the columns that checks need of the source.
func checkColumns(list []algebra.ViewCheck, need algebra.ColSet) {
	for _, c := range list {
		algebra.ScalarColumns(c.Cond, need)
		for _, a := range c.Args {
			algebra.ScalarColumns(a, need)
		}
	}
}

// viewChecks plans checks. Those that show the same row share the plans for it.
func (p *planner) viewChecks(list []algebra.ViewCheck) ([]algebra.ViewCheck, error) {
	out := make([]algebra.ViewCheck, len(list))
	planned := map[*algebra.Scalar][]algebra.Scalar{}
	for i, c := range list {
		e, err := p.scalar(c.Cond)
		if err != nil {
			return nil, err
		}
		out[i] = c
		out[i].Cond = e
		if len(c.Args) == 0 {
			continue
		}
		args := planned[&c.Args[0]]
		if args == nil {
			args = make([]algebra.Scalar, len(c.Args))
			for k, a := range c.Args {
				if args[k], err = p.scalar(a); err != nil {
					return nil, err
				}
			}
			planned[&c.Args[0]] = args
		}
		out[i].Args = args
	}
	return out, nil
}
