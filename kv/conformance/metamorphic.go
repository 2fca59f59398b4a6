package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/kv"
	"holdfast/kv/memkv"
)

// sameAsReference runs random lists of operations of several interleaved transactions, from one goroutine, on the
// store and on the reference, and compares every result, conflicts included.
//
// What is compared is exact: the values and order of reads, the kind of every error, which commits and
// refreshes conflict, which locks are refused or stale, and the final content. A Coarse store may
// have commits and refreshes conflict, and find locked keys stale, where the reference does not; the
// transaction is then treated as the store wants it on both sides. It may never let pass what the
// reference refuses.
func sameAsReference(e *env) {
	const lists, length = 250, 200
	deadline, _ := e.ctx.Deadline()
	for range lists {
		seed := rand.Uint64()
		ops := randomOps(rand.New(rand.NewPCG(seed, 0)), length)
		trouble, _ := e.compare(ops)
		if trouble == "" {
			continue
		}
		ops = e.shrink(ops, time.Now().Add(min(5*time.Second, time.Until(deadline)/2)))
		if again, _ := e.compare(ops); again != "" {
			trouble = again
		}
		e.Fatalf("seed %d, shrunk to %d operations: %s", seed, len(ops), trouble)
	}
}

// opKind is what an operation of a list does.
type opKind int

const (
	opBegin opKind = iota
	opGet
	opScan
	opOpen
	opStep
	opInsert
	opUpdate
	opDelete
	opObserve
	opObserveRange
	opLock
	opRefresh
	opView
	opSave
	opRollbackTo
	opRetract
	opCommit
	opRollback
	opMany
	opPresent
	opAdd
	opSum
	opRequire
	opReplace
	opRecheck
	opKinds
)

var opNames = [...]string{
	"begin", "get", "scan", "open", "step", "insert", "update", "delete", "observe", "observe range", "lock",
	"refresh", "view", "savepoint", "rollback to", "retract", "commit", "rollback",
	"many", "first present", "accumulate", "accumulated", "require", "replace",
	"recheck",
}

// weights are how often each kind is drawn.
var weights = [opKinds]int{
	opBegin: 40, opGet: 10, opScan: 6, opOpen: 8, opStep: 16, opInsert: 8, opUpdate: 12, opDelete: 6, opObserve: 2,
	opObserveRange: 1, opLock: 5, opRefresh: 4, opView: 4, opSave: 6, opRollbackTo: 2, opRetract: 4, opCommit: 9,
	opRollback: 1, opMany: 1, opPresent: 5, opAdd: 10, opSum: 4, opRequire: 3, opReplace: 2, opRecheck: 2,
}

// op is one operation. The numbers mean what its kind makes of them; an operation that makes no sense where it
// stands does nothing, so that any part of a list is a list.
type op struct {
	kind    opKind
	slot    int // which transaction
	a, b, c int
}

const slots = 3

func randomOps(rng *rand.Rand, n int) []op {
	var kinds []opKind
	for k, weight := range weights {
		for range weight {
			kinds = append(kinds, opKind(k))
		}
	}
	ops := make([]op, n)
	for i := range ops {
		ops[i] = op{kinds[rng.IntN(len(kinds))], rng.IntN(slots), rng.IntN(1 << 16), rng.IntN(1 << 16), rng.IntN(1 << 16)}
	}
	return ops
}

// shrink leaves out operations as long as there is still trouble and time.
func (e *env) shrink(ops []op, until time.Time) []op {
	for size := len(ops) / 2; size > 0; size /= 2 {
		for at := 0; at < len(ops) && time.Now().Before(until); {
			fewer := slices.Delete(slices.Clone(ops), at, min(at+size, len(ops)))
			if trouble, _ := e.compare(fewer); trouble != "" {
				ops = fewer
			} else {
				at += size
			}
		}
	}
	return ops
}

