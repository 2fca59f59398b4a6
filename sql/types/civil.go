package types

import (
	"time"

	"holdfast/sql/errs"
)

// Dates and times. A date is in days, a timestamp in µs, both since 2000-01-01, in the proleptic Gregorian calendar.

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

// The ranges of finite values.
const (
	dateMin          int64 = -2451545 // 4714-11-24 BC: Julian day 0
	dateEnd          int64 = 2145031949
	timestampMin     int64 = -211813488000000000 // 4714-11-24 BC
	timestampEnd     int64 = 9223371331200000000 // 294277-01-01
	timestampDateEnd       = timestampEnd / MicrosPerDay
	julianEpoch      int64 = 2451545          // the Julian day of 2000-01-01
	unixEpochMicros  int64 = -946684800000000 // 1970-01-01
)

// Civil is a date and time of day. Year 0 is 1 BC.
type Civil struct{ Year, Month, Day, Hour, Minute, Second, Micro int }

var daysInMonth = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func monthDays(year, month int) int {
	if month == 2 && isLeap(year) {
		return 29
	}
	return daysInMonth[month]
}

// DaysFromCivil is the number of days from 2000-01-01; month must be in 1..12, day may be any.
//
// Years are counted from March, so that the leap day is the last, in eras of 400 years of 146097 days.
func DaysFromCivil(year, month, day int) int64 {
	y := int64(year)
	m := int64(month) - 3
	if m < 0 {
		m += 12
		y--
	}
	era := floorDiv64(y, 400)
	yoe := y - era*400
	doy := (153*m + 2) / 5
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	const marchEpoch = 730425 // days from 0000-03-01 to 2000-01-01
	return era*146097 + doe + int64(day) - 1 - marchEpoch
}

// CivilFromDays is its inverse.
func CivilFromDays(days int64) (year, month, day int) {
	z := days + 730425
	era := floorDiv64(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	m := (5*doy + 2) / 153
	day = int(doy - (153*m+2)/5 + 1)
	y := yoe + era*400
	if m < 10 {
		return int(y), int(m + 3), day
	}
	return int(y + 1), int(m - 9), day
}

func floorDiv64(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// splitTimestamp is the day and the µs in it.
func splitTimestamp(ts int64) (days, micros int64) {
	days = floorDiv64(ts, MicrosPerDay)
	return days, ts - days*MicrosPerDay
}

// CivilFromTimestamp takes a finite timestamp apart.
func CivilFromTimestamp(ts int64) Civil {
	days, micros := splitTimestamp(ts)
	var c Civil
	c.Year, c.Month, c.Day = CivilFromDays(days)
	c.setTime(micros)
	return c
}

func (c *Civil) setTime(micros int64) {
	c.Hour = int(micros / MicrosPerHour)
	c.Minute = int(micros / MicrosPerMinute % 60)
	c.Second = int(micros / MicrosPerSecond % 60)
	c.Micro = int(micros % MicrosPerSecond)
}

// TimeOfDay is the part below the day, in µs.
func (c Civil) TimeOfDay() int64 {
	return int64(c.Hour)*MicrosPerHour + int64(c.Minute)*MicrosPerMinute + int64(c.Second)*MicrosPerSecond + int64(c.Micro)
}

func timestampOutOfRange() *errs.Error {
	return errs.New(errs.DatetimeFieldOverflow, "timestamp out of range")
}

func dateOutOfRange() *errs.Error { return errs.New(errs.DatetimeFieldOverflow, "date out of range") }

func intervalOutOfRange() *errs.Error {
	return errs.New(errs.DatetimeFieldOverflow, "interval out of range")
}

// Timestamp puts it together; out of range is 22008. The month must be valid; the other parts may be beyond theirs.
func (c Civil) Timestamp() (int64, error) {
	return makeTimestamp(DaysFromCivil(c.Year, c.Month, c.Day), c.TimeOfDay())
}

func makeTimestamp(days, micros int64) (int64, error) {
	if days < dateMin-1 || days > timestampDateEnd+1 {
		return 0, timestampOutOfRange()
	}
	return checkTimestamp(days*MicrosPerDay + micros)
}

func checkTimestamp(ts int64) (int64, error) {
	if ts < timestampMin || ts >= timestampEnd {
		return 0, timestampOutOfRange()
	}
	return ts, nil
}

func isFinite(ts int64) bool { return ts != TimestampInfinity && ts != TimestampNegInfinity }

// TimestampFromTime is the timestamptz of a time, cut to µs.
func TimestampFromTime(t time.Time) int64 { return t.UnixMicro() + unixEpochMicros }

// TimeFromTimestamp is the time of a finite timestamptz, in UTC.
func TimeFromTimestamp(ts int64) time.Time {
	seconds := unixSeconds(ts)
	return time.Unix(seconds, (ts-floorDiv64(ts, MicrosPerSecond)*MicrosPerSecond)*1000).UTC()
}

// DateToTimestamp is midnight of the date; out of range is 22008.
func DateToTimestamp(date int64) (int64, error) {
	switch {
	case date == DateInfinity:
		return TimestampInfinity, nil
	case date == DateNegInfinity:
		return TimestampNegInfinity, nil
	case date >= timestampDateEnd:
		return 0, errs.New(errs.DatetimeFieldOverflow, "date out of range for timestamp")
	}
	return date * MicrosPerDay, nil
}

// DateToTimestampTZ is the instant of midnight of the date in a zone; out of range is 22008.
func DateToTimestampTZ(date int64, loc *time.Location) (int64, error) {
	ts, err := DateToTimestamp(date)
	if err != nil || !isFinite(ts) {
		return ts, err
	}
	ts, err = TimestampInZone(ts, loc)
	if err != nil {
		return 0, errs.New(errs.DatetimeFieldOverflow, "date out of range for timestamp")
	}
	return ts, nil
}

// TimestampToDate is the day of a timestamp.
func TimestampToDate(ts int64) (int64, error) {
	switch ts {
	case TimestampInfinity:
		return DateInfinity, nil
	case TimestampNegInfinity:
		return DateNegInfinity, nil
	}
	return floorDiv64(ts, MicrosPerDay), nil
}

// MakeDate is the date of a year (negative for BC, never 0), month and day; 22008 if there is none.
func MakeDate(year, month, day int) (int64, error) {
	y := year
	if y < 0 {
		y++
	}
	bad := func(what string) error {
		return errs.New(errs.DatetimeFieldOverflow, "%s: %d-%02d-%02d", what, y, month, day)
	}
	if year == 0 || month < 1 || month > 12 || day < 1 || day > monthDays(y, month) {
		return 0, bad("date field value out of range")
	}
	if y > 5874898 || y < -4713 {
		return 0, bad("date out of range")
	}
	d := DaysFromCivil(y, month, day)
	if d < dateMin || d >= dateEnd {
		return 0, bad("date out of range")
	}
	return d, nil
}

// isoWeek is the ISO year and week of a day.
func isoWeek(days int64) (year, week int) {
	// The week belongs to the year of its Thursday.
	thursday := days - int64(isoDayOfWeek(days)) + 4
	year, _, _ = CivilFromDays(thursday)
	return year, int(thursday-DaysFromCivil(year, 1, 1))/7 + 1
}

// dayOfWeek is 0 for Sunday; 2000-01-01 was a Saturday.
func dayOfWeek(days int64) int {
	return int(((days+6)%7 + 7) % 7)
}

// isoDayOfWeek is 1 for Monday, 7 for Sunday.
func isoDayOfWeek(days int64) int {
	if d := dayOfWeek(days); d != 0 {
		return d
	}
	return 7
}
