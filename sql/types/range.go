package types

import (
	"strings"

	"holdfast/sql/errs"
)

// rangeElem is the type of a built-in range type's bounds.
func rangeElem(t *Type) *Type {
	switch t.OID {
	case Int4Range.OID:
		return Int4
	case Int8Range.OID:
		return Int8
	case NumRange.OID:
		return Numeric
	case TsRange.OID:
		return Timestamp
	case TstzRange.OID:
		return TimestampTZ
	}
	return Date
}

// NewRange makes a range in its canonical form: with lower bound included and upper bound excluded for integers and
// dates. A lower bound above the upper is 22000.
func NewRange(elem *Type, lower, upper Datum, lowerInc, upperInc bool) (*Range, error) {
	r := &Range{Elem: elem, Lower: lower, Upper: upper, LowerInc: lowerInc && !lower.IsNull(), UpperInc: upperInc && !upper.IsNull()}
	empty := &Range{Elem: elem, Empty: true}
	if !lower.IsNull() && !upper.IsNull() {
		c := Compare(elem, lower, upper)
		if c > 0 {
			return nil, errs.New(errs.DataException, "range lower bound must be less than or equal to range upper bound")
		}
		if c == 0 && !(lowerInc && upperInc) {
			return empty, nil
		}
	}
	if elem.class != classInt4 && elem.class != classInt8 && elem.class != classDate {
		return r, nil
	}
	var err error
	finite := func(d Datum) bool {
		return !d.IsNull() && (elem.class != classDate || d.i != DateInfinity && d.i != DateNegInfinity)
	}
	if finite(lower) && !r.LowerInc {
		if r.Lower, err = nextDiscrete(elem, lower); err != nil {
			return nil, err
		}
		r.LowerInc = true
	}
	if finite(upper) && r.UpperInc {
		if r.Upper, err = nextDiscrete(elem, upper); err != nil {
			return nil, err
		}
		r.UpperInc = false
	}
	if !lower.IsNull() && !upper.IsNull() && !(r.LowerInc && r.UpperInc) && Compare(elem, r.Lower, r.Upper) >= 0 {
		return empty, nil
	}
	return r, nil
}

func nextDiscrete(t *Type, d Datum) (Datum, error) {
	switch {
	case t.class == classDate && d.i+1 >= dateEnd:
		return Null, errs.New(errs.DatetimeFieldOverflow, "date out of range")
	case t.class == classInt4 && d.i == 1<<31-1, t.class == classInt8 && d.i == 1<<63-1:
		return Null, errs.New(errs.NumericValueOutOfRange, "%s out of range", t.SQLName)
	}
	return NewInt(d.i + 1), nil
}

// appendRange is range_out.
func appendRange(dst []byte, r *Range, env *Env) []byte {
	if r.Empty {
		return append(dst, "empty"...)
	}
	open, end := byte('('), byte(')')
	if r.LowerInc {
		open = '['
	}
	if r.UpperInc {
		end = ']'
	}
	dst = append(dst, open)
	if !r.Lower.IsNull() {
		start := len(dst)
		dst = quoteField(AppendText(dst, r.Elem, r.Lower, env), start)
	}
	dst = append(dst, ',')
	if !r.Upper.IsNull() {
		start := len(dst)
		dst = quoteField(AppendText(dst, r.Elem, r.Upper, env), start)
	}
	return append(dst, end)
}

// parseRange is range_in.
func parseRange(t *Type, text string, env *Env) (Datum, error) {
	malformed := func(detail string) (Datum, error) {
		return Null, errs.New(errs.InvalidTextRepresentation, "malformed range literal: \"%s\"", text).WithDetail("%s", detail)
	}
	elem := rangeElem(t)
	s := strings.TrimLeft(text, " \t\n\v\f\r")
	if len(s) >= 5 && strings.EqualFold(s[:5], "empty") {
		if trimSpace(s[5:]) != "" {
			return malformed("Junk after \"empty\" key word.")
		}
		return NewAny(&Range{Elem: elem, Empty: true}), nil
	}
	if s == "" || s[0] != '[' && s[0] != '(' {
		return malformed("Missing left parenthesis or bracket.")
	}
	lowerInc := s[0] == '['
	bound := func(s string) (Datum, string, error) {
		if s != "" && strings.IndexByte(",)]", s[0]) >= 0 {
			return Null, s, nil
		}
		b, rest, ok := readField(s, ",)]")
		if !ok {
			_, err := malformed("Unexpected end of input.")
			return Null, "", err
		}
		d, err := ParseText(elem, NoTypmod, b, env)
		return d, rest, err
	}
	lower, s, err := bound(s[1:])
	if err != nil {
		return Null, err
	}
	if !strings.HasPrefix(s, ",") {
		return malformed("Missing comma after lower bound.")
	}
	upper, s, err := bound(s[1:])
	if err != nil {
		return Null, err
	}
	if strings.HasPrefix(s, ",") {
		return malformed("Too many commas.")
	}
	if trimSpace(s[1:]) != "" {
		return malformed("Junk after right parenthesis or bracket.")
	}
	r, err := NewRange(elem, lower, upper, lowerInc, s[0] == ']')
	if err != nil {
		return Null, err
	}
	return NewAny(r), nil
}
