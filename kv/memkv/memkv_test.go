package memkv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"holdfast/kv"
	"holdfast/kv/memkv"
)

var ctx = context.Background()

func begin(t *testing.T, s *memkv.Store, o kv.TxnOptions) kv.Txn {
	t.Helper()
	txn, err := s.Begin(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(txn.Rollback)
	return txn
}

func keys(t *testing.T, it kv.Iterator) string {
	t.Helper()
	out := ""
	for it.Next() {
		out += fmt.Sprintf("%s=%s ", it.Key(), it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestScanMerge reads own writes, deletions and the snapshot as one ordered range in both directions.
func TestScanMerge(t *testing.T) {
	s := memkv.New(memkv.Options{})
	base := begin(t, s, kv.TxnOptions{})
	for _, k := range []string{"a", "b", "c", "d"} {
		base.Set([]byte(k), []byte("0"), kv.AllColumns)
	}
	if _, err := base.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	txn := begin(t, s, kv.TxnOptions{})
	txn.Set([]byte("bb"), []byte("1"), kv.AllColumns)
	txn.Set([]byte("c"), []byte("1"), kv.AllColumns)
	txn.Delete([]byte("a"))
	txn.Delete([]byte("d"))
	txn.Set([]byte("e"), []byte("1"), kv.AllColumns)
	for _, c := range []struct {
		r       kv.KeyRange
		reverse bool
		want    string
	}{
		{kv.KeyRange{}, false, "b=0 bb=1 c=1 e=1 "},
		{kv.KeyRange{}, true, "e=1 c=1 bb=1 b=0 "},
		{kv.KeyRange{Start: []byte("bb"), End: []byte("e")}, false, "bb=1 c=1 "},
		{kv.KeyRange{Start: []byte("bb"), End: []byte("e")}, true, "c=1 bb=1 "},
		{kv.KeyRange{Start: []byte("b"), End: []byte("b")}, true, ""},
		{kv.KeyRange{Start: []byte("d")}, true, "e=1 "},
		{kv.KeyRange{End: []byte("b")}, false, ""},
	} {
		if got := keys(t, txn.Scan(ctx, c.r, kv.ScanOptions{Reverse: c.reverse})); got != c.want {
			t.Errorf("%q reverse=%v: got %q, want %q", c.r, c.reverse, got, c.want)
		}
	}
}

// TestCrash loses what was not durable and nothing else.
func TestCrash(t *testing.T) {
	s := memkv.New(memkv.Options{})
	first := begin(t, s, kv.TxnOptions{})
	first.Set([]byte("durable"), nil, kv.AllColumns)
	if _, err := first.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	s.PauseSync()
	second := begin(t, s, kv.TxnOptions{})
	second.Set([]byte("lost"), nil, kv.AllColumns)
	outcome := make(chan error)
	go func() {
		_, err := second.Commit(ctx)
		outcome <- err
	}()
	for seen := false; !seen; {
		newest := begin(t, s, kv.TxnOptions{Newest: true})
		_, seen, _ = newest.Get(ctx, []byte("lost"), kv.Existence)
		newest.Rollback()
	}
	after := s.Crash()
	if err := <-outcome; !errors.Is(err, kv.ErrCommitUnknown) {
		t.Errorf("commit: %v, want ErrCommitUnknown", err)
	}
	got := keys(t, begin(t, after, kv.TxnOptions{}).Scan(ctx, kv.KeyRange{}, kv.ScanOptions{}))
	if got != "durable= " {
		t.Errorf("after the crash: %q", got)
	}
	if _, err := s.Begin(ctx, kv.TxnOptions{}); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("begin on the crashed store: %v", err)
	}
}
