package funcs

import (
	"slices"
	"sync"

	"holdfast/sql/types"
)

// EvalStrict calls the kernel of a strict function on the rows in which no argument is NULL and makes the
// result of the others NULL. For a function that is not strict it only calls the kernel. out must have room
// for the rows and no NULLs. Nothing is allocated when there are no NULLs.
func EvalStrict(f *Func, ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
	if !f.Strict {
		return f.Kernel(ctx, args, rows, out)
	}
	return EvalStrictKernel(f.Kernel, ctx, args, rows, out)
}

// EvalStrictKernel is EvalStrict for a kernel known to be strict, such as that of a cast.
func EvalStrictKernel(k Kernel, ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
	if rows.N == 0 {
		return nil
	}
	nulls := false
	for _, a := range args {
		if len(a.Nulls) == 0 {
			continue
		}
		if a.Const && a.Nulls.Has(0) {
			setAllNull(rows, out)
			return nil
		}
		nulls = nulls || !a.Const && anyBit(a.Nulls)
	}
	if !nulls {
		return k(ctx, args, rows, out)
	}
	scratch := selections.Get().(*[]int32)
	defer selections.Put(scratch)
	sel := slices.Grow((*scratch)[:0], rows.N)
	*scratch = sel
	if rows.Sel == nil {
		for i := range rows.N {
			if anyNull(args, i) {
				out.SetNull(i)
			} else {
				sel = append(sel, int32(i))
			}
		}
	} else {
		for _, i := range rows.Sel {
			if anyNull(args, int(i)) {
				out.SetNull(int(i))
			} else {
				sel = append(sel, i)
			}
		}
	}
	if len(sel) == 0 {
		return nil
	}
	if len(sel) == rows.N {
		return k(ctx, args, rows, out)
	}
	return k(ctx, args, types.Rows{N: len(sel), Sel: sel}, out)
}

// selections are reused: no kernel keeps the rows it is given.
var selections = sync.Pool{New: func() any { return new([]int32) }}

func anyNull(args []*types.Vec, i int) bool {
	for _, a := range args {
		if !a.Const && a.Nulls.Has(i) {
			return true
		}
	}
	return false
}

func anyBit(b types.Bitmap) bool {
	for _, w := range b {
		if w != 0 {
			return true
		}
	}
	return false
}

func setAllNull(rows types.Rows, out *types.Vec) {
	if rows.Sel == nil {
		for i := range rows.N {
			out.SetNull(i)
		}
		return
	}
	for _, i := range rows.Sel {
		out.SetNull(int(i))
	}
}
