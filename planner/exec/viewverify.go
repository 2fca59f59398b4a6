package exec

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"holdfast/kv"
	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// ViewVerify tells how to see whether a write through a join view has the effect that was meant: afterwards the view shows the rows that
// were written as they were given, and its other rows are as they were. See algebra.ViewVerify.
//
// What could be different is found by the rows of base tables that were changed: the rows of the view that show them before, and those
// that do after the statement. Most writes need none of this, since the key graph says that a changed row shows nowhere else.
type ViewVerify struct {
	View     *catalog.Table
	Identity []algebra.ColID  // nil for INSERT
	Meant    []algebra.Scalar // nil for DELETE
	Roles    []*ViewRole
	// Part is of an INSERT: the number of the operations that are parts of it.
	Part int
	// Bases are the tables that Identity are the keys of.
	Bases []*catalog.Table
}

// ViewRole is a place of a changed table in the view.
type ViewRole struct {
	Table         *catalog.Table
	Alias         string
	Target        int
	Stays         bool // see algebra.ViewRole
	Before, After Probe
}

// Probe finds the rows of a view that show changed rows of a table in one place: keys that tell the rows of the view apart, and then the
// view's columns. It is planned at its first use, for few rows and for many.
type Probe struct {
	Compile   func(ctx context.Context, many bool) (*Plan, []*catalog.Table, error)
	few, many atomic.Pointer[compiledRule]
}

// manyProbed is from how many changed rows on a Probe has the plan for many.
const manyProbed = 10

// plan is the plan for a number of changed rows.
func (p *Probe) plan(ctx *Ctx, n int) (*Plan, error) {
	at, many := &p.few, n >= manyProbed
	if many {
		at = &p.many
	}
	return planOf(ctx, at, func(ctx context.Context) (*Plan, []*catalog.Table, error) { return p.Compile(ctx, many) })
}

// viewVerifier is ViewVerify at work: it notes the rows written, and at the end compares.
type viewVerifier struct {
	node  *ViewVerify
	keys  []int
	meant []*Expr // nil for columns that follow from others
	vecs  []*types.Vec
	rows  map[string]meantRow
	held  int64
	moved []map[string]string // by table of Identity: new row keys to old ones
}

type meantRow struct {
	values []types.Datum
	must   []int // roles in which a row was made, which must show
	// made: rows that an outer join had left out were made, or found. So the row must show, and its identity has got keys where it had
	// none.
	made bool
}

// scalars are the expressions that are evaluated.
func (n *ViewVerify) scalars() (list []algebra.Scalar) {
	if n != nil {
		for _, e := range n.Meant {
			list = append(list, some(e)...)
		}
	}
	return list
}

// viewVerifier makes one; nil if there is nothing to verify. Row keys are in the layout of the source, meant columns over that of images.
func (b *Builder) viewVerifier(n *ViewVerify, source, images *Layout) (*viewVerifier, error) {
	if n == nil {
		return nil, nil
	}
	v := &viewVerifier{node: n}
	for _, id := range n.Identity {
		at, ok := source.Position(id)
		if !ok {
			return nil, errs.New(errs.InternalError, "a row key of view %s is missing", n.View.Name)
		}
		v.keys = append(v.keys, at)
	}
	for _, m := range n.Meant {
		e, err := b.optional(m, images)
		if err != nil {
			return nil, err
		}
		v.meant = append(v.meant, e)
	}
	return v, nil
}

func (v *viewVerifier) reset() {
	if v != nil {
		v.rows, v.held, v.moved = map[string]meantRow{}, 0, make([]map[string]string, len(v.node.Bases))
	}
}

// evaluate computes the columns that are meant for a batch of images.
func (v *viewVerifier) evaluate(ctx *Ctx, images *types.Batch) (err error) {
	v.vecs = make([]*types.Vec, len(v.meant))
	for i, e := range v.meant {
		if e == nil {
			continue
		}
		x, err := e.Eval(ctx, images)
		if err != nil {
			return err
		}
		// The vector may be that of the next expression.
		own := types.NewVec(x.Type, extent(images.Rows))
		copyRows(own, x, images.Rows)
		v.vecs[i] = own
	}
	return nil
}

// note takes row i of a batch of the source as one that is written.
func (v *viewVerifier) note(ctx *Ctx, in *types.Batch, vecs []*types.Vec, i int, must []int, made bool) error {
	if v == nil {
		return nil
	}
	var id []byte
	for _, at := range v.keys {
		id = appendIdentity(id, in.Cols[at].Datum(i))
	}
	return v.keep(ctx, id, vecs, i, must, made)
}

// noteMade takes note of a row that an INSERT has made, i of the batch at hand.
func (v *viewVerifier) noteMade(ctx *Ctx, rowKey string, i int) error {
	if v == nil {
		return nil
	}
	return v.keep(ctx, appendIdentity(nil, types.NewString(rowKey)), v.vecs, i, nil, false)
}

