package types

import (
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
)

// addMonths adds months, with the day clamped to the month's last.
func (c *Civil) addMonths(n int64) {
	m := int64(c.Year)*12 + int64(c.Month) - 1 + n
	c.Year = int(floorDiv64(m, 12))
	c.Month = int(m-int64(c.Year)*12) + 1
	if last := monthDays(c.Year, c.Month); c.Day > last {
		c.Day = last
	}
}

// addMonthsDays adds the interval's months and days to a local timestamp.
func addMonthsDays(local int64, iv Interval) (int64, error) {
	var err error
	if iv.Months != 0 {
		c := CivilFromTimestamp(local)
		c.addMonths(int64(iv.Months))
		if local, err = c.Timestamp(); err != nil {
			return 0, err
		}
	}
	if iv.Days != 0 {
		days, micros := splitTimestamp(local)
		if local, err = makeTimestamp(days+int64(iv.Days), micros); err != nil {
			return 0, err
		}
	}
	return local, nil
}

// AddInterval is timestamp + interval: months with the day clamped to the month's last, then days, then time; out of
// range is 22008.
func AddInterval(ts int64, iv Interval) (int64, error) {
	if !isFinite(ts) {
		return ts, nil
	}
	ts, err := addMonthsDays(ts, iv)
	if err != nil {
		return 0, err
	}
	sum, ok := addInt64(ts, iv.Micros)
	if !ok {
		return 0, timestampOutOfRange()
	}
	return checkTimestamp(sum)
}

// AddIntervalTZ is timestamptz + interval: months and days on the clock of loc.
func AddIntervalTZ(ts int64, iv Interval, loc *time.Location) (int64, error) {
	if !isFinite(ts) {
		return ts, nil
	}
	var err error
	if iv.Months != 0 {
		if ts, err = addMonthsDays(LocalTimestamp(ts, loc), Interval{Months: iv.Months}); err == nil {
			ts, err = TimestampInZone(ts, loc)
		}
		if err != nil {
			return 0, err
		}
	}
	if iv.Days != 0 {
		if ts, err = addMonthsDays(LocalTimestamp(ts, loc), Interval{Days: iv.Days}); err == nil {
			ts, err = TimestampInZone(ts, loc)
		}
		if err != nil {
			return 0, err
		}
	}
	sum, ok := addInt64(ts, iv.Micros)
	if !ok {
		return 0, timestampOutOfRange()
	}
	return checkTimestamp(sum)
}

// AddTime is time + interval: of the interval only the time counts, and midnight is passed in a circle.
func AddTime(micros int64, iv Interval) int64 {
	t := (micros + iv.Micros%MicrosPerDay) % MicrosPerDay
	if t < 0 {
		t += MicrosPerDay
	}
	return t
}

