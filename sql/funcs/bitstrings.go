package funcs

import (
	"strconv"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Functions of bit and bit varying, whose values are strings of '0' and '1'.

// maxBits is the longest bit string that a type can be declared for.
const maxBits = 83886080

func bitwise(verb string, op func(a, b byte) byte) Kernel {
	return lift2(func(a, b string) (string, error) {
		if len(a) != len(b) {
			return "", errs.New("22026", "cannot %s bit strings of different sizes", verb)
		}
		r := []byte(a)
		for i := range r {
			r[i] = '0' + op(a[i]-'0', b[i]-'0')
		}
		return string(r), nil
	})
}

func bitNot(s string) string {
	r := []byte(s)
	for i := range r {
		r[i] ^= 1
	}
	return string(r)
}

// bitShift moves the bits to the left, or to the right by a negative count, within the length.
func bitShift(s string, n int64) string {
	size := int64(len(s))
	switch {
	case n >= size || -n >= size:
		return strings.Repeat("0", len(s))
	case n >= 0:
		return s[n:] + strings.Repeat("0", int(n))
	}
	return strings.Repeat("0", int(-n)) + s[:size+n]
}

// intToBits is the lowest bits of an integer, with its sign before them if there are more than it has.
func intToBits(width int) Kernel {
	return lift2(func(v, n int64) (string, error) {
		if n <= 0 || n > maxBits {
			n = 1
		}
		text := strconv.FormatUint(uint64(v)<<(64-width)>>(64-width), 2)
		text = strings.Repeat("0", width-len(text)) + text
		if n <= int64(width) {
			return text[int64(width)-n:], nil
		}
		return strings.Repeat(text[:1], int(n)-width) + text, nil
	})
}

func bitsToInt(w width, size int) Kernel {
	return lift1(func(s string) (int64, error) {
		if len(strings.TrimLeft(s, "0")) > size || len(s) > size && strings.Contains(s[:len(s)-size], "1") {
			return 0, w.outOfRange()
		}
		if s = s[max(len(s)-size, 0):]; s == "" {
			return 0, nil
		}
		u, err := strconv.ParseUint(s, 2, 64)
		if err != nil {
			return 0, err
		}
		if size == 32 {
			return int64(int32(u)), nil
		}
		return int64(u), nil
	})
}

func bitFuncs() kernels {
	k := kernels{
		"bit_and": bitwise("AND", func(a, b byte) byte { return a & b }), "bit_or": bitwise("OR", func(a, b byte) byte { return a | b }),
		"bitxor": bitwise("XOR", func(a, b byte) byte { return a ^ b }), "bitnot": pure1(bitNot),
		"bitshiftleft":  pure2(func(s string, n int64) string { return bitShift(s, n) }),
		"bitshiftright": pure2(func(s string, n int64) string { return bitShift(s, -n) }),
		"bitcat":        lift2(concatenate), "bitlength": pure1(textLength), "bit_length(bit)": pure1(textLength),
		"bitoctetlength": pure1(func(s string) int64 { return int64(len(s)+7) / 8 }),
		"bit_bit_count":  pure1(func(s string) int64 { return int64(strings.Count(s, "1")) }),
		"bitsubstr":      lift3(byteSubstr),
		"bitsubstr_no_len": lift2(func(s string, start int64) (string, error) {
			return byteSubstr(s, start, int64(len(s))+1)
		}),
		"bitposition": pure2(func(s, sub string) int64 { return int64(strings.Index(s, sub) + 1) }),
		"bitoverlay":  lift4(byteOverlay),
		"bitoverlay_no_len": lift3(func(s, with string, start int64) (string, error) {
			return byteOverlay(s, with, start, textLength(with))
		}),
		"bitgetbit": lift2(func(s string, i int64) (int64, error) {
			if i < 0 || i >= int64(len(s)) {
				return 0, bitIndexError(i, len(s))
			}
			return int64(s[i] - '0'), nil
		}),
		"bitsetbit": lift3(func(s string, i, v int64) (string, error) {
			if i < 0 || i >= int64(len(s)) {
				return "", bitIndexError(i, len(s))
			}
			if v != 0 && v != 1 {
				return "", errs.New(errs.InvalidParameterValue, "new bit must be 0 or 1")
			}
			return s[:i] + strconv.FormatInt(v, 10) + s[i+1:], nil
		}),
		"bitfromint4": intToBits(32), "bitfromint8": intToBits(64), "bittoint4": bitsToInt(integer, 32), "bittoint8": bitsToInt(bigint, 64),
		"bit": lengthCoercion(types.Bit), "varbit": lengthCoercion(types.VarBit), "bitcmp": threeWay,
	}
	comparisons(k, "bit", compareStrings)
	return k
}

func bitIndexError(i int64, n int) error {
	return errs.New(errs.ArraySubscriptError, "bit index %d out of valid range (0..%d)", i, n-1)
}
