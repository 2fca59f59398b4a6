package catalog

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/kv"
	"holdfast/sql/errs"
)

// Catalog is the schema of one store: it makes Snapshots, hands out OIDs and storage prefixes, and keeps what
// lives outside transactions (sequence values and row counts). It is safe for concurrent use.
//
// Finding the schema must cost nothing per statement. The newest Snapshot is therefore kept with the read
// version from which it is known to hold, and a transaction that reads at or after it takes it without
// touching the store. What makes that sound is that all DDL of a store goes through its one Catalog: the
// first DDL write of a transaction takes the kept Snapshot away, and none is kept again before that
// transaction is Finished. Meanwhile, other transactions read one key, whose value changes with every DDL
// statement, and find the Snapshot by that value. That read depends on a column of the key that nobody
// writes, so that it is in no conflict with DDL; what a statement really depends on, it Observes.
//
// The alternative, to let every statement read the version key, was measured at a point read and a footprint
// entry per statement; to let DDL wait for all others, as a lock on the schema would, stops the server.
type Catalog struct {
	store      kv.Store
	oids       allocator
	storages   allocator
	sequences  *Sequences
	rowNumbers rowNumbers
	stats      statsTable
	ruleStats  ruleStatsTable

	current atomic.Pointer[currentSnapshot]

	mu      sync.Mutex
	writers map[kv.Txn]struct{} // transactions with DDL that are not Finished; current is nil while there are any
	active  atomic.Int32        // len(writers), to be read without mu
	lastDDL kv.Version          // no DDL was committed after it, but by writers
	known   []*Snapshot         // loaded from committed states, the latest last; at most knownSnapshots
}

// knownSnapshots bounds how many committed schemas are remembered for transactions that read older ones.
const knownSnapshots = 8

type currentSnapshot struct {
	snapshot *Snapshot
	since    kv.Version
}

// Open reads the catalog of a store. In an empty store it first creates the schemas public, pg_catalog and
// information_schema, the role postgres and the database postgres.
func Open(ctx context.Context, store kv.Store) (*Catalog, error) {
	c := &Catalog{store: store, writers: map[kv.Txn]struct{}{}}
	c.ruleStats.since = time.Now()
	c.oids = allocator{store: store, key: oidKey, what: "OIDs", first: uint64(FirstUserOID), block: 128}
	c.storages = allocator{store: store, key: storageKey, what: "storage IDs", first: 1, block: 128}
	c.sequences = newSequences(store)
	c.rowNumbers.store = store
	if err := runTransaction(ctx, store, func(txn kv.Txn) error { return bootstrap(ctx, txn) }); err != nil {
		return nil, err
	}
	txn, err := store.Begin(ctx, kv.TxnOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer txn.Rollback()
	c.lastDDL = txn.ReadVersion()
	s, err := c.Snapshot(ctx, txn)
	if err != nil {
		return nil, err
	}
	if err := c.stats.load(ctx, c, txn, s); err != nil {
		return nil, err
	}
	return c, nil
}

// bootstrap writes the first objects unless they are there.
func bootstrap(ctx context.Context, txn kv.Txn) error {
	if _, ok, err := txn.Get(ctx, versionKey, kv.AllColumns); ok || err != nil {
		return err
	}
	put := func(kind byte, oid OID, name string, object any) error {
		value, err := encodeObject(newStamp(), object)
		if err == nil {
			err = txn.Set(objectKey(kind, oid), value, kv.AllColumns)
		}
		if err == nil {
			err = txn.Set(nameKey(0, kind, name), nil, kv.AllColumns)
		}
		return err
	}
	for _, n := range []*Schema{
		{OID: PgCatalogOID, Name: "pg_catalog", Owner: PostgresRoleOID, Comment: "system catalog schema"},
		{OID: PublicOID, Name: "public", Owner: DatabaseOwnerRoleOID, Comment: "standard public schema"},
		{OID: InformationSchemaOID, Name: "information_schema", Owner: PostgresRoleOID},
	} {
		if err := put(schemaObject, n.OID, n.Name, n); err != nil {
			return err
		}
	}
	for _, r := range []*Role{
		{OID: PostgresRoleOID, Name: "postgres", Superuser: true, Login: true, Inherit: true, CreateDB: true, CreateRole: true},
		{OID: DatabaseOwnerRoleOID, Name: "pg_database_owner", Inherit: true},
	} {
		if err := put(roleObject, r.OID, r.Name, r); err != nil {
			return err
		}
	}
	return txn.Set(versionKey, stampBytes(newStamp()), kv.AllColumns)
}

// newStamp is a number that no other stamp of the store equals.
func newStamp() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func stampBytes(stamp uint64) []byte { return binary.BigEndian.AppendUint64(nil, stamp) }

// Close writes down what is kept in memory: exact sequence values and row counts. Without it, sequences
// skip the rest of a block and the row counts are older.
func (c *Catalog) Close(ctx context.Context) error {
	err := c.sequences.close(ctx)
	if e := c.stats.close(ctx); err == nil {
		err = e
	}
	return err
}

// Snapshot is the schema at the transaction's read version under the transaction's own DDL. It must be
// called again after txn.Refresh, and after RollbackTo unless the earlier Snapshot is at hand.
func (c *Catalog) Snapshot(ctx context.Context, txn kv.Txn) (*Snapshot, error) {
	if p := c.current.Load(); p != nil && txn.ReadVersion() >= p.since {
		return p.snapshot, nil
	}
	return c.find(ctx, txn)
}

// Current is the newest schema, nil while transactions change it or when nobody has read it yet.
func (c *Catalog) Current() *Snapshot {
	if p := c.current.Load(); p != nil {
		return p.snapshot
	}
	return nil
}

// find is Snapshot by way of the version key.
func (c *Catalog) find(ctx context.Context, txn kv.Txn) (*Snapshot, error) {
	value, ok, err := txn.Get(ctx, versionKey, kv.Existence)
	if err != nil {
		return nil, err
	}
	if !ok || len(value) != 8 {
		return nil, errs.New(errs.DataCorrupted, "the store has no catalog")
	}
	version := binary.BigEndian.Uint64(value)

	c.mu.Lock()
	_, own := c.writers[txn]
	var s, base *Snapshot
	if n := len(c.known); n > 0 {
		base = c.known[n-1]
	}
	for _, k := range c.known {
		if k.Version == version && !own {
			s = k
		}
	}
	c.keep(txn, s)
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}

	if s, err = c.load(ctx, txn, base); err != nil {
		return nil, err
	}
	if own {
		s.Version = newStamp() // another transaction will see version with the changes of others
		return s, nil
	}
	s.Version = version
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.known {
		if k.Version == version {
			s = k // another transaction has loaded it meanwhile
		}
	}
	if len(c.known) == 0 || c.known[len(c.known)-1] != s {
		if len(c.known) == knownSnapshots {
			c.known = c.known[1:]
		}
		c.known = append(c.known[:len(c.known):len(c.known)], s)
	}
	c.keep(txn, s)
	return s, nil
}

