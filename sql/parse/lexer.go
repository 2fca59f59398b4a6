package parse

import "strings"

// tokenKind is the kind of a token.
type tokenKind uint8

const (
	tokenEnd      tokenKind = iota
	tokenWord               // unquoted identifier or keyword
	tokenQuoted             // "identifier"
	tokenString             // 'string' of the plain kind
	tokenSpecial            // E'', B'', X'', N'', U&'', U&"" and $$ strings
	tokenInteger            // decimal digits only
	tokenNumber             // any other number
	tokenParam              // $1
	tokenOperator           // a run of operator characters, "::", ":=", ".."
	tokenPunct              // one of ( ) [ ] , ; . :
	tokenBad                // not a token: unterminated, or a stray byte
)

// token is a lexical unit: text[start:end].
type token struct {
	kind       tokenKind
	start, end int
}

// lexer cuts text into tokens as PostgreSQL's scanner does, without ever allocating. The grammar's own
// scanner sits behind cgo and a protobuf copy of every token; this one exists for what has to be known
// before (nesting, literals) or beside (source slices) a full parse. It decides nothing about validity:
// what it takes for a token and the grammar does not is refused by the grammar.
type lexer struct {
	text    string
	pos     int
	comment bool // a comment has been skipped
}

// character classes
const (
	classSpace = 1 << iota
	classWordStart
	classDigit
	classOperator
	classPunct
)

var classes = func() (c [256]uint8) {
	for _, b := range []byte(" \t\n\r\f\v") {
		c[b] = classSpace
	}
	for b := 0; b < 256; b++ {
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b >= 0x80 {
			c[b] = classWordStart
		}
		if b >= '0' && b <= '9' {
			c[b] = classDigit
		}
	}
	for _, b := range []byte("~!@#^&|`?+-*/%<>=") {
		c[b] = classOperator
	}
	for _, b := range []byte("()[],;.:") {
		c[b] = classPunct
	}
	return c
}()

func isWordByte(b byte) bool { return classes[b]&(classWordStart|classDigit) != 0 || b == '$' }

// next returns the next token; tokenEnd at the end, for ever.
func (l *lexer) next() token {
	text := l.text
	i := l.skip(l.pos)
	if i >= len(text) {
		l.pos = len(text)
		return token{tokenEnd, len(text), len(text)}
	}
	start, kind := i, tokenBad
	b := text[i]
	switch class := classes[b]; {
	case class == classWordStart:
		for i++; i < len(text) && isWordByte(text[i]); i++ {
		}
		kind = tokenWord
		if i < len(text) && (text[i] == '\'' && i-start == 1 || text[i] == '&' && i-start == 1) {
			if special, end := l.prefixed(start, i); special {
				kind, i = tokenSpecial, end
			}
		}
	case class == classDigit, b == '.' && i+1 < len(text) && classes[text[i+1]] == classDigit:
		kind, i = number(text, i)
	case class == classPunct:
		kind = tokenPunct
		i++
		if i < len(text) && (b == ':' && (text[i] == ':' || text[i] == '=') || b == '.' && text[i] == '.') {
			kind = tokenOperator
			i++
		}
	case class == classOperator:
		kind, i = tokenOperator, operatorEnd(text, i)
	case b == '\'':
		kind = tokenString
		if i = quotedEnd(text, i, '\''); i < 0 {
			kind, i = tokenBad, len(text)
		}
	case b == '"':
		kind = tokenQuoted
		if i = quotedEnd(text, i, '"'); i < 0 {
			kind, i = tokenBad, len(text)
		}
	case b == '$':
		kind, i = dollar(text, i)
	default:
		i++
	}
	l.pos = i
	return token{kind, start, i}
}

