package exec

import (
	"slices"

	"holdfast/kv"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// updateOp changes rows in three steps: it reads all of its source, locks the rows, and then writes, first
// what goes and then what comes (see rowWriter). A row that is newer than the snapshot stops it at the lock
// (kv.ErrStale): the statement then starts over, so old images are always the newest.
type updateOp struct {
	node     *Update
	source   Operator
	targets  []*updateTarget
	checks   []viewCheck
	returned *returning
	buffer   *RowBuffer
	changes  Changes
	verify   *viewVerifier
	rows     *viewRows
	// merges: several targets are of one table, a self join. What they change of one row is put together before it is looked at.
	merges bool
	kept   []types.Rows // by chunk, the rows of the view, if merges

	affected int64
	done     bool
}

type updateTarget struct {
	node     *UpdateTarget
	writer   *rowWriter
	key      int   // position of the row key in the source
	old      []int // positions of the old values by attribute number - 1, -1 for dropped columns
	set      []*Expr
	assigned []int16
	mode     kv.LockMode
	rows     *types.Batch // new images of the present chunk
	have     types.Rows   // those of its rows that are there

	changes []change
	seen    map[string]int // row key to index in changes

	first *updateTarget    // the first target of the same table, which collects the changes of all of them
	all   []int16          // columns that targets of the table assign
	by    []map[int16]bool // of each change: columns assigned, if there are several targets
	maker *rowMaker        // nil: no rows are made
}

// Build implements Node.
func (n *Update) Build(b *Builder) (Operator, error) {
	o := &updateOp{node: n}
	var err error
	if o.source, err = b.Build(n.Source); err != nil {
		return nil, err
	}
	in := LayoutOf(n.Source)
	var images []image
	for _, t := range n.Targets {
		u := &updateTarget{node: t, rows: newRows(t.Table)}
		if u.writer, err = b.rowWriter(t.Target); err != nil {
			return nil, err
		}
		if u.key, u.old, err = sourcePositions(in, t.Table, t.Key, t.Old); err != nil {
			return nil, err
		}
		for _, a := range t.Set {
			e, err := b.Expr(a.Value, in)
			if err != nil {
				return nil, err
			}
			u.set = append(u.set, e)
			u.assigned = append(u.assigned, a.Number)
		}
		u.mode = kv.LockNoKeyUpdate
		if u.writer.touchesKey(u.assigned) {
			u.mode = kv.LockUpdate
		}
		u.first, u.all = u, u.assigned
		for _, other := range o.targets {
			if other.writer.table.OID == t.Table.OID && other.first == other {
				u.first, o.merges = other, true
				other.all = append(slices.Clone(other.all), u.assigned...)
				other.mode = max(other.mode, u.mode)
			}
		}
		if u.maker, err = b.rowMaker(t, in); err != nil {
			return nil, err
		}
		o.targets = append(o.targets, u)
		images = append(images, image{t.Table, t.New})
	}
	out, positions := imageLayout(n.Source, images...)
	if o.checks, err = b.viewChecks(n.Checks, out); err != nil {
		return nil, err
	}
	if o.returned, err = b.returning(n.Returning, out, positions); err != nil {
		return nil, err
	}
	if o.verify, err = b.viewVerifier(n.Verify, in, out); err != nil {
		return nil, err
	}
	if o.rows, err = b.viewRows(n.Rows, in); err != nil {
		return nil, err
	}
	o.buffer = NewRowBuffer(n.Source.Properties().Types)
	return o, nil
}

// sourcePositions finds the row key and the old values of a table in the batches of a source.
func sourcePositions(l *Layout, t *catalog.Table, key algebra.ColID, old []algebra.ScanColumn) (int, []int, error) {
	at, ok := l.Position(key)
	if !ok {
		return 0, nil, errs.New(errs.InternalError, "the row key of %s is missing", t.Name)
	}
	positions := make([]int, len(t.Columns))
	for i := range positions {
		positions[i] = -1
	}
	for _, c := range old {
		if c.Number <= 0 {
			continue
		}
		p, ok := l.Position(c.ID)
		if !ok {
			return 0, nil, errs.New(errs.InternalError, "column %d of %s is missing", c.Number, t.Name)
		}
		positions[c.Number-1] = p
	}
	return at, positions, nil
}

func (o *updateOp) Open(ctx *Ctx) error {
	o.affected, o.done, o.kept = 0, false, nil
	if err := o.returned.reset(ctx); err != nil {
		return err
	}
	o.buffer.Reset()
	o.changes = nil
	for _, t := range o.targets {
		t.writer.open(ctx, o.node.Rules, o.verify != nil, &o.changes)
		t.changes, t.by = t.changes[:0], t.by[:0]
		clear(t.seen)
		t.maker.reset()
	}
	o.verify.reset()
	o.rows.reset()
	return o.source.Open(ctx)
}

// Affected is the number of rows updated; through a join view, of the view's rows.
func (o *updateOp) Affected() int64 { return o.affected }

func (o *updateOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	if !o.done {
		if err := o.run(ctx); err != nil {
			return nil, err
		}
		o.done = true
	}
	return o.returned.next(max)
}

func (o *updateOp) run(ctx *Ctx) error {
	if atMostOne(o.node.Source) {
		// The one row is worked on where it is.
		b, err := o.source.Next(ctx, 1)
		if err != nil {
			return err
		}
		if b != nil {
			if err := o.lock(ctx, b); err != nil {
				return o.foresee(ctx, b, err)
			}
			if err := o.compute(ctx, b); err != nil {
				return err
			}
		}
		return o.write(ctx)
	}
	if all, err := readWhole(ctx, o.source, o.buffer); err != nil {
		return err
	} else if !all {
		return o.runInPieces(ctx)
	}
	return o.runWhole(ctx)
}

// runWhole changes the rows of the buffer.
func (o *updateOp) runWhole(ctx *Ctx) error {
	for i := 0; i < o.buffer.Chunks(); i++ {
		if err := o.lock(ctx, o.buffer.Chunk(i)); err != nil {
			return err
		}
	}
	for i := 0; i < o.buffer.Chunks(); i++ {
		if err := ctx.Canceled(); err != nil {
			return err
		}
		if err := o.compute(ctx, o.buffer.Chunk(i)); err != nil {
			return err
		}
	}
	if o.merges {
		for i := 0; i < o.buffer.Chunks(); i++ {
			if err := o.merged(ctx, o.buffer.Chunk(i)); err != nil {
				return err
			}
		}
	}
	return o.write(ctx)
}

// readAll reads the rest of a source into a buffer.
func readAll(ctx *Ctx, source Operator, into *RowBuffer) error {
	for {
		b, err := source.Next(ctx, types.BatchRows)
		if err != nil || b == nil {
			return err
		}
		into.Append(b)
		if ctx.WorkMem > 0 && into.Bytes() > mostBytes(ctx) {
			return errTooMuch("The rows to be changed")
		}
	}
}

// atMostOne reports whether a plan gives no more than one row.
func atMostOne(n Node) bool {
	switch n := n.(type) {
	case *KeyLookup:
		return true
	case *Filter:
		return atMostOne(n.Input)
	case *Project:
		return atMostOne(n.Input)
	}
	return false
}

// lock locks the rows of all targets that a batch of the source shows.
func (o *updateOp) lock(ctx *Ctx, b *types.Batch) error {
	for _, t := range o.targets {
		if t.idle() {
			continue
		}
		if err := lockRows(ctx, t.writer, t.key, b, t.mode, whileUpdating); err != nil {
			return err
		}
	}
	return nil
}

func lockRows(ctx *Ctx, w *rowWriter, key int, b *types.Batch, mode kv.LockMode, while string) error {
	keys := make([][]byte, 0, b.N)
	for k := 0; k < b.N; k++ {
		if v := b.Cols[key]; !v.IsNull(position(b.Rows, k)) {
			keys = append(keys, w.key(v.S[position(b.Rows, k)]))
		}
	}
	return w.lock(ctx, keys, mode, while)
}

// compute makes the new images for a batch of the source.
func (o *updateOp) compute(ctx *Ctx, in *types.Batch) error {
	for _, t := range o.targets {
		if err := t.compute(ctx, in); err != nil {
			return err
		}
		if o.merges {
			continue
		}
		if err := t.check(ctx); err != nil {
			return err
		}
	}
	kept := types.Rows{Sel: make([]int32, 0, in.N)}
	for k := 0; k < in.N; k++ {
		i := position(in.Rows, k)
		first := false
		for _, t := range o.targets {
			if in.Cols[t.key].IsNull(i) {
				if err := o.make(ctx, t, i); err != nil {
					return err
				}
				continue
			}
			if t.idle() {
				continue
			}
			isNew, err := o.collect(t, in, i)
			if err != nil {
				return err
			}
			first = first || isNew
		}
		if o.node.View != nil {
			var err error
			if first, err = o.rows.isNew(ctx, in, i); err != nil {
				return err
			}
		}
		if first {
			kept.Sel = append(kept.Sel, int32(i))
		}
	}
	kept.N = len(kept.Sel)
	if kept.N == 0 && !o.merges {
		return nil
	}
	o.affected += int64(kept.N)
	if err := o.note(ctx, in, kept); err != nil {
		return err
	}
	if o.merges {
		o.kept = append(o.kept, kept)
		return nil
	}
	return o.show(ctx, in, kept)
}

// merged makes the new images for a batch once more, as they are with what all targets change.
func (o *updateOp) merged(ctx *Ctx, in *types.Batch) error {
	var kept types.Rows
	for _, t := range o.targets {
		if err := t.compute(ctx, in); err != nil {
			return err
		}
		for k := 0; k < in.N; k++ {
			i := position(in.Rows, k)
			if in.Cols[t.key].IsNull(i) {
				continue
			}
			if at, ok := t.first.seen[in.Cols[t.key].S[i]]; ok {
				for j, d := range t.first.changes[at].newRow {
					t.rows.Cols[j].Set(i, d)
				}
			}
		}
		if err := t.check(ctx); err != nil {
			return err
		}
	}
	o.kept, kept = o.kept[1:], o.kept[0]
	return o.show(ctx, in, kept)
}

// images are the new rows of all targets.
func (o *updateOp) images() [][]*types.Vec {
	images := make([][]*types.Vec, len(o.targets))
	for i, t := range o.targets {
		images[i] = t.rows.Cols
	}
	return images
}

// show tests the conditions of views on new rows and makes those of RETURNING.
func (o *updateOp) show(ctx *Ctx, in *types.Batch, kept types.Rows) error {
	images := o.images()
	if len(o.checks) > 0 {
		b := o.returned.image(in, kept, images...)
		err := testViewChecks(ctx, o.checks, b, func(i int) string {
			return rowText(ctx, o.targets[0].writer.table, batchRow(o.targets[0].rows, i))
		})
		if err != nil {
			return err
		}
	}
	return o.returned.add(ctx, in, kept, images...)
}

// note tells the verifier which rows are meant.
func (o *updateOp) note(ctx *Ctx, in *types.Batch, kept types.Rows) error {
	v := o.verify
	if v == nil {
		return nil
	}
	if err := v.evaluate(ctx, o.returned.image(in, kept, o.images()...)); err != nil {
		return err
	}
	for k := range kept.N {
		i := position(kept, k)
		var must []int
		shows := false
		for n, r := range v.node.Roles {
			if r.Target < 0 {
				continue
			}
			if o.targets[r.Target].maker.makes(i) && !o.targets[r.Target].maker.meets(i) {
				must = append(must, n)
			}
			shows = shows || o.targets[r.Target].maker.makes(i)
		}
		if err := v.note(ctx, in, v.vecs, i, must, shows); err != nil {
			return err
		}
	}
	return nil
}

// idle reports whether the target does not change rows that are there: its rows are only made where they are missing.
func (t *updateTarget) idle() bool { return len(t.set) == 0 && t.maker != nil }

// compute makes the new images of one target. Where an outer join has left out the row, and none is made, they are NULL.
func (t *updateTarget) compute(ctx *Ctx, in *types.Batch) error {
	resetRows(t.rows, t.writer.table, in.Rows)
	for j, p := range t.old {
		if p >= 0 {
			copyRows(t.rows.Cols[j], in.Cols[p], in.Rows)
		} else {
			setNulls(t.rows.Cols[j], in.Rows)
		}
	}
	for j, e := range t.set {
		v, err := e.Eval(ctx, in)
		if err != nil {
			return err
		}
		dst := t.rows.Cols[t.assigned[j]-1]
		dst.Nulls = dst.Nulls[:0]
		copyRows(dst, v, in.Rows)
	}
	t.have = in.Rows
	if t.maker == nil {
		return nil
	}
	return t.maker.compute(ctx, t, in)
}

// check tests the constraints of the rows at hand.
func (t *updateTarget) check(ctx *Ctx) error {
	t.rows.Rows = t.have
	return t.writer.checkRows(ctx, t.rows)
}

// collect notes the change of a target's row that row i of the source makes. It reports false if the row has
// a change already: of a table the first counts; through a view, a different one is an error.
func (o *updateOp) collect(t *updateTarget, in *types.Batch, i int) (bool, error) {
	key := in.Cols[t.key].S[i]
	f := t.first
	if f.seen == nil {
		f.seen = map[string]int{}
	}
	n := len(t.rows.Cols) - 1
	if at, ok := f.seen[key]; ok {
		if o.node.View == nil {
			return false, nil
		}
		c := &f.changes[at]
		for _, number := range t.assigned {
			typ, d := t.writer.table.Columns[number-1].Type, t.rows.Cols[number-1].Datum(i)
			if o.merges && !f.by[at][number] {
				c.newRow[number-1] = d
				f.by[at][number] = true
			} else if !sameShown(typ, c.newRow[number-1], d) {
				return false, o.differently(t)
			}
		}
		return false, nil
	}
	f.seen[key] = len(f.changes)
	values := make([]types.Datum, 2*n)
	c := change{oldRow: values[:n:n], newRow: values[n:], oldKey: key, newKey: key}
	for j := 0; j < n; j++ {
		if p := t.old[j]; p >= 0 {
			c.oldRow[j] = in.Cols[p].Datum(i)
		}
		c.newRow[j] = t.rows.Cols[j].Datum(i)
	}
	f.changes = append(f.changes, c)
	if o.merges {
		by := map[int16]bool{}
		for _, number := range t.assigned {
			by[number] = true
		}
		f.by = append(f.by, by)
	}
	return true, nil
}

// differently is the error for rows of a view that do not agree about a row of a table.
func (o *updateOp) differently(t *updateTarget) error {
	return errs.New(errs.CardinalityViolation, `rows of view "%s" would change one row of table "%s" differently`, o.node.View.Name, t.writer.table.Name).
		WithHint("Change the condition so that the rows of the view agree on the new values.")
}

// write makes the collected changes and checks the rules.
func (o *updateOp) write(ctx *Ctx) error {
	for _, t := range o.targets {
		if t.first == t {
			if err := t.write(ctx, o.verify); err != nil {
				return err
			}
		}
	}
	for _, t := range o.targets {
		if err := t.maker.write(ctx, t.first.writer); err != nil {
			return err
		}
	}
	for _, t := range o.targets {
		if err := t.writer.close(ctx); err != nil {
			return err
		}
	}
	return o.end(ctx)
}

// end checks the rules on what has been changed.
func (o *updateOp) end(ctx *Ctx) error {
	changes := o.changes
	o.changes = nil // the operator is used again; what was changed may be kept for long
	return endOfChange(ctx, o.node.Rules, o.node.Skips, changes, "UPDATE", 0, o.verify.atEnd(ctx, changes))
}

// live are those of the collected changes that change something, with their keys, of which unique ones are locked.
func (t *updateTarget) live(ctx *Ctx) ([]change, error) {
	w := t.writer
	keyAssigned := false
	for _, k := range w.codec.KeyColumns() {
		keyAssigned = keyAssigned || slices.Contains(t.all, k.Number)
	}
	var keys [][]byte
	live := t.changes[:0:len(t.changes)]
	for i := range t.changes {
		c := t.changes[i]
		if !w.changed(&c, t.all) {
			continue
		}
		if keyAssigned {
			c.newKey = string(w.codec.AppendRowKey(nil, c.newRow))
			c.moved = c.newKey != c.oldKey
		}
		if t.mode == kv.LockUpdate {
			var err error
			if keys, err = w.lockKeys(ctx, keys, c.newRow, c.newKey); err != nil {
				return nil, err
			}
		}
		live = append(live, c)
	}
	return live, w.lock(ctx, keys, kv.LockUpdate, whileInserting)
}

func (t *updateTarget) write(ctx *Ctx, verify *viewVerifier) error {
	w := t.writer
	live, err := t.live(ctx)
	if err != nil {
		return err
	}
	for i := range live {
		if err := w.clearOld(ctx, &live[i]); err != nil {
			return err
		}
	}
	for i := range live {
		if err := w.putNew(ctx, &live[i]); err != nil {
			return err
		}
		verify.noteMoved(w.table, &live[i])
	}
	return nil
}

func (o *updateOp) Close() error { return o.source.Close() }
