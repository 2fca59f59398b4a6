package bind

import (
	"strconv"
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// Printing of expressions, by the rules of PostgreSQL's ruleutils: tools compare what pg_get_expr and its kin
// return with what they expect, letter by letter, and so the rules are kept where other text would do as well.
//
// Two styles exist. The plain one puts every operator in parentheses. The pretty one leaves out those that the
// precedence of +, -, *, /, %, AND, OR and NOT makes needless. Both break lines at CASE and in queries.

// printer prints one expression or query.
type printer struct {
	buf    []byte
	pretty bool
	column func(algebra.ColID) string
	// plain reports whether a column is one, and does not stand for an aggregate or the like; nil: all are.
	plain func(algebra.ColID) bool
	bare  func(algebra.ColID) string // the name without that of the table
	typ   func(t *types.Type, mod int32) string
	table func(*catalog.Table) string
	// relation is the name of a relation by its OID, "" if there is none.
	relation func(catalog.OID) string
	env      *types.Env
	events   *textEvents // nil if there are none
	level    int         // of indentation, in spaces
	names    *queryNames // of the query being printed
}

// ExprText prints an expression as PostgreSQL's pg_get_expr does. names gives the text of a column.
func ExprText(e algebra.Scalar, names func(algebra.ColID) string) string {
	p := &printer{column: names, typ: types.FormatType, env: types.DefaultEnv}
	p.expr(e, false)
	return p.String()
}

// exprText prints an expression of the statement in hand, to be read under an empty search path.
func (b *binder) exprText(e scalar, names func(algebra.ColID) string) string {
	p := b.printer(nil)
	p.column = names
	p.expr(e, false)
	return p.String()
}

// printer makes a printer of names that are found under a search path.
func (b *binder) printer(path []string) *printer {
	return &printer{env: b.fctx.Env, events: b.text, typ: func(t *types.Type, mod int32) string {
		return b.o.Snapshot.FormatType(t, mod, path)
	}, relation: func(oid catalog.OID) string {
		if b.o.Snapshot.RelationByOID(oid) == nil {
			return ""
		}
		return b.o.Snapshot.QualifiedName(oid, path)
	}}
}

func (p *printer) s(parts ...string) {
	for _, s := range parts {
		p.buf = append(p.buf, s...)
	}
}

func (p *printer) String() string { return string(p.buf) }

// trim takes the spaces off the end.
func (p *printer) trim() {
	for len(p.buf) > 0 && p.buf[len(p.buf)-1] == ' ' {
		p.buf = p.buf[:len(p.buf)-1]
	}
}

// Indentation, as in ruleutils.
const (
	indentStd   = 8
	indentJoin  = 4
	indentVar   = 4
	indentLimit = 40
)

// keyword begins a line with a word.
func (p *printer) keyword(word string, before, after, plus int) {
	p.level += before
	p.trim()
	p.s("\n")
	n := max(p.level, 0)
	if p.level >= indentLimit {
		n = (indentLimit + (p.level-indentLimit)/(indentStd/2)) % indentLimit
	}
	p.s(strings.Repeat(" ", n+plus), word)
	p.level = max(p.level+after, 0)
}

// open and close are the parentheses of the plain style.
func (p *printer) open() {
	if !p.pretty {
		p.s("(")
	}
}

func (p *printer) close() {
	if !p.pretty {
		p.s(")")
	}
}

// operand prints a part of a larger expression, in parentheses if the pretty style needs them.
func (p *printer) operand(e scalar, implicit bool, parent scalar) {
	need := p.pretty && !p.isSimple(e, parent)
	if need {
		p.s("(")
	}
	p.expr(e, implicit)
	if need {
		p.s(")")
	}
}

func (p *printer) list(list []scalar, implicit bool) {
	for i, e := range list {
		if i > 0 {
			p.s(", ")
		}
		p.expr(e, implicit)
	}
}

// kind is the class of expressions that isSimple tells apart.
type kind uint8

const (
	kindWord  kind = iota // names, constants
	kindCall              // f(..), a[..], CASE .. END: parentheses of their own
	kindField             // (x).f
	kindCast
	kindFuncCast // a cast by function
	kindOp
	kindTest // IS NULL and the like, subqueries
	kindAnd
	kindOr
	kindNot
	kindOther
)

func (p *printer) kindOf(e scalar) kind {
	if p.events != nil {
		if p.events.keywords[e] != "" {
			return kindCall
		}
		if p.events.rowCompares[e] != nil {
			return kindOther
		}
	}
	switch e := e.(type) {
	case *algebra.Const, *algebra.Param, *algebra.Col:
		return kindWord
	case *algebra.Call:
		if e.Op != "" {
			return kindOp
		}
		return kindCall
	case *algebra.Cast:
		if e.Cast == nil || e.Cast.Func != nil {
			return kindFuncCast
		}
		return kindCast
	case *algebra.And:
		return kindAnd
	case *algebra.Or:
		return kindOr
	case *algebra.Not:
		return kindNot
	case *algebra.Distinct:
		if e.Not {
			return kindNot
		}
		return kindTest
	case *algebra.IsNull, *algebra.BoolTest:
		return kindTest
	case *algebra.Subquery:
		if e.Not {
			return kindNot
		}
		return kindTest
	case *algebra.FieldOf:
		return kindField
	case *algebra.AnyAll:
		return kindOther
	}
	return kindCall
}

// isSimple reports whether an expression needs no parentheses below its parent.
func (p *printer) isSimple(e, parent scalar) bool {
	k, above := p.kindOf(e), kindOther
	if parent != nil {
		above = p.kindOf(parent)
	}
	sqlForm := false
	if c, ok := parent.(*algebra.Call); ok {
		sqlForm = c.Form == algebra.SQLForm
	}
	separated := above == kindCall && !sqlForm
	switch k {
	case kindWord, kindCall, kindFuncCast:
		return true
	case kindField:
		return above != kindField
	case kindCast:
		return p.isSimple(e.(*algebra.Cast).Arg, e)
	case kindOp:
		if above == kindOp {
			return tighter(e.(*algebra.Call), parent.(*algebra.Call))
		}
		fallthrough
	case kindTest:
		return separated || above == kindAnd || above == kindOr || above == kindNot
	case kindAnd, kindNot:
		return separated || above == kindAnd || above == kindOr
	case kindOr:
		return separated || above == kindOr
	}
	return false
}

// tighter reports whether an arithmetic operator binds tighter than the one around it.
func tighter(e, parent *algebra.Call) bool {
	if len(e.Args) != 2 || len(parent.Args) != 2 || len(e.Op) != 1 || len(parent.Op) != 1 {
		return false
	}
	low, high := strings.Contains("+-", e.Op), strings.Contains("*/%", e.Op)
	lowParent, highParent := strings.Contains("+-", parent.Op), strings.Contains("*/%", parent.Op)
	switch {
	case !low && !high || !lowParent && !highParent:
		return false
	case high && lowParent:
		return true
	case low && highParent:
		return false
	}
	return scalar(e) == parent.Args[0]
}

// expr prints an expression. implicit tells to print conversions that were not written.
func (p *printer) expr(e scalar, implicit bool) {
	if p.events != nil {
		if word := p.events.keywords[e]; word != "" {
			p.s(word)
			return
		}
		if r := p.events.rowCompares[e]; r != nil {
			p.s("(ROW(")
			p.list(r.left, true)
			p.s(") ", r.op, " ROW(")
			p.list(r.right, true)
			p.s("))")
			return
		}
	}
	switch e := e.(type) {
	case *algebra.Const:
		p.constant(e, true)
	case *algebra.Param:
		p.s("$", strconv.Itoa(e.Number))
	case *algebra.Col:
		p.s(p.column(e.ID))
	case *algebra.Call:
		p.call(e)
	case *algebra.Cast:
		p.cast(e, implicit)
	case *algebra.And:
		p.infix(e.Args, " AND ", e)
	case *algebra.Or:
		p.infix(e.Args, " OR ", e)
	case *algebra.Not:
		p.not(e.Arg, e)
	case *algebra.IsNull:
		p.open()
		p.operand(e.Arg, true, e)
		p.s(" IS", notWord(e.Not), " NULL")
		p.close()
	case *algebra.BoolTest:
		p.open()
		p.operand(e.Arg, false, e)
		word := " FALSE"
		if e.Unknown {
			word = " UNKNOWN"
		} else if e.Want {
			word = " TRUE"
		}
		p.s(" IS", notWord(e.Not), word)
		p.close()
	case *algebra.Distinct:
		if e.Not {
			inner := *e
			inner.Not = false
			p.not(&inner, e)
			return
		}
		p.open()
		p.operand(e.Left, true, e)
		p.s(" IS DISTINCT FROM ")
		p.operand(e.Right, true, e)
		p.close()
	case *algebra.Case:
		p.caseExpr(e)
	case *algebra.Coalesce:
		p.s("COALESCE(")
		p.list(e.Args, true)
		p.s(")")
	case *algebra.MinMax:
		if e.Least {
			p.s("LEAST(")
		} else {
			p.s("GREATEST(")
		}
		p.list(e.Args, true)
		p.s(")")
	case *algebra.NullIf:
		p.s("NULLIF(")
		p.list([]scalar{e.Left, e.Right}, true)
		p.s(")")
	case *algebra.AnyAll:
		p.anyAll(e)
	case *algebra.ArrayCtor:
		p.s("ARRAY[")
		p.list(e.Elems, true)
		p.s("]")
		if len(e.Elems) == 0 {
			p.s("::", p.typ(e.Typ, types.NoTypmod))
		}
	case *algebra.Subscript:
		p.subscript(e)
	case *algebra.Row:
		p.s("ROW(")
		p.list(e.Fields, true)
		p.s(")")
		if e.Typ != types.RecordType {
			p.s("::", p.typ(e.Typ, types.NoTypmod))
		}
	case *algebra.FieldOf:
		p.field(e)
	case *algebra.Subquery:
		p.subquery(e)
	}
}

func notWord(n bool) string {
	if n {
		return " NOT"
	}
	return ""
}

func (p *printer) infix(args []scalar, op string, e scalar) {
	p.open()
	for i, a := range args {
		if i > 0 {
			p.s(op)
		}
		p.operand(a, false, e)
	}
	p.close()
}

func (p *printer) not(arg, e scalar) {
	p.open()
	p.s("NOT ")
	p.operand(arg, false, e)
	p.close()
}

// constant prints a constant so that it is read back with its type; without label the type is left out.
func (p *printer) constant(c *algebra.Const, label bool) {
	if c.Value.IsNull() {
		p.s("NULL")
		if label {
			p.s("::", p.typ(c.Typ, c.M))
		}
		return
	}
	text := p.valueText(c)
	need := true
	switch c.Typ {
	case types.Int4:
		if need = text[0] == '-'; need {
			text = quoteLiteral(text)
		}
	case types.Numeric:
		if text[0] >= '0' && text[0] <= '9' && strings.ContainsAny(text, "eE.") {
			need = c.M >= 0
		} else {
			text = quoteLiteral(text)
		}
	case types.Bool:
		text, need = strconv.FormatBool(c.Value.Bool()), false
	case types.Unknown:
		text, need = quoteLiteral(text), false
	default:
		text = quoteLiteral(text)
	}
	p.s(text)
	if need && label {
		p.s("::", p.typ(c.Typ, c.M))
	}
}

// valueText is the text of a constant. Relations go by a name that is found under the search path printed for.
func (p *printer) valueText(c *algebra.Const) string {
	if c.Typ == types.Regclass && p.relation != nil {
		if name := p.relation(catalog.OID(c.Value.Int())); name != "" {
			return name
		}
	}
	return string(types.AppendText(nil, c.Typ, c.Value, p.env))
}

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (p *printer) call(e *algebra.Call) {
	if e.Op != "" {
		p.open()
		if len(e.Args) == 1 {
			p.s(e.Op, " ")
			p.operand(e.Args[0], true, e)
		} else {
			p.operand(e.Args[0], true, e)
			p.s(" ", e.Op, " ")
			p.operand(e.Args[1], true, e)
		}
		p.close()
		return
	}
	if e.Form == algebra.SQLForm && p.sqlForm(e) {
		return
	}
	p.s(types.QuoteIdentifier(e.Func.Name), "(")
	p.callArgs(e)
	p.s(")")
}

func (p *printer) callArgs(e *algebra.Call) {
	args := e.Args
	if e.VariadicAt >= 0 && e.VariadicAt == len(args)-1 {
		if a, ok := args[e.VariadicAt].(*algebra.ArrayCtor); ok {
			args = append(append([]scalar(nil), args[:e.VariadicAt]...), a.Elems...)
			p.list(args, true)
			return
		}
	}
	for i, a := range args {
		if i > 0 {
			p.s(", ")
		}
		if e.Func.Variadic && e.VariadicAt < 0 && i == len(args)-1 && a.Type().IsArray() && len(args) == len(e.Func.Args) {
			p.s("VARIADIC ")
		}
		p.expr(a, true)
	}
}

// sqlForm prints the calls that SQL has a syntax for; false if this is not one of them.
func (p *printer) sqlForm(e *algebra.Call) bool {
	word := func(a scalar) string { // a constant that the syntax has as a bare word
		c, ok := a.(*algebra.Const)
		if !ok {
			return ""
		}
		return c.Value.Str()
	}
	arg := func(i int) { p.expr(e.Args[i], false) }
	switch e.Func.Name {
	case "timezone":
		if len(e.Args) != 2 {
			return false
		}
		p.s("(")
		p.operand(e.Args[1], false, e)
		p.s(" AT TIME ZONE ")
		p.operand(e.Args[0], false, e)
		p.s(")")
	case "extract":
		p.s("EXTRACT(", word(e.Args[0]), " FROM ")
		arg(1)
		p.s(")")
	case "overlaps":
		p.s("((")
		arg(0)
		p.s(", ")
		arg(1)
		p.s(") OVERLAPS (")
		arg(2)
		p.s(", ")
		arg(3)
		p.s("))")
	case "is_normalized":
		return false
	case "normalize":
		p.s("NORMALIZE(")
		arg(0)
		if len(e.Args) == 2 {
			p.s(", ", word(e.Args[1]))
		}
		p.s(")")
	case "overlay":
		p.s("OVERLAY(")
		arg(0)
		p.s(" PLACING ")
		arg(1)
		p.s(" FROM ")
		arg(2)
		if len(e.Args) == 4 {
			p.s(" FOR ")
			arg(3)
		}
		p.s(")")
	case "position":
		p.s("POSITION((") // the other way round than the function
		arg(1)
		p.s(") IN (")
		arg(0)
		p.s("))")
	case "substring":
		p.s("SUBSTRING(")
		arg(0)
		p.s(" FROM ")
		arg(1)
		if len(e.Args) == 3 {
			p.s(" FOR ")
			arg(2)
		}
		p.s(")")
	case "btrim", "ltrim", "rtrim":
		p.s("TRIM(", map[string]string{"btrim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}[e.Func.Name])
		if len(e.Args) == 2 {
			p.s(" ")
			arg(1)
		}
		p.s(" FROM ")
		arg(0)
		p.s(")")
	default:
		return false
	}
	return true
}

func (p *printer) cast(e *algebra.Cast, implicit bool) {
	if e.Implicit && !implicit {
		if e.Cast == nil || e.Cast.Func != nil {
			p.expr(e.Arg, false)
		} else {
			p.operand(e.Arg, false, e)
		}
		return
	}
	if c, ok := e.Arg.(*algebra.Const); ok && c.Typ == e.Typ && c.M == types.NoTypmod {
		p.constant(c, false)
	} else {
		p.open()
		p.operand(e.Arg, false, e)
		p.close()
	}
	p.s("::", p.typ(e.Typ, e.M))
}

func (p *printer) caseExpr(e *algebra.Case) {
	p.keyword("CASE", 0, indentVar, 0)
	var arg scalar
	if p.events != nil {
		arg = p.events.caseArgs[e]
	}
	if arg != nil {
		p.s(" ")
		p.expr(arg, true)
	}
	for _, w := range e.Whens {
		p.keyword("WHEN ", 0, 0, 0)
		if c, ok := w.Cond.(*algebra.Call); ok && arg != nil && len(c.Args) == 2 {
			p.expr(c.Args[1], false)
		} else {
			p.expr(w.Cond, false)
		}
		p.s(" THEN ")
		p.expr(w.Result, true)
	}
	p.keyword("ELSE ", 0, 0, 0)
	p.expr(e.Else, true)
	p.keyword("END", -indentVar, 0, 0)
}

func (p *printer) anyAll(e *algebra.AnyAll) {
	p.open()
	p.operand(e.Left, true, e)
	word := "ANY"
	if e.All {
		word = "ALL"
	}
	p.s(" ", e.Op, " ", word, " (")
	p.operand(e.Array, true, e)
	if q, ok := e.Array.(*algebra.Subquery); ok && q.Kind == algebra.ScalarSubquery {
		p.s("::", p.typ(q.Typ, q.M))
	}
	p.s(")")
	p.close()
}

func (p *printer) subscript(e *algebra.Subscript) {
	k := p.kindOf(e.Array)
	_, col := e.Array.(*algebra.Col)
	if col || k == kindField {
		p.expr(e.Array, true)
	} else {
		p.s("(")
		p.expr(e.Array, true)
		p.s(")")
	}
	for i := range e.Upper {
		p.s("[")
		if e.Slice {
			if e.Lower[i] != nil {
				p.expr(e.Lower[i], false)
			}
			p.s(":")
		}
		if e.Upper[i] != nil {
			p.expr(e.Upper[i], false)
		}
		p.s("]")
	}
}

func (p *printer) field(e *algebra.FieldOf) {
	switch e.Arg.(type) {
	case *algebra.Subscript, *algebra.FieldOf:
		p.expr(e.Arg, true)
	default:
		p.s("(")
		p.expr(e.Arg, true)
		p.s(")")
	}
	p.s(".", types.QuoteIdentifier(fieldName(e)))
}

func fieldName(e *algebra.FieldOf) string {
	if t := e.Arg.Type().Underlying(); t.Kind == 'c' {
		if f := liveFields(t); e.Field < len(f) {
			return f[e.Field].Name
		}
	}
	switch a := e.Arg.(type) {
	case *algebra.Row:
		return a.Names[e.Field]
	case *algebra.Call:
		if f := outFields(a); e.Field < len(f) {
			return f[e.Field].Name
		}
	}
	return "f" + strconv.Itoa(e.Field+1)
}

// subquery prints a query in an expression.
func (p *printer) subquery(e *algebra.Subquery) {
	if e.Not {
		inner := *e
		inner.Not = false
		if p.events != nil {
			p.events.queries[&inner] = p.events.queries[e]
		}
		p.not(&inner, e)
		return
	}
	var q *queryText
	if p.events != nil {
		q = p.events.queries[e]
	}
	if q == nil {
		p.s("(SubPlan)")
		return
	}
	if e.Kind == algebra.ArraySubquery {
		p.s("ARRAY(")
	} else {
		p.s("(")
	}
	switch {
	case len(e.Left) == 1:
		p.expr(e.Left[0], true)
	case len(e.Left) > 1:
		p.s("(")
		p.list(e.Left, true)
		p.s(")")
	}
	closing := "))"
	switch e.Kind {
	case algebra.ExistsSubquery:
		p.s("EXISTS (")
	case algebra.AnySubquery:
		if e.Op == "=" {
			p.s(" IN (")
		} else {
			p.s(" ", e.Op, " ANY (")
		}
	case algebra.AllSubquery:
		p.s(" ", e.Op, " ALL (")
	default:
		closing = ")"
	}
	p.query(q, p.level, false)
	p.s(closing)
}
