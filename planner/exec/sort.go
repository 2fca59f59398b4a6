package exec

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"slices"

	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// Sorting goes by types.AppendKey: the sort columns of a row become one string of bytes whose order is the rows'. Comparing is
// then the same for all types and directions, most comparisons are decided by the first eight bytes, kept beside the
// row number, and runs in files merge without decoding anything.

// sorter sorts rows, stably, beyond work_mem with runs in temporary files. With a bound it keeps only the first
// rows.
type sorter struct {
	keys []sortColumn
	// keep is how many rows are wanted, noLimit for all; with ties also those that sort like the last of them.
	keep int64
	ties bool

	mem     Memory
	rows    *RowBuffer
	spare   *RowBuffer
	entries []sortEntry
	arena   []byte
	ends    []int  // ends of the keys of rows in arena
	limit   []byte // key of the last row that is kept, once there are keep rows; nil before

	layout  *types.Layout
	decoder *types.Decoder
	runs    []*rowFile
	disk    int64
	nruns   int

	// output
	out   *types.Batch
	order []int32
	at    int
	merge mergeHeap
}

type sortColumn struct {
	at               int
	desc, nullsFirst bool
}

// sortEntry is a row: the first bytes of its key, and its number.
type sortEntry struct {
	prefix uint64
	row    int32
}

func newSorter(ts []*types.Type, l *Layout, keys []algebra.SortKey) (*sorter, error) {
	s := &sorter{rows: NewRowBuffer(ts), out: newBatch(ts), keep: noLimit}
	for _, k := range keys {
		p, err := l.find(k.ID)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, sortColumn{at: p, desc: k.Desc, nullsFirst: k.NullsFirst})
	}
	return s, nil
}

// reset empties the sorter for an execution.
func (s *sorter) reset(ctx *Ctx) error {
	err := s.close()
	s.mem.Reset(ctx)
	return err
}

// clear drops the rows in memory.
func (s *sorter) clear() {
	s.rows.Reset()
	s.entries, s.arena, s.ends = s.entries[:0], s.arena[:0], s.ends[:0]
	s.mem.Release(s.mem.Used())
}

// key of row i.
func (s *sorter) key(i int32) []byte {
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	return s.arena[from:s.ends[i]]
}

func keyPrefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// add takes the rows of a batch.
func (s *sorter) add(ctx *Ctx, b *types.Batch) error {
	whole := s.limit == nil
	if whole {
		s.rows.Append(b)
	}
	for k := range b.N {
		i := position(b.Rows, k)
		from := len(s.arena)
		for _, c := range s.keys {
			s.arena = types.AppendKeyVec(s.arena, b.Cols[c.at], i, c.desc, c.nullsFirst)
		}
		key := s.arena[from:]
		if s.limit != nil {
			if c := bytes.Compare(key, s.limit); c > 0 || c == 0 && !s.ties {
				s.arena = s.arena[:from]
				continue
			}
		}
		s.entries = append(s.entries, sortEntry{prefix: keyPrefix(key), row: int32(len(s.ends))})
		s.ends = append(s.ends, len(s.arena))
		if !whole {
			s.rows.AppendRow(b, i)
		}
	}
	if s.keep < noLimit/2 && int64(len(s.entries)) > 2*s.keep+types.BatchRows {
		s.truncate()
	}
	if !s.mem.Grow(s.rows.Bytes() + int64(len(s.arena)+24*len(s.entries)) - s.mem.Used()) {
		if s.keep < noLimit/2 && int64(len(s.entries)) > s.keep {
			s.truncate()
		}
		if !s.mem.Grow(0) {
			return s.spill(ctx)
		}
	}
	return nil
}

func (s *sorter) sort() {
	slices.SortFunc(s.entries, func(a, b sortEntry) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		if c := bytes.Compare(s.key(a.row), s.key(b.row)); c != 0 {
			return c
		}
		return int(a.row - b.row)
	})
}

// truncate keeps the first rows and drops the others.
func (s *sorter) truncate() {
	s.sort()
	n := int(s.keep)
	if n > 0 && n < len(s.entries) {
		last := s.key(s.entries[n-1].row)
		s.limit = append(s.limit[:0], last...)
		for s.ties && n < len(s.entries) && bytes.Equal(s.key(s.entries[n].row), last) {
			n++
		}
	}
	n = min(n, len(s.entries))
	if s.spare == nil {
		s.spare = NewRowBuffer(s.rows.types)
	}
	var arena []byte
	ends := make([]int, 0, n)
	for i, e := range s.entries[:n] {
		s.spare.AppendRow(s.rows.Row(int(e.row)))
		arena = append(arena, s.key(e.row)...)
		ends = append(ends, len(arena))
		s.entries[i].row = int32(i)
	}
	s.entries, s.arena, s.ends = s.entries[:n], arena, ends
	s.rows, s.spare = s.spare, s.rows
	s.spare.Reset()
	s.mem.Release(s.mem.Used())
	s.mem.Grow(s.rows.Bytes() + int64(len(s.arena)+24*n))
}

