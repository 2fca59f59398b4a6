package ddl

import (
	"context"
	"math"
	"strconv"

	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// createSequence is CREATE SEQUENCE.
func (env *Env) createSequence(ctx context.Context, s *ast.CreateSequence) (*catalog.Table, error) {
	if s.Temp {
		return nil, errs.Unsupported("temporary sequences")
	}
	schema, err := env.Snapshot.CreationSchema(env.SearchPath, s.Sequence.Schema, s.Sequence.Name)
	if err != nil {
		return nil, err
	}
	if env.relationTaken(schema.OID, s.Sequence.Name) && s.IfNotExists {
		env.notice(errs.DuplicateTable, `relation "%s" already exists, skipping`, s.Sequence.Name)
		return nil, nil
	}
	q := &catalog.Sequence{Type: types.Int8}
	t := &catalog.Table{Schema: schema.OID, Name: s.Sequence.Name, Kind: catalog.KindSequence, Owner: catalog.PostgresRoleOID, Sequence: q}
	if err := sequenceOptions(q, s.Options, env); err != nil {
		return nil, err
	}
	return t, env.put(ctx, t)
}

// number reads the value of an option, nil if it has none.
func number(o *ast.Option) (*int64, error) {
	l, ok := o.Value.(*ast.Literal)
	if !ok || l.Kind != ast.LitInt && l.Kind != ast.LitNumeric {
		return nil, nil
	}
	v, err := strconv.ParseInt(l.Value, 10, 64)
	if err != nil {
		return nil, errs.New(errs.NumericValueOutOfRange, `value "%s" is out of range for type bigint`, l.Value)
	}
	return &v, nil
}

// sequenceOptions applies options to a sequence, and defaults to what nobody has said.
func sequenceOptions(q *catalog.Sequence, options []*ast.Option, env *Env) error {
	fresh := q.Increment == 0
	if fresh {
		q.Increment, q.Cache = 1, 1
	}
	var low, high, start, restart *int64
	restarted, lowSaid, highSaid := false, false, false
	for _, o := range options {
		v, err := number(o)
		if err != nil {
			return err
		}
		switch o.Name {
		case "as":
			name := ""
			if l, ok := o.Value.(*ast.Literal); ok {
				name = l.Value
			}
			t := types.ByName(name)
			if t != types.Int2 && t != types.Int4 && t != types.Int8 {
				return errs.New(errs.InvalidParameterValue, "sequence type must be smallint, integer, or bigint")
			}
			q.Type = t
		case "increment":
			if v != nil {
				if *v == 0 {
					return errs.New(errs.InvalidParameterValue, "INCREMENT must not be zero")
				}
				q.Increment = *v
			}
		case "minvalue":
			low, lowSaid = v, true
		case "maxvalue":
			high, highSaid = v, true
		case "start":
			start = v
		case "restart":
			restart, restarted = v, true
		case "cache":
			if v != nil {
				if *v <= 0 {
					return errs.New(errs.InvalidParameterValue, "CACHE (%d) must be greater than zero", *v)
				}
				q.Cache = *v
			}
		case "cycle":
			q.Cycle = true
			if l, ok := o.Value.(*ast.Literal); ok && l.Kind == ast.LitBool {
				q.Cycle = l.Value == "t"
			}
		case "owned_by":
			if err := env.ownedBy(q, o); err != nil {
				return err
			}
		case "sequence_name", "logged":
		default:
			return errs.Unsupported("sequence option %s", o.Name)
		}
	}
	bits := uint(q.Type.Len) * 8
	typeMax := int64(math.MaxInt64) >> (64 - bits)
	switch {
	case low != nil:
		q.Min = *low
	case fresh || lowSaid:
		q.Min = 1
		if q.Increment < 0 {
			q.Min = -typeMax - 1
		}
	}
	switch {
	case high != nil:
		q.Max = *high
	case fresh || highSaid:
		q.Max = typeMax
		if q.Increment < 0 {
			q.Max = -1
		}
	}
	name := types.FormatType(q.Type, types.NoTypmod)
	if q.Max > typeMax || q.Max < -typeMax-1 {
		return errs.New(errs.InvalidParameterValue, "MAXVALUE (%d) is out of range for sequence data type %s", q.Max, name)
	}
	if q.Min > typeMax || q.Min < -typeMax-1 {
		return errs.New(errs.InvalidParameterValue, "MINVALUE (%d) is out of range for sequence data type %s", q.Min, name)
	}
	if q.Min >= q.Max {
		return errs.New(errs.InvalidParameterValue, "MINVALUE (%d) must be less than MAXVALUE (%d)", q.Min, q.Max)
	}
	switch {
	case start != nil:
		q.Start = *start
	case fresh:
		q.Start = q.Min
		if q.Increment < 0 {
			q.Start = q.Max
		}
	}
	if q.Start < q.Min {
		return errs.New(errs.InvalidParameterValue, "START value (%d) cannot be less than MINVALUE (%d)", q.Start, q.Min)
	}
	if q.Start > q.Max {
		return errs.New(errs.InvalidParameterValue, "START value (%d) cannot be greater than MAXVALUE (%d)", q.Start, q.Max)
	}
	if restarted {
		if restart != nil {
			if *restart < q.Min {
				return errs.New(errs.InvalidParameterValue, "RESTART value (%d) cannot be less than MINVALUE (%d)", *restart, q.Min)
			}
			if *restart > q.Max {
				return errs.New(errs.InvalidParameterValue, "RESTART value (%d) cannot be greater than MAXVALUE (%d)", *restart, q.Max)
			}
		}
		if env == nil {
			return errs.New(errs.SyntaxError, "RESTART is not possible here")
		}
		// A new place for the value starts it over, and does so in step with the transaction.
		q.Storage = 0
	}
	return nil
}

// ownedBy is OWNED BY table.column, or NONE.
func (env *Env) ownedBy(q *catalog.Sequence, o *ast.Option) error {
	if len(o.List) == 1 && o.List[0] == "none" {
		q.OwnerTable, q.OwnerColumn = 0, 0
		return nil
	}
	if len(o.List) < 2 || env == nil {
		return errs.New(errs.SyntaxError, "invalid OWNED BY option").WithHint("Specify OWNED BY table.column or OWNED BY NONE.")
	}
	n := len(o.List)
	name := &ast.TableName{At: -1, Name: o.List[n-2]}
	if n > 2 {
		name.Schema = o.List[n-3]
	}
	t, err := env.table(name, false)
	if err != nil {
		return err
	}
	c := t.Column(o.List[n-1])
	if c == nil {
		return errs.New(errs.UndefinedColumn, `column "%s" of relation "%s" does not exist`, o.List[n-1], t.Name)
	}
	q.OwnerTable, q.OwnerColumn = t.OID, c.Number
	return nil
}

// alterSequence is ALTER SEQUENCE with options.
func (env *Env) alterSequence(ctx context.Context, s *ast.AlterSequence) error {
	t, err := env.table(s.Sequence, s.IfExists)
	if err != nil || t == nil {
		return err
	}
	if t.Kind != catalog.KindSequence {
		return errs.New(errs.WrongObjectType, `"%s" is not a sequence`, t.Name)
	}
	return env.setSequence(ctx, t, s.Options)
}

// setSequence changes the options of a sequence.
func (env *Env) setSequence(ctx context.Context, t *catalog.Table, options []*ast.Option) (err error) {
	if len(options) == 0 {
		return nil
	}
	var restart *int64
	for _, o := range options {
		if o.Name == "restart" {
			if restart, err = number(o); err != nil {
				return err
			}
		}
	}
	old := t.Sequence.Storage
	t = clone(t)
	if err := sequenceOptions(t.Sequence, options, env); err != nil {
		return err
	}
	if err := env.put(ctx, t); err != nil {
		return err
	}
	if t.Sequence.Storage != old {
		env.discard(old)
		if restart != nil {
			// Nobody else sees the new place of the value before this transaction has committed.
			return env.Catalog.Sequences().SetVal(ctx, t, *restart, false)
		}
	}
	return nil
}
