package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"holdfast/kv"
	"holdfast/kv/conformance/history"
)

// workload is many goroutines that run random transactions and keep a record of them, for the checker.
//
// The store holds two kinds of keys. Lists, "l0" and so on: the numbers appended so far. Rows, "r00" and so on:
// one number for each of two columns; each column of each row is a register of the history, named "1/r00" or
// "2/r00", so that a read or an update of one column says nothing of the other. An update of one column has to
// write the value of the other back: it locks the row, as the interface demands, and never reads the other
// column as far as its footprint is concerned.
type workload struct {
	*env
	seed          uint64
	lists, rows   int
	workers       int
	txnsPerWorker int
	deletes       bool

	clock  atomic.Int64
	values atomic.Int64
	mu     sync.Mutex
	txns   []history.Txn
}

// randomHistories runs mixes that are hard in different ways and checks what comes out.
func randomHistories(e *env) {
	for _, w := range []*workload{
		{lists: 2, rows: 3, workers: 4, txnsPerWorker: 100, deletes: true},  // everybody meets everybody
		{lists: 3, rows: 4, workers: 8, txnsPerWorker: 60, deletes: true},   // and queues
		{lists: 12, rows: 24, workers: 8, txnsPerWorker: 80, deletes: true}, // many commit
		{lists: 6, rows: 12, workers: 16, txnsPerWorker: 40},                // large groups
	} {
		w.env = e.fresh()
		w.seed = rand.Uint64()
		w.run()
		if err := w.Store.Close(); err != nil {
			e.Error(err)
		}
		if e.Failed() {
			return
		}
	}
}

func (w *workload) run() {
	var wait sync.WaitGroup
	for i := range w.workers {
		wait.Go(func() {
			rng := rand.New(rand.NewPCG(w.seed, uint64(i)))
			for range w.txnsPerWorker {
				if !w.transaction(rng) {
					return
				}
			}
		})
	}
	wait.Wait()
	if w.Failed() {
		return
	}
	committed := 0
	for _, t := range w.txns {
		if t.Status == history.Committed {
			committed++
		}
	}
	if committed < len(w.txns)/10 {
		w.Errorf("seed %d: only %d of %d transactions have committed", w.seed, committed, len(w.txns))
	}
	found := append(history.CheckOrder(w.txns), history.CheckStrict(w.txns)...)
	for i, a := range found {
		if i == 5 {
			w.Errorf("and %d more", len(found)-i)
			break
		}
		w.Errorf("seed %d (lists %d, rows %d, workers %d): %s", w.seed, w.lists, w.rows, w.workers, a.Text)
	}
}

// errors after which a transaction is simply rolled back: somebody was in its way.
func (w *workload) expected(err error) bool {
	return errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrDeadlock) || errors.Is(err, kv.ErrLockNotAvailable) ||
		errors.Is(err, kv.ErrLockSkipped)
}

