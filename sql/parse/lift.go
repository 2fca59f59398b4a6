package parse

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"holdfast/sql/ast"
)

// Literal is a literal that was lifted out of a statement.
type Literal struct {
	Kind  ast.LiteralKind // LitInt (within int8), LitNumeric or LitString
	Value string          // as in ast.Literal: with its sign, without quotes
	// Position is where the literal begins in the text, in bytes; the sign belongs to it.
	Position int
	end      int
}

const (
	maxLifted    = 4096 // literals of one statement
	maxInList    = 64   // literals in one IN list: longer ones are rather one of a kind
	maxLiftBytes = 256 << 10
	maxLevels    = 24 // nesting of parentheses
)

// lifter finds the literals of a statement that can be replaced by parameters without changing what the
// statement means, and makes the text that all statements equal but for these literals have in common.
//
// That replacing a literal by $n gives the same tree with a Param in the literal's place is a property of
// the grammar, in which both are primary expressions, unless the literal is part of something larger: a typed
// literal, a cast, a subscript, a continued string. What a literal may change beyond that is a column's name
// or type, whether two expressions are the same one (GROUP BY a + 1), or what is known when the plan is made
// (LIMIT, LIKE, an index's predicate). So only these are lifted, and only if neither side of them makes them
// part of something larger:
//   - the right operand of a comparison, and the bounds of BETWEEN, in WHERE, in ON of a join, and in SET;
//   - the right operand of any other binary operator in SET (elsewhere it may be part of an index's expression);
//   - the elements of an IN list in such a place;
//   - the values of INSERT .. VALUES.
//
// A literal anywhere else stays in the text, so that statements that differ in it are different ones. A
// statement with anything unusual in it (a comment, a string with a backslash, an escape string, WITH, INTO, a
// second statement) is not touched at all.
//
// The result for one text depends on the text alone.
type lifter struct {
	text     string
	key      []byte // the text with each lifted literal replaced by a zero byte and a letter for its type
	literals []Literal
	params   int // the highest number of a parameter that was there before
	copied   int // text up to here is in key
	levels   [maxLevels]liftLevel
}

// liftLevel is what is known about the innermost parentheses.
type liftLevel struct {
	kind    levelKind
	clause  liftClause
	sub     bool // literals in a query that begins here may be lifted
	inside  bool // so may those of the expression the parentheses are in
	set     bool // it is in SET
	between int8 // BETWEEN seen, AND not yet
	count   int  // elements of an IN list
}

type levelKind uint8

const (
	levelQuery levelKind = iota // the statement itself or a subquery
	levelGroup                  // parentheses around an expression
	levelList                   // of IN
	levelRow                    // of VALUES
	levelOther                  // of a call and anything else
)

type liftClause uint8

const (
	clauseClosed liftClause = iota // nothing is lifted
	clauseWhere
	clauseSet
	clauseFrom     // FROM and USING
	clauseOn       // ON, within FROM
	clauseTarget   // before SET of UPDATE and VALUES of INSERT
	clauseValues   // VALUES of INSERT
	clauseConflict // ON CONFLICT up to DO
)

// word is a word that matters to the lifter.
type word uint8

const (
	wordNone word = iota
	wordSelect
	wordInsert
	wordUpdate
	wordDelete
	wordFrom
	wordWhere
	wordOn
	wordConflict
	wordDo
	wordSet
	wordValues
	wordJoin
	wordUsing
	wordClosing // the beginning of a clause in which nothing is lifted
	wordAnd
	wordBetween
	wordIn
	wordOperand // AND-like words, after which a parenthesis only groups
	wordQuery   // words before the parentheses of a query
	wordCollate
	wordRefuse  // a statement with it is left alone
	wordKeyword // any other keyword that is not a name
)

