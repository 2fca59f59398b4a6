package types

import (
	"bytes"
	"hash/maphash"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

func sortLabels(labels []EnumLabel) []EnumLabel {
	l := append([]EnumLabel(nil), labels...)
	sort.SliceStable(l, func(i, j int) bool { return l[i].Sort < l[j].Sort })
	return l
}

// QuoteIdentifier quotes a name if SQL needs it.
func QuoteIdentifier(name string) string { return name }

// FormatType is the name of a type with its modifier as PostgreSQL prints it: "character varying(10)".
func FormatType(t *Type, mod int32) string { return t.SQLName }

// TypmodFromArgs makes a typmod from the numbers written after a type's name.
func TypmodFromArgs(t *Type, args []int32) (int32, error) { return NoTypmod, nil }

// ParseText reads a value's text form, as PostgreSQL's input function, and applies the typmod (truncating nothing but blanks).
func ParseText(t *Type, mod int32, s string, env *Env) (Datum, error) {
	switch t.class {
	case classInt2, classInt4, classInt8:
		v, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return Null, errs.New(errs.InvalidTextRepresentation, "invalid input syntax for type %s: %q", t.SQLName, s)
		}
		return NewInt(v), nil
	case classText:
		return NewString(s), nil
	}
	return Null, errs.Unsupported("input of type %s", t.SQLName)
}

// AppendText appends the text form of a non-NULL value, as PostgreSQL's output function.
func AppendText(dst []byte, t *Type, d Datum, env *Env) []byte {
	switch t.Rep {
	case RepInt:
		return strconv.AppendInt(dst, d.i, 10)
	case RepString:
		return append(dst, d.s...)
	}
	return dst
}

// AppendTextVec is AppendText for row i of a vector; it must not be NULL.
func AppendTextVec(dst []byte, v *Vec, i int, env *Env) []byte {
	return AppendText(dst, v.Type, v.Datum(i), env)
}

// AppendBinary appends the binary form of a non-NULL value, as PostgreSQL's send function.
func AppendBinary(dst []byte, t *Type, d Datum) []byte { return dst }

// ParseBinary reads a value's binary form, as PostgreSQL's receive function, and applies the typmod.
func ParseBinary(t *Type, mod int32, b []byte) (Datum, error) {
	return Null, errs.Unsupported("binary input of type %s", t.SQLName)
}

// ApplyTypmod makes a value fit a typmod: explicit as a cast written by the user does, else as an assignment does.
func ApplyTypmod(t *Type, mod int32, d Datum, explicit bool) (Datum, error) { return d, nil }

// Compare orders two non-NULL values of type t as its default btree operator class does.
func Compare(t *Type, a, b Datum) int {
	switch t.Rep {
	case RepInt:
		if a.i < b.i {
			return -1
		} else if a.i > b.i {
			return 1
		}
		return 0
	case RepString:
		return strings.Compare(a.s, b.s)
	case RepDecimal:
		return a.Decimal().Cmp(b.Decimal())
	}
	return bytes.Compare(AppendText(nil, t, a, DefaultEnv), AppendText(nil, t, b, DefaultEnv))
}

// Equal reports whether two non-NULL values are equal: Compare == 0.
func Equal(t *Type, a, b Datum) bool { return Compare(t, a, b) == 0 }

var pendingSeed = maphash.MakeSeed()

// Hash is equal for values that compare equal; int2, int4 and int8 hash alike. NULL is allowed.
func Hash(t *Type, d Datum, seed uint64) uint64 {
	return seed*31 + maphash.Bytes(pendingSeed, AppendText(nil, t, d, DefaultEnv))
}

// HashVec mixes the hash of each row of v that rows names into hashes, which has one entry for each of
// those rows, in their order: hashes[k] becomes Hash(v.Type, value of the k-th row, hashes[k]).
func HashVec(v *Vec, rows Rows, hashes []uint64) {
	for k := 0; k < rows.N; k++ {
		i := k
		if rows.Sel != nil {
			i = int(rows.Sel[k])
		}
		hashes[k] = Hash(v.Type, v.Datum(i), hashes[k])
	}
}

// EqualVec reports whether row i of a and row j of b, vectors of one type, are equal. Two NULLs are (as for GROUP BY).
func EqualVec(a *Vec, i int, b *Vec, j int) bool {
	if a.IsNull(i) || b.IsNull(j) {
		return a.IsNull(i) && b.IsNull(j)
	}
	return Equal(a.Type, a.Datum(i), b.Datum(j))
}

// CompareVec orders row i of a and row j of b, vectors of one type, neither NULL.
func CompareVec(a *Vec, i int, b *Vec, j int) int { return Compare(a.Type, a.Datum(i), b.Datum(j)) }

// AppendKey appends a value or NULL so that bytewise order is Compare's order, or the opposite if desc.
func AppendKey(dst []byte, t *Type, d Datum, desc, nullsFirst bool) []byte { return dst }

// AppendKeyVec is AppendKey for row i of a vector.
func AppendKeyVec(dst []byte, v *Vec, i int, desc, nullsFirst bool) []byte {
	return AppendKey(dst, v.Type, v.Datum(i), desc, nullsFirst)
}

