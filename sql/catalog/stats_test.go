package catalog

import (
	"testing"

	"holdfast/kv/memkv"
	"holdfast/sql/types"
)

func TestStats(t *testing.T) {
	store := memkv.New(memkv.Options{})
	c := open(t, store)
	tab, gone := table("t", column("id", types.Int4)), table("gone", column("id", types.Int4))
	ddl(t, c, put(tab, gone))
	c.Stats(tab.OID).Add(10, 100)
	c.Stats(tab.OID).Add(-3, -30)
	c.Stats(gone.OID).Add(5, 5)
	if s := current(t, c).Stats(tab.OID); s.Rows() != 7 || s.Bytes() != 70 {
		t.Errorf("%d rows, %d bytes", s.Rows(), s.Bytes())
	}
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
	c = open(t, store)
	if s := c.Stats(tab.OID); s.Rows() != 7 || s.Bytes() != 70 {
		t.Errorf("after opening again: %d rows, %d bytes", s.Rows(), s.Bytes())
	}
	// A great change is written down at once.
	c.Stats(tab.OID).Add(5000, 50000)
	c.stats.saved.Wait()
	c = open(t, store.Crash())
	if s := c.Stats(tab.OID); s.Rows() != 5007 {
		t.Errorf("after a crash: %d rows", s.Rows())
	}
}
