package exec

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// lockedRows is how many rows of one INSERT are locked as they are written. Locks only make others wait for
// a key instead of failing on it, so a bulk load does without: its keys are validated at commit like all.
const lockedRows = 4096

// rowWriter writes the rows of one table: the one path on which anything changes rows and index entries.
// It is part of an operator and used again by later executions.
//
// A write of several rows goes in steps, so that uniqueness is judged on the outcome of the whole statement
// and not on the order of its rows: first remove, of all rows, what must go; then put, and check each key that
// is put against what is there.
type rowWriter struct {
	target  *Target
	table   *catalog.Table
	codec   *rowio.TableCodec
	indexes []*rowio.IndexCodec
	checks  []*Expr // parallel to target.Checks
	exprs   [][]*Expr
	preds   []*Expr
	simple  bool // no index has expressions or a predicate

	one    *types.Batch // a single row, for index expressions
	values []types.Datum
	oldKey []byte
	newKey []byte
	oldVal []byte
	newVal []byte
	kept   slab     // keys and values that were given to the transaction
	sorted [][]byte // memory of allAbsent

	accumulators []*accumulating

	changes *Transition // nil: there are no rules
	needed  []bool      // what changes keep: see neededColumns
	counts  RowCounts   // of this execution
}

// tableLayout is the layout of batches of whole rows: column n at position n-1, under ColID n.
func tableLayout(t *catalog.Table) *Layout {
	ids := make([]algebra.ColID, len(t.Columns))
	ts := make([]*types.Type, len(t.Columns))
	for i, c := range t.Columns {
		ids[i], ts[i] = algebra.ColID(i+1), c.Type
	}
	return NewLayout(ids, ts)
}

func (b *Builder) rowWriter(t *Target) (*rowWriter, error) {
	w := &rowWriter{target: t, table: t.Table, codec: t.Codec, indexes: t.Codec.Indexes(), simple: true}
	l := tableLayout(t.Table)
	for _, c := range t.Checks {
		e, err := b.Expr(c.Cond, l)
		if err != nil {
			return nil, err
		}
		w.checks = append(w.checks, e)
	}
	for _, a := range t.Accumulators {
		x, err := b.accumulating(a)
		if err != nil {
			return nil, err
		}
		w.accumulators = append(w.accumulators, x)
	}
	w.exprs = make([][]*Expr, len(w.indexes))
	w.preds = make([]*Expr, len(w.indexes))
	for i := range w.indexes {
		if i >= len(t.Indexes) {
			break
		}
		var err error
		if w.exprs[i], err = b.exprs(t.Indexes[i].Keys, l); err != nil {
			return nil, err
		}
		if w.preds[i], err = b.optional(t.Indexes[i].Predicate, l); err != nil {
			return nil, err
		}
		if len(w.exprs[i]) > 0 || w.preds[i] != nil {
			w.simple = false
		}
	}
	return w, nil
}

// open begins an execution. Where there are rules, or the statement itself looks at it (whole), what is changed becomes part of changes.
func (w *rowWriter) open(ctx *Ctx, rules []*Rule, whole bool, changes *Changes) {
	w.counts, w.changes, w.kept = RowCounts{}, nil, slab{} // close is not called after an error
	for _, a := range w.accumulators {
		a.empty()
	}
	if len(rules) > 0 || whole {
		w.changes = changes.add(w.table, w.target.Keep)
		if w.target.Keep && !whole {
			if w.needed == nil {
				w.needed = neededColumns(ctx, rules, w.table)
			}
			w.changes.need = w.needed
		}
	}
}

