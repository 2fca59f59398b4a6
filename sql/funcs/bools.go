package funcs

import "holdfast/sql/types"

func boolFuncs() kernels {
	return kernels{
		"booland_statefunc": pure2(func(a, b bool) bool { return a && b }),
		"boolor_statefunc":  pure2(func(a, b bool) bool { return a || b }),
		"pg_typeof": func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
			oid := int64(args[0].Type.OID)
			each(rows, func(i int) { out.I[i] = oid })
			return nil
		},
	}
}
