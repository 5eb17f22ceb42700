package cli

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/clipqueue/clipqueue/infra/clipqueue/prompts"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
)

const (
	// lookEvery is the least time between two looks at what is still open.
	lookEvery = 2 * time.Second
	// looksPerSecond bounds the records that are read, and so the cost.
	looksPerSecond = 500
	// plainEvery is how often progress is told without a terminal.
	plainEvery = 15 * time.Second
	// hintEvery is how often it is looked whether something holds all prompts up.
	hintEvery = 2 * time.Minute
)

// following is a run of submit --wait.
type following struct {
	*root
	began  time.Time
	total  int
	open   map[string]string // job_id: hash of its payload
	counts map[string]int
	known  known // before they were sent
	hinted time.Time
	show   *meter
	// credits are those of all jobs, fresh those of the new ones.
	credits, fresh int64
}

// follow waits until each job has its verdict, and tells of all. k are the jobs
// that were known before.
func (r *root) follow(ctx context.Context, s *Services, rows []prompts.Row, k known) error {
	now := r.app.Now()
	f := &following{root: r, began: now, hinted: now, open: map[string]string{}, counts: map[string]int{}, known: k}
	for _, row := range rows {
		f.open[row.JobID] = row.Hash
	}
	f.total = len(f.open)
	f.show = f.progress()
	defer f.show.end()
	for {
		if err := f.look(ctx, s); err != nil {
			f.show.end()
			return err
		}
		f.show.at(f)
		if len(f.open) == 0 {
			f.show.end()
			return f.summary()
		}
		f.hint(ctx, s)
		pause := max(lookEvery, time.Duration(len(f.open))*time.Second/looksPerSecond)
		if err := r.app.Pause(ctx, pause); err != nil {
			f.show.end()
			r.note("still open: %s. They go on without this command: clipqueue list", plural(len(f.open), "job"))
			return err
		}
	}
}

// hint says now and then what holds the open jobs up.
func (f *following) hint(ctx context.Context, s *Services) {
	if now := f.app.Now(); now.Sub(f.hinted) >= hintEvery {
		f.hinted = now
		if why := standstill(ctx, s); why != "" {
			f.tell("%s", why)
		}
	}
}

// tell writes a line beside the output, above the bar where there is one.
func (f *following) tell(format string, args ...any) {
	if !f.show.log(format, args...) {
		f.note(format, args...)
	}
}

// look reads the open jobs once.
func (f *following) look(ctx context.Context, s *Services) error {
	var keys []string
	for id := range f.open {
		keys = append(keys, job.Key(id))
	}
	jobs, err := s.Lists.Many(ctx, keys)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		hash := f.open[j.ID]
		other := j.PayloadHash != hash
		if !other && !j.State.Settled() {
			continue
		}
		delete(f.open, j.ID)
		if err := f.verdict(j, other); err != nil {
			return err
		}
	}
	return nil
}

func (f *following) verdict(j job.Job, other bool) error {
	if other {
		f.counts["rejected"]++
		f.tell("%s: its job_id is taken by a job with another content: it was not submitted", j.ID)
		return nil
	}
	f.counts[string(j.State)]++
	if c := story.Credits(j); c != nil {
		f.credits += *c
		if _, known := f.known[j.ID]; !known {
			f.fresh += *c
		}
	}
	if f.json() {
		return f.print(viewOf(j))
	}
	if j.State != job.Completed {
		f.tell("%s  %s  %s", j.ID, f.state(j.State), short(remark(j), 100))
	}
	return nil
}

func (f *following) summary() error {
	if !f.json() {
		t := f.table("verdict", "jobs")
		for _, s := range job.States() {
			if n := f.counts[string(s)]; n > 0 {
				t.AppendRow([]any{f.state(s), n})
			}
		}
		t.Render()
		f.say("%s, %s", f.paid(), story.Span(f.app.Now().Sub(f.began)))
	}
	if n := f.total - f.counts[string(job.Completed)]; n > 0 {
		return &failure{fmt.Sprintf("%d of %d did not complete", n, f.total), nil}
	}
	return nil
}

// paid says what the jobs cost, and what of it these prompts were paid for.
func (f *following) paid() string {
	if len(f.known) == 0 {
		return plural(int(f.credits), "credit")
	}
	return fmt.Sprintf("%s for the new ones, %d in all", plural(int(f.fresh), "credit"), f.credits)
}

// meter shows how far it is: a bar on a terminal, a line now and then elsewhere.
type meter struct {
	bar     *progress.Tracker
	writer  progress.Writer
	stopped atomic.Bool
	told    time.Time
}

func (f *following) progress() *meter {
	m := &meter{told: f.began}
	if !f.app.Terminal {
		return m
	}
	m.writer = progress.NewWriter()
	m.writer.SetOutputWriter(f.app.Err)
	m.writer.SetUpdateFrequency(200 * time.Millisecond)
	m.writer.Style().Visibility.Speed = false
	if !f.coloured() {
		m.writer.Style().Colors = progress.StyleColors{}
	}
	m.bar = &progress.Tracker{Message: "verdicts", Total: int64(f.total)}
	m.writer.AppendTracker(m.bar)
	go m.writer.Render()
	return m
}

func (m *meter) at(f *following) {
	done := f.total - len(f.open)
	if m.bar != nil {
		m.bar.SetValue(int64(done))
		return
	}
	if now := f.app.Now(); now.Sub(m.told) >= plainEvery && len(f.open) > 0 {
		m.told = now
		f.note("%d of %d ended after %s", done, f.total, story.Span(now.Sub(f.began)))
	}
}

// log writes a line above the bar, and says whether there is one.
func (m *meter) log(format string, args ...any) bool {
	if m.writer == nil || m.stopped.Load() {
		return false
	}
	m.writer.Log(format, args...)
	return true
}

// end takes the bar off the screen.
func (m *meter) end() {
	if m.writer == nil || m.stopped.Swap(true) {
		return
	}
	m.bar.MarkAsDone()
	m.writer.Stop()
	for m.writer.IsRenderInProgress() {
		time.Sleep(10 * time.Millisecond)
	}
}
