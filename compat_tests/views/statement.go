package views

import (
	"fmt"
	"strings"
)

// expression is what SET assigns: a number, or a column of the view plus a number.
type expression struct {
	column   int // -1: none
	constant value
}

func (e expression) of(values []value) value {
	if e.column < 0 {
		return e.constant
	}
	return values[e.column].add(e.constant.n)
}

type assignment struct {
	column int
	to     expression
}

// test is a condition on a column of the view.
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

// statement is a write through a view.
type statement struct {
	kind    string // UPDATE, INSERT, DELETE
	view    *view
	set     []assignment
	where   []test
	columns []int // of INSERT
	rows    [][]value
}

func (s *statement) affects(values []value) bool {
	for _, t := range s.where {
		if !t.holds(values) {
			return false
		}
	}
	return true
}

// SQL is the text of the statement, with RETURNING *.
func (s *statement) SQL() string {
	name := func(c int) string { return s.view.columns[c].name }
	var list []string
	text := ""
	switch s.kind {
	case "UPDATE":
		for _, a := range s.set {
			e := a.to.constant.String()
			if a.to.column >= 0 {
				e = name(a.to.column)
				if a.to.constant.n != 0 {
					e += fmt.Sprintf(" + %d", a.to.constant.n)
				}
			}
			list = append(list, name(a.column)+" = "+e)
		}
		text = "UPDATE " + s.view.name + " SET " + strings.Join(list, ", ")
	case "DELETE":
		text = "DELETE FROM " + s.view.name
	case "INSERT":
		for _, c := range s.columns {
			list = append(list, name(c))
		}
		text = "INSERT INTO " + s.view.name + " (" + strings.Join(list, ", ") + ") VALUES "
		for i, r := range s.rows {
			if i > 0 {
				text += ", "
			}
			var values []string
			for _, v := range r {
				values = append(values, v.String())
			}
			text += "(" + strings.Join(values, ", ") + ")"
		}
	}
	list = nil
	for _, t := range s.where {
		if t.op == "IS NULL" {
			list = append(list, name(t.column)+" IS NULL")
		} else {
			list = append(list, fmt.Sprintf("%s %s %s", name(t.column), t.op, t.value))
		}
	}
	if len(list) > 0 {
		text += " WHERE " + strings.Join(list, " AND ")
	}
	return text + " RETURNING *"
}
