package ast

import (
	"reflect"
	"strconv"
	"strings"
)

// printer writes SQL from a tree. Compound operands are always put in parentheses: the tree has no node for
// them, so what is printed parses to the same tree, and no table of precedences is needed.
type printer struct{ strings.Builder }

// FormatExpr prints an expression as SQL that parses to an equal tree, positions aside.
func FormatExpr(e Expr) string {
	var p printer
	p.expr(e)
	return p.String()
}

// FormatType prints a type's name as SQL.
func FormatType(t *TypeName) string {
	var p printer
	p.typeName(t)
	return p.String()
}

// FormatStatement prints a statement as SQL that parses to an equal tree, positions and source texts aside.
// It is "" for a statement whose tree does not hold what was written: Merge, Grant, Unsupported, and anything
// with a clause the tree only marks as present (TABLESAMPLE, SEARCH, CYCLE, PARTITION, a subscripted target).
func FormatStatement(s Stmt) string {
	if !complete(reflect.ValueOf(s)) {
		return ""
	}
	var p printer
	p.stmt(s)
	return p.String()
}

// complete reports whether a tree holds all that was written.
func complete(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return true
		}
		switch n := v.Interface().(type) {
		case *Merge, *Grant, *Unsupported:
			return false
		case *TableRef:
			return !n.Sample
		case *InsertColumn:
			return !n.Indirection
		case *CTE:
			if n.Search || n.Cycle {
				return false
			}
		case *CreateTable:
			if n.Partition {
				return false
			}
		case *Constraint:
			if n.Kind == ConstrExclusion {
				return false
			}
		case *AlterCommand:
			if n.Kind == AlterOther {
				return false
			}
		case *IndexElem, *Literal, *ColumnRef, *Param:
		}
		return complete(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if !complete(v.Field(i)) {
				return false
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if !complete(v.Index(i)) {
				return false
			}
		}
	}
	return true
}

