package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/types"
)

// External is rows that come from outside the database, such as those of COPY FROM. A plan with it runs once.
type External struct {
	Props
	Source func() (*types.Batch, error)
}

// Inputs implements Node.
func (n *External) Inputs() []Node { return nil }

// Scalars implements Node.
func (n *External) Scalars() []algebra.Scalar { return nil }

// Makes implements Maker.
func (n *External) Makes() []algebra.ColID { return n.Cols }

// Build implements Node.
func (n *External) Build(*Builder) (Operator, error) { return externalOperator{n.Source}, nil }

// externalOperator passes on the batches of its source as they come, however many rows were asked for: nothing
// of them is read from the store.
type externalOperator struct {
	source func() (*types.Batch, error)
}

func (o externalOperator) Open(*Ctx) error { return nil }

func (o externalOperator) Next(ctx *Ctx, _ int) (*types.Batch, error) {
	if err := ctx.Canceled(); err != nil {
		return nil, err
	}
	return o.source()
}

func (o externalOperator) Close() error { return nil }
