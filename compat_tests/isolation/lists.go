package isolation

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"holdfast/kv/conformance/history"
)

// readList reads one column of one row of lists; suffix goes behind the statement.
func (c *client) readList(id, column, suffix string) statement {
	t := c.t
	return statement{
		sql: "SELECT " + column + " FROM " + t.name("lists") + " WHERE id = $1" + suffix, args: []any{id},
		done: func(rows [][]string, _ int64) error {
			op := history.Op{Kind: history.Read, Key: t.key("lists", column, id)}
			var err error
			if len(rows) > 0 { // a row without numbers in the column is the same as no row
				op.Seen, err = numbers(rows[0][0])
			}
			c.record(op)
			return err
		},
	}
}

// readLists reads one column of some rows of lists, from either end.
func (c *client) readLists() statement {
	t, column := c.t, c.column()
	from, to := t.list(c.rng), t.list(c.rng)
	if from > to {
		from, to = to, from
	}
	limit, down := 1+c.rng.IntN(c.Lists), c.rng.IntN(2) == 1
	direction := "ASC"
	if down {
		direction = "DESC"
	}
	return statement{
		sql:  fmt.Sprintf("SELECT id, %s FROM %s WHERE id >= $1 AND id < $2 ORDER BY id %s LIMIT %d", column, t.name("lists"), direction, limit),
		args: []any{from, to},
		done: func(rows [][]string, _ int64) error {
			from, to := from, to
			op := history.Op{Kind: history.Range}
			for _, row := range rows {
				seen, err := numbers(row[1])
				if err != nil {
					return err
				}
				if len(seen) > 0 {
					op.Rows = append(op.Rows, history.Row{Key: t.key("lists", column, row[0]), Seen: seen})
				}
			}
			if down {
				slices.Reverse(op.Rows)
			}
			if len(rows) == limit { // what lies beyond has not been read
				last := rows[limit-1][0]
				if down {
					from = last
				} else {
					to = last + "~"
				}
			}
			op.Key, op.End = t.key("lists", column, from), t.key("lists", column, to)
			c.record(op)
			return nil
		},
	}
}

// appendBlind appends in one statement, without seeing the list.
func (c *client) appendBlind() statement {
	id, column, n := c.t.listToAppend(c.rng), c.column(), c.value()
	values := "$1, $2, ''"
	if column == "b" {
		values = "$1, '', $2"
	}
	lists := c.t.name("lists")
	return statement{
		sql: fmt.Sprintf("INSERT INTO %s (id, a, b) VALUES (%s) ON CONFLICT (id) DO UPDATE SET %[3]s = %[1]s.%[3]s || EXCLUDED.%[3]s",
			lists, values, column),
		args:  []any{id, fmt.Sprintf(" %d", n)},
		maybe: []history.Op{{Kind: history.Append, Key: c.t.key("lists", column, id), Value: n}},
	}
}

// appendAfterReading reads a list and writes it longer, as programs do.
func (c *client) appendAfterReading(ctx context.Context) error {
	suffix := ""
	if !c.NoForUpdate && c.rng.IntN(2) == 0 {
		suffix = " FOR UPDATE"
	}
	id, column := c.t.listToAppend(c.rng), c.column()
	list, there := "", false
	read := c.readList(id, column, suffix)
	record := read.done
	read.done = func(rows [][]string, affected int64) error {
		if there = len(rows) > 0; there {
			list = rows[0][0]
		}
		return record(rows, affected)
	}
	if err := c.do(ctx, read); err != nil {
		return err
	}
	n := c.value()
	write := statement{
		sql: "UPDATE " + c.t.name("lists") + " SET " + column + " = $2 WHERE id = $1", args: []any{id, list + fmt.Sprintf(" %d", n)},
		maybe: []history.Op{{Kind: history.Append, Key: c.t.key("lists", column, id), Value: n}},
	}
	switch {
	case there:
	case column == "a":
		write.sql = "INSERT INTO " + c.t.name("lists") + " VALUES ($1, $2, '')"
	default:
		write.sql = "INSERT INTO " + c.t.name("lists") + " (id, b, a) VALUES ($1, $2, '')"
	}
	return c.do(ctx, write)
}

func (c *client) counter() string { return fmt.Sprintf("c%02d", c.rng.IntN(c.Counters)) }

