package algebra

// Copier copies relations so that the copy can stand in the same query beside the original: what a relation makes
// gets new columns, and so does everything inside of its expressions. Columns of outer queries stay.
//
// A relation that occurs at several places of a tree is copied for each of them, so that in the result every node
// occurs once.
type Copier struct {
	// Query gets the new columns.
	Query *Query
	// To are the new columns of the old ones made so far.
	To map[ColID]ColID
	// Inline puts the relations of WITH queries in the place of their scans, other than recursive ones.
	Inline bool
}

// NewCopier makes a copier for relations of a query.
func NewCopier(q *Query) *Copier { return &Copier{Query: q, To: map[ColID]ColID{}} }

// Col is the column that now stands for one.
func (c *Copier) Col(id ColID) ColID {
	if to, ok := c.To[id]; ok {
		return to
	}
	return id
}

func (c *Copier) cols(ids []ColID) []ColID {
	if ids == nil {
		return nil
	}
	out := make([]ColID, len(ids))
	for i, id := range ids {
		out[i] = c.Col(id)
	}
	return out
}

// make gives a column that is made here its new one.
func (c *Copier) make(id ColID) ColID {
	if id == 0 {
		return 0
	}
	to := c.Query.NewColumn(*c.Query.Column(id))
	c.To[id] = to
	return to
}

func (c *Copier) makes(ids []ColID) []ColID {
	out := make([]ColID, len(ids))
	for i, id := range ids {
		out[i] = c.make(id)
	}
	return out
}

func (c *Copier) scanned(list []ScanColumn) []ScanColumn {
	if list == nil {
		return nil
	}
	out := make([]ScanColumn, len(list))
	for i, s := range list {
		out[i] = ScanColumn{ID: c.make(s.ID), Number: s.Number}
	}
	return out
}

func (c *Copier) keys(list []SortKey) []SortKey {
	if list == nil {
		return nil
	}
	out := make([]SortKey, len(list))
	for i, k := range list {
		k.ID = c.Col(k.ID)
		out[i] = k
	}
	return out
}

// Scalar copies an expression.
func (c *Copier) Scalar(s Scalar) Scalar {
	w := &Rewriter{}
	w.Scalar = func(s Scalar) (Scalar, bool) {
		switch s := s.(type) {
		case *Col:
			if to := c.Col(s.ID); to != s.ID {
				return &Col{T: s.T, ID: to, Place: s.Place}, true
			}
			return s, true
		case *Subquery:
			n := *s
			n.Left = make([]Scalar, len(s.Left))
			for i, l := range s.Left {
				n.Left[i] = w.RewriteScalar(l)
			}
			n.Rel = c.Rel(s.Rel)
			return &n, true
		}
		return nil, false
	}
	return w.RewriteScalar(s)
}

func (c *Copier) scalars(list []Scalar) []Scalar {
	if list == nil {
		return nil
	}
	out := make([]Scalar, len(list))
	for i, s := range list {
		out[i] = c.Scalar(s)
	}
	return out
}

// items copies the items of a projection. An item that passes a column on keeps doing so.
func (c *Copier) items(list []Item) []Item {
	out := make([]Item, len(list))
	for i, it := range list {
		if col, ok := it.Expr.(*Col); ok && col.ID == it.ID {
			to := c.Col(it.ID)
			out[i] = Item{ID: to, Expr: &Col{T: col.T, ID: to, Place: col.Place}}
			continue
		}
		out[i].Expr = c.Scalar(it.Expr)
	}
	for i, it := range list {
		if out[i].ID == 0 {
			out[i].ID = c.make(it.ID)
		}
	}
	return out
}