// noteUpdated takes note of a row that ON CONFLICT has updated: whatever it is now.
func (v *viewVerifier) noteUpdated(ctx *Ctx, rowKey string) error {
	if v == nil {
		return nil
	}
	return v.keep(ctx, appendIdentity(nil, types.NewString(rowKey)), nil, 0, nil, false)
}

func (v *viewVerifier) keep(ctx *Ctx, id []byte, vecs []*types.Vec, i int, must []int, made bool) error {
	row := meantRow{must: must, made: made}
	if vecs != nil {
		row.values = make([]types.Datum, len(vecs))
		for j, x := range vecs {
			if x != nil {
				row.values[j] = x.Datum(i)
			}
		}
	}
	v.rows[string(id)] = row
	if v.held += int64(len(id)) + datumsBytes(row.values) + seenBytes; ctx.WorkMem > 0 && v.held > mostBytes(ctx) {
		return errTooMuch("The rows of the view that must be verified")
	}
	return nil
}

func appendIdentity(id []byte, key types.Datum) []byte {
	if key.IsNull() {
		return append(id, 0)
	}
	return append(binary.AppendUvarint(append(id, 1), uint64(len(key.Str()))), key.Str()...)
}

// noteMoved takes note of a row that gets another key.
func (v *viewVerifier) noteMoved(t *catalog.Table, c *change) {
	if v == nil || !c.moved {
		return
	}
	for i, base := range v.node.Bases {
		if base.OID == t.OID {
			if v.moved[i] == nil {
				v.moved[i] = map[string]string{}
			}
			v.moved[i][c.newKey] = c.oldKey
		}
	}
}

// atEnd is what is to be done at the end of the statement; nil if nothing.
func (v *viewVerifier) atEnd(ctx *Ctx, changes Changes) func(ctx *Ctx, q *ruleQueue) error {
	if v == nil {
		return nil
	}
	before, rows, moved := ctx.Reader, v.rows, v.moved
	v.rows, v.moved = nil, nil
	return func(ctx *Ctx, q *ruleQueue) error {
		c := &verification{ctx: ctx, node: v.node, rows: rows, moved: moved, became: map[string]string{}}
		if part := v.node.Part; part != 0 {
			return c.run(before, q.parts[part])
		}
		return c.run(before, []Changes{changes})
	}
}

// verification is the comparison at the end of a statement.
type verification struct {
	ctx   *Ctx
	node  *ViewVerify
	rows  map[string]meantRow
	moved []map[string]string
	// became are the identities that rows have now in which something was missing before.
	became map[string]string
}

// shown is a row of the view that shows a changed row, and in which place.
type shown struct {
	values []types.Datum
	ts     []*types.Type
	role   *ViewRole
}