// close ends the execution: the row counts go to whoever keeps them, and what was accumulated to the transaction.
func (w *rowWriter) close(ctx *Ctx) error {
	w.changes, w.kept = nil, slab{}
	if ctx.Changed != nil && w.counts != (RowCounts{}) {
		ctx.Changed(w.table.OID, w.counts)
	}
	for _, a := range w.accumulators {
		if err := a.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checkRows tests NOT NULL and CHECK on a batch of whole new rows.
func (w *rowWriter) checkRows(ctx *Ctx, b *types.Batch) error {
	for i, c := range w.table.Columns {
		if !c.NotNull || c.Dropped || !hasNulls(b.Cols[i]) {
			continue
		}
		for k := 0; k < b.N; k++ {
			if r := position(b.Rows, k); b.Cols[i].IsNull(r) {
				e := errs.New(errs.NotNullViolation, `null value in column "%s" of relation "%s" violates not-null constraint`, c.Name, w.table.Name)
				e.Column = c.Name
				return w.rowError(ctx, e, batchRow(b, r))
			}
		}
	}
	for i, check := range w.checks {
		v, err := check.Eval(ctx, b)
		if err != nil {
			return err
		}
		for k := 0; k < b.N; k++ {
			r := position(b.Rows, k)
			if !v.IsNull(r) && !v.Datum(r).Bool() {
				c := w.target.Checks[i].Constraint
				e := errs.New(errs.CheckViolation, `new row for relation "%s" violates check constraint "%s"`, w.table.Name, c.Name)
				e.Constraint = c.Name
				return w.rowError(ctx, e, batchRow(b, r))
			}
		}
	}
	return nil
}

// rowError completes an error about a new row.
func (w *rowWriter) rowError(ctx *Ctx, e *errs.Error, row []types.Datum) error {
	w.name(ctx, e)
	return e.WithDetail("Failing row contains (%s).", rowText(ctx, w.table, row))
}

// name says in an error which table it is about.
func (w *rowWriter) name(ctx *Ctx, e *errs.Error) {
	e.Table = w.table.Name
	if ctx.Catalog != nil {
		if s := ctx.Catalog.SchemaByOID(w.table.Schema); s != nil {
			e.Schema = s.Name
		}
	}
}

// rowText prints the live columns of a row as in error details.
func rowText(ctx *Ctx, t *catalog.Table, row []types.Datum) string {
	var parts []string
	for i, c := range t.Columns {
		if !c.Dropped {
			parts = append(parts, DatumText(ctx, c.Type, row[i], 64))
		}
	}
	return strings.Join(parts, ", ")
}

// DatumText prints a value for a message, cut after limit bytes if that is not 0.
func DatumText(ctx *Ctx, t *types.Type, d types.Datum, limit int) string {
	if d.IsNull() {
		return "null"
	}
	env := ctx.Env
	if env == nil {
		env = types.DefaultEnv
	}
	s := string(types.AppendText(nil, t, d, env))
	if limit > 0 && len(s) > limit {
		for limit > 0 && s[limit]&0xc0 == 0x80 {
			limit--
		}
		s = s[:limit] + "..."
	}
	return s
}

// batchRow is row i of a batch of whole rows.
func batchRow(b *types.Batch, i int) []types.Datum {
	row := make([]types.Datum, len(b.Cols)-1)
	for j := range row {
		row[j] = b.Cols[j].Datum(i)
	}
	return row
}

// key is the kv key of a row.
func (w *rowWriter) key(rowKey string) []byte {
	return w.codec.AppendKey(make([]byte, 0, len(w.codec.Prefix())+len(rowKey)), rowKey)
}

// entry computes the entry of one index for a row: present is false if a partial index leaves the row out.
func (w *rowWriter) entry(ctx *Ctx, i int, row []types.Datum, rowKey string, key, value []byte) (k, v []byte, values []types.Datum, present bool, err error) {
	x := w.indexes[i]
	var exprs []types.Datum
	if len(w.exprs[i]) > 0 || w.preds[i] != nil {
		w.loadOne(row)
		if p := w.preds[i]; p != nil {
			t, err := p.Eval(ctx, w.one)
			if err != nil {
				return nil, nil, nil, false, err
			}
			if t.IsNull(0) || !t.Datum(0).Bool() {
				return nil, nil, nil, false, nil
			}
		}
		for _, e := range w.exprs[i] {
			r, err := e.Eval(ctx, w.one)
			if err != nil {
				return nil, nil, nil, false, err
			}
			exprs = append(exprs, r.Datum(0))
		}
	}
	w.values = x.KeyValues(w.values[:0], row, exprs)
	return x.AppendKey(key, w.values, rowKey), x.AppendValue(value, w.values, row, rowKey), w.values, true, nil
}

// loadOne makes one the batch of a row.
func (w *rowWriter) loadOne(row []types.Datum) {
	if w.one == nil {
		ts := make([]*types.Type, len(w.table.Columns))
		for j, c := range w.table.Columns {
			ts[j] = c.Type
		}
		w.one = newBatch(ts)
	}
	resetBatch(w.one, 1)
	w.one.N = 1
	for j, d := range row {
		w.one.Cols[j].Set(0, d)
	}
}

// lockKeys are the keys that an insertion of a row must hold: its own and those of unique indexes.
func (w *rowWriter) lockKeys(ctx *Ctx, keys [][]byte, row []types.Datum, rowKey string) ([][]byte, error) {
	if w.codec.KeyColumns() != nil {
		keys = append(keys, w.key(rowKey))
	}
	return w.lockEntries(ctx, keys, row, rowKey)
}

// lockEntries are the keys of unique indexes that an insertion of a row must hold.
func (w *rowWriter) lockEntries(ctx *Ctx, keys [][]byte, row []types.Datum, rowKey string) ([][]byte, error) {
	for i, x := range w.indexes {
		if !x.Index.Unique {
			continue
		}
		k, _, values, present, err := w.entry(ctx, i, row, rowKey, nil, w.newVal[:0])
		if err != nil {
			return nil, err
		}
		if present && !x.KeyHoldsRowKey(values) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// lock takes row locks in key order, so that statements that lock the same keys do not wait for each other in
// a circle.
func (w *rowWriter) lock(ctx *Ctx, keys [][]byte, mode kv.LockMode, while string) error {
	if len(keys) == 0 {
		return nil
	}
	if len(keys) > 1 {
		slices.SortFunc(keys, bytes.Compare)
		keys = slices.CompactFunc(keys, bytes.Equal)
	}
	return acquire(ctx, w.table, keys, mode, kv.WaitPolicy{}, while)
}

// put writes a new row and its index entries. It fails if a unique key is there already.
func (w *rowWriter) put(ctx *Ctx, row []types.Datum, rowKey string) error {
	key := w.key(rowKey)
	if w.codec.KeyColumns() != nil {
		if err := w.checkAbsent(ctx, row, key); err != nil {
			return err
		}
	}
	return w.putAbsent(ctx, row, key, rowKey)
}

// checkAbsent fails if a row with the key is there already.
func (w *rowWriter) checkAbsent(ctx *Ctx, row []types.Datum, key []byte) error {
	_, ok, err := ctx.Txn.Get(ctx, key, kv.Existence)
	if err != nil {
		return ctx.Error(err)
	}
	if ok {
		return w.duplicate(ctx, w.table.PrimaryKey(), row, nil)
	}
	return nil
}

// putAbsent is put for a row whose key is known not to be there.
func (w *rowWriter) putAbsent(ctx *Ctx, row []types.Datum, key []byte, rowKey string) error {
	value := w.kept.keep(w.codec.AppendValue(w.kept.room(w.codec.ValueBytes(row)), row))
	if err := ctx.Txn.Set(key, value, kv.AllColumns); err != nil {
		return err
	}
	w.counts.Inserted++
	w.counts.Bytes += int64(len(key) + len(value))
	ctx.Repeats.wrote(len(key) + len(value))
	for i := range w.indexes {
		if err := w.putEntry(ctx, i, row, rowKey); err != nil {
			return err
		}
	}
	if w.changes != nil {
		w.changes.inserted(row, rowKey)
	}
	return w.accumulate(ctx, row, 1)
}

// putEntry writes the entry of one index for a row.
func (w *rowWriter) putEntry(ctx *Ctx, i int, row []types.Datum, rowKey string) error {
	k, v, values, present, err := w.entry(ctx, i, row, rowKey, nil, nil)
	if err != nil || !present {
		return err
	}
	x := w.indexes[i]
	if x.Index.Unique && !x.KeyHoldsRowKey(values) {
		if _, ok, err := ctx.Txn.Get(ctx, k, kv.Existence); err != nil {
			return ctx.Error(err)
		} else if ok {
			return w.duplicate(ctx, x.Index, row, slices.Clone(values))
		}
	}
	return ctx.Txn.Set(k, v, kv.AllColumns)
}

// removeEntries deletes the index entries of a row.
func (w *rowWriter) removeEntries(ctx *Ctx, row []types.Datum, rowKey string) error {
	for i := range w.indexes {
		k, _, _, present, err := w.entry(ctx, i, row, rowKey, nil, w.oldVal[:0])
		if err != nil {
			return err
		}
		if present {
			if err := ctx.Txn.Delete(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove deletes a row and its index entries.
func (w *rowWriter) remove(ctx *Ctx, row []types.Datum, rowKey string) error {
	key := w.key(rowKey)
	if err := ctx.Txn.Delete(key); err != nil {
		return err
	}
	w.counts.Deleted++
	w.counts.Bytes -= int64(len(key))
	if w.changes != nil {
		w.changes.deleted(row, rowKey)
	}
	if err := w.accumulate(ctx, row, -1); err != nil {
		return err
	}
	return w.removeEntries(ctx, row, rowKey)
}

// duplicate is the error of a unique key that is there already. values are the key's, nil for a plain key.
func (w *rowWriter) duplicate(ctx *Ctx, x *catalog.Index, row, values []types.Datum) error {
	e := errs.New(errs.UniqueViolation, `duplicate key value violates unique constraint "%s"`, x.Name)
	e.Constraint = x.Name
	w.name(ctx, e)
	names, texts := keyTexts(ctx, w.table, x, row, values)
	return e.WithDetail("Key (%s)=(%s) already exists.", names, texts)
}

// keyTexts prints the columns of a key and their values.
func keyTexts(ctx *Ctx, t *catalog.Table, x *catalog.Index, row, values []types.Datum) (names, texts string) {
	var ns, vs []string
	for i, k := range x.Keys {
		typ := k.Type
		if k.Column > 0 {
			c := t.Columns[k.Column-1]
			ns, typ = append(ns, types.QuoteIdentifier(c.Name)), c.Type
		} else {
			ns = append(ns, k.Expr)
		}
		d := types.Null
		if values != nil {
			d = values[i]
		} else if k.Column > 0 {
			d = row[k.Column-1]
		}
		vs = append(vs, DatumText(ctx, typ, d, 0))
	}
	return strings.Join(ns, ", "), strings.Join(vs, ", ")
}

// change is an update of one row.
type change struct {
	oldRow, newRow []types.Datum
	oldKey, newKey string // row keys
	columns        kv.ColumnSet
	moved          bool // the row key changed
}

// changed compares the images of a row and reports whether they differ.
func (w *rowWriter) changed(c *change, assigned []int16) bool {
	c.columns = 0
	for _, n := range assigned {
		if !sameValue(w.table.Columns[n-1].Type, c.oldRow[n-1], c.newRow[n-1]) {
			c.columns = c.columns.With(int(n))
		}
	}
	return c.columns != 0
}

// sameValue reports whether two values are the same to the last bit of their display: 1.0 and 1.00 are not.
func sameValue(t *types.Type, a, b types.Datum) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() == b.IsNull()
	}
	switch a.Rep() {
	case types.RepInt:
		return a.Int() == b.Int()
	case types.RepString:
		return a.Str() == b.Str()
	case types.RepFloat:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	case types.RepDecimal:
		return a.Decimal().Exponent == b.Decimal().Exponent && types.Compare(t, a, b) == 0
	}
	return false
}

// touchesKey reports whether an update of columns changes the key of the row or of a unique index, which
// others may refer to.
func (w *rowWriter) touchesKey(assigned []int16) bool {
	in := func(n int16) bool { return slices.Contains(assigned, n) }
	for _, x := range w.table.Indexes {
		if !x.Unique {
			continue
		}
		for _, k := range x.Keys {
			if k.Column == 0 || in(k.Column) {
				return true
			}
		}
	}
	return false
}

// clearOld removes what the old image of a changed row leaves behind: the row if it moves, and the index
// entries that change.
func (w *rowWriter) clearOld(ctx *Ctx, c *change) error {
	if c.moved {
		if err := ctx.Txn.Delete(w.key(c.oldKey)); err != nil {
			return err
		}
	}
	for i := range w.indexes {
		differs, oldPresent, _, err := w.entryDiffers(ctx, i, c)
		if err != nil {
			return err
		}
		if differs && oldPresent {
			if err := ctx.Txn.Delete(slices.Clone(w.oldKey)); err != nil {
				return err
			}
		}
	}
	return nil
}

// entryDiffers computes the old and new entry of an index into oldKey and newKey, and reports whether their
// keys differ, or one of them is missing, or the values differ.
func (w *rowWriter) entryDiffers(ctx *Ctx, i int, c *change) (differs, oldPresent, newPresent bool, err error) {
	x := w.indexes[i]
	if !c.moved && w.simple && !x.Columns().Meets(c.columns&^kv.Existence) {
		return false, true, true, nil
	}
	var k, v []byte
	k, v, _, oldPresent, err = w.entry(ctx, i, c.oldRow, c.oldKey, w.oldKey[:0], w.oldVal[:0])
	if err != nil {
		return false, false, false, err
	}
	if oldPresent {
		w.oldKey, w.oldVal = k, v
	}
	k, v, _, newPresent, err = w.entry(ctx, i, c.newRow, c.newKey, w.newKey[:0], w.newVal[:0])
	if err != nil {
		return false, false, false, err
	}
	if newPresent {
		w.newKey, w.newVal = k, v
	}
	differs = oldPresent != newPresent || oldPresent && (!bytes.Equal(w.oldKey, w.newKey) || !bytes.Equal(w.oldVal, w.newVal))
	return differs, oldPresent, newPresent, nil
}

// putNew writes the new image of a changed row and the index entries that changed.
func (w *rowWriter) putNew(ctx *Ctx, c *change) error {
	key := w.key(c.newKey)
	columns := c.columns
	if c.moved {
		columns = kv.AllColumns
		if _, ok, err := ctx.Txn.Get(ctx, key, kv.Existence); err != nil {
			return ctx.Error(err)
		} else if ok {
			return w.duplicate(ctx, w.table.PrimaryKey(), c.newRow, nil)
		}
	}
	value := w.codec.AppendValue(nil, c.newRow)
	if err := ctx.Txn.Set(key, value, columns); err != nil {
		return err
	}
	ctx.Repeats.wrote(len(key) + len(value))
	w.counts.Updated++
	for i := range w.indexes {
		differs, _, newPresent, err := w.entryDiffers(ctx, i, c)
		if err != nil {
			return err
		}
		if differs && newPresent {
			if err := w.putEntry(ctx, i, c.newRow, c.newKey); err != nil {
				return err
			}
		}
	}
	if w.changes != nil {
		w.changes.updated(c)
	}
	return w.accumulateChange(ctx, c)
}
