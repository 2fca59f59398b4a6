package parse

import "holdfast/sql/ast"

// Cache keeps parsed texts.
type Cache struct{}

// Literal is a literal lifted out of a text.
type Literal struct {
	Kind     ast.LiteralKind
	Value    string
	Position int
}

// Parsed is what a text was parsed to.
type Parsed struct {
	Statements []Statement
	Lifted     []Literal
	Key        any
}

// NewCache makes a cache of at most so many bytes.
func NewCache(bytes int64) *Cache { return &Cache{} }

// Lookup parses a text, or finds it.
func (c *Cache) Lookup(sql string) (Parsed, error) {
	st, err := Parse(sql)
	return Parsed{Statements: st}, err
}

// Parse is Lookup without lifting literals.
func (c *Cache) Parse(sql string) ([]Statement, error) { return Parse(sql) }

// MapPosition maps a position in the template to one in the text.
func (p *Parsed) MapPosition(n int) int { return n }
