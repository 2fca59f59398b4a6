package algebra

import (
	"fmt"
	"strconv"
	"strings"

	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// Format prints a query as an indented tree, one operator a line, columns as name:id. It is for tests and for
// looking at plans, and tells everything that decides the result.
func Format(q *Query) string {
	f := &formatter{q: q}
	for _, c := range q.CTEs {
		f.line(0, "with %s", c.Name)
		f.rel(c.Rel, 1)
	}
	if q.Root != nil {
		f.rel(q.Root, 0)
	}
	if q.Output != nil {
		var out []string
		for _, c := range q.Output {
			out = append(out, fmt.Sprintf("%s=%s", c.Name, f.col(c.ID)))
		}
		f.line(0, "output %s", strings.Join(out, " "))
	}
	return f.b.String()
}

// FormatRel prints one relation of a query.
func FormatRel(q *Query, r Rel) string {
	f := &formatter{q: q}
	f.rel(r, 0)
	return f.b.String()
}

// FormatScalar prints one expression of a query; q may be nil.
func FormatScalar(q *Query, s Scalar) string {
	f := &formatter{q: q}
	t := f.scalar(s)
	for _, sub := range f.subs {
		t += "\n" + FormatRel(q, sub)
	}
	return t
}

type formatter struct {
	q    *Query
	b    strings.Builder
	subs []Rel // queries in the expressions of the line in the making
}

func (f *formatter) line(depth int, format string, args ...any) {
	f.b.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&f.b, format, args...)
	f.b.WriteByte('\n')
	subs := f.subs
	f.subs = nil
	for i, s := range subs {
		f.line(depth+2, "subquery %d", i+1)
		f.rel(s, depth+3)
	}
}

func (f *formatter) col(id ColID) string {
	if f.q == nil || int(id) > len(f.q.Columns) || id < 1 {
		return fmt.Sprintf("?:%d", id)
	}
	return fmt.Sprintf("%s:%d", f.q.Column(id).Name, id)
}

func (f *formatter) cols(ids []ColID) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteByte(' ')
		b.WriteString(f.col(id))
	}
	return b.String()
}

func (f *formatter) items(items []Item) string {
	var b strings.Builder
	for _, it := range items {
		b.WriteByte(' ')
		if c, ok := it.Expr.(*Col); ok && c.ID == it.ID {
			b.WriteString(f.col(it.ID))
		} else {
			b.WriteString(f.col(it.ID) + "=" + f.scalar(it.Expr))
		}
	}
	return b.String()
}

func (f *formatter) keys(keys []SortKey, desc func(i int, k SortKey) string) string {
	var b strings.Builder
	for i, k := range keys {
		b.WriteByte(' ')
		b.WriteString(desc(i, k))
		if k.Desc {
			b.WriteString(" desc")
		}
		if k.NullsFirst != k.Desc {
			if k.NullsFirst {
				b.WriteString(" nulls first")
			} else {
				b.WriteString(" nulls last")
			}
		}
		if i < len(keys)-1 {
			b.WriteByte(',')
		}
	}
	return b.String()
}

func (f *formatter) scanCols(table func(int16) string, cols []ScanColumn) string {
	var b strings.Builder
	for _, c := range cols {
		fmt.Fprintf(&b, " %s:%d", table(c.Number), c.ID)
	}
	return b.String()
}

var joinNames = [...]string{InnerJoin: "join", LeftJoin: "left join", FullJoin: "full join", SemiJoin: "semi join", AntiJoin: "anti join", AntiNullJoin: "not in join"}

