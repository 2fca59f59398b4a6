package memkv_test

import (
	"testing"

	"holdfast/kv"
	"holdfast/kv/conformance"
	"holdfast/kv/memkv"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(testing.TB) conformance.Harness {
		return harness(memkv.New(memkv.Options{KeyBytes: 1000, ValueBytes: 10_000, TxnBytes: 100_000, Merge: conformance.Merge}))
	})
}

func harness(s *memkv.Store) conformance.Harness {
	current := s
	return conformance.Harness{
		Store:     s,
		PauseSync: func() func() { return current.PauseSync() },
		Waiters:   func(key []byte) int { return current.Waiters(key) },
		Crash: func(testing.TB) kv.Store {
			current = current.Crash()
			return current
		},
	}
}
