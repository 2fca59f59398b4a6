package planner_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"

	"pgregory.net/rapid"
)

// TestInsertedKeys inserts rows with random keys by one statement, into a table that has some, and compares with taking
// the rows one by one: the first in the order of the statement whose key is there already is the one complained
// about, and otherwise all rows are there afterwards.
func TestInsertedKeys(t *testing.T) {
	client := sessiontest.OpenPebble(t).Connect()
	client.Must("CREATE TABLE k (id int PRIMARY KEY)")
	rapid.Check(t, func(t *rapid.T) {
		client.Must("BEGIN")
		defer client.Must("ROLLBACK")
		present := map[int]bool{}
		space := rapid.SampledFrom([]int{20, 200, 5000}).Draw(t, "space")
		key := rapid.IntRange(0, space)
		for _, id := range rapid.SliceOfNDistinct(key, 0, 20, rapid.ID).Draw(t, "there") {
			client.Must(fmt.Sprintf("INSERT INTO k VALUES (%d)", id))
			present[id] = true
		}
		for _, id := range rapid.SliceOfN(key, 0, 3).Draw(t, "deleted") {
			client.Must(fmt.Sprintf("DELETE FROM k WHERE id = %d", id))
			delete(present, id)
		}
		var ids []int
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 0:
			ids = rapid.SliceOfN(key, 1, 40).Draw(t, "ids")
		case 1:
			ids = rapid.SliceOfNDistinct(key, 1, 21, rapid.ID).Draw(t, "ids")
		default:
			for id, n := key.Draw(t, "first"), rapid.IntRange(1, 40).Draw(t, "n"); n > 0; n-- {
				ids = append(ids, id)
				id++
			}
		}
		var values []string
		duplicate := -1
		for _, id := range ids {
			values = append(values, fmt.Sprintf("(%d)", id))
			if present[id] && duplicate < 0 {
				duplicate = id
			}
			present[id] = true
		}
		_, err := client.Exec("INSERT INTO k VALUES " + strings.Join(values, ", "))
		if duplicate >= 0 {
			if want := fmt.Sprintf("Key (id)=(%d) already exists.", duplicate); err == nil || !strings.Contains(sessiontest.Describe(err), want) {
				t.Fatalf("%v, want %s", err, want)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for id := range present {
			sum += id
		}
		result, err := client.Exec("SELECT count(*), coalesce(sum(id), 0) FROM k")
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%d|%d", len(present), sum); !strings.Contains(result.String(), want) {
			t.Fatalf("%s, want %s", result, want)
		}
	})
}
