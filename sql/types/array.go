package types

import (
	"strconv"
	"strings"

	"holdfast/sql/errs"
)

// Limits of arrays.
const (
	maxArrayDims  = 6
	maxArrayElems = 1<<27 - 1
)

// valid reports whether the shape fits the elements.
func (a *Array) valid() bool {
	if len(a.Dims) == 0 {
		return len(a.Elems) == 0 && len(a.Lower) == 0
	}
	n := int64(1)
	for i, d := range a.Dims {
		n *= int64(d)
		if d < 1 || n > maxArrayElems || int64(a.Lower[i])+int64(d) > 1<<31-1 {
			return false
		}
	}
	return n == int64(len(a.Elems)) && len(a.Lower) == len(a.Dims)
}

// At is the element with the given subscripts, NULL if there is none.
func (a *Array) At(subscripts ...int32) Datum {
	if len(subscripts) != len(a.Dims) {
		return Null
	}
	at := 0
	for i, s := range subscripts {
		k := int64(s) - int64(a.Lower[i])
		if k < 0 || k >= int64(a.Dims[i]) {
			return Null
		}
		at = at*int(a.Dims[i]) + int(k)
	}
	return a.Elems[at]
}

// appendArray is array_out. t is the array type, or anyarray.
func appendArray(dst []byte, t *Type, a *Array, env *Env) []byte {
	if len(a.Elems) == 0 {
		return append(dst, '{', '}')
	}
	for _, l := range a.Lower {
		if l != 1 {
			dst = appendArrayBounds(dst, a)
			break
		}
	}
	dst, _ = appendArrayDim(dst, a, 0, a.Elems, env)
	return dst
}

func appendArrayBounds(dst []byte, a *Array) []byte {
	for i, l := range a.Lower {
		dst = strconv.AppendInt(append(dst, '['), int64(l), 10)
		dst = strconv.AppendInt(append(dst, ':'), int64(l)+int64(a.Dims[i])-1, 10)
		dst = append(dst, ']')
	}
	return append(dst, '=')
}

func appendArrayDim(dst []byte, a *Array, dim int, elems []Datum, env *Env) ([]byte, []Datum) {
	dst = append(dst, '{')
	for i := range a.Dims[dim] {
		if i > 0 {
			dst = append(dst, a.Elem.Delim)
		}
		if dim < len(a.Dims)-1 {
			dst, elems = appendArrayDim(dst, a, dim+1, elems, env)
			continue
		}
		dst = appendArrayElem(dst, a.Elem, elems[0], env)
		elems = elems[1:]
	}
	return append(dst, '}'), elems
}

func appendArrayElem(dst []byte, t *Type, d Datum, env *Env) []byte {
	if d.IsNull() {
		return append(dst, "NULL"...)
	}
	start := len(dst)
	dst = AppendText(dst, t, d, env)
	switch t.class {
	case classInt2, classInt4, classInt8, classOid, classBool, classNumeric, classFloat4, classFloat8, classUUID:
		return dst
	}
	text := dst[start:]
	quote := len(text) == 0 || len(text) == 4 && strings.EqualFold(string(text), "null")
	escapes := 0
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			escapes++
			quote = true
		case c == '{' || c == '}' || c == t.Delim || isSpace(c):
			quote = true
		}
	}
	if !quote {
		return dst
	}
	raw := string(text)
	dst = append(dst[:start], '"')
	for i := range len(raw) {
		if raw[i] == '"' || raw[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, raw[i])
	}
	return append(dst, '"')
}

// arrayReader parses the text of an array.
type arrayReader struct {
	text  string
	s     string // what is left
	a     *Array
	depth int // of the elements
	elems []arrayElem
}

// arrayElem is an element before its text is parsed: errors of the array's syntax come before those of its elements.
type arrayElem struct {
	text string
	null bool
}

// parseArray is array_in.
func parseArray(t *Type, mod int32, text string, env *Env) (Datum, error) {
	r := arrayReader{text: text, s: text, a: &Array{Elem: t.Elem}}
	a, err := r.read()
	if err != nil {
		return Null, err
	}
	if len(r.elems) > 0 {
		a.Elems = make([]Datum, len(r.elems))
	}
	for i, e := range r.elems {
		if e.null {
			continue
		}
		if a.Elems[i], err = ParseText(t.Elem, mod, e.text, env); err != nil {
			return Null, err
		}
	}
	return NewAny(a), nil
}

