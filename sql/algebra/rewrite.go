package algebra

// Rewriter makes changed copies of trees, sharing what does not change. A function that returns true has the
// node replaced by what it returns, and the rewriter does not go below it; a nil function changes nothing.
type Rewriter struct {
	Scalar func(Scalar) (Scalar, bool)
	Rel    func(Rel) (Rel, bool)
}

// RewriteScalar rewrites an expression; nil gives nil.
func (w *Rewriter) RewriteScalar(s Scalar) Scalar {
	if s == nil {
		return nil
	}
	if w.Scalar != nil {
		if r, ok := w.Scalar(s); ok {
			return r
		}
	}
	switch s := s.(type) {
	case *Call:
		if args, ok := w.scalars(s.Args); ok {
			c := *s
			c.Args = args
			return &c
		}
	case *Cast:
		if a := w.RewriteScalar(s.Arg); a != s.Arg {
			c := *s
			c.Arg = a
			return &c
		}
	case *And:
		if args, ok := w.scalars(s.Args); ok {
			return &And{Args: args}
		}
	case *Or:
		if args, ok := w.scalars(s.Args); ok {
			return &Or{Args: args}
		}
	case *Not:
		if a := w.RewriteScalar(s.Arg); a != s.Arg {
			return &Not{Arg: a}
		}
	case *IsNull:
		if a := w.RewriteScalar(s.Arg); a != s.Arg {
			return &IsNull{Arg: a, Not: s.Not}
		}
	case *BoolTest:
		if a := w.RewriteScalar(s.Arg); a != s.Arg {
			c := *s
			c.Arg = a
			return &c
		}
	case *Distinct:
		if l, r := w.RewriteScalar(s.Left), w.RewriteScalar(s.Right); l != s.Left || r != s.Right {
			c := *s
			c.Left, c.Right = l, r
			return &c
		}
	case *Case:
		changed := false
		whens := make([]When, len(s.Whens))
		for i, b := range s.Whens {
			whens[i] = When{Cond: w.RewriteScalar(b.Cond), Result: w.RewriteScalar(b.Result)}
			changed = changed || whens[i] != b
		}
		if e := w.RewriteScalar(s.Else); changed || e != s.Else {
			return &Case{T: s.T, Whens: whens, Else: e}
		}
	case *Coalesce:
		if args, ok := w.scalars(s.Args); ok {
			return &Coalesce{T: s.T, Args: args}
		}
	case *MinMax:
		if args, ok := w.scalars(s.Args); ok {
			return &MinMax{T: s.T, Least: s.Least, Args: args}
		}
	case *NullIf:
		if l, r := w.RewriteScalar(s.Left), w.RewriteScalar(s.Right); l != s.Left || r != s.Right {
			c := *s
			c.Left, c.Right = l, r
			return &c
		}
	case *AnyAll:
		if l, r := w.RewriteScalar(s.Left), w.RewriteScalar(s.Array); l != s.Left || r != s.Array {
			c := *s
			c.Left, c.Array = l, r
			return &c
		}
	case *ArrayCtor:
		if elems, ok := w.scalars(s.Elems); ok {
			return &ArrayCtor{T: s.T, Elems: elems}
		}
	case *Subscript:
		a := w.RewriteScalar(s.Array)
		lower, l := w.scalars(s.Lower)
		upper, u := w.scalars(s.Upper)
		if a != s.Array || l || u {
			c := *s
			c.Array, c.Lower, c.Upper = a, lower, upper
			return &c
		}
	case *Row:
		if f, ok := w.scalars(s.Fields); ok {
			return &Row{T: s.T, Fields: f, Names: s.Names}
		}
	case *FieldOf:
		if a := w.RewriteScalar(s.Arg); a != s.Arg {
			return &FieldOf{T: s.T, Arg: a, Field: s.Field}
		}
	case *Subquery:
		left, l := w.scalars(s.Left)
		if r := w.RewriteRel(s.Rel); l || r != s.Rel {
			c := *s
			c.Left, c.Rel = left, r
			return &c
		}
	}
	return s
}

func (w *Rewriter) scalars(list []Scalar) ([]Scalar, bool) {
	var out []Scalar
	for i, s := range list {
		r := w.RewriteScalar(s)
		if r != s && out == nil {
			out = append(make([]Scalar, 0, len(list)), list[:i]...)
		}
		if out != nil {
			out = append(out, r)
		}
	}
	if out == nil {
		return list, false
	}
	return out, true
}

