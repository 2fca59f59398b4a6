package funcs

import (
	"math"
	"strings"
	"unicode/utf8"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Functions that take any number of arguments of any type and use their text forms.

// anyRow is perRow for functions declared VARIADIC "any": f also gets the types of the arguments.
func anyRow(f func(ctx *Ctx, ts []*types.Type, args []types.Datum) (types.Datum, error)) Kernel {
	return typedRow(func(ctx *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
		return f(ctx, call.args, args)
	})
}

func concat(ctx *Ctx, ts []*types.Type, args []types.Datum) (types.Datum, error) {
	return types.NewString(string(appendAll(nil, ctx, "", ts, args))), nil
}

func appendAll(b []byte, ctx *Ctx, separator string, ts []*types.Type, args []types.Datum) []byte {
	first := true
	for i, d := range args {
		if d.IsNull() {
			continue
		}
		if !first {
			b = append(b, separator...)
		}
		first = false
		b = types.AppendText(b, ts[i], d, ctx.env())
	}
	return b
}

func concatWS(ctx *Ctx, ts []*types.Type, args []types.Datum) (types.Datum, error) {
	if args[0].IsNull() {
		return types.Null, nil
	}
	return types.NewString(string(appendAll(nil, ctx, args[0].Str(), ts[1:], args[1:]))), nil
}

func formatError(message string, args ...any) *errs.Error {
	return errs.New(errs.InvalidParameterValue, message, args...)
}

// formatter reads the specifiers of format(): %[position$][flags][width]type.
type formatter struct {
	ctx  *Ctx
	rest string
	ts   []*types.Type
	args []types.Datum
	next int // argument that a specifier without a position takes, from 0
	out  []byte
}

func format(ctx *Ctx, ts []*types.Type, args []types.Datum) (types.Datum, error) {
	if args[0].IsNull() {
		return types.Null, nil
	}
	f := formatter{ctx: ctx, rest: args[0].Str(), ts: ts[1:], args: args[1:]}
	for f.rest != "" {
		i := strings.IndexByte(f.rest, '%')
		if i < 0 {
			f.out = append(f.out, f.rest...)
			break
		}
		f.out = append(f.out, f.rest[:i]...)
		f.rest = f.rest[i+1:]
		if strings.HasPrefix(f.rest, "%") {
			f.out = append(f.out, '%')
			f.rest = f.rest[1:]
			continue
		}
		if err := f.specifier(); err != nil {
			return types.Null, err
		}
	}
	return types.NewString(string(f.out)), nil
}

func unterminated() error {
	return formatError("unterminated format() type specifier").WithHint("For a single \"%%\" use \"%%%%\".")
}

// number reads digits; ok tells whether there were any.
func (f *formatter) number() (n int64, ok bool, err error) {
	for f.rest != "" && f.rest[0] >= '0' && f.rest[0] <= '9' {
		n, ok = n*10+int64(f.rest[0]-'0'), true
		if n > math.MaxInt32 {
			return 0, false, formatError("number is out of range")
		}
		if f.rest = f.rest[1:]; f.rest == "" {
			return 0, false, unterminated()
		}
	}
	return n, ok, nil
}

func (f *formatter) specifier() error {
	if f.rest == "" {
		return unterminated()
	}
	argument, width, toLeft := -1, int64(0), false
	n, ok, err := f.number()
	if err != nil {
		return err
	}
	hasWidth := ok
	if ok {
		if f.rest[0] == '$' {
			if n == 0 {
				return formatError("format specifies argument 0, but arguments are numbered from 1")
			}
			argument, hasWidth = int(n-1), false
			if f.rest = f.rest[1:]; f.rest == "" {
				return unterminated()
			}
		} else {
			width = n
		}
	}
	if !hasWidth {
		for strings.HasPrefix(f.rest, "-") {
			toLeft = true
			f.rest = f.rest[1:]
		}
		if width, toLeft, err = f.width(toLeft); err != nil {
			return err
		}
	}
	if f.rest == "" {
		return unterminated()
	}
	kind, size := utf8.DecodeRuneInString(f.rest)
	if !strings.ContainsRune("sIL", kind) {
		return formatError("unrecognized format() type specifier \"%s\"", f.rest[:size]).WithHint("For a single \"%%\" use \"%%%%\".")
	}
	f.rest = f.rest[size:]
	if argument < 0 {
		argument = f.next
	}
	if argument >= len(f.args) {
		return formatError("too few arguments for format()")
	}
	f.next = argument + 1
	text := ""
	switch d := f.args[argument]; {
	case !d.IsNull():
		text = string(types.AppendText(nil, f.ts[argument], d, f.ctx.env()))
		switch kind {
		case 'I':
			text = types.QuoteIdentifier(text)
		case 'L':
			text = quoteLiteral(text)
		}
	case kind == 'I':
		return errs.New(errs.NullValueNotAllowed, "null values cannot be formatted as an SQL identifier")
	case kind == 'L':
		text = "NULL"
	}
	blanks := int(max(width-charLen(text), 0))
	if blanks > maxString {
		return tooLong()
	}
	if !toLeft {
		f.out = append(f.out, strings.Repeat(" ", blanks)...)
	}
	f.out = append(f.out, text...)
	if toLeft {
		f.out = append(f.out, strings.Repeat(" ", blanks)...)
	}
	return nil
}

// width reads a width: digits, or * or *n$ for one given as an argument, negative for flush left.
func (f *formatter) width(toLeft bool) (int64, bool, error) {
	if !strings.HasPrefix(f.rest, "*") {
		n, _, err := f.number()
		return n, toLeft, err
	}
	if f.rest = f.rest[1:]; f.rest == "" {
		return 0, false, unterminated()
	}
	n, ok, err := f.number()
	if err != nil {
		return 0, false, err
	}
	argument := f.next
	if ok {
		if f.rest[0] != '$' {
			return 0, false, formatError("width argument position must be ended by \"$\"")
		}
		if n == 0 {
			return 0, false, formatError("format specifies argument 0, but arguments are numbered from 1")
		}
		argument = int(n - 1)
		f.rest = f.rest[1:]
	}
	if argument >= len(f.args) {
		return 0, false, formatError("too few arguments for format()")
	}
	f.next = argument + 1
	width := int64(0)
	if d := f.args[argument]; !d.IsNull() {
		t := f.ts[argument]
		if t == types.Int4 || t == types.Int2 {
			width = d.Int()
		} else {
			v, err := types.ParseText(types.Int4, types.NoTypmod, string(types.AppendText(nil, t, d, f.ctx.env())), f.ctx.env())
			if err != nil {
				return 0, false, err
			}
			width = v.Int()
		}
	}
	if width < 0 {
		return -width, true, nil
	}
	return width, toLeft, nil
}

// asText is a value as a cast to text makes it, which differs from the text form for bool and bpchar.
func asText(ctx *Ctx, t *types.Type, d types.Datum) (string, error) {
	if d.Rep() == types.RepString && (t == types.Text || t == types.Varchar || t == types.Unknown) {
		return d.Str(), nil
	}
	c, ok := FindCast(t, types.Text, CastExplicit)
	if !ok {
		return "", errs.New(errs.CannotCoerce, "cannot cast type %s to %s", t, types.Text)
	}
	d, err := CastDatum(ctx, c, types.NoTypmod, true, d)
	return d.Str(), err
}

// withText makes a function of polymorphic arguments from one of their casts to text.
func withText(f func(args []string) (string, error)) Kernel {
	return typedRow(func(ctx *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
		s := make([]string, len(args))
		for i, d := range args {
			var err error
			if s[i], err = asText(ctx, call.args[i], d); err != nil {
				return types.Null, err
			}
		}
		r, err := f(s)
		if err != nil {
			return types.Null, err
		}
		return types.NewString(r), nil
	})
}

func formatFuncs() kernels {
	cat := withText(func(args []string) (string, error) { return concatenate(args[0], args[1]) })
	return kernels{
		"text_concat": anyRow(concat), "text_concat_ws": anyRow(concatWS), "text_format": anyRow(format), "text_format_nv": anyRow(format),
		"textanycat(text,anynonarray)": cat, "anytextcat(anynonarray,text)": cat,
		"quote_literal(anyelement)": withText(func(args []string) (string, error) { return quoteLiteral(args[0]), nil }),
		"quote_nullable(anyelement)": typedRow(func(ctx *Ctx, call callTypes, args []types.Datum) (types.Datum, error) {
			if args[0].IsNull() {
				return types.NewString("NULL"), nil
			}
			s, err := asText(ctx, call.args[0], args[0])
			return types.NewString(quoteLiteral(s)), err
		}),
		"pg_num_nulls": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) { return types.NewInt(countNulls(args)), nil }),
		"pg_num_nonnulls": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			return types.NewInt(int64(len(args)) - countNulls(args)), nil
		}),
	}
}

func countNulls(args []types.Datum) (n int64) {
	for _, d := range args {
		if d.IsNull() {
			n++
		}
	}
	return n
}
