package planner

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// A setting is one run-time parameter: PostgreSQL's name for it, how a value is checked, and what it means
// when nobody sets it. Settings that exist only so that scripts may set them to the one value Holdfast
// has refuse every other value.
type setting struct {
	name        string
	kind        settingKind
	initial     string
	unit        string   // "ms", "kB": unit of a plain number
	min, max    int64    // of integers, in unit
	values      []string // of an enum
	readOnly    bool     // internal: cannot be changed
	report      bool     // changes are sent as ParameterStatus
	description string
	// check normalises a value beyond what the kind says; nil: as it is.
	check func(value string) (string, error)
}

type settingKind uint8

const (
	settingString settingKind = iota
	settingBool
	settingInt
	settingEnum
)

// settingList is every known parameter. The unknown ones are 42704, but for custom ones with a dot in
// their name, which hold any text.
var settingList = []*setting{
	{name: "application_name", report: true, description: "Sets the application name to be reported in statistics and logs."},
	{name: "backslash_quote", kind: settingEnum, initial: "safe_encoding", values: []string{"safe_encoding", "on", "off"}, description: "Sets whether \"\\'\" is allowed in string literals."},
	{name: "bytea_output", kind: settingEnum, initial: "hex", values: []string{"escape", "hex"}, description: "Sets the output format for bytea."},
	{name: "check_function_bodies", kind: settingBool, initial: "on", description: "Checks routine bodies at creation."},
	{name: "client_encoding", initial: "UTF8", report: true, check: checkEncoding, description: "Sets the client's character set encoding."},
	{name: "client_min_messages", kind: settingEnum, initial: "notice", values: []string{"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"}, description: "Sets the message levels that are sent to the client."},
	{name: "data_directory", readOnly: true, description: "The server's data directory."},
	{name: "DateStyle", initial: "ISO, MDY", report: true, check: checkDateStyle, description: "Sets the display format for date and time values."},
	{name: "deadlock_timeout", kind: settingInt, initial: "1s", unit: "ms", min: 1, max: 2147483647, description: "Of the sessions in a deadlock, which is found at once, the one with the least time gives way."},
	{name: "default_table_access_method", initial: "heap", check: only("heap"), description: "Sets the default table access method for new tables."},
	{name: "default_tablespace", check: only(""), description: "Sets the default tablespace to create tables and indexes in."},
	{name: "default_text_search_config", initial: "pg_catalog.simple", description: "Sets default text search configuration."},
	{name: "default_transaction_deferrable", kind: settingBool, initial: "off", description: "Sets the default deferrable status of new transactions."},
	{name: "default_transaction_isolation", kind: settingEnum, initial: "serializable", values: isolationLevels, description: "Sets the transaction isolation level of each new transaction. Every level runs serializable."},
	{name: "default_transaction_read_only", kind: settingBool, initial: "off", report: true, description: "Sets the default read-only status of new transactions."},
	{name: "default_with_oids", kind: settingBool, initial: "off", check: only("off"), description: "WITH OIDS is no longer supported; this can only be false."},
	{name: "enable_seqscan", kind: settingBool, initial: "on", check: only("on"), description: "The planner always considers full scans."},
	{name: "escape_string_warning", kind: settingBool, initial: "on", description: "Warn about backslash escapes in ordinary string literals."},
	{name: "extra_float_digits", kind: settingInt, initial: "1", min: -15, max: 3, description: "Sets the number of digits displayed for floating-point values."},
	{name: "idle_in_transaction_session_timeout", kind: settingInt, initial: "0", unit: "ms", max: 2147483647, description: "Sets the maximum allowed idle time between queries, when in a transaction."},
	{name: "idle_session_timeout", kind: settingInt, initial: "0", unit: "ms", max: 2147483647, description: "Sets the maximum allowed idle time between queries, when not in a transaction."},
	{name: "in_hot_standby", kind: settingBool, initial: "off", readOnly: true, report: true, description: "Shows whether hot standby is currently active."},
	{name: "integer_datetimes", kind: settingBool, initial: "on", readOnly: true, report: true, description: "Shows whether datetimes are integer based."},
	{name: "IntervalStyle", kind: settingEnum, initial: "postgres", report: true, values: []string{"postgres", "postgres_verbose", "sql_standard", "iso_8601"}, description: "Sets the display format for interval values."},
	{name: "is_superuser", kind: settingBool, initial: "on", readOnly: true, report: true, description: "Shows whether the current user is a superuser."},
	{name: "jit", kind: settingBool, initial: "off", check: only("off"), description: "Allow JIT compilation."},
	{name: "lc_collate", initial: "C", readOnly: true, description: "Shows the collation order locale."},
	{name: "lc_ctype", initial: "C.UTF-8", readOnly: true, description: "Shows the character classification and case conversion locale."},
	{name: "lc_messages", initial: "C", check: only("C"), description: "Sets the language in which messages are displayed."},
	{name: "lc_monetary", initial: "C", check: only("C"), description: "Sets the locale for formatting monetary amounts."},
	{name: "lc_numeric", initial: "C", check: only("C"), description: "Sets the locale for formatting numbers."},
	{name: "lc_time", initial: "C", check: only("C"), description: "Sets the locale for formatting date and time values."},
	{name: "listen_addresses", readOnly: true, description: "The addresses the server listens on."},
	{name: "lock_timeout", kind: settingInt, initial: "0", unit: "ms", max: 2147483647, description: "Sets the maximum allowed duration of any wait for a lock."},
	{name: "max_connections", kind: settingInt, initial: "100", min: 1, max: 262143, readOnly: true, description: "Sets the maximum number of concurrent connections."},
	{name: "max_identifier_length", kind: settingInt, initial: "63", min: 63, max: 63, readOnly: true, description: "Shows the maximum identifier length."},
	{name: "max_index_keys", kind: settingInt, initial: "32", min: 32, max: 32, readOnly: true, description: "Shows the maximum number of index keys."},
	{name: "password_encryption", kind: settingEnum, initial: "scram-sha-256", values: []string{"scram-sha-256"}, description: "Chooses the algorithm for encrypting passwords."},
	{name: "port", kind: settingInt, initial: "5433", readOnly: true, min: 1, max: 65535, description: "The TCP port the server listens on."},
	{name: "quote_all_identifiers", kind: settingBool, initial: "off", check: only("off"), description: "When generating SQL fragments, quote all identifiers."},
	{name: "role", initial: "none", check: only("none"), description: "Sets the current role."},
	{name: "row_security", kind: settingBool, initial: "on", description: "Enable row security. There are no policies."},
	{name: "search_path", initial: `"$user", public`, check: checkSearchPath, description: "Sets the schema search order for names that are not schema-qualified."},
	{name: "server_encoding", initial: "UTF8", readOnly: true, report: true, description: "Shows the server (database) character set encoding."},
	{name: "server_version", initial: ServerVersion, readOnly: true, report: true, description: "Shows the server version."},
	{name: "server_version_num", kind: settingInt, initial: ServerVersionNumber, min: 150000, max: 159999, readOnly: true, description: "Shows the server version as an integer."},
	{name: "session_authorization", initial: "postgres", check: only("postgres"), report: true, description: "Sets the session user name."},
	{name: "standard_conforming_strings", kind: settingBool, initial: "on", report: true, check: only("on"), description: "Causes '...' strings to treat backslashes literally."},
	{name: "statement_timeout", kind: settingInt, initial: "0", unit: "ms", max: 2147483647, description: "Sets the maximum allowed duration of any statement."},
	{name: "synchronize_seqscans", kind: settingBool, initial: "on", description: "Enable synchronized sequential scans. Scans always start at the beginning."},
	{name: "synchronous_commit", kind: settingEnum, initial: "on", values: []string{"on", "remote_apply", "remote_write", "local"}, description: "Every commit is durable before it is acknowledged; off is not supported."},
	{name: "temp_buffers", kind: settingInt, initial: "8MB", unit: "kB", min: 100, max: 1 << 30, description: "Temporary tables are kept like others."},
	{name: "TimeZone", initial: "UTC", report: true, check: checkTimeZone, description: "Sets the time zone for displaying and interpreting time stamps."},
	{name: "transaction_deferrable", kind: settingBool, initial: "off", description: "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures."},
	{name: "transaction_isolation", kind: settingEnum, initial: "serializable", values: isolationLevels, description: "Sets the current transaction's isolation level."},
	{name: "transaction_read_only", kind: settingBool, initial: "off", description: "Sets the current transaction's read-only status."},
	{name: "vacuum_defer_cleanup_age", kind: settingInt, initial: "0", readOnly: true, description: "There is no vacuum."},
	{name: "work_mem", kind: settingInt, initial: "64MB", unit: "kB", min: 64, max: 2147483647, description: "Sets the maximum memory to be used for query workspaces."},
	{name: "xmloption", kind: settingEnum, initial: "content", values: []string{"content", "document"}, description: "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments."},
}

