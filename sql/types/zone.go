package types

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones must not depend on the machine that serves

	"holdfast/sql/errs"
)

var locations sync.Map // lower-case name -> *time.Location

// LoadLocation finds a time zone by its name, in any case, or by a POSIX specification ("EST5EDT", "<+03>-03", "+3",
// whose offsets count westward); unknown is 22023. Abbreviations ("PST") are not zones: see LookupZone.
func LoadLocation(name string) (*time.Location, error) {
	key := strings.ToLower(name)
	if loc, ok := locations.Load(key); ok {
		return loc.(*time.Location), nil
	}
	if loc := findLocation(name); loc != nil {
		locations.Store(key, loc) // of the database there are some hundreds; of POSIX specifications too many to keep
		return loc, nil
	}
	if loc := posixLocation(name); loc != nil {
		return loc, nil
	}
	return nil, unknownZone(name)
}

const maxZoneName = 255

// LookupZone is LoadLocation, but knows abbreviations too, and first, as AT TIME ZONE does.
func LookupZone(name string) (*time.Location, error) {
	if a, ok := zoneAbbreviations[strings.ToLower(name)]; ok {
		return time.FixedZone(strings.ToUpper(name), a.offset), nil
	}
	return LoadLocation(name)
}

func unknownZone(name string) *errs.Error {
	return errs.New(errs.InvalidParameterValue, "time zone \"%s\" not recognized", name)
}

// FixedZone is the zone of a constant offset in seconds east, named as SET TIME ZONE with a number or interval names it.
func FixedZone(offset int) *time.Location {
	sign, west := "+", "-"
	if offset < 0 {
		sign, west, offset = "-", "+", -offset
	}
	text := fmt.Sprintf("%02d", offset/3600)
	if offset%3600 != 0 {
		text += fmt.Sprintf(":%02d", offset/60%60)
		if offset%60 != 0 {
			text += fmt.Sprintf(":%02d", offset%60)
		}
	}
	east := offset
	if sign == "-" {
		east = -offset
	}
	name := "<" + sign + text + ">" + west + text
	loc, err := time.LoadLocationFromTZData(name, zoneFile(sign+text, east, ""))
	if err != nil {
		return time.FixedZone(name, east)
	}
	return loc
}

func findLocation(name string) *time.Location {
	if name == "" || len(name) > maxZoneName || strings.Contains(name, "..") || strings.HasPrefix(name, "/") {
		return nil
	}
	for _, n := range []string{zoneCase(name), strings.ToUpper(name), name} {
		if n == "Local" {
			continue
		}
		if loc, err := time.LoadLocation(n); err == nil {
			return loc
		}
	}
	return nil
}

// zoneCase writes a zone's name the way the database does: "america/port-au-prince" as "America/Port-au-Prince".
func zoneCase(name string) string {
	b := []byte(strings.ToLower(name))
	start := true
	for i, c := range b {
		if start && c >= 'a' && c <= 'z' {
			b[i] -= 'a' - 'A'
		}
		start = c == '/' || c == '_' || c == '-'
	}
	s := string(b)
	if strings.HasPrefix(s, "Us/") {
		s = "US" + s[2:]
	}
	for _, small := range []string{"-Au-", "-Of-", "_Of_", "_Da_", "-Es-"} {
		s = strings.ReplaceAll(s, small, strings.ToLower(small))
	}
	for _, fixed := range zoneExceptions {
		if strings.EqualFold(fixed, s) {
			return fixed
		}
	}
	return s
}

// zoneExceptions are names with capitals at other places than words' beginnings.
var zoneExceptions = []string{
	"America/North_Dakota/New_Salem", "Antarctica/DumontDUrville", "Antarctica/McMurdo", "GB-Eire", "NZ-CHAT", "Etc/GMT", "Etc/UTC",
	"Etc/UCT", "Etc/GMT0", "US/East-Indiana", "US/Indiana-Starke", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "W-SU", "GMT+0", "GMT-0",
	"GMT0", "Mexico/BajaNorte", "Mexico/BajaSur", "Australia/ACT", "Australia/LHI", "Australia/NSW", "Asia/Ust-Nera", "Brazil/DeNoronha",
	"Etc/GMT+0", "Etc/GMT+1", "Etc/GMT+2", "Etc/GMT+3", "Etc/GMT+4", "Etc/GMT+5", "Etc/GMT+6", "Etc/GMT+7", "Etc/GMT+8", "Etc/GMT+9",
	"Etc/GMT+10", "Etc/GMT+11", "Etc/GMT+12", "Etc/GMT-0", "Etc/GMT-1", "Etc/GMT-2", "Etc/GMT-3", "Etc/GMT-4", "Etc/GMT-5", "Etc/GMT-6",
	"Etc/GMT-7", "Etc/GMT-8", "Etc/GMT-9", "Etc/GMT-10", "Etc/GMT-11", "Etc/GMT-12", "Etc/GMT-13", "Etc/GMT-14",
}

