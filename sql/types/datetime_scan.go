package types

import "strings"

// The text of dates and times is free: fields in almost any order, told apart by their form and by what is still
// missing. It is read in two steps. This file splits it into fields and says what each looks like; datetime_parse.go
// and interval_parse.go find out what they mean. Both follow PostgreSQL's rules to the letter, with the same guesses.

type fieldForm uint8

const (
	formNumber fieldForm = iota
	formString
	formDate    // digits or letters with separators; also names of time zones with punctuation
	formTime    // has a colon
	formZone    // a sign and digits
	formSpecial // a sign and letters
)

type dateField struct {
	form fieldForm
	text string // letters in lower case
}

const (
	maxDateFields = 25
	maxDateLength = 128
)

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isAlnum(c byte) bool { return isDigit(c) || isAlpha(c) }
func isPunct(c byte) bool { return c > ' ' && c < 0x7f && !isAlnum(c) }

// scanDateFields splits a text into fields; false if it cannot be one of a date, time or interval.
func scanDateFields(s string) ([]dateField, bool) {
	var fields []dateField
	work := 0
	i := 0
	at := func(k int) byte {
		if k < len(s) {
			return s[k]
		}
		return 0
	}
	take := func(ok func(c byte) bool) {
		for i < len(s) && ok(s[i]) {
			i++
		}
	}
	for i < len(s) {
		if isSpace(s[i]) {
			i++
			continue
		}
		start := i
		var form fieldForm
		text := ""
		switch c := s[i]; {
		case isDigit(c):
			take(isDigit)
			switch sep := at(i); {
			case sep == ':':
				form = formTime
				take(func(c byte) bool { return isDigit(c) || c == ':' || c == '.' })
			case sep == '-' || sep == '/' || sep == '.':
				i++
				if isDigit(at(i)) {
					form = formDate
					if sep == '.' {
						form = formNumber
					}
					take(isDigit)
					if at(i) == sep {
						form = formDate
						take(func(c byte) bool { return isDigit(c) || c == sep })
					}
				} else {
					form = formDate
					take(func(c byte) bool { return isAlnum(c) || c == sep })
				}
			}
		case c == '.':
			i++
			take(isDigit)
		case isAlpha(c):
			form = formString
			take(isAlpha)
			sep := at(i)
			isDate := sep == '-' || sep == '/' || sep == '.'
			if sep == '+' || isDigit(sep) {
				_, known := dateWords[clipWord(strings.ToLower(s[start:i]))]
				isDate = !known
			}
			if isDate {
				form = formDate
				take(func(c byte) bool { return isAlnum(c) || strings.IndexByte("+-/_.:", c) >= 0 })
			}
		case c == '+' || c == '-':
			i++
			take(isSpace)
			switch {
			case isDigit(at(i)):
				form = formZone
				from := i
				take(func(c byte) bool { return isDigit(c) || c == ':' || c == '.' || c == '-' })
				text = string(c) + s[from:i]
			case isAlpha(at(i)):
				form = formSpecial
				from := i
				take(isAlpha)
				text = string(c) + strings.ToLower(s[from:i])
			default:
				return nil, false
			}
		case isPunct(c):
			i++
			continue
		default:
			return nil, false
		}
		if text == "" {
			text = strings.ToLower(s[start:i])
		}
		if work += len(text) + 1; len(fields) == maxDateFields || work > maxDateLength+maxDateFields {
			return nil, false
		}
		fields = append(fields, dateField{form, text})
	}
	return fields, true
}

// wordKind says what a word means in a date or interval.
type wordKind uint8

const (
	wordUnknown wordKind = iota
	wordReserved
	wordIgnore
	wordMonth
	wordDayOfWeek
	wordAMPM
	wordEra
	wordUnit
	wordISOTime
	wordZone
	wordDaylightModifier
	wordAgo
)

type dateWord struct {
	kind  wordKind
	value int
}

// Values of reserved words.
const (
	reservedNow = iota
	reservedYesterday
	reservedToday
	reservedTomorrow
	reservedZulu
	reservedEpoch
	reservedLate
	reservedEarly
)

// Units of fields.
const (
	unitNone = iota
	unitMicrosecond
	unitMillisecond
	unitSecond
	unitMinute
	unitHour
	unitDay
	unitWeek
	unitMonth
	unitQuarter
	unitYear
	unitDecade
	unitCentury
	unitMillennium
	unitJulian
	unitTimezone
	unitTimezoneHour
	unitTimezoneMinute
	unitDow
	unitIsoDow
	unitDoy
	unitIsoYear
	unitEpoch
	unitTime // after a "t": the next field is a time
)

const maxDateWord = 10 // longer words are cut, so that "milliseconds" has one entry

func clipWord(s string) string {
	if len(s) > maxDateWord {
		return s[:maxDateWord]
	}
	return s
}