// side is one of the two transactions of a slot.
type side struct {
	txn   kv.Txn
	marks []kv.Mark
	view  kv.Reader
	it    kv.Iterator
}

// duel is a slot: the same transaction on both stores.
type duel struct {
	tested, reference side
	readOnly          bool
}

// comparison is one run of a list.
type comparison struct {
	*env
	reference kv.Store
	duels     [slots]*duel
	log       []string
	values    int
}

// compare runs a list on fresh stores and returns what went differently, with everything up to there, and the log
// of what was done.
func (e *env) compare(ops []op) (trouble string, log []string) {
	c := &comparison{env: e.fresh(), reference: memkv.New(memkv.Options{Merge: Merge})}
	defer func() {
		for _, d := range c.duels {
			if d != nil {
				d.tested.end()
			}
		}
		if err := c.Store.Close(); err != nil && trouble == "" {
			trouble = fmt.Sprintf("close: %v", err)
		}
	}()
	for _, s := range []kv.Store{c.Store, c.reference} {
		if err := fill(e.ctx, s); err != nil {
			return fmt.Sprintf("fill: %v", err), nil
		}
	}
	for _, o := range ops {
		if trouble := c.do(o); trouble != "" {
			return strings.Join(c.log, "\n") + "\n" + trouble, c.log
		}
	}
	tested, reference := content(e, c.Store), content(e, c.reference) // of what is committed
	if tested != reference {
		trouble = strings.Join(c.log, "\n") +
			fmt.Sprintf("\nin the end the store has %s\nand the reference %s", tested, reference)
	}
	return trouble, c.log
}

// fill puts a row at every other key.
func fill(ctx context.Context, s kv.Store) error {
	txn, err := s.Begin(ctx, kv.TxnOptions{})
	if err != nil {
		return err
	}
	defer txn.Rollback()
	for k := byte('a'); k < 'a'+keyCount; k += 2 {
		if err := txn.Set([]byte{k}, []byte("0.0.0"), kv.AllColumns); err != nil {
			return err
		}
	}
	_, err = txn.Commit(ctx)
	return err
}

func content(e *env, s kv.Store) string {
	txn, err := s.Begin(e.ctx, kv.TxnOptions{ReadOnly: true})
	if err != nil {
		return err.Error()
	}
	defer txn.Rollback()
	return drain(txn.Scan(e.ctx, kv.KeyRange{}, kv.ScanOptions{Columns: kv.AllColumns}), -1)
}

func (s *side) end() {
	s.close()
	s.txn.Rollback()
}

func (s *side) close() {
	if s.it != nil {
		_ = s.it.Close()
		s.it = nil
	}
}

// drain reads up to limit pairs and closes the iterator; a negative limit is none.
func drain(it kv.Iterator, limit int) string {
	var out []string
	for limit != 0 && it.Next() {
		out = append(out, string(it.Key())+"="+string(it.Value()))
		limit--
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		out = append(out, "error "+errorKind(err))
	}
	return "[" + strings.Join(out, " ") + "]"
}

// errorKind is the sentinel an error wraps.
func errorKind(err error) string {
	if err == nil {
		return "ok"
	}
	if unmet := (*kv.RequirementError)(nil); errors.As(err, &unmet) {
		return fmt.Sprintf("of %s: %v", unmet.Keys, unmet)
	}
	for _, kind := range []error{
		kv.ErrConflict, kv.ErrRecheck, kv.ErrStale, kv.ErrDeadlock, kv.ErrLockNotAvailable, kv.ErrLockSkipped, kv.ErrTooLarge,
		kv.ErrReadOnly, kv.ErrCommitUnknown, kv.ErrUnavailable,
	} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "some other error"
}

// keyCount is small, so that transactions meet.
const keyCount = 7

func (o op) key() string { return string([]byte{'a' + byte(o.a%keyCount)}) }

// sumKey is the key of an accumulator, which lies between the rows.
func (o op) sumKey() []byte { return []byte{'b' + 2*byte(o.a%3), '+'} }

