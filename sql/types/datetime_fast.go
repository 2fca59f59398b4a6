package types

// isoTimestamp is a text of exactly the form that PostgreSQL itself prints in ISO style: YYYY-MM-DD, perhaps with
// HH:MM:SS[.ffffff] and ±HH[:MM]. It is what programs send nearly always. Anything else, also what is out of range, is
// left to the full reader and its errors.
type isoTimestamp struct {
	days    int64
	micros  int64
	hasZone bool
	offset  int // seconds east
}

func digitPair(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return 1 << 20 // out of every range
	}
	return int(a)*10 + int(b)
}

func parseISODate(s string) (days int64, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	year := digitPair(s, 0)*100 + digitPair(s, 2)
	month, day := digitPair(s, 5), digitPair(s, 8)
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > monthDays(year, month) {
		return 0, false
	}
	return DaysFromCivil(year, month, day), true
}

func parseISOTimestamp(s string) (t isoTimestamp, ok bool) {
	if t.days, ok = parseISODate(s); !ok {
		return t, false
	}
	s = s[10:]
	if s == "" {
		return t, true
	}
	if len(s) < 9 || s[0] != ' ' || s[3] != ':' || s[6] != ':' {
		return t, false
	}
	hour, minute, second := digitPair(s, 1), digitPair(s, 4), digitPair(s, 7)
	if hour > 23 || minute > 59 || second > 59 {
		return t, false
	}
	t.micros = int64(hour)*MicrosPerHour + int64(minute)*MicrosPerMinute + int64(second)*MicrosPerSecond
	s = s[9:]
	if s != "" && s[0] == '.' {
		i, unit := 1, int64(100000)
		for i < len(s) && isDigit(s[i]) && unit > 0 {
			t.micros += int64(s[i]-'0') * unit
			unit /= 10
			i++
		}
		s = s[i:]
	}
	if s == "" {
		return t, true
	}
	if s[0] != '+' && s[0] != '-' || len(s) != 3 && (len(s) != 6 || s[3] != ':') {
		return t, false
	}
	hour, minute = digitPair(s, 1), 0
	if len(s) == 6 {
		minute = digitPair(s, 4)
	}
	if hour > 15 || minute > 59 {
		return t, false
	}
	t.hasZone, t.offset = true, hour*3600+minute*60
	if s[0] == '-' {
		t.offset = -t.offset
	}
	return t, true
}
