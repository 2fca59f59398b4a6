package funcs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"holdfast/sql/types"
)

// Date and time pictures: to_char(timestamp, picture). Reading by a picture is in picture_parse.go.

// timeField is a pattern of a picture with its modifiers.
type timeField struct {
	pictureItem
	fill  bool // FM: without padding
	exact bool // FX: from here on
	th    byte // 't' or 'T': ordinal ending wanted
	name  string
}

// timePatterns are the patterns in upper case, longer ones before their prefixes. All but those with capital and small
// letters of their own may also be written in lower case.
var timePatterns = []string{
	"A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "Day", "DDD", "DD", "DY", "Dy", "D", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6",
	"HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J", "MI", "MM", "MONTH", "Month", "MON", "Mon", "MS", "OF",
	"P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y",
}

func matchTimePattern(s string) (string, int) {
	for _, name := range timePatterns {
		if len(s) >= len(name) && (s[:len(name)] == name || s[:len(name)] == strings.ToLower(name) && name != "OF") {
			return name, len(name)
		}
	}
	return "", 0
}

// newTimePicture reads a picture. Modifiers are joined to the pattern they belong to.
func newTimePicture(picture string) []timeField {
	items := splitPicture(picture, func(s string) (string, int) {
		if len(s) >= 2 {
			switch p := strings.ToUpper(s[:2]); p {
			case "FM", "TM", "FX":
				if s[:2] == p || s[:2] == strings.ToLower(p) {
					return p, 2
				}
			}
		}
		return matchTimePattern(s)
	})
	var fields []timeField
	fill, exact := false, false
	for i := 0; i < len(items); i++ {
		it := items[i]
		switch it.pattern {
		case "FM", "TM": // the translated names of TM are those of the C locale, without padding
			fill = true
			continue
		case "FX":
			exact = true
			continue
		}
		f := timeField{pictureItem: it, fill: fill, exact: exact, name: it.literal}
		if it.pattern != "" {
			fill = false
			if i+2 < len(items) && items[i+1].pattern == "" && items[i+2].pattern == "" && !items[i+1].quoted && !items[i+2].quoted {
				switch items[i+1].literal + items[i+2].literal {
				case "TH":
					f.th = 'T'
					i += 2
				case "th":
					f.th = 't'
					i += 2
				case "SP", "sp":
					i += 2
				}
			}
		}
		fields = append(fields, f)
	}
	return fields
}

// brokenTime is a timestamp or interval taken apart.
type brokenTime struct {
	types.Civil
	hour     int // of an interval any number
	days     int64
	interval bool
	zone     string
	offset   int // seconds east
	zoned    bool
}

var (
	monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	dayNames   = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	romanMonth = [...]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
)

func breakTimestamp(ts int64) *brokenTime {
	c := types.CivilFromTimestamp(ts)
	return &brokenTime{Civil: c, hour: c.Hour, days: types.DaysFromCivil(c.Year, c.Month, c.Day)}
}

func breakInterval(iv types.Interval) *brokenTime {
	t := &brokenTime{interval: true}
	t.Year, t.Month, t.Day = int(iv.Months/12), int(iv.Months%12), int(iv.Days)
	m := iv.Micros
	t.hour = int(m / types.MicrosPerHour)
	m %= types.MicrosPerHour
	t.Minute = int(m / types.MicrosPerMinute)
	m %= types.MicrosPerMinute
	t.Second, t.Micro = int(m/types.MicrosPerSecond), int(m%types.MicrosPerSecond)
	t.Hour = t.hour
	t.days = int64(t.Year)*360 + int64(t.Month)*30 + int64(t.Day)
	return t
}

// weekday is 0 for Sunday.
func (t *brokenTime) weekday() int {
	w := int((t.days + 6) % 7)
	if w < 0 {
		w += 7
	}
	return w
}

func (t *brokenTime) yearDay() int {
	return int(t.days-types.DaysFromCivil(t.Year, 1, 1)) + 1
}

// isoWeek is the year and week of ISO 8601, and the day of that year.
func (t *brokenTime) isoWeek() (year, week, day int) {
	wd := int64(t.weekday()+6) % 7
	thursday := t.days - wd + 3
	year, _, _ = types.CivilFromDays(thursday)
	first := isoYearStart(year)
	return year, int(t.days-wd-first)/7 + 1, int(t.days-first) + 1
}

// isoYearStart is the Monday of week 1 of a year.
func isoYearStart(year int) int64 {
	jan4 := types.DaysFromCivil(year, 1, 4)
	wd := (jan4 + 5) % 7 // 0 for Monday
	if wd < 0 {
		wd += 7
	}
	return jan4 - wd
}

