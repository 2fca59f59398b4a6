package types

import (
	"math"
	"strconv"
)

// intervalParts is an interval by the units of its output. All parts below the month have the sign of the time.
type intervalParts struct {
	years, months, days, hours int64
	minutes, seconds, micros   int
}

func (iv Interval) parts() intervalParts {
	return intervalParts{
		years: int64(iv.Months / 12), months: int64(iv.Months % 12), days: int64(iv.Days),
		hours:   iv.Micros / MicrosPerHour,
		minutes: int(iv.Micros / MicrosPerMinute % 60),
		seconds: int(iv.Micros / MicrosPerSecond % 60),
		micros:  int(iv.Micros % MicrosPerSecond),
	}
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func abs64(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// appendSeconds appends |seconds + micros|, with two digits if padded.
func appendSeconds(dst []byte, p *intervalParts, padded bool) []byte {
	if padded {
		dst = appendPadded(dst, abs(p.seconds), 2)
	} else {
		dst = strconv.AppendInt(dst, int64(abs(p.seconds)), 10)
	}
	return appendFraction(dst, abs(p.micros))
}

// appendInterval is interval_out.
func appendInterval(dst []byte, iv Interval, style IntervalStyle) []byte {
	p := iv.parts()
	switch style {
	case IntervalPostgresVerbose:
		return p.appendVerbose(dst)
	case IntervalSQLStandard:
		return p.appendSQL(dst)
	case IntervalISO8601:
		return p.appendISO(dst)
	}
	return p.appendPostgres(dst, iv.Micros)
}

func (p *intervalParts) appendPostgres(dst []byte, micros int64) []byte {
	start := len(dst)
	before := false // the last part was negative: a positive one after it gets a sign
	for _, u := range [...]struct {
		value int64
		name  string
	}{{p.years, "year"}, {p.months, "mon"}, {p.days, "day"}} {
		if u.value == 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if before && u.value > 0 {
			dst = append(dst, '+')
		}
		dst = append(append(strconv.AppendInt(dst, u.value, 10), ' '), u.name...)
		if u.value != 1 {
			dst = append(dst, 's')
		}
		before = u.value < 0
	}
	if len(dst) > start && micros == 0 {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	switch {
	case micros < 0:
		dst = append(dst, '-')
	case before:
		dst = append(dst, '+')
	}
	return p.appendClock(dst, 2)
}

// appendClock appends hh:mm:ss without sign.
func (p *intervalParts) appendClock(dst []byte, hourDigits int) []byte {
	h := abs64(p.hours)
	if h < 10 && hourDigits == 2 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, h, 10)
	dst = appendPadded(append(dst, ':'), abs(p.minutes), 2)
	return appendSeconds(append(dst, ':'), p, true)
}

func (p *intervalParts) appendVerbose(dst []byte) []byte {
	dst = append(dst, '@')
	zero, before := true, false
	for _, u := range [...]struct {
		value int64
		name  string
	}{{p.years, "year"}, {p.months, "mon"}, {p.days, "day"}, {p.hours, "hour"}, {int64(p.minutes), "min"}} {
		v := u.value
		if v == 0 {
			continue
		}
		if zero {
			before = v < 0
			v = abs64(v)
		} else if before {
			v = -v
		}
		dst = append(append(strconv.AppendInt(append(dst, ' '), v, 10), ' '), u.name...)
		if v != 1 {
			dst = append(dst, 's')
		}
		zero = false
	}
	if p.seconds != 0 || p.micros != 0 {
		dst = append(dst, ' ')
		if p.seconds < 0 || p.seconds == 0 && p.micros < 0 {
			if zero {
				before = true
			} else if !before {
				dst = append(dst, '-')
			}
		} else if before {
			dst = append(dst, '-')
		}
		dst = append(appendSeconds(dst, p, false), " sec"...)
		if abs(p.seconds) != 1 || p.micros != 0 {
			dst = append(dst, 's')
		}
		zero = false
	}
	if zero {
		dst = append(dst, " 0"...)
	}
	if before {
		dst = append(dst, " ago"...)
	}
	return dst
}

func (p *intervalParts) appendISO(dst []byte) []byte {
	dst = append(dst, 'P')
	start := len(dst)
	part := func(v int64, unit byte) {
		if v != 0 {
			dst = append(strconv.AppendInt(dst, v, 10), unit)
		}
	}
	part(p.years, 'Y')
	part(p.months, 'M')
	part(p.days, 'D')
	if p.hours != 0 || p.minutes != 0 || p.seconds != 0 || p.micros != 0 {
		dst = append(dst, 'T')
		part(p.hours, 'H')
		part(int64(p.minutes), 'M')
		if p.seconds != 0 || p.micros != 0 {
			if p.seconds < 0 || p.micros < 0 {
				dst = append(dst, '-')
			}
			dst = append(appendSeconds(dst, p, false), 'S')
		}
	}
	if len(dst) == start {
		dst = append(dst, "T0S"...)
	}
	return dst
}

func (p *intervalParts) appendSQL(dst []byte) []byte {
	values := [...]int64{p.years, p.months, p.days, p.hours, int64(p.minutes), int64(p.seconds), int64(p.micros)}
	negative, positive := false, false
	for _, v := range values {
		negative = negative || v < 0
		positive = positive || v > 0
	}
	hasYearMonth := p.years != 0 || p.months != 0
	hasTime := p.hours != 0 || p.minutes != 0 || p.seconds != 0 || p.micros != 0
	hasDay := p.days != 0
	hasDayTime := hasDay || hasTime
	mixed := negative && positive || hasYearMonth && hasDayTime
	if negative && !mixed {
		dst = append(dst, '-')
	}
	sign := func(minus bool) {
		if minus {
			dst = append(dst, '-')
		} else {
			dst = append(dst, '+')
		}
	}
	yearMonth := func() {
		dst = strconv.AppendInt(dst, abs64(p.years), 10)
		dst = strconv.AppendInt(append(dst, '-'), abs64(p.months), 10)
	}
	switch {
	case !negative && !positive:
		return append(dst, '0')
	case mixed:
		sign(p.years < 0 || p.months < 0)
		yearMonth()
		dst = append(dst, ' ')
		sign(p.days < 0)
		dst = append(strconv.AppendInt(dst, abs64(p.days), 10), ' ')
		sign(p.hours < 0 || p.minutes < 0 || p.seconds < 0 || p.micros < 0)
		return p.appendClock(dst, 1)
	case hasYearMonth:
		yearMonth()
		return dst
	case hasDay:
		dst = append(strconv.AppendInt(dst, abs64(p.days), 10), ' ')
	}
	return p.appendClock(dst, 1)
}

// applyIntervalTypmod cuts what is below the declared fields and rounds the seconds.
func applyIntervalTypmod(iv Interval, mod int32) (Interval, error) {
	rng, precision := intervalTypmodParts(mod)
	switch rng {
	case intervalYear:
		return Interval{Months: iv.Months / 12 * 12}, nil
	case intervalMonth, intervalYear | intervalMonth:
		return Interval{Months: iv.Months}, nil
	case intervalDay:
		iv.Micros = 0
	case intervalHour, intervalDay | intervalHour:
		iv.Micros = iv.Micros / MicrosPerHour * MicrosPerHour
	case intervalMinute, intervalDay | intervalHour | intervalMinute, intervalHour | intervalMinute:
		iv.Micros = iv.Micros / MicrosPerMinute * MicrosPerMinute
	}
	if precision != intervalFullPrecision {
		if abs64(iv.Micros) > math.MaxInt64-MicrosPerSecond || iv.Micros == math.MinInt64 {
			return iv, intervalOutOfRange()
		}
		iv.Micros = roundMicros(iv.Micros, int(precision))
	}
	return iv, nil
}

func newInterval(months, days int64, micros int64) (Interval, error) {
	if months != int64(int32(months)) || days != int64(int32(days)) {
		return Interval{}, intervalOutOfRange()
	}
	return Interval{Months: int32(months), Days: int32(days), Micros: micros}, nil
}

// Add is iv + o, part by part; overflow is 22008.
func (iv Interval) Add(o Interval) (Interval, error) {
	micros, ok := addInt64(iv.Micros, o.Micros)
	if !ok {
		return Interval{}, intervalOutOfRange()
	}
	return newInterval(int64(iv.Months)+int64(o.Months), int64(iv.Days)+int64(o.Days), micros)
}

// Sub is iv - o.
func (iv Interval) Sub(o Interval) (Interval, error) {
	micros, ok := subInt64(iv.Micros, o.Micros)
	if !ok {
		return Interval{}, intervalOutOfRange()
	}
	return newInterval(int64(iv.Months)-int64(o.Months), int64(iv.Days)-int64(o.Days), micros)
}

// Neg is -iv.
func (iv Interval) Neg() (Interval, error) {
	if iv.Micros == math.MinInt64 {
		return Interval{}, intervalOutOfRange()
	}
	return newInterval(-int64(iv.Months), -int64(iv.Days), -iv.Micros)
}

// roundTo6 rounds to µs of a second, which takes away the noise of multiplication.
func roundTo6(f float64) float64 { return roundEven(f*1e6) / 1e6 }

// Mul is iv * f. Fractions of months become days, of 30 to the month, and fractions of days time.
func (iv Interval) Mul(f float64) (Interval, error) {
	return iv.scale(f, func(v float64) float64 { return v * f })
}

// Div is iv / f; 22012 for zero.
func (iv Interval) Div(f float64) (Interval, error) {
	if f == 0 {
		return Interval{}, divisionByZero()
	}
	return iv.scale(f, func(v float64) float64 { return v / f })
}

func (iv Interval) scale(f float64, apply func(float64) float64) (Interval, error) {
	months := apply(float64(iv.Months))
	days := apply(float64(iv.Days))
	inRange := func(v float64) bool { return v >= math.MinInt32 && v <= math.MaxInt32 }
	if f != f || !inRange(months) || !inRange(days) {
		return Interval{}, intervalOutOfRange()
	}
	r := Interval{Months: int32(months), Days: int32(days)}
	// What is left of the months, in days; what is left of those, in seconds.
	monthDays := roundTo6((months - float64(r.Months)) * 30)
	seconds := roundTo6((days - float64(r.Days) + monthDays - float64(int64(monthDays))) * 86400)
	if math.Abs(seconds) >= 86400 { // rounding may have made a day of it
		whole := int64(seconds / 86400)
		d := int64(r.Days) + whole
		if d != int64(int32(d)) {
			return Interval{}, intervalOutOfRange()
		}
		r.Days = int32(d)
		seconds -= float64(whole * 86400)
	}
	d := int64(r.Days) + int64(monthDays)
	micros := roundEven(apply(float64(iv.Micros)) + seconds*1e6)
	if d != int64(int32(d)) || micros != micros || micros < math.MinInt64 || micros >= math.MaxInt64 {
		return Interval{}, intervalOutOfRange()
	}
	r.Days, r.Micros = int32(d), int64(micros)
	return r, nil
}

// JustifyHours makes days of 24 hours, and gives days and time the same sign.
func (iv Interval) JustifyHours() (Interval, error) {
	days := int64(iv.Days) + iv.Micros/MicrosPerDay
	micros := iv.Micros % MicrosPerDay
	if days > 0 && micros < 0 {
		micros += MicrosPerDay
		days--
	} else if days < 0 && micros > 0 {
		micros -= MicrosPerDay
		days++
	}
	return newInterval(int64(iv.Months), days, micros)
}

// JustifyDays makes months of 30 days, and gives months and days the same sign.
func (iv Interval) JustifyDays() (Interval, error) {
	months := int64(iv.Months) + int64(iv.Days)/30
	days := int64(iv.Days) % 30
	if months > 0 && days < 0 {
		days += 30
		months--
	} else if months < 0 && days > 0 {
		days -= 30
		months++
	}
	return newInterval(months, days, iv.Micros)
}

// JustifyInterval does both, and gives all parts the same sign.
func (iv Interval) JustifyInterval() (Interval, error) {
	months, days := int64(iv.Months), int64(iv.Days)
	// Days that have the other sign than the time are taken into months first, so that nothing overflows.
	if days > 0 && iv.Micros > 0 || days < 0 && iv.Micros < 0 {
		months += days / 30
		days %= 30
	}
	days += iv.Micros / MicrosPerDay
	micros := iv.Micros % MicrosPerDay
	months += days / 30
	days %= 30
	if months > 0 && (days < 0 || days == 0 && micros < 0) {
		days += 30
		months--
	} else if months < 0 && (days > 0 || days == 0 && micros > 0) {
		days -= 30
		months++
	}
	if days > 0 && micros < 0 {
		micros += MicrosPerDay
		days--
	} else if days < 0 && micros > 0 {
		micros -= MicrosPerDay
		days++
	}
	return newInterval(months, days, micros)
}