// transaction runs one random transaction and records it. It returns false if the worker should stop.
func (w *workload) transaction(rng *rand.Rand) bool {
	o := kv.TxnOptions{ReadOnly: rng.IntN(6) == 0, Newest: rng.IntN(4) == 0}
	record := history.Txn{Start: w.clock.Add(1), Status: history.Aborted}
	txn, err := w.Store.Begin(w.ctx, o)
	if err != nil {
		w.Errorf("begin: %v", err)
		return false
	}
	defer txn.Rollback()
	r := &runner{workload: w, rng: rng, txn: txn, ctx: w.ctx}
	for range 1 + rng.IntN(5) {
		if err = r.statement(o.ReadOnly); err != nil {
			break
		}
		if rng.IntN(2) == 0 {
			runtime.Gosched() // statements of one transaction have those of others between them
		}
	}
	if err == nil && rng.IntN(10) > 0 {
		var version kv.Version
		if version, err = txn.Commit(w.ctx); err == nil {
			record.Status, record.Order = history.Committed, uint64(version)
		}
	}
	record.End, record.Ops = w.clock.Add(1), r.ops
	if errors.Is(err, kv.ErrCommitUnknown) {
		record.Status, record.End = history.Unknown, 0
	} else if err != nil && !w.expected(err) {
		w.Errorf("seed %d: %v", w.seed, err)
		return false
	}
	if err != nil && o.ReadOnly {
		w.Errorf("seed %d: a read-only transaction fails: %v", w.seed, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.txns = append(w.txns, record)
	return true
}

// runner is one transaction of a workload.
type runner struct {
	*workload
	ctx context.Context
	rng *rand.Rand
	txn kv.Txn
	ops []history.Op
}

func (r *runner) list() string { return fmt.Sprint("l", r.rng.IntN(r.lists)) }
func (r *runner) row() string  { return fmt.Sprintf("r%02d", r.rng.IntN(r.rows)) }

// statement does one random thing. A transaction whose statement failed is given up, except that some
// statements are done and undone.
func (r *runner) statement(readOnly bool) error {
	if !readOnly && r.rng.IntN(8) == 0 {
		mark, ops := r.txn.Savepoint(), len(r.ops)
		err := r.look()
		if err == nil {
			err = r.change()
		}
		r.txn.RollbackTo(mark)
		r.undo(ops)
		return err
	}
	if readOnly || r.rng.IntN(2) == 0 {
		return r.look()
	}
	return r.change()
}

// undo takes what was written since out of the record, and the reads that saw it. The other reads stay: a rollback
// to a savepoint does not make them unseen.
func (r *runner) undo(ops int) {
	kept := r.ops[:ops:ops]
	var written []string
	for _, op := range r.ops[ops:] {
		saw := slices.ContainsFunc(written, func(key string) bool {
			return key == op.Key || op.Kind == history.Range && op.Key <= key && key < op.End
		})
		switch {
		case op.Kind != history.Read && op.Kind != history.Range:
			written = append(written, op.Key)
		case !saw:
			kept = append(kept, op)
		}
	}
	r.ops = kept
}

// look reads something.
func (r *runner) look() error {
	reader := kv.Reader(r.txn)
	if r.rng.IntN(2) == 0 {
		reader = r.txn.View()
	}
	switch r.rng.IntN(3) {
	case 0:
		_, err := r.readList(reader, r.list())
		return err
	case 1:
		_, _, err := r.readRow(reader, r.row(), []int{1, 2}[:1+r.rng.IntN(2)])
		return err
	default:
		return r.readRows(reader)
	}
}

// change writes something.
func (r *runner) change() error {
	switch n := r.rng.IntN(10); {
	case n < 4:
		return r.appendTo(r.list(), r.rng.IntN(2) == 0)
	case n < 7:
		return r.update(r.row(), 1+r.rng.IntN(2))
	default:
		return r.insertOrDelete(r.row(), r.rng.IntN(2) == 0)
	}
}

func (r *runner) readList(reader kv.Reader, key string) ([]byte, error) {
	value, ok, err := reader.Get(r.ctx, []byte(key), kv.AllColumns)
	if err != nil {
		return nil, err
	}
	op := history.Op{Kind: history.Read, Key: key}
	if ok {
		op.Seen = decodeNumbers(value)
	}
	r.ops = append(r.ops, op)
	return value, nil
}

// readRow reads columns of a row.
func (r *runner) readRow(reader kv.Reader, key string, columns []int) (value []byte, ok bool, err error) {
	value, ok, err = reader.Get(r.ctx, []byte(key), columnSet(columns))
	if err != nil {
		return nil, false, err
	}
	for _, c := range columns {
		op := history.Op{Kind: history.Read, Key: register(c, key)}
		if ok {
			op.Seen = decodeNumbers(value)[c-1 : c]
		}
		r.ops = append(r.ops, op)
	}
	return value, ok, nil
}

func register(column int, key string) string { return fmt.Sprintf("%d/%s", column, key) }

// readRows scans a range of rows, all or some from one end, for some of the columns.
func (r *runner) readRows(reader kv.Reader) error {
	from, to := r.row(), r.row()
	if from > to {
		from, to = to, from
	}
	columns := [][]int{{1}, {2}, {1, 2}}[r.rng.IntN(3)]
	o := kv.ScanOptions{Columns: columnSet(columns), Reverse: r.rng.IntN(2) == 0, Bulk: r.rng.IntN(2) == 0}
	limit := 1 + r.rng.IntN(r.rows)
	it := reader.Scan(r.ctx, kv.KeyRange{Start: []byte(from), End: []byte(to)}, o)
	rows := map[int][]history.Row{}
	n := 0
	for n < limit && it.Next() {
		n++
		key := string(it.Key())
		numbers := decodeNumbers(it.Value())
		for _, c := range columns {
			row := history.Row{Key: register(c, key), Seen: numbers[c-1 : c]}
			if o.Reverse {
				rows[c] = append([]history.Row{row}, rows[c]...)
			} else {
				rows[c] = append(rows[c], row)
			}
		}
		if n == limit {
			if o.Reverse {
				from = key
			} else {
				to = key + "~"
			}
		}
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		return err
	}
	for _, c := range columns {
		r.ops = append(r.ops, history.Op{Kind: history.Range, Key: register(c, from), End: register(c, to), Rows: rows[c]})
	}
	return nil
}

// lock locks a key, starting over if it is stale. Nothing of the statement has been recorded yet.
func (r *runner) lock(key string, m kv.LockMode) error {
	mark := r.txn.Savepoint()
	if r.rng.IntN(2) == 0 { // what a statement reads to find its rows is retracted with it
		if _, _, err := r.txn.Get(r.ctx, []byte(key), kv.AllColumns); err != nil {
			return err
		}
	}
	policy := kv.WaitPolicy{NoWait: r.rng.IntN(20) == 0, SkipLocked: r.rng.IntN(20) == 0}
	err := r.txn.Lock(r.ctx, [][]byte{[]byte(key)}, m, policy)
	if !errors.Is(err, kv.ErrStale) {
		return err
	}
	r.txn.Retract(mark)
	if err := r.txn.Refresh(r.ctx); err != nil {
		return err
	}
	return nil
}

func (r *runner) appendTo(key string, locked bool) error {
	if locked {
		if err := r.lock(key, kv.LockUpdate); err != nil {
			return err
		}
	}
	value, err := r.readList(r.txn, key)
	if err != nil {
		return err
	}
	n := r.values.Add(1)
	r.ops = append(r.ops, history.Op{Kind: history.Append, Key: key, Value: n})
	next := binary.BigEndian.AppendUint64(slices.Clone(value), uint64(n))
	return r.txn.Set([]byte(key), next, kv.AllColumns)
}

// update changes one column of a row, if it is there.
func (r *runner) update(key string, column int) error {
	if err := r.lock(key, kv.LockNoKeyUpdate); err != nil {
		return err
	}
	value, ok, err := r.readRow(r.txn, key, []int{column})
	if err != nil || !ok {
		return err
	}
	numbers := decodeNumbers(value)
	numbers[column-1] = r.values.Add(1)
	r.ops = append(r.ops, history.Op{Kind: history.Write, Key: register(column, key), Value: numbers[column-1]})
	return r.txn.Set([]byte(key), encodeNumbers(numbers), kv.Column(column))
}

// insertOrDelete makes a row that is not there, and deletes one that is.
func (r *runner) insertOrDelete(key string, locked bool) error {
	if locked {
		if err := r.lock(key, kv.LockUpdate); err != nil {
			return err
		}
	}
	_, ok, err := r.readRow(r.txn, key, []int{1, 2})
	if err != nil {
		return err
	}
	if ok && !r.deletes {
		return nil
	}
	if ok {
		for c := 1; c <= 2; c++ {
			r.ops = append(r.ops, history.Op{Kind: history.Delete, Key: register(c, key)})
		}
		return r.txn.Delete([]byte(key))
	}
	numbers := []int64{r.values.Add(1), r.values.Add(1)}
	for c := 1; c <= 2; c++ {
		r.ops = append(r.ops, history.Op{Kind: history.Write, Key: register(c, key), Value: numbers[c-1]})
	}
	return r.txn.Set([]byte(key), encodeNumbers(numbers), kv.AllColumns)
}

func encodeNumbers(numbers []int64) []byte {
	var out []byte
	for _, n := range numbers {
		out = binary.BigEndian.AppendUint64(out, uint64(n))
	}
	return out
}

func decodeNumbers(value []byte) []int64 {
	var out []int64
	for ; len(value) >= 8; value = value[8:] {
		out = append(out, int64(binary.BigEndian.Uint64(value)))
	}
	return out
}

// randomScenarios: histories and interleavings nobody has thought of.
var randomScenarios = []scenario{
	{"random/concurrent histories", randomHistories},
	{"random/same as the reference", sameAsReference},
}
