// Package rules tries to break rules: clients that write at random, at the same time, against tables under assertions,
// foreign keys, unique keys and CHECKs. Whatever they do, each state that anybody sees satisfies all rules.
package rules

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const schema = `
CREATE TABLE team (id int PRIMARY KEY, cap int NOT NULL, lead int);
CREATE TABLE member (id int PRIMARY KEY, team int REFERENCES team ON DELETE CASCADE ON UPDATE CASCADE, pay int,
	boss int REFERENCES member ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, code int UNIQUE);
CREATE INDEX ON member (team);
CREATE INDEX ON member (boss);
CREATE TABLE extra (id int PRIMARY KEY REFERENCES member ON DELETE CASCADE, bonus int);
CREATE TABLE pairs (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, CONSTRAINT together CHECK (a + b >= 0));
CREATE TABLE tally (n int NOT NULL);
CREATE VIEW staff AS SELECT * FROM member JOIN extra USING (id);
INSERT INTO tally VALUES (0);
INSERT INTO team SELECT g, 10 FROM generate_series(1, 4) g;
INSERT INTO member SELECT g, g % 4 + 1, 3, NULL, g FROM generate_series(1, 8) g;
INSERT INTO extra SELECT g, 1 FROM generate_series(1, 6) g;
INSERT INTO pairs SELECT g, 5, 5 FROM generate_series(1, 5) g`

// rule is a condition that holds in every state.
type rule struct{ name, condition, timing string }

var asserted = []rule{
	{"cap", `NOT EXISTS (SELECT m.id, m.pay, t.cap FROM member m JOIN team t ON m.team = t.id WHERE m.pay > t.cap)`, ""},
	{"bosses", `NOT EXISTS (SELECT a.id, b.id AS boss FROM member a, member b WHERE a.boss = b.id AND a.pay > b.pay)`, ""},
	{"size", `NOT EXISTS (SELECT team, count(*) FROM member GROUP BY team HAVING count(*) > 5)`, ""},
	{"payroll", `NOT EXISTS (SELECT 1 FROM team t WHERE (SELECT sum(pay) FROM member WHERE team = t.id) > t.cap * 2)`, ""},
	{"teams", `(SELECT count(*) FROM team) > 1`, ""},
	{"bonus", `ALL (SELECT * FROM staff) s SATISFY (s.bonus <= s.pay)`, ""},
	{"led", `NOT EXISTS (SELECT t.id, t.lead FROM team t WHERE t.lead IS NOT NULL
		AND NOT EXISTS (SELECT FROM member m WHERE m.id = t.lead AND m.team = t.id))`, "DEFERRABLE INITIALLY DEFERRED"},
	{"sums", `(SELECT sum(a) FROM pairs) <= 40 AND NOT EXISTS (SELECT FROM pairs WHERE a > 15)`, ""},
	{"late", `NOT EXISTS (SELECT m.id, e.bonus FROM member m JOIN extra e USING (id) JOIN team t ON t.id = m.team
		WHERE m.pay + e.bonus > t.cap + 2)`, "DEFERRABLE INITIALLY DEFERRED"},
	{"lowest", `NOT EXISTS (SELECT team, min(pay), count(*) FROM member WHERE pay > 0 GROUP BY team HAVING min(pay) > 4 AND count(*) > 1)`, ""},
	{"average", `NOT EXISTS (SELECT t.id, t.cap, avg(m.pay) FROM team t JOIN member m ON m.team = t.id GROUP BY t.id, t.cap HAVING avg(m.pay) > t.cap - 2)`, ""},
	{"peers", `NOT EXISTS (SELECT m.id FROM member m WHERE m.pay > 9 AND m.pay > ALL (SELECT p.pay FROM member p WHERE p.team = m.team AND p.id <> m.id))`,
		"DEFERRABLE INITIALLY DEFERRED"},
	{"rewarded", `NOT EXISTS (SELECT t.id FROM team t LEFT JOIN member m ON m.team = t.id LEFT JOIN extra e ON e.id = m.id
		GROUP BY t.id HAVING sum(e.bonus) > 8)`, ""},
	{"few_bosses", `NOT EXISTS (SELECT m.team FROM member m WHERE m.team IS NOT NULL GROUP BY m.team
		HAVING count(DISTINCT m.boss) > (SELECT cap FROM team WHERE id = m.team) / 4)`, "DEFERRABLE INITIALLY DEFERRED"},
}

