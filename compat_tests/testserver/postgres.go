package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
)

// postgresBinaries is where the PostgreSQL is installed that expected output is recorded from.
const postgresBinaries = "/usr/lib/postgresql/15/bin"

// A Postgres is a private PostgreSQL server: its own folder, a unix socket in it and no TCP port, the C locale
// and UTC, so that what it answers depends on nothing of the machine. Only recording needs one.
type Postgres struct {
	t      testing.TB
	folder string
}

// StartPostgres starts one for the length of a test. PostgreSQL refuses to run as root: then it runs as the user
// postgres.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	folder, err := os.MkdirTemp("", "holdfast-record")
	if err != nil {
		t.Fatal(err)
	}
	p := &Postgres{t: t, folder: folder}
	if os.Geteuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	data := filepath.Join(folder, "data")
	p.run("initdb", fmt.Sprintf("-D %s -U postgres -A trust --locale=C -E UTF8 --no-sync", data))
	p.run("pg_ctl", fmt.Sprintf("-D %s -w -l %s/log -o \"-k %s -c listen_addresses='' -c fsync=off -c timezone=UTC -c log_timezone=UTC\" start", data, folder, folder))
	t.Cleanup(func() { p.run("pg_ctl", fmt.Sprintf("-D %s -m immediate stop", data)) })
	return p
}

// run runs one of PostgreSQL's programs as the server's user.
func (p *Postgres) run(program, arguments string) {
	p.t.Helper()
	line := filepath.Join(postgresBinaries, program) + " " + arguments
	command := exec.Command("sh", "-c", line)
	if os.Geteuid() == 0 {
		command = exec.Command("su", "postgres", "-c", line)
	}
	command.Dir = p.folder
	if out, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// DSN is the connection string of one of its databases, such as "postgres".
func (p *Postgres) DSN(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s", p.folder, database)
}

// Database makes a database and gives psql's arguments for it.
func (p *Postgres) Database(name string) []string {
	p.t.Helper()
	where := []string{"-h", p.folder, "-U", "postgres"}
	command := exec.Command("psql", append(where, "-X", "-q", "-d", "postgres", "-c", "CREATE DATABASE "+name+" TEMPLATE template0")...)
	if out, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("create database: %v\n%s", err, out)
	}
	return append(where, "-d", name)
}
