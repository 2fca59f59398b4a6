package planner

import (
	"holdfast/planner/optimize"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// violations(name) are the violations of an assertion in the present state, each as the DETAIL of the error shows it. What it
// returns is text and no record: the columns are those of the condition's queries, of which there may be several, and a query
// that calls a function must know its columns before it knows the argument.
func init() {
	funcs.Register(&funcs.Func{
		OID: 13970, Name: "violations", Args: []*types.Type{types.Text}, ArgNames: []string{"assertion"}, Result: types.Text, Kind: 'f', ReturnsSet: true,
		Strict: true, Volatility: 's', Source: "violations", Rows: violationRows,
	})
}

func violationRows(ctx *funcs.Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
	s, ok := ctx.Session.(functionSession)
	if !ok {
		return nil, errs.New(errs.InternalError, "violations() was called outside of a transaction")
	}
	snapshot, err := catalog.SnapshotOf(ctx)
	if err != nil {
		return nil, err
	}
	a, err := snapshot.AssertionNamed(args[0].Str(), s.SearchPath(), s.Database())
	if err != nil {
		return nil, err
	}
	x := s.execContext(ctx.Context, nil)
	var list []types.Datum
	o := optimize.Options{Snapshot: snapshot, Catalog: s.engine.catalog, Ctx: ctx, WorkMem: s.settings.workMem}
	if err := optimize.EachViolation(x, o, a, func(text string, _ func() error) bool {
		list = append(list, types.NewString(text))
		return true
	}); err != nil {
		return nil, err
	}
	return funcs.EachDatum(list), nil
}
