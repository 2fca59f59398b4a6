package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	memoryInterval = 5 * time.Second
	// memoryIdleBytes is how much memory that is free but still held is left to the runtime's own slow return.
	memoryIdleBytes = 96 << 20
)

// returnMemory gives memory that a large transaction has needed back to the system soon after it has ended. The
// runtime does so too, but over many minutes.
func returnMemory(ctx context.Context) {
	ticker := time.NewTicker(memoryInterval)
	defer ticker.Stop()
	var m runtime.MemStats
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		runtime.ReadMemStats(&m)
		garbage := int64(m.HeapAlloc) - int64(m.NextGC)/2 // what the last collection left is at most half of the next goal
		if int64(m.HeapIdle-m.HeapReleased)+max(garbage, 0) > memoryIdleBytes && time.Since(time.Unix(0, int64(m.LastGC))) > memoryInterval {
			debug.FreeOSMemory()
		}
	}
}