// kept are the rules of keys and CHECKs as conditions.
var kept = []rule{
	{name: "member_team_fkey", condition: `NOT EXISTS (SELECT FROM member m WHERE team IS NOT NULL AND NOT EXISTS (SELECT FROM team t WHERE t.id = m.team))`},
	{name: "member_boss_fkey", condition: `NOT EXISTS (SELECT FROM member m WHERE boss IS NOT NULL AND NOT EXISTS (SELECT FROM member b WHERE b.id = m.boss))`},
	{name: "extra_id_fkey", condition: `NOT EXISTS (SELECT FROM extra e WHERE NOT EXISTS (SELECT FROM member m WHERE m.id = e.id))`},
	{name: "member_code_key", condition: `NOT EXISTS (SELECT code FROM member WHERE code IS NOT NULL GROUP BY code HAVING count(*) > 1)`},
	{name: "together", condition: `NOT EXISTS (SELECT FROM pairs WHERE a + b < 0)`},
}

// evaluated is a condition as an expression of SELECT.
func evaluated(condition string) string {
	if rest, ok := strings.CutPrefix(condition, "ALL "); ok {
		query, c, _ := strings.Cut(rest, " SATISFY ")
		return "NOT EXISTS (SELECT FROM " + query + " WHERE NOT " + c + ")"
	}
	return condition
}

// statement makes a random statement.
func statement(r *rand.Rand) string {
	member, team, pair := func() int { return 1 + r.IntN(14) }, func() int { return 1 + r.IntN(5) }, func() int { return 1 + r.IntN(5) }
	null := func(f func() int) string {
		if r.IntN(4) == 0 {
			return "NULL"
		}
		return fmt.Sprint(f())
	}
	pay := func() int { return r.IntN(13) }
	switch r.IntN(24) {
	case 0, 1:
		return fmt.Sprintf("INSERT INTO member VALUES (%d, %s, %s, %s, %d)", member(), null(team), null(pay), null(member), member())
	case 2:
		return fmt.Sprintf("INSERT INTO member VALUES (%d, %s, %d) ON CONFLICT (id) DO UPDATE SET pay = excluded.pay, team = excluded.team", member(), null(team), pay())
	case 3:
		return fmt.Sprintf("INSERT INTO member SELECT id + %d, team, pay, id FROM member WHERE team = %d ON CONFLICT DO NOTHING", 1+r.IntN(3), team())
	case 4, 5:
		return fmt.Sprintf("UPDATE member SET pay = %d WHERE id = %d", pay(), member())
	case 6:
		return fmt.Sprintf("UPDATE member SET pay = pay + 1 WHERE team = %d", team())
	case 7:
		return fmt.Sprintf("UPDATE member SET team = %s WHERE id = %d", null(team), member())
	case 8:
		return fmt.Sprintf("UPDATE member SET boss = %s WHERE id = %d", null(member), member())
	case 9:
		return fmt.Sprintf("UPDATE member SET code = %d WHERE id = %d", member(), member())
	case 10:
		return fmt.Sprintf("DELETE FROM member WHERE id = %d", member())
	case 11:
		return fmt.Sprintf("UPDATE team SET cap = %d WHERE id = %d", 4+r.IntN(9), team())
	case 12:
		return fmt.Sprintf("UPDATE team SET lead = %s WHERE id = %d", null(member), team())
	case 13:
		return fmt.Sprintf("DELETE FROM team WHERE id = %d", team())
	case 14:
		return fmt.Sprintf("INSERT INTO team VALUES (%d, %d)", team(), 6+r.IntN(6))
	case 15:
		return fmt.Sprintf("UPDATE team SET id = %d WHERE id = %d", team(), team())
	case 16:
		return fmt.Sprintf("INSERT INTO extra VALUES (%d, %d) ON CONFLICT (id) DO UPDATE SET bonus = excluded.bonus", member(), r.IntN(6))
	case 17:
		return fmt.Sprintf("UPDATE staff SET pay = %d, bonus = %d WHERE id = %d", pay(), r.IntN(6), member())
	case 18:
		return fmt.Sprintf("UPDATE staff SET bonus = pay WHERE team = %d", team())
	case 19, 20:
		return fmt.Sprintf("UPDATE pairs SET a = a + %d WHERE id = %d", r.IntN(13)-6, pair())
	case 21, 22:
		return fmt.Sprintf("UPDATE pairs SET b = b + %d WHERE id = %d", r.IntN(13)-6, pair())
	default:
		return "TRUNCATE extra"
	}
}

// history is one run.
type history struct {
	t      *testing.T
	dsn    string
	seed   uint64
	until  time.Time
	done   atomic.Int64 // statements and transactions that were carried out
	tallyN atomic.Int64
	mu     sync.Mutex
	codes  map[string]int
}

func (h *history) connect(ctx context.Context, simple bool) *pgx.Conn {
	config, err := pgx.ParseConfig(h.dsn)
	if err == nil {
		if simple {
			config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		}
		var conn *pgx.Conn
		if conn, err = pgx.ConnectConfig(ctx, config); err == nil {
			return conn
		}
	}
	h.t.Error(err)
	return nil
}

