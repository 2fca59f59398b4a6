package types

import (
	"strconv"
	"strings"
	"time"

	"holdfast/sql/errs"
)

// dateError is why a text is not a date, time or interval; the message depends on the type.
type dateError uint8

const (
	dateOK dateError = iota
	dateBadFormat
	dateFieldOverflow
	dateMonthDayOverflow // with a hint: perhaps day and month are in another order
	dateZoneOverflow
	dateIntervalOverflow
	dateUnknownZone // zone tells which
)

func (d *dateDecoder) error(e dateError, typeName, text string) error {
	return dateErrorFor(e, typeName, text, d.badZone)
}

func dateErrorFor(e dateError, typeName, text, zone string) error {
	overflow := func(code errs.Code, what string) *errs.Error {
		return errs.New(code, "%s: \"%s\"", what, text)
	}
	switch e {
	case dateFieldOverflow:
		return overflow(errs.DatetimeFieldOverflow, "date/time field value out of range")
	case dateMonthDayOverflow:
		return overflow(errs.DatetimeFieldOverflow, "date/time field value out of range").WithHint(
			"Perhaps you need a different \"datestyle\" setting.")
	case dateZoneOverflow:
		return overflow(errs.InvalidTimeZoneDisplacement, "time zone displacement out of range")
	case dateIntervalOverflow:
		return overflow(errs.IntervalFieldOverflow, "interval field value out of range")
	case dateUnknownZone:
		return unknownZone(zone)
	}
	return errs.New(errs.InvalidDatetimeFormat, "invalid input syntax for type %s: \"%s\"", typeName, text)
}

// fieldMask is the set of the parts of a date that have been found.
type fieldMask uint32

const (
	maskYear fieldMask = 1 << iota
	maskMonth
	maskDay
	maskHour
	maskMinute
	maskSecond
	maskDoy
	maskDow
	maskZone
	maskDaylight
	maskAMPM
	maskEra

	maskDate = maskYear | maskMonth | maskDay
	maskTime = maskHour | maskMinute | maskSecond
)

// dateDecoder is what has been understood of a date or time.
type dateDecoder struct {
	env      *Env
	timeOnly bool // a time: dates are accepted only to know the offset of a zone

	c        Civil
	yday     int
	found    fieldMask
	special  int // reservedEpoch, reservedLate, reservedEarly, or -1
	offset   int // seconds east, with maskZone and no zone
	zone     *time.Location
	twoDigit bool // the year was given by two digits
	textual  bool // the month was given by name
	julian   bool
	bc       bool
	meridiem int // 0 none, 1 AM, 2 PM
	badZone  string
}

func decodeDateTime(s string, env *Env, timeOnly bool) (*dateDecoder, dateError) {
	d := &dateDecoder{env: env, timeOnly: timeOnly, special: -1}
	fields, ok := scanDateFields(s)
	if !ok {
		return d, dateBadFormat
	}
	return d, d.decode(fields)
}

func (d *dateDecoder) decode(fields []dateField) dateError {
	next := unitNone // what the field before said that this one is
	for i := 0; i < len(fields); i++ {
		f := &fields[i]
		var mask fieldMask
		e := dateOK
		switch f.form {
		case formDate:
			mask, e = d.dateField(fields, i, &next)
		case formTime:
			if next != unitNone && next != unitTime {
				return dateBadFormat
			}
			next = unitNone
			mask, e = d.time(f.text)
			if e == dateOK && !d.timeOnly && d.timeOverflows() {
				e = dateFieldOverflow
			}
		case formZone:
			if d.offset, e = decodeOffset(f.text); e == dateOK {
				mask = maskZone
			}
		case formNumber:
			mask, e = d.numberField(fields, i, &next)
		default:
			var skip bool
			if mask, skip, e = d.word(fields, i, &next); skip {
				continue
			}
		}
		if e != dateOK {
			return e
		}
		if mask&d.found != 0 {
			return dateBadFormat
		}
		d.found |= mask
	}
	return d.finish()
}