func (w *Rewriter) items(list []Item) ([]Item, bool) {
	var out []Item
	for i, it := range list {
		r := w.RewriteScalar(it.Expr)
		if r != it.Expr && out == nil {
			out = append(make([]Item, 0, len(list)), list[:i]...)
		}
		if out != nil {
			out = append(out, Item{ID: it.ID, Expr: r})
		}
	}
	if out == nil {
		return list, false
	}
	return out, true
}

func (w *Rewriter) assignments(list []Assignment) []Assignment {
	out := make([]Assignment, len(list))
	for i, a := range list {
		out[i] = Assignment{Number: a.Number, Value: w.RewriteScalar(a.Value)}
	}
	return out
}

func (w *Rewriter) verify(v *ViewVerify) *ViewVerify {
	if v == nil {
		return nil
	}
	n := *v
	n.Meant, _ = w.scalars(v.Meant)
	return &n
}

func (w *Rewriter) checks(list []ViewCheck) []ViewCheck {
	out := make([]ViewCheck, len(list))
	shared := map[*Scalar][]Scalar{} // checks may share their words, and go on to
	for i, c := range list {
		out[i] = c
		out[i].Cond = w.RewriteScalar(c.Cond)
		if len(c.Args) == 0 {
			continue
		}
		args := shared[&c.Args[0]]
		if args == nil {
			args, _ = w.scalars(c.Args)
			shared[&c.Args[0]] = args
		}
		out[i].Args = args
	}
	return out
}

