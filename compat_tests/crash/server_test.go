// Package crash tests what the real binary leaves behind when it is killed, and how it starts and ends.
package crash

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// binary is the server, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "holdfast-crash")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "holdfast")
	build := exec.Command("go", "build", "-o", binary, "holdfast/cmd/holdfast")
	build.Stderr = os.Stderr
	status := 1
	if err := build.Run(); err == nil {
		status = m.Run()
	}
	os.RemoveAll(folder)
	os.Exit(status)
}

// patience is after which an event is taken not to happen.
const patience = 20 * time.Second

// process is a running server.
type process struct {
	cmd    *exec.Cmd
	addr   string
	ready  chan struct{} // closed when it has announced itself
	ended  chan struct{}
	stderr bytes.Buffer // complete when ended
}

// freeAddress is a loopback address with a port that was free just now.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// launch starts the server without waiting for it.
func launch(t *testing.T, data, addr string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, "serve", "--data", data, "--listen", addr, "--cache-mb", "32"), addr: addr,
		ready: make(chan struct{}), ended: make(chan struct{})}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		announced := false
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if !announced && strings.HasPrefix(lines.Text(), "Connect with") {
				announced = true
				close(p.ready)
			}
		}
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

// serve starts the server and waits until it can be connected to.
func serve(t *testing.T, data string) *process {
	t.Helper()
	p := launch(t, data, freeAddress(t))
	select {
	case <-p.ready:
	case <-p.ended:
		t.Fatalf("the server does not start: %s", p.stderr.String())
	case <-time.After(patience):
		t.Fatal("the server does not become ready")
	}
	return p
}

// kill ends the server with SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// exit waits for the server's end and returns its status.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("the server does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) dsn() string { return fmt.Sprintf("postgres://postgres@%s/postgres", p.addr) }

func (p *process) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, p.dsn())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// TestRefusals: what keeps the server from starting is told in one line, and the exit code is 1.
func TestRefusals(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := serve(t, data)
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
		{"second server on a folder", data, freeAddress(t), "in use"},
		{"port in use", filepath.Join(t.TempDir(), "other"), first.addr, "in use"},
		{"folder of something else", foreign, freeAddress(t), "no HOLDFAST file"},
		{"folder of a newer version", newer, freeAddress(t), "has format 999999"},
		{"a file", file, freeAddress(t), file},
		{"every interface", filepath.Join(t.TempDir(), "other"), "0.0.0.0:0", "loopback"},
		{"no host", filepath.Join(t.TempDir(), "other"), ":5433", "loopback"},
		{"no port", filepath.Join(t.TempDir(), "other"), "127.0.0.1", "host:port"},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := launch(t, x.data, x.addr)
			if status := p.exit(t); status != 1 {
				t.Errorf("exit code %d", status)
			}
			text := p.stderr.String()
			if strings.Count(text, "\n") != 1 || !strings.Contains(text, x.want) || strings.Contains(text, "panic") {
				t.Errorf("message %q", text)
			}
		})
	}
	if _, err := first.connect(t).Exec(context.Background(), "SELECT 1"); err != nil {
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
	p := serve(t, data)
	w := newWorkload(t, p)
	w.start(p)
	w.await(50)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.exit(t); status != 0 {
		t.Errorf("exit code %d: %s", status, p.stderr.String())
	}
	w.join()
	w.verify(serve(t, data))
}

// TestInterrupt: SIGINT ends an idle server as well.
func TestInterrupt(t *testing.T) {
	p := serve(t, filepath.Join(t.TempDir(), "data"))
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := p.exit(t); status != 0 {
		t.Errorf("exit code %d: %s", status, p.stderr.String())
	}
}
