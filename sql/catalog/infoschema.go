package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"holdfast/sql/types"
)

func init() {
	for name, rows := range map[string]VirtualRows{
		"information_schema_catalog_name": infoCatalogName,
		"schemata":                        infoSchemata,
		"tables":                          infoTablesView,
		"views":                           infoViews,
		"sequences":                       infoSequences,
		"table_constraints":               infoTableConstraints,
		"key_column_usage":                infoKeyColumnUsage,
		"constraint_column_usage":         infoConstraintColumnUsage,
		"constraint_table_usage":          infoConstraintTableUsage,
		"referential_constraints":         infoReferentialConstraints,
		"check_constraints":               infoCheckConstraints,
		"domain_constraints":              infoDomainConstraints,
		"view_table_usage":                infoViewTableUsage,
		"view_column_usage":               infoViewColumnUsage,
		"enabled_roles":                   infoEnabledRoles,
		"table_privileges":                infoTablePrivileges,
		"role_table_grants":               infoTablePrivileges,
		"column_privileges":               infoColumnPrivileges,
		"role_column_grants":              infoColumnPrivileges,
		"user_defined_types":              infoUserDefinedTypes,
		"collations":                      infoCollations,
		"character_sets":                  infoCharacterSets,
	} {
		RegisterRows(InformationSchemaOID, name, rows)
	}
	// The SQL standard's view of assertions, which PostgreSQL has no use for.
	const assertionsOID = 13990
	cols := []*Column{}
	for i, name := range []string{"constraint_catalog", "constraint_schema", "constraint_name", "is_deferrable", "initially_deferred"} {
		c := &Column{Number: int16(i + 1), Name: name, Type: types.Name, Mod: types.NoTypmod}
		if i > 2 {
			c.Type, c.Mod, c.Collation = types.Varchar, 3+4, "C"
		}
		cols = append(cols, c)
	}
	extraRelations = append(extraRelations, &Table{OID: assertionsOID, RowType: assertionsOID + 1, Schema: InformationSchemaOID, Name: "assertions",
		Kind: KindView, Owner: PostgresRoleOID, Columns: cols})
	RegisterRows(InformationSchemaOID, "assertions", infoAssertions)
}

func infoCatalogName(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	emit([]datum{text(v.database())})
	return nil
}

func infoSchemata(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	for _, n := range v.Snapshot.Schemas() {
		if !emit([]datum{text(v.database()), text(n.Name), text(v.Snapshot.roleName(n.Owner)), null, null, null, null}) {
			return nil
		}
	}
	return nil
}

func infoTablesView(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	db := text(v.database())
	v.infoTables(filter, 2, 3, func(t *Table, schema string) bool {
		kind := "BASE TABLE"
		if t.Kind == KindView {
			kind = "VIEW"
		}
		return emit([]datum{db, text(schema), text(t.Name), text(kind), null, null, null, null, null, yesNo(v.Snapshot.updatableEvents(t)&eventInsert != 0),
			text("NO"), null})
	})
	return nil
}

func infoViews(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	db := text(v.database())
	v.infoTables(filter, 2, 3, func(t *Table, schema string) bool {
		if t.Kind != KindView {
			return true
		}
		check := "NONE"
		if t.View != nil && t.View.CheckOption != "" {
			check = strings.ToUpper(t.View.CheckOption)
		}
		events := v.Snapshot.updatableEvents(t)
		return emit([]datum{db, text(schema), text(t.Name), textOrNull(v.Snapshot.ViewDef(v.Ctx, t, false, v.path())), text(check), yesNo(events&(eventUpdate|eventDelete) == eventUpdate|eventDelete),
			yesNo(events&eventInsert != 0), text("NO"), text("NO"), text("NO")})
	})
	return nil
}