func (f *formatter) rel(r Rel, depth int) {
	switch r := r.(type) {
	case *Scan:
		head := "scan " + r.Table.Name
		if r.Alias != "" && r.Alias != r.Table.Name {
			head += " as " + r.Alias
		}
		switch r.Transition {
		case NewRows:
			head += " (new rows)"
		case OldRows:
			head += " (old rows)"
		case EitherRows:
			head += " (changed rows)"
		}
		f.line(depth, "%s%s", head, f.cols(r.Columns()))
	case *External:
		f.line(depth, "external%s", f.cols(r.Cols))
	case *Values:
		f.line(depth, "values%s", f.cols(r.Cols))
		for _, row := range r.Rows {
			f.line(depth+1, "%s", f.list(row))
		}
	case *Filter:
		f.line(depth, "filter %s", f.scalar(r.Cond))
	case *Project:
		f.line(depth, "project%s", f.items(r.Items))
	case *Join:
		head := joinNames[r.Kind]
		if r.Lateral {
			head += " lateral"
		}
		if r.On != nil {
			head += " on " + f.scalar(r.On)
		}
		f.line(depth, "%s", head)
	case *Aggregate:
		var b strings.Builder
		if len(r.Keys) > 0 {
			b.WriteString(" by" + f.cols(r.Keys))
		}
		for i := range r.Aggs {
			b.WriteString(" " + f.agg(&r.Aggs[i]))
		}
		f.line(depth, "aggregate%s", b.String())
	case *DistinctRows:
		if r.On == nil {
			f.line(depth, "distinct")
		} else {
			f.line(depth, "distinct on%s", f.cols(r.On))
		}
	case *Sort:
		f.line(depth, "sort%s", f.keys(r.Keys, func(_ int, k SortKey) string { return f.col(k.ID) }))
	case *Limit:
		head := "limit"
		if r.Count != nil {
			head += " " + f.scalar(r.Count)
		}
		if r.WithTies {
			head += " with ties"
		}
		if r.Offset != nil {
			head += " offset " + f.scalar(r.Offset)
		}
		f.line(depth, "%s", head)
	case *SetOp:
		head := [...]string{Union: "union", Intersect: "intersect", Except: "except"}[r.Kind]
		if r.All {
			head += " all"
		}
		f.line(depth, "%s%s", head, f.cols(r.Cols))
	case *CTEScan:
		head := "cte scan " + r.CTE.Name
		if r.Working {
			head = "working table of " + r.CTE.Name
		}
		if r.Alias != "" && r.Alias != r.CTE.Name {
			head += " as " + r.Alias
		}
		f.line(depth, "%s%s", head, f.cols(r.Cols))
	case *Recurse:
		head := "recurse"
		if r.All {
			head += " all"
		}
		f.line(depth, "%s%s", head, f.cols(r.Cols))
	case *FuncScan:
		head := "functions"
		if r.Alias != "" {
			head += " as " + r.Alias
		}
		for _, c := range r.Calls {
			head += " " + f.scalar(c.Call) + " (" + strings.TrimSpace(f.cols(c.Cols)) + ")"
		}
		if r.Ordinality != 0 {
			head += " ordinality " + f.col(r.Ordinality)
		}
		f.line(depth, "%s", head)
	case *ProjectSet:
		f.line(depth, "project set%s", f.items(r.Items))
	case *Window:
		head := "window"
		if len(r.Partition) > 0 {
			head += " partition by" + f.cols(r.Partition)
		}
		if len(r.OrderBy) > 0 {
			head += " order by" + f.keys(r.OrderBy, func(_ int, k SortKey) string { return f.col(k.ID) })
		}
		for i := range r.Funcs {
			w := &r.Funcs[i]
			head += fmt.Sprintf(" %s=%s(%s)", f.col(w.ID), w.Func.Name, f.list(w.Args))
			if w.Filter != nil {
				head += " filter " + f.scalar(w.Filter)
			}
			if fr := w.Frame; fr.Mode != "" {
				head += " " + fr.Mode + " between " + f.bound(fr.Start, fr.StartOffset) + " and " + f.bound(fr.End, fr.EndOffset)
				if fr.Exclude != "" {
					head += " exclude " + fr.Exclude
				}
			}
		}
		f.line(depth, "%s", head)
	case *Accumulated:
		head := "accumulated"
		for _, g := range r.Groups {
			head += " " + g.Table.Name + " ("
			for i, k := range g.Keys {
				if i > 0 {
					head += ", "
				}
				head += f.scalar(k.Expr)
			}
			head += ")"
			for _, c := range g.Cols {
				head += fmt.Sprintf(" %s=%s/%d", f.col(c.ID), c.Func, c.Arg)
			}
		}
		f.line(depth, "%s if %s:%s", head, f.scalar(r.Cond), f.items(r.Items))
	case *LockRows:
		head := "lock"
		for _, l := range r.Locks {
			head += fmt.Sprintf(" %s for %s key %s", l.Table.Name, l.Strength, f.col(l.Key))
			if l.NoWait {
				head += " nowait"
			}
			if l.SkipLocked {
				head += " skip locked"
			}
		}
		f.line(depth, "%s", head)
	case *Insert:
		name := func(n int16) string { return r.Table.Columns[n-1].Name }
		f.line(depth, "insert into %s%s", r.Table.Name, f.assignments(r.Values, name))
		if c := r.OnConflict; c != nil {
			head := "on conflict"
			for _, x := range c.Arbiters {
				head += " " + x.Name
			}
			if c.DoUpdate {
				head += " update" + f.assignments(c.Set, name)
				if c.Where != nil {
					head += " where " + f.scalar(c.Where)
				}
				head += " old" + f.scanCols(name, c.Old) + " excluded" + f.scanCols(name, c.Excluded)
			} else {
				head += " nothing"
			}
			f.line(depth+1, "%s", head)
		}
		f.verify(depth+1, r.Verify)
		f.writeTail(depth+1, r.New, name, r.Checks, r.Returning)
	case *Update:
		f.line(depth, "update%s", through(r.View))
		for _, t := range r.Targets {
			name := func(n int16) string { return t.Table.Columns[n-1].Name }
			f.line(depth+1, "set %s key %s%s", t.Table.Name, f.col(t.Key), f.assignments(t.Set, name))
			if len(t.New) > 0 {
				f.line(depth+2, "new%s", f.scanCols(name, t.New))
			}
			if t.Make != nil {
				f.line(depth+2, "make if %s%s", f.scalar(t.MakeIf), f.assignments(t.Make, name))
				if t.Found != nil {
					f.line(depth+3, "unless found %s", f.scalar(t.Found))
				}
			}
		}
		f.verify(depth+1, r.Verify)
		f.writeTail(depth+1, nil, nil, r.Checks, r.Returning)
	case *Delete:
		head := "delete" + through(r.View)
		for _, t := range r.Targets {
			head += " from " + t.Table.Name + " key " + f.col(t.Key)
		}
		f.line(depth, "%s", head)
		f.verify(depth+1, r.Verify)
		f.writeTail(depth+1, nil, nil, nil, r.Returning)
	default:
		f.line(depth, "%T", r)
	}
	for _, in := range Inputs(r) {
		f.rel(in, depth+1)
	}
}

