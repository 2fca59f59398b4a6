package catalog

import (
	"cmp"
	"slices"
	"strings"

	"holdfast/sql/types"
)

// derived is what is worked out from a Snapshot the first time that it is asked for.
type derived struct {
	schemas      []*Schema    // by name
	tables       []*Table     // by OID
	assertions   []*Assertion // by name
	userTypes    []*UserType  // by OID
	roles        []*Role      // by OID
	extensions   []*Extension // by OID
	assertionsOn map[OID][]*Assertion
	constraints  map[OID]constraintOwner
	typeInfo     map[OID]*typeInfo
	typeOIDs     []OID // the keys of typeInfo, in order
}

type constraintOwner struct {
	table      *Table    // nil for a domain's
	domain     *UserType // nil for a table's
	constraint *Constraint
}

// typeInfo is what pg_type shows of a type of users beyond types.Type.
type typeInfo struct {
	t      *types.Type
	schema OID
	name   string
	owner  OID
	table  *Table    // the relation whose rows it describes; for its array type as well
	user   *UserType // the user type; for its array type as well
}

func (s *Snapshot) derive() *derived {
	s.once.Do(func() {
		d := &derived{
			assertionsOn: map[OID][]*Assertion{},
			constraints:  map[OID]constraintOwner{},
			typeInfo:     map[OID]*typeInfo{},
		}
		for _, n := range s.schemas {
			d.schemas = append(d.schemas, n)
		}
		slices.SortFunc(d.schemas, func(a, b *Schema) int { return strings.Compare(a.Name, b.Name) })
		for _, r := range s.roles {
			d.roles = append(d.roles, r)
		}
		slices.SortFunc(d.roles, func(a, b *Role) int { return cmp.Compare(a.OID, b.OID) })
		for _, x := range s.extensions {
			d.extensions = append(d.extensions, x)
		}
		slices.SortFunc(d.extensions, func(a, b *Extension) int { return cmp.Compare(a.OID, b.OID) })
		for _, a := range s.assertions {
			d.assertions = append(d.assertions, a)
		}
		slices.SortFunc(d.assertions, func(a, b *Assertion) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.OID, b.OID))
		})
		for _, a := range d.assertions {
			for oid := range a.DependsOn {
				d.assertionsOn[oid] = append(d.assertionsOn[oid], a)
			}
		}
		for _, t := range s.relations {
			d.tables = append(d.tables, t)
		}
		slices.SortFunc(d.tables, func(a, b *Table) int { return cmp.Compare(a.OID, b.OID) })
		for _, t := range d.tables {
			for _, k := range t.Constraints {
				d.constraints[k.OID] = constraintOwner{table: t, constraint: k}
			}
			if t.RowType != 0 {
				d.addType(s, typeInfo{schema: t.Schema, name: t.Name, owner: t.Owner, table: t}, t.RowType, t.RowType+1)
			}
		}
		for _, u := range s.userTypes {
			if !u.Dropped {
				d.userTypes = append(d.userTypes, u)
			}
		}
		slices.SortFunc(d.userTypes, func(a, b *UserType) int { return cmp.Compare(a.OID, b.OID) })
		for _, u := range d.userTypes {
			for _, k := range u.Checks {
				d.constraints[k.OID] = constraintOwner{domain: u, constraint: k}
			}
			d.addType(s, typeInfo{schema: u.Schema, name: u.Name, owner: u.Owner, user: u}, u.OID, u.ArrayOID)
		}
		for oid := range d.typeInfo {
			d.typeOIDs = append(d.typeOIDs, oid)
		}
		slices.Sort(d.typeOIDs)
		s.derived = d
	})
	return s.derived
}

// addType enters a type and its array type.
func (d *derived) addType(s *Snapshot, info typeInfo, oid, arrayOID OID) {
	element, array := info, info
	element.t, array.t = s.types[oid], s.types[arrayOID]
	d.typeInfo[oid] = &element
	if array.t != nil {
		array.name = array.t.Name
		d.typeInfo[arrayOID] = &array
	}
}

// Schemas are all schemas, by name. Like the other lists, it must not be changed.
func (s *Snapshot) Schemas() []*Schema { return s.derive().schemas }

// Tables are all user relations (tables, views, sequences) by OID, without those of the system.
func (s *Snapshot) Tables() []*Table { return s.derive().tables }

// Assertions are all assertions, by name.
func (s *Snapshot) Assertions() []*Assertion { return s.derive().assertions }

// AssertionsOn are the assertions that read a relation, itself or through a view, by name: the order of checks.
func (s *Snapshot) AssertionsOn(table OID) []*Assertion {
	if len(s.assertions) == 0 {
		return nil
	}
	return s.derive().assertionsOn[table]
}

// UserTypes are all enums, domains and composite types by OID.
func (s *Snapshot) UserTypes() []*UserType { return s.derive().userTypes }

// Roles are all roles by OID.
func (s *Snapshot) Roles() []*Role { return s.derive().roles }

// Constraint finds a constraint of any table or domain; nil if there is none. t is nil for a domain's.
func (s *Snapshot) Constraint(oid OID) (t *Table, c *Constraint) {
	k := s.derive().constraints[oid]
	return k.table, k.constraint
}
