// Package drivers runs Go drivers and PostgreSQL's own benchmark client against a Holdfast of its own, inside of
// the test, in every mode they have: the modes differ in which protocol messages they send, and in whether they
// send and read text or binary.
package drivers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"holdfast/compat_tests/testserver"
)

var modes = []pgx.QueryExecMode{
	pgx.QueryExecModeSimpleProtocol,
	pgx.QueryExecModeExec,
	pgx.QueryExecModeDescribeExec,
	pgx.QueryExecModeCacheStatement,
	pgx.QueryExecModeCacheDescribe,
}

// connect opens a connection that uses one mode for everything.
func connect(t *testing.T, s *testserver.Server, mode pgx.QueryExecMode) *pgx.Conn {
	t.Helper()
	c, err := pgx.ParseConfig(s.DSN + "?sslmode=disable&timezone=UTC")
	if err != nil {
		t.Fatal(err)
	}
	c.DefaultQueryExecMode = mode
	conn, err := pgx.ConnectConfig(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// inModes runs a test in every mode, with tables of its own.
func inModes(t *testing.T, schema string, f func(t *testing.T, conn *pgx.Conn, mode pgx.QueryExecMode)) {
	server := testserver.Start(t)
	for _, mode := range modes {
		t.Run(strings.ReplaceAll(mode.String(), " ", "_"), func(t *testing.T) {
			conn := connect(t, server, mode)
			name := fmt.Sprintf("s%d", mode)
			for _, statement := range []string{"CREATE SCHEMA " + name, "SET search_path TO " + name, schema} {
				if statement == "" {
					continue
				}
				if _, err := conn.Exec(context.Background(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			f(t, conn, mode)
		})
	}
}

func uuidOf(b byte) pgtype.UUID { return pgtype.UUID{Bytes: [16]byte{0xa0, b, 15: 0xff}, Valid: true} }

func numericOf(s string) pgtype.Numeric {
	var n pgtype.Numeric
	if err := n.Scan(s); err != nil {
		panic(err)
	}
	return n
}

// TestTypes sends values of each type as a parameter, through a column, and reads them back, alone and in arrays.
func TestTypes(t *testing.T) {
	stamp := time.Date(2024, 2, 29, 12, 34, 56, 789012000, time.UTC)
	cases := []struct {
		sqlType string
		value   any
		text    string // as psql would show it
	}{
		{"int2", int16(-32768), "-32768"},
		{"int4", int32(math.MaxInt32), "2147483647"},
		{"int8", int64(math.MinInt64), "-9223372036854775808"},
		{"float4", float32(1.5), "1.5"},
		{"float8", 0.1, "0.1"},
		{"float8", math.Inf(-1), "-Infinity"},
		{"numeric", numericOf("-12345678901234567890.00123"), "-12345678901234567890.00123"},
		{"numeric", numericOf("NaN"), "NaN"},
		{"numeric(10,2)", numericOf("10000.50"), "10000.50"},
		{"numeric", numericOf("0"), "0"},
		{"numeric", numericOf("0.00001"), "0.00001"},
		{"numeric", numericOf("1000000000"), "1000000000"},
		{"bool", true, "true"},
		{"text", "héllo 'q' \\ \n \U0001F600", "héllo 'q' \\ \n \U0001F600"},
		{"text", "", ""},
		{"varchar(5)", "abcde", "abcde"},
		{"char(4)", "ab  ", "ab"},
		{"bytea", []byte{0, 1, 0xff, '\\', '\''}, `\x0001ff5c27`},
		{"date", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), "2024-02-29"},
		{"date", time.Date(1066, 10, 14, 0, 0, 0, 0, time.UTC), "1066-10-14"},
		{"timestamp", stamp, "2024-02-29 12:34:56.789012"},
		{"timestamptz", stamp, "2024-02-29 12:34:56.789012+00"},
		{"time", pgtype.Time{Microseconds: 45296_000001, Valid: true}, "12:34:56.000001"},
		{"interval", pgtype.Interval{Months: 14, Days: 3, Microseconds: 4_000_000, Valid: true}, "1 year 2 mons 3 days 00:00:04"},
		{"uuid", uuidOf(1), "a0010000-0000-0000-0000-0000000000ff"},
		{"jsonb", map[string]any{"a": []any{1.0, "x", nil}}, `{"a": [1, "x", null]}`},
		{"json", map[string]any{"a": true}, `{"a":true}`},
		{"int2[]", []int16{1, -2}, "{1,-2}"},
		{"int4[]", []int32{}, "{}"},
		{"int8[]", []int64{1 << 40}, "{1099511627776}"},
		{"float8[]", []float64{1.5, math.Inf(1)}, "{1.5,Infinity}"},
		{"numeric[]", []pgtype.Numeric{numericOf("1.50")}, "{1.50}"},
		{"bool[]", []bool{true, false}, "{t,f}"},
		{"text[]", []string{"a b", `q"\`, "", "NULL"}, `{"a b","q\"\\","","NULL"}`},
		{"varchar(3)[]", []string{"abc"}, "{abc}"},
		{"date[]", []time.Time{time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}, "{2000-01-01}"},
		{"timestamptz[]", []time.Time{stamp}, `{"2024-02-29 12:34:56.789012+00"}`},
		{"uuid[]", []pgtype.UUID{uuidOf(2)}, "{a0020000-0000-0000-0000-0000000000ff}"},
		{"bytea[]", [][]byte{{1, 2}}, `{"\\x0102"}`},
		{"inet", netip.MustParsePrefix("10.0.0.0/8"), "10.0.0.0/8"},
	}
	inModes(t, "", func(t *testing.T, conn *pgx.Conn, mode pgx.QueryExecMode) {
		ctx := context.Background()
		for i, c := range cases {
			t.Run(strings.NewReplacer(" ", "_", "/", "_").Replace(c.sqlType+" "+c.text), func(t *testing.T) {
				if c.sqlType == "inet" {
					if _, err := conn.Exec(ctx, "SELECT '10.0.0.0/8'::inet"); err != nil {
						t.Skip("no inet")
					}
				}
				table := fmt.Sprintf("t%d", i)
				if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id int PRIMARY KEY, v %s)", table, c.sqlType)); err != nil {
					t.Fatal(err)
				}
				value := c.value
				describes := mode != pgx.QueryExecModeSimpleProtocol && mode != pgx.QueryExecModeExec
				if _, isMap := value.(map[string]any); isMap && !describes {
					value = c.text // these modes do not learn that the parameter is json
				}
				if _, err := conn.Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (1, $1), (2, NULL)", table), value); err != nil {
					t.Fatal(err)
				}
				for _, format := range []int16{pgx.TextFormatCode, pgx.BinaryFormatCode} {
					if format == pgx.BinaryFormatCode && !describes {
						continue
					}
					got := reflect.New(reflect.TypeOf(c.value))
					args := []any{}
					if describes {
						args = append(args, pgx.QueryResultFormats{format})
					}
					if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT v FROM %s WHERE id = 1", table), args...).Scan(got.Interface()); err != nil {
						t.Fatalf("format %d: %v", format, err)
					}
					if !same(got.Elem().Interface(), c.value) {
						t.Errorf("format %d: got %#v, want %#v", format, got.Elem().Interface(), c.value)
					}
				}
				var text string
				if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT v::text FROM %s WHERE id = 1", table)).Scan(&text); err != nil {
					t.Fatal(err)
				}
				if text != c.text {
					t.Errorf("text %q, want %q", text, c.text)
				}
				var nothing any
				if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT v FROM %s WHERE v IS NULL", table)).Scan(&nothing); err != nil || nothing != nil {
					t.Errorf("NULL: got %v, %v", nothing, err)
				}
				if c.sqlType == "json" {
					return // has no equality
				}
				var id int
				if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT id FROM %s WHERE v = $1", table), value).Scan(&id); err != nil || id != 1 {
					t.Errorf("equality: got %d, %v", id, err)
				}
			})
		}
	})
}

// same compares values whose Go forms may differ though they mean the same.
func same(got, want any) bool {
	switch w := want.(type) {
	case time.Time:
		return got.(time.Time).Equal(w)
	case []time.Time:
		g := got.([]time.Time)
		return len(g) == len(w) && (len(w) == 0 || g[0].Equal(w[0]))
	case pgtype.Numeric:
		return sameNumeric(got.(pgtype.Numeric), w)
	case []pgtype.Numeric:
		g := got.([]pgtype.Numeric)
		return len(g) == 1 && sameNumeric(g[0], w[0])
	}
	return reflect.DeepEqual(got, want)
}

func sameNumeric(a, b pgtype.Numeric) bool {
	x, _ := a.MarshalJSON()
	y, _ := b.MarshalJSON()
	return a.NaN && b.NaN || bytes.Equal(x, y)
}

// TestStatements runs the ordinary statements of an application.
func TestStatements(t *testing.T) {
	schema := `CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL UNIQUE, qty int NOT NULL DEFAULT 0 CHECK (qty >= 0), tags text[])`
	inModes(t, schema, func(t *testing.T, conn *pgx.Conn, mode pgx.QueryExecMode) {
		ctx := context.Background()
		var id int
		if err := conn.QueryRow(ctx, "INSERT INTO item (name, qty, tags) VALUES ($1, $2, $3) RETURNING id", "bolt", 5, []string{"m", "x"}).Scan(&id); err != nil || id != 1 {
			t.Fatalf("id %d, %v", id, err)
		}
		tag, err := conn.Exec(ctx, "INSERT INTO item (name, qty) VALUES ($1, $2), ($3, $4) ON CONFLICT (name) DO UPDATE SET qty = item.qty + excluded.qty", "bolt", 2, "nut", 7)
		if err != nil || tag.String() != "INSERT 0 2" {
			t.Fatalf("%s, %v", tag, err)
		}
		rows, err := conn.Query(ctx, "SELECT name, qty FROM item WHERE name = ANY($1) AND qty > $2 ORDER BY name LIMIT $3 OFFSET $4", []string{"bolt", "nut", "none"}, 1, 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		type item struct {
			Name string
			Qty  int
		}
		items, err := pgx.CollectRows(rows, pgx.RowToStructByName[item])
		if err != nil || !reflect.DeepEqual(items, []item{{"bolt", 7}, {"nut", 7}}) {
			t.Fatalf("%v, %v", items, err)
		}
		for _, c := range []struct {
			sql        string
			args       []any
			code       string
			constraint string
		}{
			{"INSERT INTO item (name) VALUES ($1)", []any{"bolt"}, "23505", "item_name_key"},
			{"UPDATE item SET qty = qty - $1 WHERE name = $2", []any{100, "nut"}, "23514", "item_qty_check"},
			{"INSERT INTO item (name) VALUES (NULL)", nil, "23502", ""},
			{"SELECT * FROM nosuch WHERE id = $1", []any{1}, "42P01", ""},
			{"SELECT nosuch FROM item", nil, "42703", ""},
			{"SELECT 1 / $1::int", []any{0}, "22012", ""},
			{"SELEC 1", nil, "42601", ""},
		} {
			_, err := conn.Exec(ctx, c.sql, c.args...)
			var e *pgconn.PgError
			if !errors.As(err, &e) || e.Code != c.code || e.ConstraintName != c.constraint {
				t.Errorf("%s: %v (constraint %q), want %s", c.sql, err, constraintOf(e), c.code)
			}
		}
		// The same text again: a prepared statement or description is used a second time, also after DDL.
		for i := range 3 {
			var n int64
			if err := conn.QueryRow(ctx, "SELECT count(*) FROM item WHERE qty >= $1", i).Scan(&n); err != nil || n != 2 {
				t.Errorf("count %d, %v", n, err)
			}
		}
		if _, err := conn.Exec(ctx, "CREATE INDEX ON item (qty)"); err != nil {
			t.Fatal(err)
		}
		var n int64
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM item WHERE qty >= $1", 1).Scan(&n); err != nil || n != 2 {
			t.Errorf("after CREATE INDEX: %d, %v", n, err)
		}
		// Mixed types of parameters, and those that the place they stand in tells.
		var a string
		var b int64
		var c float64
		if err := conn.QueryRow(ctx, "SELECT $1::text || '!', $2::bigint + 1, $3::float8 * 2", "x", int64(41), 1.25).Scan(&a, &b, &c); err != nil || a != "x!" || b != 42 || c != 2.5 {
			t.Errorf("%q %d %v, %v", a, b, c, err)
		}
		tag, err = conn.Exec(ctx, "DELETE FROM item WHERE id IN (SELECT id FROM item WHERE qty = $1)", 7)
		if err != nil || tag.RowsAffected() != 2 {
			t.Errorf("%s, %v", tag, err)
		}
		if err := conn.QueryRow(ctx, "SELECT id FROM item WHERE id = $1", 1).Scan(&id); !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("no rows: %v", err)
		}
		if err := conn.Ping(ctx); err != nil {
			t.Error(err)
		}
	})
}

func constraintOf(e *pgconn.PgError) string {
	if e == nil {
		return ""
	}
	return e.ConstraintName
}

// TestTransactions nests transactions, which pgx does with savepoints.
func TestTransactions(t *testing.T) {
	inModes(t, "CREATE TABLE t (a int PRIMARY KEY)", func(t *testing.T, conn *pgx.Conn, mode pgx.QueryExecMode) {
		ctx := context.Background()
		failure := errors.New("undo")
		err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO t VALUES ($1)", 1); err != nil {
				return err
			}
			if err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
				_, err := inner.Exec(ctx, "INSERT INTO t VALUES ($1)", 2)
				return errors.Join(err, failure)
			}); !errors.Is(err, failure) {
				return err
			}
			if err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
				_, err := inner.Exec(ctx, "INSERT INTO t VALUES ($1)", 1) // fails, and with it the savepoint
				return err
			}); err == nil {
				return errors.New("a duplicate was taken")
			}
			return pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
				_, err := inner.Exec(ctx, "INSERT INTO t VALUES ($1)", 3)
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		var all []int32
		if err := conn.QueryRow(ctx, "SELECT array_agg(a ORDER BY a) FROM t").Scan(&all); err != nil || !reflect.DeepEqual(all, []int32{1, 3}) {
			t.Fatalf("%v, %v", all, err)
		}
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, "SELECT 1/0"); err == nil {
			t.Error("1/0 succeeded")
		}
		var e *pgconn.PgError
		if _, err := tx.Exec(ctx, "SELECT 1"); !errors.As(err, &e) || e.Code != "25P02" {
			t.Errorf("in a failed transaction: %v", err)
		}
		if err := tx.Commit(ctx); !errors.Is(err, pgx.ErrTxCommitRollback) {
			t.Errorf("commit of a failed transaction: %v", err)
		}
		tx, err = conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO t VALUES (9)"); !errors.As(err, &e) || e.Code != "25006" {
			t.Errorf("write in a read-only transaction: %v", err)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestBatch pipelines statements. One that fails undoes the whole batch, which is one implicit transaction.
func TestBatch(t *testing.T) {
	inModes(t, "CREATE TABLE t (a int PRIMARY KEY, b text)", func(t *testing.T, conn *pgx.Conn, mode pgx.QueryExecMode) {
		ctx := context.Background()
		b := &pgx.Batch{}
		for i := range 50 {
			b.Queue("INSERT INTO t VALUES ($1, $2)", i, fmt.Sprint("row ", i))
		}
		var n int64
		b.Queue("SELECT count(*) FROM t").QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
		if err := conn.SendBatch(ctx, b).Close(); err != nil || n != 50 {
			t.Fatalf("%d rows, %v", n, err)
		}
		b = &pgx.Batch{}
		b.Queue("INSERT INTO t VALUES (100, 'lost')")
		b.Queue("INSERT INTO t VALUES ($1, 'duplicate')", 1)
		b.Queue("INSERT INTO t VALUES (101, 'never')")
		var e *pgconn.PgError
		if err := conn.SendBatch(ctx, b).Close(); !errors.As(err, &e) || e.Code != "23505" {
			t.Fatalf("batch with a duplicate: %v", err)
		}
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM t").Scan(&n); err != nil || n != 50 {
			t.Errorf("after the failed batch: %d rows, %v", n, err)
		}
	})
}

// TestCopyFrom sends rows by COPY in binary.
func TestCopyFrom(t *testing.T) {
	schema := "CREATE TABLE c (i int4 PRIMARY KEY, s text, n numeric, t timestamptz, b bytea, a int8[], u uuid, d date, f float8, ok bool)"
	inModes(t, schema, func(t *testing.T, conn *pgx.Conn, mode pgx.QueryExecMode) {
		if mode == pgx.QueryExecModeSimpleProtocol || mode == pgx.QueryExecModeExec {
			t.Skip("pgx needs descriptions for CopyFrom")
		}
		ctx := context.Background()
		const rows = 5000
		stamp := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		columns := []string{"i", "s", "n", "t", "b", "a", "u", "d", "f", "ok"}
		n, err := conn.CopyFrom(ctx, pgx.Identifier{"c"}, columns, pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
			if i%10 == 9 {
				return []any{i, nil, nil, nil, nil, nil, nil, nil, nil, nil}, nil
			}
			return []any{i, fmt.Sprint("s", i), numericOf(fmt.Sprintf("%d.25", i)), stamp.Add(time.Duration(i) * time.Hour), []byte{byte(i)}, []int64{int64(i), 1}, uuidOf(byte(i)), stamp, float64(i) / 4, i%2 == 0}, nil
		}))
		if err != nil || n != rows {
			t.Fatalf("%d, %v", n, err)
		}
		var count, nulls int
		var sum pgtype.Numeric
		if err := conn.QueryRow(ctx, "SELECT count(*), count(*) - count(s), sum(n) FROM c").Scan(&count, &nulls, &sum); err != nil {
			t.Fatal(err)
		}
		if want := numericOf("11246625.00"); count != rows || nulls != rows/10 || !sameNumeric(sum, want) {
			t.Errorf("%d rows, %d NULLs, sum %v", count, nulls, sum)
		}
		var s string
		var a []int64
		var f float64
		var at time.Time
		if err := conn.QueryRow(ctx, "SELECT s, a, f, t FROM c WHERE i = $1", 42).Scan(&s, &a, &f, &at); err != nil || s != "s42" || !reflect.DeepEqual(a, []int64{42, 1}) || f != 10.5 || !at.Equal(stamp.Add(42*time.Hour)) {
			t.Errorf("%q %v %v %v, %v", s, a, f, at, err)
		}
		var e *pgconn.PgError
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{"c"}, []string{"i"}, pgx.CopyFromRows([][]any{{rows}, {0}})); !errors.As(err, &e) || e.Code != "23505" {
			t.Errorf("copy of a duplicate: %v", err)
		}
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM c").Scan(&count); err != nil || count != rows {
			t.Errorf("after the failed copy: %d, %v", count, err)
		}
	})
}

// TestRowsClosedEarly abandons a result in the middle and goes on with the connection.
func TestRowsClosedEarly(t *testing.T) {
	inModes(t, "", func(t *testing.T, conn *pgx.Conn, mode pgx.QueryExecMode) {
		ctx := context.Background()
		rows, err := conn.Query(ctx, "SELECT g, repeat('x', 100) FROM generate_series(1, $1::int) g", 20000)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 3 && rows.Next(); i++ {
		}
		rows.Close()
		var one int
		if err := conn.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil || one != 1 {
			t.Errorf("%d, %v", one, err)
		}
		// A cancelled context cancels the query on the server too.
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if _, err := conn.Exec(short, "SELECT pg_sleep(30)"); err == nil {
			t.Error("pg_sleep outlived its context")
		}
	})
}
