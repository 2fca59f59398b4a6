// Package regress runs psql scripts against Holdfast and compares every line that psql prints with what it prints
// against PostgreSQL 15: rows, headings, command tags, notices, errors with their positions, and psql's own
// descriptions of tables.
//
// sql/NAME.sql is a script and expected/NAME.out what PostgreSQL prints for it, recorded by
//
//	go test ./compat_tests/regress -run TestRegress -record
//
// and never edited. The test needs psql and no PostgreSQL server: each script gets a Holdfast of its own, empty,
// inside of the test. Meant differences are in differences.txt, each with its reason; any other difference fails
// the test, and so does an entry that no script needs any longer.
//
// What depends on the order of rows is ordered in the script; what depends on the machine is not printed.
package regress

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// scriptTimeout bounds one script: the slowest takes about a second.
const scriptTimeout = 60 * time.Second

// Run gives the lines that psql prints for a script, standard output and errors in the order in which they come. where
// is psql's arguments for the connection.
func Run(t testing.TB, script string, where []string) []string {
	t.Helper()
	input, err := os.Open(script)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "psql", append(where, "-X", "-a", "-q", "-v", "VERBOSITY=default")...)
	command.Stdin = input
	command.Env = append(os.Environ(), "PGTZ=UTC", "PGDATESTYLE=ISO, MDY", "PGCLIENTENCODING=UTF8", "PGOPTIONS=", "LC_ALL=C", "COLUMNS=")
	var out strings.Builder
	command.Stdout = &out
	command.Stderr = command.Stdout
	err = command.Run()
	if ctx.Err() != nil {
		t.Errorf("psql did not end in %v", scriptTimeout)
	} else if err != nil {
		t.Errorf("psql: %v", err)
	}
	return strings.Split(out.String(), "\n")
}