// SubTimestamps is timestamp - timestamp: days of 24 hours and time. Infinite ones are 22008.
func SubTimestamps(a, b int64) (Interval, error) {
	if !isFinite(a) || !isFinite(b) {
		return Interval{}, errs.New(errs.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
	}
	d, ok := subInt64(a, b)
	if !ok {
		return Interval{}, intervalOutOfRange()
	}
	return Interval{Micros: d}.JustifyHours()
}

// Age is age(timestamp, timestamp): years, months, days and time, as one would count them on a calendar.
func Age(a, b int64) (Interval, error) {
	if !isFinite(a) || !isFinite(b) {
		return Interval{}, timestampOutOfRange()
	}
	x, y := CivilFromTimestamp(a), CivilFromTimestamp(b)
	neg := a < b
	if neg {
		x, y = y, x
	}
	d := Civil{x.Year - y.Year, x.Month - y.Month, x.Day - y.Day, 0, 0, 0, 0}
	micros := x.TimeOfDay() - y.TimeOfDay()
	if micros < 0 {
		micros += MicrosPerDay
		d.Day--
	}
	for d.Day < 0 { // borrow the length of the month where the count began
		d.Day += monthDays(y.Year, y.Month)
		d.Month--
	}
	if d.Month < 0 {
		d.Month += 12
		d.Year--
	}
	iv, err := newInterval(int64(d.Year)*12+int64(d.Month), int64(d.Day), micros)
	if err == nil && neg {
		return iv.Neg()
	}
	return iv, err
}

// AgeTZ is age(timestamptz, timestamptz) on the clock of loc.
func AgeTZ(a, b int64, loc *time.Location) (Interval, error) {
	if !isFinite(a) || !isFinite(b) {
		return Interval{}, timestampOutOfRange()
	}
	return Age(LocalTimestamp(a, loc), LocalTimestamp(b, loc))
}

// findUnit is the unit of extract and date_trunc; unitNone if there is none of that name.
func findUnit(name string) (unit int, lower string) {
	lower = strings.ToLower(name)
	word := clipWord(lower)
	if w, ok := intervalWords[word]; ok && w.kind == wordUnit {
		return w.value, lower
	}
	w := dateWords[word]
	switch {
	case w.kind == wordUnit:
		return w.value, lower
	case w.kind == wordReserved && w.value == reservedEpoch:
		return unitEpoch, lower
	case w.kind == wordReserved:
		return unitTime, lower // a word that is known and no unit
	}
	return unitNone, lower
}

func unknownUnit(name string, t *Type) error {
	return errs.New(errs.InvalidParameterValue, "unit \"%s\" not recognized for type %s", name, t.SQLName)
}

func unsupportedUnit(name string, t *Type) *errs.Error {
	return errs.New(errs.FeatureNotSupported, "unit \"%s\" not supported for type %s", name, t.SQLName)
}

// truncate cuts below a unit; dateWise tells that it is a day at least.
func (c *Civil) truncate(unit int) (dateWise, ok bool) {
	switch unit {
	case unitWeek:
		days := DaysFromCivil(c.Year, c.Month, c.Day)
		days -= int64(isoDayOfWeek(days)) - 1
		c.Year, c.Month, c.Day = CivilFromDays(days)
	case unitMillennium:
		c.truncateYears(1000)
	case unitCentury:
		c.truncateYears(100)
	case unitDecade:
		// A decade begins with the year that ends in 0; there is no year 0 in BC.
		c.Year = int(floorDiv64(int64(c.Year), 10)) * 10
		c.Month, c.Day = 1, 1
	case unitYear:
		c.Month, c.Day = 1, 1
	case unitQuarter:
		c.Month, c.Day = (c.Month-1)/3*3+1, 1
	case unitMonth:
		c.Day = 1
	case unitDay:
	case unitHour:
		c.Minute, c.Second, c.Micro = 0, 0, 0
		return false, true
	case unitMinute:
		c.Second, c.Micro = 0, 0
		return false, true
	case unitSecond:
		c.Micro = 0
		return false, true
	case unitMillisecond:
		c.Micro = c.Micro / 1000 * 1000
		return false, true
	case unitMicrosecond:
		return false, true
	default:
		return false, false
	}
	c.Hour, c.Minute, c.Second, c.Micro = 0, 0, 0, 0
	return true, true
}

// truncateYears goes to the first year of a century or millennium, which is 1 or 2001 and not 2000.
func (c *Civil) truncateYears(n int64) {
	c.Year = int(floorDiv64(int64(c.Year)-1, n)*n) + 1
	c.Month, c.Day = 1, 1
}

// DateTrunc is date_trunc(unit, timestamp).
func DateTrunc(unit string, ts int64) (int64, error) {
	u, name := findUnit(unit)
	if !isFinite(ts) {
		return ts, nil
	}
	c := CivilFromTimestamp(ts)
	if _, ok := c.truncate(u); !ok {
		return 0, truncError(u, name, Timestamp)
	}
	return c.Timestamp()
}

// truncError tells units that exist from those that do not: those of the first word table are only not supported.
func truncError(u int, name string, t *Type) error {
	if u == unitTimezone || u == unitTimezoneHour || u == unitTimezoneMinute {
		return unsupportedUnit(name, t)
	}
	return unknownUnit(name, t)
}

// DateTruncTZ is date_trunc(unit, timestamptz) on the clock of loc.
func DateTruncTZ(unit string, ts int64, loc *time.Location) (int64, error) {
	u, name := findUnit(unit)
	if !isFinite(ts) {
		return ts, nil
	}
	offset := int64(ZoneOffset(ts, loc)) * MicrosPerSecond
	c := CivilFromTimestamp(ts + offset)
	dateWise, ok := c.truncate(u)
	if !ok {
		return 0, truncError(u, name, TimestampTZ)
	}
	local, err := c.Timestamp()
	if err != nil {
		return 0, err
	}
	if dateWise {
		return TimestampInZone(local, loc)
	}
	return checkTimestamp(local - offset)
}

// DateTruncInterval is date_trunc(unit, interval).
func DateTruncInterval(unit string, iv Interval) (Interval, error) {
	u, name := findUnit(unit)
	cut := func(n int64) (Interval, error) {
		iv.Micros = iv.Micros / n * n
		return iv, nil
	}
	years := func(n int32) (Interval, error) { return Interval{Months: iv.Months / (12 * n) * 12 * n}, nil }
	switch u {
	case unitMillennium:
		return years(1000)
	case unitCentury:
		return years(100)
	case unitDecade:
		return years(10)
	case unitYear:
		return years(1)
	case unitQuarter:
		return Interval{Months: iv.Months/12*12 + iv.Months%12/3*3}, nil
	case unitMonth:
		return Interval{Months: iv.Months}, nil
	case unitDay:
		return Interval{Months: iv.Months, Days: iv.Days}, nil
	case unitHour:
		return cut(MicrosPerHour)
	case unitMinute:
		return cut(MicrosPerMinute)
	case unitSecond:
		return cut(MicrosPerSecond)
	case unitMillisecond:
		return cut(1000)
	case unitMicrosecond:
		return iv, nil
	case unitWeek:
		return iv, unsupportedUnit(name, IntervalType).WithDetail("Months usually have fractional weeks.")
	}
	return iv, truncError(u, name, IntervalType)
}

// scaled is v * 10^-scale as a numeric.
func scaled(v int64, scale int) Datum {
	d := NumericFromInt(v)
	if scale != 0 {
		c := *d
		c.Exponent = -int32(scale)
		d = &c
	}
	return NewDecimal(d)
}

// Extract is extract(unit from value) for date, time, timetz, timestamp, timestamptz and interval: a numeric, or
// NULL where PostgreSQL says so (the units of infinite values that go round). loc is used for timestamptz only.
func Extract(unit string, t *Type, d Datum, loc *time.Location) (Datum, error) {
	u, name := findUnit(unit)
	switch t.class {
	case classDate:
		return extractDate(u, name, d.i)
	case classTime:
		return extractTime(u, name, t, d.i, 0)
	case classTimeTZ:
		v := d.x.(TimeTZ)
		return extractTime(u, name, t, v.Micros, int64(v.Zone))
	case classTimestamp:
		return extractTimestamp(u, name, t, d.i, time.UTC)
	case classTimestampTZ:
		return extractTimestamp(u, name, t, d.i, loc)
	case classInterval:
		return extractInterval(u, name, d.x.(Interval))
	}
	return Null, errs.Unsupported("extract from type %s", t.SQLName)
}

// infinitePart is a unit of an infinite timestamp or date: growing ones are infinite, the others NULL.
func infinitePart(u int, positive bool) (Datum, bool) {
	switch u {
	case unitMicrosecond, unitMillisecond, unitSecond, unitMinute, unitHour, unitDay, unitMonth, unitQuarter, unitWeek, unitDow,
		unitIsoDow, unitDoy, unitTimezone, unitTimezoneMinute, unitTimezoneHour:
		return Null, true
	case unitYear, unitDecade, unitCentury, unitMillennium, unitJulian, unitIsoYear, unitEpoch:
		return NewDecimal(numericInf(!positive)), true
	}
	return Null, false
}

// calendarPart is a unit of the date.
func calendarPart(u int, c *Civil, days int64) (v int64, ok bool) {
	year := int64(c.Year)
	switch u {
	case unitDay:
		return int64(c.Day), true
	case unitMonth:
		return int64(c.Month), true
	case unitQuarter:
		return int64(c.Month-1)/3 + 1, true
	case unitWeek:
		_, w := isoWeek(days)
		return int64(w), true
	case unitYear:
		return eraYear(year), true
	case unitIsoYear:
		y, _ := isoWeek(days)
		return eraYear(int64(y)), true
	case unitDecade:
		return floorDiv64(year, 10), true
	case unitCentury:
		return eraCount(year, 100), true
	case unitMillennium:
		return eraCount(year, 1000), true
	case unitDow:
		return int64(dayOfWeek(days)), true
	case unitIsoDow:
		return int64(isoDayOfWeek(days)), true
	case unitDoy:
		return days - DaysFromCivil(c.Year, 1, 1) + 1, true
	}
	return 0, false
}

// eraYear is the year without a zero: 1 BC is -1.
func eraYear(year int64) int64 {
	if year > 0 {
		return year
	}
	return year - 1
}

// eraCount is the century or millennium of a year: 2000 is in the 20th, 2001 in the 21st, 1 BC in the first before.
func eraCount(year, n int64) int64 {
	if year > 0 {
		return (year + n - 1) / n
	}
	return -((n - 1 - (year - 1)) / n)
}

func extractDate(u int, name string, date int64) (Datum, error) {
	if date == DateInfinity || date == DateNegInfinity {
		switch u {
		case unitDay, unitMonth, unitQuarter, unitWeek, unitDow, unitIsoDow, unitDoy,
			unitYear, unitDecade, unitCentury, unitMillennium, unitJulian, unitIsoYear, unitEpoch:
			v, _ := infinitePart(u, date > 0)
			return v, nil
		case unitNone:
			return Null, unknownUnit(name, Date)
		}
		return Null, unsupportedUnit(name, Date)
	}
	switch u {
	case unitEpoch:
		return scaled((date-unixEpochMicros/MicrosPerDay)*86400, 0), nil
	case unitJulian:
		return scaled(date+julianEpoch, 0), nil
	}
	var c Civil
	c.Year, c.Month, c.Day = CivilFromDays(date)
	v, ok := calendarPart(u, &c, date)
	switch {
	case ok:
		return scaled(v, 0), nil
	case u == unitNone:
		return Null, unknownUnit(name, Date)
	}
	return Null, unsupportedUnit(name, Date)
}

// clockPart is a unit of the time of day.
func clockPart(u int, micros int64) (Datum, bool) {
	switch u {
	case unitMicrosecond:
		return scaled(micros%MicrosPerMinute, 0), true
	case unitMillisecond:
		return scaled(micros%MicrosPerMinute, 3), true
	case unitSecond:
		return scaled(micros%MicrosPerMinute, 6), true
	case unitMinute:
		return scaled(micros/MicrosPerMinute%60, 0), true
	case unitHour:
		return scaled(micros/MicrosPerHour, 0), true
	}
	return Null, false
}

// zonePart is a unit of an offset in seconds east.
func zonePart(u int, offset int64) (Datum, bool) {
	switch u {
	case unitTimezone:
		return scaled(offset, 0), true
	case unitTimezoneHour:
		return scaled(offset/3600, 0), true
	case unitTimezoneMinute:
		return scaled(offset/60%60, 0), true
	}
	return Null, false
}

func extractTime(u int, name string, t *Type, micros, west int64) (Datum, error) {
	if v, ok := clockPart(u, micros); ok {
		return v, nil
	}
	if t.class == classTimeTZ {
		if v, ok := zonePart(u, -west); ok {
			return v, nil
		}
	}
	switch u {
	case unitEpoch:
		return scaled(micros+west*MicrosPerSecond, 6), nil
	case unitNone:
		return Null, unknownUnit(name, t)
	}
	return Null, unsupportedUnit(name, t)
}

func extractTimestamp(u int, name string, t *Type, ts int64, loc *time.Location) (Datum, error) {
	zoned := t.class == classTimestampTZ
	zoneUnit := u == unitTimezone || u == unitTimezoneHour || u == unitTimezoneMinute
	if !isFinite(ts) {
		if v, ok := infinitePart(u, ts > 0); ok && (zoned || !zoneUnit) {
			return v, nil
		}
	} else {
		if u == unitEpoch {
			return epochPart(ts), nil
		}
		var offset int64
		if zoned {
			offset = int64(ZoneOffset(ts, loc))
			if v, ok := zonePart(u, offset); ok {
				return v, nil
			}
		}
		local := ts + offset*MicrosPerSecond
		days, micros := splitTimestamp(local)
		if v, ok := clockPart(u, micros); ok {
			return v, nil
		}
		if u == unitJulian {
			return julianPart(days, micros)
		}
		c := CivilFromTimestamp(local)
		if v, ok := calendarPart(u, &c, days); ok {
			return scaled(v, 0), nil
		}
	}
	if u == unitNone {
		return Null, unknownUnit(name, t)
	}
	return Null, unsupportedUnit(name, t)
}

// epochPart is the seconds since 1970; near the end of the range the µs do not fit an int64.
func epochPart(ts int64) Datum {
	if v, ok := subInt64(ts, unixEpochMicros); ok {
		return scaled(v, 6)
	}
	sum, err := NumericSub(NumericFromInt(ts), NumericFromInt(unixEpochMicros))
	if err != nil {
		return Null
	}
	c := *sum
	c.Exponent = -6
	return NewDecimal(&c)
}

func julianPart(days, micros int64) (Datum, error) {
	part, err := NumericDiv(NumericFromInt(micros), NumericFromInt(MicrosPerDay))
	if err != nil {
		return Null, err
	}
	sum, err := NumericAdd(NumericFromInt(days+julianEpoch), part)
	if err != nil {
		return Null, err
	}
	return NewDecimal(sum), nil
}

func extractInterval(u int, name string, iv Interval) (Datum, error) {
	years := int64(iv.Months / 12)
	months := int64(iv.Months % 12)
	switch u {
	case unitMicrosecond:
		return scaled(iv.Micros%MicrosPerMinute, 0), nil
	case unitMillisecond:
		return scaled(iv.Micros%MicrosPerMinute, 3), nil
	case unitSecond:
		return scaled(iv.Micros%MicrosPerMinute, 6), nil
	case unitMinute:
		return scaled(iv.Micros/MicrosPerMinute%60, 0), nil
	case unitHour:
		return scaled(iv.Micros/MicrosPerHour, 0), nil
	case unitDay:
		return scaled(int64(iv.Days), 0), nil
	case unitMonth:
		return scaled(months, 0), nil
	case unitQuarter:
		return scaled(months/3+1, 0), nil
	case unitYear:
		return scaled(years, 0), nil
	case unitDecade:
		return scaled(years/10, 0), nil
	case unitCentury:
		return scaled(years/100, 0), nil
	case unitMillennium:
		return scaled(years/1000, 0), nil
	case unitEpoch:
		return intervalEpoch(iv), nil
	case unitNone:
		return Null, unknownUnit(name, IntervalType)
	}
	return Null, unsupportedUnit(name, IntervalType)
}

// intervalEpoch counts years of 365.25 days and months of 30.
func intervalEpoch(iv Interval) Datum {
	years, months := int64(iv.Months/12), int64(iv.Months%12)
	seconds := (years*1461 + (months*30+int64(iv.Days))*4) * 21600
	sum := new(apd.Decimal)
	var a, b apd.BigInt
	a.SetInt64(seconds)
	b.SetInt64(MicrosPerSecond)
	a.Mul(&a, &b)
	b.SetInt64(iv.Micros)
	a.Add(&a, &b)
	if sum.Negative = a.Sign() < 0; sum.Negative {
		a.Neg(&a)
	}
	sum.Coeff.Set(&a)
	sum.Exponent = -6
	return NewDecimal(sum)
}