// amount is a small number.
func (o op) amount() []byte { return fmt.Append(nil, o.b%7-3) }

// require bounds an accumulator, or the sum of two, on one side or the other.
func (o op) require(txn kv.Txn) {
	bound, below := o.b%9-4, o.c%2 == 0
	keys := [][]byte{o.sumKey()}
	if o.c%3 == 0 {
		keys = append(keys, op{a: o.a + 1 + o.c/3%2}.sumKey())
	}
	txn.Require(keys, func(values [][]byte) error {
		n := 0
		for _, value := range values {
			if value != nil {
				m, _ := strconv.Atoi(string(value))
				n += m
			}
		}
		if below == (n > bound) && n != bound {
			return fmt.Errorf("%d is beyond %d", n, bound)
		}
		return nil
	})
}

// sum reads an accumulator in one of the ways there are.
func (o op) sum(ctx context.Context, txn kv.Txn) string {
	switch o.b % 4 {
	case 0:
		value, ok, err := txn.Get(ctx, o.sumKey(), o.columns())
		return fmt.Sprintf("get %q %v %s", value, ok, errorKind(err))
	case 1:
		txn.Observe(o.sumKey(), o.columns())
	}
	value, err := txn.Accumulated(ctx, o.sumKey())
	return fmt.Sprintf("%q %s", value, errorKind(err))
}

// replace writes an accumulator as if it had been counted anew.
func (o op) replace(txn kv.Txn) error {
	if o.c%3 == 0 {
		return txn.Delete(o.sumKey())
	}
	return txn.Set(o.sumKey(), fmt.Append(nil, 1+o.b%3), kv.AllColumns)
}

func (o op) keyRange() kv.KeyRange {
	bounds := []string{"a", "b", "bb", "c", "d", "dd", "e", "f", "g", "h"}
	from, to := bounds[o.a%len(bounds)], bounds[o.b%len(bounds)]
	if from > to {
		from, to = to, from
	}
	r := keyRange(from, to)
	if o.a%7 == 0 {
		r.Start = nil
	}
	if o.b%7 == 0 {
		r.End = nil
	}
	return r
}

func (o op) columns() kv.ColumnSet {
	sets := []kv.ColumnSet{0, kv.Column(1), kv.Column(2), kv.Column(1).With(2), kv.AllColumns, kv.Existence}
	return sets[o.c%len(sets)]
}

// do runs one operation on both sides.
func (c *comparison) do(o op) (trouble string) {
	d := c.duels[o.slot]
	if (d == nil) != (o.kind == opBegin) {
		return ""
	}
	if o.kind == opBegin {
		return c.begin(o)
	}
	switch o.kind {
	case opCommit:
		return c.commit(o, d)
	case opRefresh, opRecheck:
		return c.refresh(o, d)
	case opUpdate:
		return c.update(o, d)
	case opLock:
		_, trouble := c.lock(o, d, kv.LockMode(o.b%4), kv.WaitPolicy{NoWait: o.c%2 == 0, SkipLocked: o.c%2 == 1})
		return trouble
	case opRollback:
		c.note(o, "")
		d.tested.end()
		d.reference.end()
		c.duels[o.slot] = nil
		return ""
	case opInsert:
		c.values++
	}
	tested, reference := c.simple(o, d, &d.tested), c.simple(o, d, &d.reference)
	if tested == "nothing" && reference == "nothing" {
		return ""
	}
	c.note(o, tested)
	return differ(tested, reference)
}

func differ(tested, reference string) string {
	if tested == reference {
		return ""
	}
	return fmt.Sprintf("here the reference says: %s", reference)
}

