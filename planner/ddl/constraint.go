package ddl

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"holdfast/planner/bind"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// addConstraint adds a constraint to the table, which is not yet put.
func (d *definition) addConstraint(ctx context.Context, p pending) error {
	c := p.constraint
	if c.NoInherit && c.Kind != ast.ConstrCheck {
		return errs.Unsupported("NO INHERIT of this constraint")
	}
	switch c.Kind {
	case ast.ConstrCheck:
		return d.check(ctx, p)
	case ast.ConstrPrimaryKey, ast.ConstrUnique:
		return d.unique(p)
	case ast.ConstrForeignKey:
		return d.foreignKey(p)
	case ast.ConstrExclusion:
		return errs.Unsupported("EXCLUDE constraints").WithHint("CREATE ASSERTION can state the rule.")
	}
	return errs.Unsupported("this constraint")
}

// named checks that a constraint's name is free, or makes one.
func (d *definition) named(name, column, label string, index bool) (string, error) {
	if name == "" {
		return d.env.constraintName(d.table, column, label, index), nil
	}
	for _, c := range d.table.Constraints {
		if c.Name == name {
			return "", errs.New(errs.DuplicateObject, `constraint "%s" for relation "%s" already exists`, name, d.table.Name)
		}
	}
	if index && d.env.relationTaken(d.table.Schema, name) {
		return "", errs.New(errs.DuplicateTable, `relation "%s" already exists`, name)
	}
	return name, nil
}

func (d *definition) check(ctx context.Context, p pending) error {
	c := p.constraint
	if c.Deferrable {
		return errs.New(errs.SyntaxError, "misplaced DEFERRABLE clause")
	}
	b, err := bind.BindExpr(ctx, d.env.printing(), d.table, c.Expr, bind.CheckExpr, nil, types.NoTypmod, "")
	if err != nil {
		return err
	}
	column := ""
	if len(b.Columns) == 1 && b.Columns[0] > 0 {
		column = d.table.Columns[b.Columns[0]-1].Name
	}
	name, err := d.named(c.Name, column, "check", false)
	if err != nil {
		return err
	}
	d.table.Constraints = append(d.table.Constraints, &catalog.Constraint{
		Name: name, Kind: catalog.CheckConstraint, Columns: b.Columns, NotValid: c.NotValid, NoInherit: c.NoInherit,
		Expr: b.Text,
	})
	return nil
}

// keyColumns finds the columns of a key.
func (d *definition) keyColumns(names []string, what string, pos int) ([]int16, error) {
	var out []int16
	for _, n := range names {
		c := d.table.Column(n)
		if c == nil {
			if what == "foreign key" {
				return nil, errs.New(errs.UndefinedColumn, `column "%s" referenced in foreign key constraint does not exist`, n)
			}
			return nil, errs.New(errs.UndefinedColumn, `column "%s" named in key does not exist`, n).At(d.env.at(pos))
		}
		if slices.Contains(out, c.Number) && what != "foreign key" {
			return nil, errs.New(errs.DuplicateColumn, `column "%s" appears twice in %s constraint`, n, what)
		}
		out = append(out, c.Number)
	}
	return out, nil
}

// unique adds a primary key or unique constraint and its index.
func (d *definition) unique(p pending) error {
	c, t := p.constraint, d.table
	if c.UsingIndex != "" {
		return errs.Unsupported("constraints USING INDEX")
	}
	if c.Deferrable {
		return errs.Unsupported("DEFERRABLE unique constraints").WithHint("Uniqueness is judged at the end of each statement, so that statements may exchange keys.")
	}
	names := c.Columns
	if p.column != "" {
		names = []string{p.column}
	}
	primary := c.Kind == ast.ConstrPrimaryKey
	what, kind, label := "unique", catalog.UniqueConstraint, "key"
	if primary {
		what, kind, label = "primary key", catalog.PrimaryKeyConstraint, "pkey"
		if t.PrimaryKey() != nil {
			return errs.New(errs.InvalidTableDefinition, `multiple primary keys for table "%s" are not allowed`, t.Name).At(d.env.at(c.Pos()))
		}
	}
	numbers, err := d.keyColumns(names, what, c.Pos())
	if err != nil {
		return err
	}
	column := strings.Join(names, "_")
	if primary {
		column = ""
	}
	name, err := d.named(c.Name, column, label, true)
	if err != nil {
		return err
	}
	x := &catalog.Index{Name: name, Table: t.OID, Unique: true, Primary: primary, NullsNotDistinct: c.NullsNotDistinct}
	for _, n := range numbers {
		col := t.Columns[n-1]
		if _, err := funcs.OrderingOperator(col.Type); err != nil {
			return noOrdering(col.Type)
		}
		if primary {
			col.NotNull = true
		}
		x.Keys = append(x.Keys, catalog.IndexKey{Column: n, Type: col.Type})
	}
	for _, n := range c.Include {
		col := t.Column(n)
		if col == nil {
			return errs.New(errs.UndefinedColumn, `column "%s" named in key does not exist`, n)
		}
		if !primary { // the rows of the table hold everything
			x.Include = append(x.Include, col.Number)
		}
	}
	if primary {
		t.Indexes = append([]*catalog.Index{x}, t.Indexes...)
	} else {
		t.Indexes = append(t.Indexes, x)
	}
	t.Constraints = append(t.Constraints, &catalog.Constraint{Name: name, Kind: kind, Columns: numbers})
	return nil
}

