package exec

import (
	"math/big"
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/types"
)

// Counts, and sums and averages of integers, over any frame are differences of running totals, which are exact. For other aggregates
// a frame that does not begin with the partition is added up anew for each row.

// totals are the running count and sum of the rows that pass: entry i is over rows 0 .. i-1.
type totals struct {
	count []int64
	sum   []int128
}

// int128 is a signed number in two words.
type int128 struct{ hi, lo uint64 }

func (a int128) add(v int64) int128 {
	lo, carry := bits.Add64(a.lo, uint64(v), 0)
	hi, _ := bits.Add64(a.hi, uint64(v>>63), carry)
	return int128{hi, lo}
}

func (a int128) plus(b int128) int128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, carry)
	return int128{hi, lo}
}

func (a int128) minus(b int128) int128 {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, borrow)
	return int128{hi, lo}
}

func (a int128) numeric() *apd.Decimal {
	n := new(big.Int).SetInt64(int64(a.hi))
	n.Lsh(n, 64)
	n.Add(n, new(big.Int).SetUint64(a.lo))
	return apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(n), 0)
}

// summable reports whether the call is one of those.
func (c *windowCall) summable() bool {
	switch c.def.Func.Name {
	case "count":
		return len(c.types) <= 1
	case "sum", "avg":
		switch c.types[0] {
		case types.Int2, types.Int4, types.Int8:
			return true
		}
	}
	return false
}

// summedAggregate computes such a call over any frames.
func (o *windowOp) summedAggregate(ctx *Ctx, c *windowCall) error {
	n := o.rows.N
	t := totals{count: make([]int64, n+1), sum: make([]int128, n+1)}
	for i := range n {
		t.count[i+1], t.sum[i+1] = t.count[i], t.sum[i]
		if c.passes != nil && (c.passes.IsNull(i) || c.passes.I[i] == 0) || len(c.vecs) > 0 && c.vecs[0].IsNull(i) {
			continue
		}
		t.count[i+1]++
		if c.def.Func.Name != "count" {
			t.sum[i+1] = t.sum[i].add(c.vecs[0].I[i])
		}
	}
	for i := range n {
		from, to, err := c.frame.of(ctx, i)
		if err != nil {
			return err
		}
		count, sum := t.count[to]-t.count[from], t.sum[to].minus(t.sum[from])
		if x := c.frame.excluded(&o.peers, i); x.from < x.to {
			if a, b := max(x.from, from), min(x.to, to); a < b {
				count, sum = count-(t.count[b]-t.count[a]), sum.minus(t.sum[b].minus(t.sum[a]))
				if k := x.kept - 1; k >= a && k < b {
					count, sum = count+t.count[k+1]-t.count[k], sum.plus(t.sum[k+1].minus(t.sum[k]))
				}
			}
		}
		d, err := c.total(count, sum)
		if err != nil {
			return err
		}
		c.result.Set(i, d)
	}
	return nil
}

// total is the result over rows with a count and a sum.
func (c *windowCall) total(count int64, sum int128) (types.Datum, error) {
	switch {
	case c.def.Func.Name == "count":
		return types.NewInt(count), nil
	case count == 0:
		return types.Null, nil
	case c.def.Func.Name == "avg":
		x, err := types.NumericDiv(sum.numeric(), types.NumericFromInt(count))
		return types.NewDecimal(x), err
	case c.result.Type.Rep == types.RepInt: // the sum of smaller integers is an int8, and never too large
		return types.NewInt(int64(sum.lo)), nil
	}
	return types.NewDecimal(sum.numeric()), nil
}