func (f *formatter) writeTail(depth int, made []ScanColumn, name func(int16) string, checks []ViewCheck, returning []Item) {
	if len(made) > 0 {
		f.line(depth, "new%s", f.scanCols(name, made))
	}
	for _, c := range checks {
		f.line(depth, "check option of %s %s", c.View.Name, f.scalar(c.Cond))
	}
	if len(returning) > 0 {
		f.line(depth, "returning%s", f.items(returning))
	}
}

func (f *formatter) verify(depth int, v *ViewVerify) {
	if v == nil {
		return
	}
	for _, r := range v.Roles {
		f.line(depth, "verify %s as %s", r.Table.Name, r.Alias)
	}
}

func through(view *catalog.Table) string {
	if view != nil {
		return " through " + view.Name
	}
	return ""
}

func (f *formatter) bound(kind string, offset Scalar) string {
	if offset != nil {
		return f.scalar(offset) + " " + kind
	}
	return kind
}

func (f *formatter) assignments(set []Assignment, name func(int16) string) string {
	var b strings.Builder
	for _, a := range set {
		b.WriteString(" " + name(a.Number) + "=" + f.scalar(a.Value))
	}
	return b.String()
}

func (f *formatter) agg(a *Agg) string {
	var b strings.Builder
	b.WriteString(f.col(a.ID) + "=" + a.Func.Name + "(")
	if a.Distinct {
		b.WriteString("distinct ")
	}
	if a.Star {
		b.WriteByte('*')
	}
	b.WriteString(f.list(a.Args))
	if len(a.OrderBy) > 0 {
		b.WriteString(" order by" + f.keys(a.OrderBy, func(i int, _ SortKey) string { return f.scalar(a.OrderArgs[i]) }))
	}
	b.WriteByte(')')
	if a.Filter != nil {
		b.WriteString(" filter " + f.scalar(a.Filter))
	}
	return b.String()
}

func (f *formatter) list(list []Scalar) string {
	var out []string
	for _, s := range list {
		out = append(out, f.scalar(s))
	}
	return strings.Join(out, ", ")
}

