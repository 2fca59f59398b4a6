package exec

import (
	"math"

	"holdfast/kv"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// How UPDATE and DELETE change more rows than fit into memory: piece by piece, as their source gives them. Nothing of
// what they write shows in the source, which reads the statement's view.
//
// They do not begin with that. With all rows at hand, rows are locked before anything is computed, so that a statement
// that has to start over has done little; and the keys of all rows are judged at once.

// wholeBytes is how many bytes of rows a statement changes as a whole, 0: any number. Old and new images of them take
// some three times that in addition.
func wholeBytes(ctx *Ctx) int64 { return (ctx.WorkMem + 3) / 4 }

// readWhole reads a source into a buffer. It reports false if there may be more than is changed as a whole.
func readWhole(ctx *Ctx, source Operator, into *RowBuffer) (all bool, err error) {
	limit := wholeBytes(ctx)
	for {
		b, err := source.Next(ctx, types.BatchRows)
		if err != nil || b == nil {
			return err == nil, err
		}
		into.Append(b)
		if limit > 0 && into.Bytes() > limit {
			return false, nil
		}
	}
}

// mostBytes is how much a statement that cannot go piece by piece may hold in memory.
func mostBytes(ctx *Ctx) int64 { return max(16*ctx.WorkMem, HeldBytes) }

// HeldBytes is what may be held whatever work_mem is. Tests lower it.
var HeldBytes int64 = 256 << 20

// MostBytes is mostBytes for a setting of work_mem, in bytes; 0: no limit.
func MostBytes(workMem int64) int64 {
	if workMem == 0 {
		return math.MaxInt64
	}
	return mostBytes(&Ctx{WorkMem: workMem})
}

// errTooMuch is the error of a statement that would hold more.
func errTooMuch(what string) error {
	return errs.New(errs.OutOfMemory, "out of memory").
		WithDetail("%s need more than 16 times work_mem.", what).
		WithHint("Change them in several statements, or raise work_mem.")
}

// seenBytes is about what an entry of a table of row keys takes.
const seenBytes = 100

// pieces calls f with the rows of a buffer and then with the rest of a source.
func pieces(ctx *Ctx, buffer *RowBuffer, source Operator, f func(b *types.Batch) error) error {
	for i := range buffer.Chunks() {
		if err := f(buffer.Chunk(i)); err != nil {
			return err
		}
	}
	buffer.Reset()
	for {
		if err := ctx.Canceled(); err != nil {
			return err
		}
		b, err := source.Next(ctx, types.BatchRows)
		if err != nil || b == nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
	}
}

// eachOnce reports whether a plan certainly gives each row of the one table it reads no more than once.
func eachOnce(n Node) bool {
	switch n := n.(type) {
	case *TableScan, *IndexScan, *KeyLookup:
		return true
	case *Filter:
		return eachOnce(n.Input)
	case *Project:
		return eachOnce(n.Input)
	case *Sort:
		return eachOnce(n.Input)
	case *LookupJoin:
		return (n.Kind == algebra.SemiJoin || n.Kind == algebra.AntiJoin) && eachOnce(n.Left)
	case *HashJoin:
		return (n.Kind == algebra.SemiJoin || n.Kind == algebra.AntiJoin) && eachOnce(n.Left)
	}
	return false
}

// runInPieces goes on after readWhole has found too many rows.
func (o *updateOp) runInPieces(ctx *Ctx) error {
	once := eachOnce(o.node.Source)
	if len(o.targets) > 1 || o.node.View != nil && !once || o.verify != nil {
		// Rows of a join view may change one row of a table several times, and must then agree.
		if err := readAll(ctx, o.source, o.buffer); err != nil {
			return err
		}
		return o.runWhole(ctx)
	}
	t := o.targets[0]
	var later *keptChanges
	if t.reorders() {
		later = newKeptChanges(t.writer.table)
		if err := later.reset(ctx); err != nil {
			return err
		}
		defer later.reset(nil)
	}
	err := pieces(ctx, o.buffer, o.source, func(b *types.Batch) error {
		if err := o.lock(ctx, b); err != nil {
			return err
		}
		t.changes = t.changes[:0]
		if once {
			clear(t.seen)
		} else if int64(len(t.seen))*seenBytes > mostBytes(ctx) {
			return errTooMuch("The keys of rows that a join may give several times")
		}
		if err := o.compute(ctx, b); err != nil {
			return err
		}
		live, err := t.live(ctx)
		if err != nil {
			return err
		}
		for i := range live {
			if err := t.writer.clearOld(ctx, &live[i]); err != nil {
				return err
			}
		}
		if later != nil {
			return later.add(ctx, live)
		}
		return t.putAll(ctx, live, o.changes)
	})
	if err != nil {
		return err
	}
	if later != nil {
		err := later.each(func(list []change) error { return t.putAll(ctx, list, o.changes) })
		if err != nil {
			return err
		}
	}
	if err := t.writer.close(ctx); err != nil {
		return err
	}
	return o.end(ctx)
}

// putAll writes the new images of some rows.
func (t *updateTarget) putAll(ctx *Ctx, list []change, all Changes) error {
	for i := range list {
		if err := t.writer.putNew(ctx, &list[i]); err != nil {
			return err
		}
	}
	return all.settle(ctx)
}

// reorders reports whether a new key may be that which another row has until it is changed as well: then all that goes must
// go before anything comes.
func (t *updateTarget) reorders() bool {
	if t.mode == kv.LockUpdate {
		return true
	}
	for _, x := range t.writer.table.Indexes {
		if x.Unique && x.Predicate != "" {
			return true // a row may come under the predicate, and another leave it
		}
	}
	return false
}

// keptChanges are changes that wait, within work_mem and then in a file.
type keptChanges struct {
	table *spool
	stage *RowBuffer
	n     int // columns of the table
	row   []types.Datum
}

func newKeptChanges(t *catalog.Table) *keptChanges {
	var ts []*types.Type
	for range 2 {
		for _, c := range t.Columns {
			ts = append(ts, c.Type)
		}
	}
	ts = append(ts, types.Bytea, types.Bytea, types.Int8)
	return &keptChanges{table: newSpool(ts), stage: NewRowBuffer(ts), n: len(t.Columns)}
}

func (k *keptChanges) reset(ctx *Ctx) error { return k.table.reset(ctx) }

func (k *keptChanges) add(ctx *Ctx, list []change) error {
	k.stage.Reset()
	for i := range list {
		c := &list[i]
		k.row = append(append(k.row[:0], c.oldRow...), c.newRow...)
		k.row = append(k.row, types.NewString(c.oldKey), types.NewString(c.newKey), types.NewInt(int64(c.columns)))
		k.stage.AppendDatums(k.row)
	}
	for i := range k.stage.Chunks() {
		if err := k.table.append(ctx, k.stage.Chunk(i)); err != nil {
			return err
		}
	}
	return nil
}

// each calls f with the changes in their order, some at a time.
func (k *keptChanges) each(f func(list []change) error) error {
	r := spoolReader{spool: k.table}
	var list []change
	for {
		b, err := r.next(types.BatchRows)
		if err != nil || b == nil {
			return err
		}
		list = list[:0]
		for i := range b.N {
			at := position(b.Rows, i)
			row := make([]types.Datum, len(b.Cols))
			for j, v := range b.Cols {
				row[j] = v.Datum(at)
			}
			c := change{oldRow: row[:k.n:k.n], newRow: row[k.n : 2*k.n : 2*k.n],
				oldKey: row[2*k.n].Str(), newKey: row[2*k.n+1].Str(), columns: kv.ColumnSet(row[2*k.n+2].Int())}
			c.moved = c.oldKey != c.newKey
			list = append(list, c)
		}
		if err := f(list); err != nil {
			return err
		}
	}
}

// runInPieces goes on after readWhole has found too many rows.
func (o *deleteOp) runInPieces(ctx *Ctx) error {
	once := len(o.targets) == 1 && eachOnce(o.node.Source)
	err := pieces(ctx, o.buffer, o.source, func(b *types.Batch) error {
		if err := o.lock(ctx, b); err != nil {
			return err
		}
		for _, t := range o.targets {
			if once {
				clear(t.seen)
			} else if int64(len(t.seen))*seenBytes > mostBytes(ctx) {
				return errTooMuch("The keys of rows that a join may give several times")
			}
		}
		if err := o.removeBatch(ctx, b); err != nil {
			return err
		}
		return o.changes.settle(ctx)
	})
	if err != nil {
		return err
	}
	return o.end(ctx)
}