// refused judges a refusal: it is that of a rule, with its name and a row. It reports whether it is one to try again.
func (h *history) refused(what string, err error, alone bool) (again bool) {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		h.t.Errorf("seed %d: %s: %v", h.seed, what, err)
		return false
	}
	h.mu.Lock()
	h.codes[e.Code]++
	h.mu.Unlock()
	switch e.Code {
	case "23514", "23503", "23505":
		if e.ConstraintName == "" || e.Detail == "" && !strings.HasPrefix(what, "ALTER TABLE") {
			h.t.Errorf("seed %d: %s: no constraint or detail: %+v", h.seed, what, e)
		}
		return false
	case "40001", "40P01":
		if !alone {
			return true
		}
	case "25P02":
		if !alone {
			return false
		}
	}
	h.t.Errorf("seed %d: %s: %s %s %s", h.seed, what, e.Code, e.Message, e.Detail)
	return false
}

// holds evaluates all rules in one state.
func (h *history) holds(ctx context.Context, conn *pgx.Conn, when string) {
	var names, list []string
	for _, r := range append(append([]rule{}, asserted...), kept...) {
		names = append(names, r.name)
		list = append(list, "("+evaluated(r.condition)+") IS NOT FALSE")
	}
	rows, err := conn.Query(ctx, "SELECT "+strings.Join(list, ", "))
	if err != nil {
		h.t.Errorf("seed %d: %v", h.seed, err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			h.t.Error(err)
			return
		}
		for i, v := range values {
			if v != true {
				h.t.Errorf("seed %d: %s: %s does not hold", h.seed, when, names[i])
			}
		}
	}
	if err := rows.Err(); err != nil {
		h.t.Errorf("seed %d: %v", h.seed, err)
	}
}

// write is a client that writes at random.
func (h *history) write(ctx context.Context, n int) {
	r := rand.New(rand.NewPCG(h.seed, uint64(n)))
	conn := h.connect(ctx, n%2 == 0)
	if conn == nil {
		return
	}
	defer conn.Close(ctx)
	for time.Now().Before(h.until) && !h.t.Failed() {
		switch r.IntN(8) {
		case 0, 1:
			h.transaction(ctx, conn, r)
		case 2:
			rows := [][]any{{30 + r.IntN(4), r.IntN(3)}, {1 + r.IntN(14), r.IntN(6)}}
			if _, err := conn.CopyFrom(ctx, pgx.Identifier{"extra"}, []string{"id", "bonus"}, pgx.CopyFromRows(rows)); err != nil {
				h.refused(fmt.Sprint("COPY ", rows), err, true)
			}
		case 3:
			// It counts for itself what was carried out.
			s := "WITH done AS (UPDATE tally SET n = n + 1) UPDATE pairs SET a = a + 1, b = b - 1 WHERE id = 1"
			if r.IntN(2) == 0 {
				s = "WITH done AS (UPDATE tally SET n = n + 1) UPDATE pairs SET a = a - 1, b = b + 1 WHERE id = 1"
			}
			if _, err := conn.Exec(ctx, s); err != nil {
				h.refused(s, err, true)
			} else {
				h.tallyN.Add(1)
			}
		default:
			s := statement(r)
			if _, err := conn.Exec(ctx, s); err != nil {
				h.refused(s, err, true)
			} else {
				h.done.Add(1)
			}
		}
	}
}

// transaction is a block of statements with savepoints, tried again as its client is told.
func (h *history) transaction(ctx context.Context, conn *pgx.Conn, r *rand.Rand) {
	var script []string
	for range 1 + r.IntN(4) {
		switch r.IntN(8) {
		case 0:
			script = append(script, "SAVEPOINT a", statement(r), "ROLLBACK TO a")
		case 1:
			script = append(script, "SAVEPOINT a", statement(r), "RELEASE a")
		case 2:
			script = append(script, "SET CONSTRAINTS ALL "+[]string{"DEFERRED", "IMMEDIATE"}[r.IntN(2)])
		default:
			if s := statement(r); !strings.HasPrefix(s, "TRUNCATE") {
				script = append(script, s) // refused where deferred rules are to look at the rows
			}
		}
	}
	script = append(script, "COMMIT")
	for range 20 {
		again := false
		saved := false
		if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
			h.refused("BEGIN", err, true)
			return
		}
		for _, s := range script {
			_, err := conn.Exec(ctx, s)
			saved = saved || s == "SAVEPOINT a"
			if err == nil {
				continue
			}
			var e *pgconn.PgError
			if errors.As(err, &e) && e.Code == "55006" && strings.HasPrefix(s, "TRUNCATE") {
				break
			}
			if again = h.refused(strings.Join(script, "; ")+" at "+s, err, false); again || !saved {
				break
			}
			if _, err := conn.Exec(ctx, "ROLLBACK TO a"); err != nil {
				break
			}
		}
		if conn.PgConn().TxStatus() != 'I' {
			if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
				h.refused("ROLLBACK", err, true)
			}
		}
		if !again {
			h.done.Add(1)
			return
		}
	}
}

