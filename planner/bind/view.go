package bind

import (
	"sync"

	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
)

// Views stand for their queries. The text of a view is fully qualified and is bound under an empty search path,
// with no names of the statement around it in sight.

// inForeign binds text that is not the statement's: that of a view, a default, an index.
func (b *binder) inForeign(f func()) {
	path := b.path
	b.path = nil
	b.foreign++
	f()
	b.foreign--
	b.path = path
}

// viewQuery binds the query of a view.
func (b *binder) viewQuery(view *catalog.Table, locks []*ast.Locking) *result {
	var r *result
	b.inView(view, func(q *ast.Select) { r = b.selectStmt(q, nil, locks, true) })
	return r
}

// inView calls f with the query of a view while the view counts as being expanded.
func (b *binder) inView(view *catalog.Table, f func(*ast.Select)) {
	for _, v := range b.views {
		if v.OID == view.OID {
			b.fail(-1, errs.InvalidObjectDefinition, "infinite recursion detected in rules for relation %s", quoted(view.Name))
		}
	}
	q, err := parsedView(view.View.Query)
	if err != nil {
		b.bail(-1, err)
	}
	b.views = append(b.views, view)
	text := b.text
	b.text = nil
	b.inForeign(func() { f(q) })
	b.text = text
	b.views = b.views[:len(b.views)-1]
}

// parsed keeps the trees of texts stored in the catalog, which are read again and again.
type parsed[T any] struct {
	mu    sync.Mutex
	trees map[string]T
	parse func(string) (T, error)
}

// maxParsed bounds the number of trees kept; when it is reached all are forgotten.
const maxParsed = 4096

func (p *parsed[T]) get(text string) (T, error) {
	p.mu.Lock()
	t, ok := p.trees[text]
	p.mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := p.parse(text)
	if err != nil {
		return t, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trees == nil || len(p.trees) >= maxParsed {
		p.trees = make(map[string]T)
	}
	p.trees[text] = t
	return t, nil
}

var (
	parsedViews = parsed[*ast.Select]{parse: parseView}
	parsedExprs = parsed[ast.Expr]{parse: parse.ParseExpr}
)

func parsedView(text string) (*ast.Select, error) { return parsedViews.get(text) }

func parseView(text string) (*ast.Select, error) {
	list, err := parse.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(list) == 1 {
		if q, ok := list[0].Stmt.(*ast.Select); ok {
			return q, nil
		}
	}
	return nil, errs.New(errs.DataCorrupted, "the stored definition of a view is not a query")
}