func (c *comparison) note(o op, result string) {
	detail := ""
	switch o.kind {
	case opGet, opObserve:
		detail = fmt.Sprintf("%s columns %b, view %v, marked %v", o.key(), o.columns(), o.b%3 == 0, o.marked())
	case opScan, opOpen, opObserveRange:
		r := o.keyRange()
		detail = fmt.Sprintf("[%s, %s) columns %b, limit %d, reverse %v, view %v, marked %v", r.Start, r.End, o.columns(), o.limit(), o.reverse(),
			o.c%3 == 0, o.marked())
	case opInsert, opDelete:
		detail = o.key()
	case opPresent:
		detail = fmt.Sprintf("%s", o.keys())
	case opUpdate:
		detail = fmt.Sprintf("%s column %d", o.key(), 1+o.b%2)
	case opAdd:
		detail = fmt.Sprintf("%s %s", o.sumKey(), o.amount())
	case opSum, opRequire, opReplace:
		detail = fmt.Sprintf("%s %d %d", o.sumKey(), o.b, o.c)
	case opLock:
		detail = fmt.Sprintf("%s mode %d", o.key(), o.b%4)
	case opRollbackTo, opRetract:
		detail = fmt.Sprint("mark ", o.a)
	}
	c.log = append(c.log, strings.TrimSpace(fmt.Sprintf("T%d %s %s: %s", o.slot, opNames[o.kind], detail, result)))
}

func (o op) limit() int    { return o.b/16%6 - 1 }
func (o op) marked() bool  { return o.c/32%5 < 3 }
func (o op) reverse() bool { return o.a/16%2 == 0 }

// simple runs an operation that needs no agreement between the sides.
func (c *comparison) simple(o op, d *duel, s *side) string {
	reader := kv.Reader(s.txn)
	if s.view != nil {
		reader = s.view
	}
	switch o.kind {
	case opGet:
		if o.b%3 != 0 {
			reader = s.txn
		}
		if o.marked() {
			reader = reader.Marked()
		}
		value, ok, err := reader.Get(c.ctx, []byte(o.key()), o.columns())
		return fmt.Sprintf("%q %v %s", value, ok, errorKind(err))
	case opScan:
		if o.c%3 != 0 {
			reader = s.txn
		}
		if o.marked() {
			reader = reader.Marked()
		}
		options := kv.ScanOptions{Columns: o.columns(), Reverse: o.reverse(), Bulk: o.a%3 == 0}
		return drain(reader.Scan(c.ctx, o.keyRange(), options), o.limit())
	case opOpen:
		if s.it != nil {
			return "nothing"
		}
		reader = s.txn.View()
		if o.marked() {
			reader = reader.Marked()
		}
		s.it = reader.Scan(c.ctx, o.keyRange(), kv.ScanOptions{Columns: o.columns(), Reverse: o.reverse()})
		return "opened"
	case opStep:
		if s.it == nil {
			return "nothing"
		}
		if o.a%6 > 0 && s.it.Next() {
			return string(s.it.Key()) + "=" + string(s.it.Value())
		}
		err := errors.Join(s.it.Err(), s.it.Close())
		s.it = nil
		return "closed " + errorKind(err)
	case opInsert:
		return errorKind(s.txn.Set([]byte(o.key()), []byte(fmt.Sprintf("%d.0.0", c.values)), kv.AllColumns))
	case opDelete:
		return errorKind(s.txn.Delete([]byte(o.key())))
	case opObserve:
		s.txn.Observe([]byte(o.key()), o.columns())
	case opObserveRange:
		s.txn.ObserveRange(o.keyRange(), o.columns())
	case opMany:
		return o.many(s.txn)
	case opPresent:
		at, err := s.txn.FirstPresent(c.ctx, o.keys())
		if err != nil {
			return errorKind(err)
		}
		return fmt.Sprint(at)
	case opAdd:
		return errorKind(s.txn.Accumulate(o.sumKey(), o.amount()))
	case opSum:
		return o.sum(c.ctx, s.txn)
	case opRequire:
		o.require(s.txn)
	case opReplace:
		return errorKind(o.replace(s.txn))
	case opView:
		s.view = s.txn.View()
	case opSave:
		s.marks = append(s.marks, s.txn.Savepoint())
	case opRollbackTo, opRetract:
		if len(s.marks) == 0 {
			return "nothing"
		}
		n := o.a % len(s.marks)
		if o.kind == opRetract {
			// An iterator does not outlive its statement, nor a view one that is taken back.
			s.close()
			s.view = nil
			s.txn.Retract(s.marks[n])
		} else {
			s.txn.RollbackTo(s.marks[n])
		}
		s.marks = s.marks[:n+1]
	}
	return "done"
}

