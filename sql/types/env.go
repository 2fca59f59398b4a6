package types

import "time"

// Env is what the text forms of values depend on: the session's settings and the transaction's time.
// It must not be changed while in use.
type Env struct {
	Location         *time.Location // TimeZone; never nil
	DateStyle        DateStyle
	DateOrder        DateOrder
	IntervalStyle    IntervalStyle
	ExtraFloatDigits int // default 1: shortest form that reads back the same
	ByteaOutput      ByteaOutput
	Now              int64     // µs since 2000-01-01 UTC: the start of the transaction, for 'now', 'today'
	Names            Directory // for the oid alias types; nil: numbers only
}

// Directory finds catalog objects for the oid alias types (regclass, regtype, ...).
type Directory interface {
	// LookupReg finds the object that the text names, as the input function of type t does, with its errors.
	LookupReg(t *Type, name string) (OID, error)
	// RegName is the output of type t for an object; false if there is no such object.
	RegName(t *Type, oid OID) (string, bool)
}

// DateStyle is the output part of the setting of that name.
type DateStyle uint8

const (
	StyleISO DateStyle = iota
	StyleSQL
	StylePostgres
	StyleGerman
)

// DateOrder is the input part of the setting DateStyle: how 1/2/3 is read.
type DateOrder uint8

const (
	OrderMDY DateOrder = iota
	OrderDMY
	OrderYMD
)

// IntervalStyle is the setting of that name.
type IntervalStyle uint8

const (
	IntervalPostgres IntervalStyle = iota
	IntervalPostgresVerbose
	IntervalSQLStandard
	IntervalISO8601
)

// ByteaOutput is the setting bytea_output.
type ByteaOutput uint8

const (
	ByteaHex ByteaOutput = iota
	ByteaEscape
)

// DefaultEnv has PostgreSQL's defaults, in UTC. Its Now is 2000-01-01: sessions make their own.
var DefaultEnv = &Env{Location: time.UTC, ExtraFloatDigits: 1}
