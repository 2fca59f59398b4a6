// Package sessiontest is a client for tests that runs SQL in this process, without a connection: an engine
// over a store, sessions, and results as text.
package sessiontest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"strings"
	"testing"

	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/kv/pebblekv"
	"holdfast/planner"
	"holdfast/sql/accumulator"
	"holdfast/sql/errs"
	"holdfast/sql/types"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DB is an open database.
type DB struct {
	Engine *planner.Engine
	t      testing.TB
}

// Open makes an empty database in the reference store. It closes at the end of the test.
func Open(t testing.TB) *DB {
	t.Helper()
	return OpenStore(t, memkv.New(memkv.Options{Merge: accumulator.Merge}))
}

// OpenPebble makes an empty database in the embedded engine, on files in memory.
func OpenPebble(t testing.TB) *DB {
	t.Helper()
	store, err := pebblekv.Open(pebblekv.Options{
		Folder: "db", FS: vfs.NewMem(), CacheBytes: 32 << 20, MemtableBytes: 4 << 20, Merge: accumulator.Merge, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return OpenStore(t, store)
}

// OpenStore makes a database in a store, which closes with it.
func OpenStore(t testing.TB, store kv.Store) *DB { return OpenWith(t, store, planner.Config{}) }

// OpenWith is OpenStore with a configuration.
func OpenWith(t testing.TB, store kv.Store, config planner.Config) *DB {
	t.Helper()
	ctx := context.Background()
	config.Logger = slog.New(slog.DiscardHandler)
	e, err := planner.Open(ctx, store, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &DB{Engine: e, t: t}
}

// Client is one session. It is not for concurrent use.
type Client struct {
	Session *planner.Session
	t       testing.TB
	out     output
	// CopyData is what the next COPY FROM STDIN reads.
	CopyData string
	prepared map[string]string // names of prepared statements by text
}

// Connect starts a session, which ends with the test.
func (db *DB) Connect() *Client {
	db.t.Helper()
	s, err := db.Engine.NewSession(planner.SessionOptions{User: "postgres", Database: "postgres"})
	if err != nil {
		db.t.Fatal(err)
	}
	c := &Client{Session: s, t: db.t}
	c.out.client = c
	db.t.Cleanup(s.Close)
	return c
}

// Result is what a message was answered with.
type Result struct {
	Columns []string   // of the last statement that returned rows
	Rows    [][]string // of all statements; NULL is "NULL"
	Tags    []string
	Notices []*errs.Error
}

// Tag is the last command tag.
func (r *Result) Tag() string {
	if len(r.Tags) == 0 {
		return ""
	}
	return r.Tags[len(r.Tags)-1]
}

// String is the rows, one per line, with "|" between columns.
func (r *Result) String() string {
	lines := make([]string, len(r.Rows))
	for i, row := range r.Rows {
		lines[i] = strings.Join(row, "|")
	}
	return strings.Join(lines, "\n")
}

// Exec runs the statements of a text as one simple query. The result holds what was answered before an error too.
func (c *Client) Exec(text string) (*Result, error) { return c.ExecContext(context.Background(), text) }

// ExecContext is Exec under a context.
func (c *Client) ExecContext(ctx context.Context, text string) (*Result, error) {
	c.out.deliver()
	err := c.Session.Query(ctx, text, &c.out)
	return c.out.result(), err
}

// Portal runs one statement by the extended protocol, asking for at most maxRows rows, and ends with Sync: a
// portal that has rows left is then given up.
func (c *Client) Portal(text string, maxRows int64) (*Result, error) {
	ctx := context.Background()
	c.out.deliver()
	err := c.Session.Parse("", text, nil)
	if err == nil {
		err = c.Session.Bind("", "", nil, nil, nil)
	}
	if err == nil {
		err = c.Session.Execute(ctx, "", maxRows, &c.out)
	}
	if err != nil {
		c.Session.Fail()
		return c.out.result(), err
	}
	err = c.Session.Sync(ctx, &c.out)
	return c.out.result(), err
}

// Prepared runs a statement with parameters, given as text, by the extended protocol. The statement stays prepared, and is executed
// once more if the same text comes again.
func (c *Client) Prepared(text string, values [][]byte) (*Result, error) {
	ctx := context.Background()
	c.out.deliver()
	name := c.prepared[text]
	var err error
	if name == "" {
		name = fmt.Sprintf("statement %d", len(c.prepared))
		if err = c.Session.Parse(name, text, nil); err == nil {
			if c.prepared == nil {
				c.prepared = map[string]string{}
			}
			c.prepared[text] = name
		}
	}
	if err == nil {
		err = c.Session.Bind("", name, nil, values, nil)
	}
	if err == nil {
		err = c.Session.Execute(ctx, "", 0, &c.out)
	}
	if err != nil {
		c.Session.Fail()
		return c.out.result(), err
	}
	err = c.Session.Sync(ctx, &c.out)
	return c.out.result(), err
}

// Must runs statements that must succeed.
func (c *Client) Must(text string) *Result {
	c.t.Helper()
	r, err := c.Exec(text)
	if err != nil {
		c.t.Fatalf("%s\n%s", text, Describe(err))
	}
	return r
}

// Query runs a statement that must succeed, and compares its rows: see Result.String.
func (c *Client) Query(text, want string) {
	c.t.Helper()
	if got := c.Must(text).String(); got != want {
		c.t.Errorf("%s\ngot:\n%s\nwant:\n%s", text, got, want)
	}
}

// Fails runs statements that must fail, and compares the error: see Describe.
func (c *Client) Fails(text, want string) {
	c.t.Helper()
	_, err := c.Exec(text)
	if err == nil {
		c.t.Errorf("%s\nno error, want:\n%s", text, want)
		return
	}
	if got := Describe(err); got != strings.TrimSpace(want) {
		c.t.Errorf("%s\ngot:\n%s\nwant:\n%s", text, got, want)
	}
}

// Describe prints an error or notice with its fields, one per line: the code and message, then those of DETAIL, HINT,
// WHERE, and SCHEMA, TABLE, COLUMN, CONSTRAINT that are set. The position is left out.
func Describe(err error) string {
	e := errs.As(err)
	var b strings.Builder
	severity := e.Severity
	if severity == "" {
		severity = "ERROR"
	}
	fmt.Fprintf(&b, "%s %s: %s", severity, e.Code, e.Message)
	for _, f := range [][2]string{{"DETAIL", e.Detail}, {"HINT", e.Hint}, {"WHERE", e.Where}, {"SCHEMA", e.Schema},
		{"TABLE", e.Table}, {"COLUMN", e.Column}, {"CONSTRAINT", e.Constraint}} {
		if f[1] != "" {
			fmt.Fprintf(&b, "\n%s: %s", f[0], f[1])
		}
	}
	return b.String()
}

// output is the planner.Output of a Client: a list of what was answered. Nothing of it is sent before the end of the message, so
// everything can be taken back.
type output struct {
	client *Client
	events []event
	sent   int64 // events of messages before
	from   int64 // where the present answer begins
	kept   [][]event
	silent bool
}

type event struct {
	columns []string
	rows    [][]string
	tag     string
	notice  *errs.Error
}

var _ planner.Output = (*output)(nil)

// deliver ends a message: what it was answered with is sent.
func (o *output) deliver() {
	o.sent += int64(len(o.events))
	o.events = nil
}

func (o *output) add(e event) error {
	o.events = append(o.events, e)
	return nil
}

func (o *output) result() *Result {
	r := &Result{}
	for _, e := range o.events {
		if e.columns != nil {
			r.Columns = e.columns
		}
		r.Rows = append(r.Rows, e.rows...)
		if e.tag != "" {
			r.Tags = append(r.Tags, e.tag)
		}
		if e.notice != nil {
			r.Notices = append(r.Notices, e.notice)
		}
	}
	return r
}

func (o *output) RowDescription(cols []planner.ResultColumn, _ []int16) error {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	return o.add(event{columns: names})
}

func (o *output) Rows(cols []planner.ResultColumn, _ []int16, b *types.Batch) error {
	env := o.client.Session.Env()
	var rows [][]string
	for k := 0; k < b.N; k++ {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		row := make([]string, len(cols))
		for j, v := range b.Cols {
			row[j] = "NULL"
			if !v.IsNull(i) {
				row[j] = string(types.AppendTextVec(nil, v, i, env))
			}
		}
		rows = append(rows, row)
	}
	return o.add(event{rows: rows})
}

func (o *output) CommandComplete(tag string) error         { return o.add(event{tag: tag}) }
func (o *output) PortalSuspended() error                   { return nil }
func (o *output) EmptyQuery() error                        { return nil }
func (o *output) Notice(n *errs.Error) error               { return o.add(event{notice: n}) }
func (o *output) ParameterStatus(name, value string) error { return nil }
func (o *output) CopyIn(context.Context, bool, int) (io.Reader, error) {
	if o.silent {
		return nil, planner.ErrSilent
	}
	return strings.NewReader(o.client.CopyData), nil
}
func (o *output) CopyOut(bool, int) error { return nil }
func (o *output) CopyData(p []byte) error {
	return o.add(event{rows: [][]string{{string(bytes.TrimSuffix(p, []byte("\n")))}}})
}
func (o *output) CopyDone() error { return nil }
func (o *output) Hold()           {}
func (o *output) Release()        {}

func (o *output) Mark() int64 { return o.sent + int64(len(o.events)) }
func (o *output) Sent() int64 { return o.sent }

func (o *output) BeginAnswer() { o.from = o.Mark() }

func (o *output) EndAnswer() (planner.Digest, bool) {
	h, rows := fnv.New64(), 0
	for _, e := range o.events[o.from-o.sent:] {
		rows += len(e.rows)
		fmt.Fprintf(h, "%q %q %q %v;", e.columns, e.rows, e.tag, e.notice)
	}
	return planner.Digest{Bytes: o.Mark() - o.from, Rows: int64(rows), Hash: h.Sum64()}, true
}

func (o *output) Silent() planner.Output { return &output{client: o.client, silent: true} }

func (o *output) Reset(mark int64) bool {
	o.Truncate(mark)
	return mark >= o.sent
}

func (o *output) Truncate(mark int64) {
	o.events = o.events[:min(len(o.events), int(max(0, mark-o.sent)))]
}

func (o *output) Between(from, to int64) []byte {
	if from < o.sent {
		return nil
	}
	o.kept = append(o.kept, append([]event(nil), o.events[from-o.sent:to-o.sent]...))
	return binary.BigEndian.AppendUint64(nil, uint64(len(o.kept)-1))
}

func (o *output) Append(p []byte) error {
	if len(p) > 0 {
		o.events = append(o.events, o.kept[binary.BigEndian.Uint64(p)]...)
	}
	return nil
}

func (o *output) CopyInAgain(bool, int) error { return nil }
