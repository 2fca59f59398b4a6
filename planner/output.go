package planner

import (
	"context"
	"io"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// ResultColumn describes a column of a result, as RowDescription does.
type ResultColumn struct {
	Name   string
	Type   *types.Type
	Mod    int32
	Table  types.OID // 0 if it is not a plain column of a table
	Number int16
}

// Output takes the answers of statements. The wire layer implements it over its write buffer.
//
// Answers that rest on changes not yet committed are held back in the buffer. Mark, Reset, Between and Append let the
// session run a statement, or a whole implicit transaction, again after a conflict as if the first run had
// never been.
type Output interface {
	// RowDescription starts a result of the simple protocol. formats are as in Rows: text, but for a cursor
	// that was declared BINARY.
	RowDescription(cols []ResultColumn, formats []int16) error
	// Rows sends rows of the given columns; formats are the result formats of the portal: 0 text, 1 binary,
	// one for all or one each, none for text. The batch is not kept.
	Rows(cols []ResultColumn, formats []int16, b *types.Batch) error
	// CommandComplete ends a result with its tag, such as "INSERT 0 1".
	CommandComplete(tag string) error
	// PortalSuspended ends a partial result.
	PortalSuspended() error
	// EmptyQuery answers a statement without text.
	EmptyQuery() error
	// Notice sends a notice.
	Notice(n *errs.Error) error
	// ParameterStatus tells the client the new value of a setting.
	ParameterStatus(name, value string) error
	// CopyIn asks the client for data and returns it as a stream, which ends with io.EOF at CopyDone and
	// with an error at CopyFail. The caller reads it to its end, or gives up the statement.
	// Waiting for data ends with the context.
	CopyIn(ctx context.Context, binary bool, columns int) (io.Reader, error)
	// CopyInAgain answers what CopyIn did for a statement that is run again on the data it has read already.
	CopyInAgain(binary bool, columns int) error
	// CopyOut starts sending data; CopyData sends one piece, which should be whole rows; CopyDone ends.
	CopyOut(binary bool, columns int) error
	CopyData(p []byte) error
	CopyDone() error

	// Hold keeps further answers in the buffer, up to its bound, until Release.
	Hold()
	// Release ends Hold: everything may be sent.
	Release()
	// Mark is the present end of the answers.
	Mark() int64
	// Remember begins a part of the answers that Reset may go back to the beginning of even if some of it has been
	// sent: a digest of it is kept.
	Remember()
	// Reset takes back all answers since the mark. It reports false if some have been sent already, unless the
	// mark is where Remember was last called: the answers that follow must then begin with the same bytes,
	// which are not sent again.
	Reset(mark int64) bool
	// Truncate takes back those answers since the mark that have not been sent.
	Truncate(mark int64)
	// Repeated reports whether, since a Reset behind what had been sent, all of that has been answered again in
	// the same way. The transaction may be committed only then.
	Repeated() bool
	// Between is a copy of the answers between two marks, nil if some have been sent; Append sends it again.
	Between(from, to int64) []byte
	Append(p []byte) error
}