// keys are some keys in ascending order: near each other or far apart, many or few, at first such as opMany writes,
// and then one of those that other operations use.
func (o op) keys() [][]byte {
	rng := rand.New(rand.NewPCG(uint64(o.a), uint64(o.c)))
	first := byte('a' + rng.IntN(keyCount))
	step := 1 + rng.IntN(30)
	var keys [][]byte
	for i := rng.IntN(100); i < 100 && len(keys) < o.b%64; i += 1 + rng.IntN(step) {
		keys = append(keys, fmt.Appendf(nil, "%c%02d", first, i))
	}
	return append(keys, []byte{first + 1})
}

// many does enough of one thing at once for stores to treat it in another way, on keys between the few.
func (o op) many(txn kv.Txn) string {
	rng := rand.New(rand.NewPCG(uint64(o.a), uint64(o.b)))
	key := func() []byte { return fmt.Appendf(nil, "%c%02d", 'a'+rng.IntN(keyCount), rng.IntN(100)) }
	for range 400 {
		var err error
		switch o.c % 5 {
		case 0:
			err = txn.Set(key(), []byte("0.0.0"), kv.AllColumns)
		case 1:
			err = txn.Delete(key())
		case 2:
			if rng.IntN(4) == 0 {
				txn.Observe(key(), o.columns())
			}
		case 3:
			if start := key(); rng.IntN(4) == 0 {
				txn.ObserveRange(kv.KeyRange{Start: start, End: append(bytes.Clone(start), '~')}, o.columns())
			}
		case 4:
			err = txn.Accumulate(append(key(), '+'), o.amount())
		}
		if err != nil {
			return errorKind(err)
		}
	}
	return []string{"sets", "deletes", "observes keys", "observes ranges", "accumulates"}[o.c%5]
}

func (c *comparison) begin(o op) string {
	options := kv.TxnOptions{ReadOnly: o.a%6 == 0, Newest: o.b%3 == 0}
	tested, err := c.Store.Begin(c.ctx, options)
	if err != nil {
		return fmt.Sprintf("begin: %v", err)
	}
	reference, err := c.reference.Begin(c.ctx, options)
	if err != nil {
		return fmt.Sprintf("begin of the reference: %v", err)
	}
	c.duels[o.slot] = &duel{tested: side{txn: tested}, reference: side{txn: reference}, readOnly: options.ReadOnly}
	c.note(o, fmt.Sprintf("%+v", options))
	return ""
}

// commit commits the tested side, and then the reference, unless the store may have a conflict of its own. Some of the
// transactions that may go on after that do so.
func (c *comparison) commit(o op, d *duel) string {
	d.tested.close()
	d.reference.close()
	_, err := d.tested.txn.Commit(c.ctx)
	c.note(o, errorKind(err))
	needless := c.Coarse && (errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrRecheck))
	var want error
	if needless {
		if d.readOnly {
			return "a read-only transaction has a conflict"
		}
		want = d.reference.txn.Refresh(c.ctx) // is refused for the same reasons, and commits nothing
	} else {
		_, want = d.reference.txn.Commit(c.ctx)
	}
	return c.afterwards(o, d, err, want)
}