func (r *arrayReader) malformed(format string, args ...any) error {
	return errs.New(errs.InvalidTextRepresentation, "malformed array literal: \"%s\"", r.text).WithDetail(format, args...)
}

func (r *arrayReader) skipSpace() {
	for r.s != "" && isSpace(r.s[0]) {
		r.s = r.s[1:]
	}
}

func (r *arrayReader) read() (*Array, error) {
	dims, lower, err := r.bounds()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(r.s, "{") {
		if dims != nil {
			return nil, r.malformed("Array contents must start with \"{\".")
		}
		return nil, r.malformed("Array value must start with \"{\" or dimension information.")
	}
	depth := 0
	for s := r.s; s != "" && (s[0] == '{' || isSpace(s[0])); s = s[1:] {
		if s[0] == '{' {
			depth++
		}
	}
	if depth > maxArrayDims {
		return nil, errs.New(errs.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", depth, maxArrayDims)
	}
	r.depth = depth
	r.a.Dims = make([]int32, depth)
	if err := r.level(0, true); err != nil {
		return nil, err
	}
	r.skipSpace()
	if r.s != "" {
		return nil, r.malformed("Junk after closing right brace.")
	}
	if len(r.elems) == 0 {
		if dims != nil {
			return nil, r.malformed("Specified array dimensions do not match array contents.")
		}
		r.a.Dims = nil
		return r.a, nil
	}
	r.a.Lower = make([]int32, depth)
	for i := range r.a.Lower {
		r.a.Lower[i] = 1
	}
	if dims != nil {
		if len(dims) != depth {
			return nil, r.malformed("Specified array dimensions do not match array contents.")
		}
		for i := range dims {
			if dims[i] != r.a.Dims[i] {
				return nil, r.malformed("Specified array dimensions do not match array contents.")
			}
		}
		r.a.Lower = lower
	}
	return r.a, nil
}

// bounds reads "[2:3][0:1]=".
func (r *arrayReader) bounds() (dims, lower []int32, err error) {
	for {
		r.skipSpace()
		if !strings.HasPrefix(r.s, "[") {
			break
		}
		r.s = r.s[1:]
		if len(dims) == maxArrayDims {
			return nil, nil, errs.New(errs.ProgramLimitExceeded,
				"number of array dimensions (%d) exceeds the maximum allowed (%d)", len(dims)+1, maxArrayDims)
		}
		from, ok := r.bound()
		if !ok {
			return nil, nil, r.malformed("\"[\" must introduce explicitly-specified array dimensions.")
		}
		to := from
		if strings.HasPrefix(r.s, ":") {
			r.s = r.s[1:]
			if to, ok = r.bound(); !ok {
				return nil, nil, r.malformed("Missing array dimension value.")
			}
		} else {
			from = 1
		}
		if !strings.HasPrefix(r.s, "]") {
			return nil, nil, r.malformed("Missing \"]\" after array dimensions.")
		}
		r.s = r.s[1:]
		if to < from {
			return nil, nil, errs.New(errs.ArraySubscriptError, "upper bound cannot be less than lower bound")
		}
		if to == 1<<31-1 {
			return nil, nil, errs.New(errs.ProgramLimitExceeded, "array lower bound is too large: %d", from)
		}
		if int64(to)-int64(from)+1 > maxArrayElems {
			return nil, nil, errs.New(errs.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
		dims = append(dims, to-from+1)
		lower = append(lower, from)
	}
	if dims != nil {
		if !strings.HasPrefix(r.s, "=") {
			return nil, nil, r.malformed("Missing \"=\" after array dimensions.")
		}
		r.s = r.s[1:]
		r.skipSpace()
	}
	return dims, lower, nil
}

func (r *arrayReader) bound() (int32, bool) {
	i := 0
	if i < len(r.s) && (r.s[i] == '-' || r.s[i] == '+') {
		i++
	}
	for i < len(r.s) && r.s[i] >= '0' && r.s[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(r.s[:i], 10, 64)
	if err != nil {
		return 0, false
	}
	r.s = r.s[i:]
	return int32(n), true // numbers beyond an int wrap around, as atoi's do
}

// level reads a brace and what is in it. first tells that no brace of this level has been closed, so that its
// length is not known yet.
func (r *arrayReader) level(dim int, first bool) error {
	r.s = r.s[1:] // the brace
	var count int32
	for {
		r.skipSpace()
		if r.s == "" {
			return r.malformed("Unexpected end of input.")
		}
		switch c := r.s[0]; {
		case c == '{':
			if dim == r.depth-1 {
				return r.malformed("Unexpected \"{\" character.")
			}
			if err := r.level(dim+1, first && count == 0); err != nil {
				return err
			}
		case c == '}':
			if count > 0 || dim > 0 || r.depth > 1 {
				return r.malformed("Unexpected \"}\" character.")
			}
			r.s = r.s[1:]
			return nil
		case c == r.a.Elem.Delim:
			return r.malformed("Unexpected \"%c\" character.", c)
		default:
			if dim != r.depth-1 {
				return r.malformed("Unexpected array element.")
			}
			if err := r.element(); err != nil {
				return err
			}
		}
		count++
		r.skipSpace()
		if r.s == "" {
			return r.malformed("Unexpected end of input.")
		}
		c := r.s[0]
		if c == r.a.Elem.Delim {
			r.s = r.s[1:]
			continue
		}
		if c != '}' {
			if c == '{' {
				return r.malformed("Unexpected \"{\" character.")
			}
			return r.malformed("Unexpected array element.")
		}
		r.s = r.s[1:]
		if first {
			r.a.Dims[dim] = count
		} else if r.a.Dims[dim] != count {
			return r.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
		}
		return nil
	}
}

func (r *arrayReader) element() error {
	var text string
	null := false
	if r.s[0] == '"' {
		var b []byte
		i := 1
		for {
			if i >= len(r.s) {
				return r.malformed("Unexpected end of input.")
			}
			if r.s[i] == '"' {
				break
			}
			if r.s[i] == '\\' {
				if i++; i >= len(r.s) {
					return r.malformed("Unexpected end of input.")
				}
			}
			b = append(b, r.s[i])
			i++
		}
		text = string(b)
		r.s = r.s[i+1:]
	} else {
		var b []byte
		keep := 0 // trailing blanks are dropped, unless escaped
		escaped := false
		i := 0
	loop:
		for i < len(r.s) {
			switch c := r.s[i]; {
			case c == '{' || c == '}' || c == r.a.Elem.Delim:
				break loop
			case c == '"':
				return r.malformed("Unexpected array element.")
			case c == '\\':
				if i++; i >= len(r.s) {
					return r.malformed("Unexpected end of input.")
				}
				b = append(b, r.s[i])
				keep, escaped = len(b), true
			default:
				b = append(b, c)
				if !isSpace(c) {
					keep = len(b)
				}
			}
			i++
		}
		text = string(b[:keep])
		r.s = r.s[i:]
		null = !escaped && strings.EqualFold(text, "null")
	}
	if len(r.elems) >= maxArrayElems {
		return errs.New(errs.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArrayElems)
	}
	r.elems = append(r.elems, arrayElem{text, null})
	return nil
}

// int2vector and oidvector are arrays with subscripts from 0 and a text form without braces.

// NewVector makes an int2vector or oidvector.
func NewVector(elem *Type, values ...int64) *Array {
	a := &Array{Elem: elem, Dims: []int32{int32(len(values))}, Lower: []int32{0}}
	if len(values) == 0 {
		a.Dims, a.Lower = nil, nil
	}
	for _, v := range values {
		a.Elems = append(a.Elems, NewInt(v))
	}
	return a
}

func parseVector(t *Type, s string) (Datum, error) {
	var values []int64
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }) {
		var d Datum
		var err error
		if t.Elem == Int2 {
			d, err = parseInt(f, 16, "smallint")
		} else {
			d, err = parseOid(f, "oid")
		}
		if err != nil {
			return Null, err
		}
		values = append(values, d.i)
	}
	return NewAny(NewVector(t.Elem, values...)), nil
}

func appendVector(dst []byte, a *Array, env *Env) []byte {
	for i, e := range a.Elems {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = AppendText(dst, a.Elem, e, env)
	}
	return dst
}