// readCounters reads both columns of some rows of counters.
func (c *client) readCounters() statement {
	t := c.t
	from, to := c.counter(), c.counter()
	if from > to {
		from, to = to, from
	}
	return statement{
		sql: "SELECT id, a, b FROM " + t.name("counters") + " WHERE id >= $1 AND id < $2 ORDER BY id", args: []any{from, to},
		done: func(rows [][]string, _ int64) error {
			for i, column := range []string{"a", "b"} {
				op := history.Op{Kind: history.Range, Key: t.key("counters", column, from), End: t.key("counters", column, to)}
				for _, row := range rows {
					n, err := strconv.ParseInt(row[1+i], 10, 64)
					if err != nil {
						return err
					}
					op.Rows = append(op.Rows, history.Row{Key: t.key("counters", column, row[0]), Seen: []int64{n}})
				}
				c.record(op)
			}
			return nil
		},
	}
}

// readColumns reads registers of one row of a table into *there.
func (c *client) readColumns(table string, id any, there *bool, columns ...string) statement {
	t := c.t
	list := columns[0]
	for _, column := range columns[1:] {
		list += ", " + column
	}
	return statement{
		sql: "SELECT " + list + " FROM " + t.name(table) + " WHERE id = $1", args: []any{id},
		done: func(rows [][]string, _ int64) error {
			*there = len(rows) > 0
			for i, column := range columns {
				op := history.Op{Kind: history.Read, Key: t.key(table, column, id)}
				if *there {
					n, err := strconv.ParseInt(rows[0][i], 10, 64)
					if err != nil {
						return err
					}
					op.Seen = []int64{n}
				}
				c.record(op)
			}
			return nil
		},
	}
}

// writeColumn writes a register of a row that has been read.
func (c *client) writeColumn(table string, id any, column string) statement {
	key, n := c.t.key(table, column, id), c.value()
	write := history.Op{Kind: history.Write, Key: key, Value: n}
	return statement{
		sql: "UPDATE " + c.t.name(table) + " SET " + column + " = $2 WHERE id = $1", args: []any{id, n}, maybe: []history.Op{write},
		done: func(_ [][]string, affected int64) error {
			if affected == 0 { // deleted since it was read: weak levels allow that
				c.record(history.Op{Kind: history.Read, Key: key})
			} else {
				c.record(write)
			}
			return nil
		},
	}
}

// changeCounter reads and then updates one column.
func (c *client) changeCounter(ctx context.Context) error {
	id, column, there := c.counter(), c.column(), false
	if err := c.do(ctx, c.readColumns("counters", id, &there, column)); err != nil || !there {
		return err
	}
	return c.do(ctx, c.writeColumn("counters", id, column))
}

// insertOrDelete makes a counter that is not there, and deletes one that is.
func (c *client) insertOrDelete(ctx context.Context) error {
	id, there := c.counter(), false
	if err := c.do(ctx, c.readColumns("counters", id, &there, "a", "b")); err != nil {
		return err
	}
	a, b := c.t.key("counters", "a", id), c.t.key("counters", "b", id)
	if there {
		return c.do(ctx, statement{
			sql: "DELETE FROM " + c.t.name("counters") + " WHERE id = $1", args: []any{id},
			maybe: []history.Op{{Kind: history.Delete, Key: a}, {Kind: history.Delete, Key: b}},
		})
	}
	x, y := c.value(), c.value()
	return c.do(ctx, statement{
		sql: "INSERT INTO " + c.t.name("counters") + " (id, a, b) VALUES ($1, $2, $3)", args: []any{id, x, y},
		maybe: []history.Op{{Kind: history.Write, Key: a, Value: x}, {Kind: history.Write, Key: b, Value: y}},
	})
}

// insertCounter makes a counter unless it is there.
func (c *client) insertCounter() statement {
	id, x, y := c.counter(), c.value(), c.value()
	a, b := c.t.key("counters", "a", id), c.t.key("counters", "b", id)
	writes := []history.Op{{Kind: history.Write, Key: a, Value: x}, {Kind: history.Write, Key: b, Value: y}}
	return statement{
		sql: "INSERT INTO " + c.t.name("counters") + " (id, a, b) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", args: []any{id, x, y},
		maybe: writes,
		done: func(_ [][]string, affected int64) error {
			if affected > 0 {
				c.record(history.Op{Kind: history.Read, Key: a})
				c.record(history.Op{Kind: history.Read, Key: b})
				c.ops = append(c.ops, writes...)
			}
			return nil
		},
	}
}

// readHot reads one of the hot registers.
func (c *client) readHot(id int, suffix string) statement {
	t := c.t
	return statement{
		sql: "SELECT n FROM " + t.name("hot") + " WHERE id = $1" + suffix, args: []any{id},
		done: func(rows [][]string, _ int64) error {
			op := history.Op{Kind: history.Read, Key: t.key("hot", "n", id)}
			if len(rows) > 0 {
				n, err := strconv.ParseInt(rows[0][0], 10, 64)
				if err != nil {
					return err
				}
				op.Seen = []int64{n}
			}
			c.record(op)
			return nil
		},
	}
}
