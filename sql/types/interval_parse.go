package types

import (
	"math"
	"strconv"
	"strings"
)

// intervalDecoder collects the parts of an interval. The counters are those of PostgreSQL, with their limits.
type intervalDecoder struct {
	style  IntervalStyle
	rng    int32
	micros int64
	days   int32
	months int32
	years  int32
}

func roundEven(f float64) float64 { return math.RoundToEven(f) }

// addMicros adds (value + fraction) * unit.
func (d *intervalDecoder) addMicros(value int64, fraction float64, unit int64) bool {
	product, ok := mulInt64(value, unit)
	if !ok {
		return false
	}
	if d.micros, ok = addInt64(d.micros, product); !ok {
		return false
	}
	return d.addFractionalMicros(fraction, float64(unit))
}

func (d *intervalDecoder) addFractionalMicros(fraction, unit float64) bool {
	if fraction == 0 {
		return true
	}
	f := fraction * unit
	whole := int64(f)
	switch rest := f - float64(whole); {
	case rest > 0.5:
		whole++
	case rest < -0.5:
		whole--
	}
	var ok bool
	d.micros, ok = addInt64(d.micros, whole)
	return ok
}

func addInt32(field *int32, value, unit int64) bool {
	product, ok := mulInt64(value, unit)
	if !ok || product != int64(int32(product)) {
		return false
	}
	sum := int64(*field) + product
	*field = int32(sum)
	return sum == int64(int32(sum))
}

func (d *intervalDecoder) addFractionalDays(fraction float64, unit int64) bool {
	if fraction == 0 {
		return true
	}
	f := fraction * float64(unit)
	whole := int64(f)
	return addInt32(&d.days, whole, 1) && d.addFractionalMicros(f-float64(whole), float64(MicrosPerDay))
}

func (d *intervalDecoder) addFractionalYears(fraction float64, unit int64) bool {
	return addInt32(&d.months, int64(roundEven(fraction*float64(unit)*12)), 1)
}

// add adds value and fraction of a unit.
func (d *intervalDecoder) add(unit int, value int64, fraction float64) bool {
	switch unit {
	case unitMicrosecond:
		return d.addMicros(value, fraction, 1)
	case unitMillisecond:
		return d.addMicros(value, fraction, 1000)
	case unitSecond:
		return d.addMicros(value, fraction, MicrosPerSecond)
	case unitMinute:
		return d.addMicros(value, fraction, MicrosPerMinute)
	case unitHour:
		return d.addMicros(value, fraction, MicrosPerHour)
	case unitDay:
		return addInt32(&d.days, value, 1) && d.addFractionalMicros(fraction, float64(MicrosPerDay))
	case unitWeek:
		return addInt32(&d.days, value, 7) && d.addFractionalDays(fraction, 7)
	case unitMonth:
		return addInt32(&d.months, value, 1) && d.addFractionalDays(fraction, 30)
	case unitYear:
		return addInt32(&d.years, value, 1) && d.addFractionalYears(fraction, 1)
	case unitDecade:
		return addInt32(&d.years, value, 10) && d.addFractionalYears(fraction, 10)
	case unitCentury:
		return addInt32(&d.years, value, 100) && d.addFractionalYears(fraction, 100)
	case unitMillennium:
		return addInt32(&d.years, value, 1000) && d.addFractionalYears(fraction, 1000)
	}
	return false
}

// The masks of an interval's units: each may occur once, and seconds stand for their parts too.
func intervalMask(unit int, fraction bool) uint32 {
	if unit == unitSecond && fraction {
		return 1<<unitSecond | 1<<unitMillisecond | 1<<unitMicrosecond
	}
	return 1 << unit
}

const intervalTimeMask uint32 = 1<<unitHour | 1<<unitMinute | 1<<unitSecond | 1<<unitMillisecond | 1<<unitMicrosecond

// rightmostUnit is the unit of a number without one, by the interval's declared fields.
func rightmostUnit(rng int32) int {
	switch rng {
	case intervalYear:
		return unitYear
	case intervalMonth, intervalYear | intervalMonth:
		return unitMonth
	case intervalDay:
		return unitDay
	case intervalHour, intervalDay | intervalHour:
		return unitHour
	case intervalMinute, intervalHour | intervalMinute, intervalDay | intervalHour | intervalMinute:
		return unitMinute
	}
	return unitSecond
}