// dateField reads a field with separators: a date, but after the date a zone's name or a time run together with a zone.
func (d *dateDecoder) dateField(fields []dateField, i int, next *int) (fieldMask, dateError) {
	text := fields[i].text
	if d.timeOnly {
		if i == 0 && len(fields) >= 2 && (fields[len(fields)-1].form == formDate || fields[1].form == formTime) {
			return d.date(text)
		}
	} else if *next == unitJulian {
		*next = unitNone
		// A Julian day and a zone: J2451187-0300.
		j, rest, ok := leadingInt(text)
		if !ok || j < 0 {
			return 0, dateFieldOverflow
		}
		d.setJulian(int64(j))
		offset, e := decodeOffset(rest)
		d.offset = offset
		return maskDate | maskTime | maskZone, e
	} else if *next == unitNone && d.found&(maskMonth|maskDay) != maskMonth|maskDay {
		return d.date(text)
	}
	if isDigit(text[0]) || *next != unitNone && !d.timeOnly {
		if *next != unitNone && !d.timeOnly {
			if *next != unitTime {
				return 0, dateBadFormat
			}
			*next = unitNone
		}
		if d.found&maskTime == maskTime {
			return 0, dateBadFormat
		}
		dash := strings.IndexByte(text, '-')
		if dash < 0 {
			return 0, dateBadFormat
		}
		offset, e := decodeOffset(text[dash:])
		if e != dateOK {
			return 0, e
		}
		d.offset = offset
		found := d.found
		if d.timeOnly {
			found |= maskDate
		}
		mask, e := d.run(text[:dash], found)
		return mask | maskZone, e
	}
	return d.zoneName(text)
}

func (d *dateDecoder) zoneName(text string) (fieldMask, dateError) {
	loc, err := LoadLocation(text)
	if err != nil {
		d.badZone = text
		return 0, dateUnknownZone
	}
	d.zone = loc
	return maskZone, dateOK
}

func (d *dateDecoder) setJulian(j int64) {
	d.c.Year, d.c.Month, d.c.Day = CivilFromDays(j - julianEpoch)
	d.julian = true
}

// numberField reads digits, perhaps with a decimal point.
func (d *dateDecoder) numberField(fields []dateField, i int, next *int) (fieldMask, dateError) {
	text := fields[i].text
	found := d.found
	if d.timeOnly {
		found |= maskDate
	}
	switch *next {
	case unitNone:
	case unitJulian:
		if d.timeOnly {
			return 0, dateBadFormat
		}
		*next = unitNone
		j, rest, ok := leadingInt(text)
		if !ok {
			return 0, dateFieldOverflow
		}
		d.setJulian(int64(j))
		if rest == "" {
			return maskDate, dateOK
		}
		day, err := strconv.ParseFloat("0"+rest, 64)
		if err != nil || rest[0] != '.' {
			return 0, dateBadFormat
		}
		d.c.setTime(int64(day * float64(MicrosPerDay)))
		return maskDate | maskTime, dateOK
	case unitYear, unitMonth, unitDay, unitHour, unitMinute, unitSecond:
		unit := *next
		*next = unitNone
		if d.timeOnly && (unit == unitYear || unit == unitMonth || unit == unitDay) {
			return 0, dateBadFormat
		}
		return d.labelled(unit, text)
	case unitTime:
		*next = unitNone
		mask, e := d.run(text, found|maskDate)
		if e == dateOK && mask != maskTime {
			e = dateBadFormat
		}
		return mask, e
	default:
		return 0, dateBadFormat
	}
	point := strings.IndexByte(text, '.')
	if d.timeOnly {
		switch {
		case point >= 0 && i == 0 && len(fields) >= 2 && fields[len(fields)-1].form == formDate:
			return d.date(text)
		case point > 2, point < 0 && len(text) > 4:
			return d.run(text, found)
		case point >= 0:
			return 0, dateBadFormat
		}
		return d.number(text, found, false)
	}
	switch {
	case point >= 0 && d.found&maskDate == 0:
		return d.date(text)
	case point > 2:
		return d.run(text, found)
	case len(text) >= 6 && (d.found&maskDate == 0 || d.found&maskTime == 0):
		return d.run(text, found)
	}
	return d.number(text, found, d.textual)
}