// afterwards compares errors of validation, and lets the transaction go on or ends it.
func (c *comparison) afterwards(o op, d *duel, err, want error) string {
	same := errorKind(err) == errorKind(want)
	switch {
	case same && errors.Is(err, kv.ErrRecheck) && o.a%4 == 1:
		return c.refresh(op{kind: opRecheck, slot: o.slot, a: o.a, b: o.b}, d)
	case same && kv.Restartable(err) && o.a%2 == 0:
		if err := errors.Join(d.tested.restart(c.ctx), d.reference.restart(c.ctx)); err != nil {
			return err.Error()
		}
		c.note(o, "restarted")
		return ""
	}
	d.tested.end()
	d.reference.end()
	c.duels[o.slot] = nil
	if c.Coarse && (want == nil || errors.Is(want, kv.ErrRecheck)) && errors.Is(err, kv.ErrConflict) ||
		c.Coarse && want == nil && errors.Is(err, kv.ErrRecheck) {
		return ""
	}
	return differ(errorKind(err), errorKind(want))
}

// restart begins the transaction anew.
func (s *side) restart(ctx context.Context) error {
	s.close()
	s.marks, s.view = nil, nil
	return s.txn.Restart(ctx, false)
}

// refresh moves the snapshot, and forgets the marked reads if it is a recheck.
func (c *comparison) refresh(o op, d *duel) string {
	move := kv.Txn.Refresh
	if o.kind == opRecheck {
		move = kv.Txn.Recheck
	}
	outdated := d.tested.txn.Outdated()
	err := move(d.tested.txn, c.ctx)
	if o.kind == opRefresh && outdated != kv.Restartable(err) || errors.Is(err, kv.ErrConflict) && !outdated {
		return fmt.Sprintf("Outdated says %v, then Refresh: %v", outdated, err)
	}
	c.note(o, errorKind(err))
	want := move(d.reference.txn, c.ctx)
	if kv.Restartable(err) {
		return c.afterwards(o, d, err, want)
	}
	return differ(errorKind(err), errorKind(want))
}

// lock locks one key at once or not at all, and tells whether it is held and current.
func (c *comparison) lock(o op, d *duel, m kv.LockMode, w kv.WaitPolicy) (held bool, trouble string) {
	keys := [][]byte{[]byte(o.key())}
	err := d.tested.txn.Lock(c.ctx, keys, m, w)
	c.note(o, errorKind(err))
	want := d.reference.txn.Lock(c.ctx, keys, m, w)
	if errors.Is(err, kv.ErrStale) && want == nil && c.Coarse {
		return false, ""
	}
	return err == nil, differ(errorKind(err), errorKind(want))
}

// update changes one column of a row that is there, on the newest state of it: a stale lock makes the statement
// start over.
func (c *comparison) update(o op, d *duel) string {
	if d.readOnly {
		return ""
	}
	held, trouble := c.lock(o, d, kv.LockNoKeyUpdate, kv.WaitPolicy{NoWait: true})
	if trouble != "" {
		return trouble
	}
	if !held {
		if o.c%2 == 0 {
			return ""
		}
		if trouble := c.refresh(op{kind: opRefresh, slot: o.slot}, d); trouble != "" || c.duels[o.slot] == nil {
			return trouble
		}
		if held, trouble = c.lock(o, d, kv.LockNoKeyUpdate, kv.WaitPolicy{NoWait: true}); trouble != "" || !held {
			return trouble
		}
	}
	column := 1 + o.b%2
	c.values++
	result := func(s *side) string {
		value, ok, err := s.txn.Get(c.ctx, []byte(o.key()), kv.Column(column))
		if err != nil || !ok {
			return fmt.Sprintf("%v %s", ok, errorKind(err))
		}
		parts := strings.Split(string(value), ".")
		parts[column] = fmt.Sprint(c.values)
		next := strings.Join(parts, ".")
		return next + " " + errorKind(s.txn.Set([]byte(o.key()), []byte(next), kv.Column(column)))
	}
	tested, reference := result(&d.tested), result(&d.reference)
	c.note(o, tested)
	return differ(tested, reference)
}
