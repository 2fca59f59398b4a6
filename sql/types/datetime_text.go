package types

import (
	"strconv"
)

var monthNames = [13]string{"", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
var dayNames = [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// appendPadded appends a non-negative number with at least width digits.
func appendPadded(dst []byte, v, width int) []byte {
	if width == 2 && v < 100 {
		return append(dst, '0'+byte(v/10), '0'+byte(v%10))
	}
	n := 1
	for x := v; x >= 10; x /= 10 {
		n++
	}
	for ; n < width; n++ {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(v), 10)
}

// appendFraction appends the decimals of a second, without trailing zeros.
func appendFraction(dst []byte, micros int) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := 100000; micros > 0; unit /= 10 {
		dst = append(dst, '0'+byte(micros/unit))
		micros %= unit
	}
	return dst
}

func appendTime(dst []byte, c *Civil) []byte {
	dst = appendPadded(dst, c.Hour, 2)
	dst = appendPadded(append(dst, ':'), c.Minute, 2)
	dst = appendPadded(append(dst, ':'), c.Second, 2)
	return appendFraction(dst, c.Micro)
}

// appendTimeOfDay is time_out.
func appendTimeOfDay(dst []byte, micros int64) []byte {
	var c Civil
	c.setTime(micros)
	return appendTime(dst, &c)
}

// appendZone appends an offset in seconds east: +01, -03:30, +00:19:32.
func appendZone(dst []byte, offset int) []byte {
	if offset < 0 {
		dst = append(dst, '-')
		offset = -offset
	} else {
		dst = append(dst, '+')
	}
	dst = appendPadded(dst, offset/3600, 2)
	if offset%3600 != 0 {
		dst = appendPadded(append(dst, ':'), offset/60%60, 2)
		if offset%60 != 0 {
			dst = appendPadded(append(dst, ':'), offset%60, 2)
		}
	}
	return dst
}

func appendInfinity(dst []byte, positive bool) []byte {
	if !positive {
		dst = append(dst, '-')
	}
	return append(dst, "infinity"...)
}

// printedYear is the year as printed, with BC years positive.
func printedYear(year int) int {
	if year > 0 {
		return year
	}
	return 1 - year
}

// appendDayMonth appends day and month in the setting's order.
func appendDayMonth(dst []byte, c *Civil, order DateOrder, sep byte) []byte {
	if order == OrderDMY {
		return appendPadded(append(appendPadded(dst, c.Day, 2), sep), c.Month, 2)
	}
	return appendPadded(append(appendPadded(dst, c.Month, 2), sep), c.Day, 2)
}

// appendCivilDate appends the date, without BC.
func appendCivilDate(dst []byte, c *Civil, env *Env) []byte {
	year := printedYear(c.Year)
	switch env.DateStyle {
	case StyleSQL:
		return appendPadded(append(appendDayMonth(dst, c, env.DateOrder, '/'), '/'), year, 4)
	case StyleGerman:
		return appendPadded(append(appendDayMonth(dst, c, OrderDMY, '.'), '.'), year, 4)
	case StylePostgres:
		return appendPadded(append(appendDayMonth(dst, c, env.DateOrder, '-'), '-'), year, 4)
	}
	dst = appendPadded(dst, year, 4)
	dst = appendPadded(append(dst, '-'), c.Month, 2)
	return appendPadded(append(dst, '-'), c.Day, 2)
}

func appendEra(dst []byte, year int) []byte {
	if year <= 0 {
		return append(dst, " BC"...)
	}
	return dst
}

// appendDate is date_out.
func appendDate(dst []byte, date int64, env *Env) []byte {
	if date == DateInfinity || date == DateNegInfinity {
		return appendInfinity(dst, date > 0)
	}
	var c Civil
	c.Year, c.Month, c.Day = CivilFromDays(date)
	return appendEra(appendCivilDate(dst, &c, env), c.Year)
}

// appendTimestamp is timestamp_out.
func appendTimestamp(dst []byte, ts int64, env *Env) []byte {
	if !isFinite(ts) {
		return appendInfinity(dst, ts > 0)
	}
	c := CivilFromTimestamp(ts)
	return appendEra(appendDateTime(dst, &c, env, nil), c.Year)
}

// appendTimestampTZ is timestamptz_out.
func appendTimestampTZ(dst []byte, ts int64, env *Env) []byte {
	if !isFinite(ts) {
		return appendInfinity(dst, ts > 0)
	}
	name, offset := zoneAt(ts, env.Location)
	c := CivilFromTimestamp(ts + int64(offset)*MicrosPerSecond)
	return appendEra(appendDateTime(dst, &c, env, &zoneReading{name, offset}), c.Year)
}

type zoneReading struct {
	name   string
	offset int
}

func (z *zoneReading) append(dst []byte, env *Env) []byte {
	switch {
	case z == nil:
		return dst
	case env.DateStyle == StyleISO:
		return appendZone(dst, z.offset)
	}
	return append(append(dst, ' '), z.name...)
}

func appendDateTime(dst []byte, c *Civil, env *Env, zone *zoneReading) []byte {
	if env.DateStyle == StylePostgres {
		dst = append(dst, dayNames[dayOfWeek(DaysFromCivil(c.Year, c.Month, c.Day))]...)
		dst = append(dst, ' ')
		if env.DateOrder == OrderDMY {
			dst = append(append(appendPadded(dst, c.Day, 2), ' '), monthNames[c.Month]...)
		} else {
			dst = appendPadded(append(append(dst, monthNames[c.Month]...), ' '), c.Day, 2)
		}
		dst = appendTime(append(dst, ' '), c)
		dst = appendPadded(append(dst, ' '), printedYear(c.Year), 4)
		return zone.append(dst, env)
	}
	dst = appendTime(append(appendCivilDate(dst, c, env), ' '), c)
	return zone.append(dst, env)
}