// ServerVersion is the PostgreSQL version that clients are told, ServerVersionNumber the same as a number.
const (
	ServerVersion       = "15.0 (Holdfast)"
	ServerVersionNumber = "150000"
)

var isolationLevels = []string{"serializable", "repeatable read", "read committed", "read uncommitted"}

var settingsByName = func() map[string]*setting {
	m := make(map[string]*setting, len(settingList))
	for _, s := range settingList {
		m[strings.ToLower(s.name)] = s
	}
	return m
}()

// normalize checks a value and brings it into the form that SHOW prints.
func (s *setting) normalize(value string) (string, error) {
	switch s.kind {
	case settingBool:
		b, ok := parseBool(value)
		if !ok {
			return "", errs.New(errs.InvalidParameterValue, `parameter "%s" requires a Boolean value`, s.name)
		}
		value = map[bool]string{true: "on", false: "off"}[b]
	case settingEnum:
		found := false
		for _, v := range s.values {
			if strings.EqualFold(v, value) {
				value, found = v, true
			}
		}
		if !found {
			return "", invalidValue(s.name, value).WithHint("Available values: %s.", strings.Join(s.values, ", "))
		}
	case settingInt:
		n, err := s.parseInt(value)
		if err != nil {
			return "", err
		}
		if n < s.min || n > s.max {
			unit := ""
			if s.unit != "" {
				unit = " " + s.unit
			}
			return "", errs.New(errs.InvalidParameterValue, `%d%s is outside the valid range for parameter "%s" (%d .. %d)`, n, unit, s.name, s.min, s.max)
		}
		value = formatUnit(n, s.unit)
	}
	if s.check != nil {
		return s.check(value)
	}
	return value, nil
}

