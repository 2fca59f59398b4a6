package funcs

import (
	"strings"
	"unicode/utf8"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// regexKernel is ~ and its relatives. The expression is looked up once as long as it stays the same.
func regexKernel(fold, negate bool) Kernel {
	return func(_ *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) (err error) {
		s, sm := input[string](args[0], rows)
		patterns, pm := input[string](args[1], rows)
		var re *regex
		var last string
		each(rows, func(i int) {
			if err != nil {
				return
			}
			if pattern := patterns[i&pm]; re == nil || pattern != last {
				last = pattern
				if re, err = compileRegex(pattern, regexFlags{fold: fold}); err != nil {
					return
				}
			}
			out.I[i] = bit(re.match(s[i&sm]) != negate)
		})
		return err
	}
}

// regexReplace replaces the match number nth (0: all of them) from a character position on. In the replacement
// \1 .. \9 stand for groups, \& for the match, \\ for a backslash.
func regexReplace(s, pattern, replacement string, start, nth int64, flags regexFlags) (string, error) {
	re, err := compileRegex(pattern, flags)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	at, n := 0, int64(0)
	re.matches(s, charOffset(s, start-1), func(m []int) bool {
		if n++; n < nth {
			return true
		}
		b.WriteString(s[at:m[0]])
		expand(&b, replacement, s, m)
		at = m[1]
		return nth == 0
	})
	if at == 0 && b.Len() == 0 {
		return s, nil
	}
	b.WriteString(s[at:])
	return b.String(), nil
}

func expand(b *strings.Builder, replacement, s string, m []int) {
	for {
		i := strings.IndexByte(replacement, '\\')
		if i < 0 || i+1 >= len(replacement) {
			b.WriteString(replacement)
			return
		}
		b.WriteString(replacement[:i])
		group := -1
		switch c := replacement[i+1]; {
		case c >= '1' && c <= '9':
			group = int(c - '0')
		case c == '&':
			group = 0
		case c == '\\':
			b.WriteByte('\\')
		default:
			b.WriteString(replacement[i : i+2])
		}
		if group >= 0 && 2*group < len(m) && m[2*group] >= 0 {
			b.WriteString(s[m[2*group]:m[2*group+1]])
		}
		replacement = replacement[i+2:]
	}
}

// groupsOf is the array that regexp_match returns: the groups, or the match if there are none.
func (re *regex) groupsOf(s string, m []int) types.Datum {
	if re.groups > 0 {
		m = m[2:]
	} else {
		m = m[:2]
	}
	elems := make([]types.Datum, len(m)/2)
	for i := range elems {
		if m[2*i] >= 0 {
			elems[i] = types.NewString(s[m[2*i]:m[2*i+1]])
		}
	}
	return types.NewAny(types.NewSlice(types.Text, elems))
}

// regexSplit is the parts of s between matches. An empty match at the start, at the end or right after another
// match does not split.
func regexSplit(s string, re *regex) []types.Datum {
	var parts []types.Datum
	at, matchEnd := 0, 0
	re.matches(s, 0, func(m []int) bool {
		if m[0] < len(s) && m[1] > matchEnd {
			parts = append(parts, types.NewString(s[at:m[0]]))
			at = m[1]
		}
		matchEnd = m[1]
		return true
	})
	return append(parts, types.NewString(s[at:]))
}

// flagsFor reads the flags of a function; allowGlobal says whether g is one of them.
func flagsFor(name, flags string, allowGlobal bool, hint string) (regexFlags, error) {
	f, err := parseRegexFlags(flags)
	if err == nil && f.global && !allowGlobal {
		e := errs.New(errs.InvalidParameterValue, "%s does not support the \"global\" option", name)
		e.Hint = hint
		err = e
	}
	return f, err
}

func invalidParameter(name string, value int64) error {
	return errs.New(errs.InvalidParameterValue, "invalid value for parameter \"%s\": %d", name, value)
}

// optional arguments of the functions of the regexp_ family, which come in every length.
func intArg(args []types.Datum, i int, fallback int64) int64 {
	if i < len(args) {
		return args[i].Int()
	}
	return fallback
}

func strArg(args []types.Datum, i int) string {
	if i < len(args) {
		return args[i].Str()
	}
	return ""
}

func regexCount(_ *Ctx, args []types.Datum) (types.Datum, error) {
	start := intArg(args, 2, 1)
	if start <= 0 {
		return types.Null, invalidParameter("start", start)
	}
	flags, err := flagsFor("regexp_count()", strArg(args, 3), false, "")
	if err != nil {
		return types.Null, err
	}
	s := args[0].Str()
	re, err := compileRegex(args[1].Str(), flags)
	if err != nil {
		return types.Null, err
	}
	n := int64(0)
	re.matches(s, charOffset(s, start-1), func([]int) bool { n++; return true })
	return types.NewInt(n), nil
}

// nthGroup finds the extent of a group (0: the match) in match number n.
func nthGroup(s, pattern string, flags regexFlags, start, n, group int64) (from, to int, ok bool, err error) {
	re, err := compileRegex(pattern, flags)
	if err != nil {
		return 0, 0, false, err
	}
	k := int64(0)
	re.matches(s, charOffset(s, start-1), func(m []int) bool {
		if k++; k < n {
			return true
		}
		if group <= int64(re.groups) && m[2*group] >= 0 {
			from, to, ok = m[2*group], m[2*group+1], true
		}
		return false
	})
	return from, to, ok, nil
}

func regexInstr(_ *Ctx, args []types.Datum) (types.Datum, error) {
	start, n, end, group := intArg(args, 2, 1), intArg(args, 3, 1), intArg(args, 4, 0), intArg(args, 6, 0)
	switch {
	case start <= 0:
		return types.Null, invalidParameter("start", start)
	case n <= 0:
		return types.Null, invalidParameter("n", n)
	case end != 0 && end != 1:
		return types.Null, invalidParameter("endoption", end)
	case group < 0:
		return types.Null, invalidParameter("subexpr", group)
	}
	flags, err := flagsFor("regexp_instr()", strArg(args, 5), false, "")
	if err != nil {
		return types.Null, err
	}
	s := args[0].Str()
	from, to, ok, err := nthGroup(s, args[1].Str(), flags, start, n, group)
	if err != nil || !ok {
		return types.NewInt(0), err
	}
	if end == 1 {
		from = to
	}
	return types.NewInt(charLen(s[:from]) + 1), nil
}

func regexSubstr(_ *Ctx, args []types.Datum) (types.Datum, error) {
	start, n, group := intArg(args, 2, 1), intArg(args, 3, 1), intArg(args, 5, 0)
	switch {
	case start <= 0:
		return types.Null, invalidParameter("start", start)
	case n <= 0:
		return types.Null, invalidParameter("n", n)
	case group < 0:
		return types.Null, invalidParameter("subexpr", group)
	}
	flags, err := flagsFor("regexp_substr()", strArg(args, 4), false, "")
	if err != nil {
		return types.Null, err
	}
	s := args[0].Str()
	from, to, ok, err := nthGroup(s, args[1].Str(), flags, start, n, group)
	if err != nil || !ok {
		return types.Null, err
	}
	return types.NewString(s[from:to]), nil
}

// substringRegex is substring(s from pattern): the first group if there is one, else the match.
func substringRegex(s, pattern string) (types.Datum, error) {
	re, err := compileRegex(pattern, regexFlags{})
	if err != nil {
		return types.Null, err
	}
	m := re.find(s)
	if m == nil {
		return types.Null, nil
	}
	g := 0
	if re.groups > 0 {
		g = 2
	}
	if m[g] < 0 {
		return types.Null, nil
	}
	return types.NewString(s[m[g]:m[g+1]]), nil
}

// similarToRegex turns a SIMILAR TO pattern into a regular expression. Two escaped double quotes divide it into
// three, the second of which is what substring() returns.
func similarToRegex(pattern, escape string) (string, error) {
	if utf8.RuneCountInString(escape) > 1 {
		return "", errs.New(errs.InvalidEscapeSequence, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	var b strings.Builder
	b.WriteString("^(?:")
	after, inBracket, quotes := false, false, 0
	for _, r := range pattern {
		c := string(r)
		switch {
		case after:
			if c == `"` && !inBracket {
				switch quotes++; quotes {
				case 1:
					b.WriteString("){1,1}?(")
				case 2:
					b.WriteString("){1,1}(?:")
				default:
					return "", errs.New("2200C", "SQL regular expression may not contain more than two escape-double-quote separators")
				}
			} else {
				b.WriteString(`\` + c)
			}
			after = false
		case c == escape && escape != "":
			after = true
		case inBracket:
			if c == `\` {
				b.WriteByte('\\')
			}
			b.WriteString(c)
			inBracket = c != "]"
		case c == "[":
			b.WriteString(c)
			inBracket = true
		case c == "%":
			b.WriteString(".*")
		case c == "_":
			b.WriteString(".")
		case c == "(":
			b.WriteString("(?:")
		case c == `\` || c == "." || c == "^" || c == "$":
			b.WriteString(`\` + c)
		default:
			b.WriteString(c)
		}
	}
	b.WriteString(")$")
	return b.String(), nil
}

// regexRows lists all matches for regexp_matches: only the first without the g flag.
func regexMatches(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
	flags, err := flagsFor("regexp_matches()", strArg(args, 2), true, "")
	if err != nil {
		return nil, err
	}
	s := args[0].Str()
	re, err := compileRegex(args[1].Str(), flags)
	if err != nil {
		return nil, err
	}
	var all []types.Datum
	re.matches(s, 0, func(m []int) bool {
		all = append(all, re.groupsOf(s, m))
		return flags.global
	})
	return EachDatum(all), nil
}

func splitCall(args []types.Datum, name string) ([]types.Datum, error) {
	flags, err := flagsFor(name, strArg(args, 2), false, "")
	if err != nil {
		return nil, err
	}
	re, err := compileRegex(args[1].Str(), flags)
	if err != nil {
		return nil, err
	}
	return regexSplit(args[0].Str(), re), nil
}

func regexSplitToTable(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
	parts, err := splitCall(args, "regexp_split_to_table()")
	if err != nil {
		return nil, err
	}
	return EachDatum(parts), nil
}

func replaceWithFlags(s, pattern, replacement, flags string) (string, error) {
	if flags != "" && flags[0] >= '0' && flags[0] <= '9' {
		return "", errs.New(errs.InvalidParameterValue, "invalid regular expression option: \"%c\"", flags[0]).
			WithHint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.")
	}
	f, err := parseRegexFlags(flags)
	if err != nil {
		return "", err
	}
	return regexReplace(s, pattern, replacement, 1, 1-bit(f.global), f)
}

// regexReplaceFrom is regexp_replace with a start, and perhaps the number of the match and flags.
func regexReplaceFrom(_ *Ctx, args []types.Datum) (types.Datum, error) {
	start, n := intArg(args, 3, 1), intArg(args, 4, 1)
	f, err := parseRegexFlags(strArg(args, 5))
	switch {
	case err != nil:
		return types.Null, err
	case start <= 0:
		return types.Null, invalidParameter("start", start)
	case n < 0:
		return types.Null, invalidParameter("n", n)
	}
	s, err := regexReplace(args[0].Str(), args[1].Str(), args[2].Str(), start, n, f)
	return types.NewString(s), err
}

func regexFuncs() kernels {
	match := func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		flags, err := flagsFor("regexp_match()", strArg(args, 2), false, "Use the regexp_matches function instead.")
		if err != nil {
			return types.Null, err
		}
		s := args[0].Str()
		re, err := compileRegex(args[1].Str(), flags)
		if err != nil {
			return types.Null, err
		}
		if m := re.find(s); m != nil {
			return re.groupsOf(s, m), nil
		}
		return types.Null, nil
	}
	like := func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		flags, err := flagsFor("regexp_like()", strArg(args, 2), false, "")
		if err != nil {
			return types.Null, err
		}
		re, err := compileRegex(args[1].Str(), flags)
		if err != nil {
			return types.Null, err
		}
		return types.NewBool(re.match(args[0].Str())), nil
	}
	split := func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		parts, err := splitCall(args, "regexp_split_to_array()")
		return types.NewAny(types.NewSlice(types.Text, parts)), err
	}
	similar := func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		if args[0].IsNull() || len(args) > 1 && args[1].IsNull() {
			return types.Null, nil
		}
		escape := `\`
		if len(args) > 1 {
			escape = args[1].Str()
		}
		s, err := similarToRegex(args[0].Str(), escape)
		return types.NewString(s), err
	}
	// similar_escape, which is not strict, takes a NULL escape for the default one.
	oldSimilar := func(_ *Ctx, args []types.Datum) (types.Datum, error) {
		if args[0].IsNull() {
			return types.Null, nil
		}
		escape := `\`
		if !args[1].IsNull() {
			escape = args[1].Str()
		}
		s, err := similarToRegex(args[0].Str(), escape)
		return types.NewString(s), err
	}
	k := kernels{
		"textregexeq": regexKernel(false, false), "textregexne": regexKernel(false, true),
		"texticregexeq": regexKernel(true, false), "texticregexne": regexKernel(true, true),
		"textregexsubstr": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			return substringRegex(args[0].Str(), args[1].Str())
		}),
		"substring(text,text,text)": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			pattern, err := similarToRegex(args[1].Str(), args[2].Str())
			if err != nil {
				return types.Null, err
			}
			return substringRegex(args[0].Str(), pattern)
		}),
		"textregexreplace_noopt": lift3(func(s, pattern, replacement string) (string, error) {
			return regexReplace(s, pattern, replacement, 1, 1, regexFlags{})
		}),
		"textregexreplace":    lift4(replaceWithFlags),
		"similar_to_escape_1": perRow(similar), "similar_to_escape_2": perRow(similar), "similar_escape": perRow(oldSimilar),
	}
	k["nameregexeq"], k["nameregexne"], k["nameicregexeq"], k["nameicregexne"] = k["textregexeq"], k["textregexne"], k["texticregexeq"], k["texticregexne"]
	family := func(f func(*Ctx, []types.Datum) (types.Datum, error), names ...string) {
		for _, name := range names {
			k[name] = perRow(f)
		}
	}
	family(match, "regexp_match", "regexp_match_no_flags")
	family(like, "regexp_like", "regexp_like_no_flags")
	family(split, "regexp_split_to_array", "regexp_split_to_array_no_flags")
	family(regexCount, "regexp_count", "regexp_count_no_flags", "regexp_count_no_start")
	family(regexInstr, "regexp_instr", "regexp_instr_no_subexpr", "regexp_instr_no_flags", "regexp_instr_no_endoption", "regexp_instr_no_n", "regexp_instr_no_start")
	family(regexSubstr, "regexp_substr", "regexp_substr_no_subexpr", "regexp_substr_no_flags", "regexp_substr_no_n", "regexp_substr_no_start")
	family(regexReplaceFrom, "textregexreplace_extended", "textregexreplace_extended_no_flags", "textregexreplace_extended_no_n")
	return k
}

func regexSets() setKernels {
	return setKernels{"regexp_matches": regexMatches, "regexp_matches_no_flags": regexMatches,
		"regexp_split_to_table": regexSplitToTable, "regexp_split_to_table_no_flags": regexSplitToTable}
}
