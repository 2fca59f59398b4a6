package catalog

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/kv/crashdisk"
	"holdfast/kv/pebblekv"
	"holdfast/sql/types"
)

// openEngine opens a store of the real engine in memory.
func openEngine(t testing.TB, files vfs.FS) *pebblekv.Store {
	t.Helper()
	store, err := pebblekv.Open(pebblekv.Options{Folder: "data", FS: files, CacheBytes: 8 << 20, MemtableBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestEngine makes the schema on the real engine, cuts the power, and finds it again.
func TestEngine(t *testing.T) {
	files := vfs.NewCrashableMem()
	store := openEngine(t, crashdisk.Careful(files))
	c := open(t, store)
	fixture(t, c)
	seq := current(t, c).Relation(PublicOID, "t_id_seq")
	seen := map[int64]bool{}
	for range 100 {
		v, err := c.sequences.NextVal(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		seen[v] = true
	}
	before := dump(t, current(t, c))

	crashed := crashdisk.Clone(files, vfs.CrashCloneCfg{})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openEngine(t, crashed)
	defer store.Close()
	c = open(t, store)
	if after := dump(t, current(t, c)); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	for range 100 {
		v, err := c.sequences.NextVal(ctx, seq)
		if err != nil || seen[v] {
			t.Fatalf("%d again, or %v", v, err)
		}
	}
	if oid, err := c.NewOIDs(ctx, 1); err != nil || current(t, c).RelationByOID(oid) != nil || oid <= seq.OID {
		t.Errorf("OID %d again, or %v", oid, err)
	}
}

// BenchmarkDDL measures a CREATE TABLE in a schema of many tables, and the following first statement of another
// transaction, which loads the change.
func BenchmarkDDL(b *testing.B) {
	for _, tables := range []int{10, 1000} {
		b.Run(fmt.Sprint(tables), func(b *testing.B) {
			store := openEngine(b, vfs.NewMem())
			defer store.Close()
			c := open(b, store)
			var list []*Table
			for i := range tables {
				list = append(list, withKey(table(fmt.Sprint("t", i), column("id", types.Int4), column("a", types.Text), column("b", types.Numeric)), 1))
			}
			ddl(b, c, put(list...))
			current(b, c)
			for i := 0; b.Loop(); i++ {
				ddl(b, c, put(withKey(table(fmt.Sprint("x", i), column("id", types.Int4)), 1)))
				current(b, c)
			}
		})
	}
}
