package isolation

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"holdfast/kv/conformance/history"

	"github.com/jackc/pgx/v5"
)

// readGroups looks for things by the column that has an index: in one group or two, as rows or as one sum of them.
// Only rows can have a suffix.
func (c *client) readGroups(suffix string) statement {
	t := c.t
	from := t.group(c.rng)
	to := from + c.rng.IntN(2)
	if suffix == "" && c.rng.IntN(3) == 0 {
		return statement{
			sql:  "SELECT coalesce(string_agg(id::text || ' ' || place::text, ' '), '') FROM " + t.name("things") + " WHERE grp = $1",
			args: []any{from},
			done: func(rows [][]string, _ int64) error {
				pairs, err := numbers(rows[0][0])
				if err != nil {
					return err
				}
				op := below(t.key("things", "grp", fmt.Sprintf("%04d/", from)))
				for i := 0; i < len(pairs); i += 2 {
					op.Rows = append(op.Rows, history.Row{Key: t.groupKey(from, pairs[i]), Seen: pairs[i+1 : i+2]})
				}
				c.record(op)
				return nil
			},
		}
	}
	return statement{
		sql: "SELECT id, grp, place FROM " + t.name("things") + " WHERE grp BETWEEN $1 AND $2" + suffix, args: []any{from, to},
		done: func(rows [][]string, _ int64) error {
			op := below(t.key("things", "grp", fmt.Sprintf("%04d/", to)))
			op.Key = t.key("things", "grp", fmt.Sprintf("%04d/", from))
			for _, row := range rows {
				n, err := integers(row)
				if err != nil {
					return err
				}
				op.Rows = append(op.Rows, history.Row{Key: t.groupKey(int(n[1]), n[0]), Seen: n[2:3]})
			}
			c.record(op)
			return nil
		},
	}
}

// readTag looks for things by the column that has no index.
func (c *client) readTag() statement {
	t, tag := c.t, c.t.group(c.rng)
	what := "id"
	if c.rng.IntN(2) == 0 {
		what = "coalesce(string_agg(id::text, ' '), '')"
	}
	return statement{
		sql: "SELECT " + what + " FROM " + t.name("things") + " WHERE tag = $1", args: []any{tag},
		done: func(rows [][]string, _ int64) error {
			op := below(t.key("things", "tag", fmt.Sprintf("%04d/", tag)))
			for _, row := range rows {
				ids, err := integers(row)
				if err != nil {
					return err
				}
				for i, id := range ids {
					op.Rows = append(op.Rows, history.Row{Key: t.tagKey(tag, id), Seen: ids[i : i+1]})
				}
			}
			c.record(op)
			return nil
		},
	}
}

// joinMarks reads the things of a group with what refers to them.
func (c *client) joinMarks() statement {
	t, group := c.t, c.t.group(c.rng)
	return statement{
		sql: fmt.Sprintf("SELECT t.id, t.place, coalesce(m.id, 0) FROM %s t LEFT JOIN %s m ON m.thing = t.id WHERE t.grp = $1",
			t.name("things"), t.name("marks")),
		args: []any{group},
		done: func(rows [][]string, _ int64) error {
			op := below(t.key("things", "grp", fmt.Sprintf("%04d/", group)))
			marks := map[int64][]history.Row{}
			for _, row := range rows {
				n, err := integers(row)
				if err != nil {
					return err
				}
				if _, been := marks[n[0]]; !been {
					op.Rows = append(op.Rows, history.Row{Key: t.groupKey(group, n[0]), Seen: n[1:2]})
					marks[n[0]] = nil
				}
				if n[2] != 0 {
					marks[n[0]] = append(marks[n[0]], history.Row{Key: t.markKey(n[0], n[2]), Seen: n[2:3]})
				}
			}
			c.record(op)
			for id, rows := range marks {
				op := below(t.key("marks", "thing", fmt.Sprintf("%d/", id)))
				op.Rows = rows
				c.record(op)
			}
			return nil
		},
	}
}

