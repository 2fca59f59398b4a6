package assertions

import (
	"strings"

	"holdfast/sql/algebra"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// CheckQuery refuses what in a violation query would have a rule that holds be broken without any change that could be refused: volatile
// functions, what is another for each session, the system's relations and sequences, and the time where its passing alone can bring a
// row into the query. So col <= now() may stand in a condition, and col > now() may not. It refuses row locks too.
func CheckQuery(q *algebra.Query) error {
	refused := func(message string) *errs.Error { return errs.New(errs.InvalidObjectDefinition, "%s", message) }
	var found *errs.Error
	for _, t := range q.Tables {
		switch {
		case t.Kind == catalog.KindSequence:
			found = refused("assertions cannot read sequences").WithDetail(`The value of "%s" changes outside of transactions.`, t.Name).
				WithHint("Let the assertion read the column that takes its values from the sequence.")
		case t.Virtual != nil || t.OID < catalog.FirstUserOID:
			found = refused("assertions cannot read relations of the system").
				WithDetail(`What "%s" shows changes without statements that could be refused.`, t.Name)
		}
	}
	call := func(f *funcs.Func, args int) {
		switch {
		case f.Volatility == 'v':
			found = refused("functions in assertions must not be volatile").WithDetail("%s() may give another result each time.", f.Name).
				WithHint("Have the value written into a column, and let the assertion read that.")
		case f.Name == "age" && args == 1:
			found = refused("the passing of time alone could violate the assertion").WithDetail("age() of one value goes by the present date.").
				WithHint("Compare the value with now() instead: col <= now() is fulfilled by time, and col > now() is not.")
		case ofSession(f):
			found = refused("functions in assertions must depend on their arguments alone").
				WithDetail("%s() may give another result for each session, or as the schema changes.", f.Name).
				WithHint("Have the value written into a column, and let the assertion read that.")
		}
	}
	v := &algebra.Visitor{
		Scalar: func(s algebra.Scalar) bool {
			if c, ok := s.(*algebra.Call); ok {
				call(c.Func, len(c.Args))
			}
			return true
		},
		Rel: func(r algebra.Rel) bool {
			if _, ok := r.(*algebra.LockRows); ok {
				found = errs.New(errs.FeatureNotSupported, "FOR UPDATE and the like are not allowed in assertions")
			}
			return true
		},
	}
	v.VisitRel(q.Root)
	for _, c := range q.CTEs {
		v.VisitRel(c.Rel)
	}
	if found != nil {
		return found
	}
	if analyze(q).clock {
		return refused("the passing of time alone could violate the assertion").
			WithDetail("The condition can become false as now() advances, with no change that could be refused.").
			WithHint("State it so that time can only fulfil it: col <= now(), but not col > now().")
	}
	return nil
}

// ofSession reports whether what a function returns depends on who asks, or on the schema. That TimeZone and the like have a part in
// how values are written and read is let be, as in CHECK constraints.
func ofSession(f *funcs.Func) bool {
	if f.Volatility != 's' {
		return false
	}
	switch f.Name {
	case "pg_typeof", "pg_column_size":
		return false
	case "session_user", "getpgusername", "getdatabaseencoding", "get_current_ts_config", "violations", "format_type", "row_security_active":
		return true
	}
	for _, prefix := range []string{"pg_", "has_", "current_", "inet_", "txid_", "to_reg", "obj_desc", "col_desc", "shobj_desc"} {
		if strings.HasPrefix(f.Name, prefix) {
			return true
		}
	}
	return false
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
