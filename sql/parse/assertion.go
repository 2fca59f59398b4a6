package parse

import "holdfast/sql/ast"

type assertionParser struct {
	input, text string
	base        int
	tokens      []token
}

func (a *assertionParser) parse() (ast.Stmt, error) { return nil, nil }
func parseBatch(sql string) ([]Statement, error)    { return parsePlain(sql, sql, 0) }
