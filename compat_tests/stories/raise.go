package stories

import (
	"fmt"
	"time"
)

var raise = Story{
	Name:  "raise",
	Title: "A raise through a join view",
	About: "Alice and Bob both see salary 1000 and commission 100 and each grants the one raise that was meant:\n" +
		"Alice on the commission, Bob on the salary. They write different tables, so row locks do not help.",
	Play: func(s *Stage) error {
		for _, first := range []string{"Alice", "Bob"} {
			if err := playRaise(s, first); err != nil {
				return err
			}
		}
		return nil
	},
}

func playRaise(s *Stage, first string) error {
	err := s.Setup(
		"DROP VIEW IF EXISTS emp", "DROP TABLE IF EXISTS emp_salary, emp_commission",
		"CREATE TABLE emp_salary (empno int PRIMARY KEY, salary numeric)",
		"CREATE TABLE emp_commission (empno int PRIMARY KEY, commission numeric)",
		"CREATE VIEW emp AS SELECT * FROM emp_salary JOIN emp_commission USING (empno)",
		"INSERT INTO emp_salary VALUES (99, 1000)",
		"INSERT INTO emp_commission VALUES (99, 100)",
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
	alice.Begin()
	bob.Begin()
	const where = " WHERE empno = 99 AND salary = 1000 AND commission = 100"
	aliceSQL := "UPDATE emp SET commission = commission + 42" + where
	bobSQL := "UPDATE emp SET salary = salary + 42" + where
	aliceDone := alice.Start(aliceSQL)
	a, aliceAnswered := alice.Await(aliceSQL, aliceDone, 2*time.Second)
	bobDone := bob.Start(bobSQL)
	b, bobAnswered := bob.Await(bobSQL, bobDone, 500*time.Millisecond)
	order := []*Actor{alice, bob}
	if first == "Bob" && bobAnswered {
		order = []*Actor{bob, alice}
	}
	outcomes := map[*Actor]Result{}
	for _, who := range order {
		if who == bob && !bobAnswered {
			b, bobAnswered = bob.Await(bobSQL, bobDone, 30*time.Second)
		}
		outcomes[who] = who.Say("COMMIT")
	}
	if !aliceAnswered || !bobAnswered {
		return fmt.Errorf("a statement was never answered")
	}
	got, err := s.Value("SELECT salary || '+' || commission FROM emp WHERE empno = 99")
	if err != nil {
		return err
	}
	won := func(update, commit Result) bool {
		return update.Err == nil && update.Rows == 1 && commit.Err == nil && commit.Tag == "COMMIT"
	}
	aWon, bWon := won(a, outcomes[alice]), won(b, outcomes[bob])
	s.Tell("In the end salary+commission is %s: exactly one raise.", got)
	if aWon == bWon {
		return fmt.Errorf("of Alice and Bob not exactly one won (%v, %v); salary+commission is %s", aWon, bWon, got)
	}
	want := "1000+142"
	loserUpdate, loserCommit := b, outcomes[bob]
	if bWon {
		want, loserUpdate, loserCommit = "1042+100", a, outcomes[alice]
	}
	if got != want {
		return fmt.Errorf("salary+commission is %s, not %s", got, want)
	}
	zeroRows := loserUpdate.Err == nil && loserUpdate.Rows == 0
	if !zeroRows && loserUpdate.Code() != "40001" && loserCommit.Code() != "40001" {
		return fmt.Errorf("the loser was told %q and then %q, neither 0 rows nor 40001", loserUpdate, loserCommit)
	}
	return nil
}
