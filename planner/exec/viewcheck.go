package exec

import (
	"fmt"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// viewCheck is an algebra.ViewCheck at work.
type viewCheck struct {
	algebra.ViewCheck
	cond *Expr
	args []*Expr // of the error
}

func (b *Builder) viewChecks(list []algebra.ViewCheck, l *Layout) ([]viewCheck, error) {
	var out []viewCheck
	rows := map[*algebra.Scalar][]*Expr{} // checks that show the same row share it
	for _, c := range list {
		v := viewCheck{ViewCheck: c}
		var err error
		if v.cond, err = b.Expr(c.Cond, l); err != nil {
			return nil, err
		}
		if len(c.Args) > 0 {
			args := rows[&c.Args[0]]
			if args == nil {
				if args, err = b.exprs(c.Args, l); err != nil {
					return nil, err
				}
				rows[&c.Args[0]] = args
			}
			v.args = args
		}
		out = append(out, v)
	}
	return out, nil
}

// testViewChecks fails for the first row on which a condition is not true. text prints a row for which the check itself has no words.
func testViewChecks(ctx *Ctx, checks []viewCheck, b *types.Batch, text func(i int) string) error {
	for i := range checks {
		c := &checks[i]
		v, err := c.cond.Eval(ctx, b)
		if err != nil {
			return err
		}
		for k := 0; k < b.N; k++ {
			if r := position(b.Rows, k); v.IsNull(r) || !v.Datum(r).Bool() {
				return c.failed(ctx, b, r, text)
			}
		}
	}
	return nil
}

// failed is the error for row i of a batch.
func (c *viewCheck) failed(ctx *Ctx, b *types.Batch, i int, text func(i int) string) error {
	e := errs.New(errs.WithCheckOptionViolation, `new row violates check option for view "%s"`, c.View.Name)
	if c.Err != nil {
		e = &errs.Error{}
		*e = *c.Err
	}
	switch {
	case c.Detail != "":
		one := types.Batch{Rows: types.Rows{N: 1, Sel: []int32{int32(i)}}, Cols: b.Cols}
		args := make([]any, len(c.args))
		for k, a := range c.args {
			v, err := a.Eval(ctx, &one)
			if err != nil {
				return err
			}
			args[k] = DatumText(ctx, v.Type, v.Datum(i), 64)
		}
		e.Detail = fmt.Sprintf(c.Detail, args...)
	case c.Err == nil:
		e.WithDetail("Failing row contains (%s).", text(i))
	}
	return e
}
