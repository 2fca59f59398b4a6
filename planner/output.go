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
// session run statements again after a conflict as if the first run had never been. What has been sent cannot
// be taken back: a statement whose answer has been sent is run again on a Silent output, to see by the digest
// whether it is answered in the same way.
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
	// Mark is the present end of the answers, and Sent the end of those that have been sent. Both count from
	// the connection's beginning, and only grow, but for Mark after Reset and Truncate.
	Mark() int64
	Sent() int64
	// BeginAnswer begins the answer of a statement, which ends with EndAnswer. That returns its digest, and
	// whether it begins with what had been sent of it before a Reset.
	BeginAnswer()
	EndAnswer() (digest Digest, same bool)
	// Reset takes back all answers since the mark. If some of them have been sent, the mark must be the beginning of
	// the present answer, which then has to begin with the same bytes again: they are not sent twice, and
	// EndAnswer tells whether they were the same. It reports false if that is not so, or the connection has failed.
	Reset(mark int64) bool
	// Truncate takes back those answers since the mark that have not been sent.
	Truncate(mark int64)
	// Silent is an Output beside this one that sends nothing and makes the same digests. Its CopyIn is ErrSilent.
	Silent() Output
	// Between is a copy of the answers between two marks, nil if some have been sent; Append sends it again.
	Between(from, to int64) []byte
	Append(p []byte) error
}

// Digest tells answers apart: the number of their bytes, of their rows (or pieces of COPY data), and a hash of the bytes.
type Digest struct {
	Bytes, Rows int64
	Hash        uint64
}