// shownYear counts years before Christ from 1.
func (t *brokenTime) shownYear(year int) int {
	if !t.interval && year <= 0 {
		return 1 - year
	}
	return year
}

func (t *brokenTime) century() int {
	switch {
	case t.interval:
		return t.Year / 100
	case t.Year > 0:
		return (t.Year-1)/100 + 1
	}
	return t.Year/100 - 1
}

// print lays a time out by a picture.
func (t *brokenTime) print(fields []timeField) (string, error) {
	var b []byte
	for i := range fields {
		f := &fields[i]
		if f.pattern == "" {
			b = append(b, f.literal...)
			continue
		}
		text, numeric, err := t.field(f)
		if err != nil {
			return "", err
		}
		b = append(b, text...)
		if f.th != 0 && numeric && text != "" {
			b = append(b, ordinal(text, f.th == 't')...)
		}
	}
	return string(b), nil
}

func (t *brokenTime) field(f *timeField) (text string, numeric bool, err error) {
	number := func(v, width int) (string, bool, error) {
		if f.fill {
			width = 0
		} else if v < 0 {
			width++
		}
		return fmt.Sprintf("%0*d", width, v), true, nil
	}
	name := func(s string, width int) (string, bool, error) {
		switch f.literal[:min(len(f.literal), 2)] {
		case strings.ToUpper(f.literal[:min(len(f.literal), 2)]):
			s = strings.ToUpper(s)
		case strings.ToLower(f.literal[:min(len(f.literal), 2)]):
			s = strings.ToLower(s)
		}
		if !f.fill {
			s += strings.Repeat(" ", max(width-len(s), 0))
		}
		return s, false, nil
	}
	asWritten := func(s string) (string, bool, error) {
		if f.lower {
			s = strings.ToLower(s)
		}
		return s, false, nil
	}
	switch f.pattern {
	case "A.D.", "B.C.", "AD", "BC", "D", "DY", "Dy", "DAY", "Day", "MONTH", "Month", "MON", "Mon", "TZ", "TZH", "TZM", "OF":
		if t.interval {
			return "", false, invalidForInterval()
		}
	}
	switch f.pattern {
	case "A.M.", "P.M.", "AM", "PM":
		s := "AM"
		if t.hour%24 >= 12 {
			s = "PM"
		}
		if len(f.pattern) == 4 {
			s = s[:1] + ".M."
		}
		return asWritten(s)
	case "A.D.", "B.C.", "AD", "BC":
		s := "AD"
		if t.Year <= 0 {
			s = "BC"
		}
		if len(f.pattern) == 4 {
			s = s[:1] + "." + s[1:] + "."
		}
		return asWritten(s)
	case "HH", "HH12":
		h := t.hour % 12
		if h == 0 {
			h = 12
		}
		return number(h, 2)
	case "HH24":
		return number(t.hour, 2)
	case "MI":
		return number(t.Minute, 2)
	case "SS":
		return number(t.Second, 2)
	case "MS", "FF3":
		return fmt.Sprintf("%03d", t.Micro/1000), true, nil
	case "US", "FF6":
		return fmt.Sprintf("%06d", t.Micro), true, nil
	case "FF1", "FF2", "FF4", "FF5":
		n := int(f.pattern[2] - '0')
		return fmt.Sprintf("%0*d", n, t.Micro/int(powersOf10[6-n])), true, nil
	case "SSSS", "SSSSS":
		return strconv.Itoa(t.hour*3600 + t.Minute*60 + t.Second), true, nil
	case "TZ":
		if f.lower {
			return strings.ToLower(t.zone), false, nil
		}
		return t.zone, false, nil
	case "TZH":
		return fmt.Sprintf("%c%02d", signOf(t.offset < 0), abs(t.offset)/3600), false, nil
	case "TZM":
		return fmt.Sprintf("%02d", abs(t.offset)%3600/60), false, nil
	case "OF":
		width := 2
		if f.fill {
			width = 0
		}
		s := fmt.Sprintf("%c%0*d", signOf(t.offset < 0), width, abs(t.offset)/3600)
		if m := abs(t.offset) % 3600 / 60; m != 0 {
			s += fmt.Sprintf(":%02d", m)
		}
		return s, false, nil
	case "MONTH", "Month", "MON", "Mon":
		if len(f.pattern) == 3 {
			return name(monthNames[t.Month-1][:3], 0)
		}
		return name(monthNames[t.Month-1], 9)
	case "MM":
		return number(t.Month, 2)
	case "DAY", "Day":
		return name(dayNames[t.weekday()], 9)
	case "DY", "Dy":
		return name(dayNames[t.weekday()][:3], 0)
	case "DDD":
		if t.interval {
			return number(int(t.days), 3)
		}
		return number(t.yearDay(), 3)
	case "DD":
		return number(t.Day, 2)
	case "D":
		return number(t.weekday()+1, 0)
	case "ID":
		return number((t.weekday()+6)%7+1, 0)
	case "WW":
		return number((t.yearDay()-1)/7+1, 2)
	case "W":
		return number((t.Day-1)/7+1, 0)
	case "IW", "IDDD", "IYYY", "IYY", "IY", "I":
		year, week, day := t.isoWeek()
		switch f.pattern {
		case "IW":
			return number(week, 2)
		case "IDDD":
			return number(day, 3)
		}
		return t.year(year, len(f.pattern), number)
	case "Q":
		if t.Month == 0 {
			return "", false, nil
		}
		return strconv.Itoa((t.Month-1)/3 + 1), true, nil
	case "CC":
		c := t.century()
		if abs(c) <= 99 {
			return number(c, 2)
		}
		return number(c, 0)
	case "Y,YYY":
		y := t.shownYear(t.Year)
		return fmt.Sprintf("%d,%03d", y/1000, y%1000), true, nil
	case "YYYY", "YYY", "YY", "Y":
		return t.year(t.Year, len(f.pattern), number)
	case "RM":
		return t.romanMonth(f)
	case "J":
		if t.interval {
			return strconv.FormatInt(julianOfInterval(t), 10), true, nil
		}
		return strconv.FormatInt(t.days+2451545, 10), true, nil
	}
	return "", false, nil
}

