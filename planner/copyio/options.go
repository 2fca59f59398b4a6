// Package copyio reads and writes the data formats of COPY: text, csv and binary, as PostgreSQL defines them.
package copyio

import (
	"strings"

	"holdfast/sql/errs"
)

// Format is a data format.
type Format uint8

const (
	Text Format = iota
	CSV
	Binary
)

// Options are the properties of one COPY. Fill them with Default before setting any, and Check afterwards.
type Options struct {
	Format                  Format
	Delimiter               byte
	Null                    string
	Header                  bool
	MatchNames              bool // HEADER MATCH
	Quote                   byte
	Escape                  byte
	ForceQuote              map[string]bool // by column name
	ForceAll                bool
	ForceNotNull, ForceNull map[string]bool
}

// Default returns the options of a format that are not said.
func Default(f Format) Options {
	switch f {
	case CSV:
		return Options{Format: CSV, Delimiter: ',', Quote: '"', Escape: '"'}
	case Binary:
		return Options{Format: Binary}
	}
	return Options{Format: Text, Delimiter: '\t', Null: `\N`}
}

// Check refuses options that contradict each other, in PostgreSQL's words.
func (o *Options) Check() error {
	if o.Format == Binary {
		return nil
	}
	if o.Delimiter == '\r' || o.Delimiter == '\n' {
		return errs.New(errs.InvalidParameterValue, "COPY delimiter cannot be newline or carriage return")
	}
	if strings.ContainsAny(o.Null, "\r\n") {
		return errs.New(errs.InvalidParameterValue, "COPY null representation cannot use newline or carriage return")
	}
	if o.Format == Text && strings.IndexByte(`\.abcdefghijklmnopqrstuvwxyz0123456789`, o.Delimiter) >= 0 {
		return errs.New(errs.InvalidParameterValue, `COPY delimiter cannot be "%c"`, o.Delimiter)
	}
	if o.Format == CSV {
		if o.Delimiter == o.Quote {
			return errs.New(errs.InvalidParameterValue, "COPY delimiter and quote must be different")
		}
		if o.Quote != 0 && strings.IndexByte(o.Null, o.Quote) >= 0 {
			return errs.New(errs.InvalidParameterValue, "CSV quote character must not appear in the NULL specification")
		}
	}
	if strings.IndexByte(o.Null, o.Delimiter) >= 0 {
		return errs.New(errs.InvalidParameterValue, "COPY delimiter must not appear in the NULL specification")
	}
	return nil
}
