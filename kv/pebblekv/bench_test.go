package pebblekv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/kv"
	"holdfast/kv/conformance"

	"github.com/cockroachdb/pebble/v2"
)

// Benchmarks run on the real disk, in HOLDFAST_BENCH_DIR or the folder for temporary files. Those called Raw do the
// same with Pebble alone, as the limit to come close to.

func benchFolder(b *testing.B) string {
	dir, err := os.MkdirTemp(os.Getenv("HOLDFAST_BENCH_DIR"), "holdfast-bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func benchStore(b *testing.B) *Store {
	return mustOpen(b, Options{Folder: benchFolder(b) + "/data", Logger: quiet})
}

func benchRaw(b *testing.B) *pebble.DB {
	o := Options{Folder: benchFolder(b), Logger: quiet}.withDefaults()
	engine := o.pebble(pebble.DefaultLogger, nil, new(areas))
	engine.Logger = engineLogger{&Store{options: o}}
	defer engine.Cache.Unref()
	db, err := pebble.Open(o.Folder, engine)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

// benchKey is like the key of a row: table, index, number, in a memory of its own.
func benchKey(n uint64) []byte {
	key := make([]byte, 0, 17)
	key = append(key, 1, 0, 0, 0, 100, 0, 0, 0, 1)
	return binary.BigEndian.AppendUint64(key, n)
}

// benchNumber spreads numbers over all keys.
func benchNumber(n uint64) uint64 { return n * 0x9e3779b97f4a7c15 }

// parallel runs b.N calls of f in a number of goroutines.
func parallel(b *testing.B, goroutines int, f func(n uint64)) {
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Uint64
	var wait sync.WaitGroup
	for range goroutines {
		wait.Go(func() {
			for {
				n := next.Add(1)
				if n > uint64(b.N) {
					return
				}
				f(n)
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

var writerCounts = []int{1, 16, 64, 256}

// BenchmarkCommit commits single rows of 100 bytes with new keys.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range writerCounts {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s := benchStore(b)
			ctx := context.Background()
			value := make([]byte, 100)
			parallel(b, writers, func(n uint64) {
				txn, err := s.Begin(ctx, kv.TxnOptions{})
				if err == nil {
					err = txn.Set(benchKey(benchNumber(n)), value, kv.AllColumns)
				}
				if err == nil {
					_, err = txn.Commit(ctx)
				}
				if err != nil {
					b.Error(err)
				}
			})
			stats := s.Stats()
			b.ReportMetric(float64(stats.Commits)/float64(stats.Groups), "commits/group")
		})
	}
}

// BenchmarkCommitRaw is a synced Pebble write of the same row.
func BenchmarkCommitRaw(b *testing.B) {
	for _, writers := range writerCounts {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			db := benchRaw(b)
			value := make([]byte, 100)
			parallel(b, writers, func(n uint64) {
				if err := db.Set(benchKey(benchNumber(n)), value, pebble.Sync); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkAccumulate commits rows like BenchmarkCommit, each of which adds to one accumulator of the group that it is in, under a
// bound: of one group, which is in memory, and of so many that their values are read.
func BenchmarkAccumulate(b *testing.B) {
	for _, writers := range []int{1, 64, 256} {
		for _, groups := range []uint64{1, 100_000} {
			b.Run(fmt.Sprintf("%d/groups=%d", writers, groups), func(b *testing.B) {
				o := Options{Folder: benchFolder(b) + "/data", Logger: quiet, Merge: conformance.Merge}
				s := mustOpen(b, o)
				ctx := context.Background()
				value := make([]byte, 100)
				parallel(b, writers, func(n uint64) {
					txn, err := s.Begin(ctx, kv.TxnOptions{})
					if err == nil {
						err = txn.Set(benchKey(benchNumber(n)), value, kv.AllColumns)
					}
					sum := fmt.Appendf(nil, "sum%08d", benchNumber(n)%groups)
					if err == nil {
						// Up and down, so that the number stays small.
						err = txn.Accumulate(sum, []byte([]string{"1", "-1"}[n%2]))
					}
					if err == nil {
						txn.Require([][]byte{sum}, func(values [][]byte) error {
							if len(values[0]) > 10 {
								return errors.New("beyond the bound")
							}
							return nil
						})
						_, err = txn.Commit(ctx)
					}
					if err != nil {
						b.Error(err)
					}
				})
				stats := s.Stats()
				b.ReportMetric(float64(stats.Commits)/float64(stats.Groups), "commits/group")
			})
		}
	}
}

// BenchmarkBulk commits rows of 1 KB in transactions of 1000; the unit is a row.
func BenchmarkBulk(b *testing.B) {
	const batch = 1000
	s := benchStore(b)
	ctx := context.Background()
	value := make([]byte, 1024)
	b.SetBytes(1024)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		txn, err := s.Begin(ctx, kv.TxnOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for range min(batch, b.N-n) {
			n++
			if err := txn.Set(benchKey(uint64(n)), value, kv.AllColumns); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := txn.Commit(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkBulkRaw does the same with Pebble batches.
func BenchmarkBulkRaw(b *testing.B) {
	const batch = 1000
	db := benchRaw(b)
	value := make([]byte, 1024)
	b.SetBytes(1024)
	b.ResetTimer()
	for n := 0; n < b.N; {
		batchOf := db.NewBatch()
		for range min(batch, b.N-n) {
			n++
			_ = batchOf.Set(benchKey(uint64(n)), value, nil)
		}
		if err := db.Apply(batchOf, pebble.Sync); err != nil {
			b.Fatal(err)
		}
		batchOf.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkHotRow counts up one row in autocommit statements that lock it first, and start over when it has been
// written since their snapshot.
func BenchmarkHotRow(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s := benchStore(b)
			ctx := context.Background()
			key := benchKey(1)
			setup, _ := s.Begin(ctx, kv.TxnOptions{})
			_ = setup.Set(key, make([]byte, 100), kv.AllColumns)
			if _, err := setup.Commit(ctx); err != nil {
				b.Fatal(err)
			}
			column := kv.Column(2)
			parallel(b, writers, func(uint64) {
				if err := countUp(ctx, s, key, column); err != nil {
					b.Error(err)
				}
			})
			txn, _ := s.Begin(ctx, kv.TxnOptions{ReadOnly: true})
			defer txn.Rollback()
			value, _, _ := txn.Get(ctx, key, kv.AllColumns)
			if got := binary.BigEndian.Uint64(value); got != uint64(b.N) {
				b.Errorf("counted to %d of %d", got, b.N)
			}
		})
	}
}

func countUp(ctx context.Context, s *Store, key []byte, column kv.ColumnSet) error {
	txn, err := s.Begin(ctx, kv.TxnOptions{})
	if err != nil {
		return err
	}
	defer txn.Rollback()
	start := txn.Savepoint()
	keys := [][]byte{key}
	for {
		old, ok, err := txn.Get(ctx, key, column)
		if err != nil || !ok {
			return errors.Join(err, errors.New("no row"))
		}
		err = txn.Lock(ctx, keys, kv.LockNoKeyUpdate, kv.WaitPolicy{})
		if errors.Is(err, kv.ErrStale) {
			txn.Retract(start)
			if err := txn.Refresh(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		value := append([]byte(nil), old...)
		binary.BigEndian.PutUint64(value, binary.BigEndian.Uint64(value)+1)
		if err := txn.Set(key, value, column); err != nil {
			return err
		}
		_, err = txn.Commit(ctx)
		return err
	}
}

const benchRows = 1_000_000

// filledStore is a store of benchRows rows.
func filledStore(b *testing.B) *Store {
	s := benchStore(b)
	fill(b, pebbleOf(s))
	// A commit, for a snapshot that has them.
	ctx := context.Background()
	txn, _ := s.Begin(ctx, kv.TxnOptions{})
	_ = txn.Set([]byte("last"), nil, kv.AllColumns)
	if _, err := txn.Commit(ctx); err != nil {
		b.Fatal(err)
	}
	return s
}

// fill writes rows of 100 bytes and moves them out of the memtables.
func fill(b *testing.B, db *pebble.DB) {
	value := make([]byte, 100)
	for n := 0; n < benchRows; {
		batch := db.NewBatch()
		for range 10_000 {
			_ = batch.Set(benchKey(uint64(n)), value, nil)
			n++
		}
		if err := db.Apply(batch, pebble.NoSync); err != nil {
			b.Fatal(err)
		}
		batch.Close()
	}
	if err := db.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := db.Compact(context.Background(), benchKey(0), benchKey(benchRows), true); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkGet reads one row in a transaction of its own.
func BenchmarkGet(b *testing.B) {
	s := filledStore(b)
	for _, c := range []struct {
		name    string
		options kv.TxnOptions
	}{{"ReadOnly", kv.TxnOptions{ReadOnly: true}}, {"ReadWrite", kv.TxnOptions{}}} {
		b.Run(c.name, func(b *testing.B) {
			ctx := context.Background()
			parallel(b, 1, func(n uint64) {
				txn, err := s.Begin(ctx, c.options)
				if err != nil {
					b.Fatal(err)
				}
				if _, ok, err := txn.Get(ctx, benchKey(benchNumber(n)%benchRows), kv.AllColumns); !ok || err != nil {
					b.Fatal(ok, err)
				}
				if _, err := txn.Commit(ctx); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkGetRaw reads one row from Pebble.
func BenchmarkGetRaw(b *testing.B) {
	db := benchRaw(b)
	fill(b, db)
	b.Run("1", func(b *testing.B) {
		parallel(b, 1, func(n uint64) {
			_, closer, err := db.Get(benchKey(benchNumber(n) % benchRows))
			if err != nil {
				b.Fatal(err)
			}
			closer.Close()
		})
	})
}

// BenchmarkScan reads keys and values of ranges, of all rows and of ten; the unit is a row.
func BenchmarkScan(b *testing.B) {
	s := filledStore(b)
	ctx := context.Background()
	for _, rows := range []int{10, benchRows} {
		for _, reverse := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/reverse=%v", rows, reverse), func(b *testing.B) {
				b.ReportAllocs()
				bytes := 0
				for n := 0; n < b.N; {
					txn, err := s.Begin(ctx, kv.TxnOptions{})
					if err != nil {
						b.Fatal(err)
					}
					at := benchNumber(uint64(n)) % uint64(benchRows-rows+1)
					it := txn.Scan(ctx, kv.KeyRange{Start: benchKey(at), End: benchKey(at + uint64(rows))},
						kv.ScanOptions{Columns: kv.AllColumns, Reverse: reverse})
					for it.Next() {
						bytes += len(it.Key()) + len(it.Value())
						n++
					}
					if err := it.Close(); err != nil {
						b.Fatal(err)
					}
					txn.Rollback()
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkScanRaw does the same with Pebble.
func BenchmarkScanRaw(b *testing.B) {
	db := benchRaw(b)
	fill(b, db)
	for _, rows := range []int{10, benchRows} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			bytes := 0
			for n := 0; n < b.N; {
				at := benchNumber(uint64(n)) % uint64(benchRows-rows+1)
				it, err := db.NewIter(&pebble.IterOptions{LowerBound: benchKey(at), UpperBound: benchKey(at + uint64(rows))})
				if err != nil {
					b.Fatal(err)
				}
				for ok := it.First(); ok; ok = it.Next() {
					bytes += len(it.Key()) + len(it.Value())
					n++
				}
				it.Close()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