// wordOf classifies a word.
func wordOf(s string) word {
	if len(s) > 12 {
		return wordNone
	}
	var buffer [12]byte
	for i := range len(s) {
		b := s[i]
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		buffer[i] = b
	}
	switch string(buffer[:len(s)]) {
	case "select":
		return wordSelect
	case "insert":
		return wordInsert
	case "update":
		return wordUpdate
	case "delete":
		return wordDelete
	case "from":
		return wordFrom
	case "where":
		return wordWhere
	case "on":
		return wordOn
	case "conflict":
		return wordConflict
	case "do":
		return wordDo
	case "set":
		return wordSet
	case "values":
		return wordValues
	case "join", "left", "right", "full", "inner", "cross", "natural":
		return wordJoin
	case "using":
		return wordUsing
	case "group", "having", "window", "order", "limit", "offset", "fetch", "for", "union", "intersect", "except", "returning":
		return wordClosing
	case "and":
		return wordAnd
	case "between":
		return wordBetween
	case "in":
		return wordIn
	case "or", "not", "when":
		return wordOperand
	case "exists", "any", "all", "some", "array", "lateral":
		return wordQuery
	case "collate":
		return wordCollate
	case "with", "operator", "escape", "uescape", "zone", "overriding", "tablesample", "over", "within", "filter",
		"current", "symmetric", "asymmetric", "similar", "xmlexists", "merge":
		return wordRefuse
	case "is", "null", "true", "false", "case", "then", "else", "end", "like", "ilike", "distinct", "isnull", "notnull", "default",
		"as", "both", "leading", "trailing", "row", "only", "user", "interval", "overlaps", "grouping":
		return wordKeyword
	}
	return wordNone
}

// run lifts; false if the statement is not to be touched or holds nothing to lift.
func (l *lifter) run(text string) bool {
	if len(text) > maxLiftBytes || strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text) {
		return false
	}
	l.text, l.key, l.literals, l.params, l.copied = text, l.key[:0], l.literals[:0], 0, 0
	lex := lexer{text: text}
	first := lex.next()
	if first.kind != tokenWord {
		return false
	}
	statement := wordOf(text[first.start:first.end])
	depth := 0
	l.levels[0] = liftLevel{sub: true}
	switch statement {
	case wordSelect:
	case wordInsert, wordUpdate:
		l.levels[0].clause = clauseTarget
	case wordDelete:
	default:
		return false
	}
	// The last three tokens, and the words they are.
	var t3, t2 token
	var w2 word
	t1, w1 := first, statement
	var candidate token // a literal that is lifted if the next token does not forbid it
	inList := false     // it is an element of an IN list
	ended := false
	for {
		t := lex.next()
		if lex.comment || t.kind == tokenBad || t.kind == tokenSpecial || ended && t.kind != tokenEnd {
			return false
		}
		w := wordNone
		if t.kind == tokenWord {
			w = wordOf(text[t.start:t.end])
		}
		if candidate.kind != tokenEnd {
			if joins(text, t, w) {
				if inList {
					return false
				}
			} else if !l.lift(candidate) {
				return false
			}
			candidate.kind, inList = tokenEnd, false
		}
		if t.kind == tokenEnd {
			break
		}
		now := &l.levels[depth]
		switch t.kind {
		case tokenWord:
			switch {
			case w == wordRefuse:
				return false
			case w == wordBetween:
				now.between++
			case w == wordAnd && now.between > 0:
				now.between--
				w = wordBetween // whose second bound follows
			case w == wordSelect && now.kind != levelQuery:
				*now = liftLevel{kind: levelQuery, sub: now.sub && t1.punct(text, '(')}
			case now.kind == levelQuery:
				if statement != wordInsert && (w == wordInsert || isInto(text, t)) {
					return false
				}
				now.enter(w, w1, statement, depth)
			}
			// A string right after a name is of a special kind, or a typed literal.
			if w == wordNone && lex.pos < len(text) && text[lex.pos] == '\'' {
				return false
			}
		case tokenParam:
			n, err := strconv.Atoi(text[t.start+1 : t.end])
			if err != nil || n < 1 || n > 30000 {
				return false
			}
			l.params = max(l.params, n)
		case tokenPunct:
			switch text[t.start] {
			case '(':
				if depth++; depth == maxLevels {
					return false
				}
				l.levels[depth] = now.open(text, t1, w1, depth == 1 && statement == wordInsert)
			case ')':
				if depth--; depth < 0 {
					return false
				}
			case '[':
				if depth++; depth == maxLevels {
					return false
				}
				l.levels[depth] = liftLevel{kind: levelOther}
			case ']':
				if depth--; depth < 0 {
					return false
				}
			case ';':
				ended = true
			}
		case tokenString, tokenInteger, tokenNumber:
			if !now.lifts() {
				break
			}
			if t.kind == tokenString && strings.IndexByte(text[t.start:t.end], '\\') >= 0 {
				return false
			}
			// A sign before a number is part of it, as the grammar folds it, if it is not an operator between two operands.
			start, before, wordBefore, beforeThat, wordBeforeThat := t.start, t1, w1, t2, w2
			if t.kind != tokenString && t1.kind == tokenOperator && text[t1.start:t1.end] == "-" && !endsOperand(text, t2, w2) {
				start, before, wordBefore = t1.start, t2, w2
				beforeThat, wordBeforeThat = t3, wordNone
				if t3.kind == tokenWord {
					wordBeforeThat = wordOf(text[t3.start:t3.end])
				}
			}
			lifts := false
			switch {
			case now.kind == levelList, now.kind == levelRow:
				lifts = before.punct(text, '(') || before.punct(text, ',')
				if now.kind == levelList && lifts {
					if now.count++; now.count > maxInList {
						return false
					}
					inList = true
				}
			case before.kind == tokenOperator:
				operand := endsOperand(text, beforeThat, wordBeforeThat)
				if !operand && before == t1 && (t2.kind == tokenInteger || t2.kind == tokenNumber || t2.kind == tokenString) {
					operand = t3.kind == tokenOperator // a + 1 = 2, but not 1 = 2
				}
				lifts = operand && now.takes(text[before.start:before.end])
			case before.kind == tokenWord:
				lifts = wordBefore == wordBetween
			}
			if lifts {
				candidate = token{t.kind, start, t.end}
			} else if now.kind == levelList {
				return false // all of a list or nothing
			}
		}
		t3, t2, w2 = t2, t1, w1
		t1, w1 = t, w
	}
	if depth != 0 || len(l.literals) == 0 {
		return false
	}
	l.key = append(l.key, text[l.copied:]...)
	return true
}

