package stories

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

var seats = Story{
	Name:  "seats",
	Title: "Seats of a team",
	About: "A free team has at most 5 seats, a paid one 10. 16 clients insert single statements, with no\n" +
		"transactions, no locks and no retries in the application.",
	Play: playSeats,
}

func playSeats(s *Stage) error {
	err := s.Setup(
		"CREATE TABLE team (id int PRIMARY KEY, plan text NOT NULL)",
		"CREATE TABLE seat (id serial PRIMARY KEY, team_id int NOT NULL REFERENCES team, who text)",
		"CREATE INDEX ON seat (team_id)",
		"INSERT INTO team SELECT g, CASE WHEN g % 2 = 0 THEN 'free' ELSE 'paid' END FROM generate_series(1, 6) g",
		"CREATE ASSERTION seats_per_plan CHECK (NOT EXISTS (SELECT s.team_id, count(*) FROM seat s JOIN team t ON t.id = s.team_id "+
			"GROUP BY s.team_id, t.plan HAVING count(*) > CASE WHEN t.plan = 'free' THEN 5 ELSE 10 END))",
	)
	if err != nil {
		return err
	}
	const clients, teams, capacity = 16, 6, 3*5 + 3*10
	var mu sync.Mutex
	answers := map[string]int{}
	var wg sync.WaitGroup
	for c := range clients {
		actor, err := s.Connect(fmt.Sprintf("client %d", c))
		if err != nil {
			return err
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(uint64(c), 7))
			full := map[int]bool{}
			for len(full) < teams {
				team := 1 + rng.IntN(teams)
				if full[team] {
					continue
				}
				r := actor.Do("INSERT INTO seat (team_id, who) VALUES ($1, $2)", team, actor.Name)
				if r.Err != nil {
					full[team] = true
				}
				mu.Lock()
				answers[r.Code()]++
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	s.Tell("16 clients: %d seats taken, %d inserts refused by the rule (23514).", answers[""], answers["23514"])
	counts, err := s.Value("SELECT string_agg(n::text, ' ' ORDER BY id) FROM (SELECT t.id, count(*) AS n FROM team t JOIN seat s ON s.team_id = t.id GROUP BY t.id) c")
	if err != nil {
		return err
	}
	s.Tell("Seats by team: %s. Nobody got 40001.", counts)
	if counts != "10 5 10 5 10 5" || answers[""] != capacity || answers["23514"] != clients*teams || len(answers) != 2 {
		return fmt.Errorf("seats by team %q, answers by SQLSTATE %v", counts, answers)
	}
	return nil
}
