package catalog

import (
	"slices"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// The has_.._privilege functions. There are no grants: superusers may do everything, owners everything with
// what they own, and others what PostgreSQL grants to everybody by default.

// privileged is a kind of object that has privileges.
type privileged struct {
	privileges []string
	public     []string              // granted to everybody
	publicOf   func(id OID) []string // the same where objects differ; nil if they do not
	// byName finds the object that a name means, owner the role that owns it, false if an OID means nothing.
	byName func(c *call, name string) (OID, error)
	owner  func(c *call, id OID) (OID, bool)
}

func init() {
	tables := privileged{
		privileges: []string{"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "RULE"},
		byName:     (*call).relation,
		owner:      relationOwner,
	}
	columns := tables
	columns.privileges = []string{"SELECT", "INSERT", "UPDATE", "REFERENCES"}
	sequences := tables
	sequences.privileges = []string{"USAGE", "SELECT", "UPDATE"}
	sequences.byName = func(c *call, name string) (OID, error) {
		id, err := c.relation(name)
		if err == nil && (c.s.relations[id] == nil || c.s.relations[id].Sequence == nil) {
			err = errs.New(errs.WrongObjectType, "%q is not a sequence", name)
		}
		return id, err
	}
	simple := func(names, public []string, byName func(c *call, name string) (OID, error), owner func(c *call, id OID) (OID, bool)) privileged {
		return privileged{privileges: names, public: public, byName: byName, owner: owner}
	}
	missing := func(what string) func(*call, string) (OID, error) {
		return func(_ *call, name string) (OID, error) {
			return 0, errs.New(errs.UndefinedObject, "%s %q does not exist", what, name)
		}
	}
	nobody := func(*call, OID) (OID, bool) { return 0, false }
	usage := []string{"USAGE"}

	registerPrivilege("has_table_privilege", tables, 1922)
	registerPrivilege("has_any_column_privilege", columns, 3024)
	registerPrivilege("has_sequence_privilege", sequences, 2181)
	registerPrivilege("has_database_privilege", simple([]string{"CREATE", "TEMPORARY", "TEMP", "CONNECT"}, []string{"TEMPORARY", "TEMP", "CONNECT"},
		func(c *call, name string) (OID, error) {
			if name != c.ctx.Session.Database() {
				return 0, errs.New(errs.InvalidCatalogName, "database %q does not exist", name)
			}
			return PostgresDatabaseOID, nil
		}, func(_ *call, id OID) (OID, bool) { return PostgresRoleOID, id == PostgresDatabaseOID }), 2250)
	schemas := simple([]string{"CREATE", "USAGE"}, nil,
		func(c *call, name string) (OID, error) {
			if n := c.s.Schema(name); n != nil {
				return n.OID, nil
			}
			return 0, errs.New(errs.InvalidSchemaName, "schema %q does not exist", name)
		}, func(c *call, id OID) (OID, bool) {
			if n := c.s.SchemaByOID(id); n != nil {
				return n.Owner, true
			}
			return 0, false
		})
	schemas.publicOf = func(id OID) []string {
		if id < FirstUserOID {
			return usage // the schemas that every database has
		}
		return nil
	}
	registerPrivilege("has_schema_privilege", schemas, 2268)
	registerPrivilege("has_function_privilege", simple([]string{"EXECUTE"}, []string{"EXECUTE"},
		func(c *call, name string) (OID, error) { return directory{s: c.s, path: c.path()}.procedure(name) },
		func(_ *call, id OID) (OID, bool) { return PostgresRoleOID, funcs.KnownByOID(id) != nil }), 2256)
	registerPrivilege("has_type_privilege", simple(usage, usage,
		func(c *call, name string) (OID, error) {
			t, _, err := c.s.ParseTypeName(name, c.path())
			if err != nil {
				return 0, err
			}
			return t.OID, nil
		}, func(c *call, id OID) (OID, bool) {
			if i := c.s.derive().typeInfo[id]; i != nil {
				return i.owner, true
			}
			return PostgresRoleOID, c.s.Type(id) != nil
		}), 3138)
	registerPrivilege("has_language_privilege", simple(usage, usage,
		func(_ *call, name string) (OID, error) {
			if i := slices.Index([]string{"internal", "c", "sql"}, name); i >= 0 {
				return internalLanguage + OID(i), nil
			}
			return 0, errs.New(errs.UndefinedObject, "language %q does not exist", name)
		}, func(_ *call, id OID) (OID, bool) {
			return PostgresRoleOID, id >= internalLanguage && id < internalLanguage+3
		}), 2262)
	registerPrivilege("has_tablespace_privilege", simple([]string{"CREATE"}, nil,
		func(_ *call, name string) (OID, error) {
			const first OID = 1663
			if i := slices.Index([]string{"pg_default", "pg_global"}, name); i >= 0 {
				return first + OID(i), nil
			}
			return 0, errs.New(errs.UndefinedObject, "tablespace %q does not exist", name)
		}, func(_ *call, id OID) (OID, bool) { return PostgresRoleOID, id == 1663 || id == 1664 }), 2390)
	registerPrivilege("has_foreign_data_wrapper_privilege", simple(usage, nil, missing("foreign-data wrapper"), nobody), 3000)
	registerPrivilege("has_server_privilege", simple(usage, nil, missing("server"), nobody), 3006)
	registerColumnPrivilege(columns)

	registerFunc("acldefault", aclDefault, 3943)
	registerSet("aclexplode", 1689, aclExplode)
}

func relationOwner(c *call, id OID) (OID, bool) {
	if t := c.s.RelationByOID(id); t != nil {
		return t.Owner, true
	}
	return 0, false
}

// registerPrivilege registers the six forms of a function, whose OIDs are consecutive: role by name or OID or
// the current one, object by name or OID.
func registerPrivilege(name string, p privileged, first OID) {
	for i := range OID(6) {
		registerFunc(name, func(c *call) (datum, error) {
			role, rest, err := c.role()
			if err != nil {
				return null, err
			}
			id := OID(rest[0].Int())
			if rest[0].Rep() == types.RepString {
				if id, err = p.byName(c, rest[0].Str()); err != nil {
					return null, err
				}
			}
			wanted, err := parsePrivileges(rest[1].Str(), p.privileges)
			if err != nil {
				return null, err
			}
			owner, ok := p.owner(c, id)
			if !ok {
				return null, nil
			}
			return boolean(p.allows(role, owner, id, wanted)), nil
		}, first+i)
	}
}

// role is the role that a call is about, and the other arguments. The role is given if there is one argument
// more than the shortest form has: the object and the privilege.
func (c *call) role() (*Role, []datum, error) { return c.roleBefore(2) }

func (c *call) roleBefore(others int) (*Role, []datum, error) {
	if len(c.args) == others {
		r := c.s.Role(c.ctx.Session.CurrentUser())
		if r == nil {
			return nil, nil, errs.New(errs.UndefinedObject, "role %q does not exist", c.ctx.Session.CurrentUser())
		}
		return r, c.args, nil
	}
	if c.args[0].Rep() == types.RepString {
		if c.text(0) == "public" {
			return &Role{Name: "public"}, c.args[1:], nil
		}
		r := c.s.Role(c.text(0))
		if r == nil {
			return nil, nil, errs.New(errs.UndefinedObject, "role %q does not exist", c.text(0))
		}
		return r, c.args[1:], nil
	}
	r := c.s.RoleByOID(c.oid(0))
	if r == nil {
		r = &Role{OID: c.oid(0)} // PostgreSQL takes an unknown OID as a role without privileges
	}
	return r, c.args[1:], nil
}

// parsePrivileges reads a list such as "select, insert with grant option". Any of them suffices.
func parsePrivileges(list string, known []string) ([]string, error) {
	var wanted []string
	for _, p := range strings.Split(list, ",") {
		p = strings.TrimSpace(p)
		name := strings.ToUpper(p)
		name = strings.TrimSuffix(name, " WITH GRANT OPTION")
		if !slices.Contains(known, name) {
			return nil, errs.New(errs.InvalidParameterValue, "unrecognized privilege type: %q", p)
		}
		if name != strings.ToUpper(p) {
			name += "*" // the grant option, which only owners have
		}
		wanted = append(wanted, name)
	}
	return wanted, nil
}

func (p privileged) allows(role *Role, owner, id OID, wanted []string) bool {
	if slices.Contains(wanted, "RULE") && len(wanted) == 1 {
		return false // a privilege of the past
	}
	if role.Superuser || role.OID != 0 && role.OID == owner {
		return true
	}
	public := p.public
	if p.publicOf != nil {
		public = p.publicOf(id)
	}
	return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(public, w) })
}

