package funcs

import (
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Functions that make JSON of SQL values.

// appendJSON appends a value as to_json does. pretty puts line feeds between the parts of the outermost array or record.
func appendJSON(b []byte, ctx *Ctx, t *types.Type, d types.Datum, pretty bool) []byte {
	if d.IsNull() {
		return append(b, "null"...)
	}
	u := t.Underlying()
	comma := ","
	if pretty {
		comma = ",\n "
	}
	switch {
	case u == types.Bool:
		if d.Bool() {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case u == types.JSON || u == types.JSONB:
		return append(b, d.Str()...)
	case u == types.Date || u == types.Timestamp || u == types.TimestampTZ:
		return append(append(append(b, '"'), isoTime(ctx, u, d)...), '"')
	case u.Elem != nil && (u.IsArray() || u == types.Int2Vector || u == types.OidVector || u == types.AnyArray):
		a := arrayOf(d)
		b, _ = appendJSONArray(b, ctx, a, 0, a.Elems, comma)
		return b
	case d.Rep() == types.RepAny && (u == types.RecordType || u.Kind == 'c'):
		r := d.Any().(*types.Record)
		b = append(b, '{')
		for i, v := range r.Values {
			if i > 0 {
				b = append(b, comma...)
			}
			b = append(types.AppendJSONString(b, fieldName(u, r, i)), ':')
			b = appendJSON(b, ctx, r.Types[i], v, false)
		}
		return append(b, '}')
	}
	text := types.AppendText(nil, t, d, ctx.env())
	if isNumber(u) && !strings.ContainsAny(string(text), "NI") { // NaN and Infinity are strings
		return append(b, text...)
	}
	return types.AppendJSONString(b, string(text))
}

func isNumber(t *types.Type) bool {
	switch t {
	case types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Numeric:
		return true
	}
	return false
}

func fieldName(t *types.Type, r *types.Record, i int) string {
	if i < len(r.Names) && r.Names[i] != "" {
		return r.Names[i]
	}
	if n := i; t.Kind == 'c' {
		for _, f := range t.Fields {
			if f.Dropped {
				continue
			}
			if n == 0 {
				return f.Name
			}
			n--
		}
	}
	return "f" + string(types.AppendText(nil, types.Int4, types.NewInt(int64(i+1)), types.DefaultEnv))
}

// appendJSONArray appends one dimension of an array and returns the elements of the following ones.
func appendJSONArray(b []byte, ctx *Ctx, a *types.Array, dim int, elems []types.Datum, comma string) ([]byte, []types.Datum) {
	if len(a.Dims) == 0 {
		return append(b, "[]"...), nil
	}
	b = append(b, '[')
	for i := range int(a.Dims[dim]) {
		if i > 0 {
			b = append(b, comma...)
		}
		if dim+1 < len(a.Dims) {
			b, elems = appendJSONArray(b, ctx, a, dim+1, elems, ",")
			continue
		}
		b = appendJSON(b, ctx, a.Elem, elems[0], false)
		elems = elems[1:]
	}
	return append(b, ']'), elems
}

// isoTime is a date or timestamp in the form of ISO 8601, whatever the session's DateStyle.
func isoTime(ctx *Ctx, t *types.Type, d types.Datum) string {
	env := *types.DefaultEnv
	env.Location = ctx.env().Location
	text := string(types.AppendText(nil, t, d, &env))
	day, clock, ok := strings.Cut(text, " ")
	if !ok || clock == "BC" {
		return text
	}
	if t == types.TimestampTZ {
		clock, era, hasEra := strings.Cut(clock, " ")
		if i := strings.LastIndexAny(clock, "+-"); i >= 0 && !strings.Contains(clock[i:], ":") {
			clock += ":00"
		}
		if hasEra {
			clock += " " + era
		}
		return day + "T" + clock
	}
	return day + "T" + clock
}

// jsonValueOf is a value as to_jsonb makes it.
func jsonValueOf(ctx *Ctx, t *types.Type, d types.Datum) (types.JSONValue, error) {
	return types.ParseJSONValue(string(appendJSON(nil, ctx, t, d, false)))
}

func toJSONB(ctx *Ctx, t *types.Type, d types.Datum) (types.Datum, error) {
	v, err := jsonValueOf(ctx, t, d)
	if err != nil {
		return types.Null, err
	}
	return types.NewString(string(v.Append(nil))), nil
}

// jsonKey is a value as the key of a member.
func jsonKey(ctx *Ctx, t *types.Type, d types.Datum) (string, error) {
	u := t.Underlying()
	if u.Elem != nil || u.Kind == 'c' || u == types.RecordType || u == types.JSON || u == types.JSONB {
		return "", errs.New(errs.InvalidParameterValue, "key value must be scalar, not array, composite, or json")
	}
	switch u {
	case types.Bool:
		if d.Bool() {
			return "true", nil
		}
		return "false", nil
	case types.Date, types.Timestamp, types.TimestampTZ:
		return isoTime(ctx, u, d), nil
	}
	return string(types.AppendText(nil, t, d, ctx.env())), nil
}

func oddArguments(name string) error {
	return errs.New(errs.InvalidParameterValue, "argument list must have even number of elements").
		WithHint("The arguments of %s() must consist of alternating keys and values.", name)
}

func jsonBuildObject(ctx *Ctx, ts []*types.Type, args []types.Datum) (types.Datum, error) {
	if len(args)%2 != 0 {
		return types.Null, oddArguments("json_build_object")
	}
	b := []byte{'{'}
	for i := 0; i < len(args); i += 2 {
		if i > 0 {
			b = append(b, ", "...)
		}
		if args[i].IsNull() {
			return types.Null, errs.New(errs.InvalidParameterValue, "argument %d cannot be null", i+1).WithHint("Object keys should be text.")
		}
		key, err := jsonKey(ctx, ts[i], args[i])
		if err != nil {
			return types.Null, err
		}
		b = append(types.AppendJSONString(b, key), " : "...)
		b = appendJSON(b, ctx, ts[i+1], args[i+1], false)
	}
	return types.NewString(string(append(b, '}'))), nil
}

func jsonbBuildObject(ctx *Ctx, ts []*types.Type, args []types.Datum) (types.Datum, error) {
	if len(args)%2 != 0 {
		return types.Null, oddArguments("jsonb_build_object")
	}
	members := make([]types.JSONMember, 0, len(args)/2)
	for i := 0; i < len(args); i += 2 {
		if args[i].IsNull() {
			return types.Null, errs.New(errs.InvalidParameterValue, "argument %d: key must not be null", i+1)
		}
		key, err := jsonKey(ctx, ts[i], args[i])
		if err != nil {
			return types.Null, err
		}
		v, err := jsonValueOf(ctx, ts[i+1], args[i+1])
		if err != nil {
			return types.Null, err
		}
		members = append(members, types.JSONMember{Key: key, Value: v})
	}
	return jsonDatum(types.JSONValue{Kind: types.JSONObjectKind, Members: types.SortMembers(members)}), nil
}

func jsonDatum(v types.JSONValue) types.Datum { return types.NewString(string(v.Append(nil))) }

func jsonBuildArray(ctx *Ctx, ts []*types.Type, args []types.Datum) (types.Datum, error) {
	b := []byte{'['}
	for i, d := range args {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendJSON(b, ctx, ts[i], d, false)
	}
	return types.NewString(string(append(b, ']'))), nil
}

func jsonbBuildArray(ctx *Ctx, ts []*types.Type, args []types.Datum) (types.Datum, error) {
	elems := make([]types.JSONValue, len(args))
	for i, d := range args {
		var err error
		if elems[i], err = jsonValueOf(ctx, ts[i], d); err != nil {
			return types.Null, err
		}
	}
	return jsonDatum(types.JSONValue{Kind: types.JSONArrayKind, Elems: elems}), nil
}

// jsonPairs are the keys and values of json_object: from one array, of pairs or alternating, or from two.
func jsonPairs(args []types.Datum) (keys, values []types.Datum, err error) {
	a := arrayOf(args[0])
	if len(args) == 2 {
		b := arrayOf(args[1])
		if len(a.Dims) > 1 || len(b.Dims) > 1 {
			return nil, nil, arraySubscriptError("wrong number of array subscripts")
		}
		if len(a.Elems) != len(b.Elems) {
			return nil, nil, arraySubscriptError("mismatched array dimensions")
		}
		keys, values = a.Elems, b.Elems
	} else {
		switch {
		case len(a.Dims) > 2:
			return nil, nil, arraySubscriptError("wrong number of array subscripts")
		case len(a.Dims) == 2 && a.Dims[1] != 2:
			return nil, nil, arraySubscriptError("array must have two columns")
		case len(a.Elems)%2 != 0:
			return nil, nil, arraySubscriptError("array must have even number of elements")
		}
		for i := 0; i < len(a.Elems); i += 2 {
			keys, values = append(keys, a.Elems[i]), append(values, a.Elems[i+1])
		}
	}
	for _, k := range keys {
		if k.IsNull() {
			return nil, nil, errs.New(errs.NullValueNotAllowed, "null value not allowed for object key")
		}
	}
	return keys, values, nil
}

func jsonObject(ctx *Ctx, args []types.Datum) (types.Datum, error) {
	keys, values, err := jsonPairs(args)
	if err != nil {
		return types.Null, err
	}
	b := []byte{'{'}
	for i, k := range keys {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(types.AppendJSONString(b, k.Str()), " : "...)
		b = appendJSON(b, ctx, types.Text, values[i], false)
	}
	return types.NewString(string(append(b, '}'))), nil
}

func jsonbObject(ctx *Ctx, args []types.Datum) (types.Datum, error) {
	keys, values, err := jsonPairs(args)
	if err != nil {
		return types.Null, err
	}
	members := make([]types.JSONMember, len(keys))
	for i, k := range keys {
		v := types.JSONValue{}
		if !values[i].IsNull() {
			v = types.JSONValue{Kind: types.JSONStringKind, Str: values[i].Str()}
		}
		members[i] = types.JSONMember{Key: k.Str(), Value: v}
	}
	return jsonDatum(types.JSONValue{Kind: types.JSONObjectKind, Members: types.SortMembers(members)}), nil
}

// jsonAgg is json_agg and json_object_agg, as text that grows.
type jsonAgg struct {
	perGroup[[]byte]
	types  []*types.Type
	object bool
	held   int64
}

func (s *jsonAgg) Add(ctx *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	last := args[len(args)-1]
	t := s.types[len(args)-1].Underlying()
	structured := !s.object && (t.Elem != nil || t.Kind == 'c' || t == types.RecordType)
	return feedAll(rows, groups, func(i int, g int32) error {
		b := s.states[g]
		before := cap(b)
		switch {
		case b == nil && s.object:
			b = append(b, "{ "...)
		case b == nil:
			b = append(b, '[')
		case structured && !last.IsNull(i):
			b = append(b, ", \n "...)
		default:
			b = append(b, ", "...)
		}
		if s.object {
			key := args[0].Datum(i)
			if key.IsNull() {
				return errs.New(errs.InvalidParameterValue, "field name must not be null")
			}
			text, err := jsonKey(ctx, s.types[0], key)
			if err != nil {
				return err
			}
			b = append(types.AppendJSONString(b, text), " : "...)
		}
		b = appendJSON(b, ctx, s.types[len(args)-1], last.Datum(i), false)
		s.states[g] = b
		s.held += int64(cap(b) - before)
		return nil
	})
}

func (s *jsonAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	b := s.states[group]
	switch {
	case b == nil:
		return types.Null, nil
	case s.object:
		return types.NewString(string(b) + " }"), nil
	}
	return types.NewString(string(b) + "]"), nil
}

func (s *jsonAgg) Bytes() int64 { return s.perGroup.Bytes() + s.held }

// jsonbAgg is jsonb_agg and jsonb_object_agg.
type jsonbAgg struct {
	perGroup[*types.JSONValue]
	types  []*types.Type
	object bool
	held   int64
}

func (s *jsonbAgg) Add(ctx *Ctx, args []*types.Vec, rows types.Rows, groups []int32) error {
	last := len(args) - 1
	return feedAll(rows, groups, func(i int, g int32) error {
		v, err := jsonValueOf(ctx, s.types[last], args[last].Datum(i))
		if err != nil {
			return err
		}
		state := s.states[g]
		if state == nil {
			state = &types.JSONValue{Kind: types.JSONArrayKind}
			if s.object {
				state.Kind = types.JSONObjectKind
			}
			s.states[g] = state
		}
		s.held += 120
		if !s.object {
			state.Elems = append(state.Elems, v)
			return nil
		}
		key := args[0].Datum(i)
		if key.IsNull() {
			return errs.New(errs.InvalidParameterValue, "field name must not be null")
		}
		text, err := jsonKey(ctx, s.types[0], key)
		if err != nil {
			return err
		}
		state.Members = append(state.Members, types.JSONMember{Key: text, Value: v})
		return nil
	})
}

func (s *jsonbAgg) Result(_ *Ctx, group int) (types.Datum, error) {
	state := s.states[group]
	if state == nil {
		return types.Null, nil
	}
	v := *state
	if s.object {
		v.Members = types.SortMembers(append([]types.JSONMember(nil), v.Members...))
	}
	return jsonDatum(v), nil
}

func (s *jsonbAgg) Bytes() int64 { return s.perGroup.Bytes() + s.held }

func jsonAggregates(a aggregates) {
	a["json_agg(anyelement)"] = func(ts []*types.Type, _ *types.Type) Aggregate { return &jsonAgg{types: ts} }
	a["json_object_agg(any,any)"] = func(ts []*types.Type, _ *types.Type) Aggregate { return &jsonAgg{types: ts, object: true} }
	a["jsonb_agg(anyelement)"] = func(ts []*types.Type, _ *types.Type) Aggregate { return &jsonbAgg{types: ts} }
	a["jsonb_object_agg(any,any)"] = func(ts []*types.Type, _ *types.Type) Aggregate { return &jsonbAgg{types: ts, object: true} }
}

func jsonBuildFuncs() kernels {
	toJSON := func(pretty bool) Kernel {
		return typedRow(func(ctx *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
			return types.NewString(string(appendJSON(nil, ctx, call.args[0], args[0], pretty))), nil
		})
	}
	maybePretty := typedRow(func(ctx *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
		return types.NewString(string(appendJSON(nil, ctx, call.args[0], args[0], args[1].Bool()))), nil
	})
	return kernels{
		"to_json": toJSON(false), "row_to_json": toJSON(false), "array_to_json": toJSON(false),
		"row_to_json_pretty": maybePretty, "array_to_json_pretty": maybePretty,
		"to_jsonb": typedRow(func(ctx *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
			return toJSONB(ctx, call.args[0], args[0])
		}),
		"json_build_object": anyRow(jsonBuildObject), "json_build_object_noargs": anyRow(jsonBuildObject),
		"jsonb_build_object": anyRow(jsonbBuildObject), "jsonb_build_object_noargs": anyRow(jsonbBuildObject),
		"json_build_array": anyRow(jsonBuildArray), "json_build_array_noargs": anyRow(jsonBuildArray),
		"jsonb_build_array": anyRow(jsonbBuildArray), "jsonb_build_array_noargs": anyRow(jsonbBuildArray),
		"json_object": perRow(jsonObject), "json_object_two_arg": perRow(jsonObject),
		"jsonb_object": perRow(jsonbObject), "jsonb_object_two_arg": perRow(jsonbObject),
	}
}
