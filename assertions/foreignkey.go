package assertions

import (
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// Aliases in generated queries. Those of new and old rows stand for the rows that a statement has changed.
const (
	newRows = "*new*"
	oldRows = "*old*"
	child   = "*child*"
	parent  = "*parent*"
)

// ForeignKey makes the queries of one foreign key.
type ForeignKey struct {
	Constraint    *catalog.Constraint
	Child, Parent *catalog.Table
	snapshot      *catalog.Snapshot
}

// NewForeignKey describes a foreign key of a table.
func NewForeignKey(s *catalog.Snapshot, t *catalog.Table, k *catalog.Constraint) *ForeignKey {
	return &ForeignKey{Constraint: k, Child: t, Parent: s.RelationByOID(k.RefTable), snapshot: s}
}

// Transitions makes the scans of new and old rows in a bound query of this package read the change. In these
// scans ctid stands for the pair of an updated row.
func Transitions(q *algebra.Query) {
	w := &algebra.Rewriter{Rel: func(r algebra.Rel) (algebra.Rel, bool) {
		s, ok := r.(*algebra.Scan)
		if !ok || s.Alias != newRows && s.Alias != oldRows {
			return r, false
		}
		t := *s
		t.Transition = algebra.NewRows
		if s.Alias == oldRows {
			t.Transition = algebra.OldRows
		}
		t.Cols = make([]algebra.ScanColumn, len(s.Cols))
		for i, c := range s.Cols {
			if c.Number == catalog.RowKeyNumber {
				c.Number = catalog.PairNumber
			}
			t.Cols[i] = c
		}
		return &t, true
	}}
	q.Root = w.RewriteRel(q.Root)
}

func (f *ForeignKey) table(t *catalog.Table, alias string) *ast.TableRef {
	return &ast.TableRef{At: -1, Table: f.name(t), Alias: &ast.Alias{Name: alias}}
}

func (f *ForeignKey) name(t *catalog.Table) *ast.TableName {
	return &ast.TableName{At: -1, Schema: f.snapshot.SchemaByOID(t.Schema).Name, Name: t.Name}
}

func column(alias, name string) ast.Expr {
	return &ast.ColumnRef{At: -1, Names: []string{alias, name}}
}

func (f *ForeignKey) childColumn(alias string, i int) ast.Expr {
	return column(alias, f.Child.Columns[f.Constraint.Columns[i]-1].Name)
}

func (f *ForeignKey) parentColumn(alias string, i int) ast.Expr {
	return column(alias, f.Parent.Columns[f.Constraint.RefColumns[i]-1].Name)
}

func all(list []ast.Expr) ast.Expr {
	if len(list) == 1 {
		return list[0]
	}
	return &ast.BoolOp{At: -1, Kind: ast.And, Args: list}
}

func equal(a, b ast.Expr) ast.Expr { return &ast.Op{At: -1, Name: "=", Left: a, Right: b} }

// matches are the conditions that a row of the child refers to a row of the parent: parent = child, the order in
// which the operator was resolved when the key was made.
func (f *ForeignKey) matches(parentAlias, childAlias string) (list []ast.Expr) {
	for i := range f.Constraint.Columns {
		list = append(list, equal(f.parentColumn(parentAlias, i), f.childColumn(childAlias, i)))
	}
	return list
}

func targets(list []ast.Expr) (out []*ast.Target) {
	for _, e := range list {
		out = append(out, &ast.Target{At: -1, Expr: e})
	}
	return out
}

// References finds, for each new row of the child with a key that is not NULL, the row of the parent: its columns are
// the child's key and, last, the ctid of the parent row, which is NULL where there is none.
func (f *ForeignKey) References() *ast.Select {
	columns, notNull := f.key(newRows)
	return &ast.Select{
		At:      -1,
		Targets: targets(append(columns, column(parent, "ctid"))),
		From: []ast.TableExpr{&ast.Join{At: -1, Kind: ast.LeftJoin,
			Left: f.table(f.Child, newRows), Right: f.table(f.Parent, parent), On: all(f.matches(parent, newRows))}},
		Where: all(notNull),
	}
}

// AllMissing finds the keys of all rows of the child that refer to nothing.
func (f *ForeignKey) AllMissing() *ast.Select {
	columns, notNull := f.key(child)
	there := &ast.Select{At: -1, Targets: one(), From: []ast.TableExpr{f.table(f.Parent, parent)}, Where: all(f.matches(parent, child))}
	return &ast.Select{At: -1, Targets: targets(columns), From: []ast.TableExpr{f.table(f.Child, child)},
		Where: all(append(notNull, not(&ast.Subquery{At: -1, Kind: ast.ExistsSubquery, Query: there})))}
}

// key are the columns of the child's key, and the conditions that they are not NULL.
func (f *ForeignKey) key(alias string) (columns, notNull []ast.Expr) {
	for i := range f.Constraint.Columns {
		c := f.childColumn(alias, i)
		columns = append(columns, c)
		notNull = append(notNull, &ast.NullTest{At: -1, Arg: c, Not: true})
	}
	return columns, notNull
}

// one is the select list of an EXISTS.
func one() []*ast.Target {
	return targets([]ast.Expr{&ast.Literal{At: -1, Kind: ast.LitInt, Value: "1"}})
}

func not(e ast.Expr) ast.Expr { return &ast.BoolOp{At: -1, Kind: ast.Not, Args: []ast.Expr{e}} }

// Mixed finds new rows of the child whose key is partly NULL, which MATCH FULL does not allow; nil where it is
// no concern.
func (f *ForeignKey) Mixed() *ast.Select { return f.mixed(newRows) }

// AllMixed is Mixed of all rows of the child.
func (f *ForeignKey) AllMixed() *ast.Select { return f.mixed(child) }

func (f *ForeignKey) mixed(alias string) *ast.Select {
	if f.Constraint.Match != 'f' || len(f.Constraint.Columns) < 2 {
		return nil
	}
	columns, notNull := f.key(alias)
	var null []ast.Expr
	for _, c := range columns {
		null = append(null, &ast.NullTest{At: -1, Arg: c})
	}
	return &ast.Select{At: -1, Targets: targets(columns), From: []ast.TableExpr{f.table(f.Child, alias)},
		Where: all([]ast.Expr{&ast.BoolOp{At: -1, Kind: ast.Or, Args: null}, &ast.BoolOp{At: -1, Kind: ast.Or, Args: notNull}})}
}

// Referenced finds old keys of the parent that are gone and that rows of the child still refer to. Under NO ACTION a key is
// not gone if another row of the parent has it now; under RESTRICT (restrict) only if the row itself still has it.
func (f *ForeignKey) Referenced(restrict bool) *ast.Select {
	var columns, same []ast.Expr
	alias := parent
	if restrict {
		alias = newRows
		same = append(same, equal(column(newRows, "ctid"), column(oldRows, "ctid")))
	}
	for i := range f.Constraint.RefColumns {
		columns = append(columns, f.parentColumn(oldRows, i))
		same = append(same, equal(f.parentColumn(alias, i), f.parentColumn(oldRows, i)))
	}
	still := &ast.Select{At: -1, Targets: one(), From: []ast.TableExpr{f.table(f.Parent, alias)}, Where: all(same)}
	where := append(f.matches(oldRows, child), not(&ast.Subquery{At: -1, Kind: ast.ExistsSubquery, Query: still}))
	return &ast.Select{At: -1, Targets: targets(columns),
		From: []ast.TableExpr{f.table(f.Parent, oldRows), f.table(f.Child, child)}, Where: all(where)}
}

// OnDelete is the statement that follows a deletion from the parent; nil for NO ACTION and RESTRICT.
func (f *ForeignKey) OnDelete() ast.Stmt {
	from := []ast.TableExpr{f.table(f.Parent, oldRows)}
	where := all(f.matches(oldRows, child))
	switch f.Constraint.OnDelete {
	case 'c':
		return &ast.Delete{At: -1, Table: f.table(f.Child, child), Using: from, Where: where}
	case 'n', 'd':
		columns := f.Constraint.OnDeleteColumns
		if len(columns) == 0 {
			columns = f.Constraint.Columns
		}
		return &ast.Update{At: -1, Table: f.table(f.Child, child), Set: f.reset(columns, f.Constraint.OnDelete), From: from, Where: where}
	}
	return nil
}

// OnUpdate is the statement that follows an update of the parent's key; nil for NO ACTION and RESTRICT.
func (f *ForeignKey) OnUpdate() ast.Stmt {
	var set []*ast.SetClause
	switch f.Constraint.OnUpdate {
	case 'c':
		for i, n := range f.Constraint.Columns {
			set = append(set, f.set(n, f.parentColumn(newRows, i)))
		}
	case 'n', 'd':
		set = f.reset(f.Constraint.Columns, f.Constraint.OnUpdate)
	default:
		return nil
	}
	var changed []ast.Expr
	for i := range f.Constraint.RefColumns {
		changed = append(changed, &ast.Distinct{At: -1, Left: f.parentColumn(oldRows, i), Right: f.parentColumn(newRows, i)})
	}
	where := append(f.matches(oldRows, child), equal(column(oldRows, "ctid"), column(newRows, "ctid")))
	if len(changed) == 1 {
		where = append(where, changed[0])
	} else {
		where = append(where, &ast.BoolOp{At: -1, Kind: ast.Or, Args: changed})
	}
	return &ast.Update{At: -1, Table: f.table(f.Child, child), Set: set,
		From: []ast.TableExpr{f.table(f.Parent, oldRows), f.table(f.Parent, newRows)}, Where: all(where)}
}

func (f *ForeignKey) set(number int16, value ast.Expr) *ast.SetClause {
	return &ast.SetClause{At: -1, Columns: []*ast.InsertColumn{{At: -1, Name: f.Child.Columns[number-1].Name}}, Value: value}
}

// reset sets columns to NULL, or to their defaults.
func (f *ForeignKey) reset(columns []int16, action byte) (set []*ast.SetClause) {
	for _, n := range columns {
		var value ast.Expr = &ast.Literal{At: -1, Kind: ast.LitNull}
		if action == 'd' {
			value = &ast.Default{At: -1}
		}
		set = append(set, f.set(n, value))
	}
	return set
}

// Missing is the error for a row of the child that refers to nothing. values are those of its key.
func (f *ForeignKey) Missing(values []string) *errs.Error {
	return f.error(`insert or update on table "%s" violates foreign key constraint "%s"`, f.Child.Name, f.Constraint.Name).
		WithDetail(`Key (%s)=(%s) is not present in table "%s".`, names(f.Child, f.Constraint.Columns), strings.Join(values, ", "), f.Parent.Name)
}

// MixedNulls is the error for a row that MATCH FULL does not allow.
func (f *ForeignKey) MixedNulls() *errs.Error {
	return f.error(`insert or update on table "%s" violates foreign key constraint "%s"`, f.Child.Name, f.Constraint.Name).
		WithDetail("MATCH FULL does not allow mixing of null and nonnull key values.")
}

// StillReferenced is the error for a key of the parent that must not go.
func (f *ForeignKey) StillReferenced(values []string) *errs.Error {
	return f.error(`update or delete on table "%s" violates foreign key constraint "%s" on table "%s"`, f.Parent.Name, f.Constraint.Name, f.Child.Name).
		WithDetail(`Key (%s)=(%s) is still referenced from table "%s".`, names(f.Parent, f.Constraint.RefColumns), strings.Join(values, ", "), f.Child.Name)
}

func (f *ForeignKey) error(format string, args ...any) *errs.Error {
	e := errs.New(errs.ForeignKeyViolation, format, args...)
	e.Schema, e.Table, e.Constraint = f.snapshot.SchemaByOID(f.Child.Schema).Name, f.Child.Name, f.Constraint.Name
	return e
}

func names(t *catalog.Table, numbers []int16) string {
	var list []string
	for _, n := range numbers {
		list = append(list, t.Columns[n-1].Name)
	}
	return strings.Join(list, ", ")
}
