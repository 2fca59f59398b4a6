package funcs

import (
	"slices"
	"strconv"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Operators of jsonb that look into or change values.

func parseJSONB(d types.Datum) (types.JSONValue, error) { return types.ParseJSONValue(d.Str()) }

func isScalar(v *types.JSONValue) bool {
	return v.Kind != types.JSONArrayKind && v.Kind != types.JSONObjectKind
}

// jsonContains is a @> b: objects have all members, arrays all elements, in any order and number. At the top an
// array also contains a scalar.
func jsonContains(a, b *types.JSONValue) bool {
	if a.Kind == types.JSONArrayKind && isScalar(b) {
		return hasJSONElement(a, b)
	}
	return containsDeep(a, b)
}

func containsDeep(a, b *types.JSONValue) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case types.JSONObjectKind:
		for i := range b.Members {
			v, ok := a.Member(b.Members[i].Key)
			if !ok || !containsDeep(v, &b.Members[i].Value) {
				return false
			}
		}
		return true
	case types.JSONArrayKind:
		for i := range b.Elems {
			if !hasJSONElement(a, &b.Elems[i]) {
				return false
			}
		}
		return true
	}
	return types.CompareJSON(a, b) == 0
}

func hasJSONElement(a, b *types.JSONValue) bool {
	return slices.ContainsFunc(a.Elems, func(e types.JSONValue) bool { return containsDeep(&e, b) })
}

// jsonExists is v ? key: a key of an object, a string in an array, or the string itself.
func jsonExists(v *types.JSONValue, key string) bool {
	switch v.Kind {
	case types.JSONObjectKind:
		_, ok := v.Member(key)
		return ok
	case types.JSONArrayKind:
		return slices.ContainsFunc(v.Elems, func(e types.JSONValue) bool { return e.Kind == types.JSONStringKind && e.Str == key })
	}
	return v.Kind == types.JSONStringKind && v.Str == key
}

// jsonConcat is a || b: objects are merged, anything else makes an array.
func jsonConcat(a, b types.JSONValue) types.JSONValue {
	if a.Kind == types.JSONObjectKind && b.Kind == types.JSONObjectKind {
		return jsonObjectOf(append(slices.Clone(a.Members), b.Members...))
	}
	list := func(v types.JSONValue) []types.JSONValue {
		if v.Kind == types.JSONArrayKind {
			return v.Elems
		}
		return []types.JSONValue{v}
	}
	return types.JSONValue{Kind: types.JSONArrayKind, Elems: append(slices.Clone(list(a)), list(b)...)}
}

func jsonObjectOf(members []types.JSONMember) types.JSONValue {
	return types.JSONValue{Kind: types.JSONObjectKind, Members: types.SortMembers(members)}
}

func jsonDeleteKeys(v types.JSONValue, keys []string) (types.JSONValue, error) {
	if isScalar(&v) {
		return v, jsonKindError("cannot delete from scalar")
	}
	v.Members = slices.DeleteFunc(slices.Clone(v.Members), func(m types.JSONMember) bool { return slices.Contains(keys, m.Key) })
	v.Elems = slices.DeleteFunc(slices.Clone(v.Elems), func(e types.JSONValue) bool {
		return e.Kind == types.JSONStringKind && slices.Contains(keys, e.Str)
	})
	return v, nil
}

func jsonDeleteIndex(v types.JSONValue, n int64) (types.JSONValue, error) {
	switch {
	case isScalar(&v):
		return v, jsonKindError("cannot delete from scalar")
	case v.Kind == types.JSONObjectKind:
		return v, jsonKindError("cannot delete from object using integer index")
	}
	if n < 0 {
		n += int64(len(v.Elems))
	}
	if n >= 0 && n < int64(len(v.Elems)) {
		v.Elems = slices.Delete(slices.Clone(v.Elems), int(n), int(n)+1)
	}
	return v, nil
}

// jsonEdit is what to do at the end of a path.
type jsonEdit struct {
	value           types.JSONValue
	remove          bool
	create, replace bool // what is not there, what is
	insert, after   bool // beside what is there, in an array
}

