package catalog

import "holdfast/sql/types"

// holdfast_assertions tells what the SQL standard's view of assertions does not: whether they are enforced, and their DDL. Its
// definitions are complete whatever the search path is, so that a dump can be loaded under any other.
func init() {
	column := func(name string, t *types.Type) *Column { return &Column{Name: name, Type: t} }
	RegisterRelation(13992, "holdfast_assertions", []*Column{
		column("oid", types.Oid), column("schemaname", types.Name), column("assertionname", types.Name), column("assertionowner", types.Name),
		column("is_deferrable", types.Bool), column("initially_deferred", types.Bool), column("validated", types.Bool), column("enforced", types.Bool),
		column("enabled", types.Bool), column("definition", types.Text), column("comment", types.Text),
	}, assertionRows)
}

func assertionRows(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	for _, a := range s.Assertions() {
		if !filter.allowsOID(1, a.OID) || !filter.allowsName(2, s.schemaName(a.Schema)) || !filter.allowsName(3, a.Name) {
			continue
		}
		if !emit([]datum{oid(a.OID), text(s.schemaName(a.Schema)), text(a.Name), text(s.roleName(a.Owner)), boolean(a.Deferrable),
			boolean(a.InitiallyDeferred), boolean(!a.NotValid), boolean(!a.NotEnforced), boolean(!a.Disabled),
			text(s.AssertionDDL(v.Ctx, a, true, nil)), textOrNull(a.Comment)}) {
			return nil
		}
	}
	return nil
}
