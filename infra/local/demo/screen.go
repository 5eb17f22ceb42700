package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/mattn/go-isatty"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
)

// A screen shows jobs as they move: live lines on a terminal, and one plain
// line for each change elsewhere.
type screen struct {
	out   io.Writer
	live  progress.Writer // nil without a terminal
	lines []*progress.Tracker
	shown []string
	began time.Time
}

func newScreen(out *os.File, jobs []*tracked) *screen {
	s := &screen{out: out, shown: make([]string, len(jobs)), began: time.Now()}
	say("%d prompts go onto the queue\n", len(jobs))
	if !isatty.IsTerminal(out.Fd()) {
		return s
	}
	s.live = progress.NewWriter()
	s.live.SetOutputWriter(out)
	s.live.SetUpdateFrequency(200 * time.Millisecond)
	s.live.SetTrackerPosition(progress.PositionRight)
	s.live.SetSortBy(progress.SortByIndex)
	style := s.live.Style()
	style.Visibility = progress.StyleVisibility{Time: true}
	style.Options.Separator, style.Options.DoneString, style.Options.ErrorString = "", "", " NOT AS EXPECTED"
	style.Options.TimeInProgressPrecision, style.Options.TimeDonePrecision = 100*time.Millisecond, 100*time.Millisecond
	for i, t := range jobs {
		line := &progress.Tracker{Message: t.line(), Total: 1, Index: uint64(i)}
		s.live.AppendTracker(line)
		s.lines = append(s.lines, line)
	}
	go s.live.Render()
	return s
}

// line is a job's on the screen.
func (t *tracked) line() string {
	where := "on the queue"
	if t.seen.State != "" {
		where = t.seen.State
	}
	if how := t.how(); how != "" {
		where += ": " + how
	}
	return fmt.Sprintf("%-11s  %-44s  %s", t.name(), t.Shows, where)
}

// show brings the screen up to date.
func (s *screen) show(jobs []*tracked) {
	for i, t := range jobs {
		line := t.line()
		if line == s.shown[i] {
			continue
		}
		s.shown[i] = line
		if s.live == nil {
			say("%7s  %s", story.Span(time.Since(s.began)), line)
			continue
		}
		s.lines[i].UpdateMessage(line)
		if t.asExpected() {
			s.lines[i].MarkAsDone()
		}
	}
}

// finish ends the live lines and prints the table of how every job went, and
// below it what was not as expected.
func (s *screen) finish(jobs []*tracked) {
	if s.live != nil {
		for i, t := range jobs {
			if !t.asExpected() {
				s.lines[i].MarkAsErrored()
			}
		}
		s.live.Stop()
		for s.live.IsRenderInProgress() {
			time.Sleep(10 * time.Millisecond)
		}
	}
	t := table.NewWriter()
	t.SetOutputMirror(s.out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"job", "how it went", "state", "time", "credits", "event"})
	for _, j := range jobs {
		t.AppendRow(table.Row{j.name(), j.how(), j.seen.State, j.time(), j.price(), j.seen.Event})
	}
	say("")
	t.Render()
	for _, j := range jobs {
		if j.video != "" {
			say("%-11s  %s", j.name(), j.video)
		}
	}
	for _, j := range jobs {
		if !j.asExpected() {
			say("%s: %s", j.name(), j.amiss())
		}
	}
}

func (t *tracked) time() string {
	if t.took == 0 {
		return ""
	}
	return story.Span(t.took)
}

func (t *tracked) price() string {
	if t.credits == nil {
		return ""
	}
	return strconv.FormatInt(*t.credits, 10)
}
