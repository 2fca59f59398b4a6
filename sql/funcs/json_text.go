package funcs

import (
	"strconv"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Functions that take JSON apart. They work on the text: a value of type json must be returned as it was written,
// and a part of the normalized text of a jsonb is the normalized text of the part. The text is known to be well formed.

// jsonKind is the kind of a value by its first character.
func jsonKind(text string) types.JSONKind {
	text = jsonTrim(text)
	if text == "" {
		return types.JSONNullKind
	}
	switch text[0] {
	case '{':
		return types.JSONObjectKind
	case '[':
		return types.JSONArrayKind
	case '"':
		return types.JSONStringKind
	case 't', 'f':
		return types.JSONBoolKind
	case 'n':
		return types.JSONNullKind
	}
	return types.JSONNumberKind
}

func jsonTrim(text string) string { return strings.Trim(text, " \t\r\n") }

// jsonSkip is the offset of the end of the value that begins at an offset, or of the string there.
func jsonSkip(text string, at int) int {
	depth := 0
	for i := at; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// jsonElements calls f with the elements of an array until it returns false.
func jsonElements(text string, f func(element string) bool) {
	text = jsonTrim(text)
	for at := 1; at < len(text); {
		end := jsonSkip(text, at+jsonBlanks(text[at:]))
		element := jsonTrim(text[at:end])
		if element == "" || !f(element) {
			return
		}
		comma := strings.IndexByte(text[end:], ',')
		if comma < 0 {
			return
		}
		at = end + comma + 1
	}
}

func jsonBlanks(text string) int { return len(text) - len(strings.TrimLeft(text, " \t\r\n")) }

// jsonMembers calls f with the members of an object, the key still as it is written, until it returns false.
func jsonMembers(text string, f func(key, value string) bool) {
	text = jsonTrim(text)
	for at := 1; at < len(text); {
		at += jsonBlanks(text[at:])
		if text[at] != '"' {
			return
		}
		end := jsonSkip(text, at)
		key := text[at:end]
		at = end + strings.IndexByte(text[end:], ':') + 1
		at += jsonBlanks(text[at:])
		end = jsonSkip(text, at)
		if !f(key, jsonTrim(text[at:end])) {
			return
		}
		comma := strings.IndexByte(text[end:], ',')
		if comma < 0 {
			return
		}
		at = end + comma + 1
	}
}

// jsonString reads a string with its quotes.
func jsonString(quoted string) string {
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	v, err := types.ParseJSONValue(quoted)
	if err != nil {
		return quoted[1 : len(quoted)-1]
	}
	return v.Str
}

// jsonAsText is a value as text: strings without quotes, null as NULL.
func jsonAsText(value string) types.Datum {
	switch jsonKind(value) {
	case types.JSONNullKind:
		return types.Null
	case types.JSONStringKind:
		return types.NewString(jsonString(value))
	}
	return types.NewString(value)
}

// jsonField is the value of a key, the last one if there are several.
func jsonField(text, key string) (value string, ok bool) {
	if jsonKind(text) != types.JSONObjectKind {
		return "", false
	}
	jsonMembers(text, func(k, v string) bool {
		if jsonString(k) == key {
			value, ok = v, true
		}
		return true
	})
	return value, ok
}

func jsonLength(text string) (n int64) {
	jsonElements(text, func(string) bool { n++; return true })
	return n
}

// jsonElement is an element by its number from 0, or from the end if negative.
func jsonElement(text string, n int64) (value string, ok bool) {
	if jsonKind(text) != types.JSONArrayKind {
		return "", false
	}
	if n < 0 {
		n += jsonLength(text)
	}
	jsonElements(text, func(v string) bool {
		if n == 0 {
			value, ok = v, true
		}
		n--
		return !ok
	})
	return value, ok
}

// jsonPath follows a path of keys and numbers.
func jsonPath(text string, path *types.Array) (value string, ok bool) {
	value = jsonTrim(text)
	for _, step := range path.Elems {
		if step.IsNull() {
			return "", false
		}
		switch jsonKind(value) {
		case types.JSONObjectKind:
			value, ok = jsonField(value, step.Str())
		case types.JSONArrayKind:
			n, err := strconv.ParseInt(strings.TrimSpace(step.Str()), 10, 32)
			if err != nil {
				return "", false
			}
			value, ok = jsonElement(value, n)
		default:
			return "", false
		}
		if !ok {
			return "", false
		}
	}
	return value, true
}

// jsonPart makes the two functions of a way to reach a part: one that returns it, one that returns it as text.
func jsonPart(find func(text string, arg types.Datum) (string, bool)) (asIs, asText Kernel) {
	kernel := func(result func(string) types.Datum) Kernel {
		return perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if v, ok := find(args[0].Str(), args[1]); ok {
				return result(v), nil
			}
			return types.Null, nil
		})
	}
	return kernel(types.NewString), kernel(jsonAsText)
}

