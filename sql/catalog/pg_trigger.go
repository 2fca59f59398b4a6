package catalog

import (
	"slices"
	"strings"

	"holdfast/sql/types"
)

// There are no triggers; pg_trigger shows, for each table that an assertion reads, what in PostgreSQL would have to be one: so psql
// lists under \d the assertions that look at a table. Rows of pg_constraint with the table as conrelid would be shown as well, but
// would be taken for CHECK constraints of the table by everything that reads the catalog to make tables again.
//
// The triggers are those of a parent that there is not (tgparentid is the assertion), which is what makes pg_dump leave them out; psql
// shows them all the same. No function belongs to them (tgfoid 0), and information_schema.triggers does not have them.

func init() {
	registerRows("pg_trigger", pgTrigger)
	registerFunc("pg_get_triggerdef", getTriggerdef, 1662, 2730)
}

// assertionTables are the tables that an assertion reads, by OID.
func (s *Snapshot) assertionTables(a *Assertion) (list []OID) {
	for rel := range a.DependsOn {
		if t := s.relations[rel]; t != nil && t.Kind == KindTable {
			list = append(list, rel)
		}
	}
	slices.Sort(list)
	return list
}

// triggerOID is the OID in pg_trigger of an assertion on the table that is number i of those it reads: see attrdefOID.
func triggerOID(a *Assertion, i int) OID { return attrdefOID(a.OID, int16(i+1)) }

func pgTrigger(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	for _, a := range s.Assertions() {
		for i, table := range s.assertionTables(a) {
			if !filter.allowsOID(2, table) {
				continue
			}
			enabled := byte('O')
			if a.Disabled {
				enabled = 'D'
			}
			const afterChanges = 1<<2 | 1<<3 | 1<<4 // INSERT, DELETE, UPDATE, for each statement
			if !emit([]datum{oid(triggerOID(a, i)), oid(table), oid(a.OID), text(a.Name), oid(0), integer(afterChanges), char(enabled), boolean(false),
				oid(0), oid(0), oid(a.OID), boolean(a.Deferrable), boolean(a.InitiallyDeferred), integer(0), numbers(nil), types.NewString(""), null, null, null}) {
				return nil
			}
		}
	}
	return nil
}

// getTriggerdef has the assertion behind the word TRIGGER, from where psql prints it.
func getTriggerdef(c *call) (datum, error) {
	id := c.oid(0)
	for _, a := range c.s.Assertions() {
		for i := range c.s.assertionTables(a) {
			if triggerOID(a, i) == id {
				return text("CREATE CONSTRAINT TRIGGER " + types.QuoteIdentifier(a.Name) + " ASSERTION " + oneLine(c.s.AssertionDef(c.ctx, a, false, c.path()))), nil
			}
		}
	}
	return null, nil
}

// oneLine makes one space of each line break and the spaces around it, but in literals and quoted names.
func oneLine(sql string) string {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(sql); i++ {
		ch := sql[i]
		switch {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '\'' || ch == '"':
			quote = ch
		case ch == '\n':
			before := strings.TrimRight(b.String(), " ")
			b.Reset()
			b.WriteString(before)
			for i+1 < len(sql) && (sql[i+1] == ' ' || sql[i+1] == '\n') {
				i++
			}
			ch = ' '
		}
		b.WriteByte(ch)
	}
	return b.String()
}
