package planner_test

import (
	"encoding/json"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"

	"holdfast/planner/sessiontest"
)

const spentSchema = `CREATE TABLE team (id int PRIMARY KEY, budget int, note text);
	CREATE TABLE spent (id int PRIMARY KEY, team int REFERENCES team ON DELETE CASCADE, amount int NOT NULL, note text); CREATE INDEX ON spent (team);
	INSERT INTO team VALUES (1, 100), (2, 100); INSERT INTO spent VALUES (1, 1, 60), (2, 2, 70);
	CREATE ASSERTION within CHECK (NOT EXISTS (SELECT team.id, budget FROM team WHERE (SELECT sum(amount) FROM spent WHERE spent.team = team.id) > budget));
	CREATE ASSERTION few CHECK ((SELECT count(*) FROM team) < 5) DEFERRABLE INITIALLY DEFERRED`

// ruleLines are the lines of EXPLAIN about rules, times left out.
func ruleLines(text string) string {
	var lines []string
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, "Rule ") || strings.HasPrefix(l, "Trigger ") {
			lines = append(lines, regexp.MustCompile(`time=\d+\.\d+ `).ReplaceAllString(l, ""))
		}
	}
	return strings.Join(lines, "\n")
}

// TestExplainRules: EXPLAIN of a statement that changes rows shows the checks that it makes, and with ANALYZE what became of each.
func TestExplainRules(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(spentSchema)
	for _, test := range []struct{ statement, want string }{
		{"EXPLAIN SELECT * FROM team", ""},
		{"EXPLAIN INSERT INTO spent VALUES (3, 1, 1)", "Rule within: check 2, by spent"},
		{"EXPLAIN DELETE FROM team", ""},
		{"EXPLAIN INSERT INTO team VALUES (3, 1)", "Rule few: check 1, by team: deferred\nRule within: check 1, by team"},
		{"EXPLAIN UPDATE spent SET note = 'x'", ""},
		{"EXPLAIN VERBOSE UPDATE spent SET note = 'x'", "Rule within: check 2, by spent: skipped, since it assigns no column that matters"},
		{"EXPLAIN ANALYZE UPDATE spent SET note = 'x'", "Rule within: check 2, by spent: skipped, since it assigns no column that matters"},
		{"EXPLAIN ANALYZE UPDATE spent SET amount = amount", "Rule within: check 2, by spent: skipped, since nothing that it reads has changed"},
		{"EXPLAIN ANALYZE UPDATE spent SET amount = amount - 1 WHERE id = 1", "Rule within: check 2, by spent: skipped, since none of the changed rows can violate it"},
		{"EXPLAIN ANALYZE INSERT INTO spent VALUES (3, 1, 1), (4, 1, 2)",
			"Rule within: check 2, by spent: calls=1 changed=2 looked=2 read=1\nTrigger for constraint spent_team_fkey: calls=1"},
		{"EXPLAIN (ANALYZE, TIMING off) INSERT INTO spent VALUES (5, 1, 1)",
			"Rule within: check 2, by spent: calls=1 changed=1 looked=1 read=1\nTrigger for constraint spent_team_fkey: calls=1"},
		{"EXPLAIN ANALYZE WITH made AS (INSERT INTO team VALUES (3, 10)) INSERT INTO spent VALUES (6, 3, 10)", `
Rule few: check 1, by team: deferred
Rule within: check 1, by team: calls=1 changed=1 looked=1 read=0
Rule within: check 2, by spent: calls=1 changed=1 looked=1 read=1
Trigger for constraint spent_team_fkey: calls=1`[1:]},
		// What the action deletes can violate nothing.
		{"EXPLAIN ANALYZE DELETE FROM team WHERE id = 3", `
Rule few: check 1, by team: skipped, since no such change can violate it
Rule within: check 1, by team: skipped, since no such change can violate it
Rule within: check 2, by spent: skipped, since none of the changed rows can violate it
Trigger for constraint spent_team_fkey: calls=1`[1:]},
	} {
		if got := ruleLines(c.Must(test.statement).String()); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.statement, got, test.want)
		}
	}
	c.Must("BEGIN; SET CONSTRAINTS few IMMEDIATE")
	if got, want := ruleLines(c.Must("EXPLAIN INSERT INTO team VALUES (3, 1)").String()), "Rule few: check 1, by team\nRule within: check 1, by team"; got != want {
		t.Errorf("after SET CONSTRAINTS:\n%s\nwant\n%s", got, want)
	}
	c.Must("ROLLBACK")
}