func jsonKindError(format string, args ...any) error {
	return errs.New(errs.InvalidParameterValue, format, args...)
}

var jsonKindNames = map[types.JSONKind]string{types.JSONNullKind: "null", types.JSONStringKind: "string", types.JSONNumberKind: "number",
	types.JSONBoolKind: "boolean", types.JSONArrayKind: "array", types.JSONObjectKind: "object"}

// jsonStrip leaves out object members that are null, at all depths, with the separators of the type.
func jsonStrip(b []byte, text, comma, colon string) []byte {
	first := true
	separate := func() {
		if !first {
			b = append(b, comma...)
		}
		first = false
	}
	switch jsonKind(text) {
	case types.JSONObjectKind:
		b = append(b, '{')
		jsonMembers(text, func(k, v string) bool {
			if jsonKind(v) != types.JSONNullKind {
				separate()
				b = append(types.AppendJSONString(b, jsonString(k)), colon...)
				b = jsonStrip(b, v, comma, colon)
			}
			return true
		})
		return append(b, '}')
	case types.JSONArrayKind:
		b = append(b, '[')
		jsonElements(text, func(v string) bool {
			separate()
			b = jsonStrip(b, v, comma, colon)
			return true
		})
		return append(b, ']')
	}
	return append(b, jsonTrim(text)...)
}

// jsonPretty is jsonb_pretty.
func jsonPretty(b []byte, text string, depth int) []byte {
	indent := func(n int) { b = append(append(b, '\n'), strings.Repeat("    ", n)...) }
	first := true
	next := func() {
		if !first {
			b = append(b, ',')
		}
		first = false
		indent(depth + 1)
	}
	switch jsonKind(text) {
	case types.JSONObjectKind:
		b = append(b, '{')
		jsonMembers(text, func(k, v string) bool {
			next()
			b = append(append(b, k...), ": "...)
			b = jsonPretty(b, v, depth+1)
			return true
		})
		indent(depth)
		return append(b, '}')
	case types.JSONArrayKind:
		b = append(b, '[')
		jsonElements(text, func(v string) bool {
			next()
			b = jsonPretty(b, v, depth+1)
			return true
		})
		indent(depth)
		return append(b, ']')
	}
	return append(b, text...)
}

