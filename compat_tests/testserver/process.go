package testserver

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is after which an event is taken not to happen.
const Patience = 20 * time.Second

// built is the folder of the binary, "" if it was not built.
var built string

// build makes the binary, once for all tests of a package.
var build = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "holdfast-binary")
	if err != nil {
		return "", err
	}
	built = folder
	binary := filepath.Join(folder, "holdfast")
	if out, err := exec.Command("go", "build", "-o", binary, "holdfast/cmd/holdfast").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the server: %w: %s", err, out)
	}
	return binary, nil
})

// Binary is the path of the server's binary, which is built if need be. RunMain removes it.
func Binary(t testing.TB) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// RunMain is the TestMain of a package that uses Binary.
func RunMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(status)
}

// Process is a running server of the real binary.
type Process struct {
	Cmd   *exec.Cmd
	Addr  string
	Ready chan struct{} // closed when it has announced itself
	Ended chan struct{}

	stderr bytes.Buffer
}

// FreeAddress is a loopback address with a port that was free just now.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Launch starts the binary without waiting for it. It is killed when the test ends.
func Launch(t testing.TB, data, addr string) *Process {
	t.Helper()
	p := &Process{
		Cmd:  exec.Command(Binary(t), "serve", "--data", data, "--listen", addr, "--cache-mb", "32"),
		Addr: addr, Ready: make(chan struct{}), Ended: make(chan struct{}),
	}
	stdout, err := p.Cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Cmd.Stderr = &p.stderr
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		announced := false
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if !announced && strings.HasPrefix(lines.Text(), "Connect with") {
				announced = true
				close(p.Ready)
			}
		}
		_ = p.Cmd.Wait()
		close(p.Ended)
	}()
	t.Cleanup(func() { p.Kill() })
	return p
}

// Serve starts the binary and waits until it can be connected to.
func Serve(t testing.TB, data string) *Process {
	t.Helper()
	p := Launch(t, data, FreeAddress(t))
	select {
	case <-p.Ready:
	case <-p.Ended:
		t.Fatalf("the server does not start: %s", p.Stderr())
	case <-time.After(Patience):
		t.Fatal("the server does not become ready")
	}
	return p
}

// Kill ends the server with SIGKILL.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.Ended
}

// Stderr is what the server has written to it. It must have ended.
func (p *Process) Stderr() string {
	<-p.Ended
	return p.stderr.String()
}

// Exit waits for the server's end and returns its status.
func (p *Process) Exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(Patience):
		t.Fatal("the server does not end")
	}
	return p.Cmd.ProcessState.ExitCode()
}

// DSN is for pgx: URL with user and database.
func (p *Process) DSN() string { return fmt.Sprintf("postgres://postgres@%s/postgres", p.Addr) }
