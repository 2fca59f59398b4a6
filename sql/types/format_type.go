package types

import (
	"strconv"

	"holdfast/sql/errs"
)

// Limits of type modifiers.
const (
	maxStringLength  = 10485760
	maxBitLength     = 83886080
	maxPrecision     = 1000
	maxTimePrecision = 6
)

// The fields of an interval's typmod: which of its parts are kept, and the decimals of the seconds.
const (
	intervalFullRange     int32 = 0x7FFF
	intervalFullPrecision int32 = 0xFFFF

	intervalMonth  int32 = 1 << 1
	intervalYear   int32 = 1 << 2
	intervalDay    int32 = 1 << 3
	intervalHour   int32 = 1 << 10
	intervalMinute int32 = 1 << 11
	intervalSecond int32 = 1 << 12
)

var intervalRangeNames = map[int32]string{
	intervalYear:                 " year",
	intervalMonth:                " month",
	intervalDay:                  " day",
	intervalHour:                 " hour",
	intervalMinute:               " minute",
	intervalSecond:               " second",
	intervalYear | intervalMonth: " year to month",
	intervalDay | intervalHour:   " day to hour",
	intervalDay | intervalHour | intervalMinute:                  " day to minute",
	intervalDay | intervalHour | intervalMinute | intervalSecond: " day to second",
	intervalHour | intervalMinute:                                " hour to minute",
	intervalHour | intervalMinute | intervalSecond:               " hour to second",
	intervalMinute | intervalSecond:                              " minute to second",
	intervalFullRange:                                            "",
}

func intervalTypmodParts(mod int32) (rng, precision int32) {
	return mod >> 16 & 0x7FFF, mod & 0xFFFF
}

// NumericTypmod takes a numeric's typmod apart; it must not be NoTypmod.
func NumericTypmod(mod int32) (precision, scale int) {
	mod -= 4
	return int(mod >> 16 & 0xFFFF), int((mod&0x7ff ^ 1024) - 1024)
}

// FormatType is the name of a type with its modifier, as format_type(oid, mod) prints it: "character varying(10)".
// With NoTypmod it is the type as a column definition without modifier would have it, which differs from SQLName
// for bpchar and bit: "character" alone would mean a length of one.
func FormatType(t *Type, mod int32) string {
	if t.IsArray() && t.Kind != 'd' {
		return FormatType(t.Elem, mod) + "[]"
	}
	if mod < 0 {
		switch t {
		case Bpchar:
			return "bpchar"
		case Bit:
			return `"bit"`
		}
		return t.SQLName
	}
	switch t.class {
	case classBool, classInt2, classInt4, classInt8, classFloat4, classFloat8: // have no modifiers
		return t.SQLName
	}
	suffix := FormatTypmod(t, mod)
	switch t {
	case Time, TimeTZType, Timestamp, TimestampTZ: // "timestamp" + "(3)" + " without time zone"
		name, zone := "time", t.SQLName[len("time"):]
		if t == Timestamp || t == TimestampTZ {
			name, zone = "timestamp", t.SQLName[len("timestamp"):]
		}
		return name + suffix[:len(suffix)-len(zone)] + zone
	}
	return t.SQLName + suffix
}

// FormatTypmod is what the type's typmodout function gives: "(10,2)", "" for none.
func FormatTypmod(t *Type, mod int32) string {
	if mod < 0 {
		return ""
	}
	number := func(n int32) string { return "(" + strconv.Itoa(int(n)) + ")" }
	switch t {
	case Varchar, Bpchar:
		if mod > 4 {
			return number(mod - 4)
		}
		return ""
	case Numeric:
		p, s := NumericTypmod(mod)
		return "(" + strconv.Itoa(p) + "," + strconv.Itoa(s) + ")"
	case Time, Timestamp:
		return number(mod) + " without time zone"
	case TimeTZType, TimestampTZ:
		return number(mod) + " with time zone"
	case IntervalType:
		rng, p := intervalTypmodParts(mod)
		s := intervalRangeNames[rng]
		if p != intervalFullPrecision {
			s += number(p)
		}
		return s
	case Bit, VarBit:
		return number(mod)
	}
	return number(mod)
}

// TypmodFromArgs makes a typmod from the numbers written after a type's name, as the type's typmodin function.
// An interval's are its range mask and its precision, as the grammar gives them. Precisions of times beyond 6 are
// reduced to 6, as PostgreSQL does with a warning.
func TypmodFromArgs(t *Type, args []int32) (int32, error) {
	if len(args) == 0 {
		return NoTypmod, nil
	}
	if t.IsArray() {
		t = t.Elem
	}
	invalid := func(format string, a ...any) (int32, error) {
		return NoTypmod, errs.New(errs.InvalidParameterValue, format, a...)
	}
	length := func(name string, limit int32) (int32, error) {
		switch {
		case len(args) != 1:
			return invalid("invalid type modifier")
		case args[0] < 1:
			return invalid("length for type %s must be at least 1", name)
		case args[0] > limit:
			return invalid("length for type %s cannot exceed %d", name, limit)
		}
		return args[0], nil
	}
	precision := func(name, zone string) (int32, error) {
		switch {
		case len(args) != 1:
			return invalid("invalid type modifier")
		case args[0] < 0:
			return invalid("%s(%d)%s precision must not be negative", name, args[0], zone)
		}
		return min(args[0], maxTimePrecision), nil
	}
	switch t {
	case Varchar, Bpchar:
		name := "varchar"
		if t == Bpchar {
			name = "char"
		}
		n, err := length(name, maxStringLength)
		if err != nil {
			return n, err
		}
		return n + 4, nil
	case Bit:
		return length("bit", maxBitLength)
	case VarBit:
		return length("varbit", maxBitLength)
	case Numeric:
		if len(args) > 2 {
			return invalid("invalid NUMERIC type modifier")
		}
		var scale int32
		if len(args) == 2 {
			scale = args[1]
		}
		if args[0] < 1 || args[0] > maxPrecision {
			return invalid("NUMERIC precision %d must be between 1 and %d", args[0], maxPrecision)
		}
		if scale < -maxPrecision || scale > maxPrecision {
			return invalid("NUMERIC scale %d must be between %d and %d", scale, -maxPrecision, maxPrecision)
		}
		return args[0]<<16 | scale&0x7ff + 4, nil
	case Time:
		return precision("TIME", "")
	case TimeTZType:
		return precision("TIME", " WITH TIME ZONE")
	case Timestamp:
		return precision("TIMESTAMP", "")
	case TimestampTZ:
		return precision("TIMESTAMP", " WITH TIME ZONE")
	case IntervalType:
		if _, ok := intervalRangeNames[args[0]]; !ok || len(args) > 2 {
			return invalid("invalid INTERVAL type modifier")
		}
		p := intervalFullPrecision
		if len(args) == 2 {
			if args[1] < 0 {
				return invalid("INTERVAL(%d) precision must not be negative", args[1])
			}
			p = min(args[1], maxTimePrecision)
		} else if args[0] == intervalFullRange {
			return NoTypmod, nil
		}
		return args[0]<<16 | p, nil
	}
	return NoTypmod, errs.New(errs.SyntaxError, "type modifier is not allowed for type \"%s\"", t.Name)
}