func jsonTextFuncs() kernels {
	k := kernels{}
	field, fieldText := jsonPart(func(text string, key types.Datum) (string, bool) { return jsonField(text, key.Str()) })
	element, elementText := jsonPart(func(text string, n types.Datum) (string, bool) { return jsonElement(text, n.Int()) })
	// The text of a jsonb that is a scalar counts as an array of one.
	elementB, elementTextB := jsonPart(func(text string, n types.Datum) (string, bool) {
		if kind := jsonKind(text); kind != types.JSONArrayKind && kind != types.JSONObjectKind {
			return text, n.Int() == 0 || n.Int() == -1
		}
		return jsonElement(text, n.Int())
	})
	path, pathText := jsonPart(func(text string, p types.Datum) (string, bool) { return jsonPath(text, arrayOf(p)) })
	for _, t := range []string{"json", "jsonb"} {
		k[t+"_object_field"], k[t+"_object_field_text"] = field, fieldText
		k[t+"_extract_path"], k[t+"_extract_path_text"] = path, pathText
		k[t+"_typeof"] = pure1(func(text string) string { return jsonKindNames[jsonKind(text)] })
		k[t+"_array_length"] = lift1(func(text string) (int64, error) {
			switch jsonKind(text) {
			case types.JSONArrayKind:
				return jsonLength(text), nil
			case types.JSONObjectKind:
				return 0, jsonKindError("cannot get array length of a non-array")
			}
			return 0, jsonKindError("cannot get array length of a scalar")
		})
	}
	k["json_array_element"], k["json_array_element_text"] = element, elementText
	k["jsonb_array_element"], k["jsonb_array_element_text"] = elementB, elementTextB
	k["json_strip_nulls"] = pure1(func(text string) string { return string(jsonStrip(nil, text, ",", ":")) })
	k["jsonb_strip_nulls"] = pure1(func(text string) string { return string(jsonStrip(nil, text, ", ", ": ")) })
	k["jsonb_pretty"] = pure1(func(text string) string { return string(jsonPretty(nil, text, 0)) })
	return k
}

// jsonTextSets are the functions that return elements, members or keys as rows.
func jsonTextSets() setKernels {
	k := setKernels{}
	for _, t := range []string{"json", "jsonb"} {
		binary := t == "jsonb"
		for _, asText := range []bool{false, true} {
			suffix, result := "", types.NewString
			if asText {
				suffix, result = "_text", jsonAsText
			}
			elements, each := t+"_array_elements"+suffix, t+"_each"+suffix
			k[elements] = func(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
				text := args[0].Str()
				if kind := jsonKind(text); kind != types.JSONArrayKind {
					return nil, notElements(binary, kind == types.JSONObjectKind, elements)
				}
				var rows []types.Datum
				jsonElements(text, func(v string) bool {
					rows = append(rows, result(v))
					return true
				})
				return EachDatum(rows), nil
			}
			k[each] = func(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
				text := args[0].Str()
				if kind := jsonKind(text); kind != types.JSONObjectKind {
					return nil, notMembers(binary, kind == types.JSONArrayKind, each)
				}
				var rows [][]types.Datum
				jsonMembers(text, func(key, v string) bool {
					rows = append(rows, []types.Datum{types.NewString(jsonString(key)), result(v)})
					return true
				})
				return EachRow(rows), nil
			}
		}
		keys := t + "_object_keys"
		k[keys] = func(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
			text := args[0].Str()
			switch jsonKind(text) {
			case types.JSONObjectKind:
			case types.JSONArrayKind:
				return nil, jsonKindError("cannot call %s on an array", keys)
			default:
				return nil, jsonKindError("cannot call %s on a scalar", keys)
			}
			var rows []types.Datum
			jsonMembers(text, func(key, _ string) bool {
				rows = append(rows, types.NewString(jsonString(key)))
				return true
			})
			return EachDatum(rows), nil
		}
	}
	return k
}

func notElements(binary, object bool, name string) error {
	switch {
	case binary && object:
		return jsonKindError("cannot extract elements from an object")
	case binary:
		return jsonKindError("cannot extract elements from a scalar")
	case object:
		return jsonKindError("cannot call %s on a non-array", name)
	}
	return jsonKindError("cannot call %s on a scalar", name)
}

func notMembers(binary, array bool, name string) error {
	switch {
	case binary:
		return jsonKindError("cannot call %s on a non-object", name)
	case array:
		return jsonKindError("cannot deconstruct an array as an object")
	}
	return jsonKindError("cannot deconstruct a scalar")
}