func noOrdering(t *types.Type) error {
	return errs.New(errs.UndefinedObject, `data type %s has no default operator class for access method "btree"`, t.SQLName).
		WithHint("You must specify an operator class for the index or define a default operator class for the data type.")
}

var actions = map[string]byte{"": 'a', "no action": 'a', "restrict": 'r', "cascade": 'c', "set null": 'n', "set default": 'd'}

// foreignKey adds a foreign key.
func (d *definition) foreignKey(p pending) error {
	c, t := p.constraint, d.table
	names := c.Columns
	if p.column != "" {
		names = []string{p.column}
	}
	numbers, err := d.keyColumns(names, "foreign key", c.Pos())
	if err != nil {
		return err
	}
	ref := t
	if c.RefTable.Name != t.Name || c.RefTable.Schema != "" && d.env.Snapshot.Schema(c.RefTable.Schema) != d.env.Snapshot.SchemaByOID(t.Schema) {
		if ref, err = d.env.table(c.RefTable, false); err != nil {
			return err
		}
	}
	if ref.Kind != catalog.KindTable {
		return errs.New(errs.WrongObjectType, `referenced relation "%s" is not a table`, ref.Name)
	}
	if c.Match == "partial" {
		return errs.New(errs.FeatureNotSupported, "MATCH PARTIAL not yet implemented")
	}
	var refNumbers []int16
	var index *catalog.Index
	if len(c.RefColumns) == 0 {
		if index = ref.PrimaryKey(); index == nil {
			return errs.New(errs.UndefinedObject, `there is no primary key for referenced table "%s"`, ref.Name)
		}
		for _, k := range index.Keys {
			refNumbers = append(refNumbers, k.Column)
		}
	} else {
		for _, n := range c.RefColumns {
			col := ref.Column(n)
			if col == nil {
				return errs.New(errs.UndefinedColumn, `column "%s" referenced in foreign key constraint does not exist`, n)
			}
			refNumbers = append(refNumbers, col.Number)
		}
		if index = uniqueOver(ref, refNumbers); index == nil {
			return errs.New(errs.InvalidForeignKey, `there is no unique constraint matching given keys for referenced table "%s"`, ref.Name)
		}
	}
	if len(numbers) != len(refNumbers) {
		return errs.New(errs.InvalidForeignKey, "number of referencing and referenced columns for foreign key disagree")
	}
	name, err := d.named(c.Name, strings.Join(names, "_"), "fkey", false)
	if err != nil {
		return err
	}
	for i, n := range numbers {
		a, b := t.Columns[n-1], ref.Columns[refNumbers[i]-1]
		if _, err := funcs.ResolveOperator("=", b.Type, a.Type); err != nil {
			return errs.New(errs.DatatypeMismatch, `foreign key constraint "%s" cannot be implemented`, name).
				WithDetail(`Key columns "%s" and "%s" are of incompatible types: %s and %s.`, a.Name, b.Name, types.FormatType(a.Type, a.Mod), types.FormatType(b.Type, b.Mod))
		}
	}
	k := &catalog.Constraint{
		Name: name, Kind: catalog.ForeignKeyConstraint, Columns: numbers, RefTable: ref.OID, RefColumns: refNumbers, Index: index.OID,
		OnDelete: actions[c.OnDelete], OnUpdate: actions[c.OnUpdate], Match: 's',
		Deferrable: c.Deferrable, InitiallyDeferred: c.InitiallyDeferred, NotValid: c.NotValid,
	}
	if c.Match == "full" {
		k.Match = 'f'
	}
	for _, n := range c.OnDeleteColumns {
		col := t.Column(n)
		if col == nil {
			return errs.New(errs.UndefinedColumn, `column "%s" referenced in foreign key constraint does not exist`, n)
		}
		k.OnDeleteColumns = append(k.OnDeleteColumns, col.Number)
	}
	t.Constraints = append(t.Constraints, k)
	return nil
}

// uniqueOver finds a unique index over exactly the given columns, in any order.
func uniqueOver(t *catalog.Table, numbers []int16) *catalog.Index {
	for _, x := range t.Indexes {
		if !x.Unique || x.Predicate != "" || len(x.Keys) != len(numbers) {
			continue
		}
		all := true
		for _, k := range x.Keys {
			all = all && k.Column != 0 && slices.Contains(numbers, k.Column)
		}
		if all {
			return x
		}
	}
	return nil
}