// labelled reads a number whose unit stands before it: y2001m02d04.
func (d *dateDecoder) labelled(unit int, text string) (fieldMask, dateError) {
	v, rest, ok := leadingInt(text)
	switch {
	case !ok:
		return 0, dateFieldOverflow
	case rest != "" && unit != unitSecond:
		return 0, dateBadFormat
	}
	if unit == unitMonth && d.found&maskMonth != 0 && d.found&maskHour != 0 {
		unit = unitMinute
	}
	switch unit {
	case unitYear:
		d.c.Year = v
		return maskYear, dateOK
	case unitMonth:
		d.c.Month = v
		return maskMonth, dateOK
	case unitDay:
		d.c.Day = v
		return maskDay, dateOK
	case unitHour:
		d.c.Hour = v
		return maskHour, dateOK
	case unitMinute:
		d.c.Minute = v
		return maskMinute, dateOK
	}
	d.c.Second = v
	if rest != "" {
		micros, ok := parseFraction(rest)
		if !ok {
			return 0, dateBadFormat
		}
		d.c.Micro = micros
	}
	return maskSecond, dateOK
}

// word reads letters. skip tells that the field has no meaning of its own.
func (d *dateDecoder) word(fields []dateField, i int, next *int) (mask fieldMask, skip bool, e dateError) {
	text := fields[i].text
	if a, ok := zoneAbbreviations[text]; ok {
		if d.zone != nil {
			return 0, false, dateBadFormat
		}
		d.offset = a.offset
		return maskZone, false, dateOK
	}
	w := dateWords[clipWord(text)]
	switch w.kind {
	case wordIgnore:
		return 0, true, dateOK
	case wordReserved:
		mask, e = d.reserved(w.value)
		return mask, false, e
	case wordMonth:
		if d.timeOnly {
			return 0, false, dateBadFormat
		}
		mask = maskMonth
		// A number before that was taken as the month is the day after all.
		if d.found&maskMonth != 0 && !d.textual && d.found&maskDay == 0 && d.c.Month >= 1 && d.c.Month <= 31 {
			d.c.Day = d.c.Month
			mask = maskDay
		}
		d.textual = true
		d.c.Month = w.value
		return mask, false, dateOK
	case wordDaylightModifier:
		d.offset += w.value
		return maskDaylight, false, dateOK
	case wordAMPM:
		d.meridiem = 1 + w.value
		return maskAMPM, false, dateOK
	case wordEra:
		d.bc = w.value == 1
		return maskEra, false, dateOK
	case wordDayOfWeek:
		if d.timeOnly {
			return 0, false, dateBadFormat
		}
		return maskDow, false, dateOK
	case wordUnit:
		*next = w.value
		return 0, false, dateOK
	case wordISOTime:
		if !d.timeOnly && d.found&maskDate != maskDate {
			return 0, false, dateBadFormat
		}
		if i+1 >= len(fields) {
			return 0, false, dateBadFormat
		}
		if f := fields[i+1].form; f != formNumber && f != formTime && f != formDate {
			return 0, false, dateBadFormat
		}
		*next = w.value
		return 0, false, dateOK
	}
	loc, err := LoadLocation(text)
	if err != nil {
		return 0, false, dateBadFormat
	}
	d.zone = loc
	return maskZone, false, dateOK
}

func (d *dateDecoder) reserved(value int) (fieldMask, dateError) {
	now := CivilFromTimestamp(LocalTimestamp(d.env.Now, d.env.Location))
	switch value {
	case reservedNow:
		if d.timeOnly {
			d.c.Hour, d.c.Minute, d.c.Second, d.c.Micro = now.Hour, now.Minute, now.Second, now.Micro
			return maskTime, dateOK
		}
		d.c = now
		d.offset = ZoneOffset(d.env.Now, d.env.Location)
		return maskDate | maskTime | maskZone, dateOK
	case reservedZulu:
		d.c.Hour, d.c.Minute, d.c.Second, d.c.Micro = 0, 0, 0, 0
		d.offset = 0
		return maskTime | maskZone, dateOK
	}
	if d.timeOnly {
		return 0, dateBadFormat
	}
	switch value {
	case reservedYesterday, reservedToday, reservedTomorrow:
		days := DaysFromCivil(now.Year, now.Month, now.Day) + int64(value-reservedToday)
		d.c.Year, d.c.Month, d.c.Day = CivilFromDays(days)
		return maskDate, dateOK
	}
	d.special = value
	return maskDate | maskTime | maskZone, dateOK
}