// apply makes a changed copy of a value. Steps are keys or, in arrays, numbers.
func (e *jsonEdit) apply(v types.JSONValue, path []types.Datum, depth int) (types.JSONValue, error) {
	step := path[depth]
	if step.IsNull() {
		return v, errs.New(errs.NullValueNotAllowed, "path element at position %d is null", depth+1)
	}
	last := depth == len(path)-1
	switch v.Kind {
	case types.JSONObjectKind:
		key := step.Str()
		i := slices.IndexFunc(v.Members, func(m types.JSONMember) bool { return m.Key == key })
		switch {
		case i < 0:
			if last && (e.create || e.insert) {
				return jsonObjectOf(append(slices.Clone(v.Members), types.JSONMember{Key: key, Value: e.value})), nil
			}
			return v, nil
		case !last:
			inner, err := e.apply(v.Members[i].Value, path, depth+1)
			if err != nil {
				return v, err
			}
			v.Members = slices.Clone(v.Members)
			v.Members[i].Value = inner
			return v, nil
		case e.insert:
			return v, jsonKindError("cannot replace existing key")
		case e.remove:
			v.Members = slices.Delete(slices.Clone(v.Members), i, i+1)
		case e.replace:
			v.Members = slices.Clone(v.Members)
			v.Members[i].Value = e.value
		}
		return v, nil
	case types.JSONArrayKind:
		n, err := strconv.ParseInt(strings.TrimSpace(step.Str()), 10, 32)
		if err != nil {
			return v, errs.New(errs.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", depth+1, step.Str())
		}
		return e.applyElement(v, path, depth, int(n), last)
	}
	return v, nil
}

func (e *jsonEdit) applyElement(v types.JSONValue, path []types.Datum, depth, n int, last bool) (types.JSONValue, error) {
	before := false // the number counts from the end, to before the beginning
	if n < 0 {
		if n += len(v.Elems); n < 0 {
			n, before = 0, true
		}
	}
	there := !before && n < len(v.Elems)
	switch {
	case !last:
		if !there {
			return v, nil
		}
		inner, err := e.apply(v.Elems[n], path, depth+1)
		if err != nil {
			return v, err
		}
		v.Elems = slices.Clone(v.Elems)
		v.Elems[n] = inner
	case !there && (e.create || e.insert):
		v.Elems = slices.Insert(slices.Clone(v.Elems), min(n, len(v.Elems)), e.value)
	case !there:
	case e.insert && e.after:
		v.Elems = slices.Insert(slices.Clone(v.Elems), n+1, e.value)
	case e.insert:
		v.Elems = slices.Insert(slices.Clone(v.Elems), n, e.value)
	case e.remove:
		v.Elems = slices.Delete(slices.Clone(v.Elems), n, n+1)
	case e.replace:
		v.Elems = slices.Clone(v.Elems)
		v.Elems[n] = e.value
	}
	return v, nil
}

func (e *jsonEdit) edit(d types.Datum, path *types.Array, verb string) (types.Datum, error) {
	if len(path.Dims) > 1 {
		return types.Null, arraySubscriptError("wrong number of array subscripts")
	}
	v, err := parseJSONB(d)
	if err != nil {
		return types.Null, err
	}
	if isScalar(&v) {
		return types.Null, jsonKindError("cannot %s in scalar", verb)
	}
	if len(path.Elems) == 0 {
		return d, nil
	}
	if v, err = e.apply(v, path.Elems, 0); err != nil {
		if e.insert && errs.As(err).Message == "cannot replace existing key" {
			err = errs.As(err).WithHint("Try using the function jsonb_set to replace key value.")
		}
		return types.Null, err
	}
	return jsonDatum(v), nil
}

func jsonbSet(_ *Ctx, args []types.Datum) (types.Datum, error) {
	value, err := parseJSONB(args[2])
	if err != nil {
		return types.Null, err
	}
	e := jsonEdit{value: value, replace: true, create: len(args) < 4 || args[3].Bool()}
	return e.edit(args[0], arrayOf(args[1]), "set path")
}

func jsonbInsert(_ *Ctx, args []types.Datum) (types.Datum, error) {
	value, err := parseJSONB(args[2])
	if err != nil {
		return types.Null, err
	}
	e := jsonEdit{value: value, insert: true, after: len(args) > 3 && args[3].Bool()}
	return e.edit(args[0], arrayOf(args[1]), "set path")
}

// jsonbSetLax is jsonb_set that says what a NULL value means.
func jsonbSetLax(ctx *Ctx, args []types.Datum) (types.Datum, error) {
	for i, d := range args {
		if d.IsNull() && i != 2 && i != 4 {
			return types.Null, nil
		}
	}
	how := "use_json_null"
	if len(args) > 4 {
		if args[4].IsNull() {
			return types.Null, errs.New(errs.InvalidParameterValue,
				"null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
		}
		how = args[4].Str()
	}
	args = slices.Clone(args[:min(len(args), 4)])
	if !args[2].IsNull() {
		return jsonbSet(ctx, args)
	}
	switch how {
	case "use_json_null":
		args[2] = types.NewString("null")
		return jsonbSet(ctx, args)
	case "delete_key":
		return (&jsonEdit{remove: true}).edit(args[0], arrayOf(args[1]), "delete path")
	case "return_target":
		return args[0], nil
	case "raise_exception":
		return types.Null, errs.New(errs.NullValueNotAllowed, "JSON value must not be null").
			WithDetail("Exception was raised because null_value_treatment is \"raise_exception\".").
			WithHint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")
	}
	return types.Null, errs.New(errs.InvalidParameterValue,
		"null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
}

// jsonScalar is a cast from jsonb to a scalar type.
func jsonScalar(kind types.JSONKind, target *types.Type, convert func(v types.JSONValue) (types.Datum, error)) Kernel {
	return perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		v, err := parseJSONB(args[0])
		if err != nil {
			return types.Null, err
		}
		if v.Kind != kind {
			return types.Null, errs.New(errs.InvalidParameterValue, "cannot cast jsonb %s to type %s", jsonKindNames[v.Kind], target)
		}
		return convert(v)
	})
}

func jsonbFuncs() kernels {
	two := func(f func(a, b types.JSONValue) (types.Datum, error)) Kernel {
		return perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			a, err := parseJSONB(args[0])
			if err != nil {
				return types.Null, err
			}
			b, err := parseJSONB(args[1])
			if err != nil {
				return types.Null, err
			}
			return f(a, b)
		})
	}
	one := func(f func(v types.JSONValue, arg types.Datum) (types.Datum, error)) Kernel {
		return perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			v, err := parseJSONB(args[0])
			if err != nil {
				return types.Null, err
			}
			return f(v, args[1])
		})
	}
	exists := func(all bool) Kernel {
		return one(func(v types.JSONValue, keys types.Datum) (types.Datum, error) {
			for _, key := range arrayOf(keys).Elems {
				if !key.IsNull() && jsonExists(&v, key.Str()) != all {
					return types.NewBool(!all), nil
				}
			}
			return types.NewBool(all), nil
		})
	}
	integerOf := func(t *types.Type) Kernel {
		return jsonScalar(types.JSONNumberKind, t, func(v types.JSONValue) (types.Datum, error) {
			n, err := types.NumericToInt(v.Num, t)
			return types.NewInt(n), err
		})
	}
	floatOf := func(t *types.Type) Kernel {
		return jsonScalar(types.JSONNumberKind, t, func(v types.JSONValue) (types.Datum, error) {
			f, err := types.NumericToFloat(v.Num)
			if err == nil && t == types.Float4 {
				f, err = toFloat4(f)
			}
			return types.NewFloat(f), err
		})
	}
	return kernels{
		"jsonb_contains":  two(func(a, b types.JSONValue) (types.Datum, error) { return types.NewBool(jsonContains(&a, &b)), nil }),
		"jsonb_contained": two(func(a, b types.JSONValue) (types.Datum, error) { return types.NewBool(jsonContains(&b, &a)), nil }),
		"jsonb_concat":    two(func(a, b types.JSONValue) (types.Datum, error) { return jsonDatum(jsonConcat(a, b)), nil }),
		"jsonb_exists": one(func(v types.JSONValue, key types.Datum) (types.Datum, error) {
			return types.NewBool(jsonExists(&v, key.Str())), nil
		}),
		"jsonb_exists_any": exists(false), "jsonb_exists_all": exists(true),
		"jsonb_delete": one(func(v types.JSONValue, key types.Datum) (types.Datum, error) {
			v, err := jsonDeleteKeys(v, []string{key.Str()})
			return jsonDatum(v), err
		}),
		"jsonb_delete_array": one(func(v types.JSONValue, keys types.Datum) (types.Datum, error) {
			var list []string
			for _, key := range arrayOf(keys).Elems {
				if !key.IsNull() {
					list = append(list, key.Str())
				}
			}
			v, err := jsonDeleteKeys(v, list)
			return jsonDatum(v), err
		}),
		"jsonb_delete_idx": one(func(v types.JSONValue, n types.Datum) (types.Datum, error) {
			v, err := jsonDeleteIndex(v, n.Int())
			return jsonDatum(v), err
		}),
		"jsonb_delete_path": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			return (&jsonEdit{remove: true}).edit(args[0], arrayOf(args[1]), "delete path")
		}),
		"jsonb_set": perRow(jsonbSet), "jsonb_insert": perRow(jsonbInsert), "jsonb_set_lax": perRow(jsonbSetLax),
		"jsonb_bool":    jsonScalar(types.JSONBoolKind, types.Bool, func(v types.JSONValue) (types.Datum, error) { return types.NewBool(v.Bool), nil }),
		"jsonb_numeric": jsonScalar(types.JSONNumberKind, types.Numeric, func(v types.JSONValue) (types.Datum, error) { return types.NewDecimal(v.Num), nil }),
		"jsonb_int2":    integerOf(types.Int2), "jsonb_int4": integerOf(types.Int4), "jsonb_int8": integerOf(types.Int8),
		"jsonb_float4": floatOf(types.Float4), "jsonb_float8": floatOf(types.Float8),
	}
}