// infoSequences leaves out those of identity columns.
func infoSequences(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	for _, t := range s.Tables() {
		q := t.Sequence
		if q == nil || !filter.allowsName(2, s.schemaName(t.Schema)) || !filter.allowsName(3, t.Name) {
			continue
		}
		if owner := s.relations[q.OwnerTable]; owner != nil && owner.Attribute(q.OwnerColumn) != nil && owner.Attribute(q.OwnerColumn).Identity != 0 {
			continue
		}
		if !emit([]datum{text(v.database()), text(s.schemaName(t.Schema)), text(t.Name), text(sqlTypeName(q.Type)), integer(8 * q.Type.Len), integer(2),
			integer(0), text(itoa(q.Start)), text(itoa(q.Min)), text(itoa(q.Max)), text(itoa(q.Increment)), yesNo(q.Cycle)}) {
			return nil
		}
	}
	return nil
}

// userTables calls f for the tables of users whose schema and name pass the filter.
func (v *VirtualContext) userTables(filter VirtualFilter, schemaColumn, nameColumn int16, f func(t *Table, schema datum) bool) {
	v.infoTables(filter, schemaColumn, nameColumn, func(t *Table, schema string) bool {
		return t.Kind != KindTable || t.OID < FirstUserOID || f(t, text(schema))
	})
}

func constraintType(k ConstraintKind) string {
	switch k {
	case PrimaryKeyConstraint:
		return "PRIMARY KEY"
	case UniqueConstraint:
		return "UNIQUE"
	case ForeignKeyConstraint:
		return "FOREIGN KEY"
	}
	return "CHECK"
}

// notNullName is the name the information schema gives to NOT NULL of a column.
func notNullName(t *Table, c *Column) string {
	return fmt.Sprintf("%d_%d_%d_not_null", t.Schema, t.OID, c.Number)
}

func infoTableConstraints(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	db := text(v.database())
	v.userTables(filter, 5, 6, func(t *Table, schema datum) bool {
		for _, k := range t.Constraints {
			distinct := null
			if k.Kind == UniqueConstraint {
				x := t.Index(k.Index)
				distinct = yesNo(x == nil || !x.NullsNotDistinct)
			}
			if !emit([]datum{db, schema, text(k.Name), db, schema, text(t.Name), text(constraintType(k.Kind)), yesNo(k.Deferrable), yesNo(k.InitiallyDeferred),
				text("YES"), distinct}) {
				return false
			}
		}
		for _, c := range t.Columns {
			if c.NotNull && !c.Dropped && !emit([]datum{db, schema, text(notNullName(t, c)), db, schema, text(t.Name), text("CHECK"), text("NO"), text("NO"), text("YES"), null}) {
				return false
			}
		}
		return true
	})
	return nil
}

func infoKeyColumnUsage(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	db := text(v.database())
	v.userTables(filter, 5, 6, func(t *Table, schema datum) bool {
		for _, k := range t.Constraints {
			if k.Kind == CheckConstraint {
				continue
			}
			var key []IndexKey // of the referenced unique constraint
			if ref := v.Snapshot.relations[k.RefTable]; ref != nil && ref.Index(k.Index) != nil {
				key = ref.Index(k.Index).Keys
			}
			for i, n := range k.Columns {
				position := null
				if k.Kind == ForeignKeyConstraint && i < len(k.RefColumns) {
					if j := slices.IndexFunc(key, func(x IndexKey) bool { return x.Column == k.RefColumns[i] }); j >= 0 {
						position = integer(j + 1)
					}
				}
				if !emit([]datum{db, schema, text(k.Name), db, schema, text(t.Name), text(t.Attribute(n).Name), integer(i + 1), position}) {
					return false
				}
			}
		}
		return true
	})
	return nil
}