// DecodeKey reads what AppendKey wrote and returns the rest. KeyIsExact tells whether it is the same value or
// only an equal one.
func DecodeKey(t *Type, b []byte, desc, nullsFirst bool) (Datum, []byte, error) {
	return Null, nil, errs.Unsupported("key of type %s", t.SQLName)
}

// KeyIsExact reports whether DecodeKey gives back the very value, and not only one that compares equal
// (as numeric 1.0 and 1.00, or interval '1 month' and '30 days').
func KeyIsExact(t *Type) bool { return false }

// HasKey reports whether values of t can be ordered, and so be in a key: json cannot.
func HasKey(t *Type) bool { return false }

// Column is a physical column of a table, in the order of attnum.
type Column struct {
	Type    *Type
	Dropped bool  // reads as NULL, is written as NULL; Type is still that of the rows already stored
	Missing Datum // value in rows stored before the column was added
}

// Layout encodes and decodes the rows of a table.
type Layout struct{ cols []Column }

// NewLayout makes the layout of a table's physical columns.
func NewLayout(cols []Column) *Layout { return &Layout{cols} }

// Encode appends the encoding of a row: one datum for each physical column.
func (l *Layout) Encode(dst []byte, row []Datum) []byte { return dst }

// EncodeVecs is Encode for row i of vectors, one for each physical column; nil for NULL.
func (l *Layout) EncodeVecs(dst []byte, cols []*Vec, i int) []byte { return dst }

// Column decodes one column of a row.
func (l *Layout) Column(value []byte, n int) (Datum, error) { return Null, nil }

// Decoder decodes chosen columns of many rows into vectors.
type Decoder struct{}

// NewDecoder decodes the columns with the given numbers (from 0) into vecs.
func (l *Layout) NewDecoder(cols []int, vecs []*Vec) *Decoder { return &Decoder{} }

// SetVecs makes the decoder write into other vectors.
func (d *Decoder) SetVecs(vecs []*Vec) {}

// DecodeInto decodes a row into row number row of the vectors, which must have room.
func (d *Decoder) DecodeInto(value []byte, row int) error { return nil }

// Numeric arithmetic, with PostgreSQL's result scales and errors. Arguments are not changed.

// NumericFromInt makes a numeric of scale 0.
func NumericFromInt(v int64) *apd.Decimal { return apd.New(v, 0) }

// NumericAdd is a + b.
func NumericAdd(a, b *apd.Decimal) (*apd.Decimal, error) { return a, nil }

// NumericSub is a - b.
func NumericSub(a, b *apd.Decimal) (*apd.Decimal, error) { return a, nil }

// NumericMul is a * b.
func NumericMul(a, b *apd.Decimal) (*apd.Decimal, error) { return a, nil }

// NumericDiv is a / b.
func NumericDiv(a, b *apd.Decimal) (*apd.Decimal, error) { return a, nil }

// NumericDivTrunc is the integer part of a / b: SQL's div().
func NumericDivTrunc(a, b *apd.Decimal) (*apd.Decimal, error) { return a, nil }

// NumericMod is a % b.
func NumericMod(a, b *apd.Decimal) (*apd.Decimal, error) { return a, nil }

// NumericNeg is -a.
func NumericNeg(a *apd.Decimal) *apd.Decimal { return a }

// NumericAbs is |a|.
func NumericAbs(a *apd.Decimal) *apd.Decimal { return a }

// NumericSign is -1, 0 or 1; 1 for NaN.
func NumericSign(a *apd.Decimal) int { return a.Sign() }

// NumericRound rounds half away from zero to a number of decimals, which may be negative.
func NumericRound(a *apd.Decimal, scale int) *apd.Decimal { return a }

// NumericTrunc cuts to a number of decimals, which may be negative.
func NumericTrunc(a *apd.Decimal, scale int) *apd.Decimal { return a }

// NumericCeil and NumericFloor are the next integers.
func NumericCeil(a *apd.Decimal) *apd.Decimal { return a }

// NumericFloor is the greatest integer not above a.
func NumericFloor(a *apd.Decimal) *apd.Decimal { return a }

// NumericCompare orders numerics: NaN is the greatest and equals itself.
func NumericCompare(a, b *apd.Decimal) int { return a.Cmp(b) }

// NumericScale is the display scale: the number of decimals printed.
func NumericScale(a *apd.Decimal) int { return int(-a.Exponent) }

// NumericToInt rounds to an integer of type t (int2, int4, int8); out of range is 22003.
func NumericToInt(a *apd.Decimal, t *Type) (int64, error) { return a.Int64() }

// NumericToFloat is the nearest float8; out of range is 22003.
func NumericToFloat(a *apd.Decimal) (float64, error) { return a.Float64() }

// NumericFromFloat converts as the cast from float8 does (15 significant digits), or float4 (6).
func NumericFromFloat(f float64, t *Type) *apd.Decimal { return nil }

// Dates and times. A date is in days, a timestamp in µs, both since 2000-01-01.

