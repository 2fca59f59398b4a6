package views

import (
	"fmt"
	"slices"
	"strings"
)

// value is a number or NULL; what it stands for is the matter of its column's kind. The zero value is 0.
type value struct {
	n    int
	half bool // and a half
	null bool
}

var null = value{null: true}

// add is the sum of a value and a number.
func (v value) add(n int) value {
	if v.null {
		return v
	}
	return value{n: v.n + n, half: v.half}
}

func number(n int) value { return value{n: n} }

func (v value) String() string {
	if v.null {
		return "NULL"
	}
	if v.half {
		return fmt.Sprint(float64(v.n) + 0.5)
	}
	return fmt.Sprint(v.n)
}

// row is a row of a base table. Its address is its identity.
type row struct{ values []value }

// table is a base table. Unset defaults are NULL.
type table struct {
	name     string
	columns  []string
	kinds    []*kind
	keys     [][]int // unique keys; the first is the primary key unless the table has none
	primary  bool
	notNull  []bool
	defaults []value
	serial   []string     // how numbers are drawn where none is given, "" for other columns
	computed []*generated // by column
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
	// deleteFrom is the alias of the item that DELETE removes rows of, "": the rules decide.
	deleteFrom string
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
		s := c + " " + t.kinds[i].name
		switch g := t.computed[i]; {
		case g != nil && g.plus != 0:
			s += fmt.Sprintf(" GENERATED ALWAYS AS (%s + %d) STORED", t.columns[g.from], g.plus)
		case g != nil:
			s += fmt.Sprintf(" GENERATED ALWAYS AS (%s) STORED", t.columns[g.from])
		case t.serial[i] == "serial":
			s = c + " serial"
		case t.serial[i] != "":
			s += " " + t.serial[i]
		case !t.defaults[i].null:
			s += " DEFAULT " + (&writer{}).literal(t.kinds[i], t.defaults[i], false)
		}
		if t.notNull[i] {
			s += " NOT NULL"
		}
		if check := t.kinds[i].check; check != "" {
			s += " CHECK (" + fmt.Sprintf(check, c) + ")"
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

// insert is the statement that inserts a row.
func (t *table) insert(values []value) string {
	var columns []int
	var list []string
	for c, v := range values {
		if t.computed[c] == nil {
			columns = append(columns, c)
			list = append(list, (&writer{}).literal(t.kinds[c], v, false))
		}
	}
	return "INSERT INTO " + t.name + " (" + t.names(columns) + ") VALUES (" + strings.Join(list, ", ") + ")"
}

// whole is the view that shows a table as it is, under its name: to write through it is to write the table.
func (d *database) whole(table int) *view {
	v := &view{name: d.tables[table].name, items: []*item{{alias: d.tables[table].name, table: table}}}
	for c, name := range d.tables[table].columns {
		v.columns = append(v.columns, output{name: name, at: operand{column: c}})
	}
	return v
}

func (x *item) columnName(d *database, c int) string {
	if x.view != nil {
		return x.view.columns[c].name
	}
	return d.tables[x.table].columns[c]
}

func (v *view) operand(d *database, o operand) string {
	return v.items[o.item].alias + "." + v.items[o.item].columnName(d, o.column)
}

func (v *view) conditions(d *database, list []condition) string {
	var out []string
	for _, c := range list {
		if c.isNull {
			out = append(out, v.operand(d, c.a)+" IS NULL")
			continue
		}
		b := ""
		if c.b.constant {
			b = (&writer{}).literal(v.kindOf(d, c.a), c.b.value, false)
		} else {
			b = v.operand(d, c.b)
		}
		out = append(out, v.operand(d, c.a)+" "+c.op+" "+b)
	}
	return strings.Join(out, " AND ")
}

func (v *view) create(d *database) string {
	s := "CREATE VIEW " + v.name
	if v.deleteFrom != "" {
		s += " WITH (delete_from = '" + v.deleteFrom + "')"
	}
	s += " AS " + v.query(d, nil)
	if v.check != "" {
		s += " WITH " + v.check + " CHECK OPTION"
	}
	return s
}

// column is the expression of a column over the items.
func (v *view) column(d *database, c int) string {
	e := v.operand(d, v.columns[c].at)
	if v.columns[c].expression {
		e += fmt.Sprintf(" + %d", v.columns[c].plus)
	}
	return e
}

// query is the query of the view, with further conditions.
func (v *view) query(d *database, further []string) string {
	var columns []string
	for i, c := range v.columns {
		columns = append(columns, v.column(d, i)+" AS "+c.name)
	}
	s := "SELECT " + strings.Join(columns, ", ") + " FROM "
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
	if len(v.where) > 0 {
		further = append([]string{v.conditions(d, v.where)}, further...)
	}
	if len(further) > 0 {
		s += " WHERE " + strings.Join(further, " AND ")
	}
	return s
}
