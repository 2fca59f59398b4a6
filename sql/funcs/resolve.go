package funcs

import (
	"slices"
	"strings"

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
	// ones expanded. Arguments left out at the end are not listed: the kernel sees fewer. An argument declared
	// "any" keeps its type, which may be types.Unknown.
	ArgTypes []*types.Type
	// VariadicFrom is the index of the first argument that must be gathered into an array of its type before
	// the kernel is called; -1 if none.
	VariadicFrom int
	Result       *types.Type // concrete
	// Order is nil unless arguments were named. It then says for each of ArgTypes which argument of the call
	// it is; -1 for one left out, whose value is in Func.DefaultValues, the last of which belongs to the last
	// of Func.Args.
	Order []int
}

const (
	noFuncHint     = "No function matches the given name and argument types. You might need to add explicit type casts."
	manyFuncsHint  = "Could not choose a best candidate function. You might need to add explicit type casts."
	noOpHint       = "No operator matches the given name and argument types. You might need to add explicit type casts."
	noPrefixOpHint = "No operator matches the given name and argument type. You might need to add an explicit type cast."
	manyOpsHint    = "Could not choose a best candidate operator. You might need to add explicit type casts."
)

// ResolveFunc chooses the function for a call by PostgreSQL's rules. The name may be qualified by pg_catalog.
// A call that turns out to be a conversion written as a function, such as text(x), is matched with a function
// made for it, without OID. Errors are 42883 (no such function), 42725 (not unique), 42804 (polymorphic
// arguments that disagree) and 0A000 (PostgreSQL has the function, this registry has not).
func ResolveFunc(name string, args []Arg, o ResolveOptions) (*Match, error) {
	actual := make([]*types.Type, len(args))
	for i, a := range args {
		actual[i] = a.Type
	}
	c, m, err := findFunc(name, actual, o)
	if c == nil {
		return m, err
	}
	f := c.fn
	if !f.implemented() {
		return nil, errs.Unsupported("function %s", callSignature(name, f.Args, ResolveOptions{}))
	}
	argTypes, result, err := resolvePolymorphic(actual, c.args, f.Result)
	if err != nil {
		return nil, err
	}
	m = &Match{Func: f, ArgTypes: argTypes, VariadicFrom: -1, Result: result, Order: c.order}
	if c.order != nil {
		m.ArgTypes = make([]*types.Type, len(c.order))
		for i, from := range c.order {
			if from >= 0 {
				m.ArgTypes[i] = argTypes[from]
			} else {
				m.ArgTypes[i] = f.Args[i]
			}
		}
	}
	last := types.Any
	if len(f.Args) > 0 {
		last = f.Args[len(f.Args)-1]
	}
	switch {
	case c.variadic > 0 && last != types.Any:
		m.VariadicFrom = len(f.Args) - 1
	case o.Variadic && f.Variadic:
		if a := m.ArgTypes[len(m.ArgTypes)-1]; a != types.Unknown && a.Underlying().Elem == nil {
			return nil, datatypeMismatch("VARIADIC argument must be an array")
		}
		if last == types.Any {
			g := *f
			g.Kernel = spreadLast(f.Kernel)
			m.Func = &g
		}
	}
	return m, nil
}

// findFunc finds the function for a call, or the match for a conversion written as one.
func findFunc(name string, actual []*types.Type, o ResolveOptions) (*candidate, *Match, error) {
	local := strings.TrimPrefix(name, "pg_catalog.")
	cs := funcCandidates(local, len(actual), o)
	for i := range cs {
		if slices.Equal(cs[i].args, actual) {
			return &cs[i], nil, nil
		}
	}
	if len(actual) == 1 && len(o.Names) == 0 {
		if m := conversion(local, actual[0]); m != nil {
			return nil, m, nil
		}
	}
	switch fit := matching(actual, cs); len(fit) {
	case 0:
		return nil, nil, errs.New(errs.UndefinedFunction, "function %s does not exist", callSignature(name, actual, o)).WithHint(noFuncHint)
	case 1:
		return &fit[0], nil, nil
	default:
		if c := choose(actual, fit); c != nil {
			return c, nil, nil
		}
		return nil, nil, errs.New(errs.AmbiguousFunction, "function %s is not unique", callSignature(name, actual, o)).WithHint(manyFuncsHint)
	}
}

// conversion is the match for a type's name called like a function, if the argument can be converted without
// a function: those that need one are found under its name.
func conversion(name string, from *types.Type) *Match {
	to := types.ByName(name)
	if to == nil || to.Kind == 'p' {
		return nil
	}
	f := &Func{Name: name, Args: []*types.Type{to}, Result: to, Kind: 'f', Strict: true, Volatility: 'i', Kernel: identityKernel}
	if from == types.Unknown {
		return &Match{Func: f, ArgTypes: f.Args, VariadicFrom: -1, Result: to}
	}
	c, ok := FindCast(from, to, CastExplicit)
	if !ok || !c.Binary && !c.InOut || c.InOut && (from.Kind == 'c' || from == types.RecordType) {
		return nil
	}
	f.Args = []*types.Type{from}
	f.Kernel = CastKernel(c, types.NoTypmod, true)
	f.Volatility = 's'
	return &Match{Func: f, ArgTypes: f.Args, VariadicFrom: -1, Result: to}
}