// Infinite dates and timestamps, and units.
const (
	DateInfinity         int64 = 1<<31 - 1
	DateNegInfinity      int64 = -1 << 31
	TimestampInfinity    int64 = 1<<63 - 1
	TimestampNegInfinity int64 = -1 << 63
	MicrosPerSecond      int64 = 1000000
	MicrosPerMinute            = 60 * MicrosPerSecond
	MicrosPerHour              = 60 * MicrosPerMinute
	MicrosPerDay               = 24 * MicrosPerHour
)

// Civil is a date and time of day in the proleptic Gregorian calendar. Year 0 is 1 BC.
type Civil struct{ Year, Month, Day, Hour, Minute, Second, Micro int }

// DaysFromCivil is the number of days from 2000-01-01; month and day must be in range.
func DaysFromCivil(year, month, day int) int64 { return 0 }

// CivilFromDays is its inverse.
func CivilFromDays(days int64) (year, month, day int) { return 0, 0, 0 }

// CivilFromTimestamp takes a finite timestamp apart.
func CivilFromTimestamp(ts int64) Civil { return Civil{} }

// Timestamp puts it together; out of range is 22008.
func (c Civil) Timestamp() (int64, error) { return 0, nil }

// TimestampFromTime and TimeFromTimestamp convert finite timestamptz values.
func TimestampFromTime(t time.Time) int64 { return t.UnixMicro() - 946684800000000 }

// TimeFromTimestamp is its inverse, in UTC.
func TimeFromTimestamp(ts int64) time.Time { return time.UnixMicro(ts + 946684800000000).UTC() }

// LoadLocation finds a time zone by the name or offset as in SET TIME ZONE and AT TIME ZONE; unknown is 22023.
func LoadLocation(name string) (*time.Location, error) { return time.LoadLocation(name) }

// ZoneOffset is the offset from UTC in seconds east at a timestamptz.
func ZoneOffset(ts int64, loc *time.Location) int { return 0 }

// LocalTimestamp is timestamptz AT TIME ZONE loc: the clock's reading there.
func LocalTimestamp(ts int64, loc *time.Location) int64 { return ts }

// TimestampInZone is timestamp AT TIME ZONE loc: when the clock there reads that.
func TimestampInZone(local int64, loc *time.Location) (int64, error) { return local, nil }

// DateToTimestamp is midnight of the date; out of range is 22008.
func DateToTimestamp(date int64) (int64, error) { return 0, nil }

// TimestampToDate is the day of a timestamp.
func TimestampToDate(ts int64) (int64, error) { return 0, nil }

// DateTrunc is date_trunc(unit, timestamp).
func DateTrunc(unit string, ts int64) (int64, error) { return ts, nil }

// DateTruncTZ is date_trunc(unit, timestamptz) in a zone.
func DateTruncTZ(unit string, ts int64, loc *time.Location) (int64, error) { return ts, nil }

// DateTruncInterval is date_trunc(unit, interval).
func DateTruncInterval(unit string, iv Interval) (Interval, error) { return iv, nil }

// Extract is extract(unit from value) for date, time, timetz, timestamp, timestamptz and interval: a numeric, or
// NULL where PostgreSQL says so (some units of infinite values). loc is used for timestamptz only.
func Extract(unit string, t *Type, d Datum, loc *time.Location) (Datum, error) { return Null, nil }

// AddInterval is timestamp + interval: months with the day clamped to the month's last, then days, then time.
func AddInterval(ts int64, iv Interval) (int64, error) { return ts, nil }

// AddIntervalTZ is timestamptz + interval: months and days on the clock of loc.
func AddIntervalTZ(ts int64, iv Interval, loc *time.Location) (int64, error) { return ts, nil }

// SubTimestamps is timestamp - timestamp: days and time.
func SubTimestamps(a, b int64) (Interval, error) { return Interval{}, nil }

// Age is age(timestamp, timestamp): years, months, days and time.
func Age(a, b int64) (Interval, error) { return Interval{}, nil }

// AgeTZ is age(timestamptz, timestamptz) on the clock of loc.
func AgeTZ(a, b int64, loc *time.Location) (Interval, error) { return Interval{}, nil }

// Add, Sub, Neg, Mul and Div are interval arithmetic; overflow is 22008.
func (iv Interval) Add(o Interval) (Interval, error) { return iv, nil }

// Sub is iv - o.
func (iv Interval) Sub(o Interval) (Interval, error) { return iv, nil }

// Neg is -iv.
func (iv Interval) Neg() (Interval, error) { return iv, nil }

// Mul is iv * f.
func (iv Interval) Mul(f float64) (Interval, error) { return iv, nil }

// Div is iv / f.
func (iv Interval) Div(f float64) (Interval, error) { return iv, nil }

// JustifyHours, JustifyDays and JustifyInterval are the functions of those names.
func (iv Interval) JustifyHours() (Interval, error) { return iv, nil }

// JustifyDays turns 30 days into a month.
func (iv Interval) JustifyDays() (Interval, error) { return iv, nil }

// JustifyInterval does both.
func (iv Interval) JustifyInterval() (Interval, error) { return iv, nil }