// RewriteRel rewrites a relation, its inputs first shown to Rel as its parents; nil gives nil. CTEs are not
// entered from their scans. The operators that change rows are always copied.
func (w *Rewriter) RewriteRel(r Rel) Rel {
	if r == nil {
		return nil
	}
	if w.Rel != nil {
		if n, ok := w.Rel(r); ok {
			return n
		}
	}
	switch r := r.(type) {
	case *Values:
		var rows [][]Scalar
		for i, row := range r.Rows {
			out, ok := w.scalars(row)
			if ok && rows == nil {
				rows = append(make([][]Scalar, 0, len(r.Rows)), r.Rows[:i]...)
			}
			if rows != nil {
				rows = append(rows, out)
			}
		}
		if rows != nil {
			return &Values{Cols: r.Cols, Rows: rows}
		}
	case *Filter:
		if in, cond := w.RewriteRel(r.Input), w.RewriteScalar(r.Cond); in != r.Input || cond != r.Cond {
			return &Filter{Input: in, Cond: cond}
		}
	case *Project:
		in := w.RewriteRel(r.Input)
		if items, ok := w.items(r.Items); ok || in != r.Input {
			return &Project{Input: in, Items: items}
		}
	case *Join:
		left, right, on := w.RewriteRel(r.Left), w.RewriteRel(r.Right), w.RewriteScalar(r.On)
		if left != r.Left || right != r.Right || on != r.On {
			return &Join{Kind: r.Kind, Left: left, Right: right, On: on, Lateral: r.Lateral}
		}
	case *Aggregate:
		in := w.RewriteRel(r.Input)
		changed := in != r.Input
		aggs := make([]Agg, len(r.Aggs))
		for i, a := range r.Aggs {
			args, x := w.scalars(a.Args)
			order, y := w.scalars(a.OrderArgs)
			f := w.RewriteScalar(a.Filter)
			changed = changed || x || y || f != a.Filter
			a.Args, a.OrderArgs, a.Filter = args, order, f
			aggs[i] = a
		}
		if changed {
			return &Aggregate{Input: in, Keys: r.Keys, Aggs: aggs}
		}
	case *DistinctRows:
		if in := w.RewriteRel(r.Input); in != r.Input {
			return &DistinctRows{Input: in, On: r.On}
		}
	case *Sort:
		if in := w.RewriteRel(r.Input); in != r.Input {
			return &Sort{Input: in, Keys: r.Keys}
		}
	case *Limit:
		in, n, o := w.RewriteRel(r.Input), w.RewriteScalar(r.Count), w.RewriteScalar(r.Offset)
		if in != r.Input || n != r.Count || o != r.Offset {
			return &Limit{Input: in, Count: n, Offset: o, WithTies: r.WithTies}
		}
	case *SetOp:
		if a, b := w.RewriteRel(r.Left), w.RewriteRel(r.Right); a != r.Left || b != r.Right {
			return &SetOp{Kind: r.Kind, All: r.All, Left: a, Right: b, Cols: r.Cols}
		}
	case *Recurse:
		if a, b := w.RewriteRel(r.Base), w.RewriteRel(r.Step); a != r.Base || b != r.Step {
			return &Recurse{Base: a, Step: b, All: r.All, Cols: r.Cols}
		}
	case *FuncScan:
		var calls []*FuncCall
		for i, c := range r.Calls {
			e := w.RewriteScalar(c.Call)
			if e != c.Call && calls == nil {
				calls = append(make([]*FuncCall, 0, len(r.Calls)), r.Calls[:i]...)
			}
			if calls != nil {
				calls = append(calls, &FuncCall{Call: e, Cols: c.Cols})
			}
		}
		if calls != nil {
			return &FuncScan{Calls: calls, Ordinality: r.Ordinality, Alias: r.Alias}
		}
	case *ProjectSet:
		in := w.RewriteRel(r.Input)
		if items, ok := w.items(r.Items); ok || in != r.Input {
			return &ProjectSet{Input: in, Items: items}
		}
	case *Window:
		in := w.RewriteRel(r.Input)
		changed := in != r.Input
		list := make([]WindowFunc, len(r.Funcs))
		for i, f := range r.Funcs {
			args, x := w.scalars(f.Args)
			filter, start, end := w.RewriteScalar(f.Filter), w.RewriteScalar(f.Frame.StartOffset), w.RewriteScalar(f.Frame.EndOffset)
			changed = changed || x || filter != f.Filter || start != f.Frame.StartOffset || end != f.Frame.EndOffset
			f.Args, f.Filter, f.Frame.StartOffset, f.Frame.EndOffset = args, filter, start, end
			list[i] = f
		}
		if changed {
			return &Window{Input: in, Partition: r.Partition, OrderBy: r.OrderBy, Funcs: list}
		}
	case *Accumulated:
		n := *r
		n.Input, n.Cond = w.RewriteRel(r.Input), w.RewriteScalar(r.Cond)
		n.Items, _ = w.items(r.Items)
		n.Groups = make([]AccumulatedGroup, len(r.Groups))
		for i, g := range r.Groups {
			g.Keys = make([]AccumulatedKey, len(g.Keys))
			for k, key := range r.Groups[i].Keys {
				g.Keys[k] = AccumulatedKey{Expr: w.RewriteScalar(key.Expr), Null: key.Null}
			}
			n.Groups[i] = g
		}
		return &n
	case *LockRows:
		if in := w.RewriteRel(r.Input); in != r.Input {
			return &LockRows{Input: in, Locks: r.Locks}
		}
	case *Insert:
		n := *r
		n.Source, n.Values, n.Checks = w.RewriteRel(r.Source), w.assignments(r.Values), w.checks(r.Checks)
		n.Returning, _ = w.items(r.Returning)
		if r.OnConflict != nil {
			c := *r.OnConflict
			c.Set, c.Where, c.Checks = w.assignments(c.Set), w.RewriteScalar(c.Where), w.checks(c.Checks)
			n.OnConflict = &c
		}
		n.Verify = w.verify(r.Verify)
		return &n
	case *Update:
		n := *r
		n.Source, n.Checks = w.RewriteRel(r.Source), w.checks(r.Checks)
		n.Targets = make([]*UpdateTarget, len(r.Targets))
		for i, t := range r.Targets {
			c := *t
			c.Set, c.MakeIf, c.Found = w.assignments(t.Set), w.RewriteScalar(t.MakeIf), w.RewriteScalar(t.Found)
			if t.Make != nil {
				c.Make = w.assignments(t.Make)
			}
			n.Targets[i] = &c
		}
		n.Verify = w.verify(r.Verify)
		n.Returning, _ = w.items(r.Returning)
		return &n
	case *Delete:
		n := *r
		n.Source = w.RewriteRel(r.Source)
		n.Returning, _ = w.items(r.Returning)
		return &n
	}
	return r
}
