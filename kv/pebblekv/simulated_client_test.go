package pebblekv

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast/kv"
	"holdfast/kv/internal/simulate"
)

// simClient runs random transactions, and compares what it is told with the model.
type simClient struct {
	*simulation
	number int
	task   *simulate.Task
	store  *Store // that the transaction is of
	gone   *Store // that has said it is unavailable
	inside bool   // it may be in a call of the store

	// The transaction.
	txn        *txn // nil if there is none
	own        simWrites
	reads      simFootprint
	checks     simFootprint // of marked reads
	rechecked  int          // how often these have been forgotten
	values     []simValue   // that Get has returned
	marks      []simMark
	needs      []*simNeed
	scan       kv.Iterator // an open one, nil if there is none
	scanned    *simScan    // of it
	locks      [len(simKeys)]simLock
	asked      [len(simKeys)]simLock // of locks: what was asked for since Begin or Restart
	guarded    []simFootprint        // of earlier attempts, which others must not change
	restarted  kv.Version            // from which on they must not
	gaveWay    bool                  // they may, for the transaction has waited for a lock, or is not the first
	committing bool
	registered bool // in the model
	version    kv.Version
	context    *simContext // of the present call

	// The present call of Lock.
	locking []int
	mode    kv.LockMode
	arrival int // when it began to wait, 0 if it has not; for a single key
}

type simValue struct {
	value []byte
	row   simRow
}

type simMark struct {
	mark                kv.Mark
	own                 simWrites
	reads, scans, needs int
	asked               [len(simKeys)]simLock

	checkReads, checkScans, rechecked int
}

// simContext is a context that the simulation cancels.
type simContext struct {
	context.Context
	done     chan struct{}
	canceled bool
}

func (c *simContext) Done() <-chan struct{} { return c.done }

func (c *simContext) Err() error {
	if c.canceled {
		return context.Canceled
	}
	return nil
}

// run makes transactions until it has made enough.
func (c *simClient) run() {
	for n := 1 + c.Choose(8); n > 0; n-- {
		c.Await(func() bool { return c.simulation.store != nil && c.simulation.store != c.gone })
		c.store = c.simulation.store
		c.inside = true
		c.attempt()
		c.inside = false
	}
}

// attempt makes one transaction, unless a crash ends it.
func (c *simClient) attempt() {
	defer func() {
		if p := recover(); p != nil && p != any(simulate.Interrupted{}) {
			panic(p)
		}
		c.clear()
	}()
	err := c.transaction(kv.TxnOptions{ReadOnly: c.Choose(6) == 0, Newest: c.Choose(4) == 0, Owner: uint64(c.number)})
	if errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrCommitUnknown) {
		c.count("unavailable")
		if c.store == c.simulation.store && !c.failed && !c.closing {
			c.fail("the store is open, but says %v", err)
		}
		c.gone = c.store
	}
}

// clear forgets the transaction.
func (c *simClient) clear() {
	c.txn, c.scan, c.scanned, c.locking, c.arrival = nil, nil, nil, nil, 0
	c.own, c.reads, c.values, c.marks = simWrites{}, simFootprint{}, c.values[:0], c.marks[:0]
	c.checks = simFootprint{}
	c.needs, c.guarded, c.committing, c.registered, c.context = nil, nil, false, false, nil
	c.forgetLocks()
}

// ctx returns a context for a call, which may be canceled.
func (c *simClient) ctx() context.Context {
	if c.Choose(8) != 0 {
		c.context = nil
		return context.Background()
	}
	c.context = &simContext{Context: context.Background(), done: make(chan struct{})}
	return c.context
}

// begin begins a transaction.
func (c *simClient) begin(options kv.TxnOptions) error {
	c.clear()
	t, err := c.store.Begin(context.Background(), options)
	if err != nil {
		return err
	}
	c.txn = t.(*txn)
	at := c.txn.ReadVersion()
	c.Tracef("begin %+v at %d", options, at)
	if at < c.acknowledged {
		c.fail("a transaction begins at version %d, and %d was acknowledged", at, c.acknowledged)
	}
	if !options.Newest && at > c.disk.durable() {
		c.fail("a transaction begins at version %d, and %d is durable", at, c.disk.durable())
	}
	return nil
}

