package stories

import (
	"context"
	"testing"
	"time"

	"holdfast/compat_tests/testserver"
)

// Every story holds at every isolation level a client may ask for.
func TestStories(t *testing.T) {
	server := testserver.Start(t)
	for _, story := range All {
		t.Run(story.Name, func(t *testing.T) {
			for i, isolation := range Isolations {
				scale := 0.02
				if i == 0 && !testing.Short() {
					scale = 1 // the full million once is enough
				}
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
				stage := &Stage{Ctx: ctx, DSN: server.DSN, Isolation: isolation, Scale: scale, Audience: logWriter{t}}
				if err := stage.Perform(story); err != nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
}

// logWriter shows what a story tells if the test fails.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p[:len(p)-1]))
	return len(p), nil
}
