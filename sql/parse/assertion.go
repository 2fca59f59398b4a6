package parse

import (
	"strings"
	"unicode/utf8"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// The statements about assertions are not in the grammar, or raise an error in it. They are recognised by
// their first words and read token by token; every name, option list and expression in them is still read by
// the grammar, from a copy of the statement's text in which all else is blanked to spaces. The copy has the
// text's length, so the positions of nodes and errors are those of the text.

// parseBatch parses a text that may hold assertion statements: it is cut at its semicolons, and what is not
// about assertions goes to the grammar as it stands.
func parseBatch(input string) ([]Statement, error) {
	var out []Statement
	tokens := lex(input)
	start := 0 // of the piece, in bytes
	for len(tokens) > 0 || start < len(input) {
		n := statementEnd(input, tokens)
		end := len(input)
		if n < len(tokens) {
			end = tokens[n].start
		}
		piece := tokens[:n]
		switch {
		case n == 0 && start == end:
		case aboutAssertion(input, piece):
			from, to := trim(input, start, end)
			s := Statement{Text: input[from:to], Offset: from, Chars: utf8.RuneCountInString(input[:from])}
			own := lex(s.Text)
			a := assertionParser{input: input, text: s.Text, offset: from, tokens: own}
			stmt, err := a.parse()
			if err != nil {
				return nil, err
			}
			s.Stmt, s.NumParams = stmt, a.params
			out = append(out, s)
		default:
			ss, err := parsePlain(input, input[start:end], start)
			if err != nil {
				return nil, err
			}
			out = append(out, ss...)
		}
		if n == len(tokens) {
			break
		}
		start = tokens[n].end
		tokens = tokens[n+1:]
	}
	return out, nil
}

// statementEnd is the index of the semicolon that ends the first statement, or the number of tokens.
// Semicolons inside parentheses (of CREATE RULE) and inside BEGIN ATOMIC .. END (of CREATE FUNCTION) do not.
func statementEnd(text string, tokens []token) int {
	depth, atomic := 0, 0
	for i, t := range tokens {
		switch {
		case t.punct(text, '('):
			depth++
		case t.punct(text, ')'):
			depth = max(depth-1, 0)
		case t.is(text, "begin") && i+1 < len(tokens) && tokens[i+1].is(text, "atomic"), atomic > 0 && t.is(text, "case"):
			atomic++
		case atomic > 0 && t.is(text, "end"):
			atomic--
		case t.punct(text, ';') && depth == 0 && atomic == 0:
			return i
		}
	}
	return len(tokens)
}

// aboutAssertion reports whether a statement is one of those that parse reads.
func aboutAssertion(text string, tokens []token) bool {
	if len(tokens) < 2 {
		return false
	}
	switch first := tokens[0]; {
	case first.is(text, "create"), first.is(text, "alter"), first.is(text, "drop"):
		return tokens[1].is(text, "assertion")
	case first.is(text, "comment"):
		return len(tokens) > 2 && tokens[1].is(text, "on") && tokens[2].is(text, "assertion")
	case first.is(text, "explain"):
		i := afterExplain(text, tokens)
		return i < len(tokens) && tokens[i].is(text, "assertion")
	}
	return false
}

// afterExplain is the index of the first token after EXPLAIN and its options.
func afterExplain(text string, tokens []token) int {
	i := 1
	if i < len(tokens) && tokens[i].punct(text, '(') {
		return closing(text, tokens, i) + 1
	}
	for i < len(tokens) && (tokens[i].is(text, "analyze") || tokens[i].is(text, "verbose")) {
		i++
	}
	return i
}

// assertionParser reads one statement about an assertion.
type assertionParser struct {
	input  string // the whole input; the statement's text is at offset in it
	offset int
	text   string
	base   int // position in text that is position 0 of the tree's nodes
	tokens []token
	next   int // index of the token to read
	params int // highest parameter number seen
}

// parse reads the statement. Like convert, it is left by a panic of *errs.Error on errors.
func (a *assertionParser) parse() (stmt ast.Stmt, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *errs.Error:
			err = r
		default:
			panic(r)
		}
	}()
	switch {
	case a.accept("create"):
		return a.create(), nil
	case a.accept("alter"):
		return a.alter(), nil
	case a.accept("drop"), a.accept("comment"):
		return a.asTable(), nil
	}
	return a.explain(), nil
}

// at reports whether the next tokens are these words; accept also takes them; expect fails if they are not.
func (a *assertionParser) at(words ...string) bool {
	for i, w := range words {
		if a.next+i >= len(a.tokens) || !a.tokens[a.next+i].is(a.text, w) {
			return false
		}
	}
	return true
}