// transaction makes a transaction, and restarts it after conflicts. The error is the one that has ended it.
func (c *simClient) transaction(options kv.TxnOptions) error {
	c.Point("begin")
	if err := c.begin(options); err != nil {
		return err
	}
	for {
		err := c.work()
		for errors.Is(err, kv.ErrRecheck) && c.Choose(5) != 0 {
			c.Point("recheck")
			if err = c.recheck(); err == nil {
				err = c.work()
			}
		}
		if !kv.Restartable(err) || c.Choose(5) == 0 {
			c.rollback()
			return err
		}
		c.Point("again")
		if err := c.restart(); err != nil {
			c.rollback()
			return err
		}
	}
}

// work does something in the transaction, and ends it.
func (c *simClient) work() error {
	for n := c.Choose(7); n >= 0; n-- {
		c.Point("next")
		if err := c.step(); err != nil {
			return err
		}
	}
	c.Point("last")
	for _, v := range c.values {
		if row := decodeSimRow(v.value); row != v.row {
			c.fail("a value that was %v has become %v before the transaction has ended", v.row, row)
		}
	}
	if c.guarded != nil && c.Choose(8) == 0 {
		c.Tracef("unguard")
		c.txn.Unguard()
		c.guarded = nil
		c.Point("unguarded")
	}
	if c.Choose(10) == 0 {
		return nil
	}
	return c.commit()
}

// restart begins the transaction anew with its locks.
func (c *simClient) restart() error {
	guard := c.Choose(2) == 0
	c.guarded = append(c.guarded, c.reads, c.checks)
	if !guard {
		c.guarded = nil
	}
	c.scan, c.scanned = nil, nil
	err := c.txn.Restart(context.Background(), guard)
	c.Tracef("restart at %d, guard %v: %v", c.txn.ReadVersion(), guard, err)
	if err != nil {
		return err
	}
	c.count("restart")
	c.own, c.reads, c.values, c.marks = simWrites{}, simFootprint{}, c.values[:0], c.marks[:0]
	c.checks, c.needs = simFootprint{}, nil
	c.askNothing()
	c.restarted, c.gaveWay = c.txn.ReadVersion(), false
	if guard && c.store.guards.list[0] != c.txn.guard {
		c.gaveWay = true // to those before it
	}
	if c.restarted < c.acknowledged {
		c.fail("a transaction restarts at version %d, and %d was acknowledged", c.restarted, c.acknowledged)
	}
	return nil
}

func (c *simClient) rollback() {
	c.Tracef("rollback")
	c.forgetLocks()
	c.txn.Rollback()
}

// simActions are what a client does in a transaction. Each simulation draws how often it does which.
var simActions = [...]struct {
	writes bool // not for read-only transactions
	do     func(*simClient) error
}{
	{false, func(c *simClient) error { return c.get(c.txn, &c.own) }},
	{false, func(c *simClient) error { return c.scanAll(c.txn, &c.own) }},
	{false, (*simClient).move},
	{false, (*simClient).view},
	{false, (*simClient).waitDurable},
	{true, (*simClient).blindWrite},
	{true, (*simClient).lockedWrite},
	{true, (*simClient).lock},
	{true, (*simClient).observe},
	{true, func(c *simClient) error { c.mark(); return nil }},
	{true, (*simClient).goBack},
	{true, (*simClient).refresh},
}

// simQueueActions are the actions of those who scan, add and remove, as they do with a queue: gaps come and go.
var simQueueActions = []int{1, 1, 1, 1, 1, 5, 5}

// sumActions are actions on accumulators.
var sumActions = [...]func(*simClient) error{
	(*simClient).accumulate, (*simClient).accumulated, (*simClient).require, (*simClient).replace,
}

// simQueueSums are those of accumulators beside them, which come and go as well.
var simQueueSums = []int{len(simActions), len(simActions), len(simActions), len(simActions) + 1, len(simActions) + 3}

