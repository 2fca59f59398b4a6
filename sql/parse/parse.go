// Package parse turns SQL text into sql/ast trees. The grammar is PostgreSQL 16's own, through pg_query;
// this is the only package that imports it. What Holdfast adds to the language (assertions) is recognised
// here, on the tokens, before the grammar sees the text.
//
// Three rules come from what pg_query is. Its tree is never kept: it is a protobuf copy, converted once and
// dropped. Its Normalize and Deparse are never called: Normalize of this version reads out of bounds, and
// ast.Format prints our own tree. And no text reaches it before its size, encoding and depth are known to be
// harmless, since what goes wrong on the C side ends the process (see tooDeep).
package parse

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"github.com/pganalyze/pg_query_go/v5/parser"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// DefaultMaxBytes is the size a text may have unless SetMaxBytes says otherwise: 1 MiB. A parse holds about
// 30 bytes outside the Go heap per byte of text while it lasts.
const DefaultMaxBytes = 1 << 20

var maxBytes atomic.Int64

func init() { maxBytes.Store(DefaultMaxBytes) }

// SetMaxBytes sets the size in bytes above which a text is refused with 54000. It is meant to be called once,
// when the server starts. Values below 1 restore the default; positions limit it to 1 GiB.
func SetMaxBytes(n int) {
	if n < 1 {
		n = DefaultMaxBytes
	}
	maxBytes.Store(min(int64(n), 1<<30))
}

// Statement is one statement of a text.
type Statement struct {
	Stmt ast.Stmt
	// Text is this statement's own text, without the white space around it and the semicolon. Positions in
	// Stmt are byte offsets in it.
	Text string
	// Offset is where Text begins in the whole input, in bytes; Chars the same in characters.
	Offset, Chars int
	// NumParams is the highest n of any $n in the statement, 0 if there is none.
	NumParams int
}

// Position turns the position of a node of Stmt into the position of an error message: characters from 1 in
// the whole input, 0 if at is unknown (-1).
func (s *Statement) Position(at int) int {
	if at < 0 || at > len(s.Text) {
		return 0
	}
	return s.Chars + utf8.RuneCountInString(s.Text[:at]) + 1
}

// Parse parses a text of any number of statements. Empty statements are dropped, so that "", ";" and "-- ping"
// give none. Errors are *errs.Error with the position in the whole input: 42601 for a text that is not in the
// grammar, 0A000 for one that is but has no tree, 22021 for one that is not UTF-8 or holds a zero byte, 54000
// for one that is too long and 54001 for one that is nested too deeply. Nothing is parsed of a text that has
// an error anywhere.
func Parse(sql string) ([]Statement, error) {
	if err := admissible(sql); err != nil {
		return nil, err
	}
	if containsFold(sql, "assertion") || containsFold(sql, "satisfy") {
		return parseBatch(sql)
	}
	return parsePlain(sql, sql, 0)
}

// admissible checks what must hold before the C side may see a text.
func admissible(sql string) error {
	if limit := maxBytes.Load(); int64(len(sql)) > limit {
		return errs.New(errs.ProgramLimitExceeded, "statement of %d bytes is too long", len(sql)).
			WithDetail("The limit is %d bytes.", limit).
			WithHint("Send fewer rows per statement, pass the values as one array parameter, or use COPY.")
	}
	if err := checkEncoding(sql); err != nil {
		return err
	}
	if tooDeep(sql) {
		return tooComplex()
	}
	return nil
}

func tooComplex() *errs.Error {
	return errs.New(errs.StatementTooComplex, "stack depth limit exceeded").
		WithHint("Nest the statement's expressions less deeply.")
}

