// Package crash tests what the real binary leaves behind when it is killed, and how it starts and ends.
package crash

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/compat_tests/testserver"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { testserver.RunMain(m) }

func connect(t *testing.T, p *testserver.Process) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testserver.Patience)
	defer cancel()
	c, err := pgx.Connect(ctx, p.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// TestRefusals: what keeps the server from starting is told in one line, and the exit code is 1.
func TestRefusals(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := testserver.Serve(t, data)
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "letter.txt"), []byte("dear"), 0o644); err != nil {
		t.Fatal(err)
	}
	marker, err := os.ReadFile(filepath.Join(data, "HOLDFAST"))
	if err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, "HOLDFAST"), []byte(strings.TrimRight(string(marker), "0123456789\n")+"999999\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ name, data, addr, want string }{
		{"second server on a folder", data, testserver.FreeAddress(t), "in use"},
		{"port in use", filepath.Join(t.TempDir(), "other"), first.Addr, "in use"},
		{"folder of something else", foreign, testserver.FreeAddress(t), "no HOLDFAST file"},
		{"folder of a newer version", newer, testserver.FreeAddress(t), "has format 999999"},
		{"a file", file, testserver.FreeAddress(t), file},
		{"every interface", filepath.Join(t.TempDir(), "other"), "0.0.0.0:0", "loopback"},
		{"no host", filepath.Join(t.TempDir(), "other"), ":5433", "loopback"},
		{"no port", filepath.Join(t.TempDir(), "other"), "127.0.0.1", "host:port"},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := testserver.Launch(t, x.data, x.addr)
			if status := p.Exit(t); status != 1 {
				t.Errorf("exit code %d", status)
			}
			text := p.Stderr()
			if strings.Count(text, "\n") != 1 || !strings.Contains(text, x.want) || strings.Contains(text, "panic") {
				t.Errorf("message %q", text)
			}
		})
	}
	if _, err := connect(t, first).Exec(context.Background(), "SELECT 1"); err != nil {
		t.Errorf("the first server: %v", err)
	}
	entries, err := os.ReadDir(foreign)
	if err != nil || len(entries) != 1 {
		t.Errorf("the foreign folder was written to: %v, %v", entries, err)
	}
}

// TestTerminate: SIGTERM under load ends the server with code 0, and nothing that was acknowledged is lost.
func TestTerminate(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := testserver.Serve(t, data)
	w := newWorkload(t, p)
	w.start(p)
	w.await(50)
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.Exit(t); status != 0 {
		t.Errorf("exit code %d: %s", status, p.Stderr())
	}
	w.join()
	w.verify(testserver.Serve(t, data))
}

// TestInterrupt: SIGINT ends an idle server as well.
func TestInterrupt(t *testing.T) {
	p := testserver.Serve(t, filepath.Join(t.TempDir(), "data"))
	if err := p.Cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := p.Exit(t); status != 0 {
		t.Errorf("exit code %d: %s", status, p.Stderr())
	}
}
