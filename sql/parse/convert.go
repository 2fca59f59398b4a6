package parse

import (
	"math"
	"strings"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// maxDepth is how deeply expressions, queries and joins may nest in each other in a tree. pg_query's own
// copy ends at 5,000 levels; stopping a little earlier makes the error the same one for every kind of node.
// Whoever walks a tree recursively may rely on it.
const maxDepth = 4000

// converter turns one statement's pg_query tree into ours. A node that has no counterpart ends the conversion:
// fail panics with a *errs.Error, which convert recovers, so that the 200 small conversions below need not pass
// errors on.
type converter struct {
	statement *Statement
	base      int // location in the parsed text of the statement's position 0
	depth     int
	low       int     // the least location seen since it was last reset
	tokens    []token // of statement.Text, cut when first needed
}

// convert fills Stmt and NumParams of s. Locations in the tree are made relative to base.
func convert(s *Statement, node *pg_query.Node, base int) (err error) {
	c := &converter{statement: s, base: base}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *errs.Error:
			err = r
		default:
			panic(r)
		}
	}()
	s.Stmt = c.stmt(node)
	return nil
}

// fail ends the conversion with e at location loc.
func (c *converter) fail(e *errs.Error, loc int) {
	if at := loc - c.base; loc >= 0 && at >= 0 && at <= len(c.statement.Text) {
		e.At(c.statement.Position(at))
	} else if loc >= 0 { // inside a text made for the grammar
		e.At(max(c.statement.Chars+at+1, 1))
	}
	panic(e)
}

// unsupported ends the conversion with 0A000.
func (c *converter) unsupported(loc int32, what string) {
	c.fail(errs.Unsupported("%s", what), int(loc))
}

func (c *converter) at(loc int32) ast.At {
	if loc < 0 {
		return -1
	}
	if int(loc) < c.low {
		c.low = int(loc)
	}
	return ast.At(int(loc) - c.base)
}

func (c *converter) enter() {
	if c.depth++; c.depth > maxDepth {
		panic(tooComplex())
	}
}

func (c *converter) leave() { c.depth-- }

// measure runs f and returns the least position of any node converted by it, -1 if none has one.
func (c *converter) measure(f func()) int {
	outer := c.low
	c.low = math.MaxInt
	f()
	low := c.low
	c.low = min(c.low, outer)
	if low == math.MaxInt {
		return -1
	}
	return low - c.base
}

// stringOf is the text of a String node.
func stringOf(n *pg_query.Node) string { return n.GetString_().GetSval() }

func stringsOf(nodes []*pg_query.Node) []string {
	if len(nodes) == 0 {
		return nil
	}
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = stringOf(n)
	}
	return out
}

// constantOnly fails if the node is a parameter. pg_query's grammar takes parameters in some places where
// PostgreSQL's wants a constant: typed literals, SET, the field of EXTRACT, passwords.
func (c *converter) constantOnly(n *pg_query.Node) {
	if p := n.GetParamRef(); p != nil {
		c.fail(errs.New(errs.SyntaxError, `syntax error at or near "$%d"`, p.Number), int(p.Location))
	}
}

// items are the elements of a List node; of any other node, the node itself.
func items(n *pg_query.Node) []*pg_query.Node {
	if l := n.GetList(); l != nil {
		return l.Items
	}
	if n == nil {
		return nil
	}
	return []*pg_query.Node{n}
}

// tableName makes a name of up to three parts; what names it in the error for more.
func (c *converter) tableName(parts []string, loc ast.At) *ast.TableName {
	t := &ast.TableName{At: loc}
	switch len(parts) {
	case 1:
		t.Name = parts[0]
	case 2:
		t.Schema, t.Name = parts[0], parts[1]
	case 3:
		t.Database, t.Schema, t.Name = parts[0], parts[1], parts[2]
	default:
		e := errs.New(errs.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(parts, "."))
		if loc >= 0 {
			e.At(c.statement.Position(int(loc)))
		}
		panic(e)
	}
	return t
}

func (c *converter) rangeVar(r *pg_query.RangeVar) *ast.TableName {
	if r == nil {
		return nil
	}
	return &ast.TableName{At: c.at(r.Location), Database: r.Catalogname, Schema: r.Schemaname, Name: r.Relname}
}

func (c *converter) rangeVars(nodes []*pg_query.Node) []*ast.TableName {
	var out []*ast.TableName
	for _, n := range nodes {
		out = append(out, c.rangeVar(n.GetRangeVar()))
	}
	return out
}

// tableRef is a relation in FROM or as a target.
func (c *converter) tableRef(r *pg_query.RangeVar) *ast.TableRef {
	if r == nil {
		return nil
	}
	t := c.rangeVar(r)
	return &ast.TableRef{At: t.At, Table: t, Alias: c.alias(r.Alias), Only: !r.Inh}
}

func (c *converter) alias(a *pg_query.Alias) *ast.Alias {
	if a == nil {
		return nil
	}
	return &ast.Alias{Name: a.Aliasname, Columns: stringsOf(a.Colnames)}
}

