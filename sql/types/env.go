package types

import "time"

// Env is the part of a session's settings that the text forms of values depend on.
type Env struct {
	Location         *time.Location
	DateStyle        string // as SHOW DateStyle prints it: "ISO, MDY"
	IntervalStyle    string // "postgres", "postgres_verbose", "sql_standard", "iso_8601"
	ExtraFloatDigits int    // 1 by default: shortest form that reads back equal
	ByteaOutput      string // "hex" or "escape"
	Now              int64  // the transaction's time, µs since 2000-01-01 UTC: for 'now', 'today'
}