// skip passes white space and comments. An unterminated comment runs to the end.
func (l *lexer) skip(i int) int {
	text := l.text
	for i < len(text) {
		switch b := text[i]; {
		case classes[b] == classSpace:
			i++
		case b == '-' && i+1 < len(text) && text[i+1] == '-':
			l.comment = true
			n := strings.IndexAny(text[i:], "\n\r")
			if n < 0 {
				return len(text)
			}
			i += n
		case b == '/' && i+1 < len(text) && text[i+1] == '*':
			l.comment = true
			depth := 1
			for i += 2; depth > 0; {
				switch {
				case i+1 >= len(text):
					return len(text)
				case text[i] == '/' && text[i+1] == '*':
					depth++
					i += 2
				case text[i] == '*' && text[i+1] == '/':
					depth--
					i += 2
				default:
					i++
				}
			}
		default:
			return i
		}
	}
	return i
}

// prefixed reads a string with a one-letter prefix text[start:i].
func (l *lexer) prefixed(start, i int) (bool, int) {
	text := l.text
	switch text[start] | 0x20 {
	case 'e':
		if text[i] != '\'' {
			return false, 0
		}
		for j := i + 1; j < len(text); j++ {
			switch text[j] {
			case '\\':
				j++
			case '\'':
				if j+1 >= len(text) || text[j+1] != '\'' {
					return true, j + 1
				}
				j++
			}
		}
		return true, len(text)
	case 'b', 'x':
		if text[i] != '\'' {
			return false, 0
		}
		if end := quotedEnd(text, i, '\''); end >= 0 {
			return true, end
		}
		return true, len(text)
	case 'u':
		if text[i] == '&' && i+1 < len(text) && (text[i+1] == '\'' || text[i+1] == '"') {
			if end := quotedEnd(text, i+1, text[i+1]); end >= 0 {
				return true, end
			}
			return true, len(text)
		}
	}
	return false, 0
}

// quotedEnd is the end of the quoted run that begins at i, a doubled quote standing for itself; -1 if there is none.
func quotedEnd(text string, i int, quote byte) int {
	for i++; ; {
		n := strings.IndexByte(text[i:], quote)
		if n < 0 {
			return -1
		}
		i += n + 1
		if i >= len(text) || text[i] != quote {
			return i
		}
		i++
	}
}

// operatorEnd is the end of the operator at i: it stops before a comment, and drops trailing + and -
// unless a character that is in no SQL operator comes before them.
func operatorEnd(text string, i int) int {
	start := i
	odd := false
	for ; i < len(text) && classes[text[i]] == classOperator; i++ {
		if i+1 < len(text) && i > start && (text[i] == '-' && text[i+1] == '-' || text[i] == '/' && text[i+1] == '*') {
			break
		}
		switch text[i] {
		case '~', '!', '@', '#', '^', '&', '|', '`', '?', '%':
			odd = true
		}
	}
	if !odd {
		for i-start > 1 && (text[i-1] == '+' || text[i-1] == '-') {
			i--
		}
	}
	return i
}

