package planner_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/kv"
	"holdfast/planner/sessiontest"
	"holdfast/sql/errs"
)

// judge finds out whether the answers of a contest are right, by running its transactions one after the other on a database without
// the assertion, whose condition is evaluated in full instead. Those that were committed run in the order of their versions, each with
// the answers that it got. Each of the others, and above all each that was refused, must have been in its place in at least one of the
// states that there were between its begin and its end: with the same answers, and there with the same refusal. Of one that was told to
// retry, what it had been answered before must be answered differently in at least one of them, unless it was shown an error.
type judge struct {
	c      *sessiontest.Client
	x      *contest
	states int
}

// errUnclear is why there is no verdict: the condition itself cannot be evaluated in some state.
var errUnclear = errors.New("the condition cannot be evaluated")

// verdict is what is wrong with a contest, "" if nothing is.
func (c *contest) verdict(t testing.TB) (string, error) {
	j := &judge{c: sessiontest.Open(t).Connect(), x: c}
	if !c.prepare(j.c) {
		return "", errUnclear
	}
	var order, others []*contestant
	retried := map[*contestant]*contestant{} // what they were before they were told, and who
	for _, list := range c.clients {
		for _, x := range list {
			switch {
			case x.outcome == conflicted:
				if x.message || len(x.steps) == 1 {
					return "told to retry, although the server could: " + x.String(), nil
				}
				if slices.ContainsFunc(x.done[:len(x.done)-1], func(a answer) bool { return a.code != "" }) {
					continue // it was shown an error's DETAIL, which is not known here
				}
				before := &contestant{steps: x.steps, done: x.done[:len(x.done)-1], outcome: rolledBack, from: x.from, to: x.to}
				retried[before] = x
				others = append(others, before)
			case x.outcome == committed && x.version != 0:
				order = append(order, x)
			case x.outcome == committed || x.outcome == refused || x.outcome == rolledBack:
				others = append(others, x)
			default:
				return "it has not come to its end: " + x.String(), nil
			}
		}
	}
	slices.SortFunc(order, func(a, b *contestant) int { return cmp.Compare(a.version, b.version) })
	why := map[*contestant]string{}
	for i := 0; ; i++ {
		var now kv.Version
		if i > 0 {
			now = order[i-1].version
		}
		next := ^kv.Version(0)
		if i < len(order) {
			next = order[i].version
		}
		for k := len(others) - 1; k >= 0; k-- {
			x := others[k]
			if x.from >= next || x.to < now { // x.from may lie before the first commit of the contest, or between two
				continue
			}
			different, err := j.differs(x, false)
			if err != nil {
				return "", err
			}
			if (different == "") == (retried[x] == nil) {
				others = slices.Delete(others, k, k+1)
			} else if different == "" {
				why[x] += fmt.Sprintf("\n  state %d is no reason to retry", now)
			} else {
				why[x] += fmt.Sprintf("\n  in state %d: %s", now, different)
			}
		}
		if i == len(order) {
			break
		}
		x := order[i]
		if different, err := j.differs(x, true); err != nil || different != "" {
			return fmt.Sprintf("not what happens in this order: %s\n  %s", x, different), err
		}
	}
	if len(others) > 0 {
		x := others[0]
		w := why[x]
		if retried[x] != nil {
			x = retried[x]
		}
		return fmt.Sprintf("nothing explains it: %s%s", x, w), nil
	}
	return "", nil
}

// holds evaluates the condition.
func (j *judge) holds() (bool, error) {
	r, err := j.c.Exec("SELECT (" + j.x.condition + ") IS NOT FALSE")
	if err != nil {
		return false, errUnclear
	}
	return r.String() == "t", nil
}

