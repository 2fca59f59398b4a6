package funcs

import (
	"math"
	"strconv"
	"strings"
	"time"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Reading dates and times by a picture: to_date and to_timestamp. Unless the picture says FX, blanks are passed over, and
// any separator matches any other.

func invalidForInterval() error {
	return errs.New(errs.InvalidDatetimeFormat, "invalid format specification for an interval value").
		WithHint("Intervals are not tied to specific calendar dates.")
}

// timeReader gathers the fields of a text.
type timeReader struct {
	rest   string
	fields []timeField

	year, month, day, yearDay, week, weekOfMonth, weekday, century, julian int
	yearDigits                                                             int
	hour, minute, second, secondsOfDay, ms, us                             int
	bc, pm, clock12                                                        bool
	convention                                                             byte // 'g' Gregorian, 'i' ISO week
	zoneSign, zoneHour, zoneMinute                                         int

	civil   types.Civil
	hasDate bool
}

func isSeparator(c byte) bool {
	return c > 0x20 && c < 0x7F && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
}

// conventionOf tells which calendar a pattern belongs to; 0 for both.
func conventionOf(pattern string) byte {
	switch pattern {
	case "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I":
		return 'i'
	case "CC", "DAY", "Day", "DDD", "DD", "DY", "Dy", "D", "J", "MM", "MONTH", "Month", "MON", "Mon", "Q", "RM", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y":
		return 'g'
	}
	return 0
}

func parseByPicture(text, picture string) (*timeReader, error) {
	r := &timeReader{rest: text, fields: newTimePicture(picture)}
	extra := 0 // characters passed over that the picture did not ask for
	for i := range r.fields {
		f := &r.fields[i]
		if r.rest == "" {
			break
		}
		if !f.exact && (f.pattern != "" || i == 0 || f.literal == " " || isSeparator(f.literal[0])) {
			extra += r.skipBlanks()
		}
		if f.pattern == "" {
			r.literal(f, &extra)
			continue
		}
		if c := conventionOf(f.pattern); c != 0 {
			if r.convention != 0 && r.convention != c {
				return nil, errs.New(errs.InvalidDatetimeFormat, "invalid combination of date conventions").
					WithHint("Do not mix Gregorian and ISO week date conventions in a formatting template.")
			}
			r.convention = c
		}
		if err := r.field(i); err != nil {
			return nil, err
		}
		if f.th != 0 {
			r.rest = r.rest[charOffset(r.rest, 2):]
		}
		if !f.exact {
			extra = r.skipBlanks()
		}
	}
	return r, r.finish(text)
}

func (r *timeReader) skipBlanks() int {
	trimmed := strings.TrimLeft(r.rest, " \t\n\r\f\v")
	n := len(r.rest) - len(trimmed)
	r.rest = trimmed
	return n
}

// literal passes over what stands for a character of the picture.
func (r *timeReader) literal(f *timeField, extra *int) {
	separator := !f.quoted && (f.literal == " " || isSeparator(f.literal[0]))
	one := charOffset(r.rest, 1)
	switch {
	case f.exact:
		r.rest = r.rest[one:]
	case separator:
		*extra--
		if r.rest != "" && (isSpace(r.rest[0]) || isSeparator(r.rest[0])) {
			r.rest = r.rest[1:]
			*extra++
		}
	case *extra > 0:
		*extra--
	default:
		r.rest = r.rest[one:]
	}
}

func parseFieldError(text, name string) *errs.Error {
	return errs.New(errs.InvalidDatetimeFormat, "invalid value \"%s\" for \"%s\"", text, name)
}

// nextIsSeparator reports whether a number ends by itself, because no digit can follow it in the picture.
func (r *timeReader) nextIsSeparator(i int) bool {
	if r.fields[i].th != 0 || i+1 == len(r.fields) {
		return true
	}
	next := r.fields[i+1]
	if next.pattern == "" {
		return !(next.literal[0] >= '0' && next.literal[0] <= '9')
	}
	switch next.pattern {
	case "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "DAY", "Day", "DY", "Dy", "MONTH", "Month", "MON", "Mon", "P.M.", "PM", "RM", "TZ", "OF", "Y,YYY":
		return true
	}
	return false
}

// number reads a number of a width into *to, which must not hold another one already. It returns how many characters it took.
func (r *timeReader) number(i, width int, to *int) (int, error) {
	f := &r.fields[i]
	r.skipBlanks()
	before := r.rest
	text := r.rest
	bounded := !f.fill && !r.nextIsSeparator(i)
	if bounded {
		if len(text) < width {
			return 0, errs.New(errs.InvalidDatetimeFormat, "source string too short for \"%s\" formatting field", f.name).
				WithDetail("Field requires %d characters, but only %d remain.", width, len(text)).
				WithHint("If your source string is not fixed-width, try using the \"FM\" modifier.")
		}
		text = text[:width]
	}
	n := 0
	if n < len(text) && (text[n] == '-' || text[n] == '+') {
		n++
	}
	digits := n
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	if n == digits {
		return 0, parseFieldError(before[:charOffset(before, int64(width))], f.name).WithDetail("Value must be an integer.")
	}
	if bounded && n < width {
		return 0, parseFieldError(text, f.name).
			WithDetail("Field requires %d characters, but only %d could be parsed.", width, n).
			WithHint("If your source string is not fixed-width, try using the \"FM\" modifier.")
	}
	v, err := strconv.ParseInt(text[:n], 10, 32)
	if err != nil {
		return 0, errs.New(errs.DatetimeFieldOverflow, "value for \"%s\" in source string is out of range", f.name).
			WithDetail("Value must be in the range %d to %d.", math.MinInt32, math.MaxInt32)
	}
	r.rest = r.rest[n:]
	return n, r.set(to, int(v), f.name)
}

func (r *timeReader) set(to *int, v int, name string) error {
	if to == nil {
		return nil
	}
	if *to != 0 && *to != v {
		return errs.New(errs.InvalidDatetimeFormat, "conflicting values for \"%s\" field in formatting string", name).
			WithDetail("This value contradicts a previous setting for the same field type.")
	}
	*to = v
	return nil
}

// word reads one of some names, whatever the case, and returns its number.
func (r *timeReader) word(f *timeField, names []string) (int, error) {
	best := -1
	for i, name := range names {
		if len(r.rest) >= len(name) && strings.EqualFold(r.rest[:len(name)], name) && (best < 0 || len(name) > len(names[best])) {
			best = i
		}
	}
	if best < 0 {
		word, _, _ := strings.Cut(r.rest, " ")
		return 0, parseFieldError(word, f.name).WithDetail("The given value did not match any of the allowed values for this field.")
	}
	r.rest = r.rest[len(names[best]):]
	return best, nil
}

func abbreviated(names []string) []string {
	short := make([]string, len(names))
	for i, n := range names {
		short[i] = n[:3]
	}
	return short
}

// nearYear completes a year of fewer than four digits to the one nearest to 2020.
func nearYear(y int) int {
	switch {
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	case y < 1000:
		return y + 1000
	}
	return y
}

func (r *timeReader) field(i int) error {
	f := &r.fields[i]
	number := func(width int, to *int) error {
		_, err := r.number(i, width, to)
		return err
	}
	fraction := func(width int, to *int, full int) error {
		v := 0
		n, err := r.number(i, width, &v)
		if err != nil {
			return err
		}
		for ; n < full; n++ {
			v *= 10
		}
		for ; n > full; n-- {
			v /= 10
		}
		return r.set(to, v, f.name)
	}
	switch f.pattern {
	case "A.M.", "P.M.", "AM", "PM":
		names := []string{"AM", "PM"}
		if len(f.pattern) == 4 {
			names = []string{"A.M.", "P.M."}
		}
		n, err := r.word(f, names)
		r.pm, r.clock12 = n == 1, true
		return err
	case "A.D.", "B.C.", "AD", "BC":
		names := []string{"AD", "BC"}
		if len(f.pattern) == 4 {
			names = []string{"A.D.", "B.C."}
		}
		n, err := r.word(f, names)
		r.bc = n == 1
		return err
	case "HH", "HH12":
		r.clock12 = true
		return number(2, &r.hour)
	case "HH24":
		return number(2, &r.hour)
	case "MI":
		return number(2, &r.minute)
	case "SS":
		return number(2, &r.second)
	case "MS":
		return fraction(3, &r.ms, 3)
	case "US":
		return fraction(6, &r.us, 6)
	case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		return fraction(int(f.pattern[2]-'0'), &r.us, 6)
	case "SSSS", "SSSSS":
		return number(len(f.pattern), &r.secondsOfDay)
	case "TZ", "OF":
		return errs.New(errs.FeatureNotSupported, "formatting field \"%s\" is only supported in to_char", f.name)
	case "TZH":
		r.zoneSign = 1
		if r.rest != "" && (r.rest[0] == '+' || r.rest[0] == '-' || r.rest[0] == ' ') {
			if r.rest[0] == '-' {
				r.zoneSign = -1
			}
			r.rest = r.rest[1:]
		}
		return number(2, &r.zoneHour)
	case "TZM":
		if r.zoneSign == 0 {
			r.zoneSign = 1
		}
		return number(2, &r.zoneMinute)
	case "MONTH", "Month", "MON", "Mon":
		names := monthNames[:]
		if len(f.pattern) == 3 {
			names = abbreviated(names)
		}
		n, err := r.word(f, names)
		if err != nil {
			return err
		}
		return r.set(&r.month, n+1, f.name)
	case "RM":
		n, err := r.word(f, romanMonth[:])
		if err != nil {
			return err
		}
		return r.set(&r.month, n+1, f.name)
	case "DAY", "Day", "DY", "Dy":
		names := dayNames[:]
		if len(f.pattern) == 2 {
			names = abbreviated(names)
		}
		n, err := r.word(f, names)
		if err != nil {
			return err
		}
		return r.set(&r.weekday, n+1, f.name)
	case "MM":
		return number(2, &r.month)
	case "DDD", "IDDD":
		return number(3, &r.yearDay)
	case "DD":
		return number(2, &r.day)
	case "D":
		return number(1, &r.weekday)
	case "ID":
		if err := number(1, &r.weekday); err != nil {
			return err
		}
		r.weekday = r.weekday%7 + 1 // counted from Sunday, as D is
		return nil
	case "WW", "IW":
		return number(2, &r.week)
	case "W":
		return number(1, &r.weekOfMonth)
	case "Q":
		return number(1, nil) // says nothing that the month does not
	case "CC":
		return number(2, &r.century)
	case "J":
		return number(1, &r.julian)
	case "Y,YYY":
		return r.yearWithComma(f)
	case "YYYY", "IYYY":
		r.yearDigits = 4
		return number(4, &r.year)
	case "YYY", "IYY", "YY", "IY", "Y", "I":
		v := 0
		width := len(f.pattern)
		n, err := r.number(i, width, &v)
		if err != nil {
			return err
		}
		if n < 4 {
			v = nearYear(v)
		}
		r.yearDigits = width
		return r.set(&r.year, v, f.name)
	}
	return nil
}

func (r *timeReader) yearWithComma(f *timeField) error {
	thousands, rest, ok := strings.Cut(r.rest, ",")
	n := 0
	for n < len(rest) && n < 3 && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	t, err := strconv.Atoi(strings.TrimSpace(thousands))
	if !ok || err != nil || n == 0 {
		return errs.New(errs.InvalidDatetimeFormat, "invalid input string for \"Y,YYY\"")
	}
	y, _ := strconv.Atoi(rest[:n])
	r.rest = rest[n:]
	r.yearDigits = 4
	return r.set(&r.year, t*1000+y, f.name)
}

func fieldOutOfRange(text string) error {
	return errs.New(errs.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", text)
}

// finish makes a date and time of the fields. What is not given is the first: of January, of year 1 BC.
func (r *timeReader) finish(text string) error {
	c := &r.civil
	c.Month, c.Day = 1, 1
	if s := r.secondsOfDay; s != 0 {
		c.Hour, c.Minute, c.Second = s/3600, s%3600/60, s%60
	}
	for _, f := range []struct {
		v  int
		to *int
	}{{r.second, &c.Second}, {r.minute, &c.Minute}, {r.hour, &c.Hour}} {
		if f.v != 0 {
			*f.to = f.v
		}
	}
	if r.clock12 {
		if c.Hour < 1 || c.Hour > 12 {
			return errs.New(errs.InvalidDatetimeFormat, "hour \"%d\" is invalid for the 12-hour clock", c.Hour).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		if c.Hour %= 12; r.pm {
			c.Hour += 12
		}
	}
	r.finishYear()
	if r.julian != 0 {
		c.Year, c.Month, c.Day = types.CivilFromDays(int64(r.julian) - 2451545)
		r.hasDate = true
	}
	yearDay, day := r.yearDay, r.day
	if r.week != 0 {
		if r.convention == 'i' {
			offset := 0 // Monday
			if r.weekday != 0 {
				offset = (r.weekday + 5) % 7
			}
			c.Year, c.Month, c.Day = types.CivilFromDays(isoYearStart(c.Year) + int64(r.week-1)*7 + int64(offset))
			r.hasDate = true
		} else {
			yearDay = (r.week-1)*7 + 1
		}
	}
	if r.weekOfMonth != 0 {
		day = (r.weekOfMonth-1)*7 + 1
	}
	if day != 0 {
		c.Day, r.hasDate = day, true
	}
	if r.month != 0 {
		c.Month, r.hasDate = r.month, true
	}
	if yearDay != 0 && (c.Month <= 1 || c.Day <= 1) {
		if err := r.finishYearDay(yearDay); err != nil {
			return err
		}
	}
	c.Micro = r.ms*1000 + r.us
	if r.hasDate && (c.Month < 1 || c.Month > 12 || c.Day < 1 || c.Day > monthLength(c.Year, c.Month)) {
		return fieldOutOfRange(text)
	}
	if c.Hour < 0 || c.Hour > 23 || c.Minute < 0 || c.Minute > 59 || c.Second < 0 || c.Second > 59 || c.Micro < 0 || c.Micro > 999999 {
		return fieldOutOfRange(text)
	}
	if r.zoneSign != 0 && (r.zoneHour < 0 || r.zoneHour > 15 || r.zoneMinute < 0 || r.zoneMinute > 59) {
		return fieldOutOfRange(text)
	}
	return nil
}

func (r *timeReader) finishYear() {
	c := &r.civil
	switch {
	case r.year != 0 && r.century != 0 && r.yearDigits <= 2:
		century := r.century
		if r.bc {
			century = -century
		}
		c.Year = r.year % 100
		switch {
		case c.Year == 0 && century >= 0:
			c.Year = century * 100
		case c.Year == 0:
			c.Year = century*100 + 1
		case century >= 0:
			c.Year += (century - 1) * 100
		default:
			c.Year = (century+1)*100 - c.Year + 1
		}
		r.hasDate = true
	case r.year != 0:
		c.Year = r.year
		if r.bc {
			c.Year = -c.Year
		}
		if c.Year < 0 {
			c.Year++
		}
		r.hasDate = true
	case r.century != 0:
		century := r.century
		if r.bc {
			century = -century
		}
		if century >= 0 {
			c.Year = (century-1)*100 + 1
		} else {
			c.Year = century*100 + 1
		}
		r.hasDate = true
	}
}

func (r *timeReader) finishYearDay(yearDay int) error {
	c := &r.civil
	if c.Year == 0 && !r.bc {
		return errs.New(errs.InvalidDatetimeFormat, "cannot calculate day of year without year information")
	}
	r.hasDate = true
	if r.convention == 'i' {
		c.Year, c.Month, c.Day = types.CivilFromDays(isoYearStart(c.Year) + int64(yearDay) - 1)
		return nil
	}
	month, left := 1, yearDay
	for month < 12 && left > monthLength(c.Year, month) {
		left -= monthLength(c.Year, month)
		month++
	}
	if c.Month <= 1 {
		c.Month = month
	}
	if c.Day <= 1 {
		c.Day = left
	}
	return nil
}

func monthLength(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func (r *timeReader) date(text string) (int64, error) {
	d := types.DaysFromCivil(r.civil.Year, r.civil.Month, r.civil.Day)
	if d < minDate || d > maxDate {
		return 0, errs.New(errs.DatetimeFieldOverflow, "date out of range: \"%s\"", text)
	}
	return d, nil
}

func (r *timeReader) timestamp(loc *time.Location) (int64, error) {
	ts, err := r.civil.Timestamp()
	if err != nil {
		return 0, err
	}
	if r.zoneSign != 0 {
		return shiftTimestamp(ts, int64(-r.zoneSign*(r.zoneHour*3600+r.zoneMinute*60)))
	}
	return types.TimestampInZone(ts, loc)
}
