package wire

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgproto3/v2"

	"holdfast/compat_tests/testserver"
	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/planner"
	"holdfast/sql/accumulator"
	wireserver "holdfast/wire"
)

// panicking is a store whose transactions panic: at Commit, or at the next write.
type panicking struct {
	kv.Store
	commit, write atomic.Bool
}

func (s *panicking) Begin(ctx context.Context, o kv.TxnOptions) (kv.Txn, error) {
	t, err := s.Store.Begin(ctx, o)
	return &panickingTxn{t, s}, err
}

type panickingTxn struct {
	kv.Txn
	store *panicking
}

func (t *panickingTxn) Commit(ctx context.Context) (kv.Version, error) {
	if t.store.commit.Swap(false) {
		panic("a test")
	}
	return t.Txn.Commit(ctx)
}

func (t *panickingTxn) Set(key, value []byte, cols kv.ColumnSet) error {
	if t.store.write.Swap(false) {
		panic("a test")
	}
	return t.Txn.Set(key, value, cols)
}

// TestPanicInStatement: after a panic the client gets the FATAL and no answer of what was not committed. Others are served.
func TestPanicInStatement(t *testing.T) {
	if otherServer != "" {
		t.Skip("Holdfast's")
	}
	store := &panicking{Store: memkv.New(memkv.Options{Merge: accumulator.Merge})}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s := testserver.StartOn(t, store, wireserver.Options{MaxConnections: 10}, planner.Config{})
	addr := net.JoinHostPort(s.Host, s.Port)
	y := connect(t, addr)
	y.exec("CREATE TABLE t (id int PRIMARY KEY)")
	insert := []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "INSERT INTO t VALUES (1) RETURNING id"}, &pgproto3.Bind{}, &pgproto3.Execute{}}
	for _, test := range []struct {
		name     string
		where    *atomic.Bool
		messages []pgproto3.FrontendMessage
	}{
		{"at the commit of a statement", &store.commit, []pgproto3.FrontendMessage{&pgproto3.Query{String: "INSERT INTO t VALUES (1) RETURNING id"}}},
		{"at the commit of several statements", &store.commit, []pgproto3.FrontendMessage{&pgproto3.Query{String: "SELECT 1; INSERT INTO t VALUES (1)"}}},
		{"at the commit of a pipeline", &store.commit, append(slices.Clone(insert), &pgproto3.Sync{})},
		{"at COMMIT", &store.commit, []pgproto3.FrontendMessage{&pgproto3.Query{String: "BEGIN; INSERT INTO t VALUES (1); COMMIT"}}},
		{"in a later statement", &store.write, []pgproto3.FrontendMessage{&pgproto3.Query{String: "SELECT 1; INSERT INTO t VALUES (1)"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := connect(t, addr)
			test.where.Store(true)
			x.send(test.messages...)
			name, text := x.receive()
			if name != "ErrorResponse" || !strings.Contains(text, "FATAL") || !strings.Contains(text, "XX000") {
				t.Errorf("it is answered with %s %s", name, text)
			}
			for name == "ErrorResponse" || name == "DataRow" || name == "CommandComplete" || name == "ParseComplete" || name == "BindComplete" {
				name, text = x.receive()
			}
			if name != "closed" {
				t.Errorf("after it comes %s %s", name, text)
			}
			if got := rows(y.query("SELECT count(*) FROM t")); !slices.Equal(got, []string{"0"}) {
				t.Errorf("%v rows are there", got)
			}
		})
	}
}