// checkEncoding refuses what is not UTF-8 text, in PostgreSQL's words.
func checkEncoding(sql string) error {
	bad := strings.IndexByte(sql, 0)
	if bad < 0 && utf8.ValidString(sql) {
		return nil
	}
	for i := 0; i < len(sql) && (bad < 0 || i < bad); {
		r, n := utf8.DecodeRuneInString(sql[i:])
		if r == utf8.RuneError && n == 1 {
			bad = i
			break
		}
		i += n
	}
	length := 1
	switch b := sql[bad]; {
	case b >= 0xf0 && b < 0xf8:
		length = 4
	case b >= 0xe0 && b < 0xf0:
		length = 3
	case b >= 0xc0 && b < 0xe0:
		length = 2
	}
	const hex = "0123456789abcdef"
	var bytes strings.Builder
	for i := bad; i < min(bad+length, len(sql)); i++ {
		if i > bad {
			bytes.WriteByte(' ')
		}
		bytes.WriteString("0x")
		bytes.WriteByte(hex[sql[i]>>4])
		bytes.WriteByte(hex[sql[i]&15])
	}
	return errs.New(errs.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": %s`, bytes.String())
}

// parsePlain parses text, which stands at byte offset base of input, with the grammar alone.
func parsePlain(input, text string, base int) ([]Statement, error) {
	tree, err := grammar(input, text, base)
	if err != nil {
		return nil, err
	}
	statements := make([]Statement, 0, len(tree.Stmts))
	chars, counted := 0, 0
	for _, raw := range tree.Stmts {
		start := int(raw.StmtLocation)
		end := len(text)
		if raw.StmtLen > 0 {
			end = start + int(raw.StmtLen)
		}
		start, end = trim(text, start, end)
		chars += utf8.RuneCountInString(input[counted : base+start])
		counted = base + start
		s := Statement{Text: text[start:end], Offset: base + start, Chars: chars}
		if err := convert(&s, raw.Stmt, start); err != nil {
			return nil, err
		}
		statements = append(statements, s)
	}
	return statements, nil
}

// grammar runs pg_query. Positions of the tree are those in text, positions of errors those in input.
func grammar(input, text string, base int) (*pg_query.ParseResult, error) {
	tree, err := pg_query.Parse(text)
	if err == nil {
		return tree, nil
	}
	return nil, grammarError(err, utf8.RuneCountInString(input[:base]))
}

// grammarError gives an error of pg_query its SQLSTATE and position; chars are the characters before its text.
func grammarError(err error, chars int) error {
	var e *parser.Error
	if !errors.As(err, &e) { // of the protobuf copy: too deep to be read
		return tooComplex()
	}
	if strings.HasPrefix(e.Message, "memory exhausted") || strings.HasPrefix(e.Message, "stack depth limit") {
		return tooComplex()
	}
	out := errs.New(grammarCode(e.Message), "%s", e.Message)
	if e.Cursorpos > 0 {
		out.Position = chars + e.Cursorpos
	}
	return out
}

// grammarCode is the SQLSTATE of a message of the grammar or its scanner; pg_query does not report it.
func grammarCode(message string) errs.Code {
	switch {
	case strings.HasPrefix(message, "syntax error"):
		return errs.SyntaxError
	case strings.HasPrefix(message, "invalid Unicode escape"):
		return errs.InvalidEscapeSequence
	case strings.HasPrefix(message, "invalid byte sequence"):
		return errs.CharacterNotInRepertoire
	case strings.HasPrefix(message, "unsafe use of string constant with Unicode"):
		return errs.FeatureNotSupported
	case strings.HasPrefix(message, "unsafe use of"):
		return "22P06" // nonstandard_use_of_escape_character
	case strings.HasPrefix(message, "frame "):
		return errs.WindowingError
	case strings.HasPrefix(message, "role name "), strings.HasSuffix(message, "cannot be used as a role name here"):
		return errs.ReservedName
	case strings.HasPrefix(message, "precision for type float"), strings.HasPrefix(message, "column number must be"),
		strings.HasPrefix(message, "unrecognized partitioning strategy"):
		return errs.InvalidParameterValue
	case strings.HasSuffix(message, "provided more than once"):
		return errs.DuplicateObject
	case strings.Contains(message, "not yet implemented"), strings.Contains(message, "no longer supported"),
		strings.Contains(message, "not supported"), strings.Contains(message, "is no longer required"),
		strings.Contains(message, "constraints cannot be marked"), strings.Contains(message, "is only supported"),
		strings.Contains(message, "cannot include schema elements"),
		strings.HasPrefix(message, "current database cannot be changed"),
		strings.HasPrefix(message, "aggregates cannot have output"),
		strings.HasPrefix(message, "an ordered-set aggregate with a VARIADIC"):
		return errs.FeatureNotSupported
	}
	return errs.SyntaxError
}

// trim takes white space off both ends of text[start:end].
func trim(text string, start, end int) (int, int) {
	for start < end && classes[text[start]] == classSpace {
		start++
	}
	for end > start && classes[text[end-1]] == classSpace {
		end--
	}
	return start, end
}

// containsFold reports whether text holds word, which is in lower case letters, in any case.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0] && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// ParseExpr parses a scalar expression, as a DEFAULT or CHECK holds it; also the universal form of an
// assertion's condition, ALL (query) alias SATISFY (condition). Positions are those in text. The trees of short
// texts are remembered, since the catalog's are asked for whenever a statement is planned.
func ParseExpr(text string) (ast.Expr, error) {
	if len(text) > maxExprBytes {
		return parseExpr(text)
	}
	exprs.RLock()
	e, ok := exprs.trees[text]
	exprs.RUnlock()
	if ok {
		return e, nil
	}
	e, err := parseExpr(text)
	if err != nil {
		return nil, err
	}
	exprs.Lock()
	defer exprs.Unlock()
	if len(exprs.trees) >= maxExprs {
		clear(exprs.trees)
	}
	exprs.trees[text] = e
	return e, nil
}

// exprs are the expressions that ParseExpr remembers: at most maxExprs, of up to maxExprBytes each. When they
// are that many it starts over; a catalog of more expressions than this in use at once is not to be expected.
var exprs = struct {
	sync.RWMutex
	trees map[string]ast.Expr
}{trees: map[string]ast.Expr{}}

const (
	maxExprs     = 4096
	maxExprBytes = 2048
)

func parseExpr(text string) (ast.Expr, error) {
	if err := admissible(text); err != nil {
		return nil, err
	}
	const prefix = "CREATE ASSERTION a CHECK ("
	whole := prefix + text + "\n)"
	a := assertionParser{input: whole, text: whole, base: len(prefix), tokens: lex(whole)}
	statement, err := a.parse()
	if err != nil {
		e := errs.As(err)
		if e.Position > 0 {
			e.Position = min(max(e.Position-len(prefix), 1), utf8.RuneCountInString(text)+1)
		}
		return nil, e
	}
	return statement.(*ast.CreateAssertion).Condition, nil
}

// ParseType parses the name of a type with its modifiers, as a cast holds it: "numeric(10,2)", "text[]".
func ParseType(text string) (*ast.TypeName, error) {
	if err := admissible(text); err != nil {
		return nil, err
	}
	const prefix = "SELECT NULL::"
	tree, err := grammar(prefix+text, prefix+text, 0)
	s := Statement{Text: text}
	if err == nil && len(tree.Stmts) == 1 {
		err = convert(&s, tree.Stmts[0].Stmt, len(prefix))
	}
	if err != nil {
		e := errs.As(err)
		if e.Position > 0 {
			e.Position = max(e.Position-len(prefix), 1)
		}
		return nil, e
	}
	if len(tree.Stmts) == 1 {
		if q, ok := s.Stmt.(*ast.Select); ok && len(q.Targets) == 1 && q.Targets[0].Name == "" {
			if cast, ok := q.Targets[0].Expr.(*ast.Cast); ok && simple(q) {
				if literal, ok := cast.Arg.(*ast.Literal); ok && literal.Kind == ast.LitNull {
					return cast.Type, nil
				}
			}
		}
	}
	return nil, errs.New(errs.SyntaxError, `invalid type name "%s"`, text)
}

// simple reports whether q is a select list and nothing else.
func simple(q *ast.Select) bool {
	return q.With == nil && q.SetOp == ast.NoSetOp && q.From == nil && q.Where == nil && q.GroupBy == nil &&
		q.Having == nil && q.Windows == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil && q.Locking == nil
}
