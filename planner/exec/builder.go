package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Builder makes one operator tree of a plan. It keeps what the operators of the tree share: the cells of
// outer columns, and the state of the CTEs.
type Builder struct {
	outer   map[algebra.ColID]*outerCell
	ctes    map[*CTE]*materialized
	working map[*CTE]*workingTable
	closers []Operator // operators that no other one closes: those of CTEs and SubPlans
	epoch   uint64     // counts executions: what is kept from an earlier one is void
	stats   map[Node]*Stats
	timing  bool
	// skipping are scans of rows that SKIP LOCKED may leave out: see lockRowsOp.
	skipping map[Node]bool
}

// outerCell holds the present value of an outer column. Whoever sets it does so before Open of what depends on it.
type outerCell struct{ value types.Datum }

// NewBuilder makes a builder, for expressions that stand alone and for tests; plans are built by Plan.Start.
func NewBuilder() *Builder {
	return &Builder{outer: map[algebra.ColID]*outerCell{}, ctes: map[*CTE]*materialized{}, working: map[*CTE]*workingTable{}}
}

// Build makes the operator of a node.
func (b *Builder) Build(n Node) (Operator, error) {
	op, err := n.Build(b)
	if err != nil || b.stats == nil {
		return op, err
	}
	return b.instrument(n, op), nil
}

// cell is the cell of an outer column.
func (b *Builder) cell(id algebra.ColID) *outerCell {
	c := b.outer[id]
	if c == nil {
		c = &outerCell{}
		b.outer[id] = c
	}
	return c
}

func (b *Builder) closeAll() (err error) {
	for _, op := range b.closers {
		if e := op.Close(); err == nil {
			err = e
		}
	}
	return err
}

// Layout tells at which position of a batch a column lies.
type Layout struct {
	positions map[algebra.ColID]int
	types     []*types.Type
}

// NewLayout makes the layout of batches with these columns.
func NewLayout(ids []algebra.ColID, ts []*types.Type) *Layout {
	l := &Layout{positions: make(map[algebra.ColID]int, len(ids))}
	l.add(ids, ts)
	return l
}

// LayoutOf is the layout of the batches of a node; of several nodes, with their columns side by side.
func LayoutOf(nodes ...Node) *Layout {
	l := &Layout{positions: map[algebra.ColID]int{}}
	for _, n := range nodes {
		p := n.Properties()
		l.add(p.Cols, p.Types)
	}
	return l
}

func (l *Layout) add(ids []algebra.ColID, ts []*types.Type) {
	for i, id := range ids {
		l.positions[id] = len(l.types)
		l.types = append(l.types, ts[i])
	}
}

// Position is where a column lies, false if it is not there.
func (l *Layout) Position(id algebra.ColID) (int, bool) {
	p, ok := l.positions[id]
	return p, ok
}

// Types are the types of the columns by position.
func (l *Layout) Types() []*types.Type { return l.types }

// find is Position for a column that must be there.
func (l *Layout) find(id algebra.ColID) (int, error) {
	p, ok := l.positions[id]
	if !ok {
		return 0, errs.New(errs.InternalError, "column %d is not in the input of its operator", id)
	}
	return p, nil
}
