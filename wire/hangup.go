package wire

import (
	"time"

	"holdfast/sql/errs"
)

// hangupInterval is how often clients of running statements are looked at: whether they are still there.
const hangupInterval = 500 * time.Millisecond

// watchHangups ends the statements of clients that have gone away, until stop is closed. A connection's goroutine
// does not read while a statement runs, so that it would wait for a lock, in front of others, for nobody. One
// goroutine looks at all that have been busy since it last did: that costs a statement nothing, where watching
// each would cost a goroutine and a deadline for every one.
func (s *Server) watchHangups(stop <-chan struct{}) {
	ticker := time.NewTicker(hangupInterval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		var busy []*conn
		for c := range s.conns {
			if c.busySinceLast() {
				busy = append(busy, c)
			}
		}
		s.mu.Unlock()
		for _, c := range busy {
			if hungUp(c.conn) {
				c.session.Terminate(fatal(errs.New("08006", "connection to client lost")))
			}
		}
	}
}

// busySinceLast reports whether the connection has been working on one message since this was last asked.
func (c *conn) busySinceLast() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	same := c.checked == c.received
	c.checked = c.received
	return same && !c.waiting && c.session != nil
}