// drawActions makes the list that actions are drawn from, some of them many times and some not at all.
func (s *simulation) drawActions() {
	for len(s.actions) == 0 {
		for i := range simActions {
			for range []int{0, 1, 1, 4, 12}[s.Choose(5)] {
				s.actions = append(s.actions, i)
			}
		}
	}
	if !s.sums {
		return
	}
	for i, often := range []int{12, 4, 8, 1} {
		for range s.Choose(1 + often) {
			s.actions = append(s.actions, len(simActions)+i)
		}
	}
}

// step does one thing in the transaction.
func (c *simClient) step() error {
	n := c.actions[c.Choose(len(c.actions))]
	if n >= len(simActions) {
		if c.txn.options.ReadOnly {
			return nil
		}
		return sumActions[n-len(simActions)](c)
	}
	action := &simActions[n]
	if action.writes && c.txn.options.ReadOnly {
		return nil
	}
	return action.do(c)
}

// view reads through a view, before which it has written something that does not show.
func (c *simClient) view() error {
	view, own := c.txn.View(), c.own
	if !c.txn.options.ReadOnly {
		if err := c.blindWrite(); err != nil {
			return err
		}
	}
	if err := c.get(view, &own); err != nil {
		return err
	}
	return c.scanAll(view, &own)
}

func (c *simClient) waitDurable() error {
	if err := c.txn.WaitDurable(c.ctx()); err != nil {
		return c.canceled(err)
	}
	if at := c.txn.ReadVersion(); at > c.disk.durable() {
		c.fail("version %d is said to be durable, but that is %d", at, c.disk.durable())
	}
	return nil
}

// canceled passes on an error that the client has caused itself, if it has.
func (c *simClient) canceled(err error) error {
	if errors.Is(err, context.Canceled) {
		c.count("canceled")
		if c.context == nil || !c.context.canceled {
			c.fail("canceled by nobody: %v", err)
		}
	}
	return err
}

func (c *simClient) key() int { return c.Choose(c.keys) }

func (c *simClient) columns() kv.ColumnSet {
	switch n := c.Choose(4); n {
	case 0:
		return kv.Existence
	case 1, 2:
		return kv.Column(n)
	}
	return kv.AllColumns
}

// row returns numbers never written before.
func (c *simClient) row() simRow {
	r := simRow{present: true}
	for i := range r.columns {
		c.lastNumber++
		r.columns[i] = c.lastNumber
	}
	return r
}

// stored is the row of a key in the snapshot.
func (c *simClient) stored(key int) simRow { return c.model.at(key, c.txn.ReadVersion()) }

// get reads a key. own are the writes that the reader sees.
func (c *simClient) get(r kv.Reader, own *simWrites) error {
	r, marked := c.marking(r)
	_, err := c.getKey(r, marked, own, c.key(), c.columns())
	return err
}

// marking is whether a read is to be marked, and the reader for that.
func (c *simClient) marking(r kv.Reader) (kv.Reader, bool) {
	if !c.sums || c.Choose(3) != 0 {
		return r, false
	}
	return r.Marked(), true
}

func (c *simClient) footprint(marked bool) *simFootprint {
	if marked {
		return &c.checks
	}
	return &c.reads
}

func (c *simClient) getKey(r kv.Reader, marked bool, own *simWrites, key int, cols kv.ColumnSet) (simRow, error) {
	value, ok, err := r.Get(context.Background(), simKeys[key], cols)
	if err != nil {
		return simRow{}, err
	}
	var row simRow
	if ok {
		row = decodeSimRow(value)
		c.values = append(c.values, simValue{value, row})
	}
	if c.Tracing() {
		c.Tracef("get %d (marked %v): %v", key, marked, row)
	}
	if want := own.over(key, c.stored(key)); row != want {
		c.fail("read %v in key %d, which is %v at version %d", row, key, want, c.txn.ReadVersion())
	}
	if rest := (cols | kv.Existence) &^ own[key].columns; rest != 0 {
		reads := &c.footprint(marked).reads
		*reads = append(*reads, simRead{key, rest, row})
	}
	return row, nil
}

