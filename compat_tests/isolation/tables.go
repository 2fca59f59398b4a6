package isolation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"holdfast/kv/conformance/history"

	"github.com/jackc/pgx/v5"
)

// tables is a set of tables. The number of keys, and what is written to one list, stay small, because a new set is
// begun now and then, and within a set names change with use.
//
//   - lists(id, a, b): texts to which numbers are appended; two lists per row, since updates of different columns
//     must not disturb each other, and inserts of the row when the first number comes.
//   - counters(id, a, b): registers that are read before they are written, in rows that come and go under a few names.
//   - things(id, grp, place, tag, a, b): rows whose ids are never used again. grp has an index, tag has none; place is a
//     number that tells which write has brought the row into its group.
//   - marks(id, thing): rows that refer to things. Only things whose id is divisible by 3 get any.
//   - hot(id, n): registers that are there from the beginning.
type tables struct {
	number int
	ready  chan struct{} // closed when they exist, or cannot be made
	err    error

	mu       sync.Mutex
	appends  []int             // to each list of the current names
	inserted int               // things
	recent   []int64           // things that may be there
	groups   map[int64][]int   // of each thing, all it may ever have been in
	members  map[int][]int64   // the reverse
	tags     map[int64]int     // of each thing
	marks    map[int64][]int64 // of each thing, all it may ever have had
}

const (
	appendsPerList  = 30
	thingsPerGroup  = 24 // inserted while the same groups are in use
	groupsInUse     = 2
	recentThings    = 14
	hotRows         = 2
	hotInitialValue = -1 // minus the id
)

func (t *tables) name(table string) string { return fmt.Sprintf("%s%d", table, t.number) }

// key names a column of a row in the history. The column comes first, so that ranges of rows are ranges there.
func (t *tables) key(table, column string, id any) string {
	return fmt.Sprintf("%s%d.%s/%v", table, t.number, column, id)
}

func (t *tables) schema() []string {
	lists, counters, things, marks, hot := t.name("lists"), t.name("counters"), t.name("things"), t.name("marks"), t.name("hot")
	statements := []string{
		"DROP TABLE IF EXISTS " + lists + ", " + counters + ", " + marks + ", " + things + ", " + hot,
		"CREATE TABLE " + lists + " (id text PRIMARY KEY, a text NOT NULL, b text NOT NULL)",
		"CREATE TABLE " + counters + " (id text PRIMARY KEY, a bigint NOT NULL, b bigint NOT NULL)",
		"CREATE TABLE " + things + " (id bigint PRIMARY KEY, grp int NOT NULL, place bigint NOT NULL, tag int NOT NULL, a bigint NOT NULL, b bigint NOT NULL)",
		"CREATE INDEX ON " + things + " (grp)",
		"CREATE TABLE " + marks + " (id bigint PRIMARY KEY, thing bigint NOT NULL REFERENCES " + things + ")",
		"CREATE INDEX ON " + marks + " (thing)",
		"CREATE TABLE " + hot + " (id int PRIMARY KEY, n bigint NOT NULL)",
	}
	for id := range hotRows {
		statements = append(statements, fmt.Sprintf("INSERT INTO %s VALUES (%d, %d)", hot, id, hotInitialValue-id))
	}
	return statements
}