// julianOfInterval is what the calendar makes of an interval's year, month and day.
func julianOfInterval(t *brokenTime) int64 {
	month := t.Month
	if month < 1 {
		month = 1
	}
	return types.DaysFromCivil(t.Year, month, 1) + int64(t.Day-1) + 2451545
}

func (t *brokenTime) year(year, width int, number func(v, width int) (string, bool, error)) (string, bool, error) {
	y := t.shownYear(year)
	if width < 4 {
		y %= int(powersOf10[width])
	}
	if width == 1 {
		return strconv.Itoa(y), true, nil
	}
	return number(y, width)
}

func (t *brokenTime) romanMonth(f *timeField) (string, bool, error) {
	if t.Month == 0 && t.Year == 0 {
		return "", false, nil
	}
	m := t.Month
	if m <= 0 { // of an interval
		m += 12
	}
	s := romanMonth[m-1]
	if f.lower {
		s = strings.ToLower(s)
	}
	if !f.fill {
		s += strings.Repeat(" ", 4-len(s))
	}
	return s, false, nil
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func timestampToChar(t func(ts int64, loc *time.Location) *brokenTime) Kernel {
	return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		picture := args[1].Str()
		if ts := args[0].Int(); picture != "" && ts != math.MaxInt64 && ts != math.MinInt64 {
			text, err := t(ts, ctx.env().Location).print(newTimePicture(picture))
			return types.NewString(text), err
		}
		return types.Null, nil
	})
}

func timePictureFuncs() kernels {
	return kernels{
		"timestamp_to_char": timestampToChar(func(ts int64, _ *time.Location) *brokenTime { return breakTimestamp(ts) }),
		"timestamptz_to_char": timestampToChar(func(ts int64, loc *time.Location) *brokenTime {
			t := breakTimestamp(types.LocalTimestamp(ts, loc))
			t.zone, _ = types.TimeFromTimestamp(ts).In(loc).Zone()
			t.offset, t.zoned = types.ZoneOffset(ts, loc), true
			return t
		}),
		"interval_to_char": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if args[1].Str() == "" {
				return types.Null, nil
			}
			text, err := breakInterval(args[0].Any().(types.Interval)).print(newTimePicture(args[1].Str()))
			return types.NewString(text), err
		}),
		"to_date": zoned2(func(text, picture string, _ *time.Location) (int64, error) {
			r, err := parseByPicture(text, picture)
			if err != nil {
				return 0, err
			}
			return r.date(text)
		}),
		"to_timestamp": zoned2(func(text, picture string, loc *time.Location) (int64, error) {
			r, err := parseByPicture(text, picture)
			if err != nil {
				return 0, err
			}
			return r.timestamp(loc)
		}),
	}
}
