package algebra

// Visitor walks trees in evaluation order, parents first. A function that returns false keeps the walk out of
// what is below its node; a nil function is one that returns true. Queries within expressions are walked too.
type Visitor struct {
	Scalar func(Scalar) bool
	Rel    func(Rel) bool
}

// VisitScalar walks an expression; nil is allowed.
func (v *Visitor) VisitScalar(s Scalar) {
	if s == nil || v.Scalar != nil && !v.Scalar(s) {
		return
	}
	switch s := s.(type) {
	case *Const, *Param, *Col:
	case *Call:
		v.visitScalars(s.Args)
	case *Cast:
		v.VisitScalar(s.Arg)
	case *And:
		v.visitScalars(s.Args)
	case *Or:
		v.visitScalars(s.Args)
	case *Not:
		v.VisitScalar(s.Arg)
	case *IsNull:
		v.VisitScalar(s.Arg)
	case *BoolTest:
		v.VisitScalar(s.Arg)
	case *Distinct:
		v.VisitScalar(s.Left)
		v.VisitScalar(s.Right)
	case *Case:
		for _, w := range s.Whens {
			v.VisitScalar(w.Cond)
			v.VisitScalar(w.Result)
		}
		v.VisitScalar(s.Else)
	case *Coalesce:
		v.visitScalars(s.Args)
	case *MinMax:
		v.visitScalars(s.Args)
	case *NullIf:
		v.VisitScalar(s.Left)
		v.VisitScalar(s.Right)
	case *AnyAll:
		v.VisitScalar(s.Left)
		v.VisitScalar(s.Array)
	case *ArrayCtor:
		v.visitScalars(s.Elems)
	case *Subscript:
		v.VisitScalar(s.Array)
		v.visitScalars(s.Lower)
		v.visitScalars(s.Upper)
	case *Row:
		v.visitScalars(s.Fields)
	case *FieldOf:
		v.VisitScalar(s.Arg)
	case *Subquery:
		v.visitScalars(s.Left)
		v.VisitRel(s.Rel)
	}
}

func (v *Visitor) visitScalars(list []Scalar) {
	for _, s := range list {
		v.VisitScalar(s)
	}
}

func (v *Visitor) visitItems(items []Item) {
	for _, it := range items {
		v.VisitScalar(it.Expr)
	}
}

func (v *Visitor) visitAssignments(set []Assignment) {
	for _, a := range set {
		v.VisitScalar(a.Value)
	}
}

// VisitRel walks a relation; nil is allowed. CTEs are not entered from their scans.
func (v *Visitor) VisitRel(r Rel) {
	if r == nil || v.Rel != nil && !v.Rel(r) {
		return
	}
	for _, in := range Inputs(r) {
		v.VisitRel(in)
	}
	switch r := r.(type) {
	case *Values:
		for _, row := range r.Rows {
			v.visitScalars(row)
		}
	case *Filter:
		v.VisitScalar(r.Cond)
	case *Project:
		v.visitItems(r.Items)
	case *Join:
		v.VisitScalar(r.On)
	case *Aggregate:
		for _, a := range r.Aggs {
			v.visitScalars(a.Args)
			v.visitScalars(a.OrderArgs)
			v.VisitScalar(a.Filter)
		}
	case *Limit:
		v.VisitScalar(r.Count)
		v.VisitScalar(r.Offset)
	case *FuncScan:
		for _, c := range r.Calls {
			v.VisitScalar(c.Call)
		}
	case *ProjectSet:
		v.visitItems(r.Items)
	case *Accumulated:
		for _, g := range r.Groups {
			for _, k := range g.Keys {
				v.VisitScalar(k.Expr)
			}
		}
		v.VisitScalar(r.Cond)
		v.visitItems(r.Items)
	case *Window:
		for _, f := range r.Funcs {
			v.visitScalars(f.Args)
			v.VisitScalar(f.Filter)
			v.VisitScalar(f.Frame.StartOffset)
			v.VisitScalar(f.Frame.EndOffset)
		}
	case *Insert:
		v.visitAssignments(r.Values)
		if c := r.OnConflict; c != nil {
			v.visitAssignments(c.Set)
			v.VisitScalar(c.Where)
			v.visitChecks(c.Checks)
		}
		v.visitMeant(r.Verify)
		v.visitChecks(r.Checks)
		v.visitItems(r.Returning)
	case *Update:
		for _, t := range r.Targets {
			v.visitAssignments(t.Set)
			v.VisitScalar(t.MakeIf)
			v.VisitScalar(t.Found)
			v.visitAssignments(t.Make)
		}
		v.visitMeant(r.Verify)
		v.visitChecks(r.Checks)
		v.visitItems(r.Returning)
	case *Delete:
		v.visitItems(r.Returning)
	}
}

