package exec

import (
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// The window functions that are no aggregates, by name. They see the partition whole, and only first_value,
// last_value and nth_value the frame.

// windowFunction computes one for all rows of the partition.
func (o *windowOp) windowFunction(ctx *Ctx, c *windowCall) error {
	p, n, out := &o.peers, o.rows.N, &c.result
	switch name := c.def.Func.Name; name {
	case "row_number":
		for i := range n {
			out.I[i] = int64(i + 1)
		}
	case "rank":
		for i := range n {
			out.I[i] = int64(p.start(i) + 1)
		}
	case "dense_rank":
		for i := range n {
			out.I[i] = int64(p.group[i] + 1)
		}
	case "percent_rank":
		for i := range n {
			out.F[i] = 0
			if n > 1 {
				out.F[i] = float64(p.start(i)) / float64(n-1)
			}
		}
	case "cume_dist":
		for i := range n {
			out.F[i] = float64(p.end(i)) / float64(n)
		}
	case "ntile":
		return ntile(c.vecs[0], n, out)
	case "lag":
		o.shift(c, -1)
	case "lead":
		o.shift(c, 1)
	case "first_value", "last_value", "nth_value":
		return o.frameValue(ctx, c, name)
	default:
		return errs.Unsupported("window function %s", name)
	}
	return nil
}

// ntile numbers buckets as equal as can be, the larger ones first. Rows are NULL while the number of buckets has not been given.
func ntile(buckets *types.Vec, n int, out *types.Vec) error {
	first := 0
	for first < n && buckets.IsNull(first) {
		out.SetNull(first)
		first++
	}
	if first == n {
		return nil
	}
	count := buckets.I[first]
	if count <= 0 {
		return errs.New(errs.InvalidArgumentForNtile, "argument of ntile must be greater than zero")
	}
	size, larger := int64(n)/count, int64(n)%count
	bucket, left := int64(1), size
	if larger > 0 {
		left++
	}
	for i := first; i < n; i++ {
		if left == 0 {
			bucket++
			left = size
			if bucket <= larger {
				left++
			}
		}
		out.I[i] = bucket
		left--
	}
	return nil
}

// shift is lag and lead: the value some rows away, or the default.
func (o *windowOp) shift(c *windowCall, direction int64) {
	n := int64(o.rows.N)
	for i := range o.rows.N {
		by := int64(1)
		if len(c.vecs) > 1 {
			if c.vecs[1].IsNull(i) {
				c.result.SetNull(i)
				continue
			}
			by = c.vecs[1].I[i]
		}
		switch at := int64(i) + direction*by; {
		case at >= 0 && at < n:
			copyRow(&c.result, i, c.vecs[0], int(at))
		case len(c.vecs) > 2:
			copyRow(&c.result, i, c.vecs[2], i)
		default:
			c.result.SetNull(i)
		}
	}
}

// frameValue is the value of one row of the frame.
func (o *windowOp) frameValue(ctx *Ctx, c *windowCall, name string) error {
	if err := c.frame.begin(ctx, o); err != nil {
		return err
	}
	for i := range o.rows.N {
		from, to, err := c.frame.of(ctx, i)
		if err != nil {
			return err
		}
		nth := int64(1)
		if name == "nth_value" {
			if c.vecs[1].IsNull(i) {
				c.result.SetNull(i)
				continue
			}
			if nth = c.vecs[1].I[i]; nth <= 0 {
				return errs.New(errs.InvalidArgumentForNthValue, "argument of nth_value must be greater than zero")
			}
		}
		if at := o.frameRow(c, i, from, to, nth, name == "last_value"); at >= 0 {
			copyRow(&c.result, i, c.vecs[0], at)
		} else {
			c.result.SetNull(i)
		}
	}
	return nil
}

// frameRow is the nth row of a frame, or its last; -1 if there is none.
func (o *windowOp) frameRow(c *windowCall, row, from, to int, nth int64, last bool) int {
	x := c.frame.excluded(&o.peers, row)
	if x.from == x.to {
		if nth > int64(to-from) {
			return -1
		}
		if last {
			return to - 1
		}
		return from + int(nth) - 1
	}
	if last {
		for i := to - 1; i >= from; i-- {
			if !x.has(i) {
				return i
			}
		}
		return -1
	}
	for i := from; i < to; i++ {
		if !x.has(i) {
			if nth--; nth == 0 {
				return i
			}
		}
	}
	return -1
}
