package exec

import (
	"bytes"
	"slices"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// span is a part of a key space to read: a range, or a single key.
type span struct {
	start, end []byte // end nil: the single key start
}

func (s span) point() bool { return s.end == nil }

// boundsEval turns Bounds into spans. It is used per execution for scans, and per left row for lookup joins.
type boundsEval struct {
	prefix  []byte // of the key space
	keys    []rowio.KeyColumn
	full    int // number of key columns that make a key unique if none is NULL; 0: never
	matches []matchEval
	lower   *boundEval
	upper   *boundEval
	notNull bool

	spans []span
	arena []byte
	alts  [][][]byte // per match, its encoded values
}

type matchEval struct {
	values []*Expr
	vecs   []*types.Vec
	array  *Expr
	arrays *types.Vec
	isNull bool
	safe   bool // NULL values match NULL
	null   bool // of the present row: NULL is among what matches
}

type boundEval struct {
	values    []*Expr
	vecs      []*types.Vec
	inclusive bool
}

// tableBounds compiles bounds over the primary key of a table; nil bounds are the whole table.
func (b *Builder) tableBounds(bounds *Bounds, codec *rowio.TableCodec, l *Layout) (*boundsEval, error) {
	return b.bounds(bounds, codec.Prefix(), codec.KeyColumns(), len(codec.KeyColumns()), l)
}

// indexBounds compiles bounds over an index.
func (b *Builder) indexBounds(bounds *Bounds, codec *rowio.IndexCodec, l *Layout) (*boundsEval, error) {
	full := 0
	if codec.Index.Unique {
		full = len(codec.KeyColumns())
	}
	return b.bounds(bounds, codec.Prefix(), codec.KeyColumns(), full, l)
}

func (b *Builder) bounds(bounds *Bounds, prefix []byte, keys []rowio.KeyColumn, full int, l *Layout) (e *boundsEval, err error) {
	e = &boundsEval{prefix: prefix, keys: keys, full: full}
	if bounds == nil {
		return e, nil
	}
	width := len(bounds.Prefix)
	for _, end := range []*Bound{bounds.Lower, bounds.Upper} {
		if end != nil {
			width = max(width, len(bounds.Prefix)+len(end.Values))
		}
	}
	if width > len(keys) || bounds.NotNull && len(bounds.Prefix) == len(keys) {
		return nil, errs.New(errs.InternalError, "bounds over %d columns of a key of %d", width, len(keys))
	}
	e.notNull = bounds.NotNull
	for _, m := range bounds.Prefix {
		me := matchEval{isNull: m.IsNull, safe: m.NullSafe, vecs: make([]*types.Vec, len(m.Values))}
		if me.values, err = b.exprs(m.Values, l); err != nil {
			return nil, err
		}
		if me.array, err = b.optional(m.Array, l); err != nil {
			return nil, err
		}
		e.matches = append(e.matches, me)
	}
	e.alts = make([][][]byte, len(e.matches))
	if e.lower, err = b.bound(bounds.Lower, l); err != nil {
		return nil, err
	}
	e.upper, err = b.bound(bounds.Upper, l)
	return e, err
}

func (b *Builder) bound(end *Bound, l *Layout) (e *boundEval, err error) {
	if end == nil {
		return nil, nil
	}
	e = &boundEval{inclusive: end.Inclusive, vecs: make([]*types.Vec, len(end.Values))}
	e.values, err = b.exprs(end.Values, l)
	return e, err
}

// oneRow is the input of expressions that have none.
var oneRow = &types.Batch{Rows: types.Rows{N: 1}}

// prepare evaluates the bounds' expressions for the rows of a batch.
func (e *boundsEval) prepare(ctx *Ctx, in *types.Batch) (err error) {
	for i := range e.matches {
		m := &e.matches[i]
		for k, x := range m.values {
			if m.vecs[k], err = x.Eval(ctx, in); err != nil {
				return err
			}
		}
		if m.array != nil {
			if m.arrays, err = m.array.Eval(ctx, in); err != nil {
				return err
			}
		}
	}
	for _, end := range []*boundEval{e.lower, e.upper} {
		if end == nil {
			continue
		}
		for k, x := range end.values {
			if end.vecs[k], err = x.Eval(ctx, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep marks the bytes since from as one value in the arena. The arena may move when it grows; what was
// handed out stays where it was.
func (e *boundsEval) keep(from int) []byte { return e.arena[from:len(e.arena):len(e.arena)] }

// of makes the spans of one row of the batch that was prepared, in key order and apart from each other. They are
// valid until the next call.
func (e *boundsEval) of(row int) []span {
	e.spans, e.arena = e.spans[:0], e.arena[:0]
	single := true
	for i := range e.matches {
		m, col := &e.matches[i], &e.keys[i]
		alts := e.alts[i][:0]
		add := func(d types.Datum) {
			from := len(e.arena)
			e.arena = col.Append(e.arena, d)
			alts = append(alts, e.keep(from))
		}
		m.null = m.isNull
		if m.isNull {
			add(types.Null)
		}
		for _, v := range m.vecs {
			if v.IsNull(row) {
				if m.safe && !m.null {
					m.null = true
					add(types.Null)
				}
			} else {
				from := len(e.arena)
				e.arena = types.AppendKeyVec(e.arena, v, at(v, row), col.Desc, col.NullsFirst)
				alts = append(alts, e.keep(from))
			}
		}
		if m.arrays != nil && !m.arrays.IsNull(row) {
			for _, d := range m.arrays.X[at(m.arrays, row)].(*types.Array).Elems {
				if !d.IsNull() {
					add(d)
				}
			}
		}
		if len(alts) == 0 {
			e.alts[i] = alts
			return nil
		}
		if len(alts) > 1 {
			single = false
			slices.SortFunc(alts, bytes.Compare)
			alts = slices.CompactFunc(alts, bytes.Equal)
		}
		e.alts[i] = alts
	}
	if single {
		from := len(e.arena)
		e.arena = append(e.arena, e.prefix...)
		for _, alts := range e.alts {
			e.arena = append(e.arena, alts[0]...)
		}
		e.addSpan(e.keep(from), row)
		return e.spans
	}
	choice := make([]int, len(e.alts))
	for {
		from := len(e.arena)
		e.arena = append(e.arena, e.prefix...)
		for i, alts := range e.alts {
			e.arena = append(e.arena, alts[choice[i]]...)
		}
		e.addSpan(e.keep(from), row)
		i := len(choice) - 1
		for ; i >= 0; i-- {
			if choice[i]++; choice[i] < len(e.alts[i]) {
				break
			}
			choice[i] = 0
		}
		if i < 0 {
			return e.spans
		}
	}
}

// addSpan adds the part of the keys that begin with prefix which lower and upper leave.
func (e *boundsEval) addSpan(prefix []byte, row int) {
	n := len(e.matches)
	if e.full > 0 && n == e.full && !e.matchesNull() {
		e.spans = append(e.spans, span{start: prefix})
		return
	}
	if e.lower == nil && e.upper == nil && !e.notNull {
		e.addRange(prefix, kv.PrefixEnd(prefix))
		return
	}
	col := &e.keys[n]
	first, last := e.lower, e.upper
	if col.Desc {
		first, last = last, first
	}
	start, end := prefix, kv.PrefixEnd(prefix)
	if first != nil {
		key, inclusive, ok := e.endKey(prefix, first, row)
		if !ok {
			return
		}
		start = key
		if !inclusive {
			start = kv.PrefixEnd(key)
		}
	} else if col.NullsFirst {
		start = kv.PrefixEnd(e.nullKey(prefix, col))
	}
	if last != nil {
		key, inclusive, ok := e.endKey(prefix, last, row)
		if !ok {
			return
		}
		end = key
		if inclusive {
			end = kv.PrefixEnd(key)
		}
	} else if !col.NullsFirst {
		end = e.nullKey(prefix, col)
	}
	e.addRange(start, end)
}

// matchesNull reports whether NULL is among what matches the present row: then even a full key of a unique index is no
// single key.
func (e *boundsEval) matchesNull() bool {
	for i := range e.matches {
		if e.matches[i].null {
			return true
		}
	}
	return false
}

func (e *boundsEval) addRange(start, end []byte) {
	if bytes.Compare(start, end) < 0 {
		e.spans = append(e.spans, span{start: start, end: end})
	}
}

func (e *boundsEval) nullKey(prefix []byte, col *rowio.KeyColumn) []byte {
	from := len(e.arena)
	e.arena = col.Append(append(e.arena, prefix...), types.Null)
	return e.keep(from)
}

// endKey is the key of one end of a range. A NULL after the first value ends the comparison there: rows that are equal up to it are
// neither less nor greater. ok is false if the first is NULL: nothing matches.
func (e *boundsEval) endKey(prefix []byte, end *boundEval, row int) (key []byte, inclusive, ok bool) {
	from := len(e.arena)
	e.arena = append(e.arena, prefix...)
	inclusive = end.inclusive
	for k, v := range end.vecs {
		if v.IsNull(row) {
			if k == 0 {
				return nil, false, false
			}
			inclusive = false
			break
		}
		col := &e.keys[len(e.matches)+k]
		e.arena = types.AppendKeyVec(e.arena, v, at(v, row), col.Desc, col.NullsFirst)
	}
	return e.keep(from), inclusive, true
}

// numbersOf are the attribute numbers of scanned columns.
func (a *Access) numbersOf() []int16 {
	numbers := make([]int16, len(a.Columns))
	for i, c := range a.Columns {
		numbers[i] = c.Number
	}
	return numbers
}

// footprint is the set of columns that reads of the table record.
func (a *Access) footprint() kv.ColumnSet {
	if a.Footprint != 0 {
		return a.Footprint | kv.Existence
	}
	return rowio.ColumnSet(a.numbersOf()...)
}

// columnType is the type of an attribute, system columns included.
func columnType(t *catalog.Table, number int16) *types.Type {
	switch {
	case number == catalog.TableOIDNumber:
		return types.Oid
	case number < 0:
		return types.Bytea
	}
	return t.Columns[number-1].Type
}
