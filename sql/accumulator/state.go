// Package accumulator is the values of accumulators: what is kept of the rows of a group, so that their number and their sums are
// known without reading them. The store adds them up (Merge); the writers of rows make the deltas.
//
// A value counts what has been added less what has been taken away, and every part of it is a sum. So deltas may be added in any
// order, and a value that is nothing but zeros is that of no rows at all: its encoding is empty.
package accumulator

import (
	"encoding/binary"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// State is what is kept of the rows of a group, or of a change of them. The zero State is that of no rows.
type State struct {
	Rows int64
	Args []Arg
}

// Arg is what is kept of one expression over the rows.
type Arg struct {
	// Values are the rows for which it is not NULL.
	Values int64
	// Sum is that of the values. It is used for integers and numerics only.
	Sum Sum
}

// Sum is an exact sum. It remembers how many of its values had each display scale, since the sum is shown with the greatest
// of those that are still in it, as if it were computed anew.
type Sum struct {
	total           number // in units of 10^-unit
	unit            int32
	scales          []scaleCount // ascending, none 0; of numerics alone
	nan, plus, less int64        // values that are NaN, Infinity and -Infinity
}

type scaleCount struct {
	scale int32
	n     int64
}

// Grow makes room for n arguments.
func (s *State) Grow(n int) {
	for len(s.Args) < n {
		s.Args = append(s.Args, Arg{})
	}
}

// Empty reports whether the state is that of no rows.
func (s *State) Empty() bool {
	if s.Rows != 0 {
		return false
	}
	for i := range s.Args {
		a := &s.Args[i]
		if a.Values != 0 || !a.Sum.total.zero() || len(a.Sum.scales) > 0 || a.Sum.nan != 0 || a.Sum.plus != 0 || a.Sum.less != 0 {
			return false
		}
	}
	return true
}

// Add adds another state, or with sign -1 takes it away.
func (s *State) Add(o *State, sign int64) {
	s.Rows += sign * o.Rows
	s.Grow(len(o.Args))
	for i := range o.Args {
		a, b := &s.Args[i], &o.Args[i]
		a.Values += sign * b.Values
		a.Sum.add(&b.Sum, sign)
	}
}

// AddInt adds an integer to an argument, or with sign -1 takes it away.
func (a *Arg) AddInt(v, sign int64) {
	a.Values += sign
	a.Sum.addUnits(number{n: v}, 0, sign)
}

// AddDecimal adds a numeric to an argument, or with sign -1 takes it away.
func (a *Arg) AddDecimal(d *apd.Decimal, sign int64) {
	a.Values += sign
	switch d.Form {
	case apd.Finite:
		scale := int32(types.NumericScale(d))
		a.Sum.count(max(scale, 0), sign)
		a.Sum.addUnits(coefficient(d), scale, sign)
	case apd.Infinite:
		if d.Negative {
			a.Sum.less += sign
		} else {
			a.Sum.plus += sign
		}
	default:
		a.Sum.nan += sign
	}
}

// addUnits adds a finite value of a scale.
func (s *Sum) addUnits(v number, scale int32, sign int64) {
	switch {
	case scale > s.unit:
		s.total.scale(scale - s.unit)
		s.unit = scale
	case scale < s.unit:
		v.scale(s.unit - scale)
	}
	s.total.add(v, sign)
}

// add adds another sum.
func (s *Sum) add(o *Sum, sign int64) {
	s.nan += sign * o.nan
	s.plus += sign * o.plus
	s.less += sign * o.less
	for _, c := range o.scales {
		s.count(c.scale, sign*c.n)
	}
	s.addUnits(o.total, o.unit, sign)
}

// count adds values of a display scale.
func (s *Sum) count(scale int32, n int64) {
	if n == 0 {
		return
	}
	for i := range s.scales {
		c := &s.scales[i]
		switch {
		case c.scale == scale:
			if c.n += n; c.n == 0 {
				s.scales = append(append([]scaleCount(nil), s.scales[:i]...), s.scales[i+1:]...)
			}
			return
		case c.scale > scale:
			s.scales = append(append(append([]scaleCount(nil), s.scales[:i]...), scaleCount{scale, n}), s.scales[i:]...)
			return
		}
	}
	s.scales = append(s.scales, scaleCount{scale, n})
}

// Int is the sum of integers; it fails if int8 does not hold it.
func (s *Sum) Int() (int64, error) {
	if s.total.big != nil {
		return 0, errs.New(errs.NumericValueOutOfRange, "bigint out of range")
	}
	return s.total.n, nil
}

// Decimal is the sum of numerics or integers; it fails if numeric does not hold it. The State goes on to hold it: less may be
// left later.
func (s *Sum) Decimal() (*apd.Decimal, error) {
	switch {
	case s.nan != 0 || s.plus != 0 && s.less != 0:
		return &apd.Decimal{Form: apd.NaN}, nil
	case s.plus != 0 || s.less != 0:
		return &apd.Decimal{Form: apd.Infinite, Negative: s.less != 0}, nil
	}
	total, unit := s.total, s.unit
	scale := int32(0)
	if n := len(s.scales); n > 0 {
		scale = s.scales[n-1].scale
	}
	if scale > unit {
		total.scale(scale - unit)
		unit = scale
	}
	for unit > scale && total.tenth() {
		unit--
	}
	return types.NumericInRange(total.decimal(unit))
}

// reduce makes the unit as large as it can be, so that equal sums are written alike.
func (s *Sum) reduce() {
	if s.total.zero() {
		s.unit = 0
	}
	for s.unit > 0 && s.total.tenth() {
		s.unit--
	}
}

// Append appends the encoding. It is the same for the same rows, however the state has come about, and is empty for the state of no rows:
//
//	rows  arguments  (flags  values  [unit  scales (scale n)..]  [nan plus less]  total)..
func (s *State) Append(dst []byte) []byte {
	if s.Empty() {
		return dst
	}
	dst = binary.AppendVarint(dst, s.Rows)
	dst = binary.AppendUvarint(dst, uint64(len(s.Args)))
	for i := range s.Args {
		a := &s.Args[i]
		a.Sum.reduce()
		var flags byte
		if a.Sum.unit != 0 || len(a.Sum.scales) > 0 {
			flags |= hasScales
		}
		if a.Sum.nan != 0 || a.Sum.plus != 0 || a.Sum.less != 0 {
			flags |= hasSpecial
		}
		if a.Sum.total.big != nil {
			flags |= isBig
		}
		dst = append(dst, flags)
		dst = binary.AppendVarint(dst, a.Values)
		if flags&hasScales != 0 {
			dst = binary.AppendVarint(dst, int64(a.Sum.unit))
			dst = binary.AppendUvarint(dst, uint64(len(a.Sum.scales)))
			for _, c := range a.Sum.scales {
				dst = binary.AppendVarint(binary.AppendVarint(dst, int64(c.scale)), c.n)
			}
		}
		if flags&hasSpecial != 0 {
			for _, n := range []int64{a.Sum.nan, a.Sum.plus, a.Sum.less} {
				dst = binary.AppendVarint(dst, n)
			}
		}
		dst = a.Sum.total.append(dst)
	}
	return dst
}

const (
	hasScales  byte = 1 << iota // unit and scales follow
	hasSpecial                  // numbers of NaNs and infinities follow
	isBig                       // the total is more than int64 holds
)

// Decode reads an encoding into s.
func (s *State) Decode(b []byte) error {
	*s = State{Args: s.Args[:0]}
	if len(b) == 0 {
		return nil
	}
	r := reader{b: b}
	s.Rows = r.varint()
	n := r.uvarint()
	if n > uint64(len(b)) {
		return corrupt()
	}
	for range n {
		var a Arg
		flags := r.byte()
		a.Values = r.varint()
		if flags&hasScales != 0 {
			a.Sum.unit = int32(r.varint())
			count := r.uvarint()
			if count > uint64(len(b)) {
				return corrupt()
			}
			for range count {
				a.Sum.scales = append(a.Sum.scales, scaleCount{int32(r.varint()), r.varint()})
			}
		}
		if flags&hasSpecial != 0 {
			a.Sum.nan, a.Sum.plus, a.Sum.less = r.varint(), r.varint(), r.varint()
		}
		a.Sum.total = r.number(flags&isBig != 0)
		s.Args = append(s.Args, a)
	}
	if r.bad || len(r.b) > 0 {
		return corrupt()
	}
	return nil
}

func corrupt() error {
	return errs.New(errs.DataCorrupted, "the value of an accumulator is damaged")
}

// reader takes an encoding apart.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}

// Merge adds a delta to a value, or to another delta: it is a kv.Merge.
func Merge(old, delta []byte) ([]byte, error) {
	if len(old) == 0 {
		return delta, nil
	}
	var a, b State
	if err := a.Decode(old); err != nil {
		return nil, err
	}
	if err := b.Decode(delta); err != nil {
		return nil, err
	}
	a.Add(&b, 1)
	return a.Append(make([]byte, 0, len(old)+8)), nil
}