// readThing reads columns of a thing, or only whether it is there.
func (c *client) readThing() statement {
	t := c.t
	id, ok := t.thing(c.rng)
	if !ok {
		return c.readTag()
	}
	switch there := false; c.rng.IntN(4) {
	case 0:
		return c.readColumns("things", id, &there, c.column())
	case 1:
		return c.readColumns("things", id, &there, "a", "b")
	}
	return statement{
		sql: "SELECT count(*) FROM " + t.name("things") + " WHERE id = $1", args: []any{id},
		done: func(rows [][]string, _ int64) error {
			op := history.Op{Kind: history.Read, Key: t.key("things", "id", id)}
			if rows[0][0] == "1" {
				op.Seen = []int64{id}
			}
			c.record(op)
			return nil
		},
	}
}

// newThing is a row of things and what inserting it writes.
func (c *client) newThing() (row []int64, writes []history.Op) {
	t, id, place, a, b := c.t, c.value(), c.value(), c.value(), c.value()
	group, tag := t.add(c.rng, id)
	return []int64{id, int64(group), place, int64(tag), a, b}, []history.Op{
		{Kind: history.Write, Key: t.key("things", "id", id), Value: id},
		{Kind: history.Write, Key: t.groupKey(group, id), Value: place},
		{Kind: history.Write, Key: t.tagKey(tag, id), Value: id},
		{Kind: history.Write, Key: t.key("things", "a", id), Value: a},
		{Kind: history.Write, Key: t.key("things", "b", id), Value: b},
	}
}

// insertThings makes some at once.
func (c *client) insertThings(count int) statement {
	s := statement{sql: "INSERT INTO " + c.t.name("things") + " (id, grp, place, tag, a, b) VALUES"}
	separator := " ("
	for range count {
		row, writes := c.newThing()
		for i, n := range row {
			s.args = append(s.args, n)
			s.sql += fmt.Sprintf("%s$%d", separator, len(s.args))
			separator = ", "
			if i == len(row)-1 {
				s.sql += ")"
				separator = ", ("
			}
		}
		s.maybe = append(s.maybe, writes...)
	}
	return s
}

// copyThings makes some by COPY.
func (c *client) copyThings(ctx context.Context) error {
	var text strings.Builder
	var all []history.Op
	for range 1 + c.rng.IntN(3) {
		row, writes := c.newThing()
		fmt.Fprintln(&text, strings.ReplaceAll(strings.Trim(fmt.Sprint(row), "[]"), " ", "\t"))
		all = append(all, writes...)
	}
	c.operations.Add(1)
	_, err := c.conn.PgConn().CopyFrom(ctx, strings.NewReader(text.String()), "COPY "+c.t.name("things")+" FROM STDIN")
	c.ops = append(c.ops, all...)
	return err
}

// copyGroup reads a group by COPY.
func (c *client) copyGroup(ctx context.Context) error {
	t, group := c.t, c.t.group(c.rng)
	var text bytes.Buffer
	c.operations.Add(1)
	_, err := c.conn.PgConn().CopyTo(ctx, &text, fmt.Sprintf("COPY (SELECT id, place FROM %s WHERE grp = %d) TO STDOUT", t.name("things"), group))
	if err != nil {
		return err
	}
	op := below(t.key("things", "grp", fmt.Sprintf("%04d/", group)))
	pairs, err := numbers(text.String())
	for i := 0; i < len(pairs); i += 2 {
		op.Rows = append(op.Rows, history.Row{Key: t.groupKey(group, pairs[i]), Seen: pairs[i+1 : i+2]})
	}
	c.record(op)
	return err
}

const returning = " RETURNING id, grp, place, tag, a, b"

// deleted records that things went: what a DELETE with the columns of returning has returned. That nothing referred to
// them has been read too.
func (c *client) deleted(t *tables, rows [][]string) error {
	for _, row := range rows {
		n, err := integers(row)
		if err != nil {
			return err
		}
		id := n[0]
		keys := []string{
			t.key("things", "id", id), t.groupKey(int(n[1]), id), t.tagKey(int(n[3]), id), t.key("things", "a", id), t.key("things", "b", id),
		}
		for i, seen := range []int64{id, n[2], id, n[4], n[5]} {
			c.record(history.Op{Kind: history.Read, Key: keys[i], Seen: []int64{seen}})
		}
		c.record(below(t.key("marks", "thing", fmt.Sprintf("%d/", id))))
		for _, key := range keys {
			c.record(history.Op{Kind: history.Delete, Key: key})
		}
	}
	return nil
}