// finish checks the parts against each other.
func (d *dateDecoder) finish() dateError {
	if d.special >= 0 {
		return dateOK
	}
	if e := d.validate(); e != dateOK {
		return e
	}
	switch {
	case d.meridiem != 0 && d.c.Hour > 12:
		return dateFieldOverflow
	case d.meridiem == 1 && d.c.Hour == 12:
		d.c.Hour = 0
	case d.meridiem == 2 && d.c.Hour != 12:
		d.c.Hour += 12
	}
	if d.timeOnly {
		if d.timeOverflows() {
			return dateFieldOverflow
		}
		if d.found&maskTime != maskTime {
			return dateBadFormat
		}
		return d.timeZone()
	}
	if d.found&maskDate != maskDate {
		return dateBadFormat
	}
	if d.zone != nil {
		if d.found&maskDaylight != 0 {
			return dateBadFormat
		}
		d.offset = d.offsetIn(d.zone)
	}
	if d.found&maskZone == 0 {
		if d.found&maskDaylight != 0 {
			return dateBadFormat
		}
		d.offset = d.offsetIn(d.env.Location)
	}
	return dateOK
}

// offsetIn is the offset of a zone when its clock reads what was decoded.
func (d *dateDecoder) offsetIn(loc *time.Location) int {
	return localOffset(DaysFromCivil(d.c.Year, d.c.Month, d.c.Day)*MicrosPerDay+d.c.TimeOfDay(), loc)
}

// timeZone finds the offset of a time of day: of a zone with changing offsets it needs the date.
func (d *dateDecoder) timeZone() dateError {
	if d.found&maskDaylight != 0 && (d.zone != nil || d.found&maskZone == 0) {
		return dateBadFormat
	}
	switch {
	case d.zone != nil:
		if d.found&maskDate == maskDate {
			d.offset = d.offsetIn(d.zone)
			return dateOK
		}
		_, end := time.Unix(0, 0).In(d.zone).ZoneBounds()
		if !end.IsZero() {
			return dateBadFormat
		}
		_, d.offset = time.Unix(0, 0).In(d.zone).Zone()
	case d.found&maskZone == 0:
		c := d.c
		if d.found&maskDate == 0 {
			now := CivilFromTimestamp(LocalTimestamp(d.env.Now, d.env.Location))
			c.Year, c.Month, c.Day = now.Year, now.Month, now.Day
		}
		d.offset = localOffset(DaysFromCivil(c.Year, c.Month, c.Day)*MicrosPerDay+c.TimeOfDay(), d.env.Location)
	}
	return dateOK
}

func (d *dateDecoder) timeOverflows() bool {
	c := &d.c
	return c.Hour < 0 || c.Hour > 24 || c.Minute < 0 || c.Minute > 59 || c.Second < 0 || c.Second > 60 || c.Micro < 0 ||
		int64(c.Micro) > MicrosPerSecond || c.TimeOfDay() > MicrosPerDay
}

// validate settles the year and checks that the date exists.
func (d *dateDecoder) validate() dateError {
	c := &d.c
	if d.found&maskYear != 0 {
		switch {
		case d.julian:
		case d.bc:
			if c.Year <= 0 {
				return dateFieldOverflow
			}
			c.Year = 1 - c.Year
		case d.twoDigit:
			switch {
			case c.Year < 0:
				return dateFieldOverflow
			case c.Year < 70:
				c.Year += 2000
			case c.Year < 100:
				c.Year += 1900
			}
		case c.Year <= 0:
			return dateFieldOverflow
		}
	}
	if d.found&maskDoy != 0 {
		c.Year, c.Month, c.Day = CivilFromDays(DaysFromCivil(c.Year, 1, 1) + int64(d.yday) - 1)
	}
	if d.found&maskMonth != 0 && (c.Month < 1 || c.Month > 12) {
		return dateMonthDayOverflow
	}
	if d.found&maskDay != 0 && (c.Day < 1 || c.Day > 31) {
		return dateMonthDayOverflow
	}
	if d.found&maskDate == maskDate && c.Day > monthDays(c.Year, c.Month) {
		return dateFieldOverflow
	}
	return dateOK
}

