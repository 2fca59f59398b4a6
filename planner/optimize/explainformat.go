package optimize

import (
	"encoding/json"
	"fmt"
	"html"
	"strconv"
	"strings"
)

// A plan, and what is said beside it, is printed as PostgreSQL prints it: in text by the rules of text, and in JSON, YAML and XML as
// one tree of named values in a fixed order, which is a Group.

// Format is a format of EXPLAIN.
type Format string

const (
	FormatText Format = "text"
	FormatJSON Format = "json"
	FormatYAML Format = "yaml"
	FormatXML  Format = "xml"
)

// Group is a list of named values, in order.
type Group []Property

// Property is a named value: a string, Number, bool, Group, []Group or []string. In XML the elements of a list called "Plans" are
// called "Plan".
type Property struct {
	Name  string
	Value any
}

// Number is a number as it is printed.
type Number string

func integer(n int64) Number { return Number(strconv.FormatInt(n, 10)) }

func decimal(x float64, digits int) Number { return Number(strconv.FormatFloat(x, 'f', digits, 64)) }

// Add appends a property.
func (g *Group) Add(name string, value any) { *g = append(*g, Property{name, value}) }

// Print prints what EXPLAIN says of one statement, or of several parts of it. The lines of JSON are one, as in PostgreSQL.
func Print(f Format, list []Group) []string {
	var b strings.Builder
	switch f {
	case FormatYAML:
		for i, g := range list {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString("- ")
			g.yaml(&b, 2)
		}
	case FormatXML:
		b.WriteString(`<explain xmlns="http://www.postgresql.org/2009/explain">`)
		for _, g := range list {
			b.WriteString("\n  <Query>")
			g.xml(&b, 4)
			b.WriteString("\n  </Query>")
		}
		b.WriteString("\n</explain>")
	default:
		groupsJSON(&b, list, 0)
	}
	return []string{b.String()}
}

func newLine(b *strings.Builder, depth int) {
	b.WriteByte('\n')
	b.WriteString(strings.Repeat(" ", depth))
}

func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be
	return strings.TrimSuffix(b.String(), "\n")
}

// scalar prints a value that has no parts, the same in JSON and YAML.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case Number:
		return string(v)
	}
	return fmt.Sprint(v)
}

func groupsJSON(b *strings.Builder, list []Group, depth int) {
	b.WriteByte('[')
	for i, g := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		newLine(b, depth+2)
		g.json(b, depth+2)
	}
	newLine(b, depth)
	b.WriteByte(']')
}

func (g Group) json(b *strings.Builder, depth int) {
	b.WriteByte('{')
	for i, p := range g {
		if i > 0 {
			b.WriteByte(',')
		}
		newLine(b, depth+2)
		b.WriteString(quoted(p.Name) + ": ")
		switch v := p.Value.(type) {
		case Group:
			v.json(b, depth+2)
		case []Group:
			groupsJSON(b, v, depth+2)
		case []string:
			parts := make([]string, len(v))
			for i, s := range v {
				parts[i] = quoted(s)
			}
			b.WriteString("[" + strings.Join(parts, ", ") + "]")
		default:
			b.WriteString(scalar(v))
		}
	}
	newLine(b, depth)
	b.WriteByte('}')
}

func (g Group) yaml(b *strings.Builder, depth int) {
	for i, p := range g {
		if i > 0 {
			newLine(b, depth)
		}
		b.WriteString(p.Name + ": ")
		switch v := p.Value.(type) {
		case Group:
			newLine(b, depth+2)
			v.yaml(b, depth+2)
		case []Group:
			for _, e := range v {
				newLine(b, depth+2)
				b.WriteString("- ")
				e.yaml(b, depth+4)
			}
		case []string:
			for _, s := range v {
				newLine(b, depth+2)
				b.WriteString("- " + quoted(s))
			}
		default:
			b.WriteString(scalar(v))
		}
	}
}

func (g Group) xml(b *strings.Builder, depth int) {
	for _, p := range g {
		name := strings.ReplaceAll(p.Name, " ", "-")
		newLine(b, depth)
		b.WriteString("<" + name + ">")
		switch v := p.Value.(type) {
		case Group:
			v.xml(b, depth+2)
			newLine(b, depth)
		case []Group:
			for _, e := range v {
				newLine(b, depth+2)
				b.WriteString("<" + strings.TrimSuffix(name, "s") + ">")
				e.xml(b, depth+4)
				newLine(b, depth+2)
				b.WriteString("</" + strings.TrimSuffix(name, "s") + ">")
			}
			newLine(b, depth)
		case []string:
			for _, s := range v {
				newLine(b, depth+2)
				b.WriteString("<Item>" + html.EscapeString(s) + "</Item>")
			}
			newLine(b, depth)
		case string:
			b.WriteString(html.EscapeString(v))
		default:
			b.WriteString(scalar(v))
		}
		b.WriteString("</" + name + ">")
	}
}
