package types

import (
	"strings"

	"holdfast/sql/errs"
)

// newRecord makes a record of a composite type, all NULL. Dropped attributes have no place in it.
func newRecord(t *Type) *Record {
	r := &Record{}
	for _, f := range t.Fields {
		if !f.Dropped {
			r.Types = append(r.Types, f.Type)
			r.Names = append(r.Names, f.Name)
		}
	}
	r.Values = make([]Datum, len(r.Types))
	return r
}

// appendRecord is record_out.
func appendRecord(dst []byte, r *Record, env *Env) []byte {
	dst = append(dst, '(')
	for i, v := range r.Values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !v.IsNull() {
			start := len(dst)
			dst = quoteField(AppendText(dst, r.Types[i], v, env), start)
		}
	}
	return append(dst, ')')
}

// quoteField quotes dst[start:] as a field of a record or a bound of a range, if needed.
func quoteField(dst []byte, start int) []byte {
	text := dst[start:]
	quote := len(text) == 0
	for _, c := range text {
		if c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || isSpace(c) {
			quote = true
			break
		}
	}
	if !quote {
		return dst
	}
	raw := string(text)
	dst = append(dst[:start], '"')
	for i := range len(raw) {
		if raw[i] == '"' || raw[i] == '\\' {
			dst = append(dst, raw[i])
		}
		dst = append(dst, raw[i])
	}
	return append(dst, '"')
}

// readField reads a field of a record or a bound of a range up to one of the stop characters outside of quotes: with
// doubled quotes and backslashes taken away. ok is false at the end of the input.
func readField(s, stop string) (text, rest string, ok bool) {
	var b []byte
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case !quoted && strings.IndexByte(stop, c) >= 0:
			return string(b), s[i:], true
		case c == '\\':
			if i++; i < len(s) {
				b = append(b, s[i])
			}
		case c == '"' && quoted && i+1 < len(s) && s[i+1] == '"':
			b = append(b, '"')
			i++
		case c == '"':
			quoted = !quoted
		default:
			b = append(b, c)
		}
	}
	return "", "", false
}

// parseRecord is record_in, for a composite type.
func parseRecord(t *Type, text string, env *Env) (Datum, error) {
	malformed := func(detail string) (Datum, error) {
		return Null, errs.New(errs.InvalidTextRepresentation, "malformed record literal: \"%s\"", text).WithDetail("%s", detail)
	}
	s := strings.TrimLeft(text, " \t\n\v\f\r")
	if !strings.HasPrefix(s, "(") {
		return malformed("Missing left parenthesis.")
	}
	s = s[1:]
	r := newRecord(t)
	i := 0
	for _, f := range t.Fields {
		if f.Dropped {
			continue
		}
		if i > 0 {
			if !strings.HasPrefix(s, ",") {
				return malformed("Too few columns.")
			}
			s = s[1:]
		}
		if s != "" && (s[0] == ',' || s[0] == ')') {
			i++ // nothing is NULL
			continue
		}
		field, rest, ok := readField(s, ",)")
		if !ok {
			return malformed("Unexpected end of input.")
		}
		d, err := ParseText(f.Type, f.Typmod, field, env)
		if err != nil {
			return Null, err
		}
		r.Values[i] = d
		i++
		s = rest
	}
	if !strings.HasPrefix(s, ")") {
		return malformed("Too many columns.")
	}
	if trimSpace(s[1:]) != "" {
		return malformed("Junk after right parenthesis.")
	}
	return NewAny(r), nil
}
