package funcs

import (
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Polymorphic types come in two families. The arguments declared with one of the first (anyelement, anyarray,
// ..) must agree on one element type exactly; those of the second (anycompatible, ..) are all converted to
// their common type. Type variables are named after the family's element and array type.

func isPolymorphic(t *types.Type) bool {
	switch t {
	case types.AnyElement, types.AnyArray, types.AnyNonArray, types.AnyEnum, types.AnyRange, types.AnyMultirange,
		types.AnyCompatible, types.AnyCompatibleArray, types.AnyCompatibleNonArray, types.AnyCompatibleRange, types.AnyCompatibleMultirange:
		return true
	}
	return false
}

// rangeElems gives the element type of each range type.
var rangeElems = map[*types.Type]*types.Type{
	types.Int4Range: types.Int4, types.Int8Range: types.Int8, types.NumRange: types.Numeric,
	types.TsRange: types.Timestamp, types.TstzRange: types.TimestampTZ, types.DateRange: types.Date,
}

var multirangeRanges = map[*types.Type]*types.Type{
	types.Int4Multirange: types.Int4Range, types.Int8Multirange: types.Int8Range, types.NumMultirange: types.NumRange,
	types.TsMultirange: types.TsRange, types.TstzMultirange: types.TstzRange, types.DateMultirange: types.DateRange,
}

// polymorphic is the binding of the type variables in one call.
type polymorphic struct {
	elem, array, rng, multirange *types.Type // first family
	unknown                      bool        // an argument of the first family has type unknown

	compatible       bool // the second family occurs
	compatibleTypes  []*types.Type
	compatibleRange  *types.Type
	nonArray, enum   bool
	compatibleScalar bool
	common           *types.Type
}

func datatypeMismatch(format string, args ...any) error {
	return errs.New(errs.DatatypeMismatch, format, args...)
}

func notAlike(d *types.Type, x, y *types.Type) error {
	return errs.New(errs.DatatypeMismatch, "arguments declared %q are not all alike", d.SQLName).WithDetail("%s versus %s", x, y)
}

func inconsistent(a, b, x, y *types.Type) error {
	return errs.New(errs.DatatypeMismatch, "argument declared %s is not consistent with argument declared %s", a, b).WithDetail("%s versus %s", x, y)
}

// bind derives the type variables from the arguments, or says in what they disagree.
func (p *polymorphic) bind(actual, declared []*types.Type) error {
	for i, d := range declared {
		if !isPolymorphic(d) {
			continue
		}
		a := actual[i]
		slot := (**types.Type)(nil)
		switch d {
		case types.AnyElement, types.AnyNonArray, types.AnyEnum:
			slot = &p.elem
			p.nonArray = p.nonArray || d == types.AnyNonArray
			p.enum = p.enum || d == types.AnyEnum
		case types.AnyArray:
			slot = &p.array
		case types.AnyRange:
			slot = &p.rng
		case types.AnyMultirange:
			slot = &p.multirange
		}
		if slot != nil {
			if a == types.Unknown {
				p.unknown = true
				continue
			}
			if slot != &p.elem {
				a = a.Underlying()
			}
			if *slot != nil && *slot != a {
				return notAlike(d, *slot, a)
			}
			*slot = a
			continue
		}
		p.compatible = true
		p.compatibleScalar = p.compatibleScalar || d == types.AnyCompatibleNonArray
		if a == types.Unknown {
			continue
		}
		switch d {
		case types.AnyCompatibleArray:
			a = a.Underlying()
			if a.Elem == nil {
				return datatypeMismatch("argument declared %s is not an array but type %s", d, a)
			}
			a = a.Elem
		case types.AnyCompatibleRange, types.AnyCompatibleMultirange:
			a = a.Underlying()
			if r := multirangeRanges[a]; r != nil && d == types.AnyCompatibleMultirange {
				a = r
			}
			if rangeElems[a] == nil {
				return datatypeMismatch("argument declared %s is not a range type but type %s", d, a)
			}
			p.compatibleRange = a
			a = rangeElems[a]
		}
		p.compatibleTypes = append(p.compatibleTypes, a)
	}
	if err := p.bindFirst(); err != nil {
		return err
	}
	return p.bindCompatible()
}

func (p *polymorphic) bindFirst() error {
	if p.array != nil && p.array != types.AnyArray {
		e := p.array.Elem
		if e == nil {
			return datatypeMismatch("argument declared %s is not an array but type %s", types.AnyArray, p.array)
		}
		if p.elem == nil {
			p.elem = e
		} else if p.elem != e {
			return inconsistent(types.AnyArray, types.AnyElement, p.array, p.elem)
		}
	}
	if p.multirange != nil {
		r := multirangeRanges[p.multirange]
		if r == nil {
			return datatypeMismatch("argument declared %s is not a multirange type but type %s", types.AnyMultirange, p.multirange)
		}
		if p.rng == nil {
			p.rng = r
		} else if p.rng != r {
			return inconsistent(types.AnyMultirange, types.AnyRange, p.multirange, p.rng)
		}
	}
	if p.rng != nil {
		e := rangeElems[p.rng]
		if e == nil {
			return datatypeMismatch("argument declared %s is not a range type but type %s", types.AnyRange, p.rng)
		}
		if p.elem == nil {
			p.elem = e
		} else if p.elem != e {
			return inconsistent(types.AnyRange, types.AnyElement, p.rng, p.elem)
		}
	}
	if p.elem != nil {
		if p.nonArray && p.elem.Underlying().Elem != nil {
			return datatypeMismatch("type matched to anynonarray is an array type: %s", p.elem)
		}
		if p.enum && p.elem.Kind != 'e' {
			return datatypeMismatch("type matched to anyenum is not an enum type: %s", p.elem)
		}
	}
	return nil
}

func (p *polymorphic) bindCompatible() error {
	if !p.compatible {
		return nil
	}
	if len(p.compatibleTypes) == 0 {
		p.common = types.Text
		return nil
	}
	t, x, y := commonType(p.compatibleTypes)
	if t == nil {
		return datatypeMismatch("argument types %s and %s cannot be matched", x, y)
	}
	for _, a := range p.compatibleTypes {
		if !implicitly(a, t) {
			return datatypeMismatch("argument types %s and %s cannot be matched", a, t)
		}
	}
	if p.compatibleScalar && t.Underlying().Elem != nil {
		return datatypeMismatch("type matched to anycompatiblenonarray is an array type: %s", t)
	}
	p.common = t
	return nil
}

// arrayOf is the array type of the first family, nil if its element type has none.
func (p *polymorphic) arrayOf() *types.Type {
	if p.array != nil || p.elem == nil {
		return p.array
	}
	return p.elem.Array
}

// concrete is the type a declared one stands for.
func (p *polymorphic) concrete(d *types.Type) (*types.Type, error) {
	if !isPolymorphic(d) {
		return d, nil
	}
	var t, elem *types.Type
	switch d {
	case types.AnyElement, types.AnyNonArray, types.AnyEnum:
		t, elem = p.elem, p.elem
	case types.AnyArray:
		t, elem = p.arrayOf(), p.elem
	case types.AnyRange:
		t, elem = p.rng, p.elem
	case types.AnyMultirange:
		t, elem = p.multirange, p.elem
	case types.AnyCompatible, types.AnyCompatibleNonArray:
		t, elem = p.common, p.common
	case types.AnyCompatibleArray:
		t, elem = p.common.Array, p.common
	case types.AnyCompatibleRange:
		t, elem = p.compatibleRange, p.common
	}
	switch {
	case t != nil:
		return t, nil
	case elem == nil:
		return nil, datatypeMismatch("could not determine polymorphic type because input has type %s", types.Unknown)
	case d == types.AnyArray || d == types.AnyCompatibleArray:
		return nil, errs.New(errs.UndefinedObject, "could not find array type for data type %s", elem)
	}
	return nil, errs.New(errs.UndefinedObject, "could not find a type for %s from %s", d, elem)
}

// fitsPolymorphic reports whether the arguments agree with the polymorphic ones among the declared types.
func fitsPolymorphic(actual, declared []*types.Type) bool {
	var p polymorphic
	return p.bind(actual, declared) == nil
}

// resolvePolymorphic replaces polymorphic types of declared by what the arguments make of them, and returns the
// result type.
func resolvePolymorphic(actual, declared []*types.Type, result *types.Type) (concrete []*types.Type, concreteResult *types.Type, err error) {
	generic := isPolymorphic(result)
	for _, d := range declared {
		generic = generic || isPolymorphic(d) || d == types.Any
	}
	if !generic {
		return declared, result, nil
	}
	var p polymorphic
	if err := p.bind(actual, declared); err != nil {
		return nil, nil, err
	}
	concrete = make([]*types.Type, len(declared))
	for i, d := range declared {
		if d == types.Any {
			concrete[i] = actual[i]
			continue
		}
		if d == types.AnyArray && actual[i] != types.Unknown {
			concrete[i] = actual[i].Underlying()
			continue
		}
		if concrete[i], err = p.concrete(d); err != nil {
			return nil, nil, err
		}
	}
	if concreteResult, err = p.concrete(result); err != nil {
		return nil, nil, err
	}
	return concrete, concreteResult, nil
}