func isInto(text string, t token) bool { return t.is(text, "into") }

// enter follows the clauses of a query.
func (now *liftLevel) enter(w, before, statement word, depth int) {
	top := depth == 0
	switch w {
	case wordSelect, wordClosing:
		now.clause = clauseClosed
	case wordFrom, wordUsing:
		now.clause = clauseFrom
	case wordWhere:
		if now.clause != clauseConflict {
			now.clause = clauseWhere
		}
	case wordOn:
		if now.clause == clauseFrom || now.clause == clauseOn {
			now.clause = clauseOn
		} else {
			now.clause = clauseClosed
		}
	case wordJoin:
		if now.clause == clauseOn {
			now.clause = clauseFrom
		}
	case wordConflict:
		if before == wordOn {
			now.clause = clauseConflict
		}
	case wordDo:
		if now.clause == clauseConflict {
			now.clause = clauseClosed
		}
	case wordSet:
		if top && (statement == wordUpdate && now.clause == clauseTarget || statement == wordInsert && before == wordUpdate) {
			now.clause = clauseSet
		}
	case wordValues:
		if top && statement == wordInsert && now.clause == clauseTarget {
			now.clause = clauseValues
		}
	}
}

// lifts reports whether literals may be lifted here.
func (now *liftLevel) lifts() bool {
	switch now.kind {
	case levelQuery:
		return now.sub && (now.clause == clauseWhere || now.clause == clauseOn || now.clause == clauseSet)
	case levelGroup, levelList, levelRow:
		return now.inside
	}
	return false
}

// takes reports whether the right operand of a binary operator may be lifted here.
func (now *liftLevel) takes(operator string) bool {
	switch operator {
	case "=", "<>", "!=", "<", ">", "<=", ">=":
		return true
	case "+", "-", "*", "/", "%", "||":
		return now.set || now.kind == levelQuery && now.clause == clauseSet
	}
	return false
}

// open is the level of an opening parenthesis after token t.
func (now *liftLevel) open(text string, t token, w word, ofInsert bool) liftLevel {
	next := liftLevel{kind: levelOther}
	if now.kind == levelQuery {
		next.sub = now.lifts() || now.sub && now.clause == clauseFrom
		next.set = now.clause == clauseSet
	} else {
		next.sub, next.set = now.sub, now.set
	}
	switch {
	case ofInsert && now.clause == clauseValues && (w == wordValues || t.punct(text, ',')):
		return liftLevel{kind: levelRow, inside: true}
	case t.kind == tokenWord:
		switch w {
		case wordIn:
			next.kind = levelList
		case wordAnd, wordBetween, wordOperand, wordWhere, wordOn:
			next.kind = levelGroup
		case wordFrom, wordJoin, wordQuery, wordUsing:
		default: // a call
			next.sub = false
		}
	case t.kind == tokenOperator:
		next.kind = levelGroup
	case t.punct(text, '('):
		if now.kind == levelGroup {
			next.kind = levelGroup
		}
	case t.punct(text, ','):
	default:
		next.sub = false
	}
	if next.kind == levelGroup || next.kind == levelList {
		next.inside = now.lifts() && now.kind != levelList && now.kind != levelRow
	}
	return next
}

