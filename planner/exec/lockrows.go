package exec

import (
	"errors"
	"strings"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// lockRowsOp runs LockRows. A row that another transaction has written since the snapshot makes the whole statement start over on
// a newer one (kv.ErrStale), so that what is returned is always the state that was locked, and conditions need not be tested
// again here.
//
// With SKIP LOCKED the result may be without any row that others have locked, which nobody can see from outside: it does
// not say which rows there are, only that those it has were there and are locked. So the reads that led to them leave
// no footprint, and each row that is returned is observed by itself. Otherwise those that take jobs from one queue would
// all conflict with each other, by the rows they have skipped. This is for the plain case, rows of one table under
// conditions; joins and subqueries on the way record as ever.
type lockRowsOp struct {
	input Operator
	locks []rowLock
	keys  [][]byte
	sel   []int32
	view  types.Batch
}

type rowLock struct {
	algebra.RowLock
	at    int
	codec *rowio.TableCodec
	mode  kv.LockMode
}

// Build implements Node.
func (n *LockRows) Build(b *Builder) (Operator, error) {
	b.skipLocked(n)
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	o := &lockRowsOp{input: in}
	l := LayoutOf(n.Input)
	for _, lock := range n.Locks {
		at, err := l.find(lock.Key)
		if err != nil {
			return nil, err
		}
		mode, err := LockModeOf(lock.Strength)
		if err != nil {
			return nil, err
		}
		o.locks = append(o.locks, rowLock{RowLock: lock, at: at, codec: rowio.NewTableCodec(lock.Table), mode: mode})
	}
	return o, nil
}

// skipLocked notes the scan under a LockRows that skips what is locked.
func (b *Builder) skipLocked(n *LockRows) {
	if len(n.Locks) != 1 || !n.Locks[0].SkipLocked {
		return
	}
	at := n.Input
	for {
		switch x := at.(type) {
		case *Filter:
			at = x.Input
		case *Project:
			at = x.Input
		case *Sort:
			at = x.Input
		case *TableScan, *IndexScan, *KeyLookup:
			if b.skipping == nil {
				b.skipping = map[Node]bool{}
			}
			b.skipping[at] = true
			return
		default:
			return
		}
	}
}

// LockModeOf is the lock mode of a strength as ast.Locking has it.
func LockModeOf(strength string) (kv.LockMode, error) {
	switch strings.ToLower(strength) {
	case "update":
		return kv.LockUpdate, nil
	case "no key update":
		return kv.LockNoKeyUpdate, nil
	case "share":
		return kv.LockShare, nil
	case "key share":
		return kv.LockKeyShare, nil
	}
	return 0, errs.New(errs.InternalError, "no lock strength %q", strength)
}

func (o *lockRowsOp) Open(ctx *Ctx) error { return o.input.Open(ctx) }

func (o *lockRowsOp) Next(ctx *Ctx, max int) (*types.Batch, error) {
	for {
		b, err := o.input.Next(ctx, max)
		if b == nil || err != nil {
			return nil, err
		}
		o.sel = o.sel[:0]
		for k := range b.N {
			i := position(b.Rows, k)
			locked, err := o.lock(ctx, b, i)
			if err != nil {
				return nil, err
			}
			if locked {
				o.sel = append(o.sel, int32(i))
			}
		}
		if len(o.sel) > 0 {
			o.view = types.Batch{Rows: types.Rows{N: len(o.sel), Sel: o.sel}, Cols: b.Cols}
			return &o.view, nil
		}
	}
}

// lock locks the rows that row i shows. It is false if one is to be skipped.
func (o *lockRowsOp) lock(ctx *Ctx, b *types.Batch, i int) (bool, error) {
	for j := range o.locks {
		l := &o.locks[j]
		v := b.Cols[l.at]
		if v.IsNull(i) { // the empty side of an outer join
			continue
		}
		key := l.codec.AppendKey(nil, v.S[i])
		o.keys = append(o.keys[:0], key)
		noWait := l.NoWait && !ctx.Repeated
		err := acquire(ctx, l.Table, o.keys, l.mode, kv.WaitPolicy{NoWait: noWait, SkipLocked: l.SkipLocked}, whileLocking)
		if errors.Is(err, kv.ErrLockSkipped) {
			return false, nil
		}
		if errors.Is(err, kv.ErrLockNotAvailable) && noWait {
			// The cause stays out of it: it would be told as a timeout.
			return false, errs.New(errs.LockNotAvailable, "could not obtain lock on row in relation %q", l.Table.Name)
		}
		if err != nil {
			return false, err
		}
		if l.SkipLocked {
			ctx.Txn.Observe(key, kv.AllColumns)
		}
	}
	return true, nil
}

func (o *lockRowsOp) Close() error { return o.input.Close() }
