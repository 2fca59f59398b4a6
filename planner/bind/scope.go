package bind

import (
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// scope is one query level while it is bound: what names mean in it, and what its expressions have asked for.
type scope struct {
	b      *binder
	parent *scope // the enclosing query, nil for the outermost

	// visible are the items that names are looked up in, all those of FROM for the error messages.
	visible []*source
	all     []*source
	// lateralActive is set while a lateral item of FROM is bound: items to its left can be seen.
	lateralActive bool
	ctes          []*cte // of the WITH clause of this level
	locks         []*ast.Locking

	clause clause
	noSets string // not "": the construct in hand, which may hold no set-returning functions

	futureCTEs []string // WITH queries that cannot be seen yet
	locked     []lockedRow
	flat       *flatView     // the view that the scope is flattened into
	topCall    *ast.FuncCall // in FROM: the call that may return a set

	aggs    []*algebra.Agg
	windows []*windowCall
	named   []*ast.WindowDef // WINDOW clause
	sets    []*setCall

	groupings []*groupingCall
}

// source is an item of FROM as names see it: a table, a query, functions, or a join.
type source struct {
	owner    *scope
	name     string         // alias, or the table's own name; "" for joins without alias and the like
	table    *catalog.Table // of a table or view named without alias, so that schema.table.column finds it
	alias    bool           // an alias was written
	cols     []*column
	join     bool
	cte      bool
	function bool
	// For printing: the calls of functions in FROM, whether they refer to items before, whether columns
	// were renamed.
	calls        []scalar
	lateral      bool
	aliasColumns bool
	query        *result // of a query in FROM

	// What PostgreSQL calls the visibility of a namespace item.
	relVisible, colsVisible bool
	lateralOnly, lateralOK  bool

	scan     *algebra.Scan // of a base table
	base     *catalog.Table
	target   bool // the table that the statement changes
	nullable bool // rows may be missing, filled up with NULLs by an outer join
	whole    *types.Type
	oid      scalar                // tableoid, where it is the same for all rows
	marker   func() algebra.Scalar // not NULL exactly if the row is not missing
}

// column is a column of a source. Those of scans get their ColID when they are first used, so that a scan
// has the columns that are needed and no others.
type column struct {
	name   string
	src    *source // scanned columns: where they come from
	number int16
	expr   algebra.Scalar // nil: a scanned column not used so far
	via    *column        // a column of a join: that of its side
	lazy   func() scalar  // makes the expression anew for every use, as it holds queries
	hidden bool           // not in *; its merged form is
	flat   *flatColumn    // of a flattened view

	// Where the column of the result comes from, for RowDescription.
	originTable  catalog.OID
	originNumber int16
}

// use gives the expression a column stands for.
func (b *binder) use(c *column, pos int) algebra.Scalar {
	if c.via != nil {
		return b.use(c.via, pos)
	}
	if c.lazy != nil {
		return c.lazy()
	}
	if c.expr == nil {
		b.scanColumn(c)
	}
	if c.src != nil && c.src.base != nil && !c.src.target {
		b.read(c.src.base, c.number)
	}
	if col, ok := c.expr.(*algebra.Col); ok {
		return &algebra.Col{T: col.T, ID: col.ID, Place: b.place(pos)}
	}
	return c.expr
}

// scanColumn adds a column to the scan it comes from.
func (b *binder) scanColumn(c *column) {
	src := c.src
	desc := algebra.Column{Name: c.name, Table: src.base.OID, Number: c.number}
	switch c.number {
	case catalog.RowKeyNumber:
		desc.T = noMod(types.Bytea)
	case catalog.TableOIDNumber:
		desc.T = noMod(types.Oid)
	default:
		col := src.base.Columns[c.number-1]
		desc.T, desc.Name = typeOf(col.Type, col.Mod), col.Name
	}
	id := b.newCol(desc, colInfo{src: src, scope: src.owner})
	src.scan.Cols = append(src.scan.Cols, algebra.ScanColumn{ID: id, Number: c.number})
	c.expr = b.col(id, -1)
}

// lookup finds a column by its bare name: in the innermost query level that has it.
func (s *scope) lookup(name string, pos int) *column {
	for level := s; level != nil; level = level.parent {
		var found *column
		var in *source
		for _, src := range level.visible {
			if !src.colsVisible || src.lateralOnly && !level.lateralActive {
				continue
			}
			c := s.b.columnOf(level, src, name, pos)
			if c == nil {
				continue
			}
			if found != nil {
				s.b.fail(pos, errs.AmbiguousColumn, "column reference %s is ambiguous", quoted(name))
			}
			level.checkLateral(src, pos)
			found, in = c, src
		}
		if found != nil {
			if in.lateralOnly {
				s.b.lateral = true
			}
			return found
		}
	}
	return nil
}

// columnOf finds a column of a source by name, system columns of base tables included.
func (b *binder) columnOf(level *scope, src *source, name string, pos int) *column {
	var found *column
	for _, c := range src.cols {
		if c.name == name && !c.hidden {
			if found != nil {
				b.fail(pos, errs.AmbiguousColumn, "column reference %s is ambiguous", quoted(name))
			}
			found = c
		}
	}
	if found == nil && src.oid != nil && name == "tableoid" {
		return &column{name: name, expr: src.oid}
	}
	if found == nil && src.base != nil && src.scan != nil {
		return b.systemColumn(src, name, pos)
	}
	return found
}

// systemColumn finds ctid and tableoid, which every table has.
func (b *binder) systemColumn(src *source, name string, pos int) *column {
	var number int16
	switch name {
	case "ctid":
		number = catalog.RowKeyNumber
	case "tableoid":
		number = catalog.TableOIDNumber
	case "xmin", "xmax", "cmin", "cmax":
		b.unsupported(pos, "system column %s", quoted(name))
	default:
		return nil
	}
	return b.systemColumnOf(src, number)
}

func (b *binder) systemColumnOf(src *source, number int16) *column {
	for _, c := range src.scan.Cols {
		if c.Number == number {
			return &column{name: b.q.Column(c.ID).Name, src: src, number: number, expr: b.col(c.ID, -1)}
		}
	}
	name := "ctid"
	if number == catalog.TableOIDNumber {
		name = "tableoid"
	}
	return &column{name: name, src: src, number: number}
}

func (s *scope) checkLateral(src *source, pos int) {
	if !src.lateralOnly || src.lateralOK {
		return
	}
	e := errs.New(errs.InvalidColumnReference, "invalid reference to FROM-clause entry for table %s", quoted(src.name))
	if src.target {
		e.WithHint("There is an entry for table %s, but it cannot be referenced from this part of the query.", quoted(src.name))
	} else {
		e.WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
	}
	s.b.bail(pos, e)
}

// relation finds an item of FROM by name.
func (s *scope) relation(schema, name string, pos int) (*scope, *source) {
	var wanted *catalog.Table
	if schema != "" {
		sch := s.b.o.Snapshot.Schema(schema)
		if sch == nil {
			return nil, nil
		}
		wanted = s.b.o.Snapshot.Relation(sch.OID, name)
		if wanted == nil {
			return nil, nil
		}
	}
	for level := s; level != nil; level = level.parent {
		var found *source
		for _, src := range level.visible {
			if !src.relVisible || src.lateralOnly && !level.lateralActive {
				continue
			}
			if wanted != nil {
				if src.table == nil || src.table.OID != wanted.OID || src.alias {
					continue
				}
			} else if src.name != name {
				continue
			}
			if found != nil {
				s.b.fail(pos, errs.AmbiguousAlias, "table reference %s is ambiguous", quoted(name))
			}
			level.checkLateral(src, pos)
			found = src
		}
		if found != nil {
			if found.lateralOnly {
				s.b.lateral = true
			}
			return level, found
		}
	}
	return nil, nil
}

// columnRef binds a, t.a, s.t.a; a name that is no column may be that of a relation, meaning its whole row.
func (s *scope) columnRef(e *ast.ColumnRef) algebra.Scalar {
	b, pos := s.b, e.Pos()
	s.checkColumnAllowed(pos)
	names := e.Names
	if e.Star { // t.* where one value is wanted is the whole row
		return s.starRow(e)
	}
	name := names[len(names)-1]
	switch len(names) {
	case 1:
		if c := s.lookup(name, pos); c != nil {
			return b.use(c, pos)
		}
		if _, src := s.relation("", name, pos); src != nil {
			return b.wholeRow(src, pos)
		}
		s.missingColumn("", name, pos)
	case 2, 3, 4:
		schema := ""
		relname := names[len(names)-2]
		if len(names) > 2 {
			schema = names[len(names)-3]
		}
		if len(names) == 4 && names[0] != b.database() {
			b.fail(pos, errs.FeatureNotSupported, "cross-database references are not implemented: %s", strings.Join(names, "."))
		}
		level, src := s.relation(schema, relname, pos)
		if src == nil {
			s.missingRelation(relname, pos)
		}
		if c := b.columnOf(level, src, name, pos); c != nil {
			return b.use(c, pos)
		}
		s.missingColumn(relname, name, pos)
	}
	b.fail(pos, errs.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(names, "."))
	return nil
}

func (s *scope) starRow(e *ast.ColumnRef) algebra.Scalar {
	b, pos, n := s.b, e.Pos(), len(e.Names)
	if n == 0 || n > 2 {
		b.fail(pos, errs.SyntaxError, "row expansion via \"*\" is not supported here")
	}
	schema := ""
	if n == 2 {
		schema = e.Names[0]
	}
	_, src := s.relation(schema, e.Names[n-1], pos)
	if src == nil {
		s.missingRelation(e.Names[n-1], pos)
	}
	return b.wholeRow(src, pos)
}

// missingRelation is the error for a qualifier that no visible item has.
func (s *scope) missingRelation(name string, pos int) {
	for level := s; level != nil; level = level.parent {
		for _, src := range level.all {
			own := src.table != nil && src.table.Name == name
			if src.name != name && !own || src.join && src.name == "" {
				continue
			}
			e := errs.New(errs.UndefinedTable, "invalid reference to FROM-clause entry for table %s", quoted(name))
			if src.name != name && level == s {
				e.WithHint("Perhaps you meant to reference the table alias %s.", quoted(src.name))
			} else if src.name != name {
				e.WithHint("Perhaps you meant to reference the table alias %s.", quoted(src.name))
			} else {
				e.WithHint("There is an entry for table %s, but it cannot be referenced from this part of the query.", quoted(src.name))
			}
			s.b.bail(pos, e)
		}
	}
	s.b.fail(pos, errs.UndefinedTable, "missing FROM-clause entry for table %s", quoted(name))
}

// missingColumn is the error for a column that is not there, with a hint at one that is spelled alike.
func (s *scope) missingColumn(relname, name string, pos int) {
	var e *errs.Error
	if relname != "" {
		e = errs.New(errs.UndefinedColumn, "column %s.%s does not exist", relname, name)
	} else {
		e = errs.New(errs.UndefinedColumn, "column %s does not exist", quoted(name))
	}
	s.hintColumn(e, relname, name)
	s.b.bail(pos, e)
}

func (s *scope) hintColumn(e *errs.Error, relname, name string) {
	const tooFar = 4
	type match struct{ table, column string }
	var best []match
	distance := tooFar
	for level := s; level != nil; level = level.parent {
		for _, src := range level.all {
			if src.join {
				continue
			}
			penalty := 0
			if relname != "" {
				penalty = levenshtein(src.name, relname)
			}
			for _, c := range src.cols {
				if c.name == name && penalty == 0 {
					e.WithHint("There is a column named %s in table %s, but it cannot be referenced from this part of the query.", quoted(name), quoted(src.name))
					return
				}
				if penalty > distance {
					continue
				}
				d := levenshtein(c.name, name)
				if d > len(name)/2 {
					continue
				}
				switch d += penalty; {
				case d < distance:
					distance, best = d, []match{{src.name, c.name}}
				case d == distance && len(best) == 2:
					best, distance = nil, d-1
				case d == distance:
					best = append(best, match{src.name, c.name})
				}
			}
		}
	}
	if distance >= tooFar {
		return
	}
	switch len(best) {
	case 1:
		e.WithHint("Perhaps you meant to reference the column \"%s.%s\".", best[0].table, best[0].column)
	case 2:
		e.WithHint("Perhaps you meant to reference the column \"%s.%s\" or the column \"%s.%s\".", best[0].table, best[0].column, best[1].table, best[1].column)
	}
}

// levenshtein is the edit distance in bytes.
func levenshtein(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		diagonal := prev[0]
		prev[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = prev[j+1]
			prev[j+1] = min(cost, prev[j]+1, diagonal+1)
		}
	}
	return prev[len(b)]
}

