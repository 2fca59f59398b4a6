package sessiontest_test

import (
	"testing"

	"holdfast/planner/sessiontest"
)

func TestClient(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Query("SELECT 1, NULL, 'x' UNION ALL SELECT 2, 'a', 'b'", "1|NULL|x\n2|a|b")
	c.Fails("SELECT nothing", `ERROR 42703: column "nothing" does not exist`)
}
