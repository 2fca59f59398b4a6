package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// hashJoinOp runs HashJoin: it loads one side, the build, into a hash table and probes it with the other. When the build outgrows
// work_mem both sides go to files by the hash of their keys, and the pairs of files are joined one by one; the order of the probe is
// then lost. AntiNull, which must see all of the build at once, stays in memory.
type hashJoinOp struct {
	kind        algebra.JoinKind
	build       joinSide
	probe       joinSide
	buildLeft   bool
	nullsEqual  bool
	keepBuild   bool // build rows that never matched are wanted at the end
	buildOutput bool // only columns of the build are produced
	pairs       *pairs
	depends     *dependency // of the build

	// the table: rows with their keys, chains of rows by hash
	rows    *RowBuffer
	payload int   // columns of the build in rows: all or none
	keyAt   []int // columns of the keys in rows
	row     types.Batch
	hashes  []uint64
	heads   []int32 // row + 1
	next    []int32
	nulls   []int32 // AntiNull: rows with a NULL in the key
	matched []bool  // by row, if keepBuild or for semi joins
	mem     Memory

	state   joinState
	level   int
	spilled *partitions
	probes  *partitions
	pending []pendingPair // left is the probe, right the build
	cur     pendingPair
	from    source // of probe rows

	in      *types.Batch
	hash    []uint64
	at      int  // row of in
	begun   bool // chain of that row
	chain   int32
	walk    int // AntiNull: position in the list of rows to be looked at besides the chain, -1 before
	refs    []int32
	unmatch int // next build row to look at in the end
	out     *types.Batch
	disk    int64
	batches int
}

type joinState uint8

const (
	joinLoad joinState = iota
	joinProbe
	joinRest // build rows without a match
	joinNextPart
	joinDone
)

// joinSide is one input of a join by keys.
type joinSide struct {
	op     Operator
	types  []*types.Type
	keys   []*Expr
	vecs   []*types.Vec
	hasher scratch
	nulls  types.Bitmap
}

func (b *Builder) joinSide(n Node, keys []algebra.Scalar) (s joinSide, err error) {
	if s.op, err = b.Build(n); err != nil {
		return s, err
	}
	s.types = n.Properties().Types
	s.vecs = make([]*types.Vec, len(keys))
	s.keys, err = b.exprs(keys, LayoutOf(n))
	return s, err
}

// eval computes the keys of a batch, and the rows in which one is NULL.
func (s *joinSide) eval(ctx *Ctx, b *types.Batch) (err error) {
	s.nulls = s.nulls[:0]
	for i, x := range s.keys {
		if s.vecs[i], err = x.Eval(ctx, b); err != nil {
			return err
		}
		if v := s.vecs[i]; !v.Const {
			orNulls(&s.nulls, v.Nulls)
		} else if v.Nulls.Has(0) {
			for k := range b.N {
				i := position(b.Rows, k)
				for len(s.nulls) <= i>>6 {
					s.nulls = append(s.nulls, 0)
				}
				s.nulls[i>>6] |= 1 << (uint(i) & 63)
			}
		}
	}
	return nil
}