// posixLocation reads a POSIX specification: a name of letters or in <>, an offset in hours, minutes and seconds
// west of UTC, and perhaps a daylight name and rule. With daylight, the rule is left to the time package, which takes
// it from the footer of a zone file.
func posixLocation(spec string) *time.Location {
	if spec == "" || len(spec) > maxZoneName {
		return nil
	}
	std, rest, ok := posixName(spec)
	if !ok {
		return nil
	}
	offset, rest, ok := posixOffset(rest)
	if !ok {
		return nil
	}
	if rest == "" {
		return namedFixedZone(spec, std, -offset)
	}
	dst, rule, ok := posixName(rest)
	if !ok || dst == "" || std == "" {
		return nil
	}
	if rule == "" {
		spec += ",M3.2.0,M11.1.0"
	} else if rule[0] != ',' {
		if _, rest, ok := posixOffset(rule); !ok || rest != "" && rest[0] != ',' {
			return nil
		} else if rest == "" {
			spec += ",M3.2.0,M11.1.0"
		}
	}
	loc, err := time.LoadLocationFromTZData(spec, zoneFile(std, -offset, spec))
	if err != nil {
		return nil
	}
	_, summer := time.Date(2023, 7, 1, 0, 0, 0, 0, loc).Zone()
	_, winter := time.Date(2023, 1, 1, 0, 0, 0, 0, loc).Zone()
	if summer == winter { // the rule could not be read
		return nil
	}
	return loc
}

func namedFixedZone(name, abbreviation string, offset int) *time.Location {
	if abbreviation == "" {
		return FixedZone(offset)
	}
	loc, err := time.LoadLocationFromTZData(name, zoneFile(abbreviation, offset, ""))
	if err != nil {
		return FixedZone(offset)
	}
	return loc
}

func posixName(s string) (name, rest string, ok bool) {
	if strings.HasPrefix(s, "<") {
		name, rest, ok = strings.Cut(s[1:], ">")
		return name, rest, ok
	}
	i := 0
	for i < len(s) && (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z') {
		i++
	}
	return s[:i], s[i:], true
}

// posixOffset reads [+-]hh[:mm[:ss]], in seconds.
func posixOffset(s string) (seconds int, rest string, ok bool) {
	neg := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		neg = s[0] == '-'
		s = s[1:]
	}
	unit := 3600
	for i, limit := range []int{167, 59, 59} {
		if i > 0 {
			if !strings.HasPrefix(s, ":") {
				break
			}
			s = s[1:]
		}
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		v, err := strconv.Atoi(s[:n])
		if err != nil || v > limit {
			return 0, "", false
		}
		seconds += v * unit
		unit /= 60
		s = s[n:]
	}
	if neg {
		seconds = -seconds
	}
	return seconds, s, true
}

// zoneFile is a zone file (RFC 8536, version 2) without transitions, with one type and a footer.
func zoneFile(abbreviation string, offset int, footer string) []byte {
	header := func(b []byte) []byte {
		b = append(b, "TZif2"...)
		b = append(b, make([]byte, 15)...)
		for _, n := range []uint32{0, 0, 0, 0, 1, uint32(len(abbreviation) + 1)} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		b = binary.BigEndian.AppendUint32(b, uint32(int32(offset)))
		b = append(b, 0, 0)
		b = append(b, abbreviation...)
		return append(b, 0)
	}
	b := header(header(nil))
	b = append(b, '\n')
	b = append(b, footer...)
	return append(b, '\n')
}

// ZoneOffset is the offset from UTC in seconds east at a finite timestamptz.
func ZoneOffset(ts int64, loc *time.Location) int {
	_, offset := zoneAt(ts, loc)
	return offset
}

// unixSeconds are the seconds since 1970; the difference in µs may not fit.
func unixSeconds(ts int64) int64 {
	return floorDiv64(ts, MicrosPerSecond) - unixEpochMicros/MicrosPerSecond
}

func zoneAt(ts int64, loc *time.Location) (name string, offset int) {
	if loc == time.UTC {
		return "UTC", 0
	}
	return time.Unix(unixSeconds(ts), 0).In(loc).Zone()
}

// LocalTimestamp is timestamptz AT TIME ZONE loc: the clock's reading there.
func LocalTimestamp(ts int64, loc *time.Location) int64 {
	if !isFinite(ts) {
		return ts
	}
	return ts + int64(ZoneOffset(ts, loc))*MicrosPerSecond
}

// TimestampInZone is timestamp AT TIME ZONE loc: when the clock there reads that. A reading that is skipped when clocks
// go forward is taken with the offset before, one that occurs twice is the later; out of range is 22008.
func TimestampInZone(local int64, loc *time.Location) (int64, error) {
	if !isFinite(local) {
		return local, nil
	}
	return checkTimestamp(local - int64(localOffset(local, loc))*MicrosPerSecond)
}

// localOffset is the offset from UTC in seconds east when the clock of loc reads local.
func localOffset(local int64, loc *time.Location) int {
	if loc == time.UTC {
		return 0
	}
	seconds := unixSeconds(local)
	// The clock may have changed since a day before: of at most one change in two days, find the side.
	t := time.Unix(seconds-24*3600, 0).In(loc)
	_, before := t.Zone()
	_, end := t.ZoneBounds()
	if end.IsZero() {
		return before
	}
	_, after := end.Zone()
	change := end.Unix()
	ifBefore, ifAfter := seconds-int64(before), seconds-int64(after)
	switch {
	case ifBefore < change && ifAfter < change:
		return before
	case ifBefore > change && ifAfter >= change:
		return after
	case ifBefore > ifAfter: // skipped
		return before
	}
	return after
}
