package types

import (
	"strings"
	"unicode/utf8"

	"holdfast/sql/errs"
)

// ApplyTypmod makes a value fit a typmod, as PostgreSQL's length coercion functions do: with explicit as in a cast
// written by the user, which cuts strings that are too long, else as in an assignment, which refuses them
// (22001) unless only blanks are lost. NULL stays NULL.
func ApplyTypmod(t *Type, mod int32, d Datum, explicit bool) (Datum, error) {
	if t.Base != nil {
		t = t.Base
	}
	if mod < 0 || d.rep == RepNull {
		return d, nil
	}
	switch t.class {
	case classText:
		if t != Varchar || mod < 4 {
			return d, nil
		}
		s, err := fitString(d.s, int(mod-4), explicit, "character varying")
		if err != nil {
			return Null, err
		}
		return NewString(s), nil
	case classBpchar:
		if mod < 4 {
			return d, nil
		}
		n := int(mod - 4)
		s, err := fitString(d.s, n, explicit, "character")
		if err != nil {
			return Null, err
		}
		if missing := n - utf8.RuneCountInString(s); missing > 0 {
			s += strings.Repeat(" ", missing)
		}
		return NewString(s), nil
	case classBit:
		return fitBits(t, mod, d, explicit)
	case classNumeric:
		if mod < 4 {
			return d, nil
		}
		v, err := applyNumericTypmod(d.Decimal(), mod)
		if err != nil {
			return Null, err
		}
		return NewDecimal(v), nil
	case classTime, classTimestamp, classTimestampTZ:
		if t.class != classTime && (d.i == TimestampInfinity || d.i == TimestampNegInfinity) {
			return d, nil
		}
		return NewInt(roundMicros(d.i, int(mod))), nil
	case classTimeTZ:
		v := d.x.(TimeTZ)
		v.Micros = roundMicros(v.Micros, int(mod))
		return NewAny(v), nil
	case classInterval:
		v, err := applyIntervalTypmod(d.x.(Interval), mod)
		if err != nil {
			return Null, err
		}
		return NewAny(v), nil
	case classArray:
		return applyArrayTypmod(mod, d, explicit)
	}
	return d, nil
}

// applyArrayTypmod applies the typmod to the elements.
func applyArrayTypmod(mod int32, d Datum, explicit bool) (Datum, error) {
	a := d.x.(*Array)
	elems := make([]Datum, len(a.Elems))
	for i, e := range a.Elems {
		v, err := ApplyTypmod(a.Elem, mod, e, explicit)
		if err != nil {
			return Null, err
		}
		elems[i] = v
	}
	return NewAny(&Array{Elem: a.Elem, Dims: a.Dims, Lower: a.Lower, Elems: elems}), nil
}

// fitString cuts s to n characters.
func fitString(s string, n int, explicit bool, typeName string) (string, error) {
	if len(s) <= n {
		return s, nil
	}
	at := 0
	for range n {
		if at >= len(s) {
			return s, nil
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	if !explicit && trimBlanks(s[at:]) != "" {
		return "", errs.New(errs.StringDataRightTruncation, "value too long for type %s(%d)", typeName, n)
	}
	return s[:at], nil
}

var microsPrecision = [maxTimePrecision + 1]int64{1000000, 100000, 10000, 1000, 100, 10, 1}

// roundMicros rounds to a number of decimals of a second, half away from zero.
func roundMicros(v int64, precision int) int64 {
	if precision < 0 || precision >= maxTimePrecision {
		return v
	}
	unit := microsPrecision[precision]
	if v < 0 {
		return -((-v + unit/2) / unit * unit)
	}
	return (v + unit/2) / unit * unit
}