// infoConstraintColumnUsage lists the columns that constraints are about: for a foreign key the referenced ones.
func infoConstraintColumnUsage(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	v.userTables(nil, 0, 0, func(t *Table, schema datum) bool {
		for _, k := range t.Constraints {
			about, columns := t, k.Columns
			if k.Kind == ForeignKeyConstraint {
				about, columns = s.relations[k.RefTable], k.RefColumns
			}
			if about == nil || !filter.allowsName(3, about.Name) || !filter.allowsName(7, k.Name) {
				continue
			}
			for _, n := range columns {
				if !emit([]datum{db, text(s.schemaName(about.Schema)), text(about.Name), text(about.Attribute(n).Name), db, schema, text(k.Name)}) {
					return false
				}
			}
		}
		return true
	})
	v.assertionUses(func(a *Assertion, rel *Table, columns []int16) bool {
		for _, n := range columns {
			if c := rel.Attribute(n); c != nil && !c.Dropped &&
				!emit([]datum{db, text(s.schemaName(rel.Schema)), text(rel.Name), text(c.Name), db, text(s.schemaName(a.Schema)), text(a.Name)}) {
				return false
			}
		}
		return true
	})
	return nil
}

// infoConstraintTableUsage lists the tables that constraints are about; for an assertion, as the standard has it, all that it reads, views
// included.
func infoConstraintTableUsage(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	v.userTables(nil, 0, 0, func(t *Table, schema datum) bool {
		for _, k := range t.Constraints {
			about := t
			switch k.Kind {
			case CheckConstraint:
				continue
			case ForeignKeyConstraint:
				about = s.relations[k.RefTable]
			}
			if about != nil && !emit([]datum{db, text(s.schemaName(about.Schema)), text(about.Name), db, schema, text(k.Name)}) {
				return false
			}
		}
		return true
	})
	v.assertionUses(func(a *Assertion, rel *Table, _ []int16) bool {
		return emit([]datum{db, text(s.schemaName(rel.Schema)), text(rel.Name), db, text(s.schemaName(a.Schema)), text(a.Name)})
	})
	return nil
}

// assertionUses calls f for each relation that an assertion reads, by the assertion's name and the relation's OID, until f returns false.
func (v *VirtualContext) assertionUses(f func(a *Assertion, rel *Table, columns []int16) bool) {
	s := v.Snapshot
	for _, a := range s.Assertions() {
		for _, oid := range slices.Sorted(maps.Keys(a.DependsOn)) {
			columns := slices.Clone(a.DependsOn[oid])
			slices.Sort(columns)
			if r := s.RelationByOID(oid); r != nil && !f(a, r, columns) {
				return
			}
		}
	}
}

func infoReferentialConstraints(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	v.userTables(nil, 0, 0, func(t *Table, schema datum) bool {
		for _, k := range t.Constraints {
			if k.Kind != ForeignKeyConstraint {
				continue
			}
			uniqueCatalog, uniqueSchema, uniqueName := null, null, null
			if ref, x := s.IndexByOID(k.Index); x != nil {
				if _, u := s.Constraint(x.Constraint); u != nil {
					uniqueCatalog, uniqueSchema, uniqueName = db, text(s.schemaName(ref.Schema)), text(u.Name)
				}
			}
			match := "NONE"
			if k.Match == 'f' {
				match = "FULL"
			}
			if !emit([]datum{db, schema, text(k.Name), uniqueCatalog, uniqueSchema, uniqueName, text(match), text(ActionName(k.OnUpdate)), text(ActionName(k.OnDelete))}) {
				return false
			}
		}
		return true
	})
	return nil
}

func infoCheckConstraints(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	more := true
	put := func(schema datum, name, clause string) bool {
		more = more && emit([]datum{db, schema, text(name), text(clause)})
		return more
	}
	v.userTables(nil, 0, 0, func(t *Table, schema datum) bool {
		for _, k := range t.Constraints {
			if k.Kind == CheckConstraint && !put(schema, k.Name, "("+k.Expr+")") {
				return false
			}
		}
		for _, c := range t.Columns {
			if c.NotNull && !c.Dropped && !put(schema, notNullName(t, c), c.Name+" IS NOT NULL") {
				return false
			}
		}
		return true
	})
	for _, u := range s.UserTypes() {
		for _, k := range u.Checks {
			if !more || !put(text(s.schemaName(u.Schema)), k.Name, "("+k.Expr+")") {
				return nil
			}
		}
	}
	for _, a := range s.Assertions() {
		if !more || !put(text(s.schemaName(a.Schema)), a.Name, "("+s.Condition(v.Ctx, a, false, v.path())+")") {
			return nil
		}
	}
	return nil
}

