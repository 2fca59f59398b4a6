package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Dependent is an object that cannot stay as it is without another one.
type Dependent struct {
	Kind   DependentKind
	OID    OID   // of the object itself; of the relation for DependentDefault and DependentColumn
	Column int16 // DependentDefault, DependentColumn
	// Auto objects go with what they depend on without CASCADE: the indexes and constraints of a dropped
	// column, the sequence it owns, the row type of a table, the array type of a type.
	Auto bool
	// On is what it depends on: an object that is to be dropped, or another Dependent.
	On Target
}

// Target is an object, or a column of a relation if Column is not 0.
type Target struct {
	OID    OID
	Column int16
}

// DependentKind is the kind of a Dependent.
type DependentKind uint8

const (
	DependentTable      DependentKind = iota // table, view or sequence
	DependentIndex                           // of the table it is part of
	DependentConstraint                      // check, unique, primary key or foreign key constraint
	DependentAssertion
	DependentDefault // default expression of a column
	DependentColumn  // column of a table or view
	DependentType    // user type; array or row type, which are always Auto
)

// Dependents are the objects that directly depend on a relation, type, constraint, index or schema, or on one
// column of a relation (column 0: on the whole, columns included), in the order of their OIDs. Parts of the
// object itself are left out.
func (s *Snapshot) Dependents(oid OID, column int16) []Dependent {
	d := &dependencies{s: s}
	d.of(Target{oid, column})
	slices.SortStableFunc(d.found, compareDependents)
	return d.found
}

func compareDependents(a, b Dependent) int {
	return cmp.Or(cmp.Compare(a.OID, b.OID), cmp.Compare(a.Column, b.Column))
}

// DependentClosure are all objects that depend on the targets, directly or not: what DROP .. CASCADE has to
// drop besides them, and what keeps DROP .. RESTRICT from it if it is not Auto. Parts of tables that go are
// left out. The order is PostgreSQL's: what a dependent depends on comes before it.
func (s *Snapshot) DependentClosure(targets ...Target) []Dependent {
	w := &closure{s: s, seen: map[Target]bool{}, gone: map[OID]bool{}}
	for _, t := range targets {
		w.seen[t] = true
	}
	for _, t := range slices.Backward(targets) {
		w.visit(t)
	}
	slices.Reverse(w.list)
	for _, t := range targets {
		w.gone[t.OID] = w.gone[t.OID] || t.Column == 0
	}
	return slices.DeleteFunc(w.list, w.isPart)
}

// closure walks dependencies as PostgreSQL does: the youngest objects first, each entered into the list after
// everything that depends on it. The list is then read backwards.
type closure struct {
	s    *Snapshot
	seen map[Target]bool
	gone map[OID]bool // relations and types in the list
	list []Dependent
}

func (w *closure) visit(t Target) {
	for _, d := range slices.Backward(w.s.Dependents(t.OID, t.Column)) {
		key := d.target()
		if w.seen[key] {
			continue
		}
		w.seen[key] = true
		w.visit(key)
		w.list = append(w.list, d)
		if d.Kind == DependentTable || d.Kind == DependentType {
			w.gone[d.OID] = true
		}
	}
}

// target is the dependent as something to depend on. Nothing depends on a default.
func (d Dependent) target() Target {
	if d.Kind == DependentDefault {
		return Target{d.OID, -d.Column}
	}
	return Target{d.OID, d.Column}
}

// isPart reports whether a dependent goes with its table.
func (w *closure) isPart(d Dependent) bool {
	switch d.Kind {
	case DependentDefault:
		return w.gone[d.OID] || w.seen[Target{d.OID, d.Column}]
	case DependentColumn:
		return w.gone[d.OID]
	case DependentIndex:
		t, _ := w.s.IndexByOID(d.OID)
		return t != nil && w.gone[t.OID]
	case DependentConstraint:
		k := w.s.derive().constraints[d.OID]
		return k.table != nil && w.gone[k.table.OID] || k.domain != nil && w.gone[k.domain.OID]
	}
	return false
}

