package funcs

import (
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// ioKernel is the kernel of a type's input, output or send function, nil for any other function. Receive functions
// take an argument that no expression can have.
func ioKernel(f *Func) Kernel {
	base := func(t *types.Type) bool {
		return t.Kind == 'b' || t.Kind == 'r' || isPolymorphic(t) || t == types.RecordType
	}
	switch {
	case len(f.Args) == 0:
		return nil
	case strings.HasSuffix(f.Name, "in") && f.Args[0] == types.Cstring && base(f.Result) && !isPolymorphic(f.Result) && f.Result != types.RecordType && hasText(f.Result):
		t := f.Result
		if len(f.Args) == 1 {
			return parseKernel(t, types.NoTypmod)
		}
		// text, element type, modifier
		return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
			mod := types.NoTypmod
			if len(args) > 2 {
				if err := checkPadding(t, args[2].Int()); err != nil {
					return types.Null, err
				}
				mod = int32(args[2].Int())
			}
			return types.ParseText(t, mod, args[0].Str(), ctx.env())
		})
	case strings.HasSuffix(f.Name, "out") && !strings.HasSuffix(f.Name, "typmodout") && f.Result == types.Cstring && len(f.Args) == 1 && base(f.Args[0]) &&
		(isPolymorphic(f.Args[0]) || hasText(f.Args[0])):
		return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
			return printKernel(args[0].Type)(ctx, args, rows, out)
		}
	case strings.HasSuffix(f.Name, "send") && f.Result == types.Bytea && len(f.Args) == 1 && base(f.Args[0]) &&
		(isPolymorphic(f.Args[0]) || hasText(f.Args[0])):
		return typedRow(func(_ *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
			return types.NewString(string(types.AppendBinary(nil, call.args[0], args[0]))), nil
		})
	}
	return nil
}

// hasText reports whether a type's values can be read and printed.
func hasText(t *types.Type) bool {
	_, err := types.ParseText(t, types.NoTypmod, "", types.DefaultEnv)
	return errs.CodeOf(err) != errs.FeatureNotSupported
}
