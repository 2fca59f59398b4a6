package pebblekv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast/kv"
)

// What the clients of a simulation do with accumulators.

// simNeed is a requirement of a transaction: that an accumulator, or of two the first less the second, is not beyond a bound.
type simNeed struct {
	keys  []int
	bound int32
	below bool // the bound is the least it may be, not the most

	tested bool
	seen   []simRow // by the latest test
}

var errSimBound = errors.New("beyond a bound")

func (n *simNeed) test(values [][]byte) error {
	n.tested, n.seen = true, make([]simRow, len(values))
	for i, value := range values {
		if value != nil {
			n.seen[i] = decodeSimRow(value)
		}
	}
	return n.met(n.seen)
}

func (n *simNeed) met(rows []simRow) error {
	number := rows[0].number()
	if len(rows) > 1 {
		number -= rows[1].number()
	}
	if !n.below && number > n.bound || n.below && number < n.bound {
		return fmt.Errorf("%w: %d", errSimBound, number)
	}
	return nil
}

// sumKey is the key of an accumulator.
func (c *simClient) sumKey() int { return simRows + c.Choose(len(simKeys)-simRows) }

func (c *simClient) accumulate() error {
	key, delta := c.sumKey(), int32(c.Choose(6)-2)
	row := simRow{present: true}
	row.columns[0] = uint32(delta)
	if err := c.txn.Accumulate(simKeys[key], row.encode(0)); err != nil {
		return err
	}
	c.own.accumulate(key, delta)
	c.Tracef("accumulate %d: %d", key, delta)
	return nil
}

func (c *simClient) accumulated() error {
	key := c.sumKey()
	value, err := c.txn.Accumulated(context.Background(), simKeys[key])
	if err != nil {
		return err
	}
	var row simRow
	if value != nil {
		row = decodeSimRow(value)
		c.values = append(c.values, simValue{value, row})
	}
	c.Tracef("accumulated %d: %v", key, row)
	if want := c.own.sum(key, c.stored(key)); row != want {
		c.fail("accumulator %d is %v, want %v at version %d", key, row, want, c.txn.ReadVersion())
	}
	if c.Choose(4) == 0 {
		cols := c.columns() | kv.Existence
		c.txn.Observe(simKeys[key], cols)
		c.reads.reads = append(c.reads.reads, simRead{key, cols, c.stored(key)})
		c.Tracef("observe %d, columns %x", key, cols)
	}
	return nil
}

func (c *simClient) require() error {
	n := &simNeed{keys: []int{c.sumKey()}, bound: int32(c.Choose(8) - 2), below: c.Choose(3) == 0}
	if c.Choose(3) == 0 {
		n.keys = append(n.keys, c.sumKey())
	}
	c.txn.Require(n.names(), n.test)
	c.needs = append(c.needs, n)
	c.Tracef("require %v: %d, below %v", n.keys, n.bound, n.below)
	return nil
}

func (n *simNeed) names() (list [][]byte) {
	for _, key := range n.keys {
		list = append(list, simKeys[key])
	}
	return list
}

// rows are what is in its accumulators.
func (n *simNeed) rows(of func(key int) simRow) (rows []simRow) {
	for _, key := range n.keys {
		rows = append(rows, of(key))
	}
	return rows
}

// replace writes an accumulator, or removes it.
func (c *simClient) replace() error {
	key := c.sumKey()
	n := c.Choose(4)
	if n == 0 {
		return c.delete(key)
	}
	row := simRow{present: true}
	row.columns[0] = uint32(n)
	return c.set(key, row, kv.AllColumns)
}

// checkNeeds compares the requirements of a transaction that has just been put into the model with what they have seen.
func (c *simClient) checkNeeds() {
	for _, n := range c.needs {
		rows := n.rows(func(key int) simRow { return c.model.at(key, c.version) })
		if err := n.met(rows); err != nil {
			c.fail("client %d is sequenced as %d, but accumulators %v are %v", c.number, c.version, n.keys, err)
		}
		if !n.tested || !slices.Equal(n.seen, rows) {
			c.fail("client %d is sequenced as %d, but its requirement saw %v (%v) in accumulators %v, which are %v", c.number, c.version,
				n.seen, n.tested, n.keys, rows)
		}
	}
}

// refused passes on an error after having looked for the requirement that is not met.
func (c *simClient) refused(err error, nothing bool) error {
	c.count("refused")
	var unmet *kv.RequirementError
	if !errors.As(err, &unmet) || !errors.Is(err, errSimBound) || nothing || c.registered {
		c.fail("a transaction without writes, or a committed one, is refused, or the error is wrong: %v", err)
	}
	if err := c.check(unmet.Version); err != nil {
		c.fail("a requirement is tested at version %d, but %v", unmet.Version, err)
	}
	for _, n := range c.needs {
		rows := n.rows(func(key int) simRow { return c.own.sum(key, c.model.at(key, unmet.Version)) })
		if !n.tested || !slices.Equal(n.seen, rows) {
			c.fail("a requirement saw %v (%v) in accumulators %v, which are %v after version %d", n.seen, n.tested, n.keys, rows, unmet.Version)
		}
		if n.met(rows) != nil {
			if !slices.EqualFunc(unmet.Keys, n.names(), bytes.Equal) {
				c.fail("refused for %x, but accumulators %v are beyond their bound", unmet.Keys, n.keys)
			}
			return err
		}
	}
	c.fail("refused without reason: %v", err)
	return err
}
