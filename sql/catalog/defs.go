package catalog

import (
	"strconv"
	"strings"

	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// The definitions of objects as SQL, in PostgreSQL's words: what pg_get_indexdef and its like return. pretty
// leaves out parentheses that are not needed.

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// sqlTypeName is SQL's name of a built-in type without a modifier. For character and bit, format_type with -1
// gives another, since to SQL the bare names have a length of 1.
func sqlTypeName(t *types.Type) string { return t.SQLName }

// columnList is the quoted names of columns, separated by commas.
func columnList(t *Table, columns []int16) string {
	names := make([]string, len(columns))
	for i, n := range columns {
		if c := t.Attribute(n); c != nil {
			names[i] = types.QuoteIdentifier(c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// IndexDef is CREATE INDEX for an index. The table's name is qualified, unless pretty and visible.
func (s *Snapshot) IndexDef(t *Table, x *Index, pretty bool, searchPath []string) string {
	var b strings.Builder
	b.WriteString("CREATE ")
	if x.Unique {
		b.WriteString("UNIQUE ")
	}
	b.WriteString("INDEX " + types.QuoteIdentifier(x.Name) + " ON ")
	b.WriteString(s.qualify(t.Schema, t.Name, pretty && s.Visible(t.OID, searchPath)))
	b.WriteString(" USING btree (")
	for i := range x.Keys {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(indexKeyDef(t, x, i, pretty) + indexKeyOrder(x.Keys[i]))
	}
	b.WriteString(")")
	if len(x.Include) > 0 {
		b.WriteString(" INCLUDE (" + columnList(t, x.Include) + ")")
	}
	if x.NullsNotDistinct {
		b.WriteString(" NULLS NOT DISTINCT")
	}
	if x.Predicate != "" {
		b.WriteString(" WHERE " + expression(x.Predicate, pretty))
	}
	return b.String()
}

// indexKeyDef is a column or expression of an index. Expressions other than function calls are in parentheses.
func indexKeyDef(t *Table, x *Index, i int, pretty bool) string {
	if i >= len(x.Keys) {
		return columnList(t, x.Include[i-len(x.Keys):i-len(x.Keys)+1])
	}
	k := x.Keys[i]
	if k.Column != 0 {
		return columnList(t, []int16{k.Column})
	}
	e := expression(k.Expr, pretty)
	if isCall(e) {
		return e
	}
	return "(" + e + ")"
}

func indexKeyOrder(k IndexKey) string {
	switch {
	case k.Desc && !k.NullsFirst:
		return " DESC NULLS LAST"
	case k.Desc:
		return " DESC"
	case k.NullsFirst:
		return " NULLS FIRST"
	}
	return ""
}

// ConstraintDef is a constraint as ALTER TABLE ADD CONSTRAINT takes it. t is nil for that of a domain.
func (s *Snapshot) ConstraintDef(t *Table, k *Constraint, pretty bool, searchPath []string) string {
	var b strings.Builder
	switch k.Kind {
	case CheckConstraint:
		b.WriteString("CHECK (" + expression(k.Expr, pretty) + ")")
		if k.NoInherit {
			b.WriteString(" NO INHERIT")
		}
	case PrimaryKeyConstraint, UniqueConstraint:
		b.WriteString("UNIQUE ")
		x := t.Index(k.Index)
		if k.Kind == PrimaryKeyConstraint {
			b.Reset()
			b.WriteString("PRIMARY KEY ")
		} else if x != nil && x.NullsNotDistinct {
			b.WriteString("NULLS NOT DISTINCT ")
		}
		b.WriteString("(" + columnList(t, k.Columns) + ")")
		if x != nil && len(x.Include) > 0 {
			b.WriteString(" INCLUDE (" + columnList(t, x.Include) + ")")
		}
	case ForeignKeyConstraint:
		b.WriteString("FOREIGN KEY (" + columnList(t, k.Columns) + ") REFERENCES " + s.QualifiedName(k.RefTable, searchPath))
		if ref := s.relations[k.RefTable]; ref != nil {
			b.WriteString("(" + columnList(ref, k.RefColumns) + ")")
		}
		if k.Match == 'f' {
			b.WriteString(" MATCH FULL")
		}
		if a := ActionName(k.OnUpdate); a != "NO ACTION" {
			b.WriteString(" ON UPDATE " + a)
		}
		if a := ActionName(k.OnDelete); a != "NO ACTION" {
			b.WriteString(" ON DELETE " + a)
			if len(k.OnDeleteColumns) > 0 {
				b.WriteString(" (" + columnList(t, k.OnDeleteColumns) + ")")
			}
		}
	}
	if k.Deferrable {
		b.WriteString(" DEFERRABLE")
	}
	if k.InitiallyDeferred {
		b.WriteString(" INITIALLY DEFERRED")
	}
	if k.NotValid {
		b.WriteString(" NOT VALID")
	}
	return b.String()
}

// ActionName is the SQL of a referential action: Constraint.OnDelete or OnUpdate.
func ActionName(action byte) string {
	switch action {
	case 'r':
		return "RESTRICT"
	case 'c':
		return "CASCADE"
	case 'n':
		return "SET NULL"
	case 'd':
		return "SET DEFAULT"
	}
	return "NO ACTION"
}

// PrintCondition is set by the layer that binds queries: the condition of an assertion, with names qualified as far as the search
// path asks for.
var PrintCondition func(ctx *funcs.Ctx, s *Snapshot, a *Assertion, searchPath []string, pretty bool) (string, error)

// Condition is the condition of an assertion as SQL. Should it be impossible to print it, it is what the user wrote.
func (s *Snapshot) Condition(ctx *funcs.Ctx, a *Assertion, pretty bool, searchPath []string) string {
	if PrintCondition != nil {
		if text, err := PrintCondition(ctx, s, a, searchPath, pretty); err == nil {
			return text
		}
	}
	return strings.TrimSpace(a.Source)
}

// AssertionDDL is the CREATE ASSERTION of an assertion, its name qualified.
func (s *Snapshot) AssertionDDL(ctx *funcs.Ctx, a *Assertion, pretty bool, searchPath []string) string {
	return "CREATE ASSERTION " + s.qualify(a.Schema, a.Name, false) + " " + s.AssertionDef(ctx, a, pretty, searchPath)
}

// AssertionDef is an assertion as CREATE ASSERTION takes it after the name.
func (s *Snapshot) AssertionDef(ctx *funcs.Ctx, a *Assertion, pretty bool, searchPath []string) string {
	def := "CHECK (" + s.Condition(ctx, a, pretty, searchPath) + ")"
	if a.Deferrable {
		def += " DEFERRABLE"
	}
	if a.InitiallyDeferred {
		def += " INITIALLY DEFERRED"
	}
	if a.NotValid {
		def += " NOT VALID"
	}
	if a.NotEnforced {
		def += " NOT ENFORCED"
	}
	return def
}

// PrintView is set by the layer that binds queries: the query of a view as pg_get_viewdef prints it under a
// search path, pretty without the parentheses that are not needed. nil: views are shown as stored.
var PrintView func(ctx *funcs.Ctx, s *Snapshot, view *Table, searchPath []string, pretty bool) (string, error)

// ViewDef is the SELECT of a view, as pg_get_viewdef prints it; "" for relations of the system. Should it be
// impossible to print the view, it is the text made when it was created.
func (s *Snapshot) ViewDef(ctx *funcs.Ctx, t *Table, pretty bool, searchPath []string) string {
	if t.View == nil {
		return ""
	}
	if PrintView != nil {
		if text, err := PrintView(ctx, s, t, searchPath, pretty); err == nil {
			return text
		}
	}
	if t.View.Source != "" {
		return t.View.Source
	}
	return " " + strings.TrimSuffix(strings.TrimSpace(t.View.Query), ";") + ";"
}

// DefaultExpr is the default or generation expression of a column, "" if it has none. The name of a sequence
// in it is the present one, qualified unless visible.
func (s *Snapshot) DefaultExpr(c *Column, searchPath []string) string {
	if c.Generated != "" {
		return c.Generated
	}
	if len(c.DependsOn) != 1 {
		return c.Default
	}
	const cast = "'::regclass"
	end := strings.Index(c.Default, cast)
	start := strings.IndexByte(c.Default, '\'')
	name := s.QualifiedName(c.DependsOn[0], searchPath)
	if end < 0 || start >= end || name == "" {
		return c.Default
	}
	return c.Default[:start+1] + strings.ReplaceAll(name, "'", "''") + c.Default[end:]
}
