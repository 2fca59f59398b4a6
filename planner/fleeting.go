package planner

import (
	"maps"
	"math/rand/v2"

	"holdfast/sql/catalog"
	"holdfast/sql/errs"
)

// fleeting reports whether a statement ended with an error that says nothing of the database's state, only of the moment: it was
// canceled, or it did not get a lock that others had (55P03 of NOWAIT and lock_timeout). Such an error is true of every
// place in the serial order, and the statement has left no writes. So when the transaction is run again in silence the statement is passed
// over: to run it might take for ever, or succeed now. Rows that it sent before the error do tell of the state; see runSilently.
// A COPY that the client ended is canceled by its data, which is there again.
func (st *step) fleeting() bool {
	switch errs.CodeOf(st.failure) {
	case errs.LockNotAvailable:
		return true
	case errs.QueryCanceled:
		return st.data == nil || *st.data == nil
	}
	return false
}

// left is what a statement has done that no error takes back: what it has drawn from sequences, and from random().
type left struct {
	draws    int // transaction.draws.next
	random   rand.PCG
	sequence map[catalog.OID]int64
	lastSeq  catalog.OID
}

func (s *Session) leftBy() *left {
	l := &left{random: s.pcg, sequence: maps.Clone(s.sequence), lastSeq: s.lastSeq}
	if s.tx != nil {
		l.draws = s.tx.draws.next
	}
	return l
}

// leave brings the session to where the statement has left it.
func (s *Session) leave(l *left) {
	s.keepSequences()
	s.tx.draws.next = min(l.draws, len(s.tx.draws.list))
	s.pcg, s.sequence, s.lastSeq = l.random, maps.Clone(l.sequence), l.lastSeq
}
