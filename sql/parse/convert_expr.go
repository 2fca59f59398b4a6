package parse

import (
	"math/big"
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

func integer(at ast.At, n int64) *ast.Literal {
	return &ast.Literal{At: at, Kind: ast.LitInt, Value: strconv.FormatInt(n, 10)}
}

func boolean(at ast.At, b bool) *ast.Literal {
	if b {
		return &ast.Literal{At: at, Kind: ast.LitBool, Value: "t"}
	}
	return &ast.Literal{At: at, Kind: ast.LitBool, Value: "f"}
}

// number makes a literal of a number the grammar did not fit into int4: digits, a decimal, or 0x, 0o, 0b
// with or without underscores. An integer within int8 is LitInt in decimal, anything else LitNumeric.
func (c *converter) number(at ast.At, text string) *ast.Literal {
	plain := strings.ReplaceAll(text, "_", "")
	digits, sign := strings.TrimLeft(plain, "+-"), ""
	if strings.HasPrefix(plain, "-") {
		sign = "-"
	}
	if len(digits) > 2 && digits[0] == '0' && strings.IndexByte("xXoObB", digits[1]) >= 0 {
		base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[digits[1]|0x20]
		if n, ok := new(big.Int).SetString(digits[2:], base); ok {
			digits = n.String()
		}
	}
	if allDigits(digits) {
		if n, err := strconv.ParseInt(sign+digits, 10, 64); err == nil {
			return integer(at, n)
		}
		if digits = strings.TrimLeft(digits, "0"); digits == "" {
			digits = "0"
		}
	}
	return &ast.Literal{At: at, Kind: ast.LitNumeric, Value: sign + digits}
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func (c *converter) constant(k *pg_query.A_Const) *ast.Literal {
	at := c.at(k.Location)
	switch v := k.Val.(type) {
	case *pg_query.A_Const_Ival:
		return integer(at, int64(v.Ival.GetIval()))
	case *pg_query.A_Const_Fval:
		return c.number(at, v.Fval.GetFval())
	case *pg_query.A_Const_Boolval:
		return boolean(at, v.Boolval.GetBoolval())
	case *pg_query.A_Const_Sval:
		return &ast.Literal{At: at, Kind: ast.LitString, Value: v.Sval.GetSval()}
	case *pg_query.A_Const_Bsval:
		return &ast.Literal{At: at, Kind: ast.LitBit, Value: v.Bsval.GetBsval()}
	}
	return &ast.Literal{At: at, Kind: ast.LitNull}
}

func (c *converter) exprs(nodes []*pg_query.Node) []ast.Expr {
	if len(nodes) == 0 {
		return nil
	}
	out := make([]ast.Expr, len(nodes))
	for i, n := range nodes {
		out[i] = c.expr(n)
	}
	return out
}

// expr converts an expression; nil stays nil.
func (c *converter) expr(node *pg_query.Node) ast.Expr {
	if node == nil {
		return nil
	}
	c.enter()
	defer c.leave()
	switch n := node.Node.(type) {
	case *pg_query.Node_AConst:
		return c.constant(n.AConst)
	case *pg_query.Node_ParamRef:
		p := n.ParamRef
		if p.Number < 1 || p.Number > 65535 {
			c.fail(errs.New(errs.UndefinedParameter, "there is no parameter $%d", p.Number), int(p.Location))
		}
		c.statement.NumParams = max(c.statement.NumParams, int(p.Number))
		return &ast.Param{At: c.at(p.Location), Number: int(p.Number)}
	case *pg_query.Node_ColumnRef:
		return c.columnRef(n.ColumnRef)
	case *pg_query.Node_FuncCall:
		return c.funcCall(n.FuncCall)
	case *pg_query.Node_AExpr:
		return c.operation(n.AExpr)
	case *pg_query.Node_BoolExpr:
		return c.boolExpr(n.BoolExpr)
	case *pg_query.Node_NullTest:
		t := n.NullTest
		return &ast.NullTest{At: c.at(t.Location), Arg: c.expr(t.Arg),
			Not: t.Nulltesttype == pg_query.NullTestType_IS_NOT_NULL}
	case *pg_query.Node_BooleanTest:
		return c.boolTest(n.BooleanTest)
	case *pg_query.Node_CaseExpr:
		e := &ast.Case{At: c.at(n.CaseExpr.Location), Arg: c.expr(n.CaseExpr.Arg)}
		for _, w := range n.CaseExpr.Args {
			when := w.GetCaseWhen()
			e.Whens = append(e.Whens, ast.When{At: c.at(when.Location), Cond: c.expr(when.Expr), Result: c.expr(when.Result)})
		}
		e.Else = c.expr(n.CaseExpr.Defresult)
		return e
	case *pg_query.Node_CoalesceExpr:
		return &ast.Coalesce{At: c.at(n.CoalesceExpr.Location), Args: c.exprs(n.CoalesceExpr.Args)}
	case *pg_query.Node_MinMaxExpr:
		return &ast.MinMax{At: c.at(n.MinMaxExpr.Location), Least: n.MinMaxExpr.Op == pg_query.MinMaxOp_IS_LEAST,
			Args: c.exprs(n.MinMaxExpr.Args)}
	case *pg_query.Node_TypeCast:
		return c.cast(n.TypeCast)
	case *pg_query.Node_CollateClause:
		k := n.CollateClause
		return &ast.Collate{At: c.at(k.Location), Arg: c.expr(k.Arg), Name: stringsOf(k.Collname)}
	case *pg_query.Node_AArrayExpr:
		return &ast.Array{At: c.at(n.AArrayExpr.Location), Elems: c.exprs(n.AArrayExpr.Elements)}
	case *pg_query.Node_RowExpr:
		return &ast.Row{At: c.at(n.RowExpr.Location), Fields: c.exprs(n.RowExpr.Args),
			Explicit: n.RowExpr.RowFormat == pg_query.CoercionForm_COERCE_EXPLICIT_CALL}
	case *pg_query.Node_SubLink:
		return c.subLink(n.SubLink, false)
	case *pg_query.Node_AIndirection:
		return c.indirection(n.AIndirection)
	case *pg_query.Node_SetToDefault:
		return &ast.Default{At: c.at(n.SetToDefault.Location)}
	case *pg_query.Node_CurrentOfExpr:
		return &ast.CurrentOf{At: -1, Cursor: n.CurrentOfExpr.CursorName}
	case *pg_query.Node_GroupingFunc:
		return &ast.Grouping{At: c.at(n.GroupingFunc.Location), Args: c.exprs(n.GroupingFunc.Args)}
	case *pg_query.Node_SqlvalueFunction:
		return c.valueFunction(n.SqlvalueFunction)
	case *pg_query.Node_NamedArgExpr:
		c.unsupported(n.NamedArgExpr.Location, "a named argument here")
	case *pg_query.Node_XmlExpr:
		c.unsupported(n.XmlExpr.Location, "XML")
	case *pg_query.Node_XmlSerialize:
		c.unsupported(n.XmlSerialize.Location, "XMLSERIALIZE")
	case *pg_query.Node_JsonIsPredicate:
		c.unsupported(n.JsonIsPredicate.Location, "IS JSON")
	case *pg_query.Node_JsonObjectConstructor:
		c.unsupported(n.JsonObjectConstructor.Location, "JSON_OBJECT")
	case *pg_query.Node_JsonArrayConstructor:
		c.unsupported(n.JsonArrayConstructor.Location, "JSON_ARRAY")
	case *pg_query.Node_JsonArrayQueryConstructor:
		c.unsupported(n.JsonArrayQueryConstructor.Location, "JSON_ARRAY")
	case *pg_query.Node_JsonObjectAgg:
		c.unsupported(n.JsonObjectAgg.GetConstructor().GetLocation(), "JSON_OBJECTAGG")
	case *pg_query.Node_JsonArrayAgg:
		c.unsupported(n.JsonArrayAgg.GetConstructor().GetLocation(), "JSON_ARRAYAGG")
	case *pg_query.Node_MultiAssignRef:
		c.unsupported(-1, "a multiple assignment here")
	case *pg_query.Node_List: // a list where one expression should be: (a, b) IN ((..), ..) and the like
		return &ast.Row{At: -1, Fields: c.exprs(n.List.Items)}
	}
	c.unsupported(-1, "this expression ("+nodeName(node)+")")
	return nil
}

func (c *converter) columnRef(r *pg_query.ColumnRef) ast.Expr {
	e := &ast.ColumnRef{At: c.at(r.Location)}
	e.Names = make([]string, 0, len(r.Fields))
	for _, f := range r.Fields {
		if f.GetAStar() != nil {
			e.Star = true
		} else {
			e.Names = append(e.Names, stringOf(f))
		}
	}
	if len(e.Names) == 0 {
		e.Names = nil
	}
	return e
}

func (c *converter) funcCall(f *pg_query.FuncCall) *ast.FuncCall {
	e := &ast.FuncCall{
		At: c.at(f.Location), Name: stringsOf(f.Funcname), Star: f.AggStar, Distinct: f.AggDistinct,
		Variadic: f.FuncVariadic, WithinGroup: f.AggWithinGroup,
	}
	if f.Funcformat == pg_query.CoercionForm_COERCE_SQL_SYNTAX {
		e.Form = ast.CallSQL
		if len(f.Args) == 2 && e.Name[len(e.Name)-1] == "extract" {
			c.constantOnly(f.Args[0])
		}
	}
	for i, a := range f.Args {
		if named := a.GetNamedArgExpr(); named != nil {
			if e.ArgNames == nil {
				e.ArgNames = make([]string, len(f.Args))
			}
			e.ArgNames[i] = named.Name
			e.Args = append(e.Args, c.expr(named.Arg))
			continue
		}
		e.Args = append(e.Args, c.expr(a))
	}
	e.OrderBy = c.sortItems(f.AggOrder)
	e.Filter = c.expr(f.AggFilter)
	if f.Over != nil {
		e.Over = c.window(f.Over)
	}
	return e
}

// valueFunctions are the functions without parentheses; those with a precision share a name with those without.
var valueFunctions = map[pg_query.SQLValueFunctionOp]string{
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_DATE:        "current_date",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME:        "current_time",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:      "current_time",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP:   "current_timestamp",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N: "current_timestamp",
	pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME:           "localtime",
	pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME_N:         "localtime",
	pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP:      "localtimestamp",
	pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:    "localtimestamp",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_ROLE:        "current_role",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_USER:        "current_user",
	pg_query.SQLValueFunctionOp_SVFOP_USER:                "user",
	pg_query.SQLValueFunctionOp_SVFOP_SESSION_USER:        "session_user",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG:     "current_catalog",
	pg_query.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA:      "current_schema",
}

func (c *converter) valueFunction(f *pg_query.SQLValueFunction) ast.Expr {
	e := &ast.FuncCall{At: c.at(f.Location), Name: []string{valueFunctions[f.Op]}, Form: ast.CallKeyword}
	switch f.Op {
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N, pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N,
		pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME_N, pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		e.Args = []ast.Expr{integer(-1, int64(f.Typmod))}
	}
	return e
}

// operator splits an operator's name into schema and name.
func (c *converter) operator(name []*pg_query.Node, loc int32) (schema, op string) {
	parts := stringsOf(name)
	switch len(parts) {
	case 1:
		return "", parts[0]
	case 2:
		return parts[0], parts[1]
	}
	c.fail(errs.New(errs.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(parts, ".")), int(loc))
	return "", ""
}

func (c *converter) operation(e *pg_query.A_Expr) ast.Expr {
	at := c.at(e.Location)
	switch e.Kind {
	case pg_query.A_Expr_Kind_AEXPR_OP:
		schema, op := c.operator(e.Name, e.Location)
		return &ast.Op{At: at, Schema: schema, Name: op, Left: c.expr(e.Lexpr), Right: c.expr(e.Rexpr)}
	case pg_query.A_Expr_Kind_AEXPR_OP_ANY, pg_query.A_Expr_Kind_AEXPR_OP_ALL:
		schema, op := c.operator(e.Name, e.Location)
		return &ast.AnyAll{At: at, Schema: schema, Op: op, Left: c.expr(e.Lexpr), Array: c.expr(e.Rexpr),
			All: e.Kind == pg_query.A_Expr_Kind_AEXPR_OP_ALL}
	case pg_query.A_Expr_Kind_AEXPR_DISTINCT, pg_query.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return &ast.Distinct{At: at, Left: c.expr(e.Lexpr), Right: c.expr(e.Rexpr),
			Not: e.Kind == pg_query.A_Expr_Kind_AEXPR_NOT_DISTINCT}
	case pg_query.A_Expr_Kind_AEXPR_NULLIF:
		return &ast.NullIf{At: at, Left: c.expr(e.Lexpr), Right: c.expr(e.Rexpr)}
	case pg_query.A_Expr_Kind_AEXPR_IN:
		_, op := c.operator(e.Name, e.Location)
		return &ast.In{At: at, Arg: c.expr(e.Lexpr), List: c.exprs(items(e.Rexpr)), Not: op == "<>"}
	case pg_query.A_Expr_Kind_AEXPR_LIKE:
		return c.like(e, at, "LIKE", "like_escape")
	case pg_query.A_Expr_Kind_AEXPR_ILIKE:
		return c.like(e, at, "ILIKE", "like_escape")
	case pg_query.A_Expr_Kind_AEXPR_SIMILAR:
		return c.like(e, at, "SIMILAR TO", "similar_to_escape")
	}
	b := &ast.Between{At: at, Arg: c.expr(e.Lexpr)}
	switch e.Kind {
	case pg_query.A_Expr_Kind_AEXPR_BETWEEN:
	case pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN:
		b.Not = true
	case pg_query.A_Expr_Kind_AEXPR_BETWEEN_SYM:
		b.Symmetric = true
	case pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		b.Not, b.Symmetric = true, true
	default:
		c.unsupported(e.Location, "this expression ("+e.Kind.String()+")")
	}
	bounds := items(e.Rexpr)
	if len(bounds) != 2 {
		c.unsupported(e.Location, "this form of BETWEEN")
	}
	b.Low, b.High = c.expr(bounds[0]), c.expr(bounds[1])
	return b
}

// like converts the three pattern matches. The grammar wraps a pattern that has an ESCAPE in escape(pattern, ..),
// and that of SIMILAR TO always.
func (c *converter) like(e *pg_query.A_Expr, at ast.At, keyword, escape string) ast.Expr {
	_, op := c.operator(e.Name, e.Location)
	l := &ast.Like{At: at, Op: op, Keyword: keyword, Not: strings.HasPrefix(op, "!"), Arg: c.expr(e.Lexpr)}
	if f := e.Rexpr.GetFuncCall(); f != nil && len(f.Funcname) == 2 && stringOf(f.Funcname[0]) == "pg_catalog" &&
		stringOf(f.Funcname[1]) == escape && len(f.Args) > 0 && len(f.Args) <= 2 {
		l.Pattern = c.expr(f.Args[0])
		if len(f.Args) == 2 {
			l.Escape = c.expr(f.Args[1])
		}
		return l
	}
	l.Pattern = c.expr(e.Rexpr)
	return l
}

func (c *converter) boolExpr(b *pg_query.BoolExpr) ast.Expr {
	at := c.at(b.Location)
	if b.Boolop == pg_query.BoolExprType_NOT_EXPR && len(b.Args) == 1 {
		// x NOT IN (query) is NOT over IN, both at the place of the NOT.
		if s := b.Args[0].GetSubLink(); s != nil && s.Location == b.Location && isIn(s) {
			return c.subLink(s, true)
		}
	}
	kind := ast.Not
	switch b.Boolop {
	case pg_query.BoolExprType_AND_EXPR:
		kind = ast.And
	case pg_query.BoolExprType_OR_EXPR:
		kind = ast.Or
	}
	return &ast.BoolOp{At: at, Kind: kind, Args: c.exprs(b.Args)}
}

func isIn(s *pg_query.SubLink) bool {
	return s.SubLinkType == pg_query.SubLinkType_ANY_SUBLINK && len(s.OperName) == 0
}

func (c *converter) boolTest(t *pg_query.BooleanTest) ast.Expr {
	e := &ast.BoolTest{At: c.at(t.Location), Arg: c.expr(t.Arg)}
	switch t.Booltesttype {
	case pg_query.BoolTestType_IS_TRUE, pg_query.BoolTestType_IS_NOT_TRUE:
		e.Want = "true"
	case pg_query.BoolTestType_IS_FALSE, pg_query.BoolTestType_IS_NOT_FALSE:
		e.Want = "false"
	default:
		e.Want = "unknown"
	}
	switch t.Booltesttype {
	case pg_query.BoolTestType_IS_NOT_TRUE, pg_query.BoolTestType_IS_NOT_FALSE, pg_query.BoolTestType_IS_NOT_UNKNOWN:
		e.Not = true
	}
	return e
}

func (c *converter) subLink(s *pg_query.SubLink, not bool) ast.Expr {
	e := &ast.Subquery{At: c.at(s.Location), Left: c.expr(s.Testexpr), Not: not}
	switch s.SubLinkType {
	case pg_query.SubLinkType_EXISTS_SUBLINK:
		e.Kind = ast.ExistsSubquery
	case pg_query.SubLinkType_ANY_SUBLINK:
		e.Kind, e.Op = ast.AnySubquery, "="
	case pg_query.SubLinkType_ALL_SUBLINK:
		e.Kind = ast.AllSubquery
	case pg_query.SubLinkType_EXPR_SUBLINK:
		e.Kind = ast.ScalarSubquery
	case pg_query.SubLinkType_ARRAY_SUBLINK:
		e.Kind = ast.ArraySubquery
	default:
		c.unsupported(s.Location, "this kind of subquery")
	}
	if len(s.OperName) > 0 {
		e.Schema, e.Op = c.operator(s.OperName, s.Location)
	}
	e.Query = c.query(s.Subselect)
	return e
}

// indirection nests subscripts and field selections in each other.
func (c *converter) indirection(n *pg_query.A_Indirection) ast.Expr {
	e := c.expr(n.Arg)
	for _, step := range n.Indirection {
		at := ast.At(e.Pos())
		switch s := step.Node.(type) {
		case *pg_query.Node_String_:
			e = &ast.Field{At: at, Arg: e, Name: s.String_.Sval}
		case *pg_query.Node_AStar:
			e = &ast.Field{At: at, Arg: e, Star: true}
		case *pg_query.Node_AIndices:
			e = &ast.Subscript{At: at, Arg: e, Slice: s.AIndices.IsSlice, Lower: c.expr(s.AIndices.Lidx), Upper: c.expr(s.AIndices.Uidx)}
		default:
			c.unsupported(int32(at), "this indirection")
		}
		c.enter()
	}
	c.depth -= len(n.Indirection)
	return e
}

func (c *converter) cast(t *pg_query.TypeCast) ast.Expr {
	if k := t.Arg.GetAConst(); k != nil && t.Location < 0 {
		if b, ok := k.Val.(*pg_query.A_Const_Boolval); ok { // TRUE and FALSE
			return boolean(c.at(k.Location), b.Boolval.GetBoolval())
		}
	}
	if t.Location < 0 && t.TypeName.GetLocation() >= 0 { // type 'literal'
		c.constantOnly(t.Arg)
	}
	e := &ast.Cast{At: c.at(t.Location), Arg: c.expr(t.Arg), Type: c.typeName(t.TypeName)}
	if e.At < 0 {
		e.At = e.Type.At
	}
	return e
}

// fullRange is the interval field mask that says nothing.
const fullRange = 0x7fff

func (c *converter) typeName(t *pg_query.TypeName) *ast.TypeName {
	if t == nil {
		return nil
	}
	out := &ast.TypeName{At: c.at(t.Location), Names: stringsOf(t.Names), SetOf: t.Setof, PctType: t.PctType, Array: len(t.ArrayBounds)}
	mods := t.Typmods
	if len(out.Names) == 2 && out.Names[0] == "pg_catalog" && out.Names[1] == "interval" && len(mods) > 0 {
		// The grammar's modifiers of interval are the mask of its fields and the precision.
		if mask, ok := mods[0].GetAConst().GetVal().(*pg_query.A_Const_Ival); ok {
			if out.Interval = int(mask.Ival.GetIval()); out.Interval == fullRange {
				out.Interval = 0
			}
			mods = mods[1:]
		}
	}
	out.Mods = c.exprs(mods)
	return out
}