// create makes the tables, empty but for the hot rows. It does so again if it cannot know whether it did.
func (t *tables) create(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	for _, statement := range t.schema() {
		if _, err := tx.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return tx.Commit(ctx)
}

// current are the tables to use now. Whoever needs new ones first makes them.
func (c *client) current(ctx context.Context) (*tables, error) {
	number := int(c.operations.Load()) / c.after
	c.run.mu.Lock()
	for len(c.run.tables) <= number {
		t := &tables{
			number: len(c.run.tables), ready: make(chan struct{}), appends: make([]int, c.Lists), groups: map[int64][]int{},
			members: map[int][]int64{}, tags: map[int64]int{}, marks: map[int64][]int64{},
		}
		c.run.tables = append(c.run.tables, t)
		c.run.mu.Unlock()
		t.err = c.make(ctx, t)
		close(t.ready)
		c.run.mu.Lock()
	}
	t := c.run.tables[number]
	c.run.mu.Unlock()
	select {
	case <-t.ready:
		return t, t.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// make creates tables and records that.
func (c *client) make(ctx context.Context, t *tables) error {
	record := history.Txn{Start: c.clock.Add(1)}
	for {
		err := t.create(ctx, c.conn)
		if err == nil {
			break
		}
		if !c.lost(err) {
			return err
		}
		if err := c.connect(ctx); err != nil {
			return err
		}
	}
	for id := range hotRows {
		record.Ops = append(record.Ops, history.Op{Kind: history.Write, Key: t.key("hot", "n", id), Value: int64(hotInitialValue - id)})
	}
	record.End = c.clock.Add(1)
	c.note(Explicit, record, "")
	return nil
}

// list chooses a list for reading.
func (t *tables) list(rng *rand.Rand) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := rng.IntN(len(t.appends))
	return t.listName(i)
}

// listName is the name in use of a list, which changes as numbers are appended.
func (t *tables) listName(i int) string {
	return fmt.Sprintf("%02dg%03d", i, t.appends[i]/appendsPerList)
}

// listToAppend chooses a list and counts what will be appended.
func (t *tables) listToAppend(rng *rand.Rand) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := rng.IntN(len(t.appends))
	t.appends[i]++
	return t.listName(i)
}

// group chooses a group for reading: of those in use, or those before.
func (t *tables) group(rng *rand.Rand) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.inserted / thingsPerGroup * groupsInUse
	return max(0, now+rng.IntN(2*groupsInUse)-groupsInUse)
}

// thing chooses one that may be there; false if there was none.
func (t *tables) thing(rng *rand.Rand) (int64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.recent) == 0 {
		return 0, false
	}
	return t.recent[rng.IntN(len(t.recent))], true
}

// add notes a thing that will be inserted, with where it will be.
func (t *tables) add(rng *rand.Rand, id int64) (group, tag int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.inserted / thingsPerGroup * groupsInUse
	group, tag = now+rng.IntN(groupsInUse), now+rng.IntN(groupsInUse)
	t.inserted++
	t.tags[id] = tag
	t.enter(id, group)
	t.recent = append(t.recent, id)
	if len(t.recent) > recentThings {
		t.recent = t.recent[1:]
	}
	return group, tag
}

// enter notes that a thing may come into a group. mu is held.
func (t *tables) enter(id int64, group int) {
	if slices.Contains(t.groups[id], group) {
		return
	}
	t.groups[id] = append(t.groups[id], group)
	t.members[group] = append(t.members[group], id)
}

// class is 0 for things that may have marks.
func class(id int64) int {
	if id%3 == 0 {
		return 0
	}
	return 1
}

// Keys of the properties of things.
func (t *tables) groupKey(group int, id int64) string {
	return t.key("things", "grp", fmt.Sprintf("%04d/%d/%d", group, class(id), id))
}

func (t *tables) tagKey(tag int, id int64) string {
	return t.key("things", "tag", fmt.Sprintf("%04d/%d", tag, id))
}

func (t *tables) markKey(thing, id int64) string {
	return t.key("marks", "thing", fmt.Sprintf("%d/%d", thing, id))
}

// below is the range of all keys with a prefix that ends in a slash.
func below(prefix string) history.Op {
	return history.Op{Kind: history.Range, Key: prefix, End: prefix[:len(prefix)-1] + "0"}
}

// mayBeGone are the deletes of a thing that may have happened when the answer to a DELETE was lost.
func (t *tables) mayBeGone(ids ...int64) []history.Op {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ops []history.Op
	for _, id := range ids {
		for _, column := range []string{"id", "a", "b"} {
			ops = append(ops, history.Op{Kind: history.Delete, Key: t.key("things", column, id)})
		}
		ops = append(ops, history.Op{Kind: history.Delete, Key: t.tagKey(t.tags[id], id)})
		for _, group := range t.groups[id] {
			ops = append(ops, history.Op{Kind: history.Delete, Key: t.groupKey(group, id)})
		}
	}
	return ops
}