func (a *assertionParser) accept(words ...string) bool {
	if a.at(words...) {
		a.next += len(words)
		return true
	}
	return false
}

func (a *assertionParser) expect(words ...string) {
	for _, w := range words {
		if !a.accept(w) {
			a.syntaxError()
		}
	}
}

// syntaxError fails at the next token.
func (a *assertionParser) syntaxError() { a.syntaxErrorAt(a.next) }

func (a *assertionParser) syntaxErrorAt(i int) {
	if i < len(a.tokens) {
		t := a.tokens[i]
		panic(errs.New(errs.SyntaxError, `syntax error at or near "%s"`, a.text[t.start:t.end]).At(position(a.input, a.offset+t.start)))
	}
	end := a.offset + len(a.text)
	for end < len(a.input) && classes[a.input[end]] == classSpace {
		end++
	}
	if end < len(a.input) && a.input[end] == ';' {
		panic(errs.New(errs.SyntaxError, `syntax error at or near ";"`).At(position(a.input, end)))
	}
	panic(errs.New(errs.SyntaxError, "syntax error at end of input").At(position(a.input, len(a.input))))
}

func (a *assertionParser) failAt(i int, code errs.Code, message string) {
	at := len(a.text)
	if i < len(a.tokens) {
		at = a.tokens[i].start
	}
	panic(errs.New(code, "%s", message).At(position(a.input, a.offset+at)))
}

// end fails unless the statement is read.
func (a *assertionParser) end() {
	if a.next < len(a.tokens) {
		a.syntaxError()
	}
}

// read has the grammar read text[start:end], after word at the beginning of the text. start must be at least
// the word's length.
func (a *assertionParser) read(word string, start, end int) ast.Stmt {
	return a.readBlanked(word + strings.Repeat(" ", start-len(word)) + a.text[start:end])
}

// readBlanked has the grammar read the statement's text in a form that it knows, of which nothing has moved.
func (a *assertionParser) readBlanked(text string) ast.Stmt {
	chars := utf8.RuneCountInString(a.input[:a.offset])
	tree, err := grammar(a.input, text, a.offset)
	if err != nil {
		panic(errs.As(err))
	}
	s := Statement{Text: a.text[a.base:], Offset: a.offset + a.base, Chars: chars + utf8.RuneCountInString(a.text[:a.base])}
	if len(tree.Stmts) != 1 {
		a.syntaxErrorAt(len(a.tokens))
	}
	if err := convert(&s, tree.Stmts[0].Stmt, a.base); err != nil {
		panic(errs.As(err))
	}
	a.params = max(a.params, s.NumParams)
	return s.Stmt
}

// name reads a possibly qualified name.
func (a *assertionParser) name() *ast.TableName {
	start := a.next
	for {
		if a.next >= len(a.tokens) {
			a.syntaxError()
		}
		switch a.tokens[a.next].kind {
		case tokenWord, tokenQuoted, tokenSpecial:
		default:
			a.syntaxError()
		}
		a.next++
		if a.next < len(a.tokens) && a.tokens[a.next].punct(a.text, '.') {
			a.next++
			continue
		}
		break
	}
	q, ok := a.read("TABLE", a.tokens[start].start, a.tokens[a.next-1].end).(*ast.Select)
	if ok && len(q.From) == 1 {
		if t, ok := q.From[0].(*ast.TableRef); ok {
			return t.Table
		}
	}
	a.syntaxErrorAt(start)
	return nil
}

// group takes a parenthesised group and gives the indexes of its parentheses.
func (a *assertionParser) group() (open, shut int) {
	if a.next >= len(a.tokens) || !a.tokens[a.next].punct(a.text, '(') {
		a.syntaxError()
	}
	open, shut = a.next, closing(a.text, a.tokens, a.next)
	if shut >= len(a.tokens) {
		// Let the grammar find what is wrong before it says that something is missing.
		a.read("SELECT", a.tokens[open].start, len(a.text))
		a.syntaxErrorAt(shut)
	}
	if shut == open+1 {
		a.syntaxErrorAt(shut)
	}
	a.next = shut + 1
	return open, shut
}

