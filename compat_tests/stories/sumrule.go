package stories

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var sumRule = Story{
	Name:  "sumrule",
	Title: "The sum of two tables",
	About: "Salary and commission together may not exceed 1150. Each of two concurrent raises alone is fine,\n" +
		"both together are not, and they touch different tables.",
	Play: func(s *Stage) error {
		for _, from := range []string{
			"emp_salary s JOIN emp_commission c USING (empno) WHERE s.salary + c.commission > 1150",
			"emp_salary s, emp_commission c WHERE s.empno = c.empno AND s.salary + c.commission > 1150",
		} {
			if err := playSumRule(s, from); err != nil {
				return err
			}
		}
		return nil
	},
}

func playSumRule(s *Stage, from string) error {
	const name = "salary_plus_commission_le_1150"
	create := "CREATE ASSERTION " + name + " CHECK (NOT EXISTS (SELECT 'violation' FROM " + from + "))"
	err := s.Setup(
		"DROP TABLE IF EXISTS emp_salary, emp_commission CASCADE",
		"CREATE TABLE emp_salary (empno int PRIMARY KEY, salary numeric)",
		"CREATE TABLE emp_commission (empno int PRIMARY KEY, commission numeric)",
		"INSERT INTO emp_salary VALUES (99, 1000), (100, 1100)",
		"INSERT INTO emp_commission VALUES (99, 100), (100, 100)",
	)
	if err != nil {
		return err
	}
	alice, err := s.Connect("Alice")
	if err != nil {
		return err
	}
	bob, err := s.Connect("Bob")
	if err != nil {
		return err
	}
	// Employee 100 breaks the rule already: it cannot be made.
	if r := alice.Say(create); r.Code() != "23514" {
		return fmt.Errorf("the assertion over violating data was answered %q", r)
	}
	if r := alice.Say("UPDATE emp_salary SET salary = 1000 WHERE empno = 100"); r.Err != nil {
		return r.Err
	}
	if r := alice.Say(create); r.Err != nil {
		return r.Err
	}
	r := alice.Say("UPDATE emp_salary SET salary = salary + 84 WHERE empno = 99")
	var e *pgconn.PgError
	if !errors.As(r.Err, &e) || e.Code != "23514" || e.ConstraintName != name || !strings.Contains(e.Detail, "Violating row") {
		return fmt.Errorf("the violating update was answered %q (constraint %q)", r, constraintOf(e))
	}
	alice.Begin()
	bob.Begin()
	a := alice.Say("UPDATE emp_salary SET salary = salary + 40 WHERE empno = 99")
	const bobSQL = "UPDATE emp_commission SET commission = commission + 40 WHERE empno = 99"
	done := bob.Start(bobSQL)
	b, answered := bob.Await(bobSQL, done, time.Second)
	ac := alice.Say("COMMIT")
	if !answered {
		b, _ = bob.Await(bobSQL, done, 30*time.Second)
	}
	bc := bob.Say("COMMIT")
	total, err := s.Value("SELECT salary + commission FROM emp_salary JOIN emp_commission USING (empno) WHERE empno = 99")
	if err != nil {
		return err
	}
	s.Tell("In the end salary + commission is %s.", total)
	if total != "1140" {
		return fmt.Errorf("salary + commission is %s, not 1140: Alice %q %q, Bob %q %q", total, a, ac, b, bc)
	}
	for _, code := range []string{a.Code(), ac.Code(), b.Code(), bc.Code()} {
		if code != "" && code != "23514" && code != "40001" {
			return fmt.Errorf("refused with %s: Alice %q %q, Bob %q %q", code, a, ac, b, bc)
		}
	}
	return nil
}

func constraintOf(e *pgconn.PgError) string {
	if e == nil {
		return ""
	}
	return e.ConstraintName
}