// deleteThing deletes one by its key.
func (c *client) deleteThing() statement {
	id, ok := c.t.thing(c.rng)
	if !ok {
		return c.insertThings(1)
	}
	return c.deleteThingOf(id)
}

func (c *client) deleteThingOf(id int64) statement {
	t := c.t
	return statement{
		sql: "DELETE FROM " + t.name("things") + " WHERE id = $1" + returning, args: []any{id}, maybe: t.mayBeGone(id),
		done: func(rows [][]string, _ int64) error {
			if len(rows) == 0 {
				c.record(history.Op{Kind: history.Read, Key: t.key("things", "id", id)})
			}
			return c.deleted(t, rows)
		},
	}
}

// sweepGroup deletes what is in a group, but for what may be referred to.
func (c *client) sweepGroup() statement {
	t, group := c.t, c.t.group(c.rng)
	if c.rng.IntN(2) == 0 {
		group = max(0, group-groupsInUse)
	}
	t.mu.Lock()
	members := append([]int64(nil), t.members[group]...)
	t.mu.Unlock()
	return statement{
		sql:  "DELETE FROM " + t.name("things") + " WHERE grp = $1 AND id % 3 <> 0" + returning,
		args: []any{group}, maybe: t.mayBeGone(members...),
		done: func(rows [][]string, _ int64) error {
			op := below(t.key("things", "grp", fmt.Sprintf("%04d/1/", group)))
			for _, row := range rows {
				n, err := integers(row)
				if err != nil {
					return err
				}
				op.Rows = append(op.Rows, history.Row{Key: t.groupKey(group, n[0]), Seen: n[2:3]})
			}
			c.record(op)
			return c.deleted(t, rows)
		},
	}
}

// insertMark refers to a thing.
func (c *client) insertMark() statement {
	t := c.t
	thing, ok := t.thing(c.rng)
	if !ok || class(thing) != 0 {
		return c.appendBlind()
	}
	id := c.value()
	t.mu.Lock()
	t.marks[thing] = append(t.marks[thing], id)
	t.mu.Unlock()
	write := history.Op{Kind: history.Write, Key: t.markKey(thing, id), Value: id}
	return statement{
		sql: "INSERT INTO " + t.name("marks") + " (id, thing) VALUES ($1, $2)", args: []any{id, thing}, maybe: []history.Op{write},
		done: func([][]string, int64) error {
			c.record(history.Op{Kind: history.Read, Key: t.key("things", "id", thing), Seen: []int64{thing}})
			c.record(write)
			return nil
		},
	}
}

// deleteMarks deletes what refers to a thing.
func (c *client) deleteMarks() statement {
	t := c.t
	thing, ok := t.thing(c.rng)
	if !ok {
		return c.appendBlind()
	}
	var maybe []history.Op
	t.mu.Lock()
	for _, id := range t.marks[thing] {
		maybe = append(maybe, history.Op{Kind: history.Delete, Key: t.markKey(thing, id)})
	}
	t.mu.Unlock()
	return statement{
		sql: "DELETE FROM " + t.name("marks") + " WHERE thing = $1 RETURNING id", args: []any{thing}, maybe: maybe,
		done: func(rows [][]string, _ int64) error {
			op := below(t.key("marks", "thing", fmt.Sprintf("%d/", thing)))
			var gone []history.Op
			for _, row := range rows {
				n, err := integers(row)
				if err != nil {
					return err
				}
				op.Rows = append(op.Rows, history.Row{Key: t.markKey(thing, n[0]), Seen: n})
				gone = append(gone, history.Op{Kind: history.Delete, Key: t.markKey(thing, n[0])})
			}
			c.record(op)
			c.ops = append(c.ops, gone...)
			return nil
		},
	}
}