func (f *formatter) scalar(s Scalar) string {
	switch s := s.(type) {
	case nil:
		return "-"
	case *Const:
		if s.Value.IsNull() {
			return "NULL::" + typeText(s.T)
		}
		text := string(types.AppendText(nil, s.Typ, s.Value, types.DefaultEnv))
		switch s.Typ {
		case types.Int4, types.Numeric:
			return text
		case types.Bool:
			return strconv.FormatBool(s.Value.Bool())
		case types.Unknown:
			return quote(text)
		}
		return quote(text) + "::" + typeText(s.T)
	case *Param:
		return fmt.Sprintf("$%d::%s", s.Number, typeText(s.T))
	case *Col:
		return f.col(s.ID)
	case *Call:
		if s.Op != "" && len(s.Args) == 2 {
			return "(" + f.scalar(s.Args[0]) + " " + s.Op + " " + f.scalar(s.Args[1]) + ")"
		}
		if s.Op != "" && len(s.Args) == 1 {
			return "(" + s.Op + " " + f.scalar(s.Args[0]) + ")"
		}
		return s.Func.Name + "(" + f.list(s.Args) + ")"
	case *Cast:
		arrow := "::"
		if s.Implicit {
			arrow = ":~"
		}
		return f.scalar(s.Arg) + arrow + typeText(s.T)
	case *And:
		return f.infix(s.Args, " and ")
	case *Or:
		return f.infix(s.Args, " or ")
	case *Not:
		return "not " + f.scalar(s.Arg)
	case *IsNull:
		return "(" + f.scalar(s.Arg) + " is" + not(s.Not) + " null)"
	case *BoolTest:
		want := strconv.FormatBool(s.Want)
		if s.Unknown {
			want = "unknown"
		}
		return "(" + f.scalar(s.Arg) + " is" + not(s.Not) + " " + want + ")"
	case *Distinct:
		return "(" + f.scalar(s.Left) + " is" + not(s.Not) + " distinct from " + f.scalar(s.Right) + ")"
	case *Case:
		var b strings.Builder
		b.WriteString("case")
		for _, w := range s.Whens {
			b.WriteString(" when " + f.scalar(w.Cond) + " then " + f.scalar(w.Result))
		}
		b.WriteString(" else " + f.scalar(s.Else) + " end")
		return b.String()
	case *Coalesce:
		return "coalesce(" + f.list(s.Args) + ")"
	case *MinMax:
		if s.Least {
			return "least(" + f.list(s.Args) + ")"
		}
		return "greatest(" + f.list(s.Args) + ")"
	case *NullIf:
		return "nullif(" + f.scalar(s.Left) + ", " + f.scalar(s.Right) + ")"
	case *AnyAll:
		word := "any"
		if s.All {
			word = "all"
		}
		return "(" + f.scalar(s.Left) + " " + s.Op + " " + word + " (" + f.scalar(s.Array) + "))"
	case *ArrayCtor:
		return "array[" + f.list(s.Elems) + "]::" + typeText(s.T)
	case *Subscript:
		var b strings.Builder
		b.WriteString(f.scalar(s.Array))
		for i := range s.Upper {
			b.WriteByte('[')
			if s.Slice {
				if s.Lower[i] != nil {
					b.WriteString(f.scalar(s.Lower[i]))
				}
				b.WriteByte(':')
			}
			if s.Upper[i] != nil {
				b.WriteString(f.scalar(s.Upper[i]))
			}
			b.WriteByte(']')
		}
		return b.String()
	case *Row:
		return "row(" + f.list(s.Fields) + ")"
	case *FieldOf:
		return fmt.Sprintf("(%s).%d", f.scalar(s.Arg), s.Field)
	case *Subquery:
		f.subs = append(f.subs, s.Rel)
		ref := fmt.Sprintf("(subquery %d)", len(f.subs))
		switch s.Kind {
		case ExistsSubquery:
			return "exists" + ref
		case ArraySubquery:
			return "array" + ref
		case AnySubquery, AllSubquery:
			word := "any"
			if s.Kind == AllSubquery {
				word = "all"
			}
			text := "(" + f.list(s.Left) + " " + s.Op + " " + word + ref + ")"
			if s.Not {
				text = "not " + text
			}
			return text
		}
		return ref
	}
	return fmt.Sprintf("%T", s)
}

func (f *formatter) infix(args []Scalar, op string) string {
	var out []string
	for _, a := range args {
		out = append(out, f.scalar(a))
	}
	return "(" + strings.Join(out, op) + ")"
}

func not(n bool) string {
	if n {
		return " not"
	}
	return ""
}

func typeText(t T) string {
	if t.Typ == nil {
		return "?"
	}
	if t.M == types.NoTypmod {
		return t.Typ.Name
	}
	return fmt.Sprintf("%s(%d)", t.Typ.Name, t.M)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
