package views

import (
	"fmt"
	"slices"
	"strings"
)

// value is an integer or NULL. The zero value is 0.
type value struct {
	n    int
	null bool
}

var null = value{null: true}

// add is the sum of a value and a number.
func (v value) add(n int) value {
	if v.null {
		return v
	}
	return value{n: v.n + n}
}

func number(n int) value { return value{n: n} }

func (v value) String() string {
	if v.null {
		return "NULL"
	}
	return fmt.Sprint(v.n)
}

// row is a row of a base table. Its address is its identity.
type row struct{ values []value }

// table is a base table. Unset defaults are NULL.
type table struct {
	name     string
	columns  []string
	keys     [][]int // unique keys; the first is the primary key unless the table has none
	primary  bool
	notNull  []bool
	defaults []value
	refs     []reference
	rows     []*row
}

// reference is a foreign key of one column to a unique column.
type reference struct {
	column   int
	table    int // in the database
	toColumn int
}

// database is all tables.
type database struct{ tables []*table }

// clone copies tables and rows.
func (d *database) clone() *database {
	out := &database{}
	for _, t := range d.tables {
		c := *t
		c.rows = make([]*row, len(t.rows))
		for i, r := range t.rows {
			c.rows[i] = &row{slices.Clone(r.values)}
		}
		out.tables = append(out.tables, &c)
	}
	return out
}

// item is an entry of FROM: a table by its place in the database, or a view.
type item struct {
	alias string
	table int
	view  *view
	left  bool // LEFT JOIN
	using bool // the only condition is written as USING
	on    []condition
}

// operand is a column of an item, or a constant.
type operand struct {
	item, column int
	constant     bool
	value        value
}

// condition compares two operands. isNull stands for IS NULL of the first.
type condition struct {
	a      operand
	op     string
	b      operand
	isNull bool
}

// output is a column of a view: that of an item, plus a number if it is an expression.
type output struct {
	name       string
	at         operand
	expression bool
	plus       int
}

// view is a join of its items from left to right.
type view struct {
	name    string
	items   []*item
	where   []condition
	columns []output
	check   string // "", "LOCAL" or "CASCADED"
}

// nested are the views under a view and itself, the innermost first.
func (v *view) nested() []*view {
	var out []*view
	for _, x := range v.items {
		if x.view != nil {
			out = append(out, x.view.nested()...)
		}
	}
	return append(out, v)
}

// SQL.

func (t *table) create(d *database) string {
	var parts []string
	for i, c := range t.columns {
		s := c + " int"
		if t.notNull[i] {
			s += " NOT NULL"
		}
		if !t.defaults[i].null {
			s += " DEFAULT " + t.defaults[i].String()
		}
		parts = append(parts, s)
	}
	for i, k := range t.keys {
		kind := "UNIQUE"
		if i == 0 && t.primary {
			kind = "PRIMARY KEY"
		}
		parts = append(parts, kind+" ("+t.names(k)+")")
	}
	for _, r := range t.refs {
		to := d.tables[r.table]
		parts = append(parts, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)", t.columns[r.column], to.name, to.columns[r.toColumn]))
	}
	return "CREATE TABLE " + t.name + " (" + strings.Join(parts, ", ") + ")"
}

func (t *table) names(columns []int) string {
	var list []string
	for _, c := range columns {
		list = append(list, t.columns[c])
	}
	return strings.Join(list, ", ")
}

// insert is the statement that inserts a row, "" for a table without columns.
func (t *table) insert(values []value) string {
	var list []string
	for _, v := range values {
		list = append(list, v.String())
	}
	return "INSERT INTO " + t.name + " VALUES (" + strings.Join(list, ", ") + ")"
}

func (x *item) columnName(d *database, c int) string {
	if x.view != nil {
		return x.view.columns[c].name
	}
	return d.tables[x.table].columns[c]
}

func (v *view) operand(d *database, o operand) string {
	if o.constant {
		return o.value.String()
	}
	return v.items[o.item].alias + "." + v.items[o.item].columnName(d, o.column)
}

func (v *view) conditions(d *database, list []condition) string {
	var out []string
	for _, c := range list {
		if c.isNull {
			out = append(out, v.operand(d, c.a)+" IS NULL")
			continue
		}
		out = append(out, v.operand(d, c.a)+" "+c.op+" "+v.operand(d, c.b))
	}
	return strings.Join(out, " AND ")
}

func (v *view) create(d *database) string {
	var columns []string
	for _, c := range v.columns {
		e := v.operand(d, c.at)
		if c.expression {
			e += fmt.Sprintf(" + %d", c.plus)
		}
		columns = append(columns, e+" AS "+c.name)
	}
	s := "CREATE VIEW " + v.name + " AS SELECT " + strings.Join(columns, ", ") + " FROM "
	where := v.where
	for i, x := range v.items {
		name := ""
		if x.view != nil {
			name = x.view.name
		} else {
			name = d.tables[x.table].name
		}
		name += " " + x.alias
		switch {
		case i == 0:
			s += name
		case x.left:
			s += " LEFT JOIN " + name
		case len(x.on) == 0:
			s += " CROSS JOIN " + name
			continue
		default:
			s += " JOIN " + name
		}
		switch {
		case i == 0:
		case x.using:
			s += " USING (" + x.columnName(d, x.on[0].b.column) + ")"
		default:
			s += " ON " + v.conditions(d, x.on)
		}
	}
	if len(where) > 0 {
		s += " WHERE " + v.conditions(d, where)
	}
	if v.check != "" {
		s += " WITH " + v.check + " CHECK OPTION"
	}
	return s
}
