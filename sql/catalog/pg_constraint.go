package catalog

import (
	"slices"
	"strings"
	"sync"

	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

func init() {
	registerRows("pg_constraint", pgConstraint)
	registerRows("pg_depend", pgDepend)
	registerRows("pg_description", pgDescription)
	registerRows("pg_shdescription", pgShdescription)
}

// pgConstraint shows the constraints of tables and domains, and the assertions: an assertion is a check
// constraint (contype c) of no table and no domain (conrelid and contypid 0), as PostgreSQL's documentation
// of pg_constraint foresees.
func pgConstraint(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	if oids, ok := filter.oids(1); ok {
		for _, id := range oids {
			row := []datum(nil)
			if k := s.derive().constraints[id]; k.constraint != nil {
				row = s.constraintRow(k)
			} else if a := s.assertions[id]; a != nil {
				row = assertionRow(a)
			}
			if row != nil && !emit(row) {
				break
			}
		}
		return nil
	}
	more := true
	const conrelid = 8
	s.tables(filter, conrelid, func(t *Table) bool {
		for _, k := range t.Constraints {
			if filter.allowsName(2, k.Name) {
				more = more && emit(s.constraintRow(constraintOwner{table: t, constraint: k}))
			}
		}
		return more
	})
	if !more || !filter.allowsOID(conrelid, 0) {
		return nil
	}
	for _, u := range s.UserTypes() {
		for _, k := range u.Checks {
			if more = more && emit(s.constraintRow(constraintOwner{domain: u, constraint: k})); !more {
				return nil
			}
		}
	}
	for _, a := range s.Assertions() {
		if more = more && emit(assertionRow(a)); !more {
			return nil
		}
	}
	return nil
}

// constraintRow is the row of pg_constraint.
func (s *Snapshot) constraintRow(o constraintOwner) []datum {
	k := o.constraint
	schema, table, domain := OID(0), OID(0), OID(0)
	if o.table != nil {
		schema, table = o.table.Schema, o.table.OID
	} else {
		schema, domain = o.domain.Schema, o.domain.OID
	}
	onUpdate, onDelete, match := byte(' '), byte(' '), byte(' ')
	equals := []datum{null, null, null}
	if k.Kind == ForeignKeyConstraint {
		onUpdate, onDelete, match = k.OnUpdate, k.OnDelete, k.Match
		equals = s.equalities(o.table, k)
	}
	return []datum{oid(k.OID), text(k.Name), oid(schema), char(byte(k.Kind)), boolean(k.Deferrable), boolean(k.InitiallyDeferred), boolean(!k.NotValid),
		oid(table), oid(domain), oid(k.Index), oid(0), oid(k.RefTable), char(onUpdate), char(onDelete), char(match), boolean(true), integer(0),
		boolean(k.NoInherit || k.Kind != CheckConstraint), numbers(k.Columns), numbers(k.RefColumns), equals[0], equals[1], equals[2],
		numbers(k.OnDeleteColumns), null, textOrNull(k.Expr)}
}

// equalities are the = operators of a foreign key: referenced with referencing columns, referenced and
// referencing columns among themselves.
func (s *Snapshot) equalities(t *Table, k *Constraint) []datum {
	ref := s.relations[k.RefTable]
	out := make([][]OID, 3)
	for i, n := range k.Columns {
		c, r := t.Attribute(n), (*Column)(nil)
		if ref != nil && i < len(k.RefColumns) {
			r = ref.Attribute(k.RefColumns[i])
		}
		if c == nil || r == nil {
			continue
		}
		var mixed OID
		if m, err := funcs.ResolveOperator("=", r.Type, c.Type); err == nil {
			mixed = m.Operator.OID
		}
		out[0] = append(out[0], mixed)
		for j, u := range []*types.Type{r.Type, c.Type} {
			var same OID
			if o, err := funcs.EqualityOperator(u); err == nil {
				same = o.OID
			}
			out[j+1] = append(out[j+1], same)
		}
	}
	return []datum{array(types.Oid, out[0], oid), array(types.Oid, out[1], oid), array(types.Oid, out[2], oid)}
}

// storedCondition is the expression in the query as which an assertion keeps its condition, all names qualified.
func storedCondition(a *Assertion) string {
	e, selected := strings.CutPrefix(strings.TrimSpace(a.Condition), "SELECT ")
	e, named := strings.CutSuffix(e, " AS holds")
	if !selected || !named {
		return a.Condition
	}
	return e
}

func assertionRow(a *Assertion) []datum {
	return []datum{oid(a.OID), text(a.Name), oid(a.Schema), char('c'), boolean(a.Deferrable), boolean(a.InitiallyDeferred), boolean(!a.NotValid),
		oid(0), oid(0), oid(0), oid(0), oid(0), char(' '), char(' '), char(' '), boolean(true), integer(0), boolean(true), null, null, null, null, null,
		null, null, text(storedCondition(a))}
}

// dependency is a row of pg_depend.
type dependency struct {
	class, object OID
	sub           int16
	refClass, ref OID
	refSub        int16
	kind          byte // 'n' normal, 'a' auto, 'i' internal
}

func pgDepend(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	put := func(d dependency) bool {
		if !filter.allowsOID(1, d.class) || !filter.allowsOID(2, d.object) || !filter.allowsOID(4, d.refClass) || !filter.allowsOID(5, d.ref) {
			return true
		}
		return emit([]datum{oid(d.class), oid(d.object), integer(d.sub), oid(d.refClass), oid(d.ref), integer(d.refSub), char(d.kind)})
	}
	for _, t := range s.Tables() {
		if !s.tableDependencies(t, put) {
			return nil
		}
	}
	for _, u := range s.UserTypes() {
		if !put(dependency{pgTypeOID, u.OID, 0, pgNamespaceOID, u.Schema, 0, 'n'}) {
			return nil
		}
		if u.Base != nil && u.Base.OID >= FirstUserOID && !put(dependency{pgTypeOID, u.OID, 0, pgTypeOID, u.Base.OID, 0, 'n'}) {
			return nil
		}
		if u.Relation != 0 && !put(dependency{pgClassOID, u.Relation, 0, pgTypeOID, u.OID, 0, 'i'}) {
			return nil
		}
		for _, k := range u.Checks {
			if !put(dependency{pgConstraintOID, k.OID, 0, pgTypeOID, u.OID, 0, 'a'}) {
				return nil
			}
		}
	}
	for _, a := range s.Assertions() {
		if !put(dependency{pgConstraintOID, a.OID, 0, pgNamespaceOID, a.Schema, 0, 'n'}) || !s.uses(dependency{class: pgConstraintOID, object: a.OID}, a.DependsOn, put) {
			return nil
		}
	}
	return nil
}

// uses puts a dependency on each column of the relations read.
func (s *Snapshot) uses(d dependency, on map[OID][]int16, put func(dependency) bool) bool {
	rels := make([]OID, 0, len(on))
	for rel := range on {
		rels = append(rels, rel)
	}
	slices.Sort(rels)
	for _, rel := range rels {
		d.refClass, d.ref, d.refSub, d.kind = pgClassOID, rel, 0, 'n'
		if len(on[rel]) == 0 && !put(d) {
			return false
		}
		for _, n := range on[rel] {
			if d.refSub = n; !put(d) {
				return false
			}
		}
	}
	return true
}

// tableDependencies puts what a relation and its parts depend on.
func (s *Snapshot) tableDependencies(t *Table, put func(dependency) bool) bool {
	ok := put(dependency{pgClassOID, t.OID, 0, pgNamespaceOID, t.Schema, 0, 'n'})
	if t.RowType != 0 {
		ok = ok && put(dependency{pgTypeOID, t.RowType, 0, pgClassOID, t.OID, 0, 'i'})
	}
	if q := t.Sequence; q != nil && q.OwnerTable != 0 {
		kind := byte('a')
		if owner := s.relations[q.OwnerTable]; owner != nil && owner.Attribute(q.OwnerColumn) != nil && owner.Attribute(q.OwnerColumn).Identity != 0 {
			kind = 'i'
		}
		ok = ok && put(dependency{pgClassOID, t.OID, 0, pgClassOID, q.OwnerTable, q.OwnerColumn, kind})
	}
	if t.View != nil {
		rule := dependency{class: pgRewriteOID, object: ruleOID(t.OID)}
		ok = ok && put(dependency{pgRewriteOID, rule.object, 0, pgClassOID, t.OID, 0, 'i'}) && s.uses(rule, t.View.DependsOn, put)
	}
	for _, c := range t.Columns {
		if c.Dropped {
			continue
		}
		if c.Type.OID >= FirstUserOID {
			ok = ok && put(dependency{pgClassOID, t.OID, c.Number, pgTypeOID, c.Type.OID, 0, 'n'})
		}
		if c.Default == "" && c.Generated == "" {
			continue
		}
		def := attrdefOID(t.OID, c.Number)
		ok = ok && put(dependency{pgAttrdefOID, def, 0, pgClassOID, t.OID, c.Number, 'a'})
		for _, on := range c.DependsOn {
			ok = ok && put(dependency{pgAttrdefOID, def, 0, pgClassOID, on, 0, 'n'})
		}
		for _, n := range c.Uses {
			ok = ok && put(dependency{pgAttrdefOID, def, 0, pgClassOID, t.OID, n, 'n'})
		}
	}
	for _, x := range t.Indexes {
		if x.Constraint != 0 {
			ok = ok && put(dependency{pgClassOID, x.OID, 0, pgConstraintOID, x.Constraint, 0, 'i'})
			continue
		}
		for _, c := range t.Columns {
			if x.uses(c.Number) {
				ok = ok && put(dependency{pgClassOID, x.OID, 0, pgClassOID, t.OID, c.Number, 'a'})
			}
		}
	}
	for _, k := range t.Constraints {
		for _, n := range k.Columns {
			ok = ok && put(dependency{pgConstraintOID, k.OID, 0, pgClassOID, t.OID, n, 'a'})
		}
		if k.Kind == ForeignKeyConstraint {
			for _, n := range k.RefColumns {
				ok = ok && put(dependency{pgConstraintOID, k.OID, 0, pgClassOID, k.RefTable, n, 'n'})
			}
			ok = ok && put(dependency{pgConstraintOID, k.OID, 0, pgClassOID, k.Index, 0, 'n'})
		}
	}
	return ok
}

// builtinDescriptions are PostgreSQL's descriptions of what is built in. Those of functions and operators that
// are not there are left out.
var builtinDescriptions = sync.OnceValues(func() ([][]datum, error) {
	rows, err := fixedRowsOf("pg_description")()
	present := map[OID]bool{}
	for _, o := range funcs.Operators() {
		present[o.OID] = true
	}
	return slices.DeleteFunc(rows, func(r []datum) bool {
		switch object := OID(r[0].Int()); OID(r[1].Int()) {
		case pgProcOID:
			return funcs.ByOID(object) == nil
		case pgOperatorOID:
			return !present[object]
		}
		return false
	}), err
})

// describedObject is an object with its catalog.
type describedObject struct{ object, class OID }

var descriptionOf = sync.OnceValue(func() map[describedObject]string {
	m := map[describedObject]string{}
	rows, _ := builtinDescriptions()
	for _, r := range rows {
		m[describedObject{OID(r[0].Int()), OID(r[1].Int())}] = r[3].Str()
	}
	return m
})

func pgDescription(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	builtin, err := builtinDescriptions()
	if err != nil {
		return err
	}
	more := true
	for _, r := range builtin {
		if more = more && (!filter.accepts(r) || emit(r)); !more {
			return nil
		}
	}
	v.Snapshot.comments(func(object, class OID, sub int16, comment string) bool {
		if comment == "" || !filter.allowsOID(1, object) || !filter.allowsOID(2, class) || class == pgAuthidOID {
			return true
		}
		return emit([]datum{oid(object), oid(class), integer(sub), text(comment)})
	})
	return nil
}

// comments calls f for the comments on objects of users, empty ones included, until it returns false.
func (s *Snapshot) comments(f func(object, class OID, sub int16, comment string) bool) {
	for _, n := range s.Schemas() {
		if !f(n.OID, pgNamespaceOID, 0, n.Comment) {
			return
		}
	}
	for _, r := range s.Roles() {
		if !f(r.OID, pgAuthidOID, 0, r.Comment) {
			return
		}
	}
	for _, t := range s.Tables() {
		ok := f(t.OID, pgClassOID, 0, t.Comment)
		for _, c := range t.Columns {
			ok = ok && (c.Dropped || f(t.OID, pgClassOID, c.Number, c.Comment))
		}
		for _, x := range t.Indexes {
			ok = ok && f(x.OID, pgClassOID, 0, x.Comment)
		}
		for _, k := range t.Constraints {
			ok = ok && f(k.OID, pgConstraintOID, 0, k.Comment)
		}
		if !ok {
			return
		}
	}
	for _, u := range s.UserTypes() {
		ok := f(u.OID, pgTypeOID, 0, u.Comment)
		for _, c := range u.Columns {
			ok = ok && f(u.Relation, pgClassOID, c.Number, c.Comment)
		}
		for _, k := range u.Checks {
			ok = ok && f(k.OID, pgConstraintOID, 0, k.Comment)
		}
		if !ok {
			return
		}
	}
	for _, a := range s.Assertions() {
		if !f(a.OID, pgConstraintOID, 0, a.Comment) {
			return
		}
	}
}

// comment is the comment on an object, "" if there is none.
func (s *Snapshot) comment(object, class OID, sub int16) string {
	switch {
	case class == pgNamespaceOID && s.schemas[object] != nil:
		return s.schemas[object].Comment
	case class == pgAuthidOID && s.roles[object] != nil:
		return s.roles[object].Comment
	case class == pgClassOID && s.relations[object] != nil:
		if c := s.relations[object].Attribute(sub); c != nil {
			return c.Comment
		} else if sub == 0 {
			return s.relations[object].Comment
		}
	case class == pgClassOID && s.indexTables[object] != 0 && sub == 0:
		_, x := s.IndexByOID(object)
		return x.Comment
	case class == pgTypeOID && sub == 0:
		if u := s.UserType(object); u != nil {
			return u.Comment
		}
	case class == pgConstraintOID && sub == 0:
		if k := s.derive().constraints[object].constraint; k != nil {
			return k.Comment
		} else if a := s.assertions[object]; a != nil {
			return a.Comment
		}
	}
	if sub != 0 {
		return ""
	}
	return descriptionOf()[describedObject{object, class}]
}

var builtinShared = fixedRowsOf("pg_shdescription")

func pgShdescription(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	rows, err := builtinShared()
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !emit(r) {
			return nil
		}
	}
	for _, r := range v.Snapshot.Roles() {
		if r.Comment != "" && !emit([]datum{oid(r.OID), oid(pgAuthidOID), text(r.Comment)}) {
			return nil
		}
	}
	return nil
}