// differs runs a transaction in the present state, and says what is different from the answers that it got. The state stays, unless
// keep asks for the transaction's commit.
func (j *judge) differs(x *contestant, keep bool) (different string, err error) {
	j.states++
	j.c.Must("BEGIN")
	end := "ROLLBACK"
	defer func() {
		if _, e := j.c.Exec(end); e != nil && err == nil && different == "" {
			different = sessiontest.Describe(e)
		}
	}()
	var rows []string // of the whole message
	var deferred, deferredAtSavepoint bool
	deferred = strings.HasSuffix(j.x.timing, "INITIALLY DEFERRED")
	for i, a := range x.done {
		says, code := "", errs.Code("")
		check := false
		switch a.text {
		case "BEGIN":
			says = "BEGIN"
		case "COMMIT":
			says, check = "COMMIT", deferred
			if keep {
				end = "COMMIT"
			}
		case "ROLLBACK":
			says = "ROLLBACK"
		default:
			r, err := j.c.Exec(a.text)
			code = errs.CodeOf(err)
			says = strings.TrimSpace(r.Tag() + "\n" + r.String())
			if x.message {
				says = r.Tag()
				if len(r.Rows) > 0 {
					rows = append(rows, r.String())
				}
			}
			switch a.text {
			case "SAVEPOINT p":
				deferredAtSavepoint = deferred
			case "ROLLBACK TO p":
				deferred = deferredAtSavepoint
			case "RELEASE p":
			case "SET CONSTRAINTS ALL DEFERRED":
				deferred = true
			case "SET CONSTRAINTS ALL IMMEDIATE":
				deferred, check = false, true
			default:
				check = !deferred && !strings.HasPrefix(a.text, "SELECT")
			}
			if len(x.done) == 1 && len(x.steps) == 1 {
				check = true
				if keep {
					end = "COMMIT"
				}
			}
		}
		if check && code == "" {
			good, err := j.holds()
			if err != nil {
				return "", err
			}
			if !good {
				says, code = "", errs.CheckViolation
			}
		}
		last := i == len(x.done)-1
		if x.message && last {
			says = strings.TrimSpace(says + "\n" + strings.Join(rows, "\n"))
		} else if x.message && i == len(x.done)-2 && x.done[i+1].code != "" {
			says = strings.TrimSpace(says + "\n" + strings.Join(rows, "\n")) // what came before the error
		}
		final := x.done[len(x.done)-1].code
		switch {
		case code == a.code && (code != "" || says == strings.TrimSpace(a.says)):
		case (code == errs.CheckViolation || code == errs.ForeignKeyViolation) && final == code && x.outcome == refused:
			return "", nil // it was refused later, when it ran again and did not get as far as before
		case a.code == errs.CheckViolation && strings.HasPrefix(string(code), "23"):
			return "", nil // another constraint does not let it through either
		default:
			return fmt.Sprintf("%s -> %s%s", a.text, strings.ReplaceAll(says, "\n", ", "), code), nil
		}
		if code != "" && last {
			return "", nil
		}
	}
	return "", nil
}

// scope is a test whose cleanups come when it is closed.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) close() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// try runs a contest and judges it. came tells whether there is a verdict.
func (c *contest) try(t testing.TB) (wrong string, came bool) {
	s := &scope{TB: t}
	defer s.close()
	if !c.run(s) {
		return "", false
	}
	wrong, err := c.verdict(s)
	return wrong, err == nil
}

