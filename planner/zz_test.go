package planner_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

func TestZZ(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE team (id int PRIMARY KEY, plan text NOT NULL); CREATE TABLE seat (id bigserial PRIMARY KEY, team_id int NOT NULL); CREATE INDEX ON seat (team_id);
	CREATE TABLE w (id int PRIMARY KEY, budget int); CREATE TABLE d (id int PRIMARY KEY, w int, x int); CREATE INDEX ON d (w);
	CREATE TABLE emp (no int PRIMARY KEY, dept int, salary int, boss int); CREATE INDEX ON emp (dept); CREATE INDEX ON emp (boss)`)
	b, _ := os.ReadFile("/tmp/conds")
	for _, cond := range strings.Split(string(b), "\n") {
		if cond == "" { continue }
		fmt.Println("=====", cond)
		c.Must("CREATE ASSERTION x CHECK (" + cond + ")")
		fmt.Println(c.Must("EXPLAIN (costs off) ASSERTION x").String())
		c.Must("DROP ASSERTION x")
	}
}
