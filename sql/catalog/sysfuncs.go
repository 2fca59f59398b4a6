package catalog

import (
	"fmt"

	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// The system functions are those of pg_catalog that ask the schema. They reach it through the session, and
// their names, OIDs and signatures are those the registry knows from PostgreSQL.

// call is one evaluation of a system function.
type call struct {
	ctx  *funcs.Ctx
	s    *Snapshot
	args []datum
	vecs []*types.Vec
}

// path is the session's search path.
func (c *call) path() []string { return c.ctx.Session.SearchPath() }

func (c *call) oid(i int) OID     { return OID(c.args[i].Int()) }
func (c *call) text(i int) string { return c.args[i].Str() }

// flag is an optional boolean argument.
func (c *call) flag(i int) bool { return i < len(c.args) && c.args[i].Bool() }

type systemFunc func(c *call) (datum, error)

// SnapshotOf is the schema of the session that a function runs in.
func SnapshotOf(ctx *funcs.Ctx) (*Snapshot, error) {
	if ctx != nil && ctx.Session != nil {
		if s, ok := ctx.Session.Catalog().(*Snapshot); ok && s != nil {
			return s, nil
		}
	}
	return nil, errs.New(errs.InternalError, "a system function was called outside of a transaction")
}

// kernel evaluates f row by row.
func (f systemFunc) kernel() funcs.Kernel {
	return func(ctx *funcs.Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		s, err := SnapshotOf(ctx)
		if err != nil {
			return err
		}
		c := &call{ctx: ctx, s: s, args: make([]datum, len(args)), vecs: args}
		for k := range rows.N {
			i := k
			if rows.Sel != nil {
				i = int(rows.Sel[k])
			}
			for j, a := range args {
				c.args[j] = a.Datum(i)
			}
			d, err := f(c)
			if err != nil {
				return err
			}
			out.Set(i, d)
		}
		return nil
	}
}

// known is what PostgreSQL says of a function, to be completed.
func known(name string, id OID) *funcs.Func {
	f := funcs.Known(name, id)
	if f == nil {
		panic(fmt.Sprintf("catalog: PostgreSQL has no function %s with OID %d", name, id))
	}
	g := *f
	return &g
}

// registerFunc registers an implementation for all the functions of a name with the OIDs given. Those the registry
// implements itself stay.
func registerFunc(name string, f systemFunc, oids ...OID) {
	for _, id := range oids {
		if funcs.ByOID(id) == nil {
			g := known(name, id)
			g.Kernel = f.kernel()
			funcs.Register(g)
		}
	}
}

// registerSet registers a set-returning function.
func registerSet(name string, id OID, rows func(c *call) ([][]datum, error)) {
	if funcs.ByOID(id) != nil {
		return
	}
	g := known(name, id)
	g.Rows = func(ctx *funcs.Ctx, args []datum) (func() ([]datum, error), error) {
		s, err := SnapshotOf(ctx)
		if err != nil {
			return nil, err
		}
		list, err := rows(&call{ctx: ctx, s: s, args: args})
		if err != nil {
			return nil, err
		}
		return funcs.EachRow(list), nil
	}
	funcs.Register(g)
}

// always is a function whose answer is the same for every argument.
func always(d datum) systemFunc { return func(*call) (datum, error) { return d, nil } }