// date reads a date with separators: 2000-01-02, 2-Jan-2000, 2000.002.
func (d *dateDecoder) date(text string) (fieldMask, dateError) {
	var parts []string
	for i := 0; i < len(text); {
		if !isAlnum(text[i]) {
			i++
			continue
		}
		start := i
		kind := isAlpha
		if isDigit(text[i]) {
			kind = isDigit
		}
		for i < len(text) && kind(text[i]) {
			i++
		}
		if len(parts) == maxDateFields {
			return 0, dateBadFormat
		}
		parts = append(parts, text[start:i])
	}
	found, textual := d.found, false
	var all fieldMask
	for k, p := range parts { // months by name first, because they are certain
		if !isAlpha(p[0]) {
			continue
		}
		w := dateWords[clipWord(p)]
		if w.kind == wordIgnore {
			continue
		}
		if w.kind != wordMonth || found&maskMonth != 0 {
			return 0, dateBadFormat
		}
		d.c.Month = w.value
		textual = true
		found |= maskMonth
		all |= maskMonth
		parts[k] = ""
	}
	for _, p := range parts {
		if p == "" {
			continue
		}
		mask, e := d.number(p, found, textual)
		if e != dateOK {
			return 0, e
		}
		if found&mask != 0 {
			return 0, dateBadFormat
		}
		found |= mask
		all |= mask
	}
	if found&^(maskDoy|maskZone) != maskDate {
		return 0, dateBadFormat
	}
	return all, dateOK
}

// leadingInt reads digits at the beginning; false if they are beyond 32 bits.
func leadingInt(s string) (v int, rest string, ok bool) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	n, err := strconv.ParseInt(s[:i], 10, 32)
	return int(n), s[i:], err == nil
}

// number reads one number and guesses which part of a date it is, from what has been found.
func (d *dateDecoder) number(text string, found fieldMask, textual bool) (fieldMask, dateError) {
	v, rest, ok := leadingInt(text)
	digits := len(text) - len(rest)
	switch {
	case digits == 0:
		return 0, dateBadFormat
	case !ok:
		return 0, dateFieldOverflow
	}
	if rest != "" {
		if rest[0] != '.' {
			return 0, dateBadFormat
		}
		if digits > 2 {
			return d.run(text, found|maskDate)
		}
		micros, ok := parseFraction(rest)
		if !ok {
			return 0, dateBadFormat
		}
		d.c.Micro = micros
	}
	if len(text) == 3 && found&maskDate == maskYear && v >= 1 && v <= 366 {
		d.yday = v
		return maskDoy | maskMonth | maskDay, dateOK
	}
	year := func() (fieldMask, dateError) {
		d.c.Year = v
		d.twoDigit = len(text) <= 2
		return maskYear, dateOK
	}
	month := func() (fieldMask, dateError) {
		d.c.Month = v
		return maskMonth, dateOK
	}
	day := func() (fieldMask, dateError) {
		d.c.Day = v
		return maskDay, dateOK
	}
	switch found & maskDate {
	case 0:
		switch {
		case len(text) >= 3 || d.env.DateOrder == OrderYMD:
			return year()
		case d.env.DateOrder == OrderDMY:
			return day()
		}
		return month()
	case maskYear:
		return month()
	case maskMonth:
		if textual && (len(text) >= 3 || d.env.DateOrder == OrderYMD) {
			return year()
		}
		return day()
	case maskYear | maskMonth:
		if textual && len(text) >= 3 && d.twoDigit {
			// What was taken for the year was the day.
			d.c.Day, d.c.Year = d.c.Year, v
			d.twoDigit = false
			return maskDay, dateOK
		}
		return day()
	case maskDay:
		return month()
	case maskMonth | maskDay:
		return year()
	case maskDate:
		return d.run(text, found)
	}
	return 0, dateBadFormat
}