func callSignature(name string, ts []*types.Type, o ResolveOptions) string {
	var b strings.Builder
	b.WriteString(name)
	b.WriteByte('(')
	for i, t := range ts {
		if i > 0 {
			b.WriteString(", ")
		}
		if k := i - (len(ts) - len(o.Names)); k >= 0 {
			b.WriteString(o.Names[k])
			b.WriteString(" => ")
		}
		b.WriteString(t.SQLName)
	}
	b.WriteByte(')')
	return b.String()
}

// OperatorMatch is the operator chosen for an expression, with concrete types. Left is nil for a prefix operator.
type OperatorMatch struct {
	Operator    *Operator
	Left, Right *types.Type
	Result      *types.Type
}

// ResolveOperator chooses an operator by PostgreSQL's rules; left is nil for a prefix operator. The name may be
// qualified by pg_catalog. Errors are 42883 (no such operator), 42725 (not unique), 42804 and 0A000 as for
// ResolveFunc.
func ResolveOperator(name string, left, right *types.Type) (*OperatorMatch, error) {
	actual := []*types.Type{right}
	if left != nil {
		actual = []*types.Type{left, right}
	}
	o, err := findOperator(name, left, right)
	if err != nil {
		return nil, err
	}
	if !o.Func.implemented() {
		return nil, errs.Unsupported("operator %s", operatorSignature(name, o.Left, o.Right))
	}
	declared := []*types.Type{o.Right}
	if left != nil {
		declared = []*types.Type{o.Left, o.Right}
	}
	concrete, result, err := resolvePolymorphic(actual, declared, o.Result)
	if err != nil {
		return nil, err
	}
	m := &OperatorMatch{Operator: o, Right: concrete[len(concrete)-1], Result: result}
	if left != nil {
		m.Left = concrete[0]
	}
	return m, nil
}

func findOperator(name string, left, right *types.Type) (*Operator, error) {
	ops := knownOperators[strings.TrimPrefix(name, "pg_catalog.")]
	if o := exactOperator(ops, left, right); o != nil {
		return o, nil
	}
	var cs []candidate
	actual := []*types.Type{right}
	if left != nil {
		actual = []*types.Type{left, right}
	}
	for _, op := range ops {
		switch {
		case (op.Left == nil) != (left == nil):
		case left == nil:
			cs = append(cs, candidate{op: op, args: []*types.Type{op.Right}})
		default:
			cs = append(cs, candidate{op: op, args: []*types.Type{op.Left, op.Right}})
		}
	}
	switch fit := matching(actual, cs); len(fit) {
	case 0:
		e := errs.New(errs.UndefinedFunction, "operator does not exist: %s", operatorSignature(name, left, right))
		if left == nil {
			return nil, e.WithHint(noPrefixOpHint)
		}
		return nil, e.WithHint(noOpHint)
	case 1:
		return fit[0].op, nil
	default:
		if c := choose(actual, fit); c != nil {
			return c.op, nil
		}
		return nil, errs.New(errs.AmbiguousFunction, "operator is not unique: %s", operatorSignature(name, left, right)).WithHint(manyOpsHint)
	}
}

// exactOperator finds the operator with exactly these types; an unknown one is taken to be of the other's type.
func exactOperator(ops []*Operator, left, right *types.Type) *Operator {
	guessed := false
	if left == types.Unknown && right != types.Unknown {
		left, guessed = right, true
	} else if right == types.Unknown && left != nil && left != types.Unknown {
		right, guessed = left, true
	}
	find := func(l, r *types.Type) *Operator {
		for _, o := range ops {
			if o.Left == l && o.Right == r {
				return o
			}
		}
		return nil
	}
	if o := find(left, right); o != nil || !guessed {
		return o
	}
	if base := left.Underlying(); base != left {
		return find(base, base)
	}
	return nil
}

func operatorSignature(name string, left, right *types.Type) string {
	if left == nil {
		return name + " " + right.SQLName
	}
	return left.SQLName + " " + name + " " + right.SQLName
}

// EqualityOperator is the = that DISTINCT, GROUP BY and joins of a type use. The error is 42883.
func EqualityOperator(t *types.Type) (*Operator, error) {
	if o := ofClass(equalityOf, t); o != nil {
		return o, nil
	}
	return nil, errs.New(errs.UndefinedFunction, "could not identify an equality operator for type %s", t)
}

// OrderingOperator is the < that ORDER BY of a type uses. The error is 42883.
func OrderingOperator(t *types.Type) (*Operator, error) {
	if o := ofClass(orderingOf, t); o != nil {
		return o, nil
	}
	return nil, errs.New(errs.UndefinedFunction, "could not identify an ordering operator for type %s", t).
		WithHint("Use an explicit ordering operator or modify the query.")
}

// ofClass finds the operator of a type's default btree operator class, which is the class of the type itself or
// of one it can be relabelled to.
func ofClass(byType map[types.OID]*Operator, t *types.Type) *Operator {
	t = t.Underlying()
	if o := byType[t.OID]; o != nil {
		return o
	}
	family := (*types.Type)(nil)
	switch {
	case t.Elem != nil:
		if ofClass(byType, t.Elem) == nil {
			return nil
		}
		family = types.AnyArray
	case t.Kind == 'e':
		family = types.AnyEnum
	case t.Kind == 'c':
		family = types.RecordType
	case t.Kind == 'r':
		family = types.AnyRange
	case t == types.Varchar:
		family = types.Text
	case t == types.Cidr:
		family = types.Inet
	case t.Rep == types.RepInt && t.Category == 'N' && castOf[[2]types.OID{t.OID, types.Oid.OID}] != nil && t != types.Int4:
		family = types.Oid
	default:
		return nil
	}
	return byType[family.OID]
}
