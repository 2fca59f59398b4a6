package exec

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// dependency tells whether rows made from a plan earlier in the execution are still the plan's rows: whether the outer
// columns it uses have the same values, and the working tables it reads are the same. Operators that hold rows
// (sorted, hashed, materialized) keep them over a rescan while it is fresh.
type dependency struct {
	builder *Builder
	cells   []*outerCell
	working []*workingTable

	marked      bool
	epoch       uint64
	seen        []types.Datum
	generations []int
}

// dependency of a plan, and of expressions over its rows.
func (b *Builder) dependency(n Node, over ...algebra.Scalar) *dependency {
	on := dependenciesOf(n)
	if len(over) > 0 {
		local := algebra.ColSet{}
		local.Add(n.Properties().Cols...)
		for _, s := range over {
			on.addScalar(s, local)
		}
	}
	d := &dependency{builder: b}
	for id := range on.columns {
		d.cells = append(d.cells, b.cell(id))
	}
	for c := range on.working {
		d.working = append(d.working, b.workingTable(c))
	}
	return d
}

// mark says that rows are being made now.
func (d *dependency) mark() {
	d.marked, d.epoch = true, d.builder.epoch
	d.seen, d.generations = d.seen[:0], d.generations[:0]
	for _, c := range d.cells {
		d.seen = append(d.seen, c.value)
	}
	for _, w := range d.working {
		d.generations = append(d.generations, w.generation)
	}
}

// fresh reports whether rows made at the last mark are still right.
func (d *dependency) fresh() bool {
	if !d.marked || d.epoch != d.builder.epoch {
		return false
	}
	for i, c := range d.cells {
		if !sameDatum(c.value, d.seen[i]) {
			return false
		}
	}
	for i, w := range d.working {
		if w.generation != d.generations[i] {
			return false
		}
	}
	return true
}

// sameDatum reports whether two values are the same in every respect, which is more than being equal.
func sameDatum(a, b types.Datum) bool {
	if a.Rep() != b.Rep() {
		return false
	}
	switch a.Rep() {
	case types.RepNull:
		return true
	case types.RepInt, types.RepFloat:
		return a.Int() == b.Int()
	case types.RepString:
		return a.Str() == b.Str()
	case types.RepDecimal:
		x, y := a.Decimal(), b.Decimal()
		return x == y || x.Form == y.Form && x.Negative == y.Negative && x.Exponent == y.Exponent && x.Coeff.Cmp(&y.Coeff) == 0
	}
	switch x := a.Any().(type) {
	case types.Interval:
		y, ok := b.Any().(types.Interval)
		return ok && x == y
	case types.TimeTZ:
		y, ok := b.Any().(types.TimeTZ)
		return ok && x == y
	}
	return a.Any() == b.Any() // pointers
}

// without leaves out outer columns that the holder of the dependency sets itself.
func (d *dependency) without(cells []boundCell) {
	d.cells = slices.DeleteFunc(d.cells, func(c *outerCell) bool {
		return slices.ContainsFunc(cells, func(b boundCell) bool { return b.cell == c })
	})
}
