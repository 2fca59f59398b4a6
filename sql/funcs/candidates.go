package funcs

import (
	"slices"

	"holdfast/sql/types"
)

// candidate is a function or operator that a call may mean, with its argument types in the number and order
// of the call's arguments.
type candidate struct {
	fn       *Func
	op       *Operator
	args     []*types.Type
	variadic int   // number of arguments that the variadic one was expanded to; 0 if it was not
	order    []int // for named arguments: see Match.Order
}

func unknowns(ts []*types.Type) (n int) {
	for _, t := range ts {
		if t == types.Unknown {
			n++
		}
	}
	return n
}

// matching keeps the candidates whose arguments can be implicitly converted to.
func matching(actual []*types.Type, cs []candidate) []candidate {
	var keep []candidate
	for _, c := range cs {
		if canCoerce(actual, c.args, CastImplicit) {
			keep = append(keep, c)
		}
	}
	return keep
}

// best keeps those with the highest score.
func best(cs []candidate, score func(c *candidate) int) []candidate {
	var keep []candidate
	high := -1
	for i := range cs {
		n := score(&cs[i])
		if n > high {
			high, keep = n, keep[:0:0]
		}
		if n == high {
			keep = append(keep, cs[i])
		}
	}
	return keep
}

// choose applies PostgreSQL's tie breaks in their order: most exact matches, then most exact or preferred
// types, then for unknown arguments the category that the candidates agree on (string if one accepts it) and
// its preferred type, and last the assumption that unknown arguments have the type of the known ones. It
// returns nil if more than one candidate is left.
func choose(actual []*types.Type, cs []candidate) *candidate {
	base := make([]*types.Type, len(actual))
	for i, t := range actual {
		base[i] = t.Underlying()
	}
	nunknown := unknowns(base)

	cs = best(cs, func(c *candidate) (n int) {
		for i, t := range base {
			if t != types.Unknown && c.args[i] == t {
				n++
			}
		}
		return n
	})
	if len(cs) == 1 {
		return &cs[0]
	}
	cs = best(cs, func(c *candidate) (n int) {
		for i, t := range base {
			if t != types.Unknown && (c.args[i] == t || c.args[i].Preferred && c.args[i].Category == t.Category) {
				n++
			}
		}
		return n
	})
	if len(cs) == 1 {
		return &cs[0]
	}
	if nunknown == 0 {
		return nil
	}
	if keep := byCategory(base, cs); len(keep) > 0 {
		cs = keep
		if len(cs) == 1 {
			return &cs[0]
		}
	}
	if nunknown == len(base) {
		return nil
	}
	var one *types.Type
	for _, t := range base {
		switch {
		case t == types.Unknown:
		case one == nil:
			one = t
		case one != t:
			return nil
		}
	}
	assumed := slices.Repeat([]*types.Type{one}, len(base))
	var last *candidate
	for i := range cs {
		if canCoerce(assumed, cs[i].args, CastImplicit) {
			if last != nil {
				return nil
			}
			last = &cs[i]
		}
	}
	return last
}

// byCategory is the step of choose that looks at the categories candidates accept at unknown arguments.
// It returns nil if it decides nothing.
func byCategory(base []*types.Type, cs []candidate) []candidate {
	category := make([]byte, len(base))
	preferred := make([]bool, len(base))
	for i, t := range base {
		if t != types.Unknown {
			continue
		}
		conflict := false
		for _, c := range cs {
			switch a := c.args[i]; {
			case category[i] == 0:
				category[i], preferred[i] = a.Category, a.Preferred
			case a.Category == category[i]:
				preferred[i] = preferred[i] || a.Preferred
			case a.Category == 'S':
				category[i], preferred[i] = 'S', a.Preferred
			default:
				conflict = true
			}
		}
		if conflict && category[i] != 'S' {
			return nil
		}
	}
	var keep []candidate
	for _, c := range cs {
		ok := true
		for i, t := range base {
			if t == types.Unknown && (c.args[i].Category != category[i] || preferred[i] && !c.args[i].Preferred) {
				ok = false
			}
		}
		if ok {
			keep = append(keep, c)
		}
	}
	return keep
}

// funcCandidates lists the functions of a name that could take so many arguments.
func funcCandidates(name string, nargs int, o ResolveOptions) []candidate {
	var cs []candidate
	for _, f := range known[name] {
		c := candidate{fn: f}
		switch {
		case len(o.Names) > 0:
			if f.Variadic && !o.Variadic || !c.matchNames(nargs, o.Names) {
				continue
			}
		case f.Variadic && !o.Variadic && len(f.Args) <= nargs:
			last := f.Args[len(f.Args)-1]
			c.variadic = nargs - len(f.Args) + 1
			elem := last
			if last != types.Any {
				elem = variadicElem(last)
			}
			c.args = append(slices.Clone(f.Args[:len(f.Args)-1]), slices.Repeat([]*types.Type{elem}, c.variadic)...)
		case len(f.Args) == nargs, len(f.Args) > nargs && nargs >= len(f.Args)-f.Defaults:
			c.args = f.Args[:nargs]
		default:
			continue
		}
		cs = addCandidate(cs, c)
	}
	return cs
}

// addCandidate adds c unless one with the same arguments is there: one that is not variadic wins, then the one
// that gathers fewer arguments.
func addCandidate(cs []candidate, c candidate) []candidate {
	for i := range cs {
		if slices.Equal(cs[i].args, c.args) {
			if c.variadic < cs[i].variadic {
				cs[i] = c
			}
			return cs
		}
	}
	return append(cs, c)
}

func variadicElem(array *types.Type) *types.Type {
	switch array {
	case types.AnyArray:
		return types.AnyElement
	case types.AnyCompatibleArray:
		return types.AnyCompatible
	}
	return array.Elem
}

// matchNames fills in args and order for a call whose last arguments are named; false if it does not fit.
func (c *candidate) matchNames(nargs int, names []string) bool {
	f := c.fn
	if f.ArgNames == nil || nargs > len(f.Args) {
		return false
	}
	order := slices.Repeat([]int{-1}, len(f.Args))
	positional := nargs - len(names)
	for i := range positional {
		order[i] = i
	}
	for k, name := range names {
		i := slices.Index(f.ArgNames, name)
		if i < 0 || i >= len(order) || order[i] >= 0 {
			return false
		}
		order[i] = positional + k
	}
	for i, from := range order {
		if from < 0 && (i < len(f.Args)-f.Defaults || f.DefaultValues == nil) {
			return false
		}
	}
	for len(order) > 0 && order[len(order)-1] < 0 {
		order = order[:len(order)-1]
	}
	c.order = order
	c.args = make([]*types.Type, nargs)
	for i, from := range order {
		if from >= 0 {
			c.args[from] = f.Args[i]
		}
	}
	return true
}