// role is the name of a role; the three session roles keep their keyword.
func role(r *pg_query.RoleSpec) string {
	switch r.GetRoletype() {
	case pg_query.RoleSpecType_ROLESPEC_CURRENT_ROLE:
		return "current_role"
	case pg_query.RoleSpecType_ROLESPEC_CURRENT_USER:
		return "current_user"
	case pg_query.RoleSpecType_ROLESPEC_SESSION_USER:
		return "session_user"
	case pg_query.RoleSpecType_ROLESPEC_PUBLIC:
		return "public"
	}
	return r.GetRolename()
}

// options converts an option list.
func (c *converter) options(nodes []*pg_query.Node) []*ast.Option {
	var out []*ast.Option
	for _, n := range nodes {
		if d := n.GetDefElem(); d != nil {
			out = append(out, c.option(d))
		}
	}
	return out
}

func (c *converter) option(d *pg_query.DefElem) *ast.Option {
	o := &ast.Option{At: c.at(d.Location), Name: d.Defname}
	if d.Defnamespace != "" {
		o.Name = d.Defnamespace + "." + d.Defname
	}
	word := func(s string) *ast.Literal { return &ast.Literal{At: -1, Kind: ast.LitString, Value: s} }
	switch n := d.Arg.GetNode().(type) {
	case nil:
	case *pg_query.Node_String_:
		o.Value = word(n.String_.Sval)
	case *pg_query.Node_Integer:
		o.Value = integer(-1, int64(n.Integer.Ival))
	case *pg_query.Node_Float:
		o.Value = c.number(-1, n.Float.Fval)
	case *pg_query.Node_Boolean:
		o.Value = boolean(-1, n.Boolean.Boolval)
	case *pg_query.Node_AStar:
		o.Star = true
	case *pg_query.Node_List:
		for _, item := range n.List.Items {
			switch e := item.GetNode().(type) {
			case *pg_query.Node_String_:
				o.List = append(o.List, e.String_.Sval)
			case *pg_query.Node_RoleSpec:
				o.List = append(o.List, role(e.RoleSpec))
			default:
				c.unsupported(d.Location, "option "+d.Defname)
			}
		}
	case *pg_query.Node_TypeName: // a word, or the type of a sequence
		names := stringsOf(n.TypeName.Names)
		if d.Defname == "as" {
			o.List = names
		}
		if len(names) == 2 && names[0] == "pg_catalog" {
			names = names[1:]
		}
		o.Value = word(strings.Join(names, "."))
	default:
		c.constantOnly(d.Arg)
		o.Value = c.expr(d.Arg)
	}
	return o
}

// source is the statement's text between two positions without the white space around it.
func (c *converter) source(start, end int) string {
	if start < 0 || end > len(c.statement.Text) || start > end {
		return ""
	}
	start, end = trim(c.statement.Text, start, end)
	return c.statement.Text[start:end]
}

// lexed are the statement's tokens.
func (c *converter) lexed() []token {
	if c.tokens == nil {
		c.tokens = lex(c.statement.Text)
	}
	return c.tokens
}

// tokenAt is the index of the first token that begins at or after position at.
func (c *converter) tokenAt(at int) int {
	tokens := c.lexed()
	low, high := 0, len(tokens)
	for low < high {
		if mid := (low + high) / 2; tokens[mid].start < at {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// closing is the index of the bracket that closes the one at tokens[i], or the number of tokens.
func closing(text string, tokens []token, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		if tokens[i].kind != tokenPunct {
			continue
		}
		switch text[tokens[i].start] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

// parenthesised is the source text inside the first pair of parentheses at or after position at.
func (c *converter) parenthesised(at ast.At) string {
	if at < 0 {
		return ""
	}
	tokens, text := c.lexed(), c.statement.Text
	for i := c.tokenAt(int(at)); i < len(tokens); i++ {
		if tokens[i].punct(text, '(') {
			if end := closing(text, tokens, i); end < len(tokens) {
				return c.source(tokens[i].end, tokens[end].start)
			}
			return ""
		}
	}
	return ""
}

// after is the source text of the expression that follows keyword, low being the expression's least position:
// up to where stop says, outside brackets and CASE, or to the end. stop is asked about every token but the first.
func (c *converter) after(keyword string, low int, stop func(previous, t token) bool) string {
	if low < 0 {
		return ""
	}
	tokens, text := c.lexed(), c.statement.Text
	start := c.tokenAt(low)
	for start > 0 && start <= len(tokens) && !tokens[start-1].is(text, keyword) {
		start--
	}
	if start >= len(tokens) {
		return ""
	}
	depth := 0
	i := start
	for ; i < len(tokens); i++ {
		t := tokens[i]
		switch {
		case t.kind == tokenPunct && (text[t.start] == '(' || text[t.start] == '['), t.is(text, "case"):
			depth++
		case t.kind == tokenPunct && (text[t.start] == ')' || text[t.start] == ']'), depth > 0 && t.is(text, "end"):
			depth--
		}
		if depth < 0 || depth == 0 && i > start && stop(tokens[i-1], t) {
			break
		}
	}
	return c.source(tokens[start].start, tokens[i-1].end)
}

// position is the character position of a byte position in an input.
func position(input string, at int) int { return utf8.RuneCountInString(input[:at]) + 1 }
