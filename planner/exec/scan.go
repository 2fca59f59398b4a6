package exec

import (
	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// firstRead is how many rows a scan reads at first; every further batch is four times as large, up to types.BatchRows. So
// queries of few rows have small batches, and little memory is bound in plans that are kept.
const firstRead = 32

// pacer says how many rows to read next.
type pacer struct{ size int }

func (p *pacer) reset() { p.size = firstRead }

// next is the size of the next read, when at most max rows are wanted.
func (p *pacer) next(max int) int {
	n := min(p.size, max)
	p.size = min(p.size*4, types.BatchRows)
	return n
}

// filtered hands on what a filter leaves of the batches of a reader, at most max rows at a time. While nothing passes it
// reads more and more at once; what was read and not wanted yet is kept.
type filtered struct {
	filter  *Expr // nil: everything passes
	view    types.Batch
	rest    types.Rows // of the last batch read
	removed int64
}

func (f *filtered) reset() { f.rest = types.Rows{} }

// next calls read, which returns up to n rows, until some pass.
func (f *filtered) next(ctx *Ctx, max int, read func(ctx *Ctx, n int) (*types.Batch, error)) (*types.Batch, error) {
	if f.filter == nil {
		return read(ctx, max)
	}
	if f.rest.N == 0 {
		for n := max; ; n = min(2*n, types.BatchRows) {
			b, err := read(ctx, n)
			if b == nil || err != nil {
				return nil, err
			}
			rows, err := f.filter.Filter(ctx, b)
			if err != nil {
				return nil, err
			}
			f.removed += int64(b.N - rows.N)
			if rows.N > 0 {
				f.view.Cols = b.Cols
				f.rest = rows
				break
			}
			if err := ctx.Canceled(); err != nil {
				return nil, err
			}
		}
	}
	f.view.Rows, f.rest = splitRows(f.rest, max)
	return &f.view, nil
}

// splitRows cuts off the first n rows. Dense rows that must be cut become selected ones.
func splitRows(r types.Rows, n int) (first, rest types.Rows) {
	if r.N <= n {
		return r, types.Rows{}
	}
	if r.Sel == nil {
		r.Sel = make([]int32, r.N)
		for i := range r.Sel {
			r.Sel[i] = int32(i)
		}
	}
	return types.Rows{N: n, Sel: r.Sel[:n]}, types.Rows{N: r.N - n, Sel: r.Sel[n:]}
}

func (f *filtered) measure(s *Stats) { s.Removed = f.removed }

// tableReader reads rows of a table by their spans: the part that scans and lookup joins share.
type tableReader struct {
	codec   *rowio.TableCodec
	decoder *rowio.RowDecoder
	columns kv.ColumnSet
	// of an index
	index   *rowio.IndexCodec // nil: spans are of the table itself
	entries *rowio.EntryDecoder
	only    bool
	entry   kv.ColumnSet
	options kv.ScanOptions
	key     []byte

	unrecorded bool      // its reads leave no footprint: see lockRowsOp
	source     kv.Reader // then, for the reader it was made from
	recorded   kv.Reader
}

// from is what rows are read from.
func (r *tableReader) from(ctx *Ctx) kv.Reader {
	if !r.unrecorded {
		return ctx.Reader
	}
	if r.source == nil || r.recorded != ctx.Reader {
		r.recorded, r.source = ctx.Reader, ctx.Reader.Unrecorded()
	}
	return r.source
}

// newTableReader prepares reading the columns of an access into vecs. index may be nil.
func newTableReader(a *Access, codec *rowio.TableCodec, index *rowio.IndexCodec, only bool, vecs []*types.Vec) (r *tableReader, err error) {
	numbers := a.numbersOf()
	r = &tableReader{codec: codec, index: index, only: only, columns: a.footprint()}
	if only {
		r.entry = r.columns
		r.options.Columns = r.columns
		r.entries, err = index.NewEntryDecoder(numbers, vecs)
		return r, err
	}
	r.options.Columns = r.columns
	if index != nil {
		r.options.Columns = kv.Existence
	}
	r.entry = kv.Existence
	r.decoder, err = codec.NewRowDecoder(numbers, vecs)
	r.options.KeysOnly = index == nil && err == nil && !r.decoder.NeedsValue()
	return r, err
}

// take decodes what a scan or get found under key into row number row. For an index it looks up the table's row.
func (r *tableReader) take(ctx *Ctx, key, value []byte, row int) error {
	if r.index == nil {
		return r.decoder.Decode(r.codec.RowKey(key), value, row)
	}
	if r.only {
		return r.entries.Decode(key, value, row)
	}
	rowKey, _, err := r.index.RowKey(key, value)
	if err != nil {
		return err
	}
	if !r.decoder.NeedsValue() { // an entry is there if and only if its row is
		return r.decoder.Decode(rowKey, nil, row)
	}
	prefix := r.codec.Prefix()
	r.key = append(append(r.key[:0], prefix...), rowKey...)
	found, ok, err := r.from(ctx).Get(ctx, r.key, r.columns)
	if err != nil {
		return ctx.Error(err)
	}
	if !ok {
		return errs.New(errs.DataCorrupted, "index %q has an entry for a row that is not in table %q", r.index.Index.Name, r.codec.Table.Name)
	}
	return r.decoder.Decode(r.key[len(prefix):], found, row)
}

// get reads the single key of a point span into row number row.
func (r *tableReader) get(ctx *Ctx, key []byte, row int) (bool, error) {
	columns := r.columns
	if r.index != nil {
		columns = r.entry
	}
	value, ok, err := r.from(ctx).Get(ctx, key, columns)
	if err != nil {
		return false, ctx.Error(err)
	}
	if !ok {
		return false, nil
	}
	return true, r.take(ctx, key, value, row)
}

// scanOp runs TableScan and IndexScan.
type scanOp struct {
	filtered
	pacer
	reader  *tableReader
	bounds  *boundsEval
	reverse bool
	whole   bool

	batch  *types.Batch
	counts *TableCounts
	opened bool // spans are made
	spans  []span
	at     int // next span
	it     kv.Iterator
}

// Build implements Node.
func (n *TableScan) Build(b *Builder) (Operator, error) {
	codec := rowio.NewTableCodec(n.Table)
	bounds, err := b.tableBounds(n.Bounds, codec, nil)
	if err != nil {
		return nil, err
	}
	return b.scan(n, &n.Access, n.Props.Types, codec, nil, false, bounds, n.Bounds == nil, n.Reverse)
}

// Build implements Node.
func (n *IndexScan) Build(b *Builder) (Operator, error) {
	codec := rowio.NewTableCodec(n.Table)
	index := rowio.NewIndexCodec(n.Table, n.Index)
	bounds, err := b.indexBounds(n.Bounds, index, nil)
	if err != nil {
		return nil, err
	}
	return b.scan(n, &n.Access, n.Props.Types, codec, index, n.Only, bounds, n.Bounds == nil, n.Reverse)
}

func (b *Builder) scan(n Node, a *Access, ts []*types.Type, codec *rowio.TableCodec, index *rowio.IndexCodec, only bool, bounds *boundsEval, whole, reverse bool) (Operator, error) {
	o := &scanOp{bounds: bounds, reverse: reverse, whole: whole, batch: newBatch(ts)}
	var err error
	if o.reader, err = newTableReader(a, codec, index, only, o.batch.Cols); err != nil {
		return nil, err
	}
	o.reader.unrecorded = b.skipping[n]
	o.reader.options.Reverse = reverse
	o.reader.options.Bulk = whole
	o.filter, err = b.optional(a.Filter, NewLayout(scanColumns(a.Columns), ts))
	return o, err
}

func (o *scanOp) Open(ctx *Ctx) error {
	err := o.Close()
	o.filtered.reset()
	o.pacer.reset()
	o.opened, o.at = false, 0
	return err
}

func (o *scanOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	return o.filtered.next(ctx, max, o.read)
}

// read returns up to max rows, unfiltered.
func (o *scanOp) read(ctx *Ctx, max int) (*types.Batch, error) {
	if err := ctx.Canceled(); err != nil {
		return nil, err
	}
	first := !o.opened
	if first {
		if err := o.bounds.prepare(ctx, oneRow); err != nil {
			return nil, err
		}
		o.counts = ctx.countsOf(o.reader.codec.Table)
		o.opened = true
		o.spans = o.bounds.of(0)
	}
	n := o.pacer.next(max)
	resetBatch(o.batch, n)
	row := 0
	defer func() { o.counts.scanned(!o.whole || o.reader.index != nil, first, row) }()
	for row < n {
		if o.it == nil {
			if o.at == len(o.spans) {
				break
			}
			s := o.spans[o.at]
			if o.reverse {
				s = o.spans[len(o.spans)-1-o.at]
			}
			o.at++
			if s.point() {
				ok, err := o.reader.get(ctx, s.start, row)
				if err != nil {
					return nil, err
				}
				if ok {
					row++
				}
				continue
			}
			o.it = o.reader.from(ctx).Scan(ctx, kv.KeyRange{Start: s.start, End: s.end}, o.reader.options)
		}
		more, err := o.fill(ctx, &row, n)
		if err != nil {
			return nil, err
		}
		if !more {
			if err := o.Close(); err != nil {
				return nil, ctx.Error(err)
			}
		}
	}
	if row == 0 {
		return nil, nil
	}
	o.batch.Rows = types.Rows{N: row}
	return o.batch, nil
}

// fill reads rows row .. n-1 from the iterator and reports whether it has not come to its end.
func (o *scanOp) fill(ctx *Ctx, row *int, n int) (bool, error) {
	it, r := o.it, o.reader
	i := *row
	defer func() { *row = i }()
	if r.index == nil {
		for prefix := len(r.codec.Prefix()); i < n; i++ {
			if !it.Next() {
				return false, ctx.Error(it.Err())
			}
			if err := r.decoder.Decode(it.Key()[prefix:], it.Value(), i); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	for ; i < n; i++ {
		if !it.Next() {
			return false, ctx.Error(it.Err())
		}
		if err := r.take(ctx, it.Key(), it.Value(), i); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (o *scanOp) Close() error {
	if o.it == nil {
		return nil
	}
	err := o.it.Close()
	o.it = nil
	return err
}

// keyLookupOp runs KeyLookup: it evaluates the key, gets the row, and has done.
type keyLookupOp struct {
	reader *tableReader
	prefix []byte
	cols   []rowio.KeyColumn
	key    []*Expr
	filter *Expr
	batch  *types.Batch
	buf    []byte
	done   bool

	removed int64
}

// Build implements Node.
func (n *KeyLookup) Build(b *Builder) (Operator, error) {
	codec := rowio.NewTableCodec(n.Table)
	o := &keyLookupOp{prefix: codec.Prefix(), cols: codec.KeyColumns(), batch: newBatch(n.Props.Types)}
	var index *rowio.IndexCodec
	if n.Index != nil && !n.Index.Primary {
		index = rowio.NewIndexCodec(n.Table, n.Index)
		o.prefix, o.cols = index.Prefix(), index.KeyColumns()
	}
	if len(n.Key) == 0 || len(n.Key) != len(o.cols) || index != nil && !index.Index.Unique {
		return nil, errs.New(errs.InternalError, "key lookup in table %q without a full unique key", n.Table.Name)
	}
	var err error
	if o.reader, err = newTableReader(&n.Access, codec, index, false, o.batch.Cols); err != nil {
		return nil, err
	}
	o.reader.unrecorded = b.skipping[n]
	if o.key, err = b.exprs(n.Key, nil); err != nil {
		return nil, err
	}
	resetBatch(o.batch, 1)
	o.filter, err = b.optional(n.Filter, NewLayout(scanColumns(n.Columns), n.Props.Types))
	return o, err
}

func (o *keyLookupOp) Open(*Ctx) error {
	o.done = false
	return nil
}

func (o *keyLookupOp) Next(ctx *Ctx, _ int) (*types.Batch, error) {
	if o.done {
		return nil, nil
	}
	o.done = true
	o.buf = append(o.buf[:0], o.prefix...)
	for i, x := range o.key {
		v, err := x.Eval(ctx, oneRow)
		if err != nil {
			return nil, err
		}
		if v.IsNull(0) {
			return nil, nil
		}
		o.buf = types.AppendKeyVec(o.buf, v, 0, o.cols[i].Desc, o.cols[i].NullsFirst)
	}
	resetBatch(o.batch, 1)
	ok, err := o.reader.get(ctx, o.buf, 0)
	rows := 0
	if ok {
		rows = 1
	}
	ctx.countsOf(o.reader.codec.Table).scanned(true, true, rows)
	if !ok || err != nil {
		return nil, err
	}
	if o.filter != nil {
		rows, err := o.filter.Filter(ctx, o.batch)
		if err != nil {
			return nil, err
		}
		if rows.N == 0 {
			o.removed++
			return nil, nil
		}
	}
	return o.batch, nil
}

func (o *keyLookupOp) Close() error { return nil }

func (o *keyLookupOp) measure(s *Stats) { s.Removed = o.removed }