// registerColumnPrivilege registers the twelve forms of has_column_privilege: the column by name or number too.
func registerColumnPrivilege(p privileged) {
	for i := range OID(12) {
		registerFunc("has_column_privilege", func(c *call) (datum, error) {
			role, rest, err := c.roleBefore(3)
			if err != nil {
				return null, err
			}
			id := OID(rest[0].Int())
			if rest[0].Rep() == types.RepString {
				if id, err = p.byName(c, rest[0].Str()); err != nil {
					return null, err
				}
			}
			t := c.s.RelationByOID(id)
			if t == nil {
				return null, nil
			}
			if rest[1].Rep() == types.RepString {
				if t.Column(rest[1].Str()) == nil {
					return null, errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", rest[1].Str(), t.Name)
				}
			} else if col := t.Attribute(int16(rest[1].Int())); col == nil || col.Dropped {
				return null, nil
			}
			wanted, err := parsePrivileges(rest[2].Str(), p.privileges)
			if err != nil {
				return null, err
			}
			return boolean(p.allows(role, t.Owner, id, wanted)), nil
		}, 3012+i)
	}
}

// aclDefaults are the privileges of the owner and of everybody by the kind of an object.
var aclDefaults = map[string][2]string{
	"c": {"", ""}, "r": {"arwdDxt", ""}, "s": {"rwU", ""}, "d": {"CTc", "Tc"}, "f": {"X", "X"}, "l": {"U", "U"}, "L": {"rw", ""},
	"n": {"UC", ""}, "p": {"sA", ""}, "t": {"C", ""}, "F": {"U", ""}, "S": {"U", ""}, "T": {"U", "U"},
}

