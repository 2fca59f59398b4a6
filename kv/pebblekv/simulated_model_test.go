package pebblekv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"holdfast/kv"
)

// simKeys are the keys of simulations, in order. Some are stored in another form than the clients know. The last are those of
// accumulators.
var simKeys = [...][]byte{{}, {0}, {0, 1}, {'a'}, {'b'}, {'b', 0}, {'c'}, {'d'}, {'x'}, {'y'}}

// simRows is how many of the keys are rows.
const simRows = len(simKeys) - 2

func simKeyNumber(key []byte) int {
	for i := range simKeys {
		if bytes.Equal(simKeys[i], key) {
			return i
		}
	}
	return -1
}

// simRow is the value of a key, or its absence. No two writes ever write the same number.
type simRow struct {
	present bool
	columns [simColumns]uint32
}

const simColumns = 3

func (r simRow) String() string {
	if !r.present {
		return "none"
	}
	return strings.Trim(fmt.Sprint(r.columns), "[]")
}

// encode returns the row as a value with some bytes more.
func (r simRow) encode(padding int) []byte {
	value := make([]byte, 0, 4*simColumns+padding)
	for _, n := range r.columns {
		value = binary.BigEndian.AppendUint32(value, n)
	}
	return value[:len(value)+padding]
}

func decodeSimRow(value []byte) simRow {
	r := simRow{present: true}
	for i := range r.columns {
		r.columns[i] = binary.BigEndian.Uint32(value[4*i:])
	}
	return r
}

// agrees reports whether the rows are equal in their existence and the given columns.
func (r simRow) agrees(other simRow, cols kv.ColumnSet) bool {
	if r.present != other.present {
		return false
	}
	for i := range r.columns {
		if cols.Meets(kv.Column(i+1)) && r.columns[i] != other.columns[i] {
			return false
		}
	}
	return true
}

// simWrites are the writes of a transaction at some moment.
type simWrites [len(simKeys)]simWrite

type simWrite struct {
	row     simRow
	columns kv.ColumnSet // 0 if the key has not been written
	delta   int32        // of an accumulator that has not been written
}

// plus is the row of an accumulator, whose number is that of its first column, under a delta.
func (r simRow) plus(delta int32) simRow {
	if r.columns[0] += uint32(delta); r.columns[0] == 0 {
		return simRow{}
	}
	r.present = true
	return r
}

func (r simRow) number() int32 { return int32(r.columns[0]) }

// simMerge is the kv.Merge of simulations.
func simMerge(old, delta []byte) ([]byte, error) {
	var row simRow
	if old != nil {
		row = decodeSimRow(old)
	}
	if row = row.plus(decodeSimRow(delta).number()); !row.present {
		return nil, nil
	}
	return row.encode(0), nil
}

func (w *simWrites) empty() bool { return *w == simWrites{} }

func (w *simWrites) put(key int, row simRow, cols kv.ColumnSet) {
	w[key] = simWrite{row: row, columns: cols | w[key].columns}
}

// accumulate adds to an accumulator.
func (w *simWrites) accumulate(key int, delta int32) {
	if w[key].columns != 0 {
		w.put(key, w[key].row.plus(delta), kv.AllColumns)
	} else {
		w[key].delta += delta
	}
}

// sum is the row of an accumulator under the writes and deltas.
func (w *simWrites) sum(key int, stored simRow) simRow {
	if row := w.over(key, stored); w[key].delta == 0 {
		return row
	}
	return stored.plus(w[key].delta)
}

// over is the row of a key under the writes.
func (w *simWrites) over(key int, stored simRow) simRow {
	if w[key].columns != 0 {
		return w[key].row
	}
	return stored
}

// simRead is one key read from the store by a transaction.
type simRead struct {
	key     int
	columns kv.ColumnSet
	row     simRow
}

// simScan is a scan by a transaction, and how far it has got.
type simScan struct {
	from, to int // keys; to is not part of it
	reverse  bool
	columns  kv.ColumnSet
	own      simWrites // that it sees
	got      []simRead
	ended    bool
	marked   bool
}

// next is what comes after the last one got, in the state that row tells; false at the end.
func (s *simScan) next(row func(key int) simRow) (int, simRow, bool) {
	if s.reverse {
		at := s.to - 1
		if n := len(s.got); n > 0 {
			at = s.got[n-1].key - 1
		}
		for ; at >= s.from; at-- {
			if r := s.own.over(at, row(at)); r.present {
				return at, r, true
			}
		}
		return 0, simRow{}, false
	}
	at := s.from
	if n := len(s.got); n > 0 {
		at = s.got[n-1].key + 1
	}
	for ; at < s.to; at++ {
		if r := s.own.over(at, row(at)); r.present {
			return at, r, true
		}
	}
	return 0, simRow{}, false
}

// passed is the keys it has passed over.
func (s *simScan) passed() (from, to int) {
	switch {
	case s.ended:
		return s.from, s.to
	case len(s.got) == 0:
		return 0, 0
	case s.reverse:
		return s.got[len(s.got)-1].key, s.to
	}
	return s.from, s.got[len(s.got)-1].key + 1
}

