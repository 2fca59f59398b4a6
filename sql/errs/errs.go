// Package errs is the error type of the SQL layers: PostgreSQL's error and notice fields as a Go error.
package errs

import (
	"errors"
	"fmt"
	"syscall"
)

// Error is an error or notice as PostgreSQL reports it. The fields are those of an ErrorResponse.
type Error struct {
	Severity   string // "ERROR" if empty; "FATAL", "WARNING", "NOTICE", "INFO", "LOG", "DEBUG"
	Code       Code
	Message    string
	Detail     string
	Hint       string
	Position   int // in characters from 1 in the statement's text; 0 if unknown
	Where      string
	Schema     string
	Table      string
	Column     string
	DataType   string
	Constraint string
	cause      error
}

// New makes an error. The message is PostgreSQL's own where PostgreSQL has one.
func New(code Code, format string, args ...any) *Error {
	if len(args) == 0 {
		return &Error{Code: code, Message: format}
	}
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error with a cause that errors.Is and errors.As find.
func Wrap(cause error, code Code, format string, args ...any) *Error {
	e := New(code, format, args...)
	e.cause = cause
	return e
}

// Unsupported is the 0A000 error for a feature that is not there: what is a noun phrase.
func Unsupported(what string, args ...any) *Error {
	return New(FeatureNotSupported, "%s is not supported", fmt.Sprintf(what, args...))
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.cause }

// WithDetail and the like change e and return it, to be chained onto New.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// WithHint sets the hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// At sets the position, in characters from 1, unless one is set.
func (e *Error) At(position int) *Error {
	if e.Position == 0 {
		e.Position = position
	}
	return e
}

// Same reports whether two errors say the same, whatever caused them.
func (e *Error) Same(o *Error) bool {
	a, b := *e, *o
	a.cause, b.cause = nil, nil
	return a == b
}

// As finds the Error in err. Of others it makes an Error with their text: that the disk is full (53100), or an internal
// error (XX000).
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, syscall.ENOSPC) {
		return Wrap(err, DiskFull, "%s", err.Error()).WithHint("Free some space and try again.")
	}
	return Wrap(err, InternalError, "%s", err.Error())
}

// CodeOf is the SQLSTATE of err, InternalError if it has none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return As(err).Code
}