func aclDefault(c *call) (datum, error) {
	p, ok := aclDefaults[c.text(0)]
	if !ok {
		return null, errs.New(errs.InternalError, "unrecognized object type abbreviation: %s", c.text(0))
	}
	items := []string{}
	owner := types.QuoteIdentifier(c.s.roleName(c.oid(1)))
	if p[1] != "" {
		items = append(items, "="+p[1]+"/"+owner)
	}
	if p[0] != "" {
		items = append(items, owner+"="+p[0]+"/"+owner)
	}
	return array(types.AclItem, items, text), nil
}

// aclLetters are the letters of privileges in an aclitem.
var aclLetters = map[byte]string{
	'a': "INSERT", 'r': "SELECT", 'w': "UPDATE", 'd': "DELETE", 'D': "TRUNCATE", 'x': "REFERENCES", 't': "TRIGGER", 'X': "EXECUTE",
	'U': "USAGE", 'C': "CREATE", 'T': "TEMPORARY", 'c': "CONNECT", 's': "SET", 'A': "ALTER SYSTEM",
}

func aclExplode(c *call) ([][]datum, error) {
	a, _ := c.args[0].Any().(*types.Array)
	if a == nil {
		return nil, nil
	}
	role := func(name string) datum {
		if r := c.s.Role(strings.Trim(name, `"`)); r != nil {
			return oid(r.OID)
		}
		return oid(0)
	}
	const order = "arwdDxtXUCTcsA"
	var rows [][]datum
	for _, e := range a.Elems {
		if e.IsNull() {
			return nil, errs.New(errs.NullValueNotAllowed, "ACL arrays must not contain null values")
		}
		grantee, rest, _ := strings.Cut(e.Str(), "=")
		letters, grantor, _ := strings.Cut(rest, "/")
		for i := range len(order) {
			at := strings.IndexByte(letters, order[i])
			if at < 0 {
				continue
			}
			grantable := at+1 < len(letters) && letters[at+1] == '*'
			rows = append(rows, []datum{role(grantor), role(grantee), text(aclLetters[order[i]]), boolean(grantable)})
		}
	}
	return rows, nil
}
