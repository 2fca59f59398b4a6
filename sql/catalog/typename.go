package catalog

import (
	"strconv"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// typeAliases are SQL's spellings of built-in types. Those of several words are joined by spaces.
var typeAliases = map[string]string{
	"int": "int4", "integer": "int4", "smallint": "int2", "bigint": "int8", "real": "float4", "double precision": "float8",
	"decimal": "numeric", "dec": "numeric", "numeric": "numeric", "boolean": "bool", "character": "bpchar", "char": "bpchar", "nchar": "bpchar",
	"national character": "bpchar", "national char": "bpchar", "character varying": "varchar", "char varying": "varchar",
	"national character varying": "varchar", "national char varying": "varchar", "nchar varying": "varchar", "bit varying": "varbit",
	"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp", "time with time zone": "timetz",
	"time without time zone": "time", "float": "float8",
}

// ParseTypeName finds the type that a text names as SQL does: `varchar(10)`, `timestamp(3) with time zone`,
// `public."Mood"[]`. Errors are 42601, 42704 and 3F000.
func (s *Snapshot) ParseTypeName(name string, searchPath []string) (*types.Type, int32, error) {
	p := typeNameParser{text: name}
	if err := p.parse(); err != nil {
		return nil, 0, err
	}
	t, err := s.resolveTypeName(&p, searchPath)
	if err != nil {
		return nil, 0, err
	}
	mod := types.NoTypmod
	if len(p.mods) > 0 {
		if mod, err = types.TypmodFromArgs(t, p.mods); err != nil {
			return nil, 0, err
		}
	}
	if p.array {
		if t.Array == nil {
			return nil, 0, errs.New(errs.UndefinedObject, "type \"%s[]\" does not exist", t.Name)
		}
		t = t.Array
	}
	return t, mod, nil
}

func (s *Snapshot) resolveTypeName(p *typeNameParser, searchPath []string) (*types.Type, error) {
	if len(p.names) == 1 && !p.quoted {
		if internal, ok := typeAliases[p.names[0]]; ok {
			if p.names[0] == "float" && len(p.mods) == 1 {
				if p.mods[0] <= 24 {
					internal = "float4"
				}
				p.mods = nil
			}
			return types.ByName(internal), nil
		}
	}
	schema := ""
	if len(p.names) > 1 {
		schema = p.names[len(p.names)-2]
	}
	return s.LookupType(searchPath, schema, p.names[len(p.names)-1])
}

// typeNameParser takes a type name apart.
type typeNameParser struct {
	text   string
	pos    int
	names  []string // the parts of a qualified name; words of SQL's own names joined
	quoted bool
	mods   []int32
	array  bool
}

func (p *typeNameParser) invalid() error {
	rest := strings.TrimSpace(p.text[p.pos:])
	if rest == "" || strings.TrimSpace(p.text) == "" {
		return errs.New(errs.SyntaxError, "invalid type name %q", p.text)
	}
	word := strings.Fields(rest)[0]
	e := errs.New(errs.SyntaxError, "syntax error at or near %q", word)
	e.Where = "invalid type name \"" + p.text + "\""
	return e
}

func (p *typeNameParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\n\r\f", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// accept moves past c if it comes next.
func (p *typeNameParser) accept(c byte) bool {
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// name reads an identifier, folded to lower case unless quoted.
func (p *typeNameParser) name() (name string, quoted, ok bool) {
	p.space()
	if p.pos >= len(p.text) {
		return "", false, false
	}
	if p.text[p.pos] == '"' {
		end := endOfQuote(p.text, p.pos)
		if end <= p.pos || p.text[end] != '"' || end == p.pos+1 {
			return "", false, false
		}
		name = strings.ReplaceAll(p.text[p.pos+1:end], `""`, `"`)
		p.pos = end + 1
		return name, true, true
	}
	start := p.pos
	for p.pos < len(p.text) && nameByte(p.text[p.pos]) {
		p.pos++
	}
	if p.pos == start || p.text[start] >= '0' && p.text[start] <= '9' || p.text[start] == '$' {
		p.pos = start
		return "", false, false
	}
	return strings.ToLower(p.text[start:p.pos]), false, true
}

func (p *typeNameParser) parse() error {
	name, quoted, ok := p.name()
	if !ok {
		return p.invalid()
	}
	if name == "setof" && !quoted {
		return errs.New(errs.SyntaxError, "invalid type name %q", p.text)
	}
	p.names, p.quoted = []string{name}, quoted
	for p.accept('.') {
		if name, _, ok = p.name(); !ok {
			return p.invalid()
		}
		p.names = append(p.names, name)
	}
	if len(p.names) == 1 && !quoted {
		p.words(typePrefixes[name])
	}
	if err := p.modifiers(); err != nil {
		return err
	}
	if first := p.names[0]; len(p.names) == 1 && !quoted && (first == "timestamp" || first == "time") {
		p.words([]string{"with time zone", "without time zone"})
	} else if len(p.names) == 1 && !quoted && first == "interval" {
		p.words(intervalFields)
		p.names[0] = "interval"
	}
	return p.dimensions()
}

// typePrefixes are the words that may follow the first one of SQL's names.
var typePrefixes = map[string][]string{
	"double": {"precision"}, "character": {"varying"}, "char": {"varying"}, "bit": {"varying"}, "nchar": {"varying"},
	"national": {"character varying", "char varying", "character", "char"},
}

var intervalFields = []string{"year to month", "day to second", "day to minute", "day to hour", "hour to second", "hour to minute",
	"minute to second", "year", "month", "day", "hour", "minute", "second"}

// words joins one of the continuations to the name if it comes next.
func (p *typeNameParser) words(continuations []string) {
	for _, c := range continuations {
		start := p.pos
		matched := true
		for _, w := range strings.Fields(c) {
			name, quoted, ok := p.name()
			if matched = matched && ok && !quoted && name == w; !matched {
				break
			}
		}
		if matched {
			p.names[0] += " " + c
			return
		}
		p.pos = start
	}
}

func (p *typeNameParser) modifiers() error {
	if !p.accept('(') {
		return nil
	}
	for {
		p.space()
		start := p.pos
		for p.pos < len(p.text) && (p.text[p.pos] == '-' || p.text[p.pos] >= '0' && p.text[p.pos] <= '9') {
			p.pos++
		}
		n, err := strconv.ParseInt(p.text[start:p.pos], 10, 32)
		if err != nil {
			p.pos = start
			return p.invalid()
		}
		p.mods = append(p.mods, int32(n))
		if p.accept(')') {
			return nil
		}
		if !p.accept(',') {
			return p.invalid()
		}
	}
}

func (p *typeNameParser) dimensions() error {
	p.space()
	if start := p.pos; len(p.names) == 1 {
		if w, quoted, ok := p.name(); ok && w == "array" && !quoted {
			p.array = true
		} else {
			p.pos = start
		}
	}
	for p.accept('[') {
		p.array = true
		for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
			p.pos++
		}
		if !p.accept(']') {
			return p.invalid()
		}
	}
	p.space()
	if p.pos < len(p.text) {
		return p.invalid()
	}
	return nil
}

// splitName takes a possibly qualified name apart, as PostgreSQL does for arguments that name objects. The
// error is 42602.
func splitName(name string) ([]string, error) {
	p := typeNameParser{text: name}
	var parts []string
	for {
		part, _, ok := p.name()
		if !ok {
			return nil, errs.New(errs.InvalidName, "invalid name syntax")
		}
		parts = append(parts, truncateName(part))
		if !p.accept('.') {
			break
		}
	}
	if p.space(); p.pos < len(p.text) {
		return nil, errs.New(errs.InvalidName, "invalid name syntax")
	}
	return parts, nil
}
