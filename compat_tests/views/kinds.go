package views

import (
	"fmt"
	"strings"
)

// kind is the type of a column. Values of all kinds are numbers to the reference (see value), ordered as the values that they stand
// for: a kind says how they are written and which of them it can hold. So a comparison is one of numbers, whatever is compared, and
// a conversion is rounding and a look at the bounds.
type kind struct {
	name      string // in CREATE TABLE
	plain     string // the type in casts, which does not look at bounds
	family    string // kinds of one family are compared with each other
	least     int
	most      int
	fractions bool // holds halves
	beyond    string
	check     string // a CHECK of a column of this name, "" if the type has the bounds
	print     func(v value) string
}

const far = 1 << 30

func printNumber(v value) string { return fmt.Sprint(v.n) }

func printTenths(v value) string {
	text := fmt.Sprint(v.n) + ".0"
	if v.half {
		text = fmt.Sprint(float64(v.n) + 0.5)
	}
	return text
}

func printLetters(v value) string { return strings.Repeat("a", v.n+1) }

var (
	integer = &kind{name: "int", plain: "int", family: "number", least: -far, most: far, print: printNumber}
	long    = &kind{name: "bigint", plain: "bigint", family: "number", least: -far, most: far, print: printNumber}
	small   = &kind{name: "int", plain: "int", family: "number", least: -far, most: 6, beyond: "23514", check: "%s < 7", print: printNumber}
	decimal = &kind{name: "numeric(6,1)", plain: "numeric", family: "number", least: -far, most: far, fractions: true, print: printTenths}
	tight   = &kind{name: "numeric(2,1)", plain: "numeric", family: "number", least: -9, most: 9, beyond: "22003", fractions: true, print: printTenths}
	letters = &kind{name: "text", plain: "text", family: "text", most: far, print: printLetters}
	word    = &kind{name: "varchar(6)", plain: "text", family: "text", most: 5, beyond: "22001", print: printLetters}
	tag     = &kind{name: "text", plain: "text", family: "text", most: 5, beyond: "23514", check: "length(%s) < 7", print: printLetters}
	moment  = &kind{name: "timestamptz", plain: "timestamptz", family: "moment", most: far, print: func(v value) string { return fmt.Sprintf("2024-01-%02d 12:00:00+00", v.n+1) }}
	id      = &kind{name: "uuid", plain: "uuid", family: "id", most: far, print: func(v value) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", v.n) }}
	truth   = &kind{name: "boolean", plain: "boolean", family: "truth", most: 1, print: func(v value) string { return string("ft"[v.n]) }}
)

var kinds = []*kind{integer, long, small, decimal, tight, letters, word, tag, moment, id, truth}

// plus is the kind of a sum of a column and an integer.
func (k *kind) plus() *kind {
	switch {
	case k.fractions:
		return decimal
	case k == small:
		return integer
	}
	return k
}

// holds reports whether a value is within the bounds.
func (k *kind) holds(v value) bool { return v.null || k.least <= v.n && v.n <= k.most }

// assign is the value that is stored for one that is given, or why there is none. A CHECK is tested when rows are.
func (k *kind) assign(v value) (value, outcome) {
	if v.null {
		return v, outcome{}
	}
	if v.half && !k.fractions { // halves are rounded away from zero
		if v.half = false; v.n >= 0 {
			v.n++
		}
	}
	if k.check == "" && !k.holds(v) {
		return v, refused(k.beyond, "%s is beyond %s", v, k.name)
	}
	return v, outcome{}
}

// text is a value as the server returns it.
func (k *kind) text(v value) string {
	if v.null {
		return "NULL"
	}
	return k.print(v)
}

// rowText is a row as the server returns it.
func rowText(values []value, kinds []*kind) string {
	var list []string
	for i, v := range values {
		list = append(list, kinds[i].text(v))
	}
	return strings.Join(list, "|")
}

// kindOf is the kind of a column of an item.
func (v *view) kindOf(d *database, o operand) *kind {
	if x := v.items[o.item]; x.view != nil {
		return x.view.kinds(d)[o.column]
	}
	return d.tables[v.items[o.item].table].kinds[o.column]
}

// kinds are those of a view's columns.
func (v *view) kinds(d *database) []*kind {
	var out []*kind
	for _, c := range v.columns {
		k := v.kindOf(d, c.at)
		if c.expression {
			k = k.plus()
		}
		out = append(out, k)
	}
	return out
}