// parseInt reads an integer with an optional unit and returns it in the setting's own unit.
func (s *setting) parseInt(value string) (int64, error) {
	text := strings.TrimSpace(value)
	digits := len(text)
	for digits > 0 && !(text[digits-1] >= '0' && text[digits-1] <= '9') && text[digits-1] != '.' {
		digits--
	}
	suffix := strings.TrimSpace(text[digits:])
	f, err := strconv.ParseFloat(text[:digits], 64)
	if err != nil {
		return 0, invalidValue(s.name, value)
	}
	if suffix != "" {
		factor, ok := unitFactors[s.unit][suffix]
		if !ok {
			e := invalidValue(s.name, value)
			switch s.unit {
			case "ms":
				e = e.WithHint(`Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".`)
			case "kB":
				e = e.WithHint(`Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".`)
			}
			return 0, e
		}
		f *= factor
	}
	if f > 1<<53 || f < -(1<<53) {
		return 0, invalidValue(s.name, value)
	}
	if f < 0 {
		return int64(f - 0.5), nil
	}
	return int64(f + 0.5), nil
}

var unitFactors = map[string]map[string]float64{
	"ms": {"us": 0.001, "ms": 1, "s": 1000, "min": 60000, "h": 3600000, "d": 86400000},
	"kB": {"B": 1.0 / 1024, "kB": 1, "MB": 1024, "GB": 1 << 20, "TB": 1 << 30},
}

// formatUnit prints n with the largest unit that divides it.
func formatUnit(n int64, unit string) string {
	if n == 0 || unit == "" {
		return strconv.FormatInt(n, 10)
	}
	best, bestFactor := unit, int64(1)
	for u, f := range unitFactors[unit] {
		if g := int64(f); f >= 1 && n%g == 0 && g > bestFactor {
			best, bestFactor = u, g
		}
	}
	return strconv.FormatInt(n/bestFactor, 10) + best
}

func invalidValue(name, value string) *errs.Error {
	return errs.New(errs.InvalidParameterValue, `invalid value for parameter "%s": "%s"`, name, value)
}

// only makes a check for settings with a single possible value.
func only(want string) func(string) (string, error) {
	return func(value string) (string, error) {
		if strings.EqualFold(value, want) {
			return want, nil
		}
		return "", errs.Unsupported("the value \"%s\" of this parameter", value).WithHint("Only \"%s\" is possible.", want)
	}
}

// encodingName matches the names of the encodings that PostgreSQL has besides UTF8.
var encodingName = regexp.MustCompile(`(?i)^'?(latin|win|iso|euc|sjis|shift|big5|gbk|gb18030|uhc|johab|koi8|mule|abc|alt|tcvn|vscii|sqlascii)`)

