package planner_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

func TestZZ(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(`CREATE TABLE r (id int PRIMARY KEY, a int, b int); CREATE TABLE s (id int PRIMARY KEY, r int, c int, d int); CREATE TABLE t (id int PRIMARY KEY, s int, e int);
	CREATE VIEW v AS SELECT r.id, r.a, r.b, s.c FROM r JOIN s ON s.r = r.id WHERE b IS NOT NULL;
	CREATE INDEX ON r (a); CREATE INDEX ON r (b); CREATE INDEX ON s (r); CREATE INDEX ON s (c, d); CREATE INDEX ON s (d); CREATE INDEX ON t (s); CREATE INDEX ON t (e);`)
	seen := map[string]bool{}
	full := os.Getenv("SHAPE")
	for i := range 3000 {
		g := shapes{rand.New(rand.NewPCG(1, uint64(i)))}
		shape, cond := g.condition()
		if seen[shape] || full != "" && shape != full { continue }
		seen[shape] = true
		fmt.Println("=====", shape, "::", cond)
		if _, err := c.Exec("CREATE ASSERTION x CHECK (" + cond + ")"); err != nil { fmt.Println(err); seen[shape]=false; continue }
		for _, l := range strings.Split(c.Must("EXPLAIN (costs off) ASSERTION x").String(), "\n") {
			if full != "" || strings.Contains(l, "Warning") || strings.HasPrefix(l, "Check") && strings.Contains(l, "full") { fmt.Println(l) }
		}
		c.Must("DROP ASSERTION x")
	}
}
