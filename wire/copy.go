package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"holdfast/sql/errs"
)

// copyReader is the stream of the client's CopyData messages.
type copyReader struct {
	c    *conn
	ctx  context.Context
	rest []byte
	err  error
}

// copyIn asks the client for copy data.
func (c *conn) copyIn(ctx context.Context, binary bool, columns int) (io.Reader, error) {
	if err := c.out.copyResponse('G', binary, columns); err != nil {
		return nil, err
	}
	if err := c.out.flush(); err != nil {
		return nil, err
	}
	return &copyReader{c: c, ctx: ctx}, nil
}

// receive waits for the next message, or the end of the context.
func (r *copyReader) receive() (pgproto3.FrontendMessage, error) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(r.ctx, func() {
		r.c.mu.Lock()
		_ = r.c.conn.SetReadDeadline(time.Unix(1, 0))
		r.c.mu.Unlock()
		close(interrupted)
	})
	message, err := r.c.backend.Receive()
	if err == nil {
		r.c.ahead.taken()
	}
	if !stop() {
		<-interrupted
		r.c.mu.Lock()
		if !r.c.aborted {
			_ = r.c.conn.SetReadDeadline(time.Time{})
		}
		r.c.mu.Unlock()
	}
	return message, err
}

func (r *copyReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		message, err := r.receive()
		if err != nil && r.ctx.Err() != nil {
			r.err = r.ctx.Err() // which the session has its own words for
			continue
		}
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() && r.c.stopping.Load() {
			r.err = shuttingDown() // the context is about to end
			continue
		}
		if err != nil {
			r.err = r.c.protocolError(err)
			if r.err == io.EOF { // the client is gone, which is not the end of its data
				r.err = fatal(errs.New(errs.ConnectionFailure, "unexpected EOF on client connection with an open transaction"))
			}
			continue
		}
		switch m := message.(type) {
		case *pgproto3.CopyData:
			r.rest = m.Data
		case *pgproto3.CopyDone:
			r.err = io.EOF
		case *pgproto3.CopyFail:
			r.err = errs.New(errs.QueryCanceled, "COPY from stdin failed: %s", m.Message)
		case *pgproto3.Flush, *pgproto3.Sync:
			// A client may send these without waiting for the copy to begin.
		default:
			r.err = fatal(errs.New(errs.ProtocolViolation, "unexpected message type during COPY from stdin"))
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
