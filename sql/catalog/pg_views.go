package catalog

import (
	"holdfast/sql/types"
)

func init() {
	registerRows("pg_database", pgDatabase)
	registerRows("pg_authid", pgAuthid)
	registerRows("pg_roles", pgRoles)
	registerRows("pg_user", pgUser)
	registerRows("pg_shadow", pgShadow)
	registerRows("pg_tables", pgTables)
	registerRows("pg_views", pgViews)
	registerRows("pg_indexes", pgIndexes)
	registerRows("pg_sequences", pgSequences)
	registerRows("pg_extension", pgExtension)
	registerRows("pg_available_extensions", pgAvailableExtensions)
	registerRows("pg_stat_all_tables", statTables(func(schema OID) bool { return true }))
	registerRows("pg_stat_user_tables", statTables(isUserSchema))
	registerRows("pg_stat_sys_tables", statTables(func(schema OID) bool { return !isUserSchema(schema) }))
	registerRows("pg_stat_all_indexes", statIndexes)
	registerRows("pg_stat_user_indexes", statIndexes)
}

func isUserSchema(schema OID) bool { return schema != PgCatalogOID && schema != InformationSchemaOID }

// pgDatabase shows the one database of a store. Text is ordered bytewise.
func pgDatabase(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	const utf8 = 6
	emit([]datum{oid(PostgresDatabaseOID), text(v.database()), oid(PostgresRoleOID), integer(utf8), char('c'), boolean(false), boolean(true), integer(-1),
		oid(0), oid(0), oid(1663), text("C"), text("C"), null, null, null})
	return nil
}

func pgAuthid(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	for _, r := range v.Snapshot.Roles() {
		if !emit([]datum{oid(r.OID), text(r.Name), boolean(r.Superuser), boolean(r.Inherit), boolean(r.CreateRole), boolean(r.CreateDB), boolean(r.Login),
			boolean(r.Superuser), boolean(r.Superuser), integer(-1), textOrNull(r.Password), null}) {
			return nil
		}
	}
	return nil
}

func pgRoles(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	for _, r := range v.Snapshot.Roles() {
		if !emit([]datum{text(r.Name), boolean(r.Superuser), boolean(r.Inherit), boolean(r.CreateRole), boolean(r.CreateDB), boolean(r.Login),
			boolean(r.Superuser), integer(-1), text("********"), null, boolean(r.Superuser), null, oid(r.OID)}) {
			return nil
		}
	}
	return nil
}

func userRows(v *VirtualContext, emit func([]datum) bool, password func(*Role) datum) {
	for _, r := range v.Snapshot.Roles() {
		if r.Login && !emit([]datum{text(r.Name), oid(r.OID), boolean(r.CreateDB), boolean(r.Superuser), boolean(r.Superuser), boolean(r.Superuser), password(r), null, null}) {
			return
		}
	}
}

func pgUser(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	userRows(v, emit, func(*Role) datum { return text("********") })
	return nil
}

func pgShadow(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	userRows(v, emit, func(r *Role) datum { return textOrNull(r.Password) })
	return nil
}

// named calls f for the relations whose schema and name pass a filter on the first two columns.
func (v *VirtualContext) named(filter VirtualFilter, f func(t *Table, schema string) bool) {
	s := v.Snapshot
	s.tables(nil, 0, func(t *Table) bool {
		schema := s.schemaName(t.Schema)
		return !filter.allowsName(1, schema) || f(t, schema)
	})
}

func pgTables(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	v.named(filter, func(t *Table, schema string) bool {
		if t.Kind != KindTable || !filter.allowsName(2, t.Name) {
			return true
		}
		triggers := len(t.Referencing) > 0
		for _, k := range t.Constraints {
			triggers = triggers || k.Kind == ForeignKeyConstraint
		}
		return emit([]datum{text(schema), text(t.Name), text(v.Snapshot.roleName(t.Owner)), null, boolean(len(t.Indexes) > 0), boolean(false),
			boolean(triggers), boolean(false)})
	})
	return nil
}

func pgViews(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	v.named(filter, func(t *Table, schema string) bool {
		if t.Kind != KindView || !filter.allowsName(2, t.Name) {
			return true
		}
		return emit([]datum{text(schema), text(t.Name), text(v.Snapshot.roleName(t.Owner)), textOrNull(v.Snapshot.ViewDef(v.Ctx, t, false, v.path()))})
	})
	return nil
}

func pgIndexes(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	v.named(filter, func(t *Table, schema string) bool {
		if !filter.allowsName(2, t.Name) {
			return true
		}
		for _, x := range t.Indexes {
			if !emit([]datum{text(schema), text(t.Name), text(x.Name), null, text(v.Snapshot.IndexDef(t, x, false, nil))}) {
				return false
			}
		}
		return true
	})
	return nil
}

func pgSequences(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) (err error) {
	s := v.Snapshot
	v.named(filter, func(t *Table, schema string) bool {
		q := t.Sequence
		if q == nil || !filter.allowsName(2, t.Name) {
			return true
		}
		last, _, called, e := s.catalog.sequences.LastValue(v.Context, t)
		if err = e; err != nil {
			return false
		}
		value := null
		if called {
			value = integer(last)
		}
		return emit([]datum{text(schema), text(t.Name), text(s.roleName(t.Owner)), oid(q.Type.OID), integer(q.Start), integer(q.Min), integer(q.Max),
			integer(q.Increment), boolean(q.Cycle), integer(q.Cache), value})
	})
	return err
}

func pgExtension(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	for _, x := range v.Snapshot.Extensions() {
		if !emit([]datum{oid(x.OID), text(x.Name), oid(PostgresRoleOID), oid(x.Schema), boolean(true), text(x.Version), null, null}) {
			return nil
		}
	}
	return nil
}

func pgAvailableExtensions(v *VirtualContext, _ VirtualFilter, emit func([]datum) bool) error {
	for _, x := range AvailableExtensions {
		installed := null
		if have := v.Snapshot.Extension(x.Name); have != nil {
			installed = text(have.Version)
		}
		if !emit([]datum{text(x.Name), text(x.Version), installed, text(x.Comment)}) {
			return nil
		}
	}
	return nil
}

// statTables shows the row counts of tables. What is not counted is NULL.
func statTables(in func(schema OID) bool) VirtualRows {
	return func(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
		s := v.Snapshot
		s.tables(filter, 1, func(t *Table) bool {
			if t.Kind != KindTable || !in(t.Schema) {
				return true
			}
			row := make([]datum, 23)
			row[0], row[1], row[2] = oid(t.OID), text(s.schemaName(t.Schema)), text(t.Name)
			if t.OID >= FirstUserOID {
				row[11] = integer(s.Stats(t.OID).Rows())
			}
			return emit(row)
		})
		return nil
	}
}

// statIndexes lists the indexes of users. Their use is not counted.
func statIndexes(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	s.tables(filter, 1, func(t *Table) bool {
		for _, x := range t.Indexes {
			if !emit([]datum{oid(t.OID), oid(x.OID), text(s.schemaName(t.Schema)), text(t.Name), text(x.Name), types.Null, types.Null, types.Null}) {
				return false
			}
		}
		return true
	})
	return nil
}
