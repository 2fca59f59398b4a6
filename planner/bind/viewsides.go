package bind

import "holdfast/sql/algebra"

// Sides of outer joins that may be missing, and what that means for telling the rows of a view apart.

// inLeft reports whether a column is one of the tables left, all if nil.
func inLeft(left []bool, at baseColumn) bool { return left == nil || left[at.base] }

// findAnchors finds tables by which the rows of the view are told apart, and none if there are no such tables. If one is key-preserved, it
// is the only one. Otherwise the first is a table of which a row is in one row of the view at most, but which outer joins may leave out:
// of departments with their employees, if they have any, it is the employees. The rows that have none of it are told apart by the next
// one, in the view that remains without what is left out with the first. The last is always there.
func (g *keyGraph) findAnchors() (list []int) {
	bases := g.f.bases
	left := make([]bool, len(bases))
	for i := range left {
		left[i] = true
	}
	for {
		best := g.anchorOf(left)
		if best < 0 {
			return nil
		}
		list = append(list, best)
		if !bases[best].nullable {
			return list
		}
		g.leaveOut(left, g.innermost(best))
		for _, e := range g.equations { // a row of which it is missing would not fulfil the condition
			if a, ok := g.at[e.a]; ok && !left[a.base] {
				return list
			}
			if b, ok := g.at[e.b]; ok && !left[b.base] {
				return list
			}
		}
	}
}

// anchorOf is a table of which a row fixes the rows of all tables left: one that is always there, or else one that is there if any such
// table is; -1 if there is none.
func (g *keyGraph) anchorOf(left []bool) int {
	single := map[int][]bool{} // and what is there with it
	best := -1
	for i := range left {
		if !left[i] {
			continue
		}
		whole, there := g.closure(i, left)
		all := true
		for k := range left {
			all = all && (whole[k] || !left[k])
		}
		if !all {
			continue
		}
		if !g.f.bases[i].nullable {
			return i
		}
		if j := g.innermost(i); j != nil && !j.full {
			single[i] = there
		}
	}
	for i := range left {
		if single[i] == nil || best >= 0 {
			continue
		}
		always := true
		for _, there := range single {
			always = always && there[i]
		}
		if always {
			best = i
		}
	}
	return best
}

// leaveOut takes the tables out of left that are missing where a side is: those of the side, and those of sides whose condition asks
// for one of these.
func (g *keyGraph) leaveOut(left []bool, j *outerJoin) {
	for i, base := range g.f.bases {
		left[i] = left[i] && !j.within(base)
	}
	for _, k := range g.f.outer {
		if !g.anyLeft(left, k) {
			continue
		}
		for _, e := range equationsOf(k.on) {
			for _, id := range []algebra.ColID{e.a, e.b} {
				if at, ok := g.at[id]; ok && !left[at.base] {
					g.leaveOut(left, k)
				}
			}
		}
	}
}

func (g *keyGraph) anyLeft(left []bool, j *outerJoin) bool {
	for i, base := range g.f.bases {
		if left[i] && j.within(base) {
			return true
		}
	}
	return false
}

// sidesOf are the outer joins that may leave a table out, the innermost first.
func (g *keyGraph) sidesOf(i int) (list []*outerJoin) {
	for _, j := range g.f.outer { // inner joins come before those around them
		if j.within(g.f.bases[i]) {
			list = append(list, j)
		}
	}
	return list
}

// innermost is the innermost outer join that may leave a table out, nil if there is none.
func (g *keyGraph) innermost(i int) *outerJoin {
	if list := g.sidesOf(i); len(list) > 0 {
		return list[0]
	}
	return nil
}

// makeable reports whether rows of a table can be made where it is missing: with those of all tables that are missing with it. Of a full
// join it is not clear which side is.
func (g *keyGraph) makeable(i int) bool {
	for _, j := range g.sidesOf(i) {
		if j.full {
			return false
		}
	}
	return true
}

// core are the tables that a side has whenever it is there: those that no outer join within it leaves out.
func (g *keyGraph) core(j *outerJoin) (list []int) {
	for i, base := range g.f.bases {
		if j.within(base) && g.innermost(i) == j {
			list = append(list, i)
		}
	}
	return list
}

// before reports whether table k, which may be missing, shows only with a row of table i, which may be missing by another outer join.
func (g *keyGraph) before(i, k int) bool {
	side, other := g.innermost(k), g.innermost(i)
	if side == nil || other == nil || side.within(g.f.bases[i]) {
		return false
	}
	if other.within(g.f.bases[k]) {
		return true // around it
	}
	for _, on := range side.on {
		if g.tables(on)[i] {
			return true
		}
	}
	return false
}
