package ast

import "strings"

// Keywords that cannot stand for a name everywhere without quotes, in PostgreSQL's three classes. (The
// unreserved ones can.)
const (
	reservedKeywords = `
	all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
	current_catalog current_date current_role current_time current_timestamp current_user default deferrable
	desc distinct do else end except false fetch for foreign from grant group having in initially intersect
	into lateral leading limit localtime localtimestamp not null offset on only or order placing primary
	references returning select session_user some symmetric system_user table then to trailing true union
	unique user using variadic when where window with`
	// usable as names of functions and types
	functionKeywords = `
	authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join
	left like natural notnull outer overlaps right similar tablesample verbose`
	// usable as names of columns and tables
	columnKeywords = `
	between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout
	int integer interval json_array json_arrayagg json_object json_objectagg least national nchar none
	normalize nullif numeric out overlay position precision real row setof smallint substring time timestamp
	treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse
	xmlpi xmlroot xmlserialize xmltable`
)

var quotedKeywords = func() map[string]bool {
	m := map[string]bool{}
	for _, class := range []string{reservedKeywords, functionKeywords, columnKeywords} {
		for _, w := range strings.Fields(class) {
			m[w] = true
		}
	}
	return m
}()

// QuoteIdent is name as it must be written in SQL: in double quotes if it is not a lower-case identifier, or
// is a keyword of any class but the unreserved. It is what quote_ident gives.
func QuoteIdent(name string) string {
	if isPlainIdent(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func isPlainIdent(name string) bool {
	for i := 0; i < len(name); i++ {
		switch b := name[i]; {
		case b >= 'a' && b <= 'z', b == '_', i > 0 && b >= '0' && b <= '9':
		default:
			return false
		}
	}
	return name != "" && !quotedKeywords[name]
}

// QuoteLiteral is s as a string constant. It is what quote_literal gives: a string with a backslash is
// written in the E form, so that it reads the same whatever standard_conforming_strings is.
func QuoteLiteral(s string) string {
	quoted := strings.ReplaceAll(s, "'", "''")
	if strings.Contains(s, `\`) {
		return "E'" + strings.ReplaceAll(quoted, `\`, `\\`) + "'"
	}
	return "'" + quoted + "'"
}

// SplitName splits a qualified name as text ('public."My table"') into its parts: unquoted parts are folded to
// lower case, quoted ones taken as they stand. ok is false if it is not a name.
func SplitName(text string) (parts []string, ok bool) {
	const space = " \t\n\r\f\v"
	rest := strings.Trim(text, space)
	for {
		var part string
		if strings.HasPrefix(rest, `"`) {
			var b strings.Builder
			rest = rest[1:]
			for {
				n := strings.IndexByte(rest, '"')
				if n < 0 {
					return nil, false
				}
				b.WriteString(rest[:n])
				rest = rest[n+1:]
				if !strings.HasPrefix(rest, `"`) {
					break
				}
				b.WriteByte('"')
				rest = rest[1:]
			}
			part = b.String()
		} else {
			n := strings.IndexAny(rest, "."+space)
			if n < 0 {
				n = len(rest)
			}
			part, rest = lowerASCII(rest[:n]), rest[n:]
		}
		if part == "" {
			return nil, false
		}
		parts = append(parts, part)
		rest = strings.TrimLeft(rest, space)
		if rest == "" {
			return parts, true
		}
		if rest[0] != '.' {
			return nil, false
		}
		rest = strings.TrimLeft(rest[1:], space)
	}
}

// lowerASCII folds as the grammar folds identifiers in UTF-8: only ASCII letters.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
