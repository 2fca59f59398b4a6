package stories

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

var transfers = Story{
	Name:  "transfers",
	Title: "Transfers and totals",
	About: "Five clients move money between random accounts, one sums up all of them. Every total has to be\n" +
		"exact, and the sums may not stop the transfers.",
	Play: playTransfers,
}

func playTransfers(s *Stage) error {
	accounts := max(1000, int(1_000_000*s.Scale))
	start := time.Now()
	if err := s.Setup(
		"CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL)",
		fmt.Sprintf("INSERT INTO account SELECT g, 100 FROM generate_series(1, %d) g", accounts),
	); err != nil {
		return err
	}
	s.Tell("(%d accounts in %.1f s)", accounts, time.Since(start).Seconds())
	ctx, cancel := context.WithCancel(s.Ctx)
	defer cancel()
	var commits, refused atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for c := range 5 {
		actor, err := s.Connect(fmt.Sprintf("writer %d", c))
		if err != nil {
			return err
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(uint64(c), 13))
			for ctx.Err() == nil {
				from, to, amount := 1+rng.IntN(accounts), 1+rng.IntN(accounts), 1+rng.IntN(50)
				if from == to {
					continue
				}
				code, err := actor.transfer(s.Isolation, from, to, amount)
				switch {
				case err != nil:
					failed <- fmt.Errorf("transfer: %w", err)
					return
				case code == "":
					commits.Add(1)
				default:
					refused.Add(1)
				}
			}
		}()
	}
	reader, err := s.Connect("reader")
	if err != nil {
		return err
	}
	want := int64(accounts) * 100
	// A sum over few accounts may be too short for a commit to fall into it: one of many has to have one.
	var during, sums int64
	for ; sums < 8 || during == 0 && sums < 400; sums++ {
		before := commits.Load()
		var total int64
		if err := reader.conn.QueryRow(s.Ctx, "SELECT sum(balance)::bigint FROM account").Scan(&total); err != nil {
			return err
		}
		during += commits.Load() - before
		if total != want {
			return fmt.Errorf("a total of %d, not %d", total, want)
		}
		select {
		case err := <-failed:
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
	cancel()
	wg.Wait()
	s.Tell("%d sums, each exactly %d; %d transfers committed, %d of them while a sum was running, %d asked to retry.", sums, want, commits.Load(), during, refused.Load())
	if during == 0 {
		return fmt.Errorf("no transfer was committed while one of %d sums was running", sums)
	}
	return nil
}

// transfer moves money in one transaction. It returns the SQLSTATE if it was asked to retry.
func (a *Actor) transfer(isolation string, from, to, amount int) (string, error) {
	steps := []struct {
		sql  string
		args []any
	}{
		{"BEGIN ISOLATION LEVEL " + isolation, nil},
		{"UPDATE account SET balance = balance - $1 WHERE id = $2", []any{amount, from}},
		{"UPDATE account SET balance = balance + $1 WHERE id = $2", []any{amount, to}},
		{"COMMIT", nil},
	}
	for _, st := range steps {
		r := a.Do(st.sql, st.args...)
		if r.Err == nil {
			continue
		}
		a.must("ROLLBACK")
		if code := r.Code(); code == "40001" || code == "40P01" {
			return code, nil
		}
		return "", r.Err
	}
	return "", nil
}
