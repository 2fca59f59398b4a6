//go:build cgo && linux

package pebblekv

/*
#include <malloc.h>
#include <features.h>

static void few_arenas(void) {
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 2);
#endif
}
*/
import "C"

import "sync"

// fewArenas limits the arenas of the C library, where Pebble's cache and memtables live. By default there are
// eight for each core, and what is free in one is no use to the others: the process has been seen to take twice
// the size of the cache. Allocations of whole blocks are too rare to contend for two.
var fewArenas = sync.OnceFunc(func() { C.few_arenas() })
