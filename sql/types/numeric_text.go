package types

import (
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// appendNumeric is numeric_out.
func appendNumeric(dst []byte, d *apd.Decimal) []byte {
	switch {
	case d.Form == apd.Infinite && d.Negative:
		return append(dst, "-Infinity"...)
	case d.Form == apd.Infinite:
		return append(dst, "Infinity"...)
	case d.Form != apd.Finite:
		return append(dst, "NaN"...)
	}
	if d.Negative {
		dst = append(dst, '-')
	}
	start := len(dst)
	if u, ok := smallCoeff(d); ok {
		dst = strconv.AppendUint(dst, u, 10)
	} else {
		dst = d.Coeff.Append(dst, 10)
	}
	scale := int(-d.Exponent)
	if scale == 0 {
		return dst
	}
	if missing := scale + 1 - (len(dst) - start); missing > 0 { // 5 with scale 3 is 0.005
		dst = append(dst, make([]byte, missing)...)
		copy(dst[start+missing:], dst[start:len(dst)-missing])
		for i := range missing {
			dst[start+i] = '0'
		}
	}
	dst = append(dst, 0)
	point := len(dst) - 1 - scale
	copy(dst[point+1:], dst[point:len(dst)-1])
	dst[point] = '.'
	return dst
}

// parseNumeric is numeric_in without typmod.
func parseNumeric(text string) (*apd.Decimal, error) {
	s := trimSpace(text)
	invalid := func() (*apd.Decimal, error) { return nil, invalidSyntax("numeric", text) }
	body, neg := s, false
	if body != "" && (body[0] == '-' || body[0] == '+') {
		neg = body[0] == '-'
		body = body[1:]
	}
	if body == "" {
		return invalid()
	}
	if c := body[0]; c != '.' && (c < '0' || c > '9') {
		switch {
		case strings.EqualFold(s, "nan"):
			return numericNaN, nil
		case strings.EqualFold(body, "infinity") || strings.EqualFold(body, "inf"):
			return numericInf(neg), nil
		}
		return invalid()
	}
	var (
		word   uint64
		digits []byte // once they do not fit a word
		count  int    // significant digits
		scale  int
		any    bool
		point  bool
		i      int
	)
loop:
	for ; i < len(body); i++ {
		switch c := body[i]; {
		case c >= '0' && c <= '9':
			any = true
			if point {
				scale++
			}
			if count > 0 || c != '0' {
				count++
			}
			if count <= 19 {
				word = word*10 + uint64(c-'0')
				continue
			}
			if digits == nil {
				digits = strconv.AppendUint(make([]byte, 0, len(body)), word, 10)
			}
			digits = append(digits, c)
		case c == '.' && !point:
			point = true
		default:
			break loop
		}
	}
	if !any {
		return invalid()
	}
	exponent := 0
	if i < len(body) {
		if body[i] != 'e' && body[i] != 'E' {
			return invalid()
		}
		rest := body[i+1:]
		digitsOnly := rest
		if rest != "" && (rest[0] == '-' || rest[0] == '+') {
			digitsOnly = rest[1:]
		}
		if digitsOnly == "" {
			return invalid()
		}
		for j := range len(digitsOnly) {
			if digitsOnly[j] < '0' || digitsOnly[j] > '9' {
				return invalid()
			}
		}
		e, err := strconv.Atoi(rest)
		if err != nil || e >= 1<<30 || e <= -1<<30 {
			return nil, numericOverflow()
		}
		exponent = e
	}
	scale -= exponent
	grow := 0
	if scale < 0 {
		grow, scale = -scale, 0
	}
	if scale > numericMaxScale {
		return nil, numericOverflow()
	}
	d := &apd.Decimal{Exponent: int32(-scale)}
	if digits == nil {
		d.Coeff.SetUint64(word)
	} else if _, ok := d.Coeff.SetString(string(digits), 10); !ok {
		return invalid()
	}
	if d.Coeff.Sign() == 0 {
		return d, nil
	}
	d.Negative = neg
	if count+grow-scale > numericMaxDigits {
		return nil, numericOverflow()
	}
	if grow > 0 {
		d.Coeff.Mul(&d.Coeff, pow10(grow))
	}
	return d, nil
}