// run reads a date or time whose parts are run together: 20000102, 040506.789.
func (d *dateDecoder) run(text string, found fieldMask) (fieldMask, dateError) {
	if point := strings.IndexByte(text, '.'); point >= 0 {
		micros, ok := parseFraction(text[point:])
		if !ok {
			return 0, dateBadFormat
		}
		d.c.Micro = micros
		text = text[:point]
	} else if found&maskDate != maskDate && len(text) >= 6 {
		n := len(text)
		year, _, ok1 := leadingInt(text[:n-4])
		month, _, ok2 := leadingInt(text[n-4 : n-2])
		day, _, ok3 := leadingInt(text[n-2:])
		if !ok1 || !ok2 || !ok3 {
			return 0, dateBadFormat
		}
		d.c.Year, d.c.Month, d.c.Day = year, month, day
		if n == 6 {
			d.twoDigit = true
		}
		return maskDate, dateOK
	}
	if found&maskTime != maskTime && (len(text) == 6 || len(text) == 4) {
		hour, _, ok1 := leadingInt(text[:2])
		minute, _, ok2 := leadingInt(text[2:4])
		second, ok3 := 0, true
		if len(text) == 6 {
			second, _, ok3 = leadingInt(text[4:])
		}
		if !ok1 || !ok2 || !ok3 {
			return 0, dateBadFormat
		}
		d.c.Hour, d.c.Minute, d.c.Second = hour, minute, second
		return maskTime, dateOK
	}
	return 0, dateBadFormat
}

// parseFraction reads ".123", in µs.
func parseFraction(s string) (micros int, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, false
	}
	if s == "." {
		return 0, true
	}
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, false
	}
	return int(roundEven(f * 1e6)), true
}

// time reads hh:mm[:ss[.fff]].
func (d *dateDecoder) time(text string) (fieldMask, dateError) {
	h, m, s, micros, e := splitTime(text, intervalFullRange)
	if e == dateOK && h > 1<<31-1 {
		e = dateFieldOverflow
	}
	d.c.Hour, d.c.Minute, d.c.Second, d.c.Micro = int(h), m, s, micros
	return maskTime, e
}

// splitTime reads the parts of a time; two parts are hours and minutes, unless there is a fraction or the range says so.
func splitTime(text string, rng int32) (hour int64, minute, second, micros int, e dateError) {
	parts := strings.SplitN(text, ":", 4)
	if len(parts) < 2 || len(parts) > 3 {
		return 0, 0, 0, 0, dateBadFormat
	}
	last, fraction := parts[len(parts)-1], ""
	if point := strings.IndexByte(last, '.'); point >= 0 {
		last, fraction = last[:point], last[point:]
	}
	h, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return 0, 0, 0, 0, dateFieldOverflow
	}
	number := func(s string) int {
		if s == "" {
			return 0
		}
		v, rest, ok := leadingInt(s)
		switch {
		case rest != "":
			e = dateBadFormat
		case !ok:
			e = dateFieldOverflow
		}
		return v
	}
	hour = h
	if len(parts) == 3 {
		minute, second = number(parts[1]), number(last)
	} else {
		minute = number(last)
		if fraction != "" || rng == intervalMinute|intervalSecond {
			if h > 1<<31-1 {
				return 0, 0, 0, 0, dateFieldOverflow
			}
			hour, minute, second = 0, int(h), minute
		}
	}
	if fraction != "" {
		var ok bool
		if micros, ok = parseFraction(fraction); !ok {
			return 0, 0, 0, 0, dateBadFormat
		}
	}
	if e == dateOK && (hour < 0 || minute < 0 || minute > 59 || second < 0 || second > 60 || int64(micros) > MicrosPerSecond) {
		e = dateFieldOverflow
	}
	return hour, minute, second, micros, e
}

// decodeOffset reads +hh, +hhmm, +hh:mm[:ss], in seconds east.
func decodeOffset(text string) (int, dateError) {
	if text == "" || text[0] != '+' && text[0] != '-' {
		return 0, dateBadFormat
	}
	hour, rest, ok := leadingInt(text[1:])
	if !ok {
		return 0, dateZoneOverflow
	}
	minute, second := 0, 0
	switch {
	case strings.HasPrefix(rest, ":"):
		if minute, rest, ok = leadingInt(rest[1:]); !ok && rest != "" {
			return 0, dateZoneOverflow
		}
		if strings.HasPrefix(rest, ":") {
			if second, rest, ok = leadingInt(rest[1:]); !ok && rest != "" {
				return 0, dateZoneOverflow
			}
		}
	case rest == "" && len(text) > 3:
		hour, minute = hour/100, hour%100
	}
	if hour > 15 || minute > 59 || second > 59 {
		return 0, dateZoneOverflow
	}
	if rest != "" {
		return 0, dateBadFormat
	}
	offset := (hour*60+minute)*60 + second
	if text[0] == '-' {
		offset = -offset
	}
	return offset, dateOK
}

