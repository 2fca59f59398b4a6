package funcs

import (
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Arg is an argument of a call as far as resolution is concerned. Untyped literals and parameters without a
// type have types.Unknown.
type Arg struct {
	Type *types.Type
}

// ResolveOptions are the parts of a call besides its name and arguments. The zero value is an ordinary call.
type ResolveOptions struct {
	Variadic bool     // the last argument was given with the VARIADIC keyword
	Names    []string // names of the last len(Names) arguments, given as name => value
}

// Match is the function chosen for a call.
type Match struct {
	Func *Func
	// ArgTypes are the concrete types the arguments must be coerced to, in the function's order, variadic
	// ones expanded. Arguments left out at the end are not listed: the kernel sees fewer.
	ArgTypes []*types.Type
	// VariadicFrom is the index of the first argument that must be gathered into an array of its type before
	// the kernel is called; -1 if none.
	VariadicFrom int
	Result       *types.Type // concrete
	// Order is nil unless arguments were named. It then says for each of ArgTypes which argument of the call
	// it is; -1 for one left out, whose value is that of Func.DefaultValues.
	Order []int
}

// ResolveFunc chooses the function for a call by PostgreSQL's rules. The name may be qualified by pg_catalog.
// Errors are 42883 (no such function), 42725 (not unique), 0A000 (PostgreSQL has it, this registry has not).
func ResolveFunc(name string, args []Arg, o ResolveOptions) (*Match, error) {
	return nil, errs.Unsupported("function %s", name)
}

// OperatorMatch is the operator chosen for an expression, with concrete types. Left is nil for a prefix operator.
type OperatorMatch struct {
	Operator    *Operator
	Left, Right *types.Type
	Result      *types.Type
}

// ResolveOperator chooses an operator by PostgreSQL's rules; left is nil for a prefix operator. Errors are
// 42883 (no such operator) and 42725 (not unique).
func ResolveOperator(name string, left, right *types.Type) (*OperatorMatch, error) {
	return nil, errs.Unsupported("operator %s", name)
}

// FindCast finds the way from one type to another in a context: a cast of the catalog, the relabelling of
// binary compatible types, text input of unknown literals, elementwise casts of arrays, and the conversion
// through text that every type has. A type's cast to itself is binary.
func FindCast(from, to *types.Type, ctx CastContext) (*Cast, bool) {
	return nil, false
}

// CastKernel is the kernel of a cast to a type with a modifier (types.NoTypmod for none). An explicit cast
// truncates strings that are too long where others fail. The kernel is strict.
func CastKernel(c *Cast, toMod int32, explicit bool) Kernel {
	return func(*Ctx, []*types.Vec, types.Rows, *types.Vec) error {
		return errs.Unsupported("cast from %s to %s", c.Source, c.Target)
	}
}

// CommonType is the type that values of several types share in a UNION, CASE, VALUES, ARRAY, COALESCE and the
// like; what names the construct for the error (42804). All unknown makes text.
func CommonType(ts []*types.Type, what string) (*types.Type, error) {
	return nil, errs.Unsupported("%s", what)
}

// EqualityOperator is the = that DISTINCT, GROUP BY and joins of a type use. The error is 42883.
func EqualityOperator(t *types.Type) (*Operator, error) {
	return nil, errs.New(errs.UndefinedFunction, "could not identify an equality operator for type %s", t)
}

// OrderingOperator is the < that ORDER BY of a type uses. The error is 42883.
func OrderingOperator(t *types.Type) (*Operator, error) {
	return nil, errs.New(errs.UndefinedFunction, "could not identify an ordering operator for type %s", t)
}
