package bind

import (
	"context"
	"errors"
	"unicode/utf8"

	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// maxDepth bounds how deeply expressions, queries and views may nest, so that no text can exhaust the stack of
// the walks over its tree.
const maxDepth = 6000

// binder binds one statement.
//
// Errors travel as panics with a bail in them and end at the functions that make a binder: most of the
// binder is a recursion in which every call can fail and nobody can go on, and there is no state to tidy up.
type binder struct {
	ctx  context.Context
	o    Options
	q    *algebra.Query
	path []string // search path in force: that of the session, none inside views

	params   []*types.Type // by number - 1; nil: no type yet
	open     map[*algebra.Param]struct{}
	used     []int // place of the first mention of each parameter
	cols     []colInfo
	depth    int
	volatile bool // a volatile function, of sequences too, has been seen
	foreign  int  // greater than 0 while binding text that is not the statement's: no positions
	views    []*catalog.Table
	// writeParts counts the INSERTs through join views that are made of parts, see algebra.Insert.
	writeParts int
	// reads are the columns read from relations named in the statement itself, not through views.
	reads  map[catalog.OID]map[int16]bool
	seen   map[catalog.OID]bool
	inline map[*algebra.CTE]bool // CTEs that stand where they are used
	// records gives the fields of columns of type record.
	records map[algebra.ColID][]types.Field
	lateral bool        // the expression in hand has referred to a lateral item
	text    *textEvents // what printing the query needs; nil if it is not to be printed
	fctx    *funcs.Ctx
}

// colInfo says where a column is visible: the scope, and the source in it whose column it is.
type colInfo struct {
	scope *scope
	src   *source
	kind  colKind
	win   *windowCall
	agg   *algebra.Agg

	grouping *groupingCall
}

type colKind uint8

const (
	fromCol colKind = iota
	aggCol
	windowCol
	setCol // of a set-returning function in a select list
	groupingCol
	outputCol // computed for the select list or a window
)

// bail carries an error up the recursion.
type bail struct{ err *errs.Error }

// catch turns a bail into an error; other panics go on.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case bail:
		*err = r.err
	default:
		panic(r)
	}
}

func newBinder(ctx context.Context, o Options) *binder {
	b := &binder{ctx: ctx, o: o, q: &algebra.Query{}, path: o.SearchPath}
	b.params = make([]*types.Type, len(o.ParamTypes))
	b.used = make([]int, len(o.ParamTypes))
	for i, t := range o.ParamTypes {
		if t != types.Unknown {
			b.params[i] = t
		}
	}
	b.fctx = o.Ctx
	if b.fctx == nil {
		b.fctx = &funcs.Ctx{Context: ctx, Env: types.DefaultEnv}
	}
	return b
}

// position is the place of a byte offset in the statement, for errors.
func (b *binder) position(pos int) int {
	if pos < 0 || b.foreign > 0 || pos > len(b.o.Text) || b.o.Text == "" {
		return 0
	}
	return utf8.RuneCountInString(b.o.Text[:pos]) + 1
}

// fail ends the binding with an error at a byte offset of the text, -1 if it has no place.
func (b *binder) fail(pos int, code errs.Code, format string, args ...any) {
	b.bail(pos, errs.New(code, format, args...))
}

func (b *binder) bail(pos int, err error) {
	var e *errs.Error
	if !errors.As(err, &e) {
		e = errs.As(err)
	}
	panic(bail{e.At(b.position(pos))})
}

func (b *binder) unsupported(pos int, what string, args ...any) {
	b.bail(pos, errs.Unsupported(what, args...))
}

// enter counts a level of nesting; it is paired with leave.
func (b *binder) enter() {
	b.depth++
	if b.depth > maxDepth {
		b.bail(-1, errs.New(errs.StatementTooComplex, "stack depth limit exceeded").
			WithHint("Nest the statement's expressions less deeply."))
	}
	if b.depth&63 == 0 && b.ctx != nil && b.ctx.Err() != nil {
		b.bail(-1, errs.New(errs.QueryCanceled, "canceling statement due to user request"))
	}
}

func (b *binder) leave() { b.depth-- }

// newCol makes a column that belongs to a scope.
func (b *binder) newCol(c algebra.Column, info colInfo) algebra.ColID {
	id := b.q.NewColumn(c)
	for len(b.cols) < int(id) {
		b.cols = append(b.cols, colInfo{})
	}
	b.cols[id-1] = info
	return id
}

func (b *binder) info(id algebra.ColID) *colInfo { return &b.cols[id-1] }

// col refers to a column.
func (b *binder) col(id algebra.ColID, pos int) *algebra.Col {
	return &algebra.Col{T: b.q.Column(id).T, ID: id, Place: b.place(pos)}
}

func (b *binder) place(pos int) algebra.Place {
	if b.foreign > 0 {
		return 0
	}
	return algebra.Place(pos + 1)
}

// offset is the byte offset of a place.
func offset(p algebra.Place) int { return int(p) - 1 }

// depend records that the statement depends on a relation.
func (b *binder) depend(t *catalog.Table) {
	if b.seen == nil {
		b.seen = map[catalog.OID]bool{}
	}
	if !b.seen[t.OID] {
		b.seen[t.OID] = true
		b.q.Tables = append(b.q.Tables, t)
	}
	b.read(t, 0)
}

// read records a column read, of a relation the text in hand names itself; 0 is the relation as a whole.
func (b *binder) read(t *catalog.Table, number int16) {
	if len(b.views) > 0 {
		return
	}
	if b.reads == nil {
		b.reads = map[catalog.OID]map[int16]bool{}
	}
	m := b.reads[t.OID]
	if m == nil {
		m = map[int16]bool{}
		b.reads[t.OID] = m
	}
	if number > 0 {
		m[number] = true
	}
}

// table finds a relation by name.
func (b *binder) table(n *ast.TableName) *catalog.Table {
	if n.Database != "" {
		if err := catalog.CheckDatabase(b.database(), n.Database, n.Schema, n.Name); err != nil {
			b.bail(n.Pos(), err)
		}
	}
	t, err := b.o.Snapshot.Lookup(b.path, n.Schema, n.Name)
	if err != nil {
		b.bail(n.Pos(), err)
	}
	return t
}

func (b *binder) database() string {
	if b.fctx.Session != nil {
		return b.fctx.Session.Database()
	}
	return "postgres"
}

// finish completes the query once its Root is there.
func (b *binder) finish() {
	b.checkParams()
	if len(b.inline) > 0 {
		b.inlineCTEs()
	}
	b.q.Params = b.params
}

func typeOf(t *types.Type, mod int32) algebra.T { return algebra.T{Typ: t, M: mod} }

func noMod(t *types.Type) algebra.T { return algebra.T{Typ: t, M: types.NoTypmod} }
