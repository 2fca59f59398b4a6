package bind

import "holdfast/sql/ast"

// columnName is the name that an expression gives a column without an alias. strong is false for names taken
// from a type or CASE, which a better one in an outer expression replaces; "" is none.
func columnName(e ast.Expr) (name string, strong bool) {
	switch e := e.(type) {
	case *ast.ColumnRef:
		if !e.Star && len(e.Names) > 0 {
			return e.Names[len(e.Names)-1], true
		}
	case *ast.Field:
		if !e.Star {
			return e.Name, true
		}
	case *ast.Subscript:
		return columnName(e.Arg)
	case *ast.FuncCall:
		return e.Name[len(e.Name)-1], true
	case *ast.Cast:
		if n, ok := columnName(e.Arg); ok {
			return n, true
		}
		if e.Type != nil && len(e.Type.Names) > 0 {
			return e.Type.Names[len(e.Type.Names)-1], false
		}
	case *ast.Collate:
		return columnName(e.Arg)
	case *ast.Grouping:
		return "grouping", true
	case *ast.Subquery:
		switch e.Kind {
		case ast.ExistsSubquery:
			return "exists", true
		case ast.ArraySubquery:
			return "array", true
		case ast.ScalarSubquery:
			q := e.Query
			for q.SetOp != ast.NoSetOp {
				q = q.Left
			}
			if len(q.Targets) > 0 {
				if t := q.Targets[0]; t.Name != "" {
					return t.Name, true
				}
				if n, _ := columnName(q.Targets[0].Expr); n != "" {
					return n, true
				}
				return "", false
			}
			if len(q.Values) > 0 {
				return "column1", true
			}
		}
	case *ast.Case:
		if n, ok := columnName(e.Else); ok {
			return n, true
		}
		return "case", false
	case *ast.Array:
		return "array", true
	case *ast.Row:
		return "row", true
	case *ast.Coalesce:
		return "coalesce", true
	case *ast.MinMax:
		if e.Least {
			return "least", true
		}
		return "greatest", true
	case *ast.NullIf:
		return "nullif", true
	}
	return "", false
}

func targetName(t *ast.Target) string {
	if t.Name != "" {
		return t.Name
	}
	if n, _ := columnName(t.Expr); n != "" {
		return n
	}
	return "?column?"
}
