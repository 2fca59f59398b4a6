package stories

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

var budget = Story{
	Name:  "budget",
	Title: "A budget that debits may not exceed",
	About: "Debits of a workspace may not exceed its budget, while others cut that budget at the same time.",
	Play:  playBudget,
}

func playBudget(s *Stage) error {
	err := s.Setup(
		"CREATE TABLE workspace (id int PRIMARY KEY, budget numeric NOT NULL)",
		"CREATE TABLE debit (id serial PRIMARY KEY, workspace_id int NOT NULL REFERENCES workspace, amount numeric NOT NULL)",
		"CREATE INDEX ON debit (workspace_id)",
		"INSERT INTO workspace SELECT g, 500 FROM generate_series(1, 3) g",
		"CREATE ASSERTION within_budget CHECK (NOT EXISTS (SELECT w.id, w.budget FROM workspace w "+
			"WHERE (SELECT sum(d.amount) FROM debit d WHERE d.workspace_id = w.id) > w.budget))",
	)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	answers := map[string]int{}
	var wg sync.WaitGroup
	for c := range 8 {
		actor, err := s.Connect(fmt.Sprintf("client %d", c))
		if err != nil {
			return err
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(uint64(c), 11))
			for range 40 {
				var r Result
				if c%4 == 0 {
					r = actor.Do("UPDATE workspace SET budget = budget - $1 WHERE id = $2", 1+rng.IntN(20), 1+rng.IntN(3))
				} else {
					r = actor.Do("INSERT INTO debit (workspace_id, amount) VALUES ($1, $2)", 1+rng.IntN(3), 1+rng.IntN(15))
				}
				mu.Lock()
				answers[r.Code()]++
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	over, err := s.Value("SELECT count(*) FROM workspace w WHERE (SELECT sum(amount) FROM debit d WHERE d.workspace_id = w.id) > budget")
	if err != nil {
		return err
	}
	left, err := s.Value("SELECT string_agg(budget - (SELECT sum(amount) FROM debit d WHERE d.workspace_id = w.id) || '', ', ' ORDER BY id) FROM workspace w")
	if err != nil {
		return err
	}
	s.Tell("%d changes made, %d refused by the rule. Budget left: %s. Workspaces over budget: %s.", answers[""], answers["23514"], left, over)
	if over != "0" || answers[""]+answers["23514"] != 8*40 || answers["23514"] == 0 {
		return fmt.Errorf("%s workspaces over budget, answers by SQLSTATE %v", over, answers)
	}
	return nil
}
