package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"holdfast/kv"

	"pgregory.net/rapid"
)

// TestFiller: all pairs are written, whatever their order and however many are sorted at a time, unless a key comes twice.
func TestFiller(t *testing.T) {
	s := newStore(t)
	rapid.Check(t, func(t *rapid.T) {
		txn, err := s.kv.Begin(context.Background(), kv.TxnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer txn.Rollback()
		ctx := &Ctx{Txn: txn}
		ctx.Ctx.Context = context.Background()
		f := &filler{unique: rapid.Bool().Draw(t, "unique"), limit: int64(rapid.IntRange(1, 2000).Draw(t, "limit"))}
		numbers := rapid.SliceOfN(rapid.IntRange(0, rapid.SampledFrom([]int{60, 100_000}).Draw(t, "space")), 0, 80).Draw(t, "numbers")
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 0:
			slices.Sort(numbers)
		case 1:
			slices.Sort(numbers)
			slices.Reverse(numbers)
		}
		want := map[string]string{}
		twice := map[string]bool{}
		for i, n := range numbers {
			key := fmt.Sprintf("k%06d", n)
			_, again := want[key]
			twice[key] = twice[key] || again
			if !f.unique && again {
				continue // whoever allows it never has it, since such keys end with a row key
			}
			want[key] = fmt.Sprint(i)
			if err = f.add(ctx, []byte(key), []byte(want[key])); err != nil {
				break
			}
		}
		if err == nil {
			err = f.flush(ctx)
		}
		duplicate := (*errDuplicateKey)(nil)
		expected := f.unique && slices.ContainsFunc(numbers, func(n int) bool { return twice[fmt.Sprintf("k%06d", n)] })
		if errors.As(err, &duplicate) != expected {
			t.Fatalf("%v, although a key comes twice: %v", err, expected)
		}
		if expected {
			if !twice[string(duplicate.key)] {
				t.Fatalf("%q does not come twice", duplicate.key)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		it := txn.Scan(ctx, kv.PrefixRange([]byte("k")), kv.ScanOptions{})
		defer it.Close()
		var last []byte
		n := 0
		for ; it.Next(); n++ {
			if bytes.Compare(it.Key(), last) <= 0 || want[string(it.Key())] != string(it.Value()) {
				t.Fatalf("%q = %q after %q", it.Key(), it.Value(), last)
			}
			last = bytes.Clone(it.Key())
		}
		if n != len(want) {
			t.Fatalf("%d pairs, want %d", n, len(want))
		}
	})
}
