package bind

import (
	"context"
	"slices"
	"strings"

	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// Analysis says what can be written through a view, and through each of its columns. The statements that
// write through views, information_schema and pg_relation_is_updatable all read this one verdict.
type Analysis struct {
	View *catalog.Table
	// Join is set if the view joins several tables, itself or through views under it.
	Join                   bool
	Insert, Update, Delete Verdict
	Columns                []ColumnVerdict // of the view, by position
	// Bases are the tables that the view is made of, in the order of FROM, those of views under it in their places.
	Bases []BaseTable
	// DeleteFrom are those of Bases, by position, that DELETE removes rows of; nil if it is refused.
	DeleteFrom []int
}

// BaseTable is a table that a view is made of.
type BaseTable struct {
	Table *catalog.Table
	Alias string // in the FROM it stands in
	// Preserved: a row of it is in one row of the view at most, and every row of the view has one.
	Preserved bool
	// Optional: an outer join may leave it out.
	Optional bool
}

// Verdict is whether something can be done. Reason is a full sentence, for the DETAIL of an error, if not.
type Verdict struct {
	OK     bool
	Reason string
	// Hint says what would help, "" if nothing is known.
	Hint string
	// Code is the SQLSTATE of the refusal.
	Code errs.Code
	// View is the view to blame: the one asked about or one under it.
	View *catalog.Table
}

// ColumnVerdict says what a column of a view writes.
type ColumnVerdict struct {
	Name string
	// Bases are the columns written: none, one, or several of tables that are one to one.
	Bases          []BaseColumn
	Insert, Update Verdict
	// Inverted: the column shows an expression, which is inverted to find what to store.
	Inverted bool

	flat    *flatColumn
	targets []baseColumn
	inverse *inversion // nil if the column shows a base column as it is
}

// BaseColumn is a column of a base table.
type BaseColumn struct {
	Table  *catalog.Table
	Number int16
	Base   int // position in Analysis.Bases
}

// Reasons why a join view cannot be written.
const (
	noUpdatableColumn = "Views that have no updatable columns are not automatically updatable."
	noPreservedKey    = "The view's join does not preserve the key of any of its tables: one row of a table may be in many rows of the view."
	tablesHint        = "Write to the tables that the view reads. INSTEAD OF triggers and rules are not supported."
	keyHint           = "Join the tables by a primary key or by unique columns."
	notAsked          = "A subquery of the view reads the table that would be written, so that any row of the view could change."
	notReferred       = "The column is what the view joins the table by: rows that refer to it would lose their partner."
	notOuterColumn    = "An outer join looks for rows by this column."
	notOuterInsert    = "An outer join leaves out several tables together, so INSERT cannot make a row of one of them by itself."
	notManyInsert     = "An outer join may leave out each table of which a row is in one row of the view at most."
)

// AnalyzeView tells what can be written through a view.
func AnalyzeView(ctx context.Context, o Options, view *catalog.Table) (a *Analysis, err error) {
	defer catch(&err)
	b := newBinder(ctx, o)
	return b.analyze(b.flatten(view)), nil
}

// analyze judges a flattened view.
func (b *binder) analyze(f *flatView) *Analysis {
	a := &Analysis{View: f.view, Join: len(f.bases) > 1}
	if f.reason != "" {
		v := Verdict{Reason: f.reason, Hint: tablesHint, View: f.cause, Code: errs.ObjectNotInPrerequisiteState}
		a.Insert, a.Update, a.Delete = v, v, v
		for _, c := range f.view.Columns {
			a.Columns = append(a.Columns, ColumnVerdict{Name: c.Name, Insert: v, Update: v})
		}
		return a
	}
	g := f.keys()
	for i, base := range f.bases {
		a.Bases = append(a.Bases, BaseTable{Table: base.src.base, Alias: base.src.name, Preserved: g.preserved[i], Optional: base.nullable})
	}
	updatable, insertable := false, false
	for _, c := range f.cols {
		v := g.column(c)
		updatable, insertable = updatable || v.Update.OK, insertable || v.Insert.OK
		a.Columns = append(a.Columns, v)
	}
	yes := Verdict{OK: true, View: f.view}
	no := func(reason, hint string) Verdict {
		return Verdict{Reason: reason, Hint: hint, View: f.view, Code: errs.ObjectNotInPrerequisiteState}
	}
	a.Insert, a.Update = yes, yes
	if !insertable {
		a.Insert = no(noUpdatableColumn, tablesHint)
	}
	if !updatable {
		a.Update = no(noUpdatableColumn, tablesHint)
	}
	if a.Join && len(g.anchors) == 0 {
		a.Insert, a.Update = no(noPreservedKey, keyHint), no(noPreservedKey, keyHint)
	}
	if a.Join && len(g.anchors) > 0 && !g.anyPreserved() {
		a.Insert = Verdict{Reason: notManyInsert, Hint: tablesHint, View: f.view, Code: errs.FeatureNotSupported}
	}
	a.DeleteFrom, a.Delete = g.deletes()
	if a.Join {
		for i, base := range f.bases {
			if g.asks()[base.src.base.OID] && a.Insert.OK {
				a.Insert = no(notAsked, tablesHint)
			}
			if g.asks()[base.src.base.OID] && a.Delete.OK && slices.Contains(a.DeleteFrom, i) {
				a.Delete, a.DeleteFrom = no(notAsked, tablesHint), nil
			}
		}
	}
	return a
}

// column judges a column of the view.
func (g *keyGraph) column(c *flatColumn) ColumnVerdict {
	v := ColumnVerdict{Name: c.name, flat: c}
	no := func(reason string) Verdict {
		return Verdict{Reason: reason, View: c.view, Code: errs.FeatureNotSupported}
	}
	yes := Verdict{OK: true, View: c.view}
	refuse := func(reason string) ColumnVerdict {
		v.Insert, v.Update = no(reason), no(reason)
		return v
	}
	join := len(g.f.bases) > 1
	if c.reason != "" && !(join && c.reason == notBaseColumn) {
		return refuse(c.reason)
	}
	x, reason := invert(c.expr)
	switch {
	case x == nil && join:
		return refuse(reason)
	case x == nil || !join && c.expr != scalar(x.col):
		return refuse(notBaseColumn)
	}
	at, ok := g.at[x.col.ID]
	if !ok || at.number < 0 {
		return refuse(notBaseColumn)
	}
	if c.expr != scalar(x.col) {
		v.Inverted, v.inverse = true, x
	}
	v.Insert, v.Update = yes, yes
	write := func(at baseColumn) {
		v.targets = append(v.targets, at)
		v.Bases = append(v.Bases, BaseColumn{Table: g.f.bases[at.base].src.base, Number: at.number, Base: at.base})
	}
	if !join {
		write(at)
		return v
	}
	if len(g.anchors) == 0 {
		return refuse(noPreservedKey)
	}
	if !g.anyPreserved() {
		v.Insert = no(notManyInsert)
	}
	// A join column: the reference is changed, not what it refers to.
	if equal := g.equated(x.col.ID); len(equal) > 1 {
		for _, e := range equal {
			if g.preserved[e.base] {
				write(e)
				if g.asks()[g.f.bases[e.base].src.base.OID] {
					return refuse(notAsked)
				}
			}
		}
		if len(v.targets) > 0 {
			return v
		}
	}
	write(at)
	if g.asks()[g.f.bases[at.base].src.base.OID] {
		return refuse(notAsked)
	}
	if !g.preserved[at.base] && !g.joinedBy(x.col.ID) && g.linked(x.col.ID) {
		v.Update = no(notReferred)
	}
	if g.f.bases[at.base].nullable {
		if g.joinedBy(x.col.ID) {
			v.Update = no(notOuterColumn)
		}
		if g.alone(at.base) == nil && v.Insert.OK {
			v.Insert = no(notOuterInsert)
		}
	}
	return v
}

// deletes decides which tables DELETE removes rows of: the key-preserved ones, which are one to one, and tables that are one to one
// with them where they are there.
func (g *keyGraph) deletes() (list []int, v Verdict) {
	f := g.f
	yes := Verdict{OK: true, View: f.view}
	if name := f.view.View.DeleteFrom; name != "" && len(f.deleteFrom) == 0 {
		return nil, Verdict{View: f.view, Code: errs.InvalidParameterValue,
			Reason: "delete_from names " + quoted(name) + ", which is not in the FROM clause of the view, or from which nothing can be deleted."}
	}
	if len(f.deleteFrom) > 0 {
		for i, base := range f.bases {
			if slices.Contains(f.deleteFrom, base) {
				list = append(list, i)
			}
		}
		return list, yes
	}
	seen := map[catalog.OID]bool{}
	twice := false
	for i, single := range g.single {
		if single && len(g.anchors) > 0 {
			list = append(list, i)
			oid := f.bases[i].src.base.OID
			twice = twice || seen[oid]
			seen[oid] = true
		}
	}
	reason := ""
	switch {
	case len(list) == 0:
		reason = noPreservedKey
	case twice:
		reason = "One table is there in several roles, of which each row is in one row of the view at most."
	default:
		return list, yes
	}
	var names []string
	for i, base := range f.bases {
		if !base.nullable && (len(list) == 0 || slices.Contains(list, i)) {
			names = append(names, base.src.name)
		}
	}
	if len(names) == 0 {
		return nil, Verdict{View: f.view, Code: errs.ObjectNotInPrerequisiteState, Reason: noPreservedKey, Hint: keyHint}
	}
	return nil, Verdict{View: f.view, Code: errs.AmbiguousAlias, Reason: reason + " Candidates to delete from are: " + strings.Join(names, ", ") + ".",
		Hint: "Say which is meant: ALTER VIEW " + types.QuoteIdentifier(f.view.Name) + " SET (delete_from = '" + names[0] + "')."}
}

// The catalog shows what this package decides.
func init() {
	catalog.ViewUpdatability = func(s *catalog.Snapshot, view *catalog.Table) catalog.Updatability {
		ctx := context.Background()
		a, err := AnalyzeView(ctx, Options{Snapshot: s, Ctx: &funcs.Ctx{Context: ctx, Env: types.DefaultEnv}}, view)
		if err != nil {
			return catalog.Updatability{}
		}
		u := catalog.Updatability{Insert: a.Insert.OK, Update: a.Update.OK, Delete: a.Delete.OK}
		for i, c := range a.Columns {
			if c.Update.OK {
				u.Columns = append(u.Columns, int16(i+1))
			}
		}
		return u
	}
}