func infoAssertions(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	for _, a := range s.Assertions() {
		if !emit([]datum{text(v.database()), text(s.schemaName(a.Schema)), text(a.Name), yesNo(a.Deferrable), yesNo(a.InitiallyDeferred)}) {
			return nil
		}
	}
	return nil
}

func infoDomainConstraints(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	for _, u := range s.UserTypes() {
		schema := text(s.schemaName(u.Schema))
		for _, k := range u.Checks {
			if !emit([]datum{db, schema, text(k.Name), db, schema, text(u.Name), text("NO"), text("NO")}) {
				return nil
			}
		}
	}
	return nil
}

// viewUses calls f for each relation that a view of users reads, by OID.
func (v *VirtualContext) viewUses(f func(view, rel *Table, columns []int16) bool) {
	s := v.Snapshot
	for _, t := range s.Tables() {
		if t.View == nil {
			continue
		}
		var rels []OID
		for rel := range t.View.DependsOn {
			rels = append(rels, rel)
		}
		slices.Sort(rels)
		for _, rel := range rels {
			if r := s.RelationByOID(rel); r != nil && !f(t, r, t.View.DependsOn[rel]) {
				return
			}
		}
	}
}

func infoViewTableUsage(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	v.viewUses(func(view, rel *Table, _ []int16) bool {
		return emit([]datum{db, text(s.schemaName(view.Schema)), text(view.Name), db, text(s.schemaName(rel.Schema)), text(rel.Name)})
	})
	return nil
}

func infoViewColumnUsage(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	v.viewUses(func(view, rel *Table, columns []int16) bool {
		for _, n := range columns {
			c := rel.Attribute(n)
			if c != nil && !emit([]datum{db, text(s.schemaName(view.Schema)), text(view.Name), db, text(s.schemaName(rel.Schema)), text(rel.Name), text(c.Name)}) {
				return false
			}
		}
		return true
	})
	return nil
}

func infoEnabledRoles(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	for _, r := range v.Snapshot.Roles() {
		if !emit([]datum{text(r.Name)}) {
			return nil
		}
	}
	return nil
}

// infoTablePrivileges shows that owners may do everything; there are no grants to others.
func infoTablePrivileges(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	v.infoTables(filter, 4, 5, func(t *Table, schema string) bool {
		owner := text(s.roleName(t.Owner))
		for _, p := range []string{"INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"} {
			if !emit([]datum{owner, owner, db, text(schema), text(t.Name), text(p), text("YES"), yesNo(p == "SELECT")}) {
				return false
			}
		}
		return true
	})
	return nil
}

func infoColumnPrivileges(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s, db := v.Snapshot, text(v.database())
	v.infoTables(filter, 4, 5, func(t *Table, schema string) bool {
		owner := text(s.roleName(t.Owner))
		for _, c := range t.Columns {
			for _, p := range []string{"INSERT", "SELECT", "UPDATE", "REFERENCES"} {
				if !c.Dropped && !emit([]datum{owner, owner, db, text(schema), text(t.Name), text(c.Name), text(p), text("YES")}) {
					return false
				}
			}
		}
		return true
	})
	return nil
}

func infoUserDefinedTypes(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	for _, u := range s.UserTypes() {
		if u.Kind != 'c' {
			continue
		}
		row := make([]datum, 29)
		row[0], row[1], row[2], row[3], row[4] = text(v.database()), text(s.schemaName(u.Schema)), text(u.Name), text("STRUCTURED"), text("YES")
		if !emit(row) {
			return nil
		}
	}
	return nil
}

func infoCollations(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	rows, err := collations()
	for _, r := range rows {
		if !emit([]datum{text(v.database()), text("pg_catalog"), r[1], text("NO PAD")}) {
			break
		}
	}
	return err
}

func infoCharacterSets(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	emit([]datum{null, null, text("UTF8"), text("UCS"), text("UTF8"), text(v.database()), null, null})
	return nil
}