// expression reads the one expression inside a pair of parentheses.
func (a *assertionParser) expression(open, shut int) ast.Expr {
	for _, word := range [...]string{"select", "values", "with", "table"} {
		if a.tokens[open+1].is(a.text, word) { // a query needs parentheses of its own
			a.syntaxErrorAt(open + 1)
		}
	}
	start := a.tokens[open].start
	q, ok := a.read("SELECT", start, a.tokens[shut].end).(*ast.Select)
	if !ok || len(q.Targets) != 1 || !simple(q) {
		a.syntaxErrorAt(open)
	}
	e := q.Targets[0].Expr
	if row, ok := e.(*ast.Row); ok && !row.Explicit && int(row.At) == start-a.base {
		for i, depth := open+1, 0; i < shut; i++ { // the comma that made it a row
			switch t := a.tokens[i]; {
			case t.punct(a.text, '('), t.punct(a.text, '['):
				depth++
			case t.punct(a.text, ')'), t.punct(a.text, ']'):
				depth--
			case depth == 0 && t.punct(a.text, ','):
				a.syntaxErrorAt(i)
			}
		}
	}
	return e
}

// condition reads the parentheses of CHECK: an expression, or ALL (query) alias SATISFY (condition).
func (a *assertionParser) condition() (ast.Expr, string) {
	open, shut := a.group()
	from, to := trim(a.text, a.tokens[open].end, a.tokens[shut].start)
	source := a.text[from:to]
	if !a.tokens[open+1].is(a.text, "all") {
		return a.expression(open, shut), source
	}
	after := a.next
	a.next = open + 2
	queryOpen, queryShut := a.group()
	all := ast.At(a.tokens[open+1].start - a.base)
	var query *ast.Select
	if q, ok := a.read("SELECT", a.tokens[queryOpen].start, a.tokens[queryShut].end).(*ast.Select); ok && len(q.Targets) == 1 {
		if s, ok := q.Targets[0].Expr.(*ast.Subquery); ok && s.Kind == ast.ScalarSubquery {
			query = s.Query
		}
	}
	if query == nil {
		a.syntaxErrorAt(queryOpen + 1)
	}
	a.accept("as")
	aliasStart := a.next
	alias := a.name()
	if alias.Schema != "" {
		a.syntaxErrorAt(aliasStart + 1)
	}
	ref := &ast.SubqueryRef{At: ast.At(a.tokens[queryOpen].start - a.base), Query: query, Alias: &ast.Alias{Name: alias.Name}}
	if a.next < shut && a.tokens[a.next].punct(a.text, '(') {
		columnsOpen, columnsShut := a.group()
		for a.next = columnsOpen + 1; ; a.next++ {
			start := a.next
			column := a.name()
			if column.Schema != "" {
				a.syntaxErrorAt(start + 1)
			}
			ref.Alias.Columns = append(ref.Alias.Columns, column.Name)
			if a.next >= columnsShut {
				break
			}
			if !a.tokens[a.next].punct(a.text, ',') {
				a.syntaxError()
			}
		}
		a.next = columnsShut + 1
	}
	a.expect("satisfy")
	innerOpen, innerShut := a.group()
	inner := a.expression(innerOpen, innerShut)
	if a.next != shut {
		a.syntaxError()
	}
	a.next = after
	return &ast.BoolOp{At: all, Kind: ast.Not, Args: []ast.Expr{&ast.Subquery{At: all, Kind: ast.ExistsSubquery, Query: &ast.Select{
		At:      all,
		Targets: []*ast.Target{{At: all, Expr: &ast.ColumnRef{At: all, Star: true}}},
		From:    []ast.TableExpr{ref},
		Where:   &ast.BoolOp{At: ast.At(inner.Pos()), Kind: ast.Not, Args: []ast.Expr{inner}},
	}}}}, source
}

// create reads CREATE ASSERTION.
func (a *assertionParser) create() ast.Stmt {
	a.expect("assertion")
	out := &ast.CreateAssertion{IfNotExists: a.accept("if", "not", "exists")}
	out.Name = a.name()
	out.At = out.Name.At
	a.expect("check")
	out.Condition, out.ConditionText = a.condition()
	var deferrable, initially, enforced, notValid attribute
	for a.next < len(a.tokens) {
		start := a.next
		switch {
		case a.accept("deferrable"):
			deferrable.set(a, start, true)
		case a.accept("not", "deferrable"):
			deferrable.set(a, start, false)
		case a.accept("initially", "deferred"):
			initially.set(a, start, true)
		case a.accept("initially", "immediate"):
			initially.set(a, start, false)
		case a.accept("enforced"):
			enforced.set(a, start, true)
		case a.accept("not", "enforced"):
			enforced.set(a, start, false)
		case a.accept("not", "valid"):
			notValid.set(a, start, true)
		case a.accept("initially"), a.accept("not"):
			a.syntaxError()
		default:
			a.syntaxError()
		}
	}
	out.Deferrable, out.InitiallyDeferred = a.deferral(deferrable, initially)
	out.NotValid, out.NotEnforced = notValid.value, enforced.said && !enforced.value
	return out
}

