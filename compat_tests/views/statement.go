package views

import (
	"fmt"
	"strings"
)

// origin is the row that an expression reads.
type origin int

const (
	viewRow   origin = iota // of the view, as it is
	sourceRow               // of FROM
	excluded                // proposed by INSERT .. ON CONFLICT
)

// expression is what SET assigns: a value, a column plus a number, or the column's default.
type expression struct {
	column    int // -1: none
	constant  value
	origin    origin
	isDefault bool
}

func (e expression) of(view, source, proposed []value) value {
	if e.column < 0 {
		return e.constant
	}
	return [][]value{view, source, proposed}[e.origin][e.column].add(e.constant.n)
}

type assignment struct {
	column int
	to     expression
}

// test is a condition on a column of the view, or of what INSERT selects from.
type test struct {
	column int
	op     string // or "IS NULL"
	value  value
}

func (t test) holds(values []value) bool {
	if t.op == "IS NULL" {
		return values[t.column].null
	}
	return compare(values[t.column], t.op, t.value)
}

// statement is a write through a view, or a SELECT that locks rows.
type statement struct {
	kind    string // UPDATE, INSERT, DELETE, SELECT; or what it does to the transaction: BEGIN, SAVEPOINT, ROLLBACK TO, RELEASE, COMMIT, ROLLBACK
	view    *view
	set     []assignment
	where   []test
	columns []int // of INSERT
	rows    [][]value

	from     *source
	pairings []pairing
	selected []expression // of INSERT .. SELECT
	copied   bool         // INSERT as COPY
	conflict *onConflict
	first    *statement // WITH part AS (first)
	wrapped  bool       // WITH part AS (the statement) SELECT
	locks    string     // SELECT: what is FOR UPDATE
	inlined  bool       // SELECT: from the tables of the view, not from the view
	protocol protocol
	mark     string // of a savepoint
}

// protocol is how a statement is sent.
type protocol int

const (
	simple   protocol = iota
	extended          // with its values in the text
	prepared          // a statement that is kept, with parameters
)

func (s *statement) affects(values []value) bool {
	for _, t := range s.where {
		if !t.holds(values) {
			return false
		}
	}
	return true
}

// writer writes values as literals, or as parameters.
type writer struct {
	parameters bool
	values     [][]byte
}

func (w *writer) literal(k *kind, v value, cast bool) string {
	text := ""
	switch {
	case w.parameters:
		var p []byte
		if !v.null {
			p = []byte(literalText(k, v))
		}
		w.values = append(w.values, p)
		text = fmt.Sprintf("$%d", len(w.values))
	case v.null:
		text = "NULL"
	case k.family == "number":
		text = v.String()
		if cast {
			text += "::" + k.plain
		}
		return text
	default:
		text = "'" + k.print(v) + "'"
	}
	if cast {
		text += "::" + k.plain
	}
	return text
}

// literalText is a value that may be beyond what the kind can hold.
func literalText(k *kind, v value) string {
	if k.family == "number" {
		return v.String()
	}
	return k.print(v)
}

// SQL is the text of the statement, with RETURNING the whole row.
func (s *statement) SQL(d *database) string { return s.text(d, &writer{}) }

func (s *statement) text(d *database, w *writer) string {
	switch {
	case s.view == nil:
		return strings.TrimSpace(s.kind + " " + s.mark)
	case s.kind == "SELECT":
		return s.selectSQL(d, w)
	case s.copied:
		return "COPY " + s.view.name + " (" + s.columnList() + ") FROM STDIN"
	}
	text := ""
	if s.first != nil {
		text = "WITH part AS (" + s.first.text(d, w) + ") "
	}
	if s.wrapped {
		text = "WITH part AS ("
	}
	switch s.kind {
	case "UPDATE":
		text += "UPDATE " + s.view.name + " SET " + s.assignments(d, w, s.set)
		if s.from != nil {
			text += " FROM " + s.from.sql(d, w)
		}
	case "DELETE":
		text += "DELETE FROM " + s.view.name
		if s.from != nil {
			text += " USING " + s.from.sql(d, w)
		}
	case "INSERT":
		text += s.insertSQL(d, w)
	}
	if s.kind != "INSERT" {
		text += s.whereSQL(d, w, s.view.name, s.view.kinds(d))
	}
	text += " RETURNING " + s.view.name + ".*"
	if s.wrapped {
		text += ") SELECT * FROM part"
	}
	return text
}

