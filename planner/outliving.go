package planner

import (
	"maps"
	"math/rand/v2"

	"holdfast/sql/catalog"
)

// outliving is what statements of a transaction have done to the session and no rollback takes back: prepared statements, the last
// values of sequences, random(), and cursors WITH HOLD of earlier transactions. A transaction that is run again takes it back to do
// it again (transaction.undoSession). If it comes to its end before it has, the session is to be as the client knows it.
type outliving struct {
	statements map[string]*prepared
	sequence   map[catalog.OID]int64
	lastSeq    catalog.OID
	random     rand.PCG
	positions  map[*portal]int64 // of cursors of earlier transactions that are open
}

// outlive returns what there is at present.
func (s *Session) outlive() *outliving {
	o := &outliving{statements: maps.Clone(s.statements), sequence: maps.Clone(s.sequence), lastSeq: s.lastSeq, random: s.pcg, positions: map[*portal]int64{}}
	for _, p := range s.portals {
		if p.outlives(s.tx) {
			o.positions[p] = p.cursor.position
		}
	}
	return o
}

// restore brings the session back to what there was. Cursors that have been closed are closed again.
func (s *Session) restore(o *outliving) {
	s.statements, s.sequence, s.lastSeq, s.pcg = o.statements, o.sequence, o.lastSeq, o.random
	for name, p := range s.portals {
		if position, open := o.positions[p]; open {
			p.cursor.position = position
		} else if p.outlives(s.tx) {
			s.closePortal(name)
		}
	}
}

// outlives reports whether a portal is a cursor WITH HOLD of a transaction before t.
func (p *portal) outlives(t *transaction) bool { return p.cursor != nil && p.cursor.hold && p.tx != t }
