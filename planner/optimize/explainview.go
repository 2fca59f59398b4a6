package optimize

import (
	"slices"
	"strings"

	"holdfast/planner/bind"
	"holdfast/planner/exec"
	"holdfast/sql/algebra"
)

// What EXPLAIN says of writes through views: the columns of base tables that are set, the rows that are made where an outer join has left
// them out, and what is checked.

func (x *explainer) viewUpdate(add func(name, text string), n *exec.Update) {
	if n.View != nil {
		add("View", n.View.Name)
		var sets, makes []string
		for _, t := range n.Targets {
			for _, a := range t.Set {
				sets = append(sets, t.Table.Name+"."+t.Table.Columns[a.Number-1].Name)
			}
			if t.Make != nil {
				makes = append(makes, "into "+t.Table.Name+" where there is none, if "+x.expr(t.MakeIf))
			}
		}
		add("Sets", strings.Join(sets, ", "))
		add("Makes Row", strings.Join(makes, "; "))
	}
	x.viewChecks(add, n.Checks)
	x.viewVerify(add, n.Verify)
}

func (x *explainer) viewChecks(add func(name, text string), list []algebra.ViewCheck) {
	var names []string
	views := map[string][]string{}
	for _, c := range list {
		name := c.View.Name
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		views[name] = append(views[name], x.condition(c.Cond))
	}
	for _, name := range names {
		add("Check of "+name, strings.Join(views[name], " AND "))
	}
}

// condition prints a condition in which plans may stand.
func (x *explainer) condition(s algebra.Scalar) string {
	const plan = algebra.ColID(-1)
	w := &algebra.Rewriter{Scalar: func(s algebra.Scalar) (algebra.Scalar, bool) {
		if p, ok := s.(*exec.SubPlan); ok {
			return &algebra.Col{T: p.T, ID: plan}, true
		}
		return s, false
	}}
	return bind.ExprText(w.RewriteScalar(s), func(id algebra.ColID) string {
		if id == plan {
			return "(SubPlan)"
		}
		return x.q.Column(id).Name
	})
}

// wordsOf are expressions that are only evaluated to word an error.
func wordsOf(n exec.Node) (list []algebra.Scalar) {
	var checks []algebra.ViewCheck
	switch n := n.(type) {
	case *exec.Insert:
		checks = n.Checks
		if n.OnConflict != nil {
			checks = append(checks[:len(checks):len(checks)], n.OnConflict.Checks...)
		}
	case *exec.Update:
		checks = n.Checks
	}
	for _, c := range checks {
		list = append(list, c.Args...)
	}
	return list
}

func (x *explainer) viewVerify(add func(name, text string), v *exec.ViewVerify) {
	if v == nil {
		return
	}
	var places []string
	for _, r := range v.Roles {
		place := r.Table.Name
		if r.Alias != place {
			place += " " + r.Alias
		}
		places = append(places, place)
	}
	add("Verify", "rows of "+v.View.Name+" that show changed rows of "+strings.Join(places, ", "))
}