// changeThing reads and then updates one column.
func (c *client) changeThing(ctx context.Context) error {
	id, ok := c.t.thing(c.rng)
	column, there := c.column(), false
	if !ok {
		return c.do(ctx, c.insertThings(1))
	}
	if err := c.do(ctx, c.readColumns("things", id, &there, column)); err != nil || !there {
		return err
	}
	return c.do(ctx, c.writeColumn("things", id, column))
}

// moveThing takes a thing from its group to another.
func (c *client) moveThing(ctx context.Context) error {
	t := c.t
	id, ok := t.thing(c.rng)
	if !ok {
		return c.do(ctx, c.insertThings(1))
	}
	from := -1
	err := c.do(ctx, statement{
		sql: "SELECT grp, place FROM " + t.name("things") + " WHERE id = $1", args: []any{id},
		done: func(rows [][]string, _ int64) error {
			if len(rows) == 0 {
				c.record(history.Op{Kind: history.Read, Key: t.key("things", "id", id)})
				return nil
			}
			n, err := integers(rows[0])
			if err != nil {
				return err
			}
			from = int(n[0])
			c.record(history.Op{Kind: history.Read, Key: t.groupKey(from, id), Seen: n[1:2]})
			return nil
		},
	})
	to, place := t.group(c.rng), c.value()
	if err != nil || from < 0 || from == to {
		return err
	}
	t.mu.Lock()
	t.enter(id, to)
	t.mu.Unlock()
	writes := []history.Op{{Kind: history.Delete, Key: t.groupKey(from, id)}, {Kind: history.Write, Key: t.groupKey(to, id), Value: place}}
	return c.do(ctx, statement{
		sql: "UPDATE " + t.name("things") + " SET grp = $2, place = $3 WHERE id = $1", args: []any{id, to, place}, maybe: writes,
		done: func(_ [][]string, affected int64) error {
			if affected == 0 { // deleted since it was read: weak levels allow that
				c.record(history.Op{Kind: history.Read, Key: t.key("things", "id", id)})
			} else {
				c.ops = append(c.ops, writes...)
			}
			return nil
		},
	})
}