func (v *Visitor) visitMeant(verify *ViewVerify) {
	if verify != nil {
		v.visitScalars(verify.Meant)
	}
}

func (v *Visitor) visitChecks(checks []ViewCheck) {
	seen := map[*Scalar]bool{} // checks may share their words
	for _, c := range checks {
		v.VisitScalar(c.Cond)
		if len(c.Args) > 0 && !seen[&c.Args[0]] {
			seen[&c.Args[0]] = true
			v.visitScalars(c.Args)
		}
	}
}

// Inputs are the relations a relation reads directly.
func Inputs(r Rel) []Rel {
	switch r := r.(type) {
	case *Filter:
		return []Rel{r.Input}
	case *Project:
		return []Rel{r.Input}
	case *Join:
		return []Rel{r.Left, r.Right}
	case *Aggregate:
		return []Rel{r.Input}
	case *DistinctRows:
		return []Rel{r.Input}
	case *Sort:
		return []Rel{r.Input}
	case *Limit:
		return []Rel{r.Input}
	case *SetOp:
		return []Rel{r.Left, r.Right}
	case *Recurse:
		return []Rel{r.Base, r.Step}
	case *ProjectSet:
		return []Rel{r.Input}
	case *Window:
		return []Rel{r.Input}
	case *LockRows:
		return []Rel{r.Input}
	case *Accumulated:
		return []Rel{r.Input}
	case *Insert:
		return []Rel{r.Source}
	case *Update:
		return []Rel{r.Source}
	case *Delete:
		return []Rel{r.Source}
	}
	return nil
}

// ColSet is a set of columns.
type ColSet map[ColID]struct{}

// Add adds columns.
func (s ColSet) Add(ids ...ColID) {
	for _, id := range ids {
		s[id] = struct{}{}
	}
}

// Has reports whether a column is in the set.
func (s ColSet) Has(id ColID) bool { _, ok := s[id]; return ok }

// ColsOf makes a set.
func ColsOf(ids ...ColID) ColSet {
	s := make(ColSet, len(ids))
	s.Add(ids...)
	return s
}

// FreeColumns adds to free the columns of outer queries (or of the left side of a lateral join) that a
// relation refers to.
func FreeColumns(r Rel, free ColSet) {
	freeColumns(free, func(v *Visitor) { v.VisitRel(r) })
}

// ScalarColumns adds to cols the columns that an expression needs: its own, and the free ones of its queries.
func ScalarColumns(s Scalar, cols ColSet) {
	freeColumns(cols, func(v *Visitor) { v.VisitScalar(s) })
}

// freeColumns relies on a ColID being made in one place only: what is used and not made inside is free.
func freeColumns(free ColSet, walk func(*Visitor)) {
	var used []ColID
	made := ColSet{}
	walk(&Visitor{
		Scalar: func(s Scalar) bool {
			if c, ok := s.(*Col); ok {
				used = append(used, c.ID)
			}
			return true
		},
		Rel: func(r Rel) bool {
			Makes(r, made)
			return true
		},
	})
	for _, id := range used {
		if !made.Has(id) {
			free.Add(id)
		}
	}
}

// Makes adds to made the columns that a relation makes itself and does not only pass on. For the operators
// that change rows these include the columns of old and new rows.
func Makes(r Rel, made ColSet) {
	items := func(list []Item) {
		for _, it := range list {
			if c, ok := it.Expr.(*Col); !ok || c.ID != it.ID {
				made.Add(it.ID)
			}
		}
	}
	scanned := func(list []ScanColumn) {
		for _, c := range list {
			made.Add(c.ID)
		}
	}
	switch r := r.(type) {
	case *Scan:
		scanned(r.Cols)
	case *Values:
		made.Add(r.Cols...)
	case *External:
		made.Add(r.Cols...)
	case *Project:
		items(r.Items)
	case *Aggregate:
		for i := range r.Aggs {
			made.Add(r.Aggs[i].ID)
		}
	case *SetOp:
		made.Add(r.Cols...)
	case *CTEScan:
		made.Add(r.Cols...)
	case *Recurse:
		made.Add(r.Cols...)
	case *FuncScan:
		made.Add(r.Columns()...)
	case *ProjectSet:
		items(r.Items)
	case *Window:
		for i := range r.Funcs {
			made.Add(r.Funcs[i].ID)
		}
	case *Accumulated:
		for _, g := range r.Groups {
			for _, c := range g.Cols {
				made.Add(c.ID)
			}
		}
		items(r.Items)
	case *Insert:
		scanned(r.New)
		if c := r.OnConflict; c != nil {
			scanned(c.Old)
			scanned(c.Excluded)
			if c.Key != 0 {
				made.Add(c.Key)
			}
		}
		items(r.Returning)
	case *Update:
		for _, t := range r.Targets {
			scanned(t.New)
		}
		items(r.Returning)
	case *Delete:
		items(r.Returning)
	}
}