// TestExplainFormats has the formats for programs say what the text says.
func TestExplainFormats(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(spentSchema)
	const insert = "INSERT INTO spent VALUES (3, 1, 1)"
	var plans []struct {
		Plan struct {
			NodeType   string  `json:"Node Type"`
			TotalCost  float64 `json:"Total Cost"`
			ActualRows float64 `json:"Actual Rows"`
			Plans      []any
		}
		Triggers []struct {
			Name  string `json:"Constraint Name"`
			Time  float64
			Calls int
		}
		Rules []struct {
			Assertion, By, Status string
			Check                 int
			Changed               int `json:"Rows Changed"`
			Looked                int `json:"Rows Looked At"`
			Read                  int `json:"Rows Read"`
		}
		ExecutionTime float64 `json:"Execution Time"`
	}
	if err := json.Unmarshal([]byte(c.Must("EXPLAIN (ANALYZE, FORMAT JSON) "+insert).String()), &plans); err != nil {
		t.Fatal(err)
	}
	p := plans[0]
	if len(plans) != 1 || p.Plan.NodeType != "Insert" || p.ExecutionTime <= 0 || len(p.Plan.Plans) != 1 || len(p.Triggers) != 1 || p.Triggers[0].Calls != 1 || len(p.Rules) != 1 {
		t.Fatalf("the plan is %+v", p)
	}
	if r := p.Rules[0]; r.Assertion != "within" || r.By != "spent" || r.Check != 2 || r.Status != "run" || r.Changed != 1 || r.Looked != 1 || r.Read == 0 {
		t.Errorf("the rule is %+v", r)
	}

	c.Query("EXPLAIN (COSTS off, FORMAT YAML) SELECT * FROM team WHERE note = 'a\"b'", `
- Plan: 
    Node Type: "Seq Scan"
    Filter: "(note = 'a\"b'::text)"`[1:])
	c.Query("EXPLAIN (COSTS off, FORMAT XML) INSERT INTO team VALUES (3, 1)", `
<explain xmlns="http://www.postgresql.org/2009/explain">
  <Query>
    <Plan>
      <Node-Type>Insert</Node-Type>
      <Plans>
        <Plan>
          <Node-Type>Result</Node-Type>
        </Plan>
      </Plans>
    </Plan>
    <Rules>
      <Rule>
        <Assertion>few</Assertion>
        <In-Full>false</In-Full>
        <Check>1</Check>
        <By>team</By>
        <Status>deferred</Status>
      </Rule>
      <Rule>
        <Assertion>within</Assertion>
        <In-Full>false</In-Full>
        <Check>1</Check>
        <By>team</By>
        <Status>run</Status>
      </Rule>
    </Rules>
  </Query>
</explain>`[1:])
	if err := xml.Unmarshal([]byte(c.Must("EXPLAIN (FORMAT XML) SELECT * FROM team WHERE budget < 3 AND note > '&'").String()), new(struct{})); err != nil {
		t.Error(err)
	}
}

// TestExplainAssertionFormats: EXPLAIN ASSERTION for programs, and with ANALYZE.
func TestExplainAssertionFormats(t *testing.T) {
	c := sessiontest.Open(t).Connect()
	c.Must(spentSchema)
	var list []struct {
		Assertion, Schema, State, Result string
		Changes                          []struct {
			Operation, Table string
			Checked          bool
			Columns          []string
			Checks           []struct{ Check int }
		}
		Checks []struct {
			Check     int
			By        string
			Plan      map[string]any
			FullScans []struct {
				Table       string
				CreateIndex string `json:"Create Index"`
			} `json:"Full Scans"`
		}
		Evaluations []struct{ Plan map[string]any }
	}
	read := func(statement string) {
		t.Helper()
		list = nil
		if err := json.Unmarshal([]byte(c.Must(statement).String()), &list); err != nil || len(list) != 1 {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	read("EXPLAIN (FORMAT JSON) ASSERTION within FOR UPDATE OF amount ON spent")
	x := list[0]
	if x.Assertion != "within" || x.Schema != "public" || x.State != "enforced" || x.Result != "" || len(x.Changes) != 1 || len(x.Checks) != 1 {
		t.Fatalf("%+v", x)
	}
	if e := x.Changes[0]; e.Operation != "UPDATE" || e.Table != "spent" || !e.Checked || len(e.Columns) != 1 || e.Columns[0] != "amount" || e.Checks[0].Check != 2 {
		t.Errorf("%+v", e)
	}
	if k := x.Checks[0]; k.Check != 2 || k.By != "spent" || k.Plan["Node Type"] != "Accumulator Check" || k.Plan["Total Cost"] == nil || len(k.FullScans) != 0 {
		t.Errorf("%+v", k)
	}
	c.Must("DROP INDEX spent_team_idx")
	c.Must("CREATE ASSERTION highest CHECK (NOT EXISTS (SELECT team.id FROM team WHERE (SELECT max(amount) FROM spent WHERE spent.team = team.id) > budget))")
	read("EXPLAIN (FORMAT JSON, COSTS off) ASSERTION highest")
	if k := list[0].Checks[0]; len(k.FullScans) != 1 || k.FullScans[0].CreateIndex != "CREATE INDEX ON public.spent (team, amount);" {
		t.Errorf("%+v", k)
	}
	c.Must("DROP ASSERTION highest")
	read("EXPLAIN (FORMAT JSON, COSTS off, ANALYZE) ASSERTION within")
	x = list[0]
	if k := x.Checks[0]; k.Plan["Total Cost"] != nil || len(k.FullScans) != 0 {
		t.Errorf("%+v", k)
	}
	if x.Result != "holds" || len(x.Evaluations) != 1 || x.Evaluations[0].Plan["Actual Loops"] != 1.0 || len(x.Changes) != 6 {
		t.Errorf("%+v", x)
	}
	c.Must("ALTER ASSERTION within NOT ENFORCED; UPDATE team SET budget = 65 WHERE id = 2")
	text := c.Must("EXPLAIN (ANALYZE, COSTS off, TIMING off) ASSERTION within FOR INSERT ON team").String()
	if _, end, _ := strings.Cut(text, "Evaluated in full:\n"); !strings.HasPrefix(end, "  Limit (actual rows=1 loops=1)\n") ||
		!strings.HasSuffix(end, "\nResult: violated. Violating row: (id, budget) = (2, 65).") {
		t.Errorf("EXPLAIN ANALYZE ASSERTION:\n%s", text)
	}
	c.Query("SELECT violations FROM pg_stat_assertions WHERE assertionname = 'within'", "1") // that of the statement
}