// spill writes the rows in memory to a file, in order.
func (s *sorter) spill(ctx *Ctx) error {
	s.sort()
	if s.layout == nil {
		s.layout = rowLayout(s.rows.types)
		s.decoder = s.layout.NewDecoder(allColumns(len(s.out.Cols)), s.out.Cols)
	}
	f, err := newRowFile(ctx, s.layout)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	for _, e := range s.entries {
		b, i := s.rows.Row(int(e.row))
		if err := f.write(s.key(e.row), b, i); err != nil {
			return err
		}
	}
	s.disk += f.size
	s.nruns++
	s.clear()
	return ctx.Canceled()
}

// finish ends the input and prepares the output.
func (s *sorter) finish(ctx *Ctx) error {
	if len(s.runs) > 0 && len(s.entries) > 0 {
		if err := s.spill(ctx); err != nil {
			return err
		}
	}
	s.sort()
	return s.rewind()
}

// rewind starts the output from the beginning.
func (s *sorter) rewind() error {
	s.at = 0
	s.merge = s.merge[:0]
	for i, f := range s.runs {
		r, err := f.reader()
		if err != nil {
			return err
		}
		m := &mergeRun{rowFileReader: r, number: i}
		ok, err := r.next()
		if err != nil {
			return err
		}
		if ok {
			s.merge = append(s.merge, m)
		}
	}
	heap.Init(&s.merge)
	return nil
}

// next returns the next rows in order.
func (s *sorter) next(max int) (*types.Batch, error) {
	max = min(max, types.BatchRows)
	if len(s.runs) == 0 {
		n := min(max, len(s.entries)-s.at)
		if n == 0 {
			return nil, nil
		}
		s.order = s.order[:0]
		for _, e := range s.entries[s.at : s.at+n] {
			s.order = append(s.order, e.row)
		}
		s.at += n
		resetBatch(s.out, n)
		s.rows.gather(s.out.Cols, 0, s.order)
		return s.out, nil
	}
	resetBatch(s.out, max)
	n := 0
	for ; n < max && len(s.merge) > 0; n++ {
		run := s.merge[0]
		if err := s.decoder.DecodeInto(run.row, n); err != nil {
			return nil, err
		}
		ok, err := run.next()
		if err != nil {
			return nil, err
		}
		if ok {
			heap.Fix(&s.merge, 0)
		} else {
			heap.Pop(&s.merge)
		}
	}
	if n == 0 {
		return nil, nil
	}
	s.out.Rows = types.Rows{N: n}
	return s.out, nil
}

func (s *sorter) close() (err error) {
	for _, f := range s.runs {
		if e := f.close(); err == nil {
			err = e
		}
	}
	s.runs, s.merge, s.limit = nil, nil, nil
	s.clear()
	if cap(s.arena) > 1<<20 {
		s.arena, s.entries, s.ends = nil, nil, nil
	}
	s.disk, s.nruns = 0, 0
	return err
}

func (s *sorter) measure(st *Stats) {
	st.Memory, st.Disk, st.Batches = max(st.Memory, s.mem.Peak()), max(st.Disk, s.disk), max(st.Batches, s.nruns)
}

// mergeRun is one run being merged; its key and row are those of its next row.
type mergeRun struct {
	*rowFileReader
	number int
}

// mergeHeap orders runs by their next row; of equal rows the earlier run's comes first.
type mergeHeap []*mergeRun

func (h mergeHeap) Len() int { return len(h) }
func (h mergeHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}
func (h mergeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *mergeHeap) Push(x any) { *h = append(*h, x.(*mergeRun)) }