func (s *statement) columnList() string {
	var list []string
	for _, c := range s.columns {
		list = append(list, s.view.columns[c].name)
	}
	return strings.Join(list, ", ")
}

// expression writes an expression for a column of a kind.
func (s *statement) expression(d *database, w *writer, e expression, k *kind, cast bool) string {
	if e.isDefault {
		return "DEFAULT"
	}
	if e.column < 0 {
		return w.literal(k, e.constant, cast)
	}
	text := ""
	switch e.origin {
	case sourceRow:
		text = "f." + s.from.names(d)[e.column]
	case excluded:
		text = "excluded." + s.view.columns[e.column].name
	default:
		text = s.view.name + "." + s.view.columns[e.column].name
	}
	if e.constant.n != 0 {
		text += " + " + w.literal(integer, number(e.constant.n), false)
	}
	return text
}

func (s *statement) assignments(d *database, w *writer, set []assignment) string {
	var list []string
	kinds := s.view.kinds(d)
	for _, a := range set {
		list = append(list, s.view.columns[a.column].name+" = "+s.expression(d, w, a.to, kinds[a.column], false))
	}
	return strings.Join(list, ", ")
}

func (s *statement) insertSQL(d *database, w *writer) string {
	text := "INSERT INTO " + s.view.name + " (" + s.columnList() + ") "
	kinds := s.view.kinds(d)
	if s.from != nil {
		var list []string
		for i, e := range s.selected {
			list = append(list, s.expression(d, w, e, kinds[s.columns[i]], true))
		}
		text += "SELECT " + strings.Join(list, ", ") + " FROM " + s.from.sql(d, w) + s.whereSQL(d, w, "f", s.from.columnKinds(d))
	} else {
		text += "VALUES "
		for i, r := range s.rows {
			if i > 0 {
				text += ", "
			}
			var values []string
			for k, v := range r {
				values = append(values, w.literal(kinds[s.columns[k]], v, false))
			}
			text += "(" + strings.Join(values, ", ") + ")"
		}
	}
	if s.conflict != nil {
		text += s.conflict.sql(d, w, s)
	}
	return text
}

// whereSQL is WHERE over columns of a relation.
func (s *statement) whereSQL(d *database, w *writer, relation string, kinds []*kind) string {
	names := (&source{table: -1, view: s.view}).names(d)
	if relation == "f" {
		names = s.from.names(d)
	}
	list := testsSQL(w, s.where, relation, names, kinds)
	for _, m := range s.pairings {
		list = append(list, fmt.Sprintf("%s.%s %s f.%s", relation, names[m.column], m.op, s.from.names(d)[m.from]))
	}
	if len(list) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(list, " AND ")
}

func testsSQL(w *writer, tests []test, relation string, names []string, kinds []*kind) []string {
	var list []string
	for _, t := range tests {
		name := names[t.column]
		if relation != "" {
			name = relation + "." + name
		}
		if t.op == "IS NULL" {
			list = append(list, name+" IS NULL")
		} else {
			list = append(list, fmt.Sprintf("%s %s %s", name, t.op, w.literal(kinds[t.column], t.value, false)))
		}
	}
	return list
}

// selectSQL reads rows of the view and locks base rows of them: through the view, or with the view's query written out.
func (s *statement) selectSQL(d *database, w *writer) string {
	if !s.inlined {
		return "SELECT * FROM " + s.view.name + s.whereSQL(d, w, s.view.name, s.view.kinds(d)) + s.locks
	}
	var names []string
	for i := range s.view.columns {
		names = append(names, s.view.column(d, i))
	}
	return s.view.query(d, testsSQL(w, s.where, "", names, s.view.kinds(d))) + s.locks
}

// copyData is what COPY reads.
func (s *statement) copyData(d *database) string {
	kinds := s.view.kinds(d)
	text := ""
	for _, r := range s.rows {
		var list []string
		for k, v := range r {
			if v.null {
				list = append(list, `\N`)
			} else {
				list = append(list, literalText(kinds[s.columns[k]], v))
			}
		}
		text += strings.Join(list, "\t") + "\n"
	}
	return text
}

// tag is the command tag for a number of rows.
func (s *statement) tag(count int) string {
	switch {
	case s.wrapped:
		return fmt.Sprintf("SELECT %d", count)
	case s.copied:
		return fmt.Sprintf("COPY %d", count)
	case s.kind == "INSERT":
		return fmt.Sprintf("INSERT 0 %d", count)
	}
	return fmt.Sprintf("%s %d", s.kind, count)
}
