package planner

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast/kv"
	"holdfast/planner/bind"
	"holdfast/planner/copyio"
	"holdfast/sql/algebra"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// copyKeepBytes is how much copy data is kept so that the statement can be run again after a conflict.
// Beyond it a conflict is the client's to retry.
const copyKeepBytes = 32 << 20

// copyStatement is COPY.
func (s *Session) copyStatement(ctx context.Context, p *prepared, st *ast.Copy, out Output) error {
	if st.Program {
		return errs.Unsupported("COPY to or from an external program")
	}
	if st.Filename != "" {
		return errs.Unsupported("COPY to or from a file of the server").
			WithHint(`Use COPY .. FROM STDIN or TO STDOUT, or psql's \copy.`)
	}
	o, err := copyOptions(st, p.text)
	if err != nil {
		return err
	}
	if err := s.open(ctx, false); err != nil {
		return err
	}
	if st.From {
		return s.copyFrom(ctx, p, st, o, out)
	}
	return s.copyTo(ctx, p, st, o, out)
}

// copyOptions reads the options of COPY.
func copyOptions(st *ast.Copy, text string) (copyio.Options, error) {
	at := func(x *ast.Option) int {
		if x.At < 0 || int(x.At) > len(text) {
			return 0
		}
		return utf8.RuneCountInString(text[:x.At]) + 1
	}
	format := copyio.Text
	for _, x := range st.Options {
		if x.Name != "format" {
			continue
		}
		switch v := optionText(x); v {
		case "text":
		case "csv":
			format = copyio.CSV
		case "binary":
			format = copyio.Binary
		default:
			return copyio.Options{}, errs.New(errs.InvalidParameterValue, `COPY format "%s" not recognized`, v).At(at(x))
		}
	}
	o := copyio.Default(format)
	seen := map[string]bool{}
	for _, x := range st.Options {
		if seen[x.Name] {
			return o, errs.New(errs.SyntaxError, "conflicting or redundant options")
		}
		seen[x.Name] = true
		v := optionText(x)
		oneByte := func(what string) (byte, error) {
			if len(v) != 1 {
				return 0, errs.New(errs.FeatureNotSupported, "COPY %s must be a single one-byte character", what)
			}
			return v[0], nil
		}
		csvOnly := func(what string) error {
			if format != copyio.CSV {
				return errs.New(errs.FeatureNotSupported, "COPY %s available only in CSV mode", what)
			}
			return nil
		}
		notBinary := func(what string) error {
			if format == copyio.Binary {
				return errs.New(errs.SyntaxError, "cannot specify %s in BINARY mode", what)
			}
			return nil
		}
		var err error
		switch x.Name {
		case "format":
		case "freeze":
			// Rows are as permanent as they can be in any case.
		case "delimiter":
			if err = notBinary("DELIMITER"); err == nil {
				o.Delimiter, err = oneByte("delimiter")
			}
		case "null":
			if err = notBinary("NULL"); err == nil {
				o.Null = v
			}
		case "header":
			switch {
			case v == "match":
				o.Header, o.MatchNames = true, true
				if !st.From {
					err = errs.New(errs.InvalidParameterValue, `cannot use "match" with HEADER in COPY TO`)
				}
			case v == "":
				o.Header = true
			default:
				b, ok := parseBool(v)
				if !ok {
					err = errs.New(errs.SyntaxError, `header requires a Boolean value or "match"`)
				}
				o.Header = b
			}
			if err == nil && o.Header {
				err = notBinary("HEADER")
			}
		case "quote":
			if err = csvOnly("quote"); err == nil {
				o.Quote, err = oneByte("quote")
				if !seen["escape"] {
					o.Escape = o.Quote
				}
			}
		case "escape":
			if err = csvOnly("escape"); err == nil {
				o.Escape, err = oneByte("escape")
			}
		case "force_quote":
			if err = csvOnly("force quote"); err == nil {
				o.ForceAll, o.ForceQuote = x.Star, optionNames(x)
			}
		case "force_not_null":
			if err = csvOnly("force not null"); err == nil {
				o.ForceNotNull = optionNames(x)
			}
		case "force_null":
			if err = csvOnly("force null"); err == nil {
				o.ForceNull = optionNames(x)
			}
		case "encoding":
			_, err = checkEncoding(v)
		default:
			err = errs.New(errs.SyntaxError, `option "%s" not recognized`, x.Name).At(at(x))
		}
		if err != nil {
			return o, err
		}
	}
	return o, o.Check()
}

