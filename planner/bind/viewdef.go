package bind

import (
	"strings"

	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
)

// The text of a view or a condition depends on the search path of the one who asks, so the catalog has it printed here from the
// stored query, which is complete and qualified.
func init() {
	catalog.PrintView = func(ctx *funcs.Ctx, s *catalog.Snapshot, view *catalog.Table, searchPath []string, pretty bool) (text string, err error) {
		defer catch(&err)
		if text, err = printStored(ctx, s, view.View.Query, searchPath, pretty); err != nil {
			return "", err
		}
		return text + ";", nil
	}
	// A condition is kept as a query of one column.
	catalog.PrintCondition = func(ctx *funcs.Ctx, s *catalog.Snapshot, a *catalog.Assertion, searchPath []string, pretty bool) (text string, err error) {
		defer catch(&err)
		if text, err = printStored(ctx, s, a.Condition, searchPath, pretty); err != nil {
			return "", err
		}
		text, ok := strings.CutPrefix(strings.TrimSpace(text), "SELECT ")
		text, named := strings.CutSuffix(text, " AS holds")
		if !ok || !named {
			return "", errs.New(errs.DataCorrupted, "the stored condition of an assertion is not an expression")
		}
		return text, nil
	}
}

// printStored prints a stored query as it is written under a search path. It may panic as binding does: see catch.
func printStored(ctx *funcs.Ctx, s *catalog.Snapshot, query string, searchPath []string, pretty bool) (string, error) {
	q, err := parsedView(query)
	if err != nil {
		return "", err
	}
	b := newBinder(ctx, Options{Snapshot: s, Ctx: ctx})
	b.text = newTextEvents()
	r := b.selectStmt(q, nil, nil, true)
	p := b.printer(searchPath)
	p.pretty = pretty
	p.table = func(t *catalog.Table) string { return s.QualifiedName(t.OID, searchPath) }
	p.queryColumns(b)
	p.query(r.text, 0, true)
	return p.String(), nil
}