// open opens a scan.
func (c *simClient) open(r kv.Reader, own *simWrites) (kv.Iterator, *simScan) {
	from := c.Choose(simRows)
	s := &simScan{
		from: from, to: from + c.Choose(simRows-from+1), reverse: c.Choose(2) == 0, columns: c.columns(), own: *own,
	}
	bounds := kv.KeyRange{Start: simKeys[s.from]}
	if s.to < simRows {
		bounds.End = simKeys[s.to]
	} else {
		s.to = len(simKeys)
	}
	r, s.marked = c.marking(r)
	return r.Scan(context.Background(), bounds, kv.ScanOptions{Reverse: s.reverse, Columns: s.columns}), s
}

// next moves a scan, and reports whether it is at a pair.
func (c *simClient) next(it kv.Iterator, s *simScan) (bool, error) {
	if len(s.got) == 0 {
		scans := &c.footprint(s.marked).scans
		*scans = append(*scans, s)
	}
	key, want, any := s.next(c.stored)
	if !it.Next() {
		if err := it.Err(); err != nil {
			return false, err
		}
		if any {
			c.fail("scan of keys %d to %d ends before key %d", s.from, s.to, key)
		}
		s.ended = true
		return false, nil
	}
	found, row := simKeyNumber(it.Key()), decodeSimRow(it.Value())
	if !any || found != key || row != want {
		c.fail("scan of keys %d to %d (reverse %v) finds %v in key %d; at version %d there is %v in key %d (any %v)",
			s.from, s.to, s.reverse, row, found, c.txn.ReadVersion(), want, key, any)
	}
	s.got = append(s.got, simRead{key: key, row: row})
	return true, nil
}

// scanAll scans a range, or the beginning of it.
func (c *simClient) scanAll(r kv.Reader, own *simWrites) error {
	it, s := c.open(r, own)
	for c.Choose(5) != 0 {
		more, err := c.next(it, s)
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if !more {
			break
		}
	}
	if c.Tracing() {
		c.Tracef("scan %d to %d (reverse %v): %v (ended: %v)", s.from, s.to, s.reverse, s.got, s.ended)
	}
	return it.Close()
}

// move moves the open scan, or opens one. It stays open over other steps.
func (c *simClient) move() error {
	if c.scan == nil {
		c.scan, c.scanned = c.open(c.txn, &c.own)
	}
	more, err := c.next(c.scan, c.scanned)
	if c.Tracing() {
		c.Tracef("move scan %d to %d (reverse %v): %v", c.scanned.from, c.scanned.to, c.scanned.reverse, c.scanned.got)
	}
	if !more {
		err = errors.Join(err, c.scan.Close())
		c.scan, c.scanned = nil, nil
	}
	return err
}

func (c *simClient) observe() error {
	if key := c.key(); c.Choose(2) == 0 {
		cols := c.columns() | kv.Existence
		c.txn.Observe(simKeys[key], cols)
		c.reads.reads = append(c.reads.reads, simRead{key, cols, c.stored(key)})
		c.Tracef("observe %d, columns %x", key, cols)
		return nil
	}
	from := c.Choose(simRows - 1)
	s := &simScan{from: from, to: from + 1 + c.Choose(simRows-1-from), columns: c.columns(), ended: true}
	c.txn.ObserveRange(kv.KeyRange{Start: simKeys[s.from], End: simKeys[s.to]}, s.columns)
	for {
		key, row, any := s.next(c.stored)
		if !any {
			break
		}
		s.got = append(s.got, simRead{key: key, row: row})
	}
	c.reads.scans = append(c.reads.scans, s)
	c.Tracef("observe %d to %d, columns %x", s.from, s.to, s.columns)
	return nil
}

// mark makes a savepoint.
func (c *simClient) mark() {
	c.Tracef("savepoint %d", len(c.marks))
	c.marks = append(c.marks, simMark{
		c.txn.Savepoint(), c.own, len(c.reads.reads), len(c.reads.scans), len(c.needs), c.asked,
		len(c.checks.reads), len(c.checks.scans), c.rechecked,
	})
}