// DependencyError is the refusal (2BP01) to drop the targets, with all objects that depend on them, directly
// or not, in its detail; nil if there are none but those that go by themselves.
func (s *Snapshot) DependencyError(searchPath []string, targets ...Target) *errs.Error {
	var lines []string
	for _, d := range s.DependentClosure(targets...) {
		if !d.Auto && !slices.Contains(targets, d.target()) && !s.ownedByTarget(d, targets) {
			lines = append(lines, s.DescribeDependent(d, searchPath)+" depends on "+s.describe(d.On, searchPath))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	e := errs.New(errs.DependentObjectsStillExist, "cannot drop desired object(s) because other objects depend on them")
	if len(targets) == 1 {
		e.Message = fmt.Sprintf("cannot drop %s because other objects depend on it", s.describe(targets[0], searchPath))
	}
	e.Detail = reportLines(lines)
	return e.WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
}

// CascadeNotice tells what DROP .. CASCADE of the targets drops with them; nil if nothing worth telling.
func (s *Snapshot) CascadeNotice(searchPath []string, targets ...Target) *errs.Error {
	var lines []string
	for _, d := range s.DependentClosure(targets...) {
		if !d.Auto && !slices.Contains(targets, d.target()) && !s.ownedByTarget(d, targets) {
			lines = append(lines, "drop cascades to "+s.DescribeDependent(d, searchPath))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	e := errs.New(errs.SuccessfulCompletion, "%s", lines[0])
	e.Severity = "NOTICE"
	if len(lines) > 1 {
		e.Message = fmt.Sprintf("drop cascades to %d other objects", len(lines))
		e.Detail = reportLines(lines)
	}
	return e
}

// reportLines joins the lines of a detail, the first hundred of them.
func reportLines(lines []string) string {
	const most = 100
	if more := len(lines) - most; more > 0 {
		what := "objects"
		if more == 1 {
			what = "object"
		}
		lines = append(slices.Clone(lines[:most]), fmt.Sprintf("and %d other %s (see server log for list)", more, what))
	}
	return strings.Join(lines, "\n")
}

// ownedByTarget reports whether d is a sequence that goes with the table of a schema that is dropped.
func (s *Snapshot) ownedByTarget(d Dependent, targets []Target) bool {
	t := s.relations[d.OID]
	if d.Kind != DependentTable || t == nil || t.Sequence == nil || t.Sequence.OwnerTable == 0 {
		return false
	}
	owner := s.relations[t.Sequence.OwnerTable]
	return owner != nil && slices.Contains(targets, Target{OID: owner.Schema})
}

// dependencies collects what directly depends on one target.
type dependencies struct {
	s     *Snapshot
	on    Target
	found []Dependent
}

func (d *dependencies) add(kind DependentKind, oid OID, column int16, auto bool) {
	d.found = append(d.found, Dependent{Kind: kind, OID: oid, Column: column, Auto: auto, On: d.on})
}

func (d *dependencies) of(on Target) {
	d.on = on
	s := d.s
	switch {
	case on.Column < 0:
	case s.schemas[on.OID] != nil:
		d.ofSchema()
	case s.relations[on.OID] != nil && on.Column == 0:
		d.ofRelation(s.relations[on.OID])
	case s.relations[on.OID] != nil:
		d.ofColumn(s.relations[on.OID], on.Column)
	case s.indexTables[on.OID] != 0:
		d.ofIndex(on.OID)
	case s.derive().typeInfo[on.OID] != nil:
		d.ofType(s.types[on.OID])
	default:
		if k := s.derive().constraints[on.OID].constraint; k != nil && k.Index != 0 && k.Kind != ForeignKeyConstraint {
			d.ofIndex(k.Index)
		}
	}
}

func (d *dependencies) ofSchema() {
	for _, t := range d.s.Tables() {
		if t.Schema == d.on.OID {
			d.add(DependentTable, t.OID, 0, false)
		}
	}
	for _, u := range d.s.UserTypes() {
		if u.Schema == d.on.OID {
			d.add(DependentType, u.OID, 0, false)
		}
	}
	for _, a := range d.s.Assertions() {
		if a.Schema == d.on.OID {
			d.add(DependentAssertion, a.OID, 0, false)
		}
	}
}

func (d *dependencies) ofRelation(t *Table) {
	if t.RowType != 0 {
		d.add(DependentType, t.RowType, 0, true)
	}
	for _, o := range d.s.Tables() {
		switch {
		case o.View != nil:
			if _, ok := o.View.DependsOn[t.OID]; ok {
				d.add(DependentTable, o.OID, 0, false)
			}
		case o.Sequence != nil:
			if o.Sequence.OwnerTable == t.OID {
				d.add(DependentTable, o.OID, 0, true)
			}
		case o != t:
			for _, k := range o.Constraints {
				if k.Kind == ForeignKeyConstraint && k.RefTable == t.OID {
					d.add(DependentConstraint, k.OID, 0, false)
				}
			}
		}
		if t.Kind == KindSequence {
			for _, c := range o.Columns {
				if !c.Dropped && slices.Contains(c.DependsOn, t.OID) {
					d.add(DependentDefault, o.OID, c.Number, false)
				}
			}
		}
	}
	for _, a := range d.s.AssertionsOn(t.OID) {
		d.add(DependentAssertion, a.OID, 0, false)
	}
}

func (d *dependencies) ofColumn(t *Table, n int16) {
	for _, c := range t.Columns {
		if !c.Dropped && c.Number != n && slices.Contains(c.Uses, n) {
			d.add(DependentColumn, t.OID, c.Number, false)
		}
	}
	for _, k := range t.Constraints {
		if slices.Contains(k.Columns, n) {
			d.add(DependentConstraint, k.OID, 0, true)
		}
	}
	for _, x := range t.Indexes {
		if x.Constraint == 0 && x.uses(n) {
			d.add(DependentIndex, x.OID, 0, true)
		}
	}
	for _, o := range d.s.Tables() {
		switch {
		case o.View != nil:
			if slices.Contains(o.View.DependsOn[t.OID], n) {
				d.add(DependentTable, o.OID, 0, false)
			}
		case o.Sequence != nil:
			if o.Sequence.OwnerTable == t.OID && o.Sequence.OwnerColumn == n {
				d.add(DependentTable, o.OID, 0, true)
			}
		}
		for _, k := range o.Constraints {
			own := o == t && slices.Contains(k.Columns, n)
			if k.Kind == ForeignKeyConstraint && k.RefTable == t.OID && slices.Contains(k.RefColumns, n) && !own {
				d.add(DependentConstraint, k.OID, 0, false)
			}
		}
	}
	for _, a := range d.s.AssertionsOn(t.OID) {
		if slices.Contains(a.DependsOn[t.OID], n) {
			d.add(DependentAssertion, a.OID, 0, false)
		}
	}
}

// uses reports whether an index reads a column.
func (x *Index) uses(n int16) bool {
	return slices.Contains(x.Include, n) || slices.Contains(x.Uses, n) ||
		slices.ContainsFunc(x.Keys, func(k IndexKey) bool { return k.Column == n })
}

func (d *dependencies) ofIndex(index OID) {
	d.on = Target{OID: index}
	for _, o := range d.s.Tables() {
		for _, k := range o.Constraints {
			if k.Kind == ForeignKeyConstraint && k.Index == index {
				d.add(DependentConstraint, k.OID, 0, false)
			}
		}
	}
}

func (d *dependencies) ofType(t *types.Type) {
	if t.Array != nil {
		d.add(DependentType, t.Array.OID, 0, true)
	}
	for _, u := range d.s.UserTypes() {
		if u.Base != nil && u.Base.OID == t.OID {
			d.add(DependentType, u.OID, 0, false)
		}
		for _, c := range u.Columns {
			if c.Type.OID == t.OID {
				d.add(DependentColumn, u.Relation, c.Number, false)
			}
		}
	}
	for _, o := range d.s.Tables() {
		if !o.ofUserTypes {
			continue
		}
		for _, c := range o.Columns {
			if !c.Dropped && c.Type.OID == t.OID {
				if o.Kind == KindView {
					d.add(DependentTable, o.OID, 0, false)
					break
				}
				d.add(DependentColumn, o.OID, c.Number, false)
			}
		}
	}
}

// Describe is how messages speak of an object: `table t`, `constraint c on table t`, `assertion a`. Names are
// qualified unless visible. It is "" if there is no such object.
func (s *Snapshot) Describe(oid OID, searchPath []string) string {
	if n := s.schemas[oid]; n != nil {
		return "schema " + types.QuoteIdentifier(n.Name)
	}
	if t := s.RelationByOID(oid); t != nil {
		return kindNoun(t.Kind) + " " + s.QualifiedName(oid, searchPath)
	}
	if s.indexTables[oid] != 0 {
		return "index " + s.QualifiedName(oid, searchPath)
	}
	if t := s.Type(oid); t != nil {
		return "type " + s.FormatType(t, types.NoTypmod, searchPath)
	}
	if a := s.assertions[oid]; a != nil {
		return "assertion " + s.qualifiedAssertion(a, searchPath)
	}
	if k := s.derive().constraints[oid]; k.table != nil {
		return fmt.Sprintf("constraint %s on %s", k.constraint.Name, s.Describe(k.table.OID, searchPath))
	} else if k.domain != nil {
		return fmt.Sprintf("constraint %s on %s", k.constraint.Name, s.Describe(k.domain.OID, searchPath))
	}
	if name := s.QualifiedName(oid, searchPath); name != "" {
		return "composite type " + name
	}
	if r := s.roles[oid]; r != nil {
		return "role " + types.QuoteIdentifier(r.Name)
	}
	return ""
}

func kindNoun(k RelKind) string {
	switch k {
	case KindView:
		return "view"
	case KindSequence:
		return "sequence"
	case KindIndex:
		return "index"
	case KindComposite:
		return "composite type"
	}
	return "table"
}

// qualifiedAssertion is the name of an assertion for SQL.
func (s *Snapshot) qualifiedAssertion(a *Assertion, searchPath []string) string {
	found, err := s.LookupAssertion(searchPath, "", a.Name)
	return s.qualify(a.Schema, a.Name, err == nil && found == a)
}

// DescribeColumn is `column c of table t`.
func (s *Snapshot) DescribeColumn(oid OID, column int16, searchPath []string) string {
	name := ""
	if t := s.RelationByOID(oid); t != nil && t.Attribute(column) != nil {
		name = t.Attribute(column).Name
	}
	for _, u := range s.UserTypes() {
		if u.Relation == oid && int(column) <= len(u.Columns) {
			name = u.Columns[column-1].Name
		}
	}
	return fmt.Sprintf("column %s of %s", types.QuoteIdentifier(name), s.Describe(oid, searchPath))
}

func (s *Snapshot) describe(t Target, searchPath []string) string {
	if t.Column > 0 {
		return s.DescribeColumn(t.OID, t.Column, searchPath)
	}
	return s.Describe(t.OID, searchPath)
}

// DescribeDependent is Describe for a Dependent.
func (s *Snapshot) DescribeDependent(d Dependent, searchPath []string) string {
	switch d.Kind {
	case DependentDefault:
		return "default value for " + s.DescribeColumn(d.OID, d.Column, searchPath)
	case DependentColumn:
		return s.DescribeColumn(d.OID, d.Column, searchPath)
	}
	return s.Describe(d.OID, searchPath)
}
