package functions_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
)

// trace is the story of one seed, in virtual time; nil writes nothing.
type trace struct {
	start time.Time
	mu    sync.Mutex
	text  strings.Builder
}

func (t *trace) note(who, what string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.text, "%14s  %-14s %s\n", time.Since(t.start).Truncate(time.Millisecond), who, what)
}

func (t *trace) call(who, name, key string, f fate, err error) {
	if t == nil {
		return
	}
	line := name + " " + key
	if f != goesWell {
		line += "  [" + f.String() + "]"
	}
	if err != nil {
		line += "  → " + err.Error()
	}
	t.note(who, line)
}

func (t *trace) row(j job.Job) {
	if t == nil {
		return
	}
	last := j.History[len(j.History)-1]
	t.note("table", fmt.Sprintf("%s is %s, version %d, %d owed, due %s: %s",
		j.Key(), j.State, j.Version, len(j.Owed), due(j, t.start), last.Why))
}

func due(j job.Job, start time.Time) string {
	if j.DueAt.IsZero() {
		return "never"
	}
	return j.DueAt.Sub(start).Truncate(time.Millisecond).String()
}

// log is where the handlers' own lines go: into the trace, or nowhere.
func (t *trace) log(who string) *slog.Logger {
	if t == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(lines{t, who}, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "stack" {
				return slog.Attr{}
			}
			return a
		},
	}))
}

type lines struct {
	t   *trace
	who string
}

func (l lines) Write(p []byte) (int, error) {
	l.t.note(l.who, "  log: "+strings.TrimSpace(string(p)))
	return len(p), nil
}

func (t *trace) String() string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