// Pop implements heap.Interface.
func (h *mergeHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// gather copies rows, in the order given, to the vectors from position at on.
func (r *RowBuffer) gather(cols []*types.Vec, at int, rows []int32) {
	for c, v := range cols {
		switch v.Type.Rep {
		case types.RepInt:
			for k, i := range rows {
				v.I[at+k] = r.chunks[i/types.BatchRows].Cols[c].I[i%types.BatchRows]
			}
		case types.RepFloat:
			for k, i := range rows {
				v.F[at+k] = r.chunks[i/types.BatchRows].Cols[c].F[i%types.BatchRows]
			}
		case types.RepString:
			for k, i := range rows {
				v.S[at+k] = r.chunks[i/types.BatchRows].Cols[c].S[i%types.BatchRows]
			}
		case types.RepDecimal:
			for k, i := range rows {
				v.D[at+k] = r.chunks[i/types.BatchRows].Cols[c].D[i%types.BatchRows]
			}
		default:
			for k, i := range rows {
				v.X[at+k] = r.chunks[i/types.BatchRows].Cols[c].X[i%types.BatchRows]
			}
		}
		if r.hasNulls(c) {
			for k, i := range rows {
				if r.chunks[i/types.BatchRows].Cols[c].Nulls.Has(int(i % types.BatchRows)) {
					v.SetNull(at + k)
				}
			}
		}
	}
}

// hasNulls reports whether column c may have NULLs.
func (r *RowBuffer) hasNulls(c int) bool {
	for _, b := range r.chunks[:r.Chunks()] {
		if len(b.Cols[c].Nulls) > 0 {
			return true
		}
	}
	return false
}

// sortOp runs Sort and TopK.
type sortOp struct {
	input Operator
	*sorter
	limits
	depends *dependency
	bounded bool
	skip    int64
	left    int64
	sorted  bool
	view    types.Batch
	tie     []byte // WITH TIES: the key of the last row within the count
	keyBuf  []byte
	ties    bool
}

// Build implements Node.
func (n *Sort) Build(b *Builder) (Operator, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	o := &sortOp{input: in, depends: b.dependency(n.Input)}
	o.sorter, err = newSorter(n.Input.Properties().Types, LayoutOf(n.Input), n.Keys)
	return o, err
}

// Build implements Node.
func (n *TopK) Build(b *Builder) (Operator, error) {
	op, err := (&Sort{Input: n.Input, Keys: n.Keys}).Build(b)
	if err != nil {
		return nil, err
	}
	o := op.(*sortOp)
	o.bounded, o.ties = true, n.WithTies
	o.limits, err = b.limits(n.Count, n.Offset)
	return o, err
}

func (o *sortOp) Open(ctx *Ctx) (err error) {
	skip, left := int64(0), noLimit
	if o.bounded {
		if skip, left, err = o.values(ctx); err != nil {
			return err
		}
	}
	keep := noLimit
	if left < noLimit-skip {
		keep = skip + left
	}
	o.skip, o.left, o.tie = skip, left, nil
	if o.sorted && o.depends.fresh() && o.sorter.keep == keep {
		return o.rewind()
	}
	o.sorted = false
	if err := o.sorter.reset(ctx); err != nil {
		return err
	}
	o.sorter.keep, o.sorter.ties = keep, o.ties
	if keep == 0 {
		return nil
	}
	return o.input.Open(ctx)
}

func (o *sortOp) load(ctx *Ctx) error {
	o.sorted = true
	o.depends.mark()
	for o.sorter.keep > 0 {
		b, err := o.input.Next(ctx, types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := o.sorter.add(ctx, b); err != nil {
			return err
		}
	}
	if err := o.input.Close(); err != nil {
		return err
	}
	return o.finish(ctx)
}

func (o *sortOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	if !o.sorted {
		if err := o.load(ctx); err != nil {
			o.sorted = false
			return nil, err
		}
	}
	for o.skip > 0 {
		b, err := o.sorter.next(int(min(o.skip, types.BatchRows)))
		if b == nil || err != nil {
			return nil, err
		}
		o.skip -= int64(b.N)
	}
	if o.left > 0 {
		b, err := o.sorter.next(int(min(o.left, int64(max))))
		if b == nil || err != nil {
			return nil, err
		}
		if o.left < noLimit {
			o.left -= int64(b.N)
		}
		if o.left == 0 && o.ties {
			o.tie = append(o.tie[:0], o.keyOf(b, b.N-1)...)
		}
		return b, nil
	}
	if o.tie == nil {
		return nil, nil
	}
	b, err := o.sorter.next(max)
	if b == nil || err != nil {
		return nil, err
	}
	n := 0
	for n < b.N && bytes.Equal(o.keyOf(b, n), o.tie) {
		n++
	}
	if n < b.N {
		o.tie = nil
	}
	if n == 0 {
		return nil, nil
	}
	o.view = types.Batch{Rows: types.Rows{N: n}, Cols: b.Cols}
	return &o.view, nil
}

// keyOf is the sort key of row i of an output batch.
func (o *sortOp) keyOf(b *types.Batch, i int) []byte {
	o.keyBuf = o.keyBuf[:0]
	for _, c := range o.sorter.keys {
		o.keyBuf = types.AppendKeyVec(o.keyBuf, b.Cols[c.at], i, c.desc, c.nullsFirst)
	}
	return o.keyBuf
}

func (o *sortOp) Close() error {
	o.sorted = false
	err := o.sorter.close()
	if e := o.input.Close(); err == nil {
		err = e
	}
	return err
}