var dateWords = map[string]dateWord{
	"-infinity": {wordReserved, reservedEarly}, "infinity": {wordReserved, reservedLate},
	"epoch": {wordReserved, reservedEpoch}, "now": {wordReserved, reservedNow}, "today": {wordReserved, reservedToday},
	"tomorrow": {wordReserved, reservedTomorrow}, "yesterday": {wordReserved, reservedYesterday}, "allballs": {wordReserved, reservedZulu},
	"at": {wordIgnore, 0}, "on": {wordIgnore, 0},
	"am": {wordAMPM, 0}, "pm": {wordAMPM, 1}, "ad": {wordEra, 0}, "bc": {wordEra, 1},
	"jan": {wordMonth, 1}, "january": {wordMonth, 1}, "feb": {wordMonth, 2}, "february": {wordMonth, 2}, "mar": {wordMonth, 3},
	"march": {wordMonth, 3}, "apr": {wordMonth, 4}, "april": {wordMonth, 4}, "may": {wordMonth, 5}, "jun": {wordMonth, 6},
	"june": {wordMonth, 6}, "jul": {wordMonth, 7}, "july": {wordMonth, 7}, "aug": {wordMonth, 8}, "august": {wordMonth, 8},
	"sep": {wordMonth, 9}, "sept": {wordMonth, 9}, "september": {wordMonth, 9}, "oct": {wordMonth, 10}, "october": {wordMonth, 10},
	"nov": {wordMonth, 11}, "november": {wordMonth, 11}, "dec": {wordMonth, 12}, "december": {wordMonth, 12},
	"sun": {wordDayOfWeek, 0}, "sunday": {wordDayOfWeek, 0}, "mon": {wordDayOfWeek, 1}, "monday": {wordDayOfWeek, 1},
	"tue": {wordDayOfWeek, 2}, "tues": {wordDayOfWeek, 2}, "tuesday": {wordDayOfWeek, 2}, "wed": {wordDayOfWeek, 3},
	"wednesday": {wordDayOfWeek, 3}, "weds": {wordDayOfWeek, 3}, "thu": {wordDayOfWeek, 4}, "thur": {wordDayOfWeek, 4},
	"thurs": {wordDayOfWeek, 4}, "thursday": {wordDayOfWeek, 4}, "fri": {wordDayOfWeek, 5}, "friday": {wordDayOfWeek, 5},
	"sat": {wordDayOfWeek, 6}, "saturday": {wordDayOfWeek, 6},
	"d": {wordUnit, unitDay}, "dow": {wordUnit, unitDow}, "doy": {wordUnit, unitDoy}, "h": {wordUnit, unitHour},
	"isodow": {wordUnit, unitIsoDow}, "isoyear": {wordUnit, unitIsoYear}, "j": {wordUnit, unitJulian}, "jd": {wordUnit, unitJulian},
	"julian": {wordUnit, unitJulian}, "m": {wordUnit, unitMonth}, "mm": {wordUnit, unitMinute}, "s": {wordUnit, unitSecond},
	"y": {wordUnit, unitYear}, "t": {wordISOTime, unitTime}, "dst": {wordDaylightModifier, 3600},
}

// intervalWords are the units of intervals, also for extract and date_trunc.
var intervalWords = map[string]dateWord{
	"@": {wordIgnore, 0}, "ago": {wordAgo, 0},
	"us": {wordUnit, unitMicrosecond}, "usec": {wordUnit, unitMicrosecond}, "usecs": {wordUnit, unitMicrosecond},
	"usecond": {wordUnit, unitMicrosecond}, "useconds": {wordUnit, unitMicrosecond}, "microsecon": {wordUnit, unitMicrosecond},
	"ms": {wordUnit, unitMillisecond}, "msec": {wordUnit, unitMillisecond}, "msecs": {wordUnit, unitMillisecond},
	"msecond": {wordUnit, unitMillisecond}, "mseconds": {wordUnit, unitMillisecond}, "millisecon": {wordUnit, unitMillisecond},
	"s": {wordUnit, unitSecond}, "sec": {wordUnit, unitSecond}, "secs": {wordUnit, unitSecond}, "second": {wordUnit, unitSecond},
	"seconds": {wordUnit, unitSecond}, "m": {wordUnit, unitMinute}, "min": {wordUnit, unitMinute}, "mins": {wordUnit, unitMinute},
	"minute": {wordUnit, unitMinute}, "minutes": {wordUnit, unitMinute}, "h": {wordUnit, unitHour}, "hr": {wordUnit, unitHour},
	"hrs": {wordUnit, unitHour}, "hour": {wordUnit, unitHour}, "hours": {wordUnit, unitHour}, "d": {wordUnit, unitDay},
	"day": {wordUnit, unitDay}, "days": {wordUnit, unitDay}, "w": {wordUnit, unitWeek}, "week": {wordUnit, unitWeek},
	"weeks": {wordUnit, unitWeek}, "mon": {wordUnit, unitMonth}, "mons": {wordUnit, unitMonth}, "month": {wordUnit, unitMonth},
	"months": {wordUnit, unitMonth}, "qtr": {wordUnit, unitQuarter}, "quarter": {wordUnit, unitQuarter}, "y": {wordUnit, unitYear},
	"yr": {wordUnit, unitYear}, "yrs": {wordUnit, unitYear}, "year": {wordUnit, unitYear}, "years": {wordUnit, unitYear},
	"dec": {wordUnit, unitDecade}, "decs": {wordUnit, unitDecade}, "decade": {wordUnit, unitDecade}, "decades": {wordUnit, unitDecade},
	"c": {wordUnit, unitCentury}, "cent": {wordUnit, unitCentury}, "century": {wordUnit, unitCentury},
	"centuries": {wordUnit, unitCentury}, "mil": {wordUnit, unitMillennium}, "mils": {wordUnit, unitMillennium},
	"millennium": {wordUnit, unitMillennium}, "millennia": {wordUnit, unitMillennium}, "timezone": {wordUnit, unitTimezone},
	"timezone_h": {wordUnit, unitTimezoneHour}, "timezone_m": {wordUnit, unitTimezoneMinute},
}