func (p *printer) s(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

// when writes s if cond.
func (p *printer) when(cond bool, s string) {
	if cond {
		p.WriteString(s)
	}
}

func (p *printer) ident(name string) { p.WriteString(QuoteIdent(name)) }

func (p *printer) idents(names []string, separator string) {
	for i, n := range names {
		p.when(i > 0, separator)
		p.ident(n)
	}
}

// columns writes a parenthesised list of names, if there are any.
func (p *printer) columns(names []string) {
	if len(names) > 0 {
		p.s(" (")
		p.idents(names, ", ")
		p.s(")")
	}
}

func (p *printer) table(t *TableName) {
	for _, q := range [...]string{t.Database, t.Schema} {
		if q != "" {
			p.ident(q)
			p.s(".")
		}
	}
	p.ident(t.Name)
}

func (p *printer) tables(ts []*TableName) {
	for i, t := range ts {
		p.when(i > 0, ", ")
		p.table(t)
	}
}

func list[T any](p *printer, items []T, f func(T)) {
	for i, item := range items {
		p.when(i > 0, ", ")
		f(item)
	}
}

func (p *printer) exprs(es []Expr) { list(p, es, p.expr) }

// operand writes an expression that another is made of.
func (p *printer) operand(e Expr) {
	if isPrimary(e) {
		p.expr(e)
		return
	}
	p.s("(")
	p.expr(e)
	p.s(")")
}

// isPrimary reports whether an expression needs no parentheses as an operand.
func isPrimary(e Expr) bool {
	switch e := e.(type) {
	case *Literal:
		return !strings.HasPrefix(e.Value, "-") || e.Kind != LitInt && e.Kind != LitNumeric
	case *FuncCall:
		return e.Form != CallSQL || len(e.Name) != 2 ||
			e.Name[1] != "timezone" && e.Name[1] != "overlaps" && e.Name[1] != "is_normalized"
	case *Subquery:
		return e.Kind != AnySubquery && e.Kind != AllSubquery
	case *Param, *ColumnRef, *Case, *Coalesce, *MinMax, *NullIf, *Cast, *Array, *Row, *Subscript, *Field, *Default, *Grouping:
		return true
	}
	return false
}

func (p *printer) not(not bool) { p.when(not, "NOT ") }

func (p *printer) expr(e Expr) {
	switch e := e.(type) {
	case *Literal:
		p.literal(e)
	case *Param:
		p.s("$", strconv.Itoa(e.Number))
	case *ColumnRef:
		p.idents(e.Names, ".")
		p.when(e.Star && len(e.Names) > 0, ".")
		p.when(e.Star, "*")
	case *FuncCall:
		p.call(e)
	case *Op:
		if e.Left != nil {
			p.operand(e.Left)
			p.s(" ")
		}
		p.operator(e.Schema, e.Name)
		p.s(" ")
		p.operand(e.Right)
	case *BoolOp:
		if e.Kind == Not {
			p.s("NOT ")
			p.operand(e.Args[0])
			return
		}
		for i, a := range e.Args {
			if i > 0 {
				p.s(map[BoolKind]string{And: " AND ", Or: " OR "}[e.Kind])
			}
			p.operand(a)
		}
	case *NullTest:
		p.operand(e.Arg)
		p.s(" IS ")
		p.not(e.Not)
		p.s("NULL")
	case *BoolTest:
		p.operand(e.Arg)
		p.s(" IS ")
		p.not(e.Not)
		p.s(strings.ToUpper(e.Want))
	case *Distinct:
		p.operand(e.Left)
		p.s(" IS ")
		p.not(e.Not)
		p.s("DISTINCT FROM ")
		p.operand(e.Right)
	case *In:
		p.operand(e.Arg)
		p.s(" ")
		p.not(e.Not)
		p.s("IN (")
		p.exprs(e.List)
		p.s(")")
	case *Between:
		p.operand(e.Arg)
		p.s(" ")
		p.not(e.Not)
		p.s("BETWEEN ")
		p.when(e.Symmetric, "SYMMETRIC ")
		p.operand(e.Low)
		p.s(" AND ")
		p.operand(e.High)
	case *Like:
		p.operand(e.Arg)
		p.s(" ")
		p.not(e.Not)
		p.s(e.Keyword, " ")
		p.operand(e.Pattern)
		if e.Escape != nil {
			p.s(" ESCAPE ")
			p.operand(e.Escape)
		}
	case *Case:
		p.s("CASE")
		if e.Arg != nil {
			p.s(" ")
			p.expr(e.Arg)
		}
		for _, w := range e.Whens {
			p.s(" WHEN ")
			p.expr(w.Cond)
			p.s(" THEN ")
			p.expr(w.Result)
		}
		if e.Else != nil {
			p.s(" ELSE ")
			p.expr(e.Else)
		}
		p.s(" END")
	case *Coalesce:
		p.s("COALESCE(")
		p.exprs(e.Args)
		p.s(")")
	case *MinMax:
		p.s(map[bool]string{true: "LEAST(", false: "GREATEST("}[e.Least])
		p.exprs(e.Args)
		p.s(")")
	case *NullIf:
		p.s("NULLIF(")
		p.exprs([]Expr{e.Left, e.Right})
		p.s(")")
	case *Cast:
		p.s("CAST(")
		p.expr(e.Arg)
		p.s(" AS ")
		p.typeName(e.Type)
		p.s(")")
	case *Collate:
		p.operand(e.Arg)
		p.s(" COLLATE ")
		p.idents(e.Name, ".")
	case *Array:
		p.s("ARRAY[")
		p.exprs(e.Elems)
		p.s("]")
	case *Row:
		p.when(e.Explicit, "ROW")
		p.s("(")
		p.exprs(e.Fields)
		p.s(")")
	case *AnyAll:
		p.operand(e.Left)
		p.s(" ")
		p.operator(e.Schema, e.Op)
		p.s(map[bool]string{true: " ALL (", false: " ANY ("}[e.All])
		p.expr(e.Array)
		p.s(")")
	case *Subquery:
		p.subquery(e)
	case *Subscript:
		switch e.Arg.(type) {
		case *ColumnRef, *Param, *Subscript, *Field:
			p.expr(e.Arg)
		default:
			p.s("(")
			p.expr(e.Arg)
			p.s(")")
		}
		p.subscript(e)
	case *Field:
		switch e.Arg.(type) {
		case *Subscript, *Field:
			p.expr(e.Arg)
		default:
			p.s("(")
			p.expr(e.Arg)
			p.s(")")
		}
		p.s(".")
		if e.Star {
			p.s("*")
		} else {
			p.ident(e.Name)
		}
	case *Default:
		p.s("DEFAULT")
	case *CurrentOf:
		p.s("CURRENT OF ")
		p.ident(e.Cursor)
	case *Grouping:
		p.s("GROUPING(")
		p.exprs(e.Args)
		p.s(")")
	}
}

func (p *printer) literal(l *Literal) {
	switch l.Kind {
	case LitNull:
		p.s("NULL")
	case LitString:
		p.s(QuoteLiteral(l.Value))
	case LitBool:
		p.s(map[bool]string{true: "TRUE", false: "FALSE"}[l.Value == "t"])
	case LitBit:
		p.s(l.Value[:1], "'", l.Value[1:], "'")
	default:
		p.s(l.Value)
	}
}

func (p *printer) operator(schema, op string) {
	if schema == "" {
		p.s(op)
		return
	}
	p.s("OPERATOR(")
	p.ident(schema)
	p.s(".", op, ")")
}

func (p *printer) subquery(e *Subquery) {
	switch e.Kind {
	case ExistsSubquery:
		p.s("EXISTS ")
	case ArraySubquery:
		p.s("ARRAY")
	case AnySubquery, AllSubquery:
		p.operand(e.Left)
		p.s(" ")
		switch {
		case e.Kind == AllSubquery:
			p.operator(e.Schema, e.Op)
			p.s(" ALL ")
		case e.Op == "=" && e.Schema == "":
			p.not(e.Not)
			p.s("IN ")
		default:
			p.operator(e.Schema, e.Op)
			p.s(" ANY ")
		}
	}
	p.s("(")
	p.selectStmt(e.Query)
	p.s(")")
}

// call writes a function call in the form it was written in.
func (p *printer) call(f *FuncCall) {
	switch f.Form {
	case CallKeyword:
		p.s(strings.ToUpper(f.Name[0]))
		if len(f.Args) > 0 {
			p.s("(")
			p.exprs(f.Args)
			p.s(")")
		}
		return
	case CallSQL:
		if len(f.Name) == 2 && p.sqlCall(f.Name[1], f.Args) {
			return
		}
	}
	p.idents(f.Name, ".")
	p.s("(")
	p.when(f.Star, "*")
	p.when(f.Distinct, "DISTINCT ")
	for i, a := range f.Args {
		p.when(i > 0, ", ")
		p.when(f.Variadic && i == len(f.Args)-1, "VARIADIC ")
		if f.ArgNames != nil && f.ArgNames[i] != "" {
			p.ident(f.ArgNames[i])
			p.s(" => ")
		}
		p.expr(a)
	}
	if len(f.OrderBy) > 0 && !f.WithinGroup {
		p.orderBy(f.OrderBy)
	}
	p.s(")")
	if f.WithinGroup {
		p.s(" WITHIN GROUP (")
		p.orderBy(f.OrderBy)
		p.s(")")
	}
	if f.Filter != nil {
		p.s(" FILTER (WHERE ")
		p.expr(f.Filter)
		p.s(")")
	}
	if f.Over != nil {
		p.s(" OVER ")
		if f.Over.Name != "" {
			p.ident(f.Over.Name)
		} else {
			p.window(f.Over)
		}
	}
}

// sqlCall writes one of the calls that have a syntax of their own.
func (p *printer) sqlCall(name string, args []Expr) bool {
	between := func(open string, separators ...string) bool {
		p.s(open)
		for i, a := range args {
			if i > 0 {
				p.s(separators[i-1])
			}
			p.operand(a)
		}
		p.s(")")
		return true
	}
	n := len(args)
	switch {
	case name == "extract" && n == 2:
		return between("EXTRACT(", " FROM ")
	case name == "substring" && (n == 2 || n == 3):
		return between("SUBSTRING(", " FROM ", " FOR ")
	case name == "overlay" && (n == 3 || n == 4):
		return between("OVERLAY(", " PLACING ", " FROM ", " FOR ")
	case name == "position" && n == 2:
		args = []Expr{args[1], args[0]}
		return between("POSITION(", " IN ")
	case name == "btrim", name == "ltrim", name == "rtrim":
		p.s(map[byte]string{'b': "TRIM(BOTH ", 'l': "TRIM(LEADING ", 'r': "TRIM(TRAILING "}[name[0]])
		p.exprs(args)
		p.s(")")
	case name == "timezone" && n == 2:
		p.operand(args[1])
		p.s(" AT TIME ZONE ")
		p.operand(args[0])
	case name == "overlaps" && n == 4:
		p.s("(")
		p.exprs(args[:2])
		p.s(") OVERLAPS (")
		p.exprs(args[2:])
		p.s(")")
	case name == "pg_collation_for" && n == 1:
		return between("COLLATION FOR (")
	case name == "system_user" && n == 0:
		p.s("SYSTEM_USER")
	case (name == "normalize" || name == "is_normalized") && (n == 1 || n == 2):
		form := ""
		if n == 2 {
			l, ok := args[1].(*Literal)
			if !ok {
				return false
			}
			form = l.Value
		}
		if name == "is_normalized" {
			p.operand(args[0])
			p.s(" IS ", form, " NORMALIZED")
			return true
		}
		p.s("NORMALIZE(")
		p.expr(args[0])
		p.when(form != "", ", "+form)
		p.s(")")
	default:
		return false
	}
	return true
}

// sqlTypes are the names of SQL for the internal names of types, and what modifiers the grammar takes with
// them: none, one number, or any list. Other modifiers go with the internal name alone.
var sqlTypes = map[string]struct{ name, after, mods string }{
	"bool": {name: "boolean"}, "int2": {name: "smallint"}, "int4": {name: "integer"}, "int8": {name: "bigint"},
	"float4": {name: "real"}, "float8": {name: "double precision"}, "json": {name: "json"},
	"numeric": {name: "numeric", mods: "list"}, "varchar": {name: "character varying", mods: "one"},
	"bpchar": {name: "character", mods: "must"}, "bit": {name: "bit", mods: "must list"}, "varbit": {name: "bit varying", mods: "list"},
	"timestamp": {"timestamp", " without time zone", "one"}, "timestamptz": {"timestamp", " with time zone", "one"},
	"time": {"time", " without time zone", "one"}, "timetz": {"time", " with time zone", "one"},
}

func (p *printer) typeName(t *TypeName) {
	p.when(t.SetOf, "SETOF ")
	p.baseType(t)
	p.when(t.PctType, "%TYPE")
	for range t.Array {
		p.s("[]")
	}
}

func (p *printer) baseType(t *TypeName) {
	mods := func(m []Expr) {
		if len(m) > 0 {
			p.s("(")
			p.exprs(m)
			p.s(")")
		}
	}
	if len(t.Names) == 2 && t.Names[0] == "pg_catalog" && !t.PctType {
		if t.Names[1] == "interval" {
			if fields, ok := intervalFields[t.Interval]; ok && (len(t.Mods) == 0 || isOneNumber(t.Mods) && (t.Interval == 0 || t.Interval&intervalSecond != 0)) {
				p.s("interval", fields)
				mods(t.Mods)
				return
			}
			p.s(`pg_catalog."interval"`)
			mods(append([]Expr{&Literal{Kind: LitInt, Value: strconv.Itoa(t.Interval)}}, t.Mods...))
			return
		}
		if sql, ok := sqlTypes[t.Names[1]]; ok {
			n := len(t.Mods)
			switch sql.mods {
			case "":
				ok = n == 0
			case "one":
				ok = n == 0 || isOneNumber(t.Mods)
			case "must":
				ok = isOneNumber(t.Mods)
			case "must list":
				ok = n > 0
			}
			if ok {
				p.s(sql.name)
				mods(t.Mods)
				p.s(sql.after)
				return
			}
		}
	}
	p.idents(t.Names, ".")
	mods(t.Mods)
}

func isOneNumber(mods []Expr) bool {
	if len(mods) != 1 {
		return false
	}
	l, ok := mods[0].(*Literal)
	return ok && l.Kind == LitInt && l.Value[0] != '-' && len(l.Value) < 10
}

// The bits of an interval's field mask.
const (
	intervalMonth  = 1 << 1
	intervalYear   = 1 << 2
	intervalDay    = 1 << 3
	intervalHour   = 1 << 10
	intervalMinute = 1 << 11
	intervalSecond = 1 << 12
)

// intervalFields are the masks the grammar makes, 0 for none.
var intervalFields = map[int]string{
	0: "", intervalYear: " year", intervalMonth: " month", intervalDay: " day", intervalHour: " hour", intervalMinute: " minute",
	intervalSecond: " second", intervalYear | intervalMonth: " year to month", intervalDay | intervalHour: " day to hour",
	intervalDay | intervalHour | intervalMinute:                  " day to minute",
	intervalDay | intervalHour | intervalMinute | intervalSecond: " day to second",
	intervalHour | intervalMinute:                                " hour to minute",
	intervalHour | intervalMinute | intervalSecond:               " hour to second",
	intervalMinute | intervalSecond:                              " minute to second",
}

// subscript prints what is in brackets, and the brackets.
func (p *printer) subscript(e *Subscript) {
	p.s("[")
	if e.Lower != nil {
		p.expr(e.Lower)
	}
	p.when(e.Slice, " : ")
	if e.Upper != nil {
		p.expr(e.Upper)
	}
	p.s("]")
}
