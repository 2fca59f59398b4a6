package stories

import (
	"fmt"
	"time"
)

var onCall = Story{
	Name:  "oncall",
	Title: "One doctor stays on call",
	About: "The check is in the application: count who is on call, and leave if there are two. No rule is\n" +
		"declared; serializability alone has to keep one doctor there.",
	Play: playOnCall,
}

func playOnCall(s *Stage) error {
	if err := s.Setup(
		"CREATE TABLE doctor (name text PRIMARY KEY, on_call boolean NOT NULL)",
		"INSERT INTO doctor VALUES ('Alice', true), ('Bob', true)",
	); err != nil {
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
	const look = "SELECT count(*) FROM doctor WHERE on_call"
	leave := map[*Actor]bool{}
	for _, who := range []*Actor{alice, bob} {
		var n int
		if err := who.conn.QueryRow(s.Ctx, look).Scan(&n); err != nil {
			return err
		}
		s.Tell("%-6s %s  ->  %d", who.Name+":", look, n)
		leave[who] = n >= 2
	}
	refused := 0
	for _, who := range []*Actor{alice, bob} {
		if !leave[who] {
			return fmt.Errorf("%s saw fewer than two doctors on call", who.Name)
		}
		sql := "UPDATE doctor SET on_call = false WHERE name = '" + who.Name + "'"
		r, answered := who.Await(sql, who.Start(sql), 10*time.Second)
		if !answered {
			return fmt.Errorf("%s was not answered", who.Name)
		}
		c := who.Say("COMMIT")
		if r.Code() == "40001" || c.Code() == "40001" {
			refused++
		} else if r.Err != nil || c.Err != nil {
			return fmt.Errorf("%s was answered %q and %q", who.Name, r, c)
		}
	}
	n, err := s.Value(look)
	if err != nil {
		return err
	}
	s.Tell("On call in the end: %s.", n)
	if n != "1" || refused != 1 {
		return fmt.Errorf("%s on call, %d refused", n, refused)
	}
	return nil
}
