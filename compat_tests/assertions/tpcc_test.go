package assertions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"holdfast/compat_tests/regress"
	"holdfast/compat_tests/testserver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tpccPage is written from the rules.
const tpccPage = "../../docs/tpcc.md"

func tpccFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("tpcc", name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tpccRule is a condition of TPC-C.
type tpccRule struct{ name, about, create string }

var ruleForm = regexp.MustCompile(`(?s)((?:-- [^\n]*\n)+)(CREATE ASSERTION (\w+) .*?;)\n`)

func tpccRules(t *testing.T) (rules []tpccRule) {
	t.Helper()
	for _, m := range ruleForm.FindAllStringSubmatch(tpccFile(t, "rules"), -1) {
		rules = append(rules, tpccRule{m[3], strings.ReplaceAll(m[1], "-- ", ""), m[2]})
	}
	if len(rules) != 12 {
		t.Fatalf("%d rules", len(rules))
	}
	return rules
}

// tpcc is a server with the tables, the population and the rules.
type tpcc struct {
	t      *testing.T
	server *testserver.Server
	conn   *pgx.Conn
	rules  []tpccRule
}

func newTPCC(t *testing.T) *tpcc {
	t.Helper()
	p := &tpcc{t: t, server: testserver.Start(t), rules: tpccRules(t)}
	p.conn = p.connect()
	for _, text := range []string{tpccFile(t, "schema"), tpccFile(t, "population")} {
		if err := p.run(p.conn, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range p.rules {
		if err := p.run(p.conn, r.create); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
	}
	return p
}

// connect makes a connection on which every NOTICE is an error: a rule that reads a whole table would raise one.
func (p *tpcc) connect() *pgx.Conn {
	p.t.Helper()
	config, err := pgx.ParseConfig(p.server.DSN)
	if err != nil {
		p.t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		p.t.Errorf("%s: %s %s %s", n.Severity, n.Message, n.Detail, n.Hint)
	}
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// run runs a text as one message.
func (p *tpcc) run(conn *pgx.Conn, text string) error {
	_, err := conn.PgConn().Exec(context.Background(), text).ReadAll()
	return err
}

// transaction is one of the files with its parameters.
func (p *tpcc) transaction(name string, w, d, c int) string {
	return strings.NewReplacer(":w", fmt.Sprint(w), ":d", fmt.Sprint(d), ":c", fmt.Sprint(c)).Replace(tpccFile(p.t, name))
}

// holds evaluates all rules in full.
func (p *tpcc) holds() {
	p.t.Helper()
	for _, r := range p.rules {
		var text string
		err := p.conn.QueryRow(context.Background(), "SELECT violations($1)", r.name).Scan(&text)
		if !errors.Is(err, pgx.ErrNoRows) {
			p.t.Errorf("%s: %s %v", r.name, text, err)
		}
	}
}

// query gives a number.
func (p *tpcc) query(sql string) (n int64) {
	p.t.Helper()
	if err := p.conn.QueryRow(context.Background(), sql).Scan(&n); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// TestTPCC creates the rules over the population, runs transactions that keep them, from one client and from several, and breaks
// each rule.
func TestTPCC(t *testing.T) {
	p := newTPCC(t)
	t.Run("page", p.page)
	for i := range 4 { // as many deliveries as there are new orders in district 1 of warehouse 1, and one without any
		for _, name := range []string{"delivery", "payment"} {
			if err := p.run(p.conn, p.transaction(name, 1, 1, 3+i)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	p.holds()
	for i := range 2 {
		if err := p.run(p.conn, p.transaction("new_order", 1, 1, 5+i)); err != nil {
			t.Errorf("New-Order: %v", err)
		}
	}
	if n := p.query("SELECT count(*) FROM new_order WHERE no_w_id = 1 AND no_d_id = 1"); n != 2 {
		t.Errorf("%d new orders", n)
	}
	t.Run("broken", p.breakEach)
	p.holds()

	const clients, each = 4, 6
	before := p.query("SELECT count(*) FROM orders")
	var wait sync.WaitGroup
	for n := range clients {
		conn := p.connect()
		wait.Go(func() {
			for i := range each {
				name := []string{"new_order", "payment", "delivery"}[(n+i)%3]
				if err := p.run(conn, p.transaction(name, 1+i/3, 1, 1+n)); err != nil { // all of one warehouse at a time, in one district
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wait.Wait()
	p.holds()
	if n := p.query("SELECT count(*) FROM orders") - before; n != clients*each/3 {
		t.Errorf("%d new orders", n)
	}
}

// breakEach has for each rule a change that breaks it. It may break others too, so the rule is asked for by itself before COMMIT.
func (p *tpcc) breakEach(t *testing.T) {
	broken := map[string]string{
		"tpcc_01": "UPDATE warehouse SET w_ytd = w_ytd + 1 WHERE w_id = 1",
		"tpcc_02": "UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = 2 AND d_id = 2",
		"tpcc_03": "DELETE FROM new_order WHERE no_w_id = 2 AND no_d_id = 1 AND no_o_id = 2102",
		"tpcc_04": "DELETE FROM order_line WHERE ol_w_id = 1 AND ol_d_id = 2 AND ol_o_id = 17 AND ol_number = 2",
		"tpcc_05": "UPDATE orders SET o_carrier_id = 3 WHERE o_w_id = 2 AND o_d_id = 2 AND o_id = 2103",
		"tpcc_06": "UPDATE orders SET o_ol_cnt = CASE o_id WHEN 10 THEN 2 ELSE 1 END WHERE o_w_id = 1 AND o_d_id = 1 AND o_id IN (10, 11)",
		"tpcc_07": "UPDATE order_line SET ol_delivery_d = NULL WHERE ol_w_id = 1 AND ol_d_id = 1 AND ol_o_id = 1 AND ol_number = 1",
		"tpcc_08": "UPDATE history SET h_amount = h_amount + 0.01 WHERE h_c_w_id = 1 AND h_c_d_id = 1 AND h_c_id = 7",
		"tpcc_09": "UPDATE history SET h_d_id = 2 WHERE h_c_w_id = 1 AND h_c_d_id = 1 AND h_c_id = 7",
		"tpcc_10": "UPDATE customer SET c_balance = c_balance + 1, c_ytd_payment = c_ytd_payment - 1 WHERE c_w_id = 2 AND c_d_id = 2 AND c_id = 30",
		"tpcc_11": `DELETE FROM order_line WHERE ol_w_id = 2 AND ol_d_id = 2 AND ol_o_id = 1;
			DELETE FROM orders WHERE o_w_id = 2 AND o_d_id = 2 AND o_id = 1`,
		"tpcc_12": "UPDATE customer SET c_ytd_payment = 0 WHERE c_w_id = 2 AND c_d_id = 1 AND c_id = 30",
	}
	for _, r := range p.rules {
		change := broken[r.name]
		for _, end := range []string{"SET CONSTRAINTS " + r.name + " IMMEDIATE", "COMMIT"} {
			if r.name == "tpcc_03" {
				end = "COMMIT" // it is not deferrable
			}
			err := p.run(p.conn, "BEGIN; "+change+"; "+end)
			var e *pgconn.PgError
			if !errors.As(err, &e) || e.Code != "23514" || !strings.HasPrefix(e.ConstraintName, "tpcc_") || !strings.HasPrefix(e.Detail, "Violating ") ||
				end != "COMMIT" && e.ConstraintName != r.name {
				t.Errorf("%s: %s; %s: %+v", r.name, change, end, err)
			}
			if p.conn.PgConn().TxStatus() == 'I' {
				continue
			}
			if err := p.run(p.conn, "ROLLBACK"); err != nil {
				t.Error(err)
			}
		}
	}
}

// page: docs/tpcc.md is what the rules and EXPLAIN ASSERTION say, and no check of a rule reads a whole table.
func (p *tpcc) page(t *testing.T) {
	var b strings.Builder
	b.WriteString(tpccIntroduction)
	for i, r := range p.rules {
		rows, err := p.conn.Query(context.Background(), "EXPLAIN (COSTS OFF) ASSERTION "+r.name, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "\n")
		if strings.Contains(text, "Seq Scan") || strings.Contains(text, "Warning") || strings.Contains(text, "in full") {
			t.Errorf("%s reads whole tables:\n%s", r.name, text)
		}
		fmt.Fprintf(&b, "\n## %d\n\n%s\n```sql\n%s\n```\n\n```\n%s\n```\n", i+1, r.about, r.create, text)
	}
	if *record {
		if err := os.WriteFile(tpccPage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	page, err := os.ReadFile(tpccPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range regress.Compare(strings.Split(string(page), "\n"), strings.Split(b.String(), "\n")) {
		t.Errorf("%s:%d: run this test with -record\n%s", tpccPage, h.Line, h)
	}
}

const tpccIntroduction = `# TPC-C's consistency conditions as rules

Clause 3.3.2 of the TPC-C specification has twelve conditions that a database must fulfil after a run; whoever runs the benchmark
checks some of them by queries, afterwards. Here they are assertions, over the schema of the benchmark: no transaction that breaks
one is ever committed. Rules, tables, a small population, and New-Order, Payment and Delivery are in compat_tests/assertions/tpcc. Its tests run
these transactions from several clients, and break each of the rules.

This page is written by ` + "`go test ./compat_tests/assertions -run TPCC -record`" + `, and a test compares it. Below each rule is what
EXPLAIN ASSERTION says of it: which changes are checked, and how. No check reads a whole table; each goes by indexes from the changed rows. What
it reads there is what the rule adds up: for 1 the districts of a warehouse, for 6 the lines of an order, for 10 and 12 the orders and payments of a
customer. 2 and 5 probe for single rows. 3 reads the new orders of a district, which are few. 4, 8, 9 and 11 add up all orders of a district, or all payments to a
warehouse, and so cost the more the longer it runs: they are the ones to try out NOT ENFORCED first, or to check at night.
`
