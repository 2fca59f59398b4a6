package exec

import (
	"holdfast/sql/types"
)

// pairs turns candidate pairs of rows into the rows of a join, for all operators that join. One side, the probe, comes in
// batches and the operator finds for each of its rows, in order, the rows of the other side that may match. It adds these
// as candidates: in place, the other side's columns being filled directly. When enough have come, the condition is evaluated for all of them at
// once, and the kind of join decides:
//
//	inner  candidates that pass
//	outer  these, and probe rows of which none passed, with NULLs
//	semi   probe rows of which one passed
//	anti   probe rows of which none passed
//
// For outer and anti each probe row is ended by a candidate that is none. Probe rows thus keep their order. A probe row's candidates may
// be spread over several rounds.
type pairs struct {
	kind     pairKind
	on       *Expr // over cand; nil: true
	notFalse bool  // a candidate passes also if on is unknown
	cand     *types.Batch
	probeAt  []*types.Vec // columns of cand that the probe fills
	otherAt  []*types.Vec

	probe   *types.Batch
	at      []int32 // probe row of each candidate
	none    []bool  // the candidate ends a probe row
	nones   int
	matched []bool // by probe row: some candidate has passed

	real    []int32
	sel     []int32
	passing []int32 // candidates that have passed
	view    types.Batch
	removed int64
	want    int // probe rows to ask for
}

type pairKind uint8

const (
	pairInner pairKind = iota
	pairOuter
	pairSemi
	pairAnti
	pairMark // nothing is handed on: the operator looks at passing
)

// ends reports whether each probe row is to be ended by addNone.
func (k pairKind) ends() bool { return k == pairOuter || k == pairAnti }

// single reports whether a probe row has no more to say once it has matched.
func (k pairKind) single() bool { return k == pairSemi || k == pairAnti }

// newPairs makes pairs of probe and other columns; cand holds them in the order of the join's columns.
func newPairs(kind pairKind, left, right []*types.Type, probeLeft bool) *pairs {
	p := &pairs{kind: kind, cand: newBatch(append(append([]*types.Type{}, left...), right...))}
	p.probeAt, p.otherAt = p.cand.Cols[:len(left)], p.cand.Cols[len(left):]
	if !probeLeft {
		p.probeAt, p.otherAt = p.otherAt, p.probeAt
	}
	return p
}

// restart forgets how many probe rows it took to find something.
func (p *pairs) restart() { p.want = 0 }

// ask is how many probe rows to ask for when limit rows are wanted: more and more while no rows come of them.
func (p *pairs) ask(limit int) int {
	p.want = min(max(limit, 2*p.want), types.BatchRows)
	return p.want
}

// begin takes a new probe batch.
func (p *pairs) begin(probe *types.Batch) {
	p.probe = probe
	n := extent(probe.Rows)
	if cap(p.matched) < n {
		p.matched = make([]bool, n)
	}
	p.matched = p.matched[:n]
	clear(p.matched)
}

// reset makes room for up to n candidates.
func (p *pairs) reset(n int) {
	p.at, p.none, p.nones = p.at[:0], p.none[:0], 0
	for _, v := range p.otherAt {
		v.Resize(n)
	}
}

func (p *pairs) len() int { return len(p.at) }

// add adds a candidate for a probe row. The caller has filled, or fills, its place in the other columns.
func (p *pairs) add(probeRow int) {
	p.at = append(p.at, int32(probeRow))
	p.none = append(p.none, false)
}

// addNone ends a probe row.
func (p *pairs) addNone(probeRow int) {
	for _, v := range p.otherAt {
		v.SetNull(len(p.at))
	}
	p.at = append(p.at, int32(probeRow))
	p.none = append(p.none, true)
	p.nones++
}

// finish decides on the candidates of this round and returns the rows that come of it, nil if there are none.
func (p *pairs) finish(ctx *Ctx) (*types.Batch, error) {
	n := len(p.at)
	p.sel, p.passing = p.sel[:0], p.passing[:0]
	if n == 0 {
		return nil, nil
	}
	if p.on != nil || !p.kind.single() && p.kind != pairMark {
		rows := types.Rows{N: n, Sel: p.at}
		for i, v := range p.probeAt {
			v.Resize(n)
			gather(v, 0, p.probe.Cols[i], rows)
		}
	}
	pass := types.Rows{N: n}
	if p.nones > 0 {
		p.real = p.real[:0]
		for i, none := range p.none {
			if !none {
				p.real = append(p.real, int32(i))
			}
		}
		pass = types.Rows{N: len(p.real), Sel: p.real}
	}
	if p.on != nil && pass.N > 0 {
		before := pass.N
		p.cand.Rows = pass
		var err error
		if pass, err = p.test(ctx); err != nil {
			return nil, err
		}
		p.removed += int64(before - pass.N)
	}
	if p.kind == pairInner && p.nones == 0 {
		p.passing = appendNotIn(p.passing, pass, nil)
		p.cand.Rows = pass
		if pass.N == 0 {
			return nil, nil
		}
		p.want = 0
		return p.cand, nil
	}
	k := 0
	for i, probeRow := range p.at {
		if p.none[i] {
			if p.kind.ends() && !p.matched[probeRow] {
				p.emit(i, probeRow)
			}
			continue
		}
		if k == pass.N || position(pass, k) != i {
			continue
		}
		k++
		p.passing = append(p.passing, int32(i))
		first := !p.matched[probeRow]
		p.matched[probeRow] = true
		if p.kind == pairInner || p.kind == pairOuter || p.kind == pairSemi && first {
			p.emit(i, probeRow)
		}
	}
	if len(p.sel) == 0 {
		return nil, nil
	}
	rows := types.Rows{N: len(p.sel), Sel: p.sel}
	if p.kind.single() {
		p.view = types.Batch{Rows: rows, Cols: p.probe.Cols}
		p.want = 0
		return &p.view, nil
	}
	p.cand.Rows = rows
	p.want = 0
	return p.cand, nil
}

// emit hands on a candidate: its place, or, where only the probe's columns are wanted, its probe row.
func (p *pairs) emit(i int, probeRow int32) {
	if p.kind.single() {
		p.sel = append(p.sel, probeRow)
	} else {
		p.sel = append(p.sel, int32(i))
	}
}

// test evaluates the condition for the rows of cand.
func (p *pairs) test(ctx *Ctx) (types.Rows, error) {
	if !p.notFalse {
		return p.on.Filter(ctx, p.cand)
	}
	v, err := p.on.Eval(ctx, p.cand)
	if err != nil {
		return types.Rows{}, err
	}
	p.passing = p.passing[:0]
	for k := range p.cand.N {
		if i := position(p.cand.Rows, k); v.IsNull(i) || v.I[at(v, i)] != 0 {
			p.passing = append(p.passing, int32(i))
		}
	}
	sel := append([]int32(nil), p.passing...)
	p.passing = p.passing[:0]
	return types.Rows{N: len(sel), Sel: sel}, nil
}

func (p *pairs) measure(s *Stats) { s.Removed = p.removed }