// changeGroup reads one column of all things in a group, and then writes it in all of them.
func (c *client) changeGroup(ctx context.Context) error {
	t, group, column, n := c.t, c.t.group(c.rng), c.column(), c.value()
	// record tells the rows of the group, whose ids and places come first.
	record := func(rows [][]string) ([][]int64, error) {
		op := below(t.key("things", "grp", fmt.Sprintf("%04d/", group)))
		var all [][]int64
		for _, row := range rows {
			n, err := integers(row)
			if err != nil {
				return nil, err
			}
			op.Rows = append(op.Rows, history.Row{Key: t.groupKey(group, n[0]), Seen: n[1:2]})
			all = append(all, n)
		}
		c.record(op)
		return all, nil
	}
	err := c.do(ctx, statement{
		sql: "SELECT id, place, " + column + " FROM " + t.name("things") + " WHERE grp = $1", args: []any{group},
		done: func(rows [][]string, _ int64) error {
			things, err := record(rows)
			for _, thing := range things {
				c.record(history.Op{Kind: history.Read, Key: t.key("things", column, thing[0]), Seen: thing[2:3]})
			}
			return err
		},
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	var maybe []history.Op
	for _, id := range t.members[group] {
		maybe = append(maybe, history.Op{Kind: history.Write, Key: t.key("things", column, id), Value: n})
	}
	t.mu.Unlock()
	return c.do(ctx, statement{
		sql: "UPDATE " + t.name("things") + " SET " + column + " = $2 WHERE grp = $1 RETURNING id, place", args: []any{group, n}, maybe: maybe,
		done: func(rows [][]string, _ int64) error {
			things, err := record(rows)
			for _, thing := range things {
				c.record(history.Op{Kind: history.Write, Key: t.key("things", column, thing[0]), Value: n})
			}
			return err
		},
	})
}

// insertIfFew looks how many things a group or a tag has, and then inserts one if there are few, else deletes one of
// them: the transactions that predicates are for.
func (c *client) insertIfFew(ctx context.Context) error {
	look := c.readTag()
	switch {
	case c.rng.IntN(2) == 0:
	case !c.NoForUpdate && c.rng.IntN(3) == 0:
		look = c.readGroups(" FOR UPDATE")
	default:
		look = c.readGroups("")
	}
	var found []history.Row
	record := look.done
	look.done = func(rows [][]string, affected int64) error {
		err := record(rows, affected)
		found = c.ops[len(c.ops)-1].Rows
		return err
	}
	if err := c.do(ctx, look); err != nil {
		return err
	}
	if len(found) < 3 {
		return c.do(ctx, c.insertThings(1))
	}
	var id int64
	key := found[c.rng.IntN(len(found))].Key
	if _, err := fmt.Sscan(key[strings.LastIndexByte(key, '/')+1:], &id); err != nil {
		return err
	}
	return c.do(ctx, c.deleteThingOf(id))
}

// readAll reads all that is left in transactions of their own, one for each set of tables.
func (c *client) readAll(ctx context.Context) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	defer c.conn.Close(ctx)
	c.mode = pgx.QueryExecModeExec
	for _, t := range c.run.tables {
		record := history.Txn{Start: c.clock.Add(1)}
		c.ops, c.t = nil, t
		if err := c.exec(ctx, "BEGIN READ ONLY"); err != nil {
			return err
		}
		for _, s := range c.everything(t) {
			if err := c.do(ctx, s); err != nil {
				return err
			}
		}
		if err := c.exec(ctx, "COMMIT"); err != nil {
			return err
		}
		record.End, record.Ops = c.clock.Add(1), c.ops
		c.note(Explicit, record, "")
	}
	return nil
}

// everything reads all columns of all rows, as ranges of the history.
func (c *client) everything(t *tables) []statement {
	all := func(table, columns string, record func(row []string, add func(key string, seen ...int64)) error, ranges ...string) statement {
		return statement{
			sql: "SELECT " + columns + " FROM " + t.name(table) + " ORDER BY id",
			done: func(rows [][]string, _ int64) error {
				ops := make([]history.Op, len(ranges))
				for i, column := range ranges {
					ops[i] = below(t.key(table, column, ""))
				}
				for _, row := range rows {
					i := 0
					err := record(row, func(key string, seen ...int64) {
						if len(seen) > 0 {
							ops[i].Rows = append(ops[i].Rows, history.Row{Key: key, Seen: seen})
						}
						i++
					})
					if err != nil {
						return err
					}
				}
				c.ops = append(c.ops, ops...)
				return nil
			},
		}
	}
	registers := func(table string) statement {
		return all(table, "id, a, b", func(row []string, add func(string, ...int64)) error {
			n, err := integers(row[1:])
			if err != nil {
				return err
			}
			add(t.key(table, "a", row[0]), n[0])
			add(t.key(table, "b", row[0]), n[1])
			return nil
		}, "a", "b")
	}
	return []statement{
		all("lists", "id, a, b", func(row []string, add func(string, ...int64)) error {
			for i, column := range []string{"a", "b"} {
				seen, err := numbers(row[1+i])
				if err != nil {
					return err
				}
				add(t.key("lists", column, row[0]), seen...)
			}
			return nil
		}, "a", "b"),
		registers("counters"),
		registers("things"),
		all("things", "id, grp, place, tag", func(row []string, add func(string, ...int64)) error {
			n, err := integers(row)
			if err != nil {
				return err
			}
			add(t.key("things", "id", n[0]), n[0])
			add(t.groupKey(int(n[1]), n[0]), n[2])
			add(t.tagKey(int(n[3]), n[0]), n[0])
			return nil
		}, "id", "grp", "tag"),
		all("marks", "id, thing", func(row []string, add func(string, ...int64)) error {
			n, err := integers(row)
			if err != nil {
				return err
			}
			add(t.markKey(n[1], n[0]), n[0])
			return nil
		}, "thing"),
		all("hot", "id, n", func(row []string, add func(string, ...int64)) error {
			n, err := integers(row)
			if err != nil {
				return err
			}
			add(t.key("hot", "n", n[0]), n[1])
			return nil
		}, "n"),
	}
}
