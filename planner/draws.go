package planner

import "holdfast/sql/types"

// draws are the values a transaction has got from sources that no snapshot fixes, such as sequences, in the order
// of drawing. A transaction that is run again gets the same ones, so that INSERT .. RETURNING id has the same
// answer. When it asks for others, the rest of the list is given up: its values are lost, as those of a
// transaction that was rolled back.
//
// Of a transaction that draws more than maxDraws the later ones are not kept: it will mostly not have shown them.
type draws struct {
	list []draw
	next int // of those that were drawn by an earlier run
}

type draw struct {
	source drawSource
	value  [2]uint64
}

// drawSource is where a value comes from: a sequence, or drawUUID. setval() draws nothing, but is not to be done again
// either: others may have gone on from there.
type drawSource struct {
	sequence types.OID
	set      bool
	to       int64
	called   bool
}

// drawUUID is the source of gen_random_uuid(), with an OID that no sequence has.
var drawUUID drawSource

const maxDraws = 64 << 10

// take returns the next value of a source: the one an earlier run has got, or one that make makes.
func (d *draws) take(source drawSource, make func() ([2]uint64, error)) ([2]uint64, error) {
	if d.next < len(d.list) {
		if got := d.list[d.next]; got.source == source {
			d.next++
			return got.value, nil
		}
		d.list = d.list[:d.next]
	}
	v, err := make()
	if err == nil && len(d.list) < maxDraws {
		d.list = append(d.list, draw{source, v})
		d.next++
	}
	return v, err
}
