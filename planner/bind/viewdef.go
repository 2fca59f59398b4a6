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
		q, err := parsedView(view.View.Query)
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
		return p.String() + ";", nil
	}
	// A condition is kept as a query of one column.
	catalog.PrintCondition = func(ctx *funcs.Ctx, s *catalog.Snapshot, a *catalog.Assertion, searchPath []string, pretty bool) (text string, err error) {
		defer catch(&err)
		q, err := parsedView(a.Condition)
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
		text, ok := strings.CutPrefix(strings.TrimSpace(p.String()), "SELECT ")
		text, named := strings.CutSuffix(text, " AS holds")
		if !ok || !named {
			return "", errs.New(errs.DataCorrupted, "the stored condition of an assertion is not an expression")
		}
		return text, nil
	}
}
