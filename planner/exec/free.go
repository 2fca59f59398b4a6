package exec

import (
	"slices"

	"holdfast/sql/algebra"
)

// Maker is a Node whose expressions use columns that none of its inputs produces, but it itself: scanned
// columns, the old and new images of changed rows.
type Maker interface {
	Makes() []algebra.ColID
}

// FreeColumns are the columns that a plan uses and does not produce: on which it is correlated. A plan without any
// gives the same rows however often it is started in one execution.
func FreeColumns(n Node) []algebra.ColID {
	d := dependenciesOf(n)
	free := make([]algebra.ColID, 0, len(d.columns))
	for id := range d.columns {
		free = append(free, id)
	}
	slices.Sort(free)
	return free
}

// dependencies are what the rows of a plan depend on from outside.
type dependencies struct {
	columns algebra.ColSet
	working map[*CTE]bool // recursions whose working table is read
}

func dependenciesOf(n Node) *dependencies {
	d := &dependencies{columns: algebra.ColSet{}, working: map[*CTE]bool{}}
	d.addNode(n)
	return d
}

func (d *dependencies) addNode(n Node) {
	var local algebra.ColSet // columns of inputs so far
	for _, in := range n.Inputs() {
		below := dependenciesOf(in)
		d.add(below, local)
		if local == nil {
			local = algebra.ColSet{}
		}
		local.Add(in.Properties().Cols...)
	}
	if m, ok := n.(Maker); ok {
		if local == nil {
			local = algebra.ColSet{}
		}
		local.Add(m.Makes()...)
	}
	for _, s := range n.Scalars() {
		d.addScalar(s, local)
	}
	switch n := n.(type) {
	case *CTEScan:
		if n.Working {
			d.working[n.CTE] = true
		} else {
			d.add(dependenciesOf(n.CTE.Plan), nil)
		}
	case *Recurse:
		delete(d.working, n.CTE)
	}
}

// add adds other's dependencies but for local columns.
func (d *dependencies) add(other *dependencies, local algebra.ColSet) {
	for id := range other.columns {
		if !local.Has(id) {
			d.columns.Add(id)
		}
	}
	for c := range other.working {
		d.working[c] = true
	}
}

func (d *dependencies) addScalar(s algebra.Scalar, local algebra.ColSet) {
	v := algebra.Visitor{}
	v.Scalar = func(s algebra.Scalar) bool {
		switch s := s.(type) {
		case *algebra.Col:
			if !local.Has(s.ID) {
				d.columns.Add(s.ID)
			}
		case *SubPlan:
			d.add(dependenciesOf(s.Plan), local)
			for _, l := range s.Left {
				v.VisitScalar(l)
			}
		}
		return true
	}
	v.VisitScalar(s)
}