// Rel copies a relation. Operators that change rows are no relations to be copied: they stay as they are.
func (c *Copier) Rel(r Rel) Rel {
	switch r := r.(type) {
	case *Scan:
		n := *r
		n.Cols = c.scanned(r.Cols)
		n.Inserted, n.Deleted = c.Scalar(r.Inserted), c.Scalar(r.Deleted)
		return &n
	case *Values:
		n := &Values{}
		for _, row := range r.Rows {
			n.Rows = append(n.Rows, c.scalars(row))
		}
		n.Cols = c.makes(r.Cols)
		return n
	case *Filter:
		in := c.Rel(r.Input)
		return &Filter{Input: in, Cond: c.Scalar(r.Cond)}
	case *Project:
		in := c.Rel(r.Input)
		return &Project{Input: in, Items: c.items(r.Items)}
	case *Join:
		left := c.Rel(r.Left)
		right := c.Rel(r.Right)
		return &Join{Kind: r.Kind, Left: left, Right: right, On: c.Scalar(r.On), Lateral: r.Lateral}
	case *Aggregate:
		n := &Aggregate{Input: c.Rel(r.Input), Keys: c.cols(r.Keys)}
		for _, a := range r.Aggs {
			a.Args, a.OrderArgs, a.Filter = c.scalars(a.Args), c.scalars(a.OrderArgs), c.Scalar(a.Filter)
			a.OrderBy = c.keys(a.OrderBy)
			a.ID = c.make(a.ID)
			n.Aggs = append(n.Aggs, a)
		}
		return n
	case *DistinctRows:
		in := c.Rel(r.Input)
		return &DistinctRows{Input: in, On: c.cols(r.On)}
	case *Sort:
		in := c.Rel(r.Input)
		return &Sort{Input: in, Keys: c.keys(r.Keys)}
	case *Limit:
		in := c.Rel(r.Input)
		return &Limit{Input: in, Count: c.Scalar(r.Count), Offset: c.Scalar(r.Offset), WithTies: r.WithTies}
	case *SetOp:
		left := c.Rel(r.Left)
		right := c.Rel(r.Right)
		return &SetOp{Kind: r.Kind, All: r.All, Left: left, Right: right, Cols: c.makes(r.Cols)}
	case *CTEScan:
		if c.Inline && !r.CTE.Recursive && !r.Working {
			return c.inline(r)
		}
		n := *r
		n.Cols = c.makes(r.Cols)
		return &n
	case *FuncScan:
		n := &FuncScan{Alias: r.Alias}
		for _, f := range r.Calls {
			n.Calls = append(n.Calls, &FuncCall{Call: c.Scalar(f.Call), Cols: c.makes(f.Cols)})
		}
		n.Ordinality = c.make(r.Ordinality)
		return n
	case *ProjectSet:
		in := c.Rel(r.Input)
		return &ProjectSet{Input: in, Items: c.items(r.Items)}
	case *Window:
		n := &Window{Input: c.Rel(r.Input), Partition: c.cols(r.Partition), OrderBy: c.keys(r.OrderBy)}
		for _, f := range r.Funcs {
			f.Args, f.Filter = c.scalars(f.Args), c.Scalar(f.Filter)
			f.Frame.StartOffset, f.Frame.EndOffset = c.Scalar(f.Frame.StartOffset), c.Scalar(f.Frame.EndOffset)
			f.ID = c.make(f.ID)
			n.Funcs = append(n.Funcs, f)
		}
		return n
	case *LockRows:
		n := &LockRows{Input: c.Rel(r.Input)}
		for _, l := range r.Locks {
			l.Key = c.Col(l.Key)
			n.Locks = append(n.Locks, l)
		}
		return n
	}
	return r
}

// inline puts the relation of a WITH query in the place of a scan of it.
func (c *Copier) inline(r *CTEScan) Rel {
	in := c.Rel(r.CTE.Rel)
	from := in.Columns()
	p := &Project{Input: in}
	for i, id := range r.Cols {
		p.Items = append(p.Items, Item{ID: c.make(id), Expr: &Col{T: c.Query.Column(from[i]).T, ID: from[i]}})
	}
	return p
}