// shrink leaves out what can be left out so that the verdict is still wrong. What is left may go well by chance, so each
// attempt is made some times.
func (c *contest) shrink(t testing.TB, wrong string) (*contest, string) {
	best, script := *c, c.script()
	again := true
	try := func(x contest) bool {
		for range 3 {
			if w, came := x.try(t); came && w != "" {
				best, wrong, script, again = x, w, x.script(), true
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(time.Minute); again && time.Now().Before(end); {
		again = false
		for i := range best.clients {
			for k := len(best.clients[i]) - 1; k >= 0; k-- {
				x := best
				x.clients = slices.Clone(best.clients)
				x.clients[i] = slices.Delete(slices.Clone(best.clients[i]), k, k+1)
				if !try(x) {
					continue
				}
			}
			for k := range best.clients[i] {
				for n := len(best.clients[i][k].steps) - 2; n > 0; n-- {
					if s := best.clients[i][k].steps; n > len(s)-2 || strings.HasSuffix(s[n], " p") {
						continue
					}
					x := best
					x.clients = slices.Clone(best.clients)
					x.clients[i] = slices.Clone(best.clients[i])
					old := best.clients[i][k]
					x.clients[i][k] = &contestant{steps: slices.Delete(slices.Clone(old.steps), n, n+1), message: old.message}
					try(x)
				}
			}
		}
		for i := len(best.before) - 1; i >= 0; i-- {
			x := best
			x.before = slices.Delete(slices.Clone(best.before), i, i+1)
			try(x)
		}
	}
	return &best, wrong + "\n\n" + script
}

// TestRulesUnderConcurrency has several clients run random transactions under assertions of all shapes, and judges every answer: what was
// committed leaves the condition true, and what was refused could not have been committed where it was.
func TestRulesUnderConcurrency(t *testing.T) {
	limit := *concurrentFuzz
	if testing.Short() {
		limit = min(limit, 3*time.Second)
	}
	seed := *fuzzSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	overlapped := 0
	outcomes, shapesSeen, rounds := map[string]int{}, map[string]int{}, 0
	for end := time.Now().Add(limit); time.Now().Before(end); rounds++ {
		shape, c := shapes{rand.New(rand.NewPCG(seed, uint64(rounds)))}.contest(seed + uint64(rounds))
		wrong, came := c.try(t)
		for !came && len(c.before) > 0 && wrong == "" { // it does not hold to begin with
			c.before = c.before[:len(c.before)/2]
			wrong, came = c.try(t)
		}
		if !came {
			continue
		}
		if wrong != "" {
			first := wrong + "\n\n" + c.script()
			_, small := c.shrink(t, wrong)
			t.Fatalf("seed %d, round %d, %s, stepped %v: %s\n\nbefore leaving out anything: %s", seed, rounds, shape, c.stepped, small, first)
		}
		for _, list := range c.clients {
			for _, x := range list {
				what := string(x.outcome)
				if x.outcome == refused {
					what += " " + string(x.done[len(x.done)-1].code)
					if strings.HasSuffix(what, string(errs.CheckViolation)) {
						shapesSeen[shape]++
					}
				}
				outcomes[what]++
				if x.to > x.from+1 || x.to > x.from && x.version == 0 {
					overlapped++ // others were committed in the meantime
				}
			}
		}
	}
	t.Logf("%d contests, transactions: %v, %d beside commits of others; %d shapes refused something", rounds, outcomes, overlapped, len(shapesSeen))
	if outcomes[string(committed)] == 0 {
		t.Errorf("seed %d: nothing was ever committed", seed)
	}
}

// TestJudgeNotices: verdicts are wrong if the store isolates badly, or if an answer is another than it was.
func TestJudgeNotices(t *testing.T) {
	for _, fault := range []string{"skip validation", "ignore range reads", "skip marked reads", "skip rechecks"} {
		noticed := ""
		for round := uint64(0); noticed == "" && round < 400; round++ {
			_, c := shapes{rand.New(rand.NewPCG(1, round))}.contest(round)
			c.stepped, c.fault = true, fault
			if strings.Contains(fault, "mark") || strings.Contains(fault, "recheck") {
				// Few random conditions have checks whose reads of rows others change.
				c.condition = "NOT EXISTS (SELECT r.id FROM r JOIN s ON s.r = r.id WHERE s.c > r.a)"
			}
			noticed, _ = c.try(t)
		}
		if noticed == "" {
			t.Errorf("%s: it has not been noticed", fault)
		} else {
			t.Logf("%s: %s", fault, noticed)
		}
	}
	one := func(steps ...string) []*contestant { return []*contestant{{steps: steps}} }
	c := &contest{
		schema:    []string{"CREATE TABLE q (id int PRIMARY KEY, n int)"},
		before:    []string{"INSERT INTO q VALUES (1, 1)"},
		condition: "(SELECT sum(n) FROM q) <= 2",
		clients: [][]*contestant{
			one("BEGIN", "SELECT count(*) FROM q", "ROLLBACK"), one("BEGIN", "SAVEPOINT p", "INSERT INTO q VALUES (2, 5)", "ROLLBACK TO p", "INSERT INTO q VALUES (3, 1)", "COMMIT"),
			one("INSERT INTO q VALUES (4, 9)"),
		},
		stepped: true,
	}
	s := &scope{TB: t}
	defer s.close()
	if !c.run(s) {
		t.Fatal("it has not come about")
	}
	judged := func() string {
		wrong, err := c.verdict(s)
		if err != nil {
			t.Fatal(err)
		}
		return wrong
	}
	if wrong := judged(); wrong != "" {
		t.Fatal(wrong)
	}
	reads, writes, fails := c.clients[0][0], c.clients[1][0], c.clients[2][0]
	if reads.outcome != rolledBack || writes.outcome != committed || writes.version == 0 || fails.outcome != refused || writes.done[2].code != errs.CheckViolation {
		t.Fatalf("it went otherwise:\n%s", c.script())
	}
	for name, spoil := range map[string]func(){
		"another count":                  func() { reads.done[1].says = "SELECT 1\n7" },
		"let through within a savepoint": func() { writes.done[2] = answer{text: writes.done[2].text, says: "INSERT 0 1"} },
		"refused within a savepoint":     func() { writes.done[4] = answer{text: writes.done[4].text, code: errs.CheckViolation} },
		"refused for another reason":     func() { fails.done[0].code = errs.UniqueViolation },
		"refused without reason":         func() { fails.done[0].text = "INSERT INTO q VALUES (4, 0)" },
		"let through":                    func() { fails.done[0].code, fails.done[0].says, fails.outcome = "", "INSERT 0 1", committed },
		"committed elsewhere":            func() { writes.version = 0 },
		"told to retry":                  func() { fails.outcome = conflicted },
	} {
		if !c.run(s) {
			t.Fatal("it has not come about")
		}
		reads, writes, fails = c.clients[0][0], c.clients[1][0], c.clients[2][0]
		spoil()
		if wrong := judged(); (wrong == "") != (name == "committed elsewhere") { // that is explained by the states around it
			t.Errorf("%s: the verdict is %q", name, wrong)
		}
	}
}
