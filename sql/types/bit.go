package types

import (
	"strings"

	"holdfast/sql/errs"
)

// Values of bit and varbit are strings of '0' and '1'.

const stringLengthMismatch errs.Code = "22026"

// parseBit reads binary digits, or hexadecimal ones after an x.
func parseBit(t *Type, mod int32, s string) (Datum, error) {
	digits := s
	switch {
	case s != "" && s[0]|0x20 == 'b':
		digits = s[1:]
	case s != "" && s[0]|0x20 == 'x':
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			v, err := hexDigit(s, i)
			if err != nil {
				return Null, errs.New(errs.InvalidTextRepresentation, "\"%s\" is not a valid hexadecimal digit", firstRune(s[i:]))
			}
			for k := 3; k >= 0; k-- {
				b.WriteByte('0' + v>>k&1)
			}
		}
		digits = b.String()
	}
	for i := range len(digits) {
		if digits[i] != '0' && digits[i] != '1' {
			return Null, errs.New(errs.InvalidTextRepresentation, "\"%s\" is not a valid binary digit", firstRune(digits[i:]))
		}
	}
	return fitBits(t, mod, NewString(digits), false)
}

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

func fitBits(t *Type, mod int32, d Datum, explicit bool) (Datum, error) {
	n := int(mod)
	switch {
	case n <= 0:
		return d, nil
	case t == Bit && len(d.s) != n:
		if !explicit {
			return Null, errs.New(stringLengthMismatch, "bit string length %d does not match type bit(%d)", len(d.s), n)
		}
		if len(d.s) < n {
			return NewString(d.s + strings.Repeat("0", n-len(d.s))), nil
		}
		return NewString(d.s[:n]), nil
	case t == VarBit && len(d.s) > n:
		if !explicit {
			return Null, errs.New(errs.StringDataRightTruncation, "bit string too long for type bit varying(%d)", n)
		}
		return NewString(d.s[:n]), nil
	}
	return d, nil
}
