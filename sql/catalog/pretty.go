package catalog

import "strings"

// expression is SQL text of an expression with all its parentheses, or pretty, without those that boolean
// operators do not need: around the whole, around operands that bind more tightly, and AND within OR.
func expression(sql string, pretty bool) string {
	if !pretty {
		return sql
	}
	return bareCasts(prettyExpression(sql))
}

// bareCasts leaves out the parentheses around a name or constant that is cast: (x)::text is x::text.
func bareCasts(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case c == '\'' || c == '"':
			end := endOfQuote(sql, i)
			b.WriteString(sql[i : end+1])
			i = end
		case c == '(' && (i == 0 || !nameByte(sql[i-1]) && sql[i-1] != '"'):
			end := closing(sql, i)
			if end > i && strings.HasPrefix(sql[end+1:], "::") && isOperand(sql[i+1:end]) {
				b.WriteString(sql[i+1 : end])
				i = end
				continue
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// isOperand reports whether sql is a name, qualified or not, or a constant.
func isOperand(sql string) bool {
	if sql == "" {
		return false
	}
	if sql[0] == '\'' {
		return endOfQuote(sql, 0) == len(sql)-1
	}
	for i := 0; i < len(sql); i++ {
		if sql[i] == '"' {
			i = endOfQuote(sql, i)
		} else if !nameByte(sql[i]) && sql[i] != '.' {
			return false
		}
	}
	return true
}

func prettyExpression(sql string) string {
	sql = strings.TrimSpace(sql)
	for {
		inner, ok := parenthesized(sql)
		if !ok {
			break
		}
		sql = strings.TrimSpace(inner)
	}
	for _, op := range [2]string{" OR ", " AND "} {
		operands := splitTop(sql, op)
		if len(operands) == 1 {
			continue
		}
		for i, o := range operands {
			operands[i] = prettyOperand(o, op)
		}
		return strings.Join(operands, op)
	}
	if rest, ok := strings.CutPrefix(sql, "NOT "); ok {
		return "NOT " + prettyOperand(rest, "NOT")
	}
	return sql
}

// prettyOperand is an operand of AND, OR or NOT, whose parentheses stay if it is an operator that binds less.
func prettyOperand(sql, operator string) string {
	inner, ok := parenthesized(strings.TrimSpace(sql))
	if !ok {
		return sql
	}
	inner = prettyExpression(inner)
	or, and := len(splitTop(inner, " OR ")) > 1, len(splitTop(inner, " AND ")) > 1
	if or || and && operator == "NOT" {
		return "(" + inner + ")"
	}
	if strings.HasPrefix(strings.ToUpper(inner), "SELECT ") {
		return sql
	}
	return inner
}

// parenthesized is what stands between the parentheses that enclose all of sql; false if there are none, or
// if they belong to a subquery.
func parenthesized(sql string) (string, bool) {
	if !strings.HasPrefix(sql, "(") || closing(sql, 0) != len(sql)-1 {
		return "", false
	}
	inner := sql[1 : len(sql)-1]
	if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(inner)), "SELECT ") {
		return "", false
	}
	return inner, true
}

// closing is the position of the parenthesis that closes the one at open, -1 if there is none.
func closing(sql string, open int) int {
	depth := 0
	for i := open; i < len(sql); i++ {
		switch sql[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		case '\'', '"':
			i = endOfQuote(sql, i)
		}
	}
	return -1
}

// endOfQuote is the position of the quote that ends the string or name which begins at start.
func endOfQuote(sql string, start int) int {
	for i := start + 1; i < len(sql); i++ {
		if sql[i] == sql[start] {
			if i+1 < len(sql) && sql[i+1] == sql[start] {
				i++
				continue
			}
			return i
		}
	}
	return len(sql) - 1
}

// splitTop splits sql at an operator outside of parentheses, quotes and BETWEEN .. AND and CASE .. END.
func splitTop(sql, operator string) []string {
	var parts []string
	start, cases, between := 0, 0, false
	for i := 0; i < len(sql); i++ {
		switch {
		case sql[i] == '(':
			if end := closing(sql, i); end > 0 {
				i = end
			}
		case sql[i] == '\'' || sql[i] == '"':
			i = endOfQuote(sql, i)
		case word(sql, i, "CASE"):
			cases++
		case word(sql, i, "END"):
			cases--
		case word(sql, i, "BETWEEN"):
			between = true
		case cases == 0 && strings.HasPrefix(sql[i:], " AND ") && between:
			between = false
			i += len(" AND ") - 1
		case cases == 0 && strings.HasPrefix(sql[i:], operator):
			parts = append(parts, sql[start:i])
			i += len(operator) - 1
			start = i + 1
		}
	}
	return append(parts, sql[start:])
}

// word reports whether the word w stands at position i.
func word(sql string, i int, w string) bool {
	return strings.HasPrefix(sql[i:], w) && (i == 0 || !nameByte(sql[i-1])) && (i+len(w) == len(sql) || !nameByte(sql[i+len(w)]))
}

func nameByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// isCall reports whether sql is a function call and nothing else.
func isCall(sql string) bool {
	i := 0
	for i < len(sql) && (nameByte(sql[i]) || sql[i] == '.') {
		i++
	}
	return i > 0 && i < len(sql) && sql[i] == '(' && closing(sql, i) == len(sql)-1
}
