package types

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"holdfast/sql/errs"
)

// appendFloat is the output of float8 (bitSize 64) and float4 (32). With extra > 0, the default, it is the shortest
// text that reads back as the same value.
func appendFloat(dst []byte, f float64, bitSize, extra int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	fixedDigits := 15
	if bitSize == 32 {
		fixedDigits = 6
	}
	if extra <= 0 {
		return appendFloatDigits(dst, f, max(fixedDigits+extra, 1))
	}
	if i := int64(f); float64(i) == f && i > -100000 && i < 100000 && (i != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, i, 10)
	}
	var buf [32]byte
	return layoutFloat(dst, shortestFloat(buf[:0], f, bitSize), fixedDigits)
}

// appendFloatDigits is C's %.*g.
func appendFloatDigits(dst []byte, f float64, digits int) []byte {
	var buf [48]byte
	e := strconv.AppendFloat(buf[:0], f, 'e', digits-1, 64)
	// %g drops trailing zeros of the mantissa.
	mantissa := e[:strings.IndexByte(string(e), 'e')]
	exponent := string(e[len(mantissa):])
	if strings.IndexByte(string(mantissa), '.') >= 0 {
		n := len(mantissa)
		for mantissa[n-1] == '0' {
			n--
		}
		if mantissa[n-1] == '.' {
			n--
		}
		mantissa = mantissa[:n]
	}
	return layoutFloat(dst, append(mantissa, exponent...), digits)
}

// layoutFloat prints a number in the form d.ddde±xx, as strconv makes it, without exponent where its first digit's
// power of ten is in [-4, fixedDigits).
func layoutFloat(dst, e []byte, fixedDigits int) []byte {
	if e[0] == '-' {
		dst = append(dst, '-')
		e = e[1:]
	}
	at := len(e) - 1
	for e[at] != 'e' {
		at--
	}
	exponent, _ := strconv.Atoi(string(e[at+1:]))
	if exponent < -4 || exponent >= fixedDigits {
		return append(dst, e...)
	}
	digits := e[:at]
	first, rest := digits[0], digits[1:]
	if len(rest) > 0 {
		rest = rest[1:] // the point
	}
	if exponent < 0 {
		dst = append(dst, '0', '.')
		for range -exponent - 1 {
			dst = append(dst, '0')
		}
		dst = append(dst, first)
		return append(dst, rest...)
	}
	dst = append(dst, first)
	for i := range exponent {
		if i < len(rest) {
			dst = append(dst, rest[i])
		} else {
			dst = append(dst, '0')
		}
	}
	if len(rest) > exponent {
		dst = append(dst, '.')
		dst = append(dst, rest[exponent:]...)
	}
	return dst
}

// shortestFloat is strconv's shortest form, but never a decimal that lies exactly between two floats: PostgreSQL
// does not rely on the reader's rounding to even (1e23 is 9.999999999999999e+22).
func shortestFloat(dst []byte, f float64, bitSize int) []byte {
	e := strconv.AppendFloat(dst, f, 'e', -1, bitSize)
	limit, bound, mantissa := 1e41, float64(1<<53), 17
	even := math.Float64bits(f)&1 == 0
	if bitSize == 32 {
		limit, bound, mantissa = 1e20, 1<<24, 9
		even = math.Float32bits(float32(f))&1 == 0
	}
	// Only there can a decimal of so few digits be a midpoint.
	if a := math.Abs(f); !even || a < bound || a > limit || !isMidpoint(e, f, bitSize) {
		return e
	}
	for digits := len(e) - len("e+00"); digits <= mantissa; digits++ {
		e = strconv.AppendFloat(dst, f, 'e', digits-1, bitSize)
		back, err := strconv.ParseFloat(string(e), bitSize)
		if err == nil && back == f && !isMidpoint(e, f, bitSize) {
			break
		}
	}
	return e
}

// isMidpoint reports whether a decimal lies exactly between f and one of its neighbours.
func isMidpoint(e []byte, f float64, bitSize int) bool {
	x, _, err := big.ParseFloat(string(e), 10, 200, big.ToNearestEven)
	if err != nil {
		return false
	}
	for _, to := range []float64{math.Inf(1), math.Inf(-1)} {
		next := math.Nextafter(f, to)
		if bitSize == 32 {
			next = float64(math.Nextafter32(float32(f), float32(to)))
		}
		mid := new(big.Float).SetPrec(200).Add(big.NewFloat(f), big.NewFloat(next))
		if mid.Quo(mid, big.NewFloat(2)).Cmp(x) == 0 {
			return true
		}
	}
	return false
}

// parseFloat is float8in and float4in.
func parseFloat(text string, bitSize int) (float64, error) {
	typeName := "double precision"
	if bitSize == 32 {
		typeName = "real"
	}
	s := trimSpace(text)
	f, err := strconv.ParseFloat(s, bitSize)
	if err == nil && f != 0 && strings.IndexByte(s, '_') < 0 {
		return f, nil
	}
	body := strings.TrimLeft(s, "+-")
	if len(s)-len(body) > 1 {
		return 0, invalidSyntax(typeName, text)
	}
	if len(body) > 1 && body[0] == '0' && body[1]|0x20 == 'x' && !strings.ContainsAny(body, "pP") {
		f, err = strconv.ParseFloat(s+"p0", bitSize)
	}
	var numError *strconv.NumError
	switch {
	case strings.IndexByte(s, '_') >= 0:
		return 0, invalidSyntax(typeName, text)
	case err == nil && f == 0 && hasNonZeroDigit(body):
		return 0, floatOutOfRange(s, typeName)
	case err == nil:
		return f, nil
	case asNumError(err, &numError) && numError.Err == strconv.ErrRange:
		return 0, floatOutOfRange(s, typeName)
	}
	return 0, invalidSyntax(typeName, text)
}

func asNumError(err error, target **strconv.NumError) bool {
	e, ok := err.(*strconv.NumError)
	*target = e
	return ok
}

// hasNonZeroDigit reports whether the mantissa is not zero.
func hasNonZeroDigit(s string) bool {
	hex := len(s) > 1 && s[1]|0x20 == 'x'
	if hex {
		s = s[2:]
	}
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case !hex && c == 'e' || c == 'p':
			return false
		case s[i] >= '1' && s[i] <= '9' || hex && c >= 'a' && c <= 'f':
			return true
		}
	}
	return false
}

func floatOutOfRange(s, typeName string) error {
	return errs.New(errs.NumericValueOutOfRange, "\"%s\" is out of range for type %s", s, typeName)
}
