package bind

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"holdfast/sql/algebra"
	"holdfast/sql/errs"
	"holdfast/sql/parse"
)

// TestBind runs the files of testdata/bind: "schema" makes tables and views, "bind" prints the tree of a
// statement, "params" the types of its parameters, "columns" those of its result.
func TestBind(t *testing.T) {
	datadriven.Walk(t, "testdata/bind", func(t *testing.T, path string) {
		s := newSchema(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "schema":
				if err := s.exec(d.Input); err != nil {
					return describe(err)
				}
				return ""
			case "bind", "params", "columns":
				list, err := parse.Parse(d.Input)
				if err != nil {
					return describe(err)
				}
				q, err := Bind(context.Background(), s.options(list[0].Text), list[0].Stmt)
				if err != nil {
					return describe(err)
				}
				if err := verify(q); err != nil {
					return err.Error() + "\n" + algebra.Format(q)
				}
				switch d.Cmd {
				case "params":
					var out []string
					for _, p := range q.Params {
						out = append(out, p.String())
					}
					return strings.Join(out, ", ") + "\n"
				case "columns":
					var out []string
					for _, c := range q.Output {
						out = append(out, c.Name+" "+q.Column(c.ID).Typ.String())
					}
					return strings.Join(out, ", ") + "\n"
				}
				return algebra.Format(q)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func describe(err error) string {
	e := errs.As(err)
	out := fmt.Sprintf("ERROR %s: %s\n", e.Code, e.Message)
	if e.Position > 0 {
		out += fmt.Sprintf("POSITION %d\n", e.Position)
	}
	if e.Detail != "" {
		out += "DETAIL: " + e.Detail + "\n"
	}
	if e.Hint != "" {
		out += "HINT: " + e.Hint + "\n"
	}
	return out
}

// verify checks what every tree must satisfy: each column an operator uses is made below it, or by an outer
// query; each column is made once; conditions are boolean.
func verify(q *algebra.Query) error {
	made := algebra.ColSet{}
	var err error
	v := algebra.Visitor{Rel: func(r algebra.Rel) bool {
		own := algebra.ColSet{}
		algebra.Makes(r, own)
		for id := range own {
			if made.Has(id) && err == nil {
				err = fmt.Errorf("column %d is made twice", id)
			}
			made.Add(id)
		}
		seen := algebra.ColSet{}
		for _, id := range r.Columns() {
			if seen.Has(id) && err == nil {
				err = fmt.Errorf("%T has column %d twice", r, id)
			}
			seen.Add(id)
		}
		return true
	}, Scalar: func(e algebra.Scalar) bool {
		if e.Type() == nil && err == nil {
			err = fmt.Errorf("%T has no type", e)
		}
		return true
	}}
	for _, c := range q.CTEs {
		v.VisitRel(c.Rel)
	}
	v.VisitRel(q.Root)
	if err != nil {
		return err
	}
	free := algebra.ColSet{}
	algebra.FreeColumns(q.Root, free)
	for id := range free {
		own := false
		switch r := q.Root.(type) {
		case *algebra.Update:
			own = inScan(r.Source.Columns(), id)
		case *algebra.Delete:
			own = inScan(r.Source.Columns(), id)
		}
		if !own {
			return fmt.Errorf("column %d (%s) is made nowhere", id, q.Column(id).Name)
		}
	}
	return inputs(q.Root, algebra.ColSet{})
}

func inScan(ids []algebra.ColID, id algebra.ColID) bool {
	for _, x := range ids {
		if x == id {
			return true
		}
	}
	return false
}

// inputs checks that what relations pass on is there.
func inputs(r algebra.Rel, outer algebra.ColSet) error {
	if r == nil {
		return nil
	}
	below := algebra.ColSet{}
	for id := range outer {
		below.Add(id)
	}
	for i, in := range algebra.Inputs(r) {
		scope := outer
		if j, ok := r.(*algebra.Join); ok && i == 1 && j.Lateral {
			scope = below
		}
		if err := inputs(in, scope); err != nil {
			return err
		}
		below.Add(in.Columns()...)
		if j, ok := r.(*algebra.Join); ok && i == 1 {
			_ = j
		}
	}
	var missing error
	need := func(ids ...algebra.ColID) {
		for _, id := range ids {
			if !below.Has(id) && missing == nil {
				missing = fmt.Errorf("%T needs column %d, which is not below it", r, id)
			}
		}
	}
	scalar := func(list ...algebra.Scalar) {
		for _, e := range list {
			cols := algebra.ColSet{}
			if e != nil {
				algebra.ScalarColumns(e, cols)
			}
			for id := range cols {
				need(id)
			}
		}
	}
	switch r := r.(type) {
	case *algebra.Filter:
		scalar(r.Cond)
	case *algebra.Project:
		for _, it := range r.Items {
			scalar(it.Expr)
		}
	case *algebra.ProjectSet:
		for _, it := range r.Items {
			scalar(it.Expr)
		}
	case *algebra.Join:
		scalar(r.On)
	case *algebra.Aggregate:
		need(r.Keys...)
		for _, a := range r.Aggs {
			scalar(a.Args...)
			scalar(a.OrderArgs...)
			scalar(a.Filter)
		}
	case *algebra.Sort:
		for _, k := range r.Keys {
			need(k.ID)
		}
	case *algebra.DistinctRows:
		need(r.On...)
	case *algebra.LockRows:
		for _, l := range r.Locks {
			need(l.Key)
		}
	case *algebra.Window:
		need(r.Partition...)
		for _, k := range r.OrderBy {
			need(k.ID)
		}
		for _, f := range r.Funcs {
			scalar(f.Args...)
		}
	case *algebra.Values:
		for _, row := range r.Rows {
			scalar(row...)
		}
	}
	return missing
}