func checkEncoding(value string) (string, error) {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "", "'", "").Replace(value)) {
	case "utf8", "unicode":
		return "UTF8", nil
	case "sqlascii":
		return "SQL_ASCII", nil // bytes pass through unchanged, which is what UTF8 does too
	}
	if encodingName.MatchString(value) {
		return "", errs.Unsupported("client encoding \"%s\"", value).WithHint("Use UTF8.")
	}
	return "", errs.New(errs.InvalidParameterValue, `invalid value for parameter "client_encoding": "%s"`, value)
}

func checkTimeZone(value string) (string, error) {
	_, name, err := loadLocation(value)
	return name, err
}

// loadLocation finds a time zone by name, or as hours east of UTC.
func loadLocation(value string) (*time.Location, string, error) {
	v := strings.TrimSpace(value)
	switch strings.ToLower(v) {
	case "utc", "gmt", "z", "zulu", "default", "local":
		if strings.EqualFold(v, "gmt") {
			return time.FixedZone("GMT", 0), "GMT", nil
		}
		return time.UTC, "UTC", nil
	}
	if hours, err := strconv.ParseFloat(v, 64); err == nil {
		if hours < -15.99 || hours > 15.99 {
			return nil, "", invalidValue("TimeZone", value)
		}
		sec := int(hours * 3600)
		name := fmt.Sprintf("<%s>%s", offsetName(sec), offsetName(-sec))
		return time.FixedZone("", sec), name, nil
	}
	if strings.HasPrefix(v, "<") {
		// Our own form of a fixed offset, as SHOW prints it.
		if i := strings.IndexByte(v, '>'); i > 1 {
			var h, m int
			if n, _ := fmt.Sscanf(v[1:i], "%d:%d", &h, &m); n >= 1 {
				sec := h * 3600
				if h < 0 || v[1] == '-' {
					sec -= m * 60
				} else {
					sec += m * 60
				}
				return time.FixedZone("", sec), v, nil
			}
		}
	}
	loc, err := time.LoadLocation(v)
	if err != nil {
		// Zone names are found without regard to case.
		for _, try := range []string{titleZone(v), strings.ToUpper(v)} {
			if loc, err = time.LoadLocation(try); err == nil {
				break
			}
		}
	}
	if err != nil || loc == time.Local {
		return nil, "", invalidValue("TimeZone", value)
	}
	return loc, loc.String(), nil
}

