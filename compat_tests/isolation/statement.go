package isolation

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"holdfast/kv/conformance/history"

	"github.com/jackc/pgx/v5"
)

// statement is an SQL statement that knows what its answer says.
type statement struct {
	sql  string
	args []any // int, int64 and string
	// maybe is what the statement has written if its answer is lost, and, if done is nil, also when it is not.
	maybe []history.Op
	// done records what the statement has read and written, from the rows it has returned and their number or that
	// of the rows it has changed.
	done func(rows [][]string, affected int64) error
}

// answered records what the statement did.
func (c *client) answered(s statement, rows [][]string, affected int64) error {
	if s.done == nil {
		c.ops = append(c.ops, s.maybe...)
		return nil
	}
	return s.done(rows, affected)
}

// literal is the statement with its arguments in its text.
func (s statement) literal() string {
	text := s.sql
	for i := len(s.args); i > 0; i-- {
		value := fmt.Sprint(s.args[i-1])
		if word, ok := s.args[i-1].(string); ok {
			value = "'" + word + "'"
		}
		text = strings.ReplaceAll(text, "$"+strconv.Itoa(i), value)
	}
	return text
}

// do runs a statement by itself.
func (c *client) do(ctx context.Context, s statement) error {
	c.operations.Add(1)
	rows, err := c.conn.Query(ctx, s.sql, append([]any{c.mode}, s.args...)...)
	if err == nil {
		var text [][]string
		if text, err = texts(rows); err == nil {
			return c.answered(s, text, rows.CommandTag().RowsAffected())
		}
	}
	c.ops = append(c.ops, s.maybe...)
	return err
}

// texts are the rows of a result, each value in words.
func texts(rows pgx.Rows) ([][]string, error) {
	defer rows.Close()
	var all [][]string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, value := range values {
			row[i] = fmt.Sprint(value)
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// numbers reads a list of numbers between spaces.
func numbers(list string) ([]int64, error) {
	var out []int64
	for _, word := range strings.Fields(list) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the list %q: %w", list, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// integers reads a row of numbers.
func integers(row []string) ([]int64, error) { return numbers(strings.Join(row, " ")) }

// statements are n that do not depend on each other's answers.
func (c *client) statements(n int) []statement {
	out := make([]statement, n)
	for i := range out {
		if c.rng.IntN(2) == 0 {
			out[i] = c.reading()
		} else {
			out[i] = c.writing()
		}
	}
	return out
}

// reading is a random statement that only reads.
func (c *client) reading() statement {
	switch c.rng.IntN(10) {
	case 0, 1:
		return c.readList(c.t.list(c.rng), c.column(), "")
	case 2:
		return c.readLists()
	case 3:
		return c.readCounters()
	case 4:
		return c.readHot(c.rng.IntN(hotRows), "")
	case 5, 6:
		return c.readGroups("")
	case 7:
		return c.readTag()
	case 8:
		return c.joinMarks()
	default:
		return c.readThing()
	}
}

// writing is a random statement that writes without having read.
func (c *client) writing() statement {
	switch c.rng.IntN(10) {
	case 0, 1, 2:
		return c.appendBlind()
	case 3, 4:
		return c.insertThings(1 + c.rng.IntN(2)*c.rng.IntN(3))
	case 5:
		return c.deleteThing()
	case 6:
		return c.sweepGroup()
	case 7:
		return c.insertMark()
	case 8:
		return c.deleteMarks()
	default:
		return c.insertCounter()
	}
}

// action does one random thing in an explicit transaction, of one statement or of some that depend on each other.
func (c *client) action(ctx context.Context, depth int) error {
	switch c.rng.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		return c.do(ctx, c.reading())
	case 6, 7, 8:
		return c.do(ctx, c.writing())
	case 9, 10:
		return c.appendAfterReading(ctx)
	case 11:
		return c.changeGroup(ctx)
	case 12:
		return c.changeCounter(ctx)
	case 13:
		return c.insertOrDelete(ctx)
	case 14, 15:
		return c.changeThing(ctx)
	case 16:
		return c.moveThing(ctx)
	case 17:
		return c.insertIfFew(ctx)
	case 18:
		if c.rng.IntN(4) == 0 {
			return c.copyThings(ctx)
		}
		return c.copyGroup(ctx)
	default:
		if depth == 3 {
			return nil
		}
		return c.savepoint(ctx, depth)
	}
}

func (c *client) column() string { return []string{"a", "b"}[c.rng.IntN(2)] }
