package planner

import (
	"holdfast/planner/exec"
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

// violationBytes is what a violation takes beside its text, about.
const violationBytes = 64

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
	bytes, most := int64(0), exec.MostBytes(s.settings.workMem)
	o := optimize.Options{Snapshot: snapshot, Catalog: s.engine.catalog, Ctx: ctx, WorkMem: s.settings.workMem}
	if err := optimize.EachViolation(x, o, a, func(text string, _ func() error) bool {
		list = append(list, types.NewString(text))
		bytes += violationBytes + int64(len(text))
		return bytes <= most
	}); err != nil {
		return nil, err
	}
	if bytes > most {
		return nil, errs.New(errs.ProgramLimitExceeded, "violations of assertion \"%s\" take more than %d MB", a.Name, most>>20).
			WithDetail("The bound is 16 times work_mem, and at least 256 MB. There are more than %d violations.", len(list)).
			WithHint("Raise work_mem, or run the query of the assertion's condition, whose rows are not held in memory.")
	}
	return funcs.EachDatum(list), nil
}