// keep makes s current if the transaction proves that it is the newest. mu is held; s may be nil.
func (c *Catalog) keep(txn kv.Txn, s *Snapshot) {
	if s != nil && len(c.writers) == 0 && txn.ReadVersion() >= c.lastDDL {
		c.current.Store(&currentSnapshot{s, c.lastDDL})
	}
}

// load reads the whole schema, decoding only objects that base does not have in the same version. Its reads
// do not count: see Observe.
func (c *Catalog) load(ctx context.Context, txn kv.Txn, base *Snapshot) (*Snapshot, error) {
	mark := txn.Savepoint()
	defer txn.Retract(mark)
	l := newLoader(c, base)
	it := txn.Scan(ctx, kv.PrefixRange(objectPrefix), kv.ScanOptions{Columns: kv.AllColumns, Bulk: true})
	for it.Next() {
		if err := l.add(it.Key(), it.Value()); err != nil {
			it.Close()
			return nil, err
		}
	}
	if err := it.Err(); err != nil {
		it.Close()
		return nil, err
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	return l.finish()
}

// beginDDL registers a transaction that is about to write to the catalog.
func (c *Catalog) beginDDL(txn kv.Txn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.writers[txn]; !ok {
		c.writers[txn] = struct{}{}
		c.active.Add(1)
		c.current.Store(nil)
	}
}

// Finish tells that a transaction is over. It must be called after Commit or Rollback of a transaction that
// has made DDL; for others it does nothing and costs nothing. committed is what Commit returned, 0 after a
// Rollback or an error; unknown says that the outcome is (kv.ErrCommitUnknown).
func (c *Catalog) Finish(txn kv.Txn, committed kv.Version, unknown bool) {
	if c.active.Load() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.writers[txn]; !ok {
		return
	}
	delete(c.writers, txn)
	c.active.Add(-1)
	if unknown {
		committed = math.MaxUint64 // it may still become visible: read the version key from now on
	}
	c.lastDDL = max(c.lastDDL, committed)
}

// NewOIDs allocates n consecutive OIDs and returns the first. They are never used again, whether or not the
// transaction that wants them commits.
func (c *Catalog) NewOIDs(ctx context.Context, n int) (OID, error) {
	v, err := c.oids.take(ctx, n)
	return OID(v), err
}

// NewStorage allocates a storage prefix.
func (c *Catalog) NewStorage(ctx context.Context) (StorageID, error) {
	v, err := c.storages.take(ctx, 1)
	return StorageID(v), err
}

// Sequences are the values of the store's sequences.
func (c *Catalog) Sequences() *Sequences { return c.sequences }

// Stats are the live statistics of a table, shared by all snapshots. They exist for any OID.
func (c *Catalog) Stats(table OID) *TableStats { return c.stats.of(table) }