// goBack goes back to a savepoint, if there is one.
func (c *simClient) goBack() error {
	if len(c.marks) == 0 {
		return nil
	}
	n := c.Choose(len(c.marks))
	if c.Choose(2) == 0 {
		c.Tracef("roll back to %d", n)
		c.txn.RollbackTo(c.marks[n].mark)
		c.own, c.needs = c.marks[n].own, c.needs[:c.marks[n].needs]
		if c.Choose(2) == 0 {
			c.unlock(n)
		}
		c.marks = c.marks[:n+1]
		return nil
	}
	c.retract(n)
	return nil
}

// retract takes back the reads and writes since a savepoint.
func (c *simClient) retract(n int) {
	m := c.marks[n]
	c.Tracef("retract to %d", n)
	c.txn.Retract(m.mark)
	c.own, c.needs, c.marks = m.own, c.needs[:m.needs], c.marks[:n+1]
	c.reads.reads = c.reads.reads[:m.reads]
	retracted := slices.Clone(c.reads.scans[m.scans:])
	c.reads.scans = c.reads.scans[:m.scans]
	if m.rechecked != c.rechecked { // what was marked before is forgotten
		m.checkReads, m.checkScans = 0, 0
	}
	retracted = append(retracted, c.checks.scans[m.checkScans:]...)
	c.checks.reads, c.checks.scans = c.checks.reads[:m.checkReads], c.checks.scans[:m.checkScans]
	for _, s := range retracted {
		if s == c.scanned {
			if c.scan.Next() {
				c.fail("a retracted scan goes on")
			}
			c.scan.Close()
			c.scan, c.scanned = nil, nil
		}
	}
}

// refresh moves the snapshot.
func (c *simClient) refresh() error {
	before := c.txn.ReadVersion()
	err := c.txn.Refresh(context.Background())
	c.Tracef("refresh from %d to %d: %v", before, c.txn.ReadVersion(), err)
	if err != nil {
		return c.conflict(err)
	}
	c.count("refresh")
	if after := c.txn.ReadVersion(); after < before {
		c.fail("refreshed from %d to %d", before, after)
	}
	if err := c.check(c.txn.ReadVersion()); err != nil {
		c.fail("refreshed, but %v", err)
	}
	return nil
}

// check compares all reads with the state of a version.
func (c *simClient) check(v kv.Version) error {
	return errors.Join(c.reads.check(&c.model, v), c.checks.check(&c.model, v))
}

// recheck moves the snapshot without the marked reads.
func (c *simClient) recheck() error {
	before := c.txn.ReadVersion()
	err := c.txn.Recheck(context.Background())
	c.Tracef("recheck from %d to %d: %v", before, c.txn.ReadVersion(), err)
	if err != nil {
		return c.conflict(err)
	}
	c.count("recheck")
	if after := c.txn.ReadVersion(); after < before {
		c.fail("rechecked from %d to %d", before, after)
	}
	c.checks = simFootprint{}
	c.rechecked++
	if err := c.check(c.txn.ReadVersion()); err != nil {
		c.fail("rechecked, but %v", err)
	}
	if c.scan != nil && c.scanned.marked && len(c.scanned.got) > 0 {
		if c.scan.Next() {
			c.fail("a marked scan goes on after a recheck")
		}
		c.scan.Close()
		c.scan, c.scanned = nil, nil
	}
	return nil
}

// conflict passes on an error after having looked for the reason of a conflict.
func (c *simClient) conflict(err error) error {
	switch {
	case errors.Is(err, kv.ErrRecheck):
		c.count("marked conflict")
		if !c.coarse && !c.checks.changed(&c.model, c.txn.ReadVersion()) {
			c.fail("a conflict of marked reads without reason: %v", err)
		}
	case !errors.Is(err, kv.ErrConflict):
		return err
	default:
		c.count("conflict")
		if !c.coarse && !c.reads.changed(&c.model, c.txn.ReadVersion()) {
			c.fail("a conflict without reason: %v", err)
		}
	}
	for i := range c.guarded {
		if !c.gaveWay && c.guarded[i].changed(&c.model, c.restarted) {
			c.fail("what a guarded transaction has read, which restarted at version %d, has been changed", c.restarted)
		}
	}
	return err
}

// blindWrite writes a whole row, or none, without having read it.
func (c *simClient) blindWrite() error {
	key := c.key()
	if c.Choose(3) == 0 {
		return c.delete(key)
	}
	return c.set(key, c.row(), kv.AllColumns)
}