// endsOperand reports whether an operator after the token is between two operands, of which the first ends
// there; a literal does not count.
func endsOperand(text string, t token, w word) bool {
	switch t.kind {
	case tokenWord:
		return w == wordNone
	case tokenQuoted, tokenParam:
		return true
	case tokenPunct:
		return text[t.start] == ')' || text[t.start] == ']'
	}
	return false
}

// joins reports whether the token makes the literal before it a part of something larger.
func joins(text string, t token, w word) bool {
	switch t.kind {
	case tokenString, tokenSpecial:
		return true
	case tokenOperator:
		op := text[t.start]
		return op == ':' || op == '.'
	case tokenPunct:
		return text[t.start] == '[' || text[t.start] == '.'
	case tokenWord:
		return w == wordCollate
	}
	return false
}

// lift takes the literal text[t.start:t.end]. It fails for a number that is not in its usual form.
func (l *lifter) lift(t token) bool {
	if len(l.literals) == maxLifted {
		return false
	}
	written := l.text[t.start:t.end]
	lit := Literal{Position: t.start, end: t.end}
	var letter byte
	if t.kind == tokenString {
		lit.Kind, letter = ast.LitString, 's'
		if lit.Value = written[1 : len(written)-1]; strings.IndexByte(lit.Value, '\'') >= 0 {
			lit.Value = strings.ReplaceAll(lit.Value, "''", "'")
		}
	} else {
		digits := written
		if written[0] == '-' {
			digits = strings.TrimLeft(written[1:], " \t\n\r\f\v")
			if lit.Value = written; len(digits) != len(written)-1 {
				lit.Value = "-" + digits
			}
		} else {
			lit.Value = digits
		}
		for i := range len(digits) { // no 0x, no _
			if b := digits[i]; (b < '0' || b > '9') && b != '.' && b != 'e' && b != 'E' && b != '-' && b != '+' {
				return false
			}
		}
		switch {
		case t.kind == tokenNumber:
			lit.Kind, letter = ast.LitNumeric, 'n'
		case digits[0] == '0' && (len(digits) > 1 || len(written) > 1):
			return false // 007, -0
		case len(digits) < 10:
			lit.Kind, letter = ast.LitInt, '4'
		default:
			n, err := strconv.ParseInt(lit.Value, 10, 64)
			switch {
			case err != nil:
				lit.Kind, letter = ast.LitNumeric, 'n'
			case n == int64(int32(n)):
				lit.Kind, letter = ast.LitInt, '4'
			default:
				lit.Kind, letter = ast.LitInt, '8'
			}
		}
	}
	l.key = append(l.key, l.text[l.copied:t.start]...)
	l.key = append(l.key, 0, letter)
	l.copied = t.end
	l.literals = append(l.literals, lit)
	return true
}

// template is what the statements with one key have in common.
type template struct {
	text string // with $n for the lifted literals
	// params are the places of these $n in text, with the space around them that was put there.
	params []span
}

type span struct{ start, end int }

// template makes the text in which the lifted literals are parameters, numbered after those that were there.
func (l *lifter) template() *template {
	t := &template{params: make([]span, 0, len(l.literals))}
	var b strings.Builder
	b.Grow(len(l.key) + 4*len(l.literals))
	last := byte(' ')
	for i := 0; i < len(l.key); i++ {
		c := l.key[i]
		if c != 0 {
			b.WriteByte(c)
			last = c
			continue
		}
		i++ // the letter
		start := b.Len()
		if isWordByte(last) {
			b.WriteByte(' ') // between'a' is two tokens, between$1 one
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(l.params + 1 + len(t.params)))
		if i+1 < len(l.key) && isWordByte(l.key[i+1]) {
			b.WriteByte(' ')
		}
		t.params = append(t.params, span{start, b.Len()})
		last = ' '
	}
	t.text = b.String()
	return t
}

// original turns a position in the template's text into one in the text that the literals are from.
func (t *template) original(at int, literals []Literal) int {
	shift := 0
	for i, p := range t.params {
		if at < p.start {
			break
		}
		if at < p.end {
			return literals[i].Position
		}
		shift = literals[i].end - p.end
	}
	return at + shift
}