// number reads the number at i. Anything but plain digits is a tokenNumber, junk that follows included.
func number(text string, i int) (tokenKind, int) {
	start, kind := i, tokenInteger
	for i < len(text) && classes[text[i]] == classDigit {
		i++
	}
	if i < len(text) && text[i] == '.' && !(i+1 < len(text) && text[i+1] == '.') {
		kind = tokenNumber
		for i++; i < len(text) && classes[text[i]] == classDigit; i++ {
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' && i > start {
		j := i + 1
		if j < len(text) && (text[j] == '+' || text[j] == '-') {
			j++
		}
		if j < len(text) && classes[text[j]] == classDigit {
			kind = tokenNumber
			for i = j; i < len(text) && classes[text[i]] == classDigit; i++ {
			}
		}
	}
	if i < len(text) && isWordByte(text[i]) { // 0x1f, 1_000, or junk
		kind = tokenNumber
		for ; i < len(text) && (isWordByte(text[i]) || text[i] == '.'); i++ {
		}
	}
	return kind, i
}

// dollar reads $1 or $tag$ .. $tag$.
func dollar(text string, i int) (tokenKind, int) {
	start := i
	i++
	if i < len(text) && classes[text[i]] == classDigit {
		for ; i < len(text) && classes[text[i]] == classDigit; i++ {
		}
		return tokenParam, i
	}
	for i < len(text) && text[i] != '$' && isWordByte(text[i]) {
		i++
	}
	if i >= len(text) || text[i] != '$' {
		return tokenBad, start + 1
	}
	tag := text[start : i+1]
	n := strings.Index(text[i+1:], tag)
	if n < 0 {
		return tokenBad, len(text)
	}
	return tokenSpecial, i + 1 + n + len(tag)
}

// is reports whether the token is the word w, which is given in lower case.
func (t token) is(text, w string) bool {
	return t.kind == tokenWord && t.end-t.start == len(w) && strings.EqualFold(text[t.start:t.end], w)
}

// punct reports whether the token is the punctuation character b.
func (t token) punct(text string, b byte) bool {
	return t.kind == tokenPunct && text[t.start] == b
}

// lex cuts the whole text, without the final tokenEnd.
func lex(text string) []token {
	l := lexer{text: text}
	tokens := make([]token, 0, len(text)/5+4)
	for t := l.next(); t.kind != tokenEnd; t = l.next() {
		tokens = append(tokens, t)
	}
	return tokens
}

// maxTreeTokens bounds the depth a tree can have before the text is given to the grammar. The C side builds
// a left-deep tree for a chain like 1+1+1.. and then walks it recursively on an 8 MB stack, so that a text of
// 60 kB could end the process. 10,000 levels are known to be safe; 30,000 are not.
const maxTreeTokens = 9000

// tooDeep reports whether text may give a tree deeper than the C stack bears. It counts, for every nesting
// of brackets and CASE, the tokens since the last one that starts a new item of a flat list (a comma, and
// AND and OR, which the grammar flattens, WHEN of CASE); each level of a tree costs at least one of them. Set operations
// and joins are left-deep whatever stands between them, and are counted for themselves. Nesting to the right
// need not be counted exactly: the grammar's own stack refuses it at 10,000 entries.
func tooDeep(text string) bool {
	if len(text) < 2*maxTreeTokens {
		return false
	}
	type level struct {
		tokens, chain, between int
		inCase                 bool
	}
	outer := make([]level, 0, 64) // the levels around the current one
	var now level
	around := 0 // tokens and chain of outer
	push := func(inCase bool) {
		now.tokens++
		outer = append(outer, now)
		around += now.tokens + now.chain
		now = level{inCase: inCase}
	}
	pop := func() {
		if n := len(outer); n > 0 {
			now, outer = outer[n-1], outer[:n-1]
			around -= now.tokens + now.chain
		}
	}
	l := lexer{text: text}
	for {
		t := l.next()
		switch t.kind {
		case tokenEnd:
			return false
		case tokenPunct:
			switch text[t.start] {
			case '(', '[':
				push(false)
			case ')', ']':
				pop()
			case ',':
				now.tokens = 0
			case ';':
				if len(outer) == 0 {
					now = level{}
				}
			}
		case tokenOperator:
			now.tokens++
		case tokenWord:
			switch {
			case t.is(text, "or"):
				now.tokens = 0
			case t.is(text, "and"):
				if now.between == 0 {
					now.tokens = 0
				} else {
					now.between--
					now.tokens++
				}
			case t.is(text, "between"):
				now.between++
				now.tokens++
			case t.is(text, "case"):
				push(true)
			case t.is(text, "end") && now.inCase:
				pop()
			case now.inCase && (t.is(text, "when") || t.is(text, "then") || t.is(text, "else")):
				now.tokens = 0
			case t.is(text, "join"), t.is(text, "union"), t.is(text, "except"), t.is(text, "intersect"):
				now.chain++
				now.tokens = 0
			default:
				now.tokens++
			}
		}
		if around+now.tokens+now.chain > maxTreeTokens {
			return true
		}
	}
}
