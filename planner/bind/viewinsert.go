package bind

import (
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// INSERT through a join view writes a row of every table of the join. Columns that the join equates have one
// value, whichever of them was given. A table that others refer to (a parent) gets a row only where there is
// none with the key; a row that is there must agree with what was given. The others get a row for each row of
// the view. A table that an outer join may leave out gets one only if a value other than NULL was given for it.
//
// It is made of parts that exist: the rows given become a WITH query that is evaluated once, each parent an
// INSERT of its own over it, and the table that the view has one row for each row of is the statement's INSERT.

// joinInsert is an INSERT through a join view in the making.
type joinInsert struct {
	*insertion
	g     *keyGraph
	class map[baseColumn]int // columns that are equal have the same class
	// supplied are the classes that a value was given for, by the statement or by a condition of the view.
	supplied map[int]bool
	columns  []suppliedColumn
	members  map[int][]baseColumn
	given    *algebra.CTE
	at       map[int]int // class to the position of its value in given
	parts    []*insertPart
	main     *insertPart
	// unique are the keys of the main table by which ON CONFLICT finds a row that is there.
	unique   []*catalog.Index
	conflict *algebra.OnConflict
	row      func(class int) *algebra.Col // of the row that the statement's INSERT is at
	source   *algebra.CTEScan             // where that row comes from
	serving  map[*insertPart][]madeRows   // what serves with that row, see serves
}

// suppliedColumn is a column of the view that the statement gives, and the position of its value in given.
type suppliedColumn struct {
	c *writeColumn
	n int
}

// insertPart is what is inserted into one table of the join.
type insertPart struct {
	i      int // of the table in the join
	base   *baseTable
	parent bool
	outer  *outerJoin     // by which the table may be left out
	key    *catalog.Index // by which a row of the table is found
	cte    *algebra.CTE   // the INSERT, nil for the main part and for a table that is left out
	insert *algebra.Insert
	made   *madeRows // what it inserts, if that is joined with the rows given: see joinServing
}

func (in *insertion) joinView() *result {
	b, w := in.b, in.w
	j := &joinInsert{insertion: in, g: w.flat.keys(), class: map[baseColumn]int{}, members: map[int][]baseColumn{}, at: map[int]int{}, supplied: map[int]bool{}}
	j.classes()
	j.split()
	if in.q.OnConflict != nil {
		j.unique = j.findArbiters(in.q.OnConflict)
	}
	extra := j.values()
	for _, p := range j.parts {
		p.key = j.findKey(p)
		if p != j.main && (p.outer == nil || len(j.own(p)) > 0) {
			j.insertPart(p)
		}
	}
	rel, row := j.scan()
	j.row, j.source = row, rel.(*algebra.CTEScan)
	rel = j.joinServing(rel)
	b.makeNew(in.scope, j.main.base)
	out := &algebra.Insert{Table: j.main.base.table, New: j.main.base.new}
	out.Values = j.assignments(j.main, row)
	out.Source = in.generatedOver(rel, j.main.base.table, out.Values)
	out.Checks = j.checks(extra)
	if in.q.OnConflict != nil {
		out.OnConflict = j.onConflict(in.q.OnConflict)
	}
	j.verify(out)
	in.scope.visible = []*source{j.newSource()}
	items, cols := in.scope.returning(in.q.Returning)
	out.Returning = items
	b.dropReturning(out)
	return &result{rel: out, cols: cols}
}

// generatedOver fills in generated columns over a relation.
func (in *insertion) generatedOver(rel algebra.Rel, t *catalog.Table, set []algebra.Assignment) algebra.Rel {
	for _, a := range set {
		if a.Value == nil {
			return in.b.generate(in.scope, in.b.pass(rel), t, set)
		}
	}
	return rel
}

// classes numbers the columns of all tables, equal ones alike.
func (j *joinInsert) classes() {
	for i, base := range j.w.bases {
		for _, c := range base.table.Columns {
			if !c.Dropped {
				at := baseColumn{i, c.Number}
				n := len(j.class) + 1
				j.class[at] = n
				j.members[n] = []baseColumn{at}
			}
		}
	}
	equations := j.g.equations
	for _, o := range j.g.f.outer {
		equations = append(equations[:len(equations):len(equations)], equationsOf(o.on)...)
	}
	for _, e := range equations {
		a, ok1 := j.g.at[e.a]
		c, ok2 := j.g.at[e.b]
		if e.b == 0 || !ok1 || !ok2 || a.number < 0 || c.number < 0 {
			continue
		}
		to, from := j.class[a], j.class[c]
		if to == from {
			continue
		}
		for _, m := range j.members[from] {
			j.class[m] = to
		}
		j.members[to] = append(j.members[to], j.members[from]...)
		delete(j.members, from)
	}
}

// split decides which tables are parents: those that do not have a row for each row of the view, and of those
// that do, the ones that another of them refers to by a foreign key.
func (j *joinInsert) split() {
	for i, base := range j.w.bases {
		p := &insertPart{i: i, base: base, parent: !j.g.preserved[i]}
		p.outer = j.g.innermost(i)
		for k, other := range j.w.bases {
			if j.g.preserved[i] && j.g.preserved[k] && i != k && j.refers(k, other.table, i, base.table) {
				p.parent = true
			}
		}
		j.parts = append(j.parts, p)
	}
	if last := j.g.anchors[len(j.g.anchors)-1]; !j.g.preserved[last] { // UPDATE of a view without a key-preserved table
		j.main, j.parts[last].parent = j.parts[last], false
	}
	for _, p := range j.parts {
		if j.main == nil && !p.parent {
			j.main = p
		}
	}
	if j.main == nil { // they refer to each other
		for _, p := range j.parts {
			if j.main == nil && j.g.preserved[p.i] {
				j.main, p.parent = p, false
			}
		}
	}
}

// refers reports whether table k has a foreign key to table i over columns that the join equates.
func (j *joinInsert) refers(k int, from *catalog.Table, i int, to *catalog.Table) bool {
	for _, c := range from.Constraints {
		if c.Kind != catalog.ForeignKeyConstraint || c.RefTable != to.OID || len(c.Columns) != len(c.RefColumns) {
			continue
		}
		all := true
		for n := range c.Columns {
			all = all && j.class[baseColumn{k, c.Columns[n]}] == j.class[baseColumn{i, c.RefColumns[n]}]
		}
		if all {
			return true
		}
	}
	return false
}

// values makes the WITH query of the rows given: a column for each class that has a value. A class of several columns that no value was
// given for takes that of a row that is there, found by what is known; or else the default of one of its columns. It returns the pairs
// of values that were given for the same class.
func (j *joinInsert) values() [][2]int {
	b, s := j.b, j.scope
	p := &algebra.Project{Input: j.rel}
	add := func(name string, e scalar) int {
		id := b.newCol(algebra.Column{Name: name, T: typeOf(e.Type(), e.Mod())}, colInfo{scope: s, kind: outputCol})
		p.Items = append(p.Items, algebra.Item{ID: id, Expr: e})
		return len(p.Items) - 1
	}
	var twice [][2]int
	for _, c := range j.w.cols {
		e := j.insertion.given[c]
		if e == nil {
			continue
		}
		n := add(c.name, e)
		j.columns = append(j.columns, suppliedColumn{c, n})
		if c.inverse != nil {
			n = add(c.name, b.assign(c.inverse.back(b, e), c.column.Type, c.column.Mod, c.column.Name, -1, false))
		}
		class := j.class[c.at]
		if first, ok := j.at[class]; ok {
			twice = append(twice, [2]int{first, n})
			continue
		}
		j.at[class], j.supplied[class] = n, true
	}
	constants := func(list []equation) {
		for _, e := range list {
			at, ok := j.g.at[e.a]
			if e.b != 0 || !ok || at.number < 0 || e.value == nil {
				continue
			}
			class := j.class[at]
			if _, ok := j.at[class]; !ok {
				c := j.w.bases[at.base].table.Columns[at.number-1]
				j.at[class], j.supplied[class] = add(c.Name, b.assign(e.value, c.Type, c.Mod, c.Name, -1, false)), true
			}
		}
	}
	constants(j.g.equations)
	for _, o := range j.g.f.outer {
		constants(equationsOf(o.on))
	}
	for _, x := range j.unique { // found before anything is inserted, so their values must be known
		for _, k := range x.Keys {
			class := j.class[baseColumn{j.main.i, k.Column}]
			if _, ok := j.at[class]; !ok && len(j.members[class]) == 1 {
				c := j.main.base.table.Columns[k.Column-1]
				j.at[class] = add(c.Name, b.defaultOf(j.main.base.table, c))
			}
		}
	}
	if slices.ContainsFunc(j.w.bases, func(base *baseTable) bool { return base != j.main.base && base.table.OID == j.main.base.table.OID }) {
		for _, c := range j.main.base.table.Columns { // its rows may serve other roles
			class := j.class[baseColumn{j.main.i, c.Number}]
			if _, ok := j.at[class]; !ok && !c.Dropped && c.Generated == "" && len(j.members[class]) == 1 {
				j.at[class] = add(c.Name, b.defaultOf(j.main.base.table, c))
			}
		}
	}
	// In the order of the tables, so that the result does not depend on chance.
	open := func(i int) (list []int) { // classes of several columns, one of table i, that have no value yet
		for _, c := range j.w.bases[i].table.Columns {
			class := j.class[baseColumn{i, c.Number}]
			if _, ok := j.at[class]; !ok && !c.Dropped && len(j.members[class]) > 1 {
				list = append(list, class)
			}
		}
		return list
	}
	looked := map[*insertPart]bool{}
	for again := true; again; {
		again = false
		for _, q := range j.parts {
			if !q.parent || looked[q] || len(open(q.i)) == 0 {
				continue
			}
			if q.key = j.findKey(q); q.key == nil {
				continue
			}
			looked[q], again = true, true
			below := p
			row := func(class int) *algebra.Col {
				if n, ok := j.at[class]; ok {
					return b.col(below.Items[n].ID, -1)
				}
				return nil
			}
			p = b.pass(below)
			for _, class := range open(q.i) {
				number := int16(0)
				for _, m := range j.members[class] {
					if m.base == q.i {
						number = m.number
					}
				}
				found, there := j.rowThere(q, number, row)
				c := q.base.table.Columns[number-1]
				otherwise := j.classDefault(class)
				j.at[class] = add(c.Name, &algebra.Case{T: typeOf(c.Type, c.Mod), Whens: []algebra.When{{Cond: there, Result: found}},
					Else: b.assign(otherwise, c.Type, c.Mod, c.Name, -1, true)})
			}
		}
		if !again { // what nothing is known of
			for i := range j.w.bases {
				for _, class := range open(i) {
					m := j.members[class][0]
					c := j.w.bases[m.base].table.Columns[m.number-1]
					j.at[class] = add(c.Name, j.classDefault(class))
					again = true
				}
				if again {
					break
				}
			}
		}
	}
	j.given = &algebra.CTE{Name: "rows of " + j.w.table.Name, Rel: p}
	b.q.CTEs = append(b.q.CTEs, j.given)
	return twice
}

// rowThere looks for the row of a table that has the key of a row given: a column of it, and whether it is there.
func (j *joinInsert) rowThere(p *insertPart, number int16, row func(int) *algebra.Col) (found, there scalar) {
	scan, own := j.scanTableOf(p)
	found = j.lookup(scan, own, p, number, row)
	scan, own = j.scanTableOf(p)
	return found, &algebra.Subquery{T: noMod(types.Bool), Kind: algebra.ExistsSubquery,
		Rel: &algebra.Filter{Input: scan, Cond: and(j.matches(p, own, row)...)}}
}

// own are the columns given that are those of a table which an outer join may leave out.
func (j *joinInsert) own(p *insertPart) (list []suppliedColumn) {
	for _, x := range j.columns {
		if x.c.at.base == p.i {
			list = append(list, x)
		}
	}
	return list
}

// wanted is the condition that a row of the table is given, by the columns of the rows given; nil if it always is.
func (j *joinInsert) wanted(p *insertPart, source *algebra.CTEScan) scalar {
	if p.outer == nil {
		return nil
	}
	var list []scalar
	for _, x := range j.own(p) {
		list = append(list, &algebra.IsNull{Arg: j.b.col(source.Cols[x.n], -1), Not: true})
	}
	if len(list) == 1 {
		return list[0]
	}
	return &algebra.Or{Args: list}
}

// classDefault is the default of a class of columns: that of the first that has one, parents first.
func (j *joinInsert) classDefault(class int) scalar {
	members := j.members[class]
	for _, parents := range []bool{true, false} {
		for _, m := range members {
			p := j.parts[m.base]
			c := p.base.table.Columns[m.number-1]
			if p.parent == parents && (c.Default != "" || c.Identity != 0) {
				return j.b.defaultOf(p.base.table, c)
			}
		}
	}
	c := j.w.bases[members[0].base].table.Columns[members[0].number-1]
	return nullOf(typeOf(c.Type, c.Mod))
}

// scan reads the rows given once more.
func (j *joinInsert) scan() (algebra.Rel, func(class int) *algebra.Col) {
	scan := j.scanCTE(j.given)
	return scan, func(class int) *algebra.Col {
		if n, ok := j.at[class]; ok {
			return j.b.col(scan.Cols[n], -1)
		}
		return nil
	}
}

func (j *joinInsert) scanCTE(cte *algebra.CTE) *algebra.CTEScan {
	scan := &algebra.CTEScan{CTE: cte, Alias: cte.Name}
	for _, id := range cte.Rel.Columns() {
		scan.Cols = append(scan.Cols, j.b.newCol(*j.b.q.Column(id), colInfo{scope: j.scope, kind: outputCol}))
	}
	return scan
}

// assignments are the values of the columns of one table; those of generated columns are missing.
func (j *joinInsert) assignments(p *insertPart, row func(int) *algebra.Col) []algebra.Assignment {
	b := j.b
	var out []algebra.Assignment
	for _, c := range p.base.table.Columns {
		if c.Dropped {
			continue
		}
		a := algebra.Assignment{Number: c.Number}
		if c.Generated == "" {
			if v := row(j.class[baseColumn{p.i, c.Number}]); v != nil {
				a.Value = b.assign(v, c.Type, c.Mod, c.Name, -1, false)
			} else {
				a.Value = b.defaultOf(p.base.table, c)
			}
		}
		out = append(out, a)
	}
	return out
}

// findKey finds a unique key of a table whose values are given.
func (j *joinInsert) findKey(p *insertPart) *catalog.Index {
	for _, x := range p.base.table.Indexes {
		if !x.Unique || x.Invalid || x.Predicate != "" || deferrable(p.base.table, x) {
			continue
		}
		all := true
		for _, k := range x.Keys {
			_, known := j.at[j.class[baseColumn{p.i, k.Column}]]
			all = all && k.Column != 0 && known
		}
		if all {
			return x
		}
	}
	return nil
}

// matches are the conditions that a row of a part's table, by its columns, has the key of a row given.
func (j *joinInsert) matches(p *insertPart, own func(number int16) scalar, row func(int) *algebra.Col) []scalar {
	return j.matchesKey(p, p.key, own, row)
}

func (j *joinInsert) matchesKey(p *insertPart, key *catalog.Index, own func(number int16) scalar, row func(int) *algebra.Col) []scalar {
	var conds []scalar
	for _, k := range key.Keys {
		conds = append(conds, j.b.op("", "=", own(k.Column), row(j.class[baseColumn{p.i, k.Column}]), -1))
	}
	return conds
}

// scanTableOf scans a part's table, for its columns wanted.
func (j *joinInsert) scanTableOf(p *insertPart) (*algebra.Scan, func(number int16) scalar) {
	b := j.b
	scan := &algebra.Scan{Table: p.base.table, Alias: p.base.src.name}
	return scan, func(number int16) scalar {
		for _, c := range scan.Cols {
			if c.Number == number {
				return b.col(c.ID, -1)
			}
		}
		c := p.base.table.Columns[number-1]
		id := b.newCol(algebra.Column{Name: c.Name, T: typeOf(c.Type, c.Mod), Table: p.base.table.OID, Number: number}, colInfo{scope: j.scope, kind: outputCol})
		scan.Cols = append(scan.Cols, algebra.ScanColumn{ID: id, Number: number})
		return b.col(id, -1)
	}
}

// insertPart makes the INSERT of a table other than the main one: of a parent, the rows whose key is not
// there, each once.
func (j *joinInsert) insertPart(p *insertPart) {
	b := j.b
	rel, row := j.scan()
	if cond := j.wanted(p, rel.(*algebra.CTEScan)); cond != nil {
		rel = &algebra.Filter{Input: rel, Cond: cond}
	}
	if len(j.unique) > 0 {
		rel = &algebra.Filter{Input: rel, Cond: &algebra.Not{Arg: j.conflicts(row)}}
	}
	rel = j.unserved(p, rel, row)
	if p.parent && p.key != nil {
		scan, own := j.scanTableOf(p)
		rel = &algebra.Join{Kind: algebra.AntiJoin, Left: rel, Right: scan, On: and(j.matches(p, own, row)...)}
		// Rows that agree are one; rows that do not will violate the key.
		distinct := &algebra.Project{Input: rel}
		var present []scalar
		seen := algebra.ColSet{}
		for _, c := range p.base.table.Columns {
			v := row(j.class[baseColumn{p.i, c.Number}])
			if v != nil && !c.Dropped && !seen.Has(v.ID) {
				seen.Add(v.ID)
				distinct.Items = append(distinct.Items, algebra.Item{ID: v.ID, Expr: v})
			}
		}
		for _, k := range p.key.Keys {
			// A reference that is NULL refers to nothing, and the row will not be in the view. A key of the parent's own is for
			// its constraints to judge.
			if class := j.class[baseColumn{p.i, k.Column}]; len(j.members[class]) > 1 {
				present = append(present, &algebra.IsNull{Arg: row(class), Not: true})
			}
		}
		rel = distinct
		if len(present) > 0 {
			rel = &algebra.Filter{Input: rel, Cond: and(present...)}
		}
		rel = &algebra.DistinctRows{Input: rel}
	}
	b.makeNew(j.scope, p.base)
	ins := &algebra.Insert{Table: p.base.table, New: p.base.new}
	ins.Values = j.assignments(p, row)
	ins.Source = j.generatedOver(rel, p.base.table, ins.Values)
	for _, n := range p.base.new {
		ins.Returning = append(ins.Returning, algebra.Item{ID: n.ID, Expr: b.col(n.ID, -1)})
	}
	p.insert = ins
	p.cte = &algebra.CTE{Name: "insert into " + p.base.table.Name, Rel: ins}
	b.q.CTEs = append(b.q.CTEs, p.cte)
}

// value is a column of the view row that the statement's INSERT is at, as it will be: of the main table the
// new one; of another table what was given, or what the row found or inserted there has.
func (j *joinInsert) value(at baseColumn) scalar {
	b := j.b
	p := j.parts[at.base]
	c := p.base.table.Columns[at.number-1]
	if p == j.main {
		for _, n := range p.base.new {
			if n.Number == at.number {
				return b.col(n.ID, -1)
			}
		}
	}
	if p.outer != nil && j.g.alone(p.i) == nil {
		return j.asItIs(p, at)
	}
	t := typeOf(c.Type, c.Mod)
	v := j.row(j.class[at])
	if c.Generated != "" { // whatever is given for what it equals
		v = nil
	}
	if v != nil && p.outer == nil && !j.w.flat.bases[p.i].nullable {
		// A row that is there, or serves another role, has what was given. What was not given is known by other tables, and it may not
		// have that: then it is not joined.
		if p == j.main || p.key == nil || j.supplied[j.class[at]] || isKeyColumn(p.key, at.number) {
			return b.assign(v, c.Type, c.Mod, c.Name, -1, false)
		}
	}
	if p.key == nil {
		return nullOf(t)
	}
	var added scalar = nullOf(t)
	if p.cte != nil {
		if p.made != nil && (v == nil || !isKeyColumn(p.key, at.number)) {
			added = p.made.own(at.number)
		} else if v != nil {
			added = b.assign(v, c.Type, c.Mod, c.Name, -1, false)
		} else {
			inserted := j.partRows(p)
			added = j.lookup(inserted.rel, inserted.own, p, at.number, j.row)
		}
		if cond := j.wanted(p, j.source); cond != nil {
			added = &algebra.Case{T: t, Whens: []algebra.When{{Cond: cond, Result: added}}, Else: nullOf(t)}
		}
	}
	cases := j.served(p, at.number)
	if p.parent {
		cases = append([]algebra.When{j.found(p, at.number)}, cases...)
	}
	if len(cases) == 0 {
		return added
	}
	return &algebra.Case{T: t, Whens: cases, Else: added}
}

// asItIs is a column of a table that is missing together with others, into which nothing is inserted: in a row of the view of which the
// tables around are as they will be.
func (j *joinInsert) asItIs(p *insertPart, at baseColumn) scalar {
	b := j.b
	used := algebra.ColSet{}
	for _, c := range j.g.f.always() {
		algebra.ScalarColumns(c, used)
	}
	for _, o := range j.g.f.outer {
		for _, c := range o.on {
			algebra.ScalarColumns(c, used)
		}
	}
	rows := map[*baseTable]algebra.Rel{}
	for i, base := range j.w.bases {
		if !j.w.flat.bases[i].nullable || j.g.before(i, p.i) && j.parts[i].cte != nil {
			row := &algebra.Project{Input: &algebra.Values{Rows: [][]scalar{{}}}}
			for _, c := range base.src.scan.Cols {
				v := scalar(nullOf(b.q.Column(c.ID).T))
				if used.Has(c.ID) && c.Number > 0 {
					v = j.value(baseColumn{i, c.Number})
				}
				row.Items = append(row.Items, algebra.Item{ID: c.ID, Expr: v})
			}
			rows[base] = row
		}
	}
	rel, r := j.w.aroundRows(b, j.scope, rows, false)
	for _, c := range p.base.src.scan.Cols {
		if c.Number == at.number {
			col := r.RewriteScalar(b.col(c.ID, -1)).(*algebra.Col)
			return &algebra.Subquery{T: col.T, Kind: algebra.ScalarSubquery,
				Rel: &algebra.Project{Input: rel, Items: []algebra.Item{{ID: col.ID, Expr: b.col(col.ID, -1)}}}}
		}
	}
	c := p.base.table.Columns[at.number-1]
	return nullOf(typeOf(c.Type, c.Mod)) // nothing asks for it
}

// lookup is a column of the row of a relation that has the key of the row in hand.
func (j *joinInsert) lookup(rel algebra.Rel, own func(int16) scalar, p *insertPart, number int16, row func(int) *algebra.Col) scalar {
	v := own(number).(*algebra.Col)
	f := &algebra.Filter{Input: rel, Cond: and(j.matches(p, own, row)...)}
	return &algebra.Subquery{T: v.T, Kind: algebra.ScalarSubquery, Rel: &algebra.Project{Input: f, Items: []algebra.Item{{ID: v.ID, Expr: v}}}}
}

// rewriter puts the values of the view row in the place of the columns of the join.
func (j *joinInsert) rewriter() *algebra.Rewriter {
	return &algebra.Rewriter{Scalar: func(e scalar) (scalar, bool) {
		c, ok := e.(*algebra.Col)
		if !ok {
			return nil, false
		}
		if at, ok := j.g.at[c.ID]; ok && at.number > 0 {
			return j.value(at), true
		}
		return c, true
	}}
}

// newSource is the view as RETURNING sees it.
func (j *joinInsert) newSource() *source {
	w := j.w
	r := j.rewriter()
	src := &source{owner: j.scope, name: w.src.name, table: w.table, alias: w.src.alias, relVisible: true, colsVisible: true, base: w.table, target: true}
	for _, c := range w.src.cols {
		x := *c
		x.src, x.via = nil, nil
		x.lazy = func() scalar { return j.returned(r, c.expr) }
		x.expr = nil
		src.cols = append(src.cols, &x)
	}
	return src
}
