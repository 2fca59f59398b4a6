package catalog

import (
	"context"
	"sync"
	"sync/atomic"

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
// transaction, and find the Snapshot by that value. That read depends on a column of the key that nobody
// writes, so that it is in no conflict with DDL; what a statement really depends on, it Observes.
type Catalog struct {
	store kv.Store

	current atomic.Pointer[currentSnapshot]

	mu      sync.Mutex
	writers map[kv.Txn]struct{}
}

type currentSnapshot struct {
	snapshot *Snapshot
	since    kv.Version
}

// Open reads the catalog of a store. In an empty store it first creates the schemas public, pg_catalog and
// information_schema, the role postgres and the database postgres.
func Open(ctx context.Context, store kv.Store) (*Catalog, error) {
	return nil, errs.Unsupported("the catalog")
}

// Close writes down what is kept in memory: exact sequence values and row counts. Without it, sequences
// skip the rest of a block and the row counts are older.
func (c *Catalog) Close(ctx context.Context) error { return nil }

// Snapshot is the schema at the transaction's read version under the transaction's own DDL. It must be
// called again after txn.Refresh, and after RollbackTo unless the earlier Snapshot is at hand.
func (c *Catalog) Snapshot(ctx context.Context, txn kv.Txn) (*Snapshot, error) {
	return nil, errs.Unsupported("the catalog")
}

// Finish tells that a transaction is over. It must be called after Commit or Rollback of a transaction that
// has made DDL; for others it does nothing and costs nothing. committed is what Commit returned, 0 after a
// Rollback or an error; unknown says that the outcome is (kv.ErrCommitUnknown).
func (c *Catalog) Finish(txn kv.Txn, committed kv.Version, unknown bool) {}

// NewOIDs allocates n consecutive OIDs and returns the first. They are never used again, whether or not the
// transaction that wants them commits.
func (c *Catalog) NewOIDs(ctx context.Context, n int) (OID, error) { return 0, nil }

// NewStorage allocates a storage prefix.
func (c *Catalog) NewStorage(ctx context.Context) (StorageID, error) { return 0, nil }

// Sequences are the values of the store's sequences.
func (c *Catalog) Sequences() *Sequences { return nil }

// Stats are the live statistics of a table, shared by all snapshots. They exist for any OID.
func (c *Catalog) Stats(table OID) *TableStats { return nil }