// change creates and drops rules while others write. One that exists holds.
func (h *history) change(ctx context.Context, n int) {
	r := rand.New(rand.NewPCG(h.seed, uint64(n)))
	conn := h.connect(ctx, n%2 == 0)
	if conn == nil {
		return
	}
	defer conn.Close(ctx)
	try := func(s string) bool {
		if _, err := conn.Exec(ctx, s); err != nil {
			h.refused(s, err, true)
			return false
		}
		return true
	}
	created := 0
	for time.Now().Before(h.until) && !h.t.Failed() {
		limit := 3 + r.IntN(12)
		var create, drop, condition string
		switch r.IntN(4) {
		case 0:
			condition = fmt.Sprintf("NOT EXISTS (SELECT m.pay, t.cap FROM member m JOIN team t ON t.id = m.team WHERE m.pay + t.cap > %d)", limit+8)
			create, drop = "CREATE ASSERTION extra_rule CHECK ("+condition+")", "DROP ASSERTION extra_rule"
		case 1:
			condition = fmt.Sprintf("(SELECT count(*) FROM member WHERE pay > 3) <= %d", limit)
			create, drop = "CREATE ASSERTION extra_rule CHECK ("+condition+")", "DROP ASSERTION extra_rule"
		case 2:
			condition = fmt.Sprintf("NOT EXISTS (SELECT FROM pairs WHERE a - b > %d)", limit)
			create = fmt.Sprintf("ALTER TABLE pairs ADD CONSTRAINT extra_rule CHECK (a - b <= %d)", limit)
			drop = "ALTER TABLE pairs DROP CONSTRAINT extra_rule"
		default:
			condition = "NOT EXISTS (SELECT FROM team t WHERE lead IS NOT NULL AND NOT EXISTS (SELECT FROM member m WHERE m.id = t.lead))"
			create = "ALTER TABLE team ADD CONSTRAINT extra_rule FOREIGN KEY (lead) REFERENCES member ON DELETE SET NULL"
			drop = "ALTER TABLE team DROP CONSTRAINT extra_rule"
		}
		if !try(create) {
			continue
		}
		created++
		for range 5 {
			var ok *bool
			if err := conn.QueryRow(ctx, "SELECT "+condition).Scan(&ok); err != nil || ok != nil && !*ok {
				h.t.Errorf("seed %d: %s does not hold: %v", h.seed, create, err)
			}
			time.Sleep(time.Millisecond)
		}
		try(drop)
	}
	if created == 0 {
		h.t.Logf("seed %d: no rule could be created", h.seed)
	}
}

func TestConcurrentHistories(t *testing.T) {
	runs, length := 4, 3*time.Second
	if testing.Short() {
		runs, length = 1, 2*time.Second
	}
	for i := range runs {
		clients := []int{8, 12, 16, 8}[i]
		seed := rand.Uint64()
		t.Run(fmt.Sprint(clients), func(t *testing.T) {
			server := testserver.Start(t)
			ctx, cancel := context.WithTimeout(context.Background(), length+time.Minute)
			defer cancel()
			h := &history{t: t, dsn: server.DSN, seed: seed, codes: map[string]int{}}
			conn := h.connect(ctx, true)
			defer conn.Close(ctx)
			script := schema
			for _, r := range asserted {
				script += fmt.Sprintf("; CREATE ASSERTION %s CHECK (%s) %s", r.name, r.condition, r.timing)
			}
			if _, err := conn.Exec(ctx, script); err != nil {
				t.Fatalf("%+v", err)
			}
			h.until = time.Now().Add(length)
			var wait sync.WaitGroup
			for n := range clients {
				wait.Go(func() { h.write(ctx, n) })
			}
			if i%2 == 0 {
				wait.Go(func() { h.change(ctx, clients) })
			}
			for time.Now().Before(h.until) && !t.Failed() {
				h.holds(ctx, conn, "while others write")
				time.Sleep(5 * time.Millisecond)
			}
			wait.Wait()
			h.holds(ctx, conn, "in the end")
			var n int64
			if err := conn.QueryRow(ctx, "SELECT n FROM tally").Scan(&n); err != nil || n != h.tallyN.Load() {
				t.Errorf("seed %d: the tally is %d (%v), %d were counted", seed, n, err, h.tallyN.Load())
			}
			t.Logf("seed %d: %d carried out, %d counted, refusals %v", seed, h.done.Load(), n, h.codes)
		})
	}
}
