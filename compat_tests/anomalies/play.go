package anomalies

import (
	"context"
	"path/filepath"
	"strings"

	"holdfast/compat_tests/testserver"
	"holdfast/kv/pebblekv"
)

// Play runs a script of several sessions, such as those of this package but without the part "anomaly", on a
// server, and gives its title and what came of it: a line for each step, with the SQLSTATE, message and DETAIL of
// errors. serial tells whether the committed transactions give the answers and leave the rows of some order of them run
// one after the other. Other tests have their interleavings run so: what it says of waiting, and of running nothing
// by the clock, is in run.go.
func Play(ctx context.Context, s *testserver.Server, file string) (title, transcript string, serial bool, err error) {
	script, err := readScript(strings.TrimSuffix(filepath.Base(file), ".txt"), file)
	if err != nil {
		return "", "", false, err
	}
	srv := inProcess(s)
	h, err := srv.run(ctx, script, "")
	if err != nil {
		return "", "", false, err
	}
	order, err := newSerializer(srv, script).order(ctx, h)
	transcript = h.lines(func(e *event) string {
		text := e.code + ": " + e.answer
		if e.detail != "" {
			text += ". " + e.detail
		}
		return text
	})
	return script.title, transcript, order != nil, err
}

// inProcess is a server of this process, which is asked at the lock table who waits.
func inProcess(s *testserver.Server) *server {
	return &server{dsn: s.DSN, waiting: func(context.Context, []uint32) (int, error) {
		return s.Store.(*pebblekv.Store).Stats().Locks.Waiting, nil
	}}
}
