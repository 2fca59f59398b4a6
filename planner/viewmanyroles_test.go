package planner_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

// TestViewManyRoles: the row that an UPDATE makes on the missing side of an outer join must be found by it, in however many roles the
// table is there.
func TestViewManyRoles(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must("CREATE TABLE z (k int PRIMARY KEY, p int, a int DEFAULT 2, kept bool)")
	const roles = 64 // besides the first and the last
	var from strings.Builder
	for i := 1; i <= roles; i++ {
		fmt.Fprintf(&from, " LEFT JOIN z z%d ON z0.p = z%d.k", i, i)
	}
	c.Must(fmt.Sprintf(`CREATE VIEW v AS SELECT z0.k, last.kept AS made, z%d.a FROM z z0%s
		LEFT JOIN z last ON z0.a = last.k AND last.a > 3 WHERE z0.kept`, roles, from.String()))
	c.Must("INSERT INTO z VALUES (1, NULL, 10, true)")
	c.Fails("UPDATE v SET made = false", `ERROR 44000: the new row of view "v" would not show what it was given
DETAIL: The row of table "z" would not fulfil the condition of its outer join.`)
	c.Must("ALTER TABLE z ALTER a SET DEFAULT 4")
	c.Query("UPDATE v SET made = false RETURNING *", "1|f|NULL")
}