// parseDate is date_in.
func parseDate(s string, env *Env) (Datum, error) {
	if days, ok := parseISODate(s); ok && len(s) == 10 {
		return NewInt(days), nil
	}
	d, e := decodeDateTime(s, env, false)
	if e != dateOK {
		return Null, d.error(e, "date", s)
	}
	switch d.special {
	case reservedEpoch:
		return NewInt(unixEpochMicros / MicrosPerDay), nil
	case reservedLate:
		return NewInt(DateInfinity), nil
	case reservedEarly:
		return NewInt(DateNegInfinity), nil
	}
	days := DaysFromCivil(d.c.Year, d.c.Month, d.c.Day)
	if days < dateMin || days >= dateEnd {
		return Null, errs.New(errs.DatetimeFieldOverflow, "date out of range: \"%s\"", s)
	}
	return NewInt(days), nil
}

// parseTimestamp is timestamp_in: a zone is read and ignored.
func parseTimestamp(s string, mod int32, env *Env) (Datum, error) {
	if t, ok := parseISOTimestamp(s); ok {
		return NewInt(roundMicros(t.days*MicrosPerDay+t.micros, int(mod))), nil
	}
	d, e := decodeDateTime(s, env, false)
	if e != dateOK {
		return Null, d.error(e, "timestamp", s)
	}
	return d.timestamp(s, mod, 0)
}

// parseTimestampTZ is timestamptz_in.
func parseTimestampTZ(s string, mod int32, env *Env) (Datum, error) {
	if t, ok := parseISOTimestamp(s); ok {
		local := t.days*MicrosPerDay + t.micros
		if !t.hasZone {
			t.offset = localOffset(local, env.Location)
		}
		return NewInt(roundMicros(local-int64(t.offset)*MicrosPerSecond, int(mod))), nil
	}
	d, e := decodeDateTime(s, env, false)
	if e != dateOK {
		return Null, d.error(e, "timestamp with time zone", s)
	}
	return d.timestamp(s, mod, d.offset)
}

func (d *dateDecoder) timestamp(s string, mod int32, offset int) (Datum, error) {
	switch d.special {
	case reservedEpoch:
		return NewInt(unixEpochMicros), nil
	case reservedLate:
		return NewInt(TimestampInfinity), nil
	case reservedEarly:
		return NewInt(TimestampNegInfinity), nil
	}
	outOfRange := func() (Datum, error) {
		return Null, errs.New(errs.DatetimeFieldOverflow, "timestamp out of range: \"%s\"", s)
	}
	days := DaysFromCivil(d.c.Year, d.c.Month, d.c.Day)
	if days < dateMin-1 || days > timestampDateEnd+1 {
		return outOfRange()
	}
	ts, err := checkTimestamp(days*MicrosPerDay + d.c.TimeOfDay() - int64(offset)*MicrosPerSecond)
	if err != nil {
		return outOfRange()
	}
	return NewInt(roundMicros(ts, int(mod))), nil
}

// parseTime is time_in.
func parseTime(s string, mod int32, env *Env) (Datum, error) {
	d, e := decodeDateTime(s, env, true)
	if e != dateOK {
		return Null, d.error(e, "time", s)
	}
	return NewInt(roundMicros(d.c.TimeOfDay(), int(mod))), nil
}

// parseTimeTZ is timetz_in.
func parseTimeTZ(s string, mod int32, env *Env) (Datum, error) {
	d, e := decodeDateTime(s, env, true)
	if e != dateOK {
		return Null, d.error(e, "time with time zone", s)
	}
	return NewAny(TimeTZ{Micros: roundMicros(d.c.TimeOfDay(), int(mod)), Zone: int32(-d.offset)}), nil
}