func optionText(x *ast.Option) string {
	if l, ok := x.Value.(*ast.Literal); ok {
		if l.Kind == ast.LitBool {
			return map[string]string{"t": "true", "f": "false"}[l.Value]
		}
		if x.Name == "format" || x.Name == "header" {
			return strings.ToLower(l.Value)
		}
		return l.Value
	}
	return ""
}

func optionNames(x *ast.Option) map[string]bool {
	m := map[string]bool{}
	for _, n := range x.List {
		m[n] = true
	}
	return m
}

// copyTo is COPY .. TO STDOUT.
func (s *Session) copyTo(ctx context.Context, p *prepared, st *ast.Copy, o copyio.Options, out Output) error {
	stmt := st.Query
	if stmt == nil {
		t, err := bind.ResolveRelation(s.bindOptions(ctx, s.tx.snapshot, ""), st.Table, false)
		if err != nil {
			return err
		}
		if t.Kind == catalog.KindView {
			return errs.New(errs.WrongObjectType, `cannot copy from view "%s"`, t.Name).WithHint("Try the COPY (SELECT ...) TO variant.")
		}
		if t.Kind == catalog.KindSequence {
			return errs.New(errs.WrongObjectType, `cannot copy from sequence "%s"`, t.Name)
		}
		names, err := copyColumns(t, st.Columns)
		if err != nil {
			return err
		}
		sel := &ast.Select{At: -1, From: []ast.TableExpr{&ast.TableRef{At: -1, Table: st.Table, Only: true}}}
		for _, n := range names {
			sel.Targets = append(sel.Targets, &ast.Target{At: -1, Expr: &ast.ColumnRef{At: -1, Names: []string{n}}})
		}
		stmt = sel
	} else if !isQuery(stmt) {
		return errs.New(errs.FeatureNotSupported, "COPY query must be a SELECT, INSERT, UPDATE or DELETE")
	}
	q := &prepared{text: p.text, stmt: stmt, simple: true, sql: true}
	pl, run, err := s.start(ctx, q, nil, out)
	if err != nil {
		return err
	}
	defer run.Close()
	if pl.columns == nil {
		return errs.New(errs.FeatureNotSupported, "COPY query must have a RETURNING clause")
	}
	names := make([]string, len(pl.columns))
	for i, c := range pl.columns {
		names[i] = c.Name
	}
	if err := out.CopyOut(o.Format == copyio.Binary, len(names)); err != nil {
		return err
	}
	w := copyio.NewWriter(o, names, &s.settings.env)
	buf := w.Start(nil)
	if o.Format != copyio.Binary && len(buf) > 0 { // the binary header comes with the first row
		if err := out.CopyData(buf); err != nil {
			return err
		}
		buf = buf[:0]
	}
	var n int64
	for {
		b, err := run.Next(types.BatchRows)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		for k := 0; k < b.N; k++ {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			buf = w.Row(buf, b, i)
			if err := out.CopyData(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
		n += int64(b.N)
	}
	if buf = w.End(buf); len(buf) > 0 {
		if err := out.CopyData(buf); err != nil {
			return err
		}
	}
	if err := out.CopyDone(); err != nil {
		return err
	}
	return out.CommandComplete(tagged("COPY", n))
}

// copyColumns checks a column list; none means all columns that are not generated.
func copyColumns(t *catalog.Table, names []string) ([]string, error) {
	if names == nil {
		for _, c := range t.Columns {
			if !c.Dropped && c.Generated == "" {
				names = append(names, c.Name)
			}
		}
		return names, nil
	}
	for i, n := range names {
		c := t.Column(n)
		if c == nil {
			return nil, errs.New(errs.UndefinedColumn, `column "%s" of relation "%s" does not exist`, n, t.Name)
		}
		if c.Generated != "" {
			return nil, errs.New(errs.InvalidColumnReference, `column "%s" is a generated column`, n).
				WithDetail("Generated columns cannot be used in COPY.")
		}
		if slices.Contains(names[:i], n) {
			return nil, errs.New(errs.DuplicateColumn, `column "%s" specified more than once`, n)
		}
	}
	return names, nil
}

// copyFrom is COPY .. FROM STDIN: an INSERT whose rows come from the client.
func (s *Session) copyFrom(ctx context.Context, p *prepared, st *ast.Copy, o copyio.Options, out Output) error {
	if st.Where != nil {
		return errs.Unsupported("COPY FROM .. WHERE")
	}
	t, err := bind.ResolveRelation(s.bindOptions(ctx, s.tx.snapshot, ""), st.Table, false)
	if err != nil {
		return err
	}
	if t.Kind == catalog.KindSequence {
		return errs.New(errs.WrongObjectType, `cannot copy to sequence "%s"`, t.Name)
	}
	if err := s.writing("COPY FROM", out); err != nil {
		return err
	}
	names, err := copyColumns(t, st.Columns)
	if err != nil {
		return err
	}
	root, cols, err := s.copyInsert(ctx, st, names, p)
	if err != nil {
		return err
	}
	source := &copySource{session: s, table: t, options: o, names: names, ctx: ctx}
	for _, c := range cols {
		column := t.Column(names[len(source.types)])
		source.types = append(source.types, c.Typ)
		source.mods = append(source.mods, column.Mod)
		source.vecs = append(source.vecs, types.NewVec(c.Typ, types.BatchRows))
	}
	data := *s.copyData
	if data == nil {
		from, err := out.CopyIn(ctx, o.Format == copyio.Binary, len(names))
		if err != nil {
			return err
		}
		data = &copyKeeper{from: from}
		*s.copyData = data
	} else if data.lost {
		return errCopyLost
	} else if err := out.CopyInAgain(o.Format == copyio.Binary, len(names)); err != nil {
		return err
	}
	source.reader = copyio.NewReader(data.start(), o, names)
	pl, err := s.engine.optimize(ctx, s, root(source.next), s.tx.snapshot)
	if err != nil {
		return err
	}
	s.tx.snapshot.Observe(s.tx.kv, pl.query.Tables...)
	run, err := pl.exec.Start(s.execContext(ctx, nil))
	if err == nil {
		for err == nil {
			var b *types.Batch
			if b, err = run.Next(types.BatchRows); b == nil {
				break
			}
		}
		if err == nil {
			affected := run.Affected()
			run.Close()
			data.ended = true
			return out.CommandComplete(tagged("COPY", affected))
		}
		run.Close()
	}
	if err = s.reconsider(err); isStale(err) || isConflict(err) {
		if data.lost {
			return errCopyLost
		}
		return err
	}
	if !errors.Is(err, kv.ErrDeadlock) {
		data.ended = true
	}
	return source.where(err)
}

// copyInsert binds the INSERT that a COPY stands for. root makes the query with a source of batches.
func (s *Session) copyInsert(ctx context.Context, st *ast.Copy, names []string, p *prepared) (root func(next func() (*types.Batch, error)) *algebra.Query, cols []algebra.Column, err error) {
	insert := &ast.Insert{At: -1, Table: &ast.TableRef{At: -1, Table: st.Table}, Overriding: "system"}
	row := make([]ast.Expr, len(names))
	for i, n := range names {
		insert.Columns = append(insert.Columns, &ast.InsertColumn{At: -1, Name: n})
		row[i] = &ast.Param{At: -1, Number: i + 1}
	}
	if len(names) > 0 {
		insert.Query = &ast.Select{At: -1, Values: [][]ast.Expr{row}}
	}
	q, err := bind.Bind(ctx, s.bindOptions(ctx, s.tx.snapshot, p.text), insert)
	if err != nil {
		return nil, nil, err
	}
	node, ok := q.Root.(*algebra.Insert)
	if !ok {
		return nil, nil, errs.Unsupported("COPY into this relation")
	}
	ids := make([]algebra.ColID, len(names))
	for i := range ids {
		c := algebra.Column{Name: names[i], T: algebra.T{Typ: q.Params[i], M: types.NoTypmod}}
		ids[i] = q.NewColumn(c)
		cols = append(cols, c)
	}
	// The parameters of the VALUES row become the columns of the source.
	replace := &algebra.Rewriter{Scalar: func(x algebra.Scalar) (algebra.Scalar, bool) {
		if param, ok := x.(*algebra.Param); ok {
			return &algebra.Col{T: param.T, ID: ids[param.Number-1]}, true
		}
		return nil, false
	}}
	// The row stands in the INSERT itself, or where it writes through a view in a WITH query.
	external := &algebra.External{Cols: ids}
	done := false
	find := &algebra.Rewriter{Rel: func(r algebra.Rel) (algebra.Rel, bool) {
		values, ok := r.(*algebra.Values)
		if !ok || done || len(values.Cols) != len(names) {
			return nil, false
		}
		done = true
		items := make([]algebra.Item, len(values.Cols))
		for i, id := range values.Cols {
			items[i] = algebra.Item{ID: id, Expr: replace.RewriteScalar(values.Rows[0][i])}
		}
		return &algebra.Project{Input: external, Items: items}, true
	}}
	for _, c := range q.CTEs {
		c.Rel = find.RewriteRel(c.Rel)
	}
	q.Root, q.Params = find.RewriteRel(node), nil
	if !done {
		return nil, nil, errs.Unsupported("COPY into this relation")
	}
	return func(next func() (*types.Batch, error)) *algebra.Query {
		external.Next = next
		return q
	}, cols, nil
}

// copySource makes batches of the client's rows.
type copySource struct {
	session *Session
	ctx     context.Context
	table   *catalog.Table
	options copyio.Options
	reader  *copyio.Reader
	names   []string
	types   []*types.Type
	mods    []int32
	vecs    []*types.Vec
	column  int // being read, for errors; -1: none
	value   string
	parsing bool
	// first and last are the lines of the present batch.
	first, last int64
}

func (c *copySource) next() (*types.Batch, error) {
	c.parsing = true
	n := 0
	for _, v := range c.vecs {
		v.Resize(types.BatchRows)
	}
	for n < types.BatchRows {
		c.column = -1
		fields, err := c.reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if c.ctx.Err() != nil {
				err = canceled(c.ctx)
			}
			return nil, err
		}
		if c.last = c.reader.Line(); n == 0 {
			c.first = c.last
		}
		for j, f := range fields {
			if f.Data == nil {
				c.vecs[j].SetNull(n)
				continue
			}
			c.column = j
			var d types.Datum
			if c.options.Format == copyio.Binary {
				d, err = types.ParseBinary(c.types[j], c.mods[j], f.Data)
			} else {
				c.value = string(f.Data)
				if err := types.CheckText(c.value); err != nil {
					c.parsing = false // the place in the line cannot be shown
					return nil, err
				}
				d, err = types.ParseText(c.types[j], c.mods[j], c.value, &c.session.settings.env)
			}
			if err != nil {
				return nil, err
			}
			c.vecs[j].Set(n, d)
		}
		n++
	}
	c.parsing = false
	if n == 0 {
		return nil, nil
	}
	if err := c.ctx.Err(); err != nil {
		return nil, canceled(c.ctx)
	}
	return &types.Batch{Rows: types.Rows{N: n}, Cols: c.vecs}, nil
}

// where adds the place in the data to an error of reading it.
func (c *copySource) where(err error) error {
	e := *errs.As(err)
	if e.Where != "" || e.Severity == "FATAL" {
		return err
	}
	line := int(c.reader.Line())
	if e.Code == errs.QueryCanceled || c.ctx.Err() != nil {
		e.Where = "COPY " + c.table.Name + ", line " + itoa(line+1) // the one that was waited for
		return &e
	}
	if line == 0 {
		return err
	}
	e.Where = "COPY " + c.table.Name + ", line " + itoa(line)
	if !c.parsing {
		// Rows are written a batch at a time, and the error does not say which row of the batch it is about.
		if e.Where = "COPY " + c.table.Name + ", line " + itoa(int(c.first)); c.last != c.first {
			e.Where = "COPY " + c.table.Name + ", lines " + itoa(int(c.first)) + "-" + itoa(int(c.last))
		}
	} else {
		if c.column >= 0 {
			e.Where += ", column " + c.names[c.column]
			if c.options.Format != copyio.Binary {
				e.Where += `: "` + limitText(c.value) + `"`
			}
		} else if c.options.Format != copyio.Binary {
			e.Where += `: "` + limitText(c.reader.Raw()) + `"`
		}
	}
	return &e
}

// limitText cuts a value for a message, as PostgreSQL does.
func limitText(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}

// copyKeeper is the client's copy data: what has been read of it is kept, up to a bound, to be read again.
type copyKeeper struct {
	from io.Reader
	kept []byte
	lost bool // there was more than is kept
	// The statement has ended, and what the client sends is no longer for it. It is the end of the data that
	// it has read up to, nil if it has not.
	ended bool
	end   error
}

// start returns the data from its beginning.
func (k *copyKeeper) start() io.Reader {
	return io.MultiReader(strings.NewReader(string(k.kept)), keepingReader{k})
}

type keepingReader struct{ k *copyKeeper }

func (r keepingReader) Read(p []byte) (int, error) {
	if r.k.ended {
		if r.k.end == nil {
			return 0, errCopyOver
		}
		return 0, r.k.end
	}
	n, err := r.k.from.Read(p)
	r.k.end = err
	if !r.k.lost {
		if len(r.k.kept)+n > copyKeepBytes {
			r.k.lost, r.k.kept = true, nil
		} else {
			r.k.kept = append(r.k.kept, p[:n]...)
		}
	}
	return n, err
}