// wholeRow is the row of an item of FROM as one value.
func (b *binder) wholeRow(src *source, pos int) algebra.Scalar {
	if len(src.cols) == 1 && src.whole != nil && src.whole.Kind != 'c' && src.whole != types.RecordType {
		return b.use(src.cols[0], pos) // a function that returns a scalar
	}
	row := &algebra.Row{T: noMod(types.RecordType)}
	if src.whole != nil {
		row.T = noMod(src.whole)
	} else if src.base != nil {
		if t := b.o.Snapshot.RowType(src.base); t != nil {
			row.T = noMod(t)
		}
	}
	for _, c := range src.cols {
		if c.hidden {
			continue
		}
		row.Fields = append(row.Fields, b.use(c, pos))
		row.Names = append(row.Names, c.name)
	}
	if !src.nullable {
		return row
	}
	if src.scan == nil {
		if src.marker == nil {
			return row
		}
		return &algebra.Case{T: row.T, Whens: []algebra.When{{Cond: &algebra.IsNull{Arg: src.marker()}, Result: nullOf(row.T)}}, Else: row}
	}
	key := b.use(b.systemColumnOf(src, catalog.RowKeyNumber), pos)
	return &algebra.Case{T: row.T, Whens: []algebra.When{{Cond: &algebra.IsNull{Arg: key}, Result: nullOf(row.T)}}, Else: row}
}

func nullOf(t algebra.T) *algebra.Const { return &algebra.Const{T: t} }

// quoted puts a name between double quotes as messages do, without escaping.
func quoted(name string) string { return `"` + name + `"` }
