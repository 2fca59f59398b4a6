package anomalies

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// A script is one anomaly: tables, the statements of some sessions in the order in which they are given, and how
// the anomaly is told. Its file has a head and four parts, with an empty line between them:
//
//	title: Lost update
//	codes: P4
//	What it is, on one or more lines.
//
//	setup
//	CREATE TABLE test (id int PRIMARY KEY, value int NOT NULL)
//
//	steps
//	a: BEGIN
//	a one: SELECT value FROM test
//	a: COMMIT
//
//	final
//	SELECT id, value FROM test ORDER BY id
//
//	anomaly
//	one = 10
//	final != 1|11
//
// A step is a session, a label if the conditions speak of it, and a statement, all on one line. A condition
// compares the rows of a step, or the final ones, with rows: values are separated by "|" and rows by ", ";
// "none" is no rows; of a statement without rows it is the command tag. "a commits" is the condition that no
// transaction of a was refused. The anomaly happened if all conditions hold and no session whose labels they
// use was refused. A script for Play has no last part, and needs no codes.
type script struct {
	name       string
	title      string
	codes      string
	about      string
	setup      []string
	steps      []step
	final      string
	conditions []condition
}

// step is one statement of a session.
type step struct {
	session string
	label   string
	sql     string
}

// condition is one line of the part "anomaly".
type condition struct {
	commits string // a session; the rest is unused
	label   string // of a step, or "final"
	equal   bool
	rows    string
}

var stepForm = regexp.MustCompile(`^([a-z])(?: ([a-z]+))?: (.+)$`)

// readScript reads the file of a script.
func readScript(name, file string) (*script, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := parseScript(name, string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

func parseScript(name, text string) (*script, error) {
	s := &script{name: name}
	parts := strings.Split(strings.TrimSpace(text), "\n\n")
	if len(parts) != 4 && len(parts) != 5 {
		return nil, fmt.Errorf("%d parts: it takes a head, setup, steps, final and anomaly", len(parts))
	}
	for _, line := range strings.Split(parts[0], "\n") {
		if v, ok := strings.CutPrefix(line, "title: "); ok {
			s.title = v
		} else if v, ok := strings.CutPrefix(line, "codes: "); ok {
			s.codes = v
		} else {
			s.about += line + "\n"
		}
	}
	if s.title == "" || s.codes == "" && len(parts) == 5 || s.about == "" {
		return nil, fmt.Errorf("the head needs a title, codes and a description")
	}
	labels := []string{"final"}
	for i, keyword := range []string{"setup", "steps", "final", "anomaly"}[:len(parts)-1] {
		lines := strings.Split(parts[i+1], "\n")
		if lines[0] != keyword || len(lines) < 2 {
			return nil, fmt.Errorf("part %d is not %q with lines under it", i+2, keyword)
		}
		for _, line := range lines[1:] {
			switch keyword {
			case "setup":
				s.setup = append(s.setup, line)
			case "steps":
				m := stepForm.FindStringSubmatch(line)
				if m == nil {
					return nil, fmt.Errorf("not a step: %s", line)
				}
				s.steps = append(s.steps, step{session: m[1], label: m[2], sql: m[3]})
				labels = append(labels, m[2])
			case "final":
				s.final = line
			case "anomaly":
				c, err := parseCondition(line)
				if err != nil {
					return nil, err
				}
				if c.commits == "" && !slices.Contains(labels, c.label) {
					return nil, fmt.Errorf("no step is called %q", c.label)
				}
				s.conditions = append(s.conditions, c)
			}
		}
	}
	return s, nil
}

func parseCondition(line string) (condition, error) {
	if session, ok := strings.CutSuffix(line, " commits"); ok {
		return condition{commits: session}, nil
	}
	if label, rows, ok := strings.Cut(line, " != "); ok {
		return condition{label: label, rows: rows}, nil
	}
	if label, rows, ok := strings.Cut(line, " = "); ok {
		return condition{label: label, equal: true, rows: rows}, nil
	}
	return condition{}, fmt.Errorf("not a condition: %s", line)
}

// sessions are the names of a script's sessions.
func (s *script) sessions() []string {
	var names []string
	for _, st := range s.steps {
		if !slices.Contains(names, st.session) {
			names = append(names, st.session)
		}
	}
	slices.Sort(names)
	return names
}