// decode reads the fields from the right, so that units come before their numbers.
func (d *intervalDecoder) decode(fields []dateField) dateError {
	negative := false // in SQL's style a leading minus is for all fields, unless others have signs
	if d.style == IntervalSQLStandard && len(fields) > 0 && fields[0].text[0] == '-' {
		negative = true
		for _, f := range fields[1:] {
			if f.text[0] == '-' || f.text[0] == '+' {
				negative = false
			}
		}
	}
	unit := unitNone
	ago := false
	var found uint32
	for i := len(fields) - 1; i >= 0; i-- {
		f := &fields[i]
		var mask uint32
		var e dateError
		switch f.form {
		case formTime:
			if e = d.time(f.text, false, negative); e != dateOK {
				return e
			}
			mask, unit = intervalTimeMask, unitDay
		case formZone, formDate, formNumber:
			if f.form == formZone && strings.IndexByte(f.text[1:], ':') >= 0 && d.time(f.text[1:], f.text[0] == '-', negative) == dateOK {
				mask, unit = intervalTimeMask, unitDay
				break
			}
			if unit == unitNone {
				unit = rightmostUnit(d.rng)
			}
			if mask, e = d.number(f.text, &unit, negative); e != dateOK {
				return e
			}
		default:
			word := clipWord(f.text)
			w, ok := intervalWords[word]
			if !ok {
				w = dateWords[word]
			}
			switch w.kind {
			case wordIgnore:
				continue
			case wordUnit:
				unit = w.value
			case wordAgo:
				ago = true
				unit = unitTime // a number needs a unit of its own
			default:
				return dateBadFormat
			}
		}
		if mask&found != 0 {
			return dateBadFormat
		}
		found |= mask
	}
	if found == 0 {
		return dateBadFormat
	}
	if ago {
		if d.micros == math.MinInt64 || d.days == math.MinInt32 || d.months == math.MinInt32 || d.years == math.MinInt32 {
			return dateFieldOverflow
		}
		d.micros, d.days, d.months, d.years = -d.micros, -d.days, -d.months, -d.years
	}
	return dateOK
}

func (d *intervalDecoder) time(text string, minus, negative bool) dateError {
	hour, minute, second, micros, e := splitTime(text, d.rng)
	if e != dateOK {
		return e
	}
	total, ok := mulInt64(hour, MicrosPerHour)
	if ok {
		total, ok = addInt64(total, int64(minute)*MicrosPerMinute+int64(second)*MicrosPerSecond+int64(micros))
	}
	if !ok {
		return dateFieldOverflow
	}
	if minus || negative {
		total = -total
	}
	d.micros = total
	return dateOK
}

// number reads a number of units, or SQL's years-months.
func (d *intervalDecoder) number(text string, unit *int, negative bool) (uint32, dateError) {
	end := 0
	if text[0] == '-' || text[0] == '+' {
		end = 1
	}
	for end < len(text) && isDigit(text[end]) {
		end++
	}
	rest := text[end:]
	value, err := strconv.ParseInt(text[:end], 10, 64)
	if err != nil {
		if end > 0 && isDigit(text[end-1]) {
			return 0, dateFieldOverflow
		}
		value = 0 // ".5"
	}
	fraction := 0.0
	minus := text[0] == '-'
	switch {
	case rest == "":
	case rest[0] == '-':
		months, tail, ok := leadingInt(rest[1:])
		switch {
		case !ok && tail == rest[1:]:
			months = 0
		case !ok || months >= 12:
			return 0, dateFieldOverflow
		}
		if tail != "" {
			return 0, dateBadFormat
		}
		*unit = unitMonth
		if minus {
			months = -months
		}
		if value, ok = mulInt64(value, 12); ok {
			value, ok = addInt64(value, int64(months))
		}
		if !ok {
			return 0, dateFieldOverflow
		}
	case rest[0] == '.':
		if rest != "." {
			if fraction, err = strconv.ParseFloat("0"+rest, 64); err != nil || strings.Trim(rest[1:], "0123456789") != "" {
				return 0, dateBadFormat
			}
		}
		if minus {
			fraction = -fraction
		}
	default:
		return 0, dateBadFormat
	}
	if negative {
		if value > 0 {
			value = -value
		}
		if fraction > 0 {
			fraction = -fraction
		}
	}
	switch *unit {
	case unitMicrosecond, unitMillisecond, unitSecond, unitMinute, unitHour, unitDay, unitWeek, unitMonth, unitYear, unitDecade,
		unitCentury, unitMillennium:
	default:
		return 0, dateBadFormat
	}
	if !d.add(*unit, value, fraction) {
		return 0, dateFieldOverflow
	}
	return intervalMask(*unit, fraction != 0), dateOK
}

