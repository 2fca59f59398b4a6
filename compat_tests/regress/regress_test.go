package regress

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/compat_tests/testserver"
)

var record = flag.Bool("record", false, "record the expected output from a private PostgreSQL 15")

func TestRegress(t *testing.T) {
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not installed")
	}
	scripts, err := filepath.Glob("sql/*.sql")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if *record {
		recordExpected(t, scripts)
		return
	}
	differences, err := readDifferences("differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".sql")
		t.Run(name, func(t *testing.T) {
			ran[name] = true
			checkScript(t, script, name, differences)
		})
	}
	for _, d := range differences {
		known := slices.Contains(scripts, filepath.Join("sql", d.script+".sql"))
		if !known || ran[d.script] && !d.used {
			t.Errorf("differences.txt:%d: script %s no longer differs like this: remove the entry", d.line, d.script)
		}
	}
}

// checkScript runs one script on a new server and reports what differs and is not meant to.
func checkScript(t *testing.T, script, name string, differences []*difference) {
	expected, err := os.ReadFile(expectedFile(name))
	if err != nil {
		t.Fatal(err)
	}
	server := testserver.Start(t)
	actual := Run(t, script, []string{"-h", server.Host, "-p", server.Port, "-U", "postgres", "-d", "postgres"})
	for _, h := range Compare(strings.Split(string(expected), "\n"), actual) {
		meant := false
		for _, d := range differences {
			if d.script == name && d.hunk.key() == h.key() {
				d.used, meant = true, true
			}
		}
		if !meant {
			t.Errorf("%s:%d:\n%s", expectedFile(name), h.Line, h)
		}
	}
}

func recordExpected(t *testing.T, scripts []string) {
	server := testserver.StartPostgres(t)
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".sql")
		out := Run(t, script, server.Database("regress_"+name))
		if err := os.WriteFile(expectedFile(name), []byte(strings.Join(out, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func expectedFile(name string) string { return filepath.Join("expected", name+".out") }

func TestCompare(t *testing.T) {
	for _, c := range []struct{ expected, actual, want string }{
		{"a b c", "a b c", ""},
		{"a b c", "a x c", "-b\n+x\n"},
		{"a b c d", "b c", "-a\n|-d\n"},
		{"a b", "a b c", "+c\n"},
		{"a b c d e", "a x b c y e", "+x\n|-d\n+y\n"},
	} {
		var got []string
		for _, h := range Compare(strings.Fields(c.expected), strings.Fields(c.actual)) {
			got = append(got, h.String())
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%q against %q: %q, want %q", c.expected, c.actual, strings.Join(got, "|"), c.want)
		}
	}
}
