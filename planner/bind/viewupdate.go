package bind

import (
	"context"

	"holdfast/sql/catalog"
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
}

// Verdict is whether something can be done. Reason is a full sentence, for the DETAIL of an error, if not.
type Verdict struct {
	OK     bool
	Reason string
	// View is the view to blame: the one asked about or one under it.
	View *catalog.Table
}

// ColumnVerdict says what a column of a view writes.
type ColumnVerdict struct {
	Name string
	// Bases are the columns written: none, one, or several of tables that are one to one.
	Bases          []BaseColumn
	Insert, Update Verdict

	flat    *flatColumn
	targets []baseColumn
}

// BaseColumn is a column of a base table.
type BaseColumn struct {
	Table  *catalog.Table
	Number int16
}

const (
	noOuterInsert     = "Inserting into a view with an outer join is not supported."
	noUpdatableColumn = "Views that have no updatable columns are not automatically updatable."
	noPreservedKey    = "The view's join does not preserve the key of any of its tables: one row of a table may be in many rows of the view."
	noOuterDelete     = "Deleting from a view with an outer join is not supported."
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
	no := func(reason string) Verdict { return Verdict{Reason: reason, View: f.view} }
	yes := Verdict{OK: true, View: f.view}
	if f.reason != "" {
		v := Verdict{Reason: f.reason, View: f.cause}
		a.Insert, a.Update, a.Delete = v, v, v
		for _, c := range f.view.Columns {
			a.Columns = append(a.Columns, ColumnVerdict{Name: c.Name, Insert: v, Update: v})
		}
		return a
	}
	g := f.keys()
	a.Insert, a.Update, a.Delete = yes, yes, yes
	any := false
	for _, c := range f.cols {
		v := ColumnVerdict{Name: c.name, flat: c}
		targets, reason := g.writes(c)
		v.targets = targets
		for _, t := range targets {
			v.Bases = append(v.Bases, BaseColumn{f.bases[t.base].src.base, t.number})
		}
		v.Update = Verdict{OK: reason == "", Reason: reason, View: c.view}
		v.Insert = v.Update
		any = any || reason == ""
		a.Columns = append(a.Columns, v)
	}
	if !any {
		a.Update = no(noUpdatableColumn)
		a.Insert = a.Update
		if a.Join && !g.anyPreserved() {
			a.Update = no(noPreservedKey)
		}
	}
	switch {
	case !a.Join:
	case f.outers:
		a.Insert, a.Delete = no(noOuterInsert), no(noOuterDelete)
	case !g.anyPreserved():
		a.Insert, a.Delete = no(noPreservedKey), no(noPreservedKey)
	}
	return a
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
