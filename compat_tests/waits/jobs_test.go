package waits

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/compat_tests/testserver"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestJobQueue: sixteen workers take jobs from a table with SKIP LOCKED, some die in the middle of one. Every job is
// done once, and nobody is asked to try again.
func TestJobQueue(t *testing.T) {
	const workers, jobs = 16, 300
	// Each form takes a job, and done notes it in the same transaction.
	forms := map[string]func(w *session, rng *rand.Rand) (took, died bool, err error){
		"delete": func(w *session, rng *rand.Rand) (bool, bool, error) {
			tag, err := w.affects("WITH mine AS (DELETE FROM job WHERE id = (SELECT id FROM job ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id) INSERT INTO done SELECT id, pg_backend_pid() FROM mine")
			return tag > 0, false, err
		},
		"plain delete": func(w *session, rng *rand.Rand) (bool, bool, error) {
			tag, err := w.affects("DELETE FROM job WHERE id = (SELECT id FROM job ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id")
			return tag > 0, false, err
		},
		"update": func(w *session, rng *rand.Rand) (bool, bool, error) {
			tag, err := w.affects("UPDATE job SET state = 'done', runs = runs + 1 WHERE id = (SELECT id FROM job WHERE state = 'new' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id")
			return tag > 0, false, err
		},
		"transaction": func(w *session, rng *rand.Rand) (bool, bool, error) {
			if err := w.try("BEGIN"); err != nil {
				return false, false, err
			}
			taken := w.rows("SELECT id FROM job WHERE state = 'new' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1")
			if len(taken) == 0 {
				return false, false, w.try("COMMIT")
			}
			if err := w.try("INSERT INTO done VALUES (" + taken[0] + ", pg_backend_pid())"); err != nil {
				return false, false, err
			}
			if rng.IntN(8) == 0 {
				// The connection is cut: the job must go to somebody else.
				return false, true, w.conn.PgConn().Conn().Close()
			}
			if err := w.try("UPDATE job SET state = 'done', runs = runs + 1 WHERE id = " + taken[0]); err != nil {
				return false, false, err
			}
			return true, false, w.try("COMMIT")
		},
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			s := testserver.Start(t)
			setup := connect(t, s)
			setup.exec("CREATE TABLE job (id int PRIMARY KEY, state text NOT NULL, runs int NOT NULL); CREATE TABLE done (id int, who int)")
			setup.exec(fmt.Sprintf("INSERT INTO job SELECT g, 'new', 0 FROM generate_series(1, %d) g", jobs))
			var mu sync.Mutex
			taken, died := 0, 0
			var wg sync.WaitGroup
			for i := range workers {
				w := connect(t, s)
				wg.Add(1)
				go func() {
					defer wg.Done()
					rng := rand.New(rand.NewPCG(uint64(i), 1))
					for idle := 0; idle < 3; {
						took, dead, err := form(w, rng)
						if err != nil {
							var e *pgconn.PgError
							if errors.As(err, &e) {
								t.Errorf("%s: %s %s", name, e.Code, e.Detail)
							} else {
								t.Error(err)
							}
							return
						}
						if dead {
							mu.Lock()
							died++
							mu.Unlock()
							if w, err = tryConnect(t, s); err != nil {
								t.Error(err)
								return
							}
							continue
						}
						if !took {
							// Others may still have jobs that they will not end.
							idle++
							continue
						}
						idle = 0
						mu.Lock()
						taken++
						mu.Unlock()
					}
				}()
			}
			wg.Wait()
			// What the dead have left behind when everybody had gone.
			setup.until("0", "SELECT count(*) FROM pg_locks WHERE NOT granted")
			last := connect(t, s)
			rng := rand.New(rand.NewPCG(99, 1))
			for {
				took, dead, err := form(last, rng)
				if err != nil {
					t.Fatal(err)
				}
				if dead {
					last = connect(t, s)
					continue
				}
				if took {
					taken++
				} else if left := setup.one("SELECT count(*) FROM job WHERE state = 'new'"); left == "0" {
					break
				}
			}
			if taken != jobs {
				t.Errorf("%d jobs taken of %d", taken, jobs)
			}
			want := fmt.Sprintf("%d|%[1]d|1", jobs)
			switch name {
			case "delete":
				if got := setup.one("SELECT count(*), count(DISTINCT id), (SELECT 1 - count(*) FROM job) FROM done"); got != want {
					t.Errorf("done: %s", got)
				}
			case "update", "transaction":
				if got := setup.one("SELECT count(*), count(DISTINCT id), max(runs) FROM job WHERE state = 'done' AND runs = 1"); got != want {
					t.Errorf("done: %s", got)
				}
			}
			if name == "transaction" {
				if died == 0 {
					t.Error("nobody has died")
				}
				if got := setup.one("SELECT count(*), count(DISTINCT id), 1 FROM done"); got != want {
					t.Errorf("noted: %s", got)
				}
			}
		})
	}
}