// simModel is what the simulation knows to be true: all versions of all keys, as the transactions that were sequenced
// have written them.
type simModel struct {
	cells   [len(simKeys)][]simCell
	version kv.Version
}

type simCell struct {
	version kv.Version
	columns kv.ColumnSet
	row     simRow
}

// at is the row of a key at a version.
func (m *simModel) at(key int, v kv.Version) simRow {
	for i := len(m.cells[key]) - 1; i >= 0; i-- {
		if c := &m.cells[key][i]; c.version <= v {
			return c.row
		}
	}
	return simRow{}
}

// written is the version of the last write of some columns of a key, 0 if it is not later than since. Of all columns,
// every write is one.
func (m *simModel) written(key int, cols kv.ColumnSet, since kv.Version) kv.Version {
	for i := len(m.cells[key]) - 1; i >= 0; i-- {
		c := &m.cells[key][i]
		if c.version <= since {
			break
		}
		if cols == kv.AllColumns || c.columns.Meets(cols) {
			return c.version
		}
	}
	return 0
}

// add commits the writes of a transaction as the next version.
func (m *simModel) add(w *simWrites) error {
	m.version++
	for key := range w {
		if w[key].delta != 0 {
			row := m.at(key, m.version-1).plus(w[key].delta)
			m.cells[key] = append(m.cells[key], simCell{version: m.version, columns: kv.AllColumns, row: row})
		}
		if w[key].columns == 0 {
			continue
		}
		cell := simCell{version: m.version, columns: w[key].columns, row: w[key].row}
		if cell.columns != kv.AllColumns {
			old := m.at(key, m.version-1)
			if !old.present {
				return fmt.Errorf("columns of key %d are changed, which does not exist", key)
			}
			for i := range old.columns {
				if cell.columns.Meets(kv.Column(i + 1)) {
					old.columns[i] = cell.row.columns[i]
				}
			}
			cell.row = old
		}
		m.cells[key] = append(m.cells[key], cell)
	}
	return nil
}

// forget takes back all after a version, which a crash has lost.
func (m *simModel) forget(after kv.Version) {
	for key := range m.cells {
		n := len(m.cells[key])
		for n > 0 && m.cells[key][n-1].version > after {
			n--
		}
		m.cells[key] = m.cells[key][:n]
	}
	m.version = after
}

// compare compares a stored state with the model's.
func (m *simModel) compare(state *simState) error {
	i := 0
	for _, p := range state.pairs {
		if bytes.Equal(p.key, versionKey) {
			continue
		}
		key := simKeyNumber(decodeKey(p.key))
		for ; i < key; i++ {
			if row := m.at(i, state.version); row.present {
				return fmt.Errorf("version %d has no key %d, which was %v", state.version, i, row)
			}
		}
		if got, want := decodeSimRow(p.value), m.at(key, state.version); got != want {
			return fmt.Errorf("version %d has %v in key %d, which was %v", state.version, got, key, want)
		}
		i++
	}
	for ; i < len(simKeys); i++ {
		if row := m.at(i, state.version); row.present {
			return fmt.Errorf("version %d has no key %d, which was %v", state.version, i, row)
		}
	}
	return nil
}

// footprint is what a transaction has read.
type simFootprint struct {
	reads []simRead
	scans []*simScan
}

// check compares the reads with the state of a version.
func (f *simFootprint) check(m *simModel, v kv.Version) error {
	for _, r := range f.reads {
		if row := m.at(r.key, v); !row.agrees(r.row, r.columns) {
			return fmt.Errorf("read %v in key %d (columns %x), which is %v at version %d", r.row, r.key, r.columns, row, v)
		}
	}
	for _, s := range f.scans {
		again := simScan{from: s.from, to: s.to, reverse: s.reverse, own: s.own}
		for i := 0; i <= len(s.got); i++ {
			if i == len(s.got) && !s.ended {
				break
			}
			key, row, any := again.next(func(key int) simRow { return m.at(key, v) })
			switch {
			case i == len(s.got) && any:
				return fmt.Errorf("scan of keys %d to %d ended before key %d, which is %v at version %d", s.from, s.to, key, row, v)
			case i == len(s.got):
			case !any:
				return fmt.Errorf("scan of keys %d to %d found key %d, which is none at version %d", s.from, s.to, s.got[i].key, v)
			case key != s.got[i].key || s.own[key].columns == 0 && !row.agrees(s.got[i].row, s.columns):
				return fmt.Errorf("scan of keys %d to %d found %v in key %d, but at version %d there is %v in key %d",
					s.from, s.to, s.got[i].row, s.got[i].key, v, row, key)
			}
			if i < len(s.got) {
				again.got = append(again.got, s.got[i])
			}
		}
	}
	return nil
}

// changed reports whether some of what was read was written after a version.
func (f *simFootprint) changed(m *simModel, since kv.Version) bool {
	for _, r := range f.reads {
		if m.written(r.key, r.columns|kv.Existence, since) != 0 {
			return true
		}
	}
	for _, s := range f.scans {
		from, to := s.passed()
		for key := from; key < to; key++ {
			if m.written(key, s.columns|kv.Existence, since) != 0 {
				return true
			}
		}
	}
	return false
}
