package assertions

import (
	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// CheckFunctions refuses functions in a violation query by which a rule that holds could be broken without any
// change that can be refused: volatile ones, and the time where its passing alone can bring a row into the query.
// So col <= now() may stand in a condition, and col > now() may not.
func CheckFunctions(q *algebra.Query) error {
	var volatile *algebra.Call
	v := &algebra.Visitor{Scalar: func(s algebra.Scalar) bool {
		if c, ok := s.(*algebra.Call); ok && c.Func.Volatility == 'v' {
			volatile = c
		}
		return true
	}}
	v.VisitRel(q.Root)
	for _, c := range q.CTEs {
		v.VisitRel(c.Rel)
	}
	if volatile != nil {
		return errs.New(errs.InvalidObjectDefinition, "functions in assertions must not be volatile").
			WithDetail("%s() may give another result each time.", volatile.Func.Name)
	}
	if analyze(q).clock {
		return errs.New(errs.InvalidObjectDefinition, "the passing of time alone could violate the assertion").
			WithDetail("The condition can become false as now() advances, with no change that could be refused.").
			WithHint("State it so that time can only fulfil it: col <= now(), but not col > now().")
	}
	return nil
}

// clock reports whether a call gives the time.
func clock(c *algebra.Call) bool {
	switch c.Func.Name {
	case "now", "transaction_timestamp", "statement_timestamp":
		return true
	}
	return false
}

// moment reports whether an expression is a point in time; conversions between these keep their order.
func moment(e algebra.Scalar) bool {
	switch e.Type() {
	case types.Date, types.Timestamp, types.TimestampTZ:
		return true
	}
	return false
}