// Build implements Node.
func (n *HashJoin) Build(b *Builder) (Operator, error) {
	if len(n.LeftKeys) != len(n.RightKeys) || n.BuildLeft && n.Kind == algebra.AntiNullJoin || n.NullsEqual && n.Kind == algebra.AntiNullJoin {
		return nil, errs.New(errs.InternalError, "hash join of a kind that there is not")
	}
	left, err := b.joinSide(n.Left, n.LeftKeys)
	if err != nil {
		return nil, err
	}
	right, err := b.joinSide(n.Right, n.RightKeys)
	if err != nil {
		return nil, err
	}
	keep := n.KeepOrder && !n.BuildLeft && n.Kind != algebra.FullJoin
	both := LayoutOf(n.Left)
	if keep {
		left.op, left.types = newNumber(left.op), append(left.types[:len(left.types):len(left.types)], types.Int8)
		both.add([]algebra.ColID{hidden}, []*types.Type{types.Int8})
	}
	both.add(n.Right.Properties().Cols, right.types)
	o := &hashJoinOp{kind: n.Kind, build: right, probe: left, buildLeft: n.BuildLeft, nullsEqual: n.NullsEqual}
	buildNode, buildKeys := n.Right, n.RightKeys
	kind := [...]pairKind{
		algebra.InnerJoin: pairInner, algebra.LeftJoin: pairOuter, algebra.FullJoin: pairOuter,
		algebra.SemiJoin: pairSemi, algebra.AntiJoin: pairAnti, algebra.AntiNullJoin: pairAnti,
	}[n.Kind]
	o.keepBuild = n.Kind == algebra.FullJoin
	if n.BuildLeft {
		o.build, o.probe = left, right
		buildNode, buildKeys = n.Left, n.LeftKeys
		switch n.Kind {
		case algebra.LeftJoin:
			kind, o.keepBuild = pairInner, true
		case algebra.SemiJoin:
			kind, o.buildOutput = pairMark, true
		case algebra.AntiJoin:
			kind, o.buildOutput, o.keepBuild = pairMark, true, true
		}
	}
	o.depends = b.dependency(buildNode, buildKeys...)
	o.pairs = newPairs(kind, left.types, right.types, !n.BuildLeft)
	o.pairs.notFalse = n.Kind == algebra.AntiNullJoin
	if o.pairs.on, err = b.optional(n.On, both); err != nil {
		return nil, err
	}
	if n.On != nil || o.buildOutput || !kind.single() {
		o.payload = len(o.build.types)
	}
	stored := append([]*types.Type{}, o.build.types[:o.payload]...)
	l := LayoutOf(buildNode)
	for i, k := range buildKeys {
		if c, ok := k.(*algebra.Col); ok && o.payload > 0 {
			if p, ok := l.Position(c.ID); ok {
				o.keyAt = append(o.keyAt, p)
				continue
			}
		}
		o.keyAt = append(o.keyAt, len(stored))
		stored = append(stored, o.build.keys[i].typ)
	}
	o.rows = NewRowBuffer(stored)
	if o.out = newBatch(n.Props.Types); o.buildOutput {
		o.out = newBatch(o.build.types)
	}
	if keep {
		ts := left.types
		if !kind.single() {
			ts = append(ts, right.types...)
		}
		return newReorder(o, ts, len(left.types)-1), nil
	}
	return o, nil
}

func (o *hashJoinOp) outOfOrder() bool { return o.batches > 0 }

func (o *hashJoinOp) Open(ctx *Ctx) error {
	if o.state != joinLoad && o.batches == 0 && o.depends.fresh() {
		clear(o.matched)
		o.startProbe(o.probe.op.Next)
		return o.probe.op.Open(ctx)
	}
	if err := o.reset(); err != nil {
		return err
	}
	if err := o.build.op.Open(ctx); err != nil {
		return err
	}
	return o.probe.op.Open(ctx)
}

func (o *hashJoinOp) reset() (err error) {
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	keep(o.spilled.close())
	keep(o.probes.close())
	o.spilled, o.probes = nil, nil
	for _, p := range append(o.pending, o.cur) {
		keep(p.left.close())
		keep(p.right.close())
	}
	o.pending, o.cur = o.pending[:0], pendingPair{}
	o.state, o.level, o.disk, o.batches = joinLoad, 0, 0, 0
	o.empty()
	return err
}

// empty empties the table.
func (o *hashJoinOp) empty() {
	o.rows.Reset()
	o.hashes, o.nulls = o.hashes[:0], o.nulls[:0]
}

