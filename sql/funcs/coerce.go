package funcs

import (
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// FindCast finds the way from one type to another in a context: a cast of the catalog, the relabelling of
// binary compatible types, text input of unknown literals, elementwise casts of arrays, and the conversion
// through text that every type has. A type's cast to itself is binary. For a domain it is the way to or from
// its base type; checking the domain's rules is up to the caller.
func FindCast(from, to *types.Type, ctx CastContext) (*Cast, bool) {
	if from == to || to == types.Any {
		return &Cast{Source: from, Target: to, Context: CastImplicit, Binary: true}, true
	}
	if from == types.Unknown {
		return &Cast{Source: from, Target: to, Context: CastImplicit, InOut: true}, true
	}
	source, target := from.Underlying(), to.Underlying()
	if source == target {
		return &Cast{Source: from, Target: to, Context: CastImplicit, Binary: true}, true
	}
	if c := castOf[[2]types.OID{source.OID, target.OID}]; c != nil {
		if !allowed(c.Context, ctx) {
			return nil, false
		}
		if source != from || target != to {
			d := *c
			d.Source, d.Target = from, to
			c = &d
		}
		return c, true
	}
	if source.Kind == 'c' && target == types.RecordType {
		return &Cast{Source: from, Target: to, Context: CastImplicit, Binary: true}, true
	}
	if source == types.RecordType && target.Kind == 'c' {
		return &Cast{Source: from, Target: to, Context: CastImplicit, Fields: true}, true
	}
	if source.Elem != nil && target.IsArray() {
		if e, ok := FindCast(source.Elem, target.Elem, ctx); ok {
			return &Cast{Source: from, Target: to, Context: e.Context, Elem: e}, true
		}
	}
	if ctx != CastImplicit && target.Category == 'S' {
		return &Cast{Source: from, Target: to, Context: CastAssignment, InOut: true}, true
	}
	if ctx == CastExplicit && source.Category == 'S' {
		return &Cast{Source: from, Target: to, Context: CastExplicit, InOut: true}, true
	}
	return nil, false
}

// allowed reports whether a cast declared for one context may be used in another.
func allowed(declared, ctx CastContext) bool {
	switch ctx {
	case CastExplicit:
		return true
	case CastAssignment:
		return declared != CastExplicit
	}
	return declared == CastImplicit
}

// canCoerce reports whether arguments of some types fit declared types by casts that the context allows,
// polymorphic ones included.
func canCoerce(actual, declared []*types.Type, ctx CastContext) bool {
	generic := false
	for i, d := range declared {
		a := actual[i]
		if a == d || d == types.Any || a == types.Unknown && !isPolymorphic(d) {
			continue
		}
		if isPolymorphic(d) {
			generic = true
			continue
		}
		if _, ok := FindCast(a, d, ctx); !ok {
			return false
		}
	}
	if !generic {
		return true
	}
	return fitsPolymorphic(actual, declared)
}

func implicitly(from, to *types.Type) bool {
	return canCoerce([]*types.Type{from}, []*types.Type{to}, CastImplicit)
}

// CommonType is the type that values of several types share in a UNION, CASE, VALUES, ARRAY, COALESCE and the
// like; what names the construct for the error (42804). All unknown makes text. The order counts: PostgreSQL puts
// the ELSE of a CASE before its other results.
func CommonType(ts []*types.Type, what string) (*types.Type, error) {
	t, x, y := commonType(ts)
	if t == nil {
		return nil, errs.New(errs.DatatypeMismatch, "%s types %s and %s cannot be matched", what, x, y)
	}
	for _, s := range ts {
		if _, ok := FindCast(s, t, CastImplicit); !ok {
			return nil, errs.New(errs.CannotCoerce, "%s could not convert type %s to %s", what, s, t)
		}
	}
	return t, nil
}

// commonType chooses a type by PostgreSQL's rule: the first one known, replaced by a later one that it can be
// implicitly converted to but not from, unless it is preferred. If categories differ there is none, and the
// two types that clash are returned.
func commonType(ts []*types.Type) (t, x, y *types.Type) {
	t = ts[0]
	if t != types.Unknown {
		same := true
		for _, s := range ts[1:] {
			same = same && s == t
		}
		if same {
			return t, nil, nil
		}
	}
	t = t.Underlying()
	for _, s := range ts[1:] {
		s = s.Underlying()
		switch {
		case s == types.Unknown || s == t:
		case t == types.Unknown:
			t = s
		case s.Category != t.Category:
			return nil, t, s
		case !t.Preferred && implicitly(t, s) && !implicitly(s, t):
			t = s
		}
	}
	if t == types.Unknown {
		t = types.Text
	}
	return t, nil, nil
}
