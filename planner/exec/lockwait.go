package exec

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"holdfast/kv"
	"holdfast/planner/exec/rowio"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// What a lock is wanted for, in the words of PostgreSQL's CONTEXT.
const (
	whileUpdating  = "updating tuple"
	whileDeleting  = "deleting tuple"
	whileLocking   = "locking tuple"
	whileInserting = "inserting index tuple"
)

// LockWaitError is the error of a lock that was not had, with what it was wanted for: the CONTEXT of the message.
type LockWaitError struct {
	Err   error
	Where string
}

func (e *LockWaitError) Error() string { return e.Err.Error() }

// Unwrap makes errors.Is find what happened.
func (e *LockWaitError) Unwrap() error { return e.Err }

// acquire takes locks on rows and index entries of one table.
func acquire(ctx *Ctx, table *catalog.Table, keys [][]byte, mode kv.LockMode, policy kv.WaitPolicy, while string) error {
	policy.Timeout, policy.Patience = ctx.LockTimeout, ctx.DeadlockTimeout
	err := ctx.Txn.Lock(ctx, keys, mode, policy)
	if err == nil && ctx.Savepoint {
		for _, key := range keys {
			ctx.Txn.Observe(key, mode.Protects())
		}
	}
	if err == nil || errors.Is(err, kv.ErrStale) || errors.Is(err, kv.ErrLockSkipped) {
		return err
	}
	var key []byte
	var lock *kv.LockError
	var deadlock *kv.DeadlockError
	switch {
	case errors.As(err, &lock):
		key = lock.Key
	case errors.As(err, &deadlock):
		key = deadlock.Waits[0].Key
	default:
		return ctx.Error(err)
	}
	where := "while " + while + " " + DescribeKey(table, key, ctx.Env) + ` in relation "` + RelationOfKey(table, key) + `"`
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		var cause *errs.Error
		if errors.As(ctx.Error(err), &cause) {
			if cause.Severity == "FATAL" {
				return cause
			}
			told := *cause
			told.Where = where
			return &told
		}
	}
	return &LockWaitError{Err: err, Where: where}
}

// RelationOfKey is the name of the relation a key of a table belongs to: an index for the key of an entry.
func RelationOfKey(t *catalog.Table, key []byte) string {
	for _, x := range t.Indexes {
		if !x.Primary && bytes.HasPrefix(key, catalog.IndexPrefix(x)) {
			return x.Name
		}
	}
	return t.Name
}

// DescribeKey prints the key of a row or of an index entry as PostgreSQL prints keys: (a, b)=(1, x). A row of a table
// without primary key has its number.
func DescribeKey(t *catalog.Table, key []byte, env *types.Env) string {
	names, values, _ := decodeKey(t, key, env)
	if len(values) == 0 {
		return "()"
	}
	return "(" + join(names[:len(values)]) + ")=(" + join(values) + ")"
}

// DescribeRange prints a range of keys by its bounds: (a)>=(1), (a)<(5).
func DescribeRange(t *catalog.Table, r kv.KeyRange, env *types.Env) string {
	names, low, rest := decodeKey(t, r.Start, env)
	if r.End == nil || bytes.Equal(r.End, kv.PrefixEnd(r.Start)) {
		if len(low) == 0 {
			return "all"
		}
		return "(" + join(names[:len(low)]) + ")=(" + join(low) + ")"
	}
	text := ""
	if len(low) > 0 {
		op := ">="
		if len(rest) > 0 && bytes.Equal(rest, []byte{0}) {
			op = ">"
		}
		text = "(" + join(names[:len(low)]) + ")" + op + "(" + join(low) + ")"
	}
	op := "<"
	upper, high, rest := decodeKey(t, r.End, env)
	if len(high) == 0 || len(rest) > 0 {
		// The end of all keys with a prefix is one more than the prefix.
		before := bytes.Clone(r.End)
		if n := len(before); n > 4 && before[n-1] > 0 {
			before[n-1]--
			if n, values, rest := decodeKey(t, before, env); len(values) > 0 && len(rest) == 0 {
				op, upper, high = "<=", n, values
			}
		}
	}
	if n := len(high); n > 0 && n == len(low) && op == "<" && high[n-1] == "null" {
		high = nil // NULLs come last: any value is below
	}
	if len(high) > 0 {
		if text != "" {
			text += ", "
		}
		text += "(" + join(upper[:len(high)]) + ")" + op + "(" + join(high) + ")"
	}
	if text == "" {
		return "all"
	}
	return text
}

func join(list []string) string {
	var b bytes.Buffer
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s)
	}
	return b.String()
}

// decodeKey reads the columns of a key, as many as it has whole, and returns the rest of its bytes.
func decodeKey(t *catalog.Table, key []byte, env *types.Env) (names, values []string, rest []byte) {
	codec := rowio.NewTableCodec(t)
	prefix, columns := codec.Prefix(), codec.KeyColumns()
	var index *catalog.Index
	for _, x := range codec.Indexes() {
		if bytes.HasPrefix(key, x.Prefix()) {
			index, prefix, columns = x.Index, x.Prefix(), x.KeyColumns()
		}
	}
	if !bytes.HasPrefix(key, prefix) {
		return nil, nil, nil
	}
	rest = key[len(prefix):]
	if index == nil && columns == nil {
		if len(rest) < 8 {
			return nil, nil, rest
		}
		n := uint64(0)
		for _, b := range rest[:8] {
			n = n<<8 | uint64(b)
		}
		return []string{"row number"}, []string{strconv.FormatUint(n, 10)}, rest[8:]
	}
	for _, c := range columns {
		name := "expression"
		if c.Number > 0 {
			name = t.Columns[c.Number-1].Name
		}
		d, after, err := types.DecodeKey(c.Type, rest, c.Desc, c.NullsFirst)
		if err != nil {
			break
		}
		value := "null"
		if !d.IsNull() {
			value = string(types.AppendText(nil, c.Type, d, env))
		}
		names, values, rest = append(names, name), append(values, value), after
	}
	return names, values, rest
}
