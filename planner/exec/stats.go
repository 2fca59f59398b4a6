package exec

import (
	"time"

	"holdfast/sql/types"
)

// Stats are the measurements of a node in an instrumented execution.
type Stats struct {
	Rows    int64 // over all loops
	Loops   int64
	Startup time.Duration // until the first rows, over all loops
	Total   time.Duration
	// Removed counts rows that did not pass the node's own filter or join condition.
	Removed int64
	// Memory is the most bytes held, Disk the bytes written to temporary files.
	Memory, Disk int64
	// Batches counts the parts a hash table was split into, or the runs of a sort.
	Batches int
}

// measured is implemented by operators that have more to tell than rows and time.
type measured interface {
	measure(s *Stats)
}

// instrument wraps an operator so that it fills in the node's Stats.
func (b *Builder) instrument(n Node, op Operator) Operator {
	s := &Stats{}
	b.stats[n] = s
	return &instrumented{op: op, stats: s, timing: b.timing}
}

// instrumented measures an operator. What it hands through is unchanged.
type instrumented struct {
	op     Operator
	stats  *Stats
	timing bool
	first  bool // no rows yet in this loop
}

func (o *instrumented) clock() time.Time {
	if o.timing {
		return time.Now()
	}
	return time.Time{}
}

func (o *instrumented) add(start time.Time) {
	if o.timing {
		d := time.Since(start)
		o.stats.Total += d
		if o.first {
			o.stats.Startup += d
		}
	}
}

func (o *instrumented) Open(ctx *Ctx) error {
	o.stats.Loops++
	o.first = true
	start := o.clock()
	err := o.op.Open(ctx)
	o.add(start)
	return err
}

func (o *instrumented) Next(ctx *Ctx, max int) (*types.Batch, error) {
	start := o.clock()
	b, err := o.op.Next(ctx, max)
	o.add(start)
	o.first = false
	if b != nil {
		o.stats.Rows += int64(b.N)
	}
	if m, ok := o.op.(measured); ok {
		m.measure(o.stats)
	}
	return b, err
}

func (o *instrumented) Close() error {
	if m, ok := o.op.(measured); ok {
		m.measure(o.stats)
	}
	return o.op.Close()
}

// Affected passes on what the operator counts.
func (o *instrumented) Affected() int64 {
	if a, ok := o.op.(interface{ Affected() int64 }); ok {
		return a.Affected()
	}
	return 0
}