func (c *simClient) set(key int, row simRow, cols kv.ColumnSet) error {
	padding := 0
	if c.Choose(64) == 0 {
		padding = 100
	}
	if err := c.txn.Set(simKeys[key], row.encode(padding), cols); err != nil {
		return err
	}
	c.own.put(key, row, cols)
	c.Tracef("set %d: %v, columns %x", key, row, cols)
	return nil
}

func (c *simClient) delete(key int) error {
	if err := c.txn.Delete(simKeys[key]); err != nil {
		return err
	}
	c.own.put(key, simRow{}, kv.AllColumns)
	c.Tracef("delete %d", key)
	return nil
}

// lockedWrite locks a key and changes a column of its row, or inserts or deletes it.
func (c *simClient) lockedWrite() error {
	key := c.key()
	mode := kv.LockNoKeyUpdate
	remove := c.Choose(5) == 0
	if remove {
		mode = kv.LockUpdate
	}
	locked, err := c.lockMode([]int{key}, mode, c.policy())
	if err != nil || !locked {
		return err
	}
	c.Point("has lock")
	column := c.Choose(simColumns)
	row, err := c.getKey(c.txn, false, &c.own, key, kv.Column(column+1)) // no write rests on marked reads
	switch {
	case err != nil:
		return err
	case remove:
		return c.delete(key)
	case !row.present:
		return c.set(key, c.row(), kv.AllColumns)
	}
	c.lastNumber++
	row.columns[column] = c.lastNumber
	return c.set(key, row, kv.Column(column+1))
}

// commit commits the transaction.
func (c *simClient) commit() error {
	read := c.txn.ReadVersion()
	nothing := c.own.empty()
	c.committing = true
	c.Tracef("commits")
	version, err := c.txn.Commit(c.ctx())
	c.committing = false
	c.Tracef("commit: %d, %v", version, err)
	switch {
	case errors.Is(err, kv.ErrConflict), errors.Is(err, kv.ErrRecheck):
		c.scan, c.scanned = nil, nil // the commit has closed it
		if nothing || c.registered {
			c.fail("a transaction without writes, or a committed one, has a conflict")
		}
		return c.conflict(err)
	case kv.Restartable(err):
		return c.refused(err, nothing)
	case errors.Is(err, kv.ErrUnavailable) && c.registered && !errors.Is(err, kv.ErrCommitUnknown):
		c.fail("a transaction that was committed is answered with %v", err)
	case err != nil:
		return c.canceled(err)
	}
	c.count("commit")
	switch {
	case version > c.disk.durable():
		c.fail("version %d is acknowledged, and %d is durable", version, c.disk.durable())
	case nothing && version != read:
		c.fail("without writes, committed as %d at version %d", version, read)
	case !nothing && (!c.registered || version != c.version):
		c.fail("committed as %d, but sequenced as %d (%v)", version, c.version, c.registered)
	}
	if nothing {
		if err := c.check(version); err != nil {
			c.fail("committed as %d, but %v", version, err)
		}
	}
	c.acknowledged = max(c.acknowledged, version)
	return nil
}

// register puts the transaction, which has been sequenced, into the model, after having compared what it has read
// with the state it comes after.
func (c *simClient) register() {
	c.registered, c.version = true, c.txn.version
	if c.Tracing() {
		c.Tracef("client %d is sequenced as %d", c.number, c.version)
	}
	if c.version != c.model.version+1 {
		c.fail("client %d is sequenced as %d after %d", c.number, c.version, c.model.version)
	}
	if err := c.check(c.model.version); err != nil {
		c.fail("client %d is sequenced as %d, but %v", c.number, c.version, err)
	}
	if err := c.model.add(&c.own); err != nil {
		c.fail("client %d: %v", c.number, err)
	}
	c.checkNeeds()
}

// fail ends the simulation, unless the store has been replaced by another one since the call began: the model is that
// one's then.
func (c *simClient) fail(format string, args ...any) {
	if c.store != c.simulation.store {
		panic(simulate.Interrupted{})
	}
	c.Fail(fmt.Errorf(format, args...))
}
