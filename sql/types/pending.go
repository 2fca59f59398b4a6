package types

import (
	"sort"
	"time"

	"holdfast/sql/errs"
)

func sortLabels(labels []EnumLabel) []EnumLabel {
	l := append([]EnumLabel(nil), labels...)
	sort.SliceStable(l, func(i, j int) bool { return l[i].Sort < l[j].Sort })
	return l
}

// AppendBinary appends the binary form of a non-NULL value, as PostgreSQL's send function.
func AppendBinary(dst []byte, t *Type, d Datum) []byte { return dst }

// ParseBinary reads a value's binary form, as PostgreSQL's receive function, and applies the typmod.
func ParseBinary(t *Type, mod int32, b []byte) (Datum, error) {
	return Null, errs.Unsupported("binary input of type %s", t.SQLName)
}

const dateEnd = 2145031949

func parseDate(s string, env *Env) (Datum, error)                    { return Null, errs.Unsupported("input of dates") }
func parseTime(s string, mod int32, env *Env) (Datum, error)         { return parseDate(s, env) }
func parseTimeTZ(s string, mod int32, env *Env) (Datum, error)       { return parseDate(s, env) }
func parseTimestamp(s string, mod int32, env *Env) (Datum, error)    { return parseDate(s, env) }
func parseTimestampTZ(s string, mod int32, env *Env) (Datum, error)  { return parseDate(s, env) }
func parseInterval(s string, mod int32, env *Env) (Datum, error)     { return parseDate(s, env) }
func appendDate(dst []byte, v int64, env *Env) []byte                { return dst }
func appendTimeOfDay(dst []byte, v int64) []byte                     { return dst }
func appendZone(dst []byte, v int, st DateStyle) []byte              { return dst }
func appendTimestamp(dst []byte, v int64, env *Env) []byte           { return dst }
func appendTimestampTZ(dst []byte, v int64, env *Env) []byte         { return dst }
func appendInterval(dst []byte, v Interval, st IntervalStyle) []byte { return dst }
func applyIntervalTypmod(iv Interval, mod int32) (Interval, error)   { return iv, nil }

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