// run compares, by what the operations have changed that the write is made of.
func (c *verification) run(before kv.Reader, changes []Changes) error {
	old, now := map[string]shown{}, map[string]shown{}
	stays := map[string]shown{}
	var shows []map[string]shown // now, by role
	for _, r := range c.node.Roles {
		into := map[string]shown{}
		if err := c.probe(&r.Before, r, before, changes, false, into); err != nil {
			return err
		}
		maps.Copy(old, into)
		if r.Stays {
			maps.Copy(stays, into)
		}
		if c.node.Meant == nil {
			continue
		}
		in := map[string]shown{}
		if err := c.probe(&r.After, r, c.ctx.Txn, changes, true, in); err != nil {
			return err
		}
		maps.Copy(now, in)
		shows = append(shows, in)
	}
	for _, id := range slices.Sorted(maps.Keys(old)) {
		was := old[id]
		if _, ours := c.rows[id]; ours {
			continue
		}
		is, there := now[id]
		switch {
		case c.node.Meant == nil:
			return c.other(was, `rows of view "%s" that the statement does not name would go as well`)
		case !there || !sameRow(was.ts, was.values, is.values):
			return c.other(was, `rows of view "%s" that the statement does not name would change`)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		is := now[id]
		row, ours := c.rows[id]
		if _, was := old[id]; !ours && !was {
			return c.appears(is)
		}
		if !ours {
			continue
		}
		for j, m := range c.node.Meant {
			if m != nil && row.values != nil && !sameShown(is.ts[j], row.values[j], is.values[j]) {
				return errs.New(errs.WithCheckOptionViolation, `the new row of view "%s" would not show what it was given`, c.node.View.Name).
					WithDetail(`Column "%s" would be %s, not %s: the row of table "%s" that it comes from is written in another place as well.`, c.node.View.Columns[j].Name,
						DatumText(c.ctx, is.ts[j], is.values[j], 64), DatumText(c.ctx, is.ts[j], row.values[j], 64), is.role.Table.Name).
					WithHint("Set the columns of all places in which the row shows, or change the table itself.")
			}
		}
	}
	for id, was := range stays {
		_, ours := c.rows[id]
		if _, there := now[id]; ours && !there && c.node.Meant != nil {
			return errs.New(errs.WithCheckOptionViolation, `a row would leave view "%s"`, c.node.View.Name).
				WithDetail(`A condition of the view is no longer true of the row of table "%s", which is written in another place.`, was.role.Table.Name).
				WithHint("Change the table itself.")
		}
	}
	for id, row := range c.rows {
		for _, i := range row.must {
			if _, there := shows[i][id]; !there {
				return errs.New(errs.WithCheckOptionViolation, `the new row of view "%s" would not show what it was given`, c.node.View.Name).
					WithDetail(`The row of table "%s" would not fulfil the condition of its outer join.`, c.node.Roles[i].Table.Name)
			}
		}
	}
	for id, row := range c.rows {
		if _, there := now[id]; row.made && !there {
			return errs.New(errs.WithCheckOptionViolation, `the new row of view "%s" would not show what it was given`, c.node.View.Name).
				WithDetail("The rows of the side that an outer join has left out are there, and do not fulfil its condition.")
		}
	}
	return nil
}

// other is the error for a row of the view that was not meant.
func (c *verification) other(row shown, message string) error {
	return errs.New(errs.CardinalityViolation, message, c.node.View.Name).
		WithDetail(`Row (%s) shows the same row of table "%s".`, c.text(row), row.role.Table.Name).
		WithHint(`Name all rows of the view that show it, or change table "%s" itself.`, row.role.Table.Name)
}

// appears is the error for a row of the view that was not there and was not meant to be.
func (c *verification) appears(row shown) error {
	const message = `other rows would appear in view "%s"`
	if c.node.Part == 0 {
		return c.other(row, message)
	}
	table := row.role.Table.Name
	return errs.New(errs.CardinalityViolation, message, c.node.View.Name).
		WithDetail(`Row (%s) would show the new row of table "%s".`, c.text(row), table).WithHint(`Insert into table "%s" itself.`, table)
}

// text prints a row of the view.
func (c *verification) text(row shown) string {
	var list []string
	for j, d := range row.values {
		list = append(list, DatumText(c.ctx, row.ts[j], d, 64))
	}
	return strings.Join(list, ", ")
}

// probe reads the rows of the view that show changed rows. Keys of now are those that rows had before.
func (c *verification) probe(p *Probe, role *ViewRole, reader kv.Reader, list []Changes, now bool, into map[string]shown) error {
	for _, changes := range list {
		if err := c.probeOne(p, role, reader, changes, now, into); err != nil {
			return err
		}
	}
	return nil
}

func (c *verification) probeOne(p *Probe, role *ViewRole, reader kv.Reader, changes Changes, now bool, into map[string]shown) error {
	t := changes.of(role.Table.OID)
	if t == nil || t.Old == nil {
		return nil
	}
	changed := t.Old.Len()
	if now {
		changed = t.New.Len()
	}
	if changed == 0 {
		return nil
	}
	plan, err := p.plan(c.ctx, changed)
	if err != nil {
		return err
	}
	ts := plan.Root.Properties().Types
	n := len(c.node.Bases)
	r := &Rule{NewOnly: true} // many rows at a time
	return r.rows(c.ctx, plan, reader, changes, func(row []types.Datum) bool {
		var id []byte
		for i, key := range row[:n] {
			if now {
				key = c.oldKey(i, key)
			}
			id = appendIdentity(id, key)
		}
		if now {
			id = c.before(id, row[:n])
		}
		into[string(id)] = shown{values: row[n:], ts: ts[n:], role: role}
		return true
	})
}

// before is the identity that a row of the view had: that with the keys of rows that were missing, if it is such a row that is written.
func (c *verification) before(id []byte, keys []types.Datum) []byte {
	if _, ours := c.rows[string(id)]; ours {
		return id
	}
	for i := range keys[:len(keys)-1] {
		if keys[i].IsNull() {
			continue
		}
		var was []byte
		for k, key := range keys {
			if k <= i {
				was = append(was, 0)
				continue
			}
			was = appendIdentity(was, c.oldKey(k, key))
		}
		if row, ours := c.rows[string(was)]; ours && row.made {
			if now, taken := c.became[string(was)]; taken && now != string(id) {
				return id
			}
			c.became[string(was)] = string(id)
			return was
		}
	}
	return id
}

// oldKey is the key that a row had, of which table Bases[i] says.
func (c *verification) oldKey(i int, key types.Datum) types.Datum {
	if !key.IsNull() {
		if old, moved := c.moved[i][key.Str()]; moved {
			return types.NewString(old)
		}
	}
	return key
}

func sameRow(ts []*types.Type, a, b []types.Datum) bool {
	for i, t := range ts {
		if !sameShown(t, a[i], b[i]) {
			return false
		}
	}
	return true
}

// sameShown reports whether two values look the same.
func sameShown(t *types.Type, a, b types.Datum) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() == b.IsNull()
	}
	if a.Rep() == types.RepAny {
		x := &Ctx{}
		return DatumText(x, t, a, 0) == DatumText(x, t, b, 0)
	}
	return sameValue(t, a, b)
}