func titleZone(v string) string {
	b := []byte(strings.ToLower(v))
	for i := range b {
		if (i == 0 || b[i-1] == '/' || b[i-1] == '_' || b[i-1] == '-') && b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

func offsetName(sec int) string {
	sign := '+'
	if sec < 0 {
		sign, sec = '-', -sec
	}
	if sec%3600 == 0 {
		return fmt.Sprintf("%c%02d", sign, sec/3600)
	}
	return fmt.Sprintf("%c%02d:%02d", sign, sec/3600, sec%3600/60)
}

func checkDateStyle(value string) (string, error) {
	style, order := "", ""
	for _, part := range strings.Split(value, ",") {
		switch p := strings.ToLower(strings.TrimSpace(part)); p {
		case "iso":
			style = "ISO"
		case "postgres", "sql", "german":
			style = map[string]string{"postgres": "Postgres", "sql": "SQL", "german": "German"}[p]
			return "", errs.Unsupported("DateStyle \"%s\"", style).WithHint("Use ISO.")
		case "mdy", "us", "noneuro", "noneuropean":
			order = "MDY"
		case "dmy", "euro", "european":
			order = "DMY"
		case "ymd":
			order = "YMD"
		case "default", "":
		default:
			return "", invalidValue("DateStyle", value).WithDetail("Unrecognized key word: \"%s\".", p)
		}
	}
	if style == "" {
		style = "ISO"
	}
	if order == "" {
		order = "MDY"
	}
	return style + ", " + order, nil
}

func checkSearchPath(value string) (string, error) {
	if _, err := splitIdentifiers(value); err != nil {
		return "", invalidValue("search_path", value).WithDetail("List syntax is invalid.")
	}
	return value, nil
}

// splitIdentifiers splits a comma-separated list of SQL identifiers.
func splitIdentifiers(list string) ([]string, error) {
	var out []string
	rest := strings.TrimSpace(list)
	if rest == "" {
		return nil, nil
	}
	for {
		var name string
		if strings.HasPrefix(rest, `"`) {
			i, b := 1, []byte{}
			for {
				if i >= len(rest) {
					return nil, errs.New(errs.InvalidParameterValue, "unterminated quoted identifier")
				}
				if rest[i] == '"' {
					if i+1 < len(rest) && rest[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b = append(b, rest[i])
				i++
			}
			name, rest = string(b), strings.TrimSpace(rest[i+1:])
		} else {
			i := strings.IndexByte(rest, ',')
			if i < 0 {
				i = len(rest)
			}
			name = strings.ToLower(strings.TrimSpace(rest[:i]))
			if name == "" || strings.ContainsAny(name, " \"\t\n") {
				return nil, errs.New(errs.InvalidParameterValue, "invalid identifier list")
			}
			rest = rest[i:]
		}
		out = append(out, name)
		if rest == "" {
			return out, nil
		}
		if rest[0] != ',' {
			return nil, errs.New(errs.InvalidParameterValue, "invalid identifier list")
		}
		rest = strings.TrimSpace(rest[1:])
	}
}

func parseBool(s string) (value, ok bool) {
	switch l := strings.ToLower(strings.TrimSpace(s)); {
	case l == "":
		return false, false
	case l == "1", l == "on", strings.HasPrefix("true", l), strings.HasPrefix("yes", l):
		return true, true
	case l == "0", l == "of", l == "off", strings.HasPrefix("false", l), strings.HasPrefix("no", l):
		return false, true
	}
	return false, false
}

// settings holds the values of one session. Changes of a transaction are undone when it is rolled back, and
// those made LOCAL when it ends; each savepoint is a depth of its own.
type settings struct {
	defaults    map[string]string // of the server and the connection's start
	values      map[string]string // present ones, where they differ from the defaults
	custom      map[string]bool
	undo        []settingChange
	env         types.Env // derived
	timeouts    struct{ statement, lock, deadlock, idle, idleInTransaction time.Duration }
	workMem     int64 // bytes
	readOnly    bool  // default_transaction_read_only
	path        []string
	application string            // application_name
	reported    map[string]string // what the client was told
	unreported  bool              // values may differ from reported
}

type settingChange struct {
	name  string
	old   string
	had   bool
	local bool
}

func newSettings(defaults map[string]string) *settings {
	s := &settings{defaults: defaults, values: map[string]string{}, custom: map[string]bool{}, reported: map[string]string{}}
	s.env.Location = time.UTC
	s.derive()
	return s
}

// get returns the present value of a parameter under its lower-case name.
func (s *settings) get(name string) (string, bool) {
	name = strings.ToLower(name)
	if v, ok := s.values[name]; ok {
		return v, true
	}
	if v, ok := s.defaults[name]; ok {
		return v, true
	}
	if d, ok := settingsByName[name]; ok {
		return d.initial, true
	}
	return "", false
}

// unknownSetting is the error for a parameter that does not exist.
func unknownSetting(name string) *errs.Error {
	return errs.New(errs.UndefinedObject, `unrecognized configuration parameter "%s"`, name)
}

// set changes a parameter; nil restores its default.
func (s *settings) set(name string, value *string, local bool) error {
	key := strings.ToLower(name)
	d, ok := settingsByName[key]
	if !ok {
		if !strings.Contains(key, ".") {
			return unknownSetting(name)
		}
		d = &setting{name: name}
	}
	if d.readOnly {
		return errs.New(errs.CantChangeRuntimeParam, `parameter "%s" cannot be changed`, d.name)
	}
	old, had := s.values[key]
	if value == nil {
		delete(s.values, key)
	} else {
		v, err := d.normalize(*value)
		if err != nil {
			return err
		}
		s.values[key] = v
	}
	s.undo = append(s.undo, settingChange{key, old, had, local})
	s.derive()
	return nil
}

// resetAll restores every default.
func (s *settings) resetAll() {
	for key := range s.values {
		if strings.HasPrefix(key, "transaction_") {
			continue
		}
		_ = s.set(key, nil, false)
	}
}

// mark is the present depth of the undo list, for a savepoint.
func (s *settings) mark() int { return len(s.undo) }

// rollbackTo undoes the changes since the mark.
func (s *settings) rollbackTo(mark int) {
	for i := len(s.undo) - 1; i >= mark; i-- {
		s.revert(s.undo[i])
	}
	s.undo = s.undo[:mark]
	s.derive()
}

// fail undoes the changes since the mark when the transaction fails, but for the transaction's own properties,
// which stay until it ends.
func (s *settings) fail(mark int) {
	var kept []settingChange
	for i := len(s.undo) - 1; i >= mark; i-- {
		if c := s.undo[i]; strings.HasPrefix(c.name, "transaction_") {
			kept = append(kept, c)
		} else {
			s.revert(c)
		}
	}
	slices.Reverse(kept)
	s.undo = append(s.undo[:mark], kept...)
	s.derive()
}

// end ends a transaction: a rollback undoes all changes, a commit the local ones.
func (s *settings) end(commit bool) {
	if len(s.undo) == 0 {
		return
	}
	if !commit {
		s.rollbackTo(0)
		return
	}
	// Of the changes to one parameter, those after the last global one are local: the value goes back to
	// what it was before the first of them.
	seen := map[string]bool{}
	for i := len(s.undo) - 1; i >= 0; i-- {
		c := s.undo[i]
		if seen[c.name] {
			continue
		}
		if c.local {
			s.revert(c)
		} else {
			seen[c.name] = true
		}
	}
	s.undo = s.undo[:0]
	s.derive()
}

func (s *settings) revert(c settingChange) {
	if c.had {
		s.values[c.name] = c.old
	} else {
		delete(s.values, c.name)
	}
}

// derive computes what the hot paths read instead of texts.
func (s *settings) derive() {
	text := func(name string) string { v, _ := s.get(name); return v }
	number := func(name string) int64 {
		n, _ := settingsByName[name].parseInt(text(name))
		return n
	}
	if loc, _, err := loadLocation(text("timezone")); err == nil {
		s.env.Location = loc
	}
	s.env.DateStyle, s.env.DateOrder = types.StyleISO, types.OrderMDY
	switch _, order, _ := strings.Cut(text("datestyle"), ", "); order {
	case "DMY":
		s.env.DateOrder = types.OrderDMY
	case "YMD":
		s.env.DateOrder = types.OrderYMD
	}
	switch text("intervalstyle") {
	case "postgres_verbose":
		s.env.IntervalStyle = types.IntervalPostgresVerbose
	case "sql_standard":
		s.env.IntervalStyle = types.IntervalSQLStandard
	case "iso_8601":
		s.env.IntervalStyle = types.IntervalISO8601
	default:
		s.env.IntervalStyle = types.IntervalPostgres
	}
	s.env.ByteaOutput = types.ByteaHex
	if text("bytea_output") == "escape" {
		s.env.ByteaOutput = types.ByteaEscape
	}
	s.env.ExtraFloatDigits = int(number("extra_float_digits"))
	s.timeouts.statement = time.Duration(number("statement_timeout")) * time.Millisecond
	s.timeouts.lock = time.Duration(number("lock_timeout")) * time.Millisecond
	s.timeouts.deadlock = time.Duration(number("deadlock_timeout")) * time.Millisecond
	s.timeouts.idle = time.Duration(number("idle_session_timeout")) * time.Millisecond
	s.timeouts.idleInTransaction = time.Duration(number("idle_in_transaction_session_timeout")) * time.Millisecond
	s.workMem = number("work_mem") * 1024
	s.readOnly = text("default_transaction_read_only") == "on"
	s.application = text("application_name")
	s.unreported = true
	s.path = nil
	s.env.Names = nil // looks names up along the path
	names, _ := splitIdentifiers(text("search_path"))
	for _, n := range names {
		if n == "$user" {
			n = "postgres"
		}
		if n != "" {
			s.path = append(s.path, n)
		}
	}
}

// changedReports returns the reported parameters whose values the client does not know yet.
func (s *settings) changedReports() [][2]string {
	if !s.unreported {
		return nil
	}
	s.unreported = false
	var out [][2]string
	for _, d := range settingList {
		if !d.report {
			continue
		}
		v, _ := s.get(d.name)
		if known, ok := s.reported[d.name]; !ok || known != v {
			s.reported[d.name] = v
			out = append(out, [2]string{d.name, v})
		}
	}
	return out
}

// all lists the parameters for SHOW ALL and pg_settings, sorted by name.
func (s *settings) all() []*setting {
	list := append([]*setting(nil), settingList...)
	sort.Slice(list, func(i, j int) bool { return strings.ToLower(list[i].name) < strings.ToLower(list[j].name) })
	return list
}