// load reads the build from the input and makes the table, or begins to spill.
func (o *hashJoinOp) load(ctx *Ctx) error {
	o.depends.mark()
	o.mem.Reset(ctx)
	for {
		b, err := o.build.op.Next(ctx, types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := ctx.Canceled(); err != nil {
			return err
		}
		if err := o.build.eval(ctx, b); err != nil {
			return err
		}
		hashes := o.build.hasher.hashRows(o.build.vecs, b.Rows)
		o.row = types.Batch{Rows: b.Rows, Cols: append(append(o.row.Cols[:0], b.Cols[:o.payload]...), make([]*types.Vec, len(o.rows.types)-o.payload)...)}
		for i, p := range o.keyAt {
			o.row.Cols[p] = o.build.vecs[i]
		}
		for k := range b.N {
			i := position(b.Rows, k)
			null := !o.nullsEqual && o.build.nulls.Has(i)
			if null && !o.keepBuild && o.kind != algebra.AntiNullJoin {
				continue
			}
			if err := o.hold(ctx, &o.row, i, hashes[k], null); err != nil {
				return err
			}
		}
		if err := o.checkMemory(ctx); err != nil {
			return err
		}
	}
	return o.build.op.Close()
}

// hold adds a build row to the table's rows, or to its file.
func (o *hashJoinOp) hold(ctx *Ctx, b *types.Batch, i int, hash uint64, null bool) error {
	if o.spilled != nil {
		return o.spilled.write(ctx, hash, b, i)
	}
	if null {
		o.nulls = append(o.nulls, int32(o.rows.Len()))
	}
	o.rows.AppendRow(b, i)
	o.hashes = append(o.hashes, hash)
	return nil
}

// checkMemory moves the table to files when it is too large.
func (o *hashJoinOp) checkMemory(ctx *Ctx) error {
	held := o.rows.Bytes() + int64(len(o.hashes))*20
	if o.mem.Grow(held-o.mem.Used()) || o.spilled != nil || o.level >= partitionMax || o.kind == algebra.AntiNullJoin {
		return nil
	}
	o.spilled = &partitions{level: o.level, layout: rowLayout(o.rows.types)}
	o.probes = &partitions{level: o.level, layout: rowLayout(o.probe.types)}
	o.batches += len(o.spilled.files)
	for n, h := range o.hashes {
		b, i := o.rows.Row(n)
		if err := o.spilled.write(ctx, h, b, i); err != nil {
			return err
		}
	}
	o.empty()
	o.mem.Release(o.mem.Used())
	return nil
}

// chainRows makes the chains. Rows of one chain are in their order.
func (o *hashJoinOp) chainRows() {
	size := 64
	for size < 2*len(o.hashes) {
		size *= 2
	}
	if cap(o.heads) < size {
		o.heads = make([]int32, size)
	}
	o.heads = o.heads[:size]
	clear(o.heads)
	if cap(o.next) < len(o.hashes) {
		o.next = make([]int32, len(o.hashes))
	}
	o.next = o.next[:len(o.hashes)]
	mask := uint64(size - 1)
	nulls := len(o.nulls)
	for n := len(o.hashes) - 1; n >= 0; n-- {
		if nulls > 0 && o.nulls[nulls-1] == int32(n) {
			nulls-- // matches nothing by equality
			continue
		}
		slot := o.hashes[n] & mask
		o.next[n] = o.heads[slot]
		o.heads[slot] = int32(n + 1)
	}
	o.matched = o.matched[:0]
	if o.keepBuild || o.buildOutput {
		if cap(o.matched) < len(o.hashes) {
			o.matched = make([]bool, len(o.hashes))
		}
		o.matched = o.matched[:len(o.hashes)]
		clear(o.matched)
	}
}

func (o *hashJoinOp) startProbe(from source) {
	o.from, o.in, o.state = from, nil, joinProbe
	o.pairs.restart()
}

func (o *hashJoinOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	max = min(max, types.BatchRows)
	for {
		switch o.state {
		case joinLoad:
			if err := o.load(ctx); err != nil {
				return nil, err
			}
			if o.spilled != nil {
				if err := o.partition(ctx, o.probe.op.Next); err != nil {
					return nil, err
				}
				o.state = joinNextPart
				continue
			}
			o.chainRows()
			o.startProbe(o.probe.op.Next)
			if o.rows.Len() == 0 && (o.pairs.kind == pairInner || o.pairs.kind == pairSemi || o.pairs.kind == pairMark) {
				o.state = joinDone
			}
		case joinProbe:
			b, err := o.probeNext(ctx, max)
			if b != nil || err != nil {
				return b, err
			}
			o.state, o.unmatch = joinRest, 0
		case joinRest:
			if o.keepBuild {
				if b := o.rest(max); b != nil {
					return b, nil
				}
			}
			o.state = joinNextPart
		case joinNextPart:
			if err := o.nextPart(ctx); err != nil {
				return nil, err
			}
		default:
			return nil, nil
		}
	}
}

// partition writes all probe rows to files.
func (o *hashJoinOp) partition(ctx *Ctx, in source) error {
	for {
		b, err := in(ctx, types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := ctx.Canceled(); err != nil {
			return err
		}
		if err := o.probe.eval(ctx, b); err != nil {
			return err
		}
		hashes := o.probe.hasher.hashRows(o.probe.vecs, b.Rows)
		for k := range b.N {
			i := position(b.Rows, k)
			if err := o.probes.write(ctx, hashes[k], b, i); err != nil {
				return err
			}
		}
	}
	o.disk += o.spilled.size() + o.probes.size()
	for i := range o.spilled.files {
		if o.spilled.files[i] != nil || o.probes.files[i] != nil {
			o.pending = append(o.pending, pendingPair{left: o.probes.files[i], right: o.spilled.files[i], level: o.level + 1})
			o.spilled.files[i], o.probes.files[i] = nil, nil
		}
	}
	o.spilled, o.probes = nil, nil
	return nil
}

// nextPart joins the next pair of files.
func (o *hashJoinOp) nextPart(ctx *Ctx) error {
	if err := o.cur.left.close(); err != nil {
		return err
	}
	if err := o.cur.right.close(); err != nil {
		return err
	}
	o.cur = pendingPair{}
	if len(o.pending) == 0 {
		o.state = joinDone
		return nil
	}
	o.cur = o.pending[len(o.pending)-1]
	o.pending = o.pending[:len(o.pending)-1]
	o.level = o.cur.level
	o.empty()
	o.mem.Reset(ctx)
	build, err := sourceOf(o.cur.right, o.rows.types)
	if err != nil {
		return err
	}
	probe, err := sourceOf(o.cur.left, o.probe.types)
	if err != nil {
		return err
	}
	keys := make([]*types.Vec, len(o.keyAt))
	for {
		b, err := build(ctx, types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		for i, p := range o.keyAt {
			keys[i] = b.Cols[p]
		}
		hashes := o.build.hasher.hashRows(keys, b.Rows)
		for k := range b.N {
			null := false
			for _, v := range keys {
				null = null || !o.nullsEqual && v.IsNull(k)
			}
			if err := o.hold(ctx, b, k, hashes[k], null); err != nil {
				return err
			}
		}
		if err := o.checkMemory(ctx); err != nil {
			return err
		}
	}
	if o.spilled != nil {
		return o.partition(ctx, probe)
	}
	o.chainRows()
	o.startProbe(probe)
	return nil
}

// probeNext returns the next rows that come of probing.
func (o *hashJoinOp) probeNext(ctx *Ctx, max int) (*types.Batch, error) {
	p := o.pairs
	for {
		if o.in == nil {
			b, err := o.from(ctx, p.ask(max))
			if b == nil || err != nil {
				return nil, err
			}
			if err := ctx.Canceled(); err != nil {
				return nil, err
			}
			if err := o.probe.eval(ctx, b); err != nil {
				return nil, err
			}
			o.hash = o.probe.hasher.hashRows(o.probe.vecs, b.Rows)
			o.in, o.at, o.begun = b, 0, false
			p.begin(b)
		}
		p.reset(max)
		o.refs = o.refs[:0]
		for o.at < o.in.N && p.len() < max {
			o.follow(max)
		}
		o.gatherBuild()
		b, err := p.finish(ctx)
		if err != nil {
			return nil, err
		}
		if len(o.matched) > 0 {
			b = o.mark(b)
		}
		if o.at == o.in.N {
			o.in = nil
		}
		if b != nil {
			return b, nil
		}
	}
}

// follow adds candidates of the present probe row until it has no more or there are max.
func (o *hashJoinOp) follow(max int) {
	p := o.pairs
	i := position(o.in.Rows, o.at)
	null := !o.nullsEqual && o.probe.nulls.Has(i)
	if !o.begun {
		o.begun, o.chain, o.walk = true, 0, 0
		if !null && len(o.heads) > 0 {
			o.chain = o.heads[o.hash[o.at]&uint64(len(o.heads)-1)]
		}
	}
	single := p.kind.single()
	for o.chain != 0 && !(single && p.matched[i]) {
		if p.len() == max {
			return
		}
		n := o.chain - 1
		o.chain = o.next[n]
		if o.hashes[n] == o.hash[o.at] && o.equal(n, i) {
			o.refs = append(o.refs, n)
			p.add(i)
			if single && p.on == nil { // it passes: no further row is needed
				o.chain = 0
				if p.kind == pairAnti {
					o.endRow()
					return
				}
			}
		}
	}
	if o.kind == algebra.AntiNullJoin && !o.unknown(i, null, max) {
		return
	}
	if p.kind.ends() && !p.matched[i] {
		if p.len() == max {
			return
		}
		o.refs = append(o.refs, -1)
		p.addNone(i)
	}
	o.endRow()
}

func (o *hashJoinOp) endRow() {
	o.at++
	o.begun = false
}

// unknown adds, for AntiNull, the build rows whose comparison with a probe row is unknown. It reports whether it has come
// to their end.
func (o *hashJoinOp) unknown(i int, null bool, max int) bool {
	p := o.pairs
	n := len(o.nulls)
	if null {
		n = o.rows.Len()
	}
	for ; o.walk < n && !p.matched[i]; o.walk++ {
		if p.len() == max {
			return false
		}
		row := int32(o.walk)
		if !null {
			row = o.nulls[o.walk]
		}
		b, j := o.rows.Row(int(row))
		differs := false
		for k, v := range o.probe.vecs {
			if w := b.Cols[o.keyAt[k]]; !v.IsNull(i) && !w.IsNull(j) && !types.EqualVec(v, i, w, j) {
				differs = true
				break
			}
		}
		if !differs {
			o.refs = append(o.refs, row)
			p.add(i)
			if p.on == nil {
				o.walk = n
				p.matched[i] = true
				return true
			}
		}
	}
	return true
}

func (o *hashJoinOp) equal(n int32, i int) bool {
	b, j := o.rows.Row(int(n))
	for k, v := range o.probe.vecs {
		if !types.EqualVec(v, i, b.Cols[o.keyAt[k]], j) {
			return false
		}
	}
	return true
}

// gatherBuild fills the build's columns of the candidates.
func (o *hashJoinOp) gatherBuild() {
	if o.payload == 0 || o.pairs.on == nil && o.pairs.kind == pairMark {
		return
	}
	cols := o.pairs.otherAt
	if o.pairs.nones == 0 {
		o.rows.gather(cols, 0, o.refs)
		return
	}
	for k := 0; k < len(o.refs); {
		from := k
		for k < len(o.refs) && o.refs[k] >= 0 {
			k++
		}
		o.rows.gather(cols, from, o.refs[from:k])
		for k < len(o.refs) && o.refs[k] < 0 {
			k++
		}
	}
}

// mark marks the build rows of candidates that have passed. A semi join that produces build rows hands on those marked for
// the first time.
func (o *hashJoinOp) mark(b *types.Batch) *types.Batch {
	fresh := o.refs[:0:0]
	for _, i := range o.pairs.passing {
		n := o.refs[i]
		if !o.matched[n] && o.kind == algebra.SemiJoin {
			fresh = append(fresh, n)
		}
		o.matched[n] = true
	}
	if len(fresh) == 0 {
		return b
	}
	return o.emitBuild(fresh)
}

func (o *hashJoinOp) emitBuild(rows []int32) *types.Batch {
	resetBatch(o.out, len(rows))
	cols := o.out.Cols
	if !o.buildOutput {
		cols = cols[len(o.probe.types):]
		others := o.out.Cols[:len(o.probe.types)]
		if o.buildLeft {
			cols, others = o.out.Cols[:len(o.build.types)], o.out.Cols[len(o.build.types):]
		}
		for _, v := range others {
			setNulls(v, o.out.Rows)
		}
	}
	o.rows.gather(cols, 0, rows)
	return o.out
}

// rest returns build rows that have not matched.
func (o *hashJoinOp) rest(max int) *types.Batch {
	o.refs = o.refs[:0]
	for ; o.unmatch < len(o.matched) && len(o.refs) < max; o.unmatch++ {
		if !o.matched[o.unmatch] {
			o.refs = append(o.refs, int32(o.unmatch))
		}
	}
	if len(o.refs) == 0 {
		return nil
	}
	return o.emitBuild(o.refs)
}

func (o *hashJoinOp) Close() error {
	err := o.reset()
	for _, op := range []Operator{o.build.op, o.probe.op} {
		if e := op.Close(); err == nil {
			err = e
		}
	}
	return err
}

func (o *hashJoinOp) measure(s *Stats) {
	o.pairs.measure(s)
	s.Memory, s.Disk, s.Batches = max(s.Memory, o.mem.Peak()), max(s.Disk, o.disk), max(s.Batches, o.batches)
}