// decodeISO reads ISO 8601: P1Y2M3DT4H5M6S, or P0001-02-03T04:05:06.
func (d *intervalDecoder) decodeISO(s string) dateError {
	if len(s) < 2 || s[0] != 'P' {
		return dateBadFormat
	}
	s = s[1:]
	datePart, found := true, false
	for s != "" {
		if s[0] == 'T' {
			datePart, found = false, false
			s = s[1:]
			continue
		}
		digits := len(s)
		value, fraction, rest, e := isoNumber(s)
		if e != dateOK {
			return e
		}
		digits -= len(rest)
		unit := byte(0)
		if rest != "" {
			unit = rest[0]
			rest = rest[1:]
		}
		ok := true
		if datePart {
			switch unit {
			case 'Y':
				ok = d.add(unitYear, value, fraction)
			case 'M':
				ok = d.add(unitMonth, value, fraction)
			case 'W':
				ok = d.add(unitWeek, value, fraction)
			case 'D':
				ok = d.add(unitDay, value, fraction)
			case 'T', 0, '-':
				return d.alternativeDate(s, value, fraction, digits, unit, found)
			default:
				return dateBadFormat
			}
		} else {
			switch unit {
			case 'H':
				ok = d.add(unitHour, value, fraction)
			case 'M':
				ok = d.add(unitMinute, value, fraction)
			case 'S':
				ok = d.add(unitSecond, value, fraction)
			case 0, ':':
				return d.alternativeTime(s, value, fraction, digits, unit, found)
			default:
				return dateBadFormat
			}
		}
		if !ok {
			return dateFieldOverflow
		}
		found = true
		s = rest
	}
	return dateOK
}

// isoNumber reads a number with sign and fraction.
func isoNumber(s string) (value int64, fraction float64, rest string, e dateError) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for i < len(s) && (isDigit(s[i]) || s[i] == '.') {
		i++
	}
	f, err := strconv.ParseFloat(s[:i], 64)
	if err != nil || i > 20 && math.Abs(f) >= 1<<63 {
		return 0, 0, "", dateBadFormat
	}
	if f < -9.2e18 || f > 9.2e18 {
		return 0, 0, "", dateFieldOverflow
	}
	text := s[:i]
	minus := strings.HasPrefix(text, "-")
	whole, frac, _ := strings.Cut(strings.TrimLeft(text, "+-"), ".")
	if whole != "" {
		if value, err = strconv.ParseInt(whole, 10, 64); err != nil {
			return 0, 0, "", dateFieldOverflow
		}
	}
	if frac != "" {
		if fraction, err = strconv.ParseFloat("0."+frac, 64); err != nil {
			return 0, 0, "", dateBadFormat
		}
	}
	if minus {
		value, fraction = -value, -fraction
	}
	return value, fraction, s[i:], dateOK
}