// attribute is an attribute that may be said once.
type attribute struct {
	said, value bool
	at          int
}

func (t *attribute) set(a *assertionParser, at int, value bool) {
	if t.said {
		a.failAt(at, errs.SyntaxError, "conflicting constraint properties")
	}
	*t = attribute{said: true, value: value, at: at}
}

// deferral combines the attributes as PostgreSQL does for constraints.
func (a *assertionParser) deferral(deferrable, initially attribute) (isDeferrable, isDeferred bool) {
	if initially.value && deferrable.said && !deferrable.value {
		a.failAt(initially.at, errs.SyntaxError, "constraint declared INITIALLY DEFERRED must be DEFERRABLE")
	}
	return deferrable.value || initially.value, initially.value
}

// alter reads ALTER ASSERTION.
func (a *assertionParser) alter() ast.Stmt {
	a.expect("assertion")
	out := &ast.AlterAssertion{IfExists: a.accept("if", "exists")}
	out.Name = a.name()
	out.At = out.Name.At
	switch {
	case a.accept("validate"):
		out.Action = "validate"
	case a.accept("enable"):
		out.Action = "enable"
	case a.accept("disable"):
		out.Action = "disable"
	case a.accept("enforced"):
		out.Action = "enforced"
	case a.accept("not", "enforced"):
		out.Action = "not enforced"
	case a.at("deferrable"), a.at("not", "deferrable"), a.at("initially"):
		var deferrable, initially attribute
		for a.next < len(a.tokens) {
			start := a.next
			switch {
			case a.accept("deferrable"):
				deferrable.set(a, start, true)
			case a.accept("not", "deferrable"):
				deferrable.set(a, start, false)
			case a.accept("initially", "deferred"):
				initially.set(a, start, true)
			case a.accept("initially", "immediate"):
				initially.set(a, start, false)
			default:
				a.accept("initially")
				a.syntaxError()
			}
		}
		var is bool
		if is, out.InitiallyDeferred = a.deferral(deferrable, initially); is {
			out.Action = "deferrable"
		} else {
			out.Action = "not deferrable"
		}
	case a.at("rename"), a.at("set"), a.at("owner"):
		return a.asTable()
	default:
		a.syntaxError()
	}
	a.end()
	return out
}

// asTable reads a statement that is the same for an assertion and for a table: ASSERTION is replaced by TABLE,
// and the tree that comes of it put right.
func (a *assertionParser) asTable() ast.Stmt {
	i := 1
	if a.tokens[1].is(a.text, "on") {
		i = 2
	}
	t := a.tokens[i]
	stmt := a.readBlanked(a.text[:t.start] + "TABLE    " + a.text[t.end:])
	switch s := stmt.(type) {
	case *ast.Drop:
		s.Kind = ast.ObjAssertion
		return s
	case *ast.Comment:
		s.Kind = ast.ObjAssertion
		return s
	case *ast.Rename:
		if s.Kind == ast.ObjTable {
			return &ast.AlterAssertion{At: s.Table.At, Name: s.Table, IfExists: s.IfExists, Action: "rename", Arg: s.NewName}
		}
	case *ast.AlterSetSchema:
		return &ast.AlterAssertion{At: s.Name.At, Name: s.Name, IfExists: s.IfExists, Action: "set schema", Arg: s.NewSchema}
	case *ast.AlterTable:
		if len(s.Commands) == 1 && s.Commands[0].Kind == ast.ChangeOwner {
			return &ast.AlterAssertion{At: s.At, Name: s.Table, IfExists: s.IfExists, Action: "owner", Arg: s.Commands[0].NewName}
		}
	}
	a.syntaxError()
	return nil
}

// explain reads EXPLAIN ASSERTION.
func (a *assertionParser) explain() ast.Stmt {
	a.next = afterExplain(a.text, a.tokens)
	t := a.tokens[a.next]
	out, ok := a.readBlanked(a.text[:t.start] + "SELECT   ").(*ast.Explain)
	if !ok {
		a.syntaxError()
	}
	out.Stmt = nil
	a.expect("assertion")
	out.Assertion = a.name()
	out.At = out.Assertion.At
	if a.accept("for") {
		switch {
		case a.accept("insert"):
			out.Event = "insert"
		case a.accept("delete"):
			out.Event = "delete"
		case a.accept("update"):
			out.Event = "update"
			if a.accept("of") {
				start := a.next
				column := a.name()
				if column.Schema != "" {
					a.syntaxErrorAt(start + 1)
				}
				out.EventColumn = column.Name
			}
		default:
			a.syntaxError()
		}
		a.expect("on")
		out.EventTable = a.name()
	}
	a.end()
	return out
}
