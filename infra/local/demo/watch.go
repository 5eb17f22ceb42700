package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

// A watch follows prompts from the queue to their verdicts.
type watch struct {
	bundle   *local.Bundle
	consumer *local.Consumer
	table    *store.Table
	jobs     []*tracked
	file     *os.File // of events
}

// tracked is a prompt on its way.
type tracked struct {
	prompt

	messageID string
	sent      time.Time
	took      time.Duration // from the queue to the verdict's event
	events    []local.Event
	seen      outcome
	credits   *int64
	refusal   string
	video     string // where it lies, once it is archived
	notKept   string // why it could not be archived
}

// newWatch sets up a consumer of the bundle's events, which go to a file too.
func newWatch(ctx context.Context, b *local.Bundle, prompts []prompt, eventsFile string) (*watch, error) {
	consumer, err := b.Consume(ctx)
	if err != nil {
		return nil, err
	}
	table, err := b.Jobs()
	if err != nil {
		return nil, err
	}
	file, err := os.Create(eventsFile) //nolint:gosec // below our own dist
	if err != nil {
		return nil, fmt.Errorf("file of events: %w", err)
	}
	w := &watch{bundle: b, consumer: consumer, table: table, file: file}
	for _, p := range prompts {
		w.jobs = append(w.jobs, &tracked{prompt: p})
	}
	return w, nil
}

// run sends every prompt and follows all until each has ended as expected, for
// at most endWithin.
func (w *watch) run(ctx context.Context, s *screen) error {
	ctx, cancel := context.WithTimeoutCause(ctx, endWithin, errNotAsExpected)
	defer cancel()
	err := w.send(ctx)
	for err == nil && !w.ended() {
		if err = w.receive(ctx); err == nil {
			err = w.look(ctx)
		}
		s.show(w.jobs)
	}
	s.finish(w.jobs)
	err = errors.Join(err, w.file.Close())
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil && len(w.bundle.Vendor.Ledger().PaidTwice()) > 0 {
		return fmt.Errorf("paid for twice: %v", w.bundle.Vendor.Ledger().PaidTwice())
	}
	return err
}

// send puts every prompt on the queue.
func (w *watch) send(ctx context.Context) error {
	queues := w.bundle.Queues()
	for batch := range slices.Chunk(w.jobs, deployment.BatchMessages) {
		bodies := make([]string, len(batch))
		for i, t := range batch {
			bodies[i], t.sent = t.body(), time.Now()
		}
		sent, err := queues.Send(ctx, w.bundle.Outputs.JobQueueURL, bodies)
		if err != nil {
			return err
		}
		for i, t := range batch {
			if sent[i].Err != nil {
				return fmt.Errorf("send %s: %w", t.name(), sent[i].Err)
			}
			t.messageID = sent[i].MessageID
		}
	}
	return nil
}

// receive takes the next events, if any have come, and gives them to their jobs.
func (w *watch) receive(ctx context.Context) error {
	received, err := w.consumer.Receive(ctx)
	if err != nil {
		return err
	}
	for _, e := range received {
		if _, err := fmt.Fprintf(w.file, "%s\n", e.Raw); err != nil {
			return fmt.Errorf("file of events: %w", err)
		}
		for _, t := range w.jobs {
			if id := e.JobID(); id == t.messageID || id == t.jobID {
				if err := t.take(e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// look asks the vendor's ledger and the table how the jobs stand.
func (w *watch) look(ctx context.Context) error {
	ledger := w.bundle.Vendor.Ledger()
	for _, t := range w.jobs {
		t.ask(ledger)
		for _, record := range []job.Job{{ID: t.jobID}, {ID: t.messageID, Rejection: true}} {
			j, err := w.table.Get(ctx, record.Key())
			switch {
			case err == nil:
				t.seen.State = string(j.State)
			case !errors.Is(err, store.ErrNotFound):
				return err
			}
		}
	}
	return nil
}

// ended says whether every job has ended as expected.
func (w *watch) ended() bool {
	for _, t := range w.jobs {
		if !t.asExpected() {
			return false
		}
	}
	return true
}

// verdict says whether an event ends a job.
func verdict(e local.Event) bool {
	switch e.DetailType {
	case events.TypeCompleted, events.TypeFailed, events.TypeRejected, events.TypeExpired:
		return true
	case events.TypeAccepted, events.TypeArchived, events.TypeArchiveFailed:
		return false
	}
	return false
}