// alternativeDate reads yyyymmdd or yyyy[-mm[-dd]], and then a time, from s; the first number has been read already.
func (d *intervalDecoder) alternativeDate(s string, value int64, fraction float64, digits int, unit byte, found bool) dateError {
	minus := strings.HasPrefix(s, "-")
	if minus || strings.HasPrefix(s, "+") {
		digits--
	}
	if unit != '-' && digits == 8 && !found { // run together
		if !addInt32(&d.years, value/10000, 1) || !addInt32(&d.months, value/100%100, 1) || !addInt32(&d.days, value%100, 1) ||
			!d.addFractionalMicros(fraction, float64(MicrosPerDay)) {
			return dateFieldOverflow
		}
		_, rest, _ := strings.Cut(s, "T")
		if unit == 0 {
			return dateOK
		}
		return d.timeAfterT(rest)
	}
	if found {
		return dateBadFormat
	}
	if !d.add(unitYear, value, fraction) {
		return dateFieldOverflow
	}
	rest := s[digitsEnd(s):]
	for _, u := range []int{unitMonth, unitDay} {
		if rest == "" {
			return dateOK
		}
		if rest[0] == 'T' {
			return d.timeAfterT(rest[1:])
		}
		if rest[0] != '-' {
			return dateBadFormat
		}
		v, f, r, e := isoNumber(rest[1:])
		if e != dateOK {
			return e
		}
		if !d.add(u, v, f) {
			return dateFieldOverflow
		}
		rest = r
	}
	switch {
	case rest == "":
		return dateOK
	case rest[0] == 'T':
		return d.timeAfterT(rest[1:])
	}
	return dateBadFormat
}

func digitsEnd(s string) int {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i] == '.' || i == 0 && (s[i] == '-' || s[i] == '+')) {
		i++
	}
	return i
}

func (d *intervalDecoder) timeAfterT(s string) dateError {
	if s == "" {
		return dateBadFormat
	}
	rest := intervalDecoder{style: d.style, rng: d.rng}
	if e := rest.decodeISO("PT" + s); e != dateOK {
		return e
	}
	var ok bool
	if d.micros, ok = addInt64(d.micros, rest.micros); !ok {
		return dateFieldOverflow
	}
	return dateOK
}

// alternativeTime reads hhmmss or hh[:mm[:ss]].
func (d *intervalDecoder) alternativeTime(s string, value int64, fraction float64, digits int, unit byte, found bool) dateError {
	if found {
		return dateBadFormat
	}
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		digits--
	}
	if unit == 0 && digits == 6 {
		if !d.addMicros(value/10000, 0, MicrosPerHour) || !d.addMicros(value/100%100, 0, MicrosPerMinute) ||
			!d.addMicros(value%100, fraction, MicrosPerSecond) {
			return dateFieldOverflow
		}
		return dateOK
	}
	if !d.add(unitHour, value, fraction) {
		return dateFieldOverflow
	}
	rest := s[digitsEnd(s):]
	for _, u := range []int{unitMinute, unitSecond} {
		if rest == "" {
			return dateOK
		}
		if rest[0] != ':' {
			return dateBadFormat
		}
		v, f, r, e := isoNumber(rest[1:])
		if e != dateOK {
			return e
		}
		if !d.add(u, v, f) {
			return dateFieldOverflow
		}
		rest = r
	}
	if rest != "" {
		return dateBadFormat
	}
	return dateOK
}

// parseInterval is interval_in.
func parseInterval(s string, mod int32, env *Env) (Datum, error) {
	rng := intervalFullRange
	if mod >= 0 {
		rng, _ = intervalTypmodParts(mod)
	}
	d := intervalDecoder{style: env.IntervalStyle, rng: rng}
	fields, ok := scanDateFields(s)
	e := dateBadFormat
	if ok {
		e = d.decode(fields)
	}
	if e == dateBadFormat {
		d = intervalDecoder{style: env.IntervalStyle, rng: rng}
		e = d.decodeISO(s)
	}
	if e == dateFieldOverflow {
		e = dateIntervalOverflow
	}
	if e != dateOK {
		return Null, dateErrorFor(e, "interval", s, "")
	}
	months := int64(d.years)*12 + int64(d.months)
	if months != int64(int32(months)) {
		return Null, intervalOutOfRange()
	}
	iv := Interval{Months: int32(months), Days: d.days, Micros: d.micros}
	if mod >= 0 {
		var err error
		if iv, err = applyIntervalTypmod(iv, mod); err != nil {
			return Null, err
		}
	}
	return NewAny(iv), nil
}

func mulInt64(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	p := a * b
	return p, p/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

func addInt64(a, b int64) (int64, bool) {
	s := a + b
	return s, (s > a) == (b > 0)
}

func subInt64(a, b int64) (int64, bool) {
	s := a - b
	return s, (s < a) == (b > 0)
}
