package exec

import (
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
)

// The nodes that change rows. Each reads its Source through the statement's view, writes through the
// transaction, and checks the rules of what it has changed at its end. Their rows are those of Returning,
// computed over columns of the source and the New columns; the rows affected are counted apart, see
// Run.Affected.
type (
	// Insert inserts the rows of Source. It streams: what it writes does not show in its source.
	Insert struct {
		Props
		Target     *Target
		Source     Node
		Values     []algebra.Assignment
		New        []algebra.ScanColumn
		OnConflict *algebra.OnConflict // nil: a conflict is an error
		Checks     []algebra.ViewCheck
		Part       int         // see algebra.Insert
		Verify     *ViewVerify // nil: nothing can go wrong, or another part verifies
		Returning  []algebra.Item
		Rules      []*Rule
		Skips      *Skips // nil: none
	}
	// Update changes the rows that Source shows, of one table or, through a join view, of several. It reads
	// all of Source first.
	Update struct {
		Props
		Source    Node
		Targets   []*UpdateTarget
		Checks    []algebra.ViewCheck
		View      *catalog.Table
		Rows      []algebra.ColID
		Verify    *ViewVerify // nil: nothing can go wrong
		Returning []algebra.Item
		Rules     []*Rule
		Skips     *Skips
	}
	// Delete removes the rows that Source shows. It reads all of Source first.
	Delete struct {
		Props
		Source    Node
		Targets   []*DeleteTarget
		View      *catalog.Table
		Rows      []algebra.ColID
		Verify    *ViewVerify
		Returning []algebra.Item
		Rules     []*Rule
		Skips     *Skips
	}
	// UpdateTarget is one table that Update changes.
	UpdateTarget struct {
		*Target
		Key algebra.ColID
		Old []algebra.ScanColumn
		Set []algebra.Assignment
		New []algebra.ScanColumn
		// Of a table that an outer join may leave out: see algebra.UpdateTarget.
		Optional bool
		MakeIf   algebra.Scalar
		Make     []algebra.Assignment
		Joined   []int16
		Found    algebra.Scalar
		Unique   []int16
		Given    []int16
	}
	// DeleteTarget is one table that Delete removes from.
	DeleteTarget struct {
		*Target
		Key      algebra.ColID
		Old      []algebra.ScanColumn
		Required bool // see algebra.DeleteTarget
	}
)

func (n *Insert) Inputs() []Node { return []Node{n.Source} }
func (n *Update) Inputs() []Node { return []Node{n.Source} }
func (n *Delete) Inputs() []Node { return []Node{n.Source} }

func (n *Insert) Scalars() []algebra.Scalar {
	list := append(assignmentScalars(n.Values), itemScalars(n.Returning)...)
	if c := n.OnConflict; c != nil {
		list = append(append(append(list, assignmentScalars(c.Set)...), some(c.Where)...), checkScalars(c.Checks)...)
	}
	return append(append(list, n.Verify.scalars()...), checkScalars(n.Checks)...)
}

func (n *Update) Scalars() []algebra.Scalar {
	list := itemScalars(n.Returning)
	for _, t := range n.Targets {
		list = append(append(append(list, assignmentScalars(t.Set)...), some(t.MakeIf)...), append(some(t.Found), assignmentScalars(t.Make)...)...)
	}
	return append(append(list, n.Verify.scalars()...), checkScalars(n.Checks)...)
}

func (n *Delete) Scalars() []algebra.Scalar { return itemScalars(n.Returning) }

// Makes implements Maker: the images of the rows written.
func (n *Insert) Makes() []algebra.ColID {
	ids := scanColumnIDs(nil, n.New)
	if c := n.OnConflict; c != nil {
		ids = scanColumnIDs(scanColumnIDs(ids, c.Old), c.Excluded)
		if c.Key != 0 {
			ids = append(ids, c.Key)
		}
	}
	return ids
}

// Makes implements Maker.
func (n *Update) Makes() (ids []algebra.ColID) {
	for _, t := range n.Targets {
		ids = scanColumnIDs(ids, t.New)
	}
	return ids
}

func scanColumnIDs(ids []algebra.ColID, cols []algebra.ScanColumn) []algebra.ColID {
	for _, c := range cols {
		ids = append(ids, c.ID)
	}
	return ids
}

func assignmentScalars(list []algebra.Assignment) (out []algebra.Scalar) {
	for _, a := range list {
		out = append(out, a.Value)
	}
	return out
}

func checkScalars(list []algebra.ViewCheck) (out []algebra.Scalar) {
	for _, c := range list {
		out = append(append(out, c.Cond), c.Args...)
	}
	return out
}
