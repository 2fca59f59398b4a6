package planner

import (
	"strings"

	"holdfast/planner/bind"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// view_update_plan(view) tells what writing through a view means: for each column of the view and operation the base columns that are
// written, or why none is; and for DELETE the tables that rows are removed of. It is bind.Analysis as a table: what it says is what the
// statements do.
func init() {
	funcs.Register(&funcs.Func{
		OID: 13979, Name: "view_update_plan", Args: []*types.Type{types.Regclass}, ArgNames: []string{"view"}, Result: types.RecordType, Kind: 'f',
		ReturnsSet: true, Strict: true, Volatility: 's', Source: "view_update_plan", Rows: viewPlanRows,
		OutNames: []string{"column", "operation", "base_table", "base_column", "reason"},
		OutTypes: []*types.Type{types.Name, types.Text, types.Text, types.Name, types.Text},
	})
}

func viewPlanRows(ctx *funcs.Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
	s, ok := ctx.Session.(functionSession)
	if !ok {
		return nil, errs.New(errs.InternalError, "view_update_plan() was called outside of a transaction")
	}
	snapshot, err := catalog.SnapshotOf(ctx)
	if err != nil {
		return nil, err
	}
	oid := types.OID(args[0].Int())
	view := snapshot.RelationByOID(oid)
	switch {
	case view == nil:
		return nil, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", oid)
	case view.Kind != catalog.KindView:
		return nil, errs.New(errs.WrongObjectType, "\"%s\" is not a view", view.Name)
	}
	a, err := bind.AnalyzeView(ctx.Context, bind.Options{Snapshot: snapshot, Ctx: ctx}, view)
	if err != nil {
		return nil, err
	}
	list := viewPlan(a, func(i int) string {
		base := a.Bases[i]
		name := snapshot.QualifiedName(base.Table.OID, s.SearchPath())
		for k, other := range a.Bases {
			if k != i && other.Table.OID == base.Table.OID { // several roles
				return name + " AS " + types.QuoteIdentifier(base.Alias)
			}
		}
		return name
	})
	return funcs.EachRow(list), nil
}

// viewPlan is an analysis as rows: UPDATE and INSERT of each column, then DELETE. A table in several roles is named with its alias.
func viewPlan(a *bind.Analysis, name func(base int) string) [][]types.Datum {
	var list [][]types.Datum
	text := func(s string) types.Datum {
		if s == "" {
			return types.Null
		}
		return types.NewString(s)
	}
	add := func(column, operation, table, base, reason string) {
		list = append(list, []types.Datum{text(column), text(operation), text(table), text(base), text(reason)})
	}
	refuse := func(column, operation string, v bind.Verdict) {
		add(column, operation, "", "", strings.TrimSpace(v.Reason+" "+v.Hint))
	}
	for _, c := range a.Columns {
		for _, operation := range []string{"UPDATE", "INSERT"} {
			whole, own := a.Update, c.Update
			if operation == "INSERT" {
				whole, own = a.Insert, c.Insert
			}
			switch {
			case !own.OK:
				refuse(c.Name, operation, own)
			case !whole.OK:
				refuse(c.Name, operation, whole)
			}
			if !own.OK || !whole.OK {
				continue
			}
			for _, b := range c.Bases {
				add(c.Name, operation, name(b.Base), b.Table.Columns[b.Number-1].Name, "")
			}
		}
	}
	if !a.Delete.OK {
		refuse("", "DELETE", a.Delete)
	}
	for _, i := range a.DeleteFrom {
		add("", "DELETE", name(i), "", "")
	}
	return list
}
