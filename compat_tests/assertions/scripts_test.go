package assertions

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/compat_tests/anomalies"
	"holdfast/compat_tests/regress"
	"holdfast/compat_tests/testserver"
)

var record = flag.Bool("record", false, "record what the scripts come to, and write docs/tpcc.md")

// TestScripts runs the scripts of one session.
func TestScripts(t *testing.T) {
	needPsql(t)
	for _, script := range glob(t, "sql/*.sql") {
		t.Run(name(script), func(t *testing.T) {
			compare(t, name(script), runScript(t, testserver.Start(t), script))
		})
	}
}

// TestSessions runs the scripts of several sessions.
func TestSessions(t *testing.T) {
	server := testserver.Start(t)
	for _, script := range glob(t, "sessions/*.txt") {
		t.Run(name(script), func(t *testing.T) {
			_, transcript, serial, err := anomalies.Play(t.Context(), server, script)
			if err != nil {
				t.Fatal(err)
			}
			if !serial {
				t.Errorf("no order of the committed transactions explains it:\n%s", transcript)
			}
			if strings.Contains(transcript, "-> 40001") || strings.Contains(transcript, "-> 40P01") {
				t.Errorf("somebody is asked to retry:\n%s", transcript)
			}
			compare(t, name(script), strings.Split(transcript, "\n"))
		})
	}
}

// TestEveryScriptCompares has every script say what the other databases do.
func TestEveryScriptCompares(t *testing.T) {
	for _, script := range append(glob(t, "sql/*.sql"), glob(t, "sessions/*.txt")...) {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(text), "\n\n")
		for _, database := range []string{"Oracle 26ai:", "Endb:", "PostgreSQL:"} {
			if !strings.Contains(head, database) {
				t.Errorf("the head of %s does not tell what becomes of it in %s", script, strings.TrimSuffix(database, ":"))
			}
		}
	}
}

func needPsql(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not installed")
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	return files
}

func name(script string) string {
	return strings.TrimSuffix(filepath.Base(script), filepath.Ext(script))
}

// runScript gives what psql prints for a script, whose marks must be right.
func runScript(t *testing.T, server *testserver.Server, script string) []string {
	t.Helper()
	lines := regress.Run(t, script, []string{"-h", server.Host, "-p", server.Port, "-U", "postgres", "-d", "postgres"})
	if err := checkMarks(lines); err != nil {
		t.Errorf("%s: %v", script, err)
	}
	return lines
}

// checkMarks compares what psql has printed, each statement before its answer, with the marks in the script.
func checkMarks(lines []string) error {
	for i := 0; i < len(lines); i++ {
		mark := lines[i]
		if strings.HasPrefix(mark, "ERROR:") {
			return fmt.Errorf("not marked as refused: %s", mark)
		}
		if mark != "-- refused" && mark != "-- never" && mark != "-- checked" {
			continue
		}
		statement := i + 1
		for i++; i < len(lines) && !strings.HasSuffix(lines[i], ";"); i++ {
		}
		i++
		from := i
		for i < len(lines) && lines[i] != "" && !strings.HasPrefix(lines[i], "(") && !strings.HasPrefix(lines[i], "-- ") && !strings.HasSuffix(lines[i], ";") {
			i++
		}
		answer := strings.Join(lines[min(from, len(lines)):min(i, len(lines))], "\n")
		good := false
		switch mark {
		case "-- refused":
			good = strings.HasPrefix(answer, "ERROR:")
		case "-- never":
			good = strings.Contains(answer, ": never")
		case "-- checked":
			good = strings.Contains(answer, ": check ") && strings.Contains(answer, "Transition Scan") && !strings.Contains(answer, "Seq Scan")
		}
		if !good {
			return fmt.Errorf("%s:\n%s\n%s", mark, strings.Join(lines[statement:min(from, len(lines))], "\n"), answer)
		}
		i--
	}
	return nil
}

// compare compares what a script has come to with its record, or records it.
func compare(t *testing.T, name string, actual []string) {
	t.Helper()
	file := filepath.Join("expected", name+".out")
	if *record {
		if err := os.WriteFile(file, []byte(strings.Join(actual, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	expected, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range regress.Compare(strings.Split(string(expected), "\n"), actual) {
		t.Errorf("%s:%d:\n%s", file, h.Line, h)
	}
}

// TestMarks: a mark that is wrong is noticed.
func TestMarks(t *testing.T) {
	for _, c := range []struct {
		lines string
		good  bool
	}{
		{"INSERT;\n-- refused\nDELETE\nFROM t;\nERROR:  no\nDETAIL:  none\nINSERT;", true},
		{"-- refused\nDELETE;\nINSERT;\nERROR:  no", false},
		{"INSERT;\nERROR:  no", false},
		{"-- refused\nDELETE;\nERROR:  no\nINSERT;\nERROR:  no", false},
		{"-- refused\nDELETE;", false},
		{"-- never\nEXPLAIN;\n QUERY PLAN \n-----\n INSERT ON t: never\n(1 row)", true},
		{"-- never\nEXPLAIN;\n QUERY PLAN \n-----\n INSERT ON t: check 1\n(1 row)", false},
		{"-- checked\nEXPLAIN;\n QUERY PLAN \n-----\n INSERT ON t: check 1\n   Transition Scan on t\n(1 row)", true},
		{"-- checked\nEXPLAIN;\n QUERY PLAN \n-----\n INSERT ON t: check 1\n   Transition Scan on t\n  Seq Scan on s\n(1 row)", false},
	} {
		if err := checkMarks(strings.Split(c.lines, "\n")); (err == nil) != c.good {
			t.Errorf("%q: %v", c.lines, err)
		}
	}
}
