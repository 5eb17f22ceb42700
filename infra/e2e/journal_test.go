package e2e_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/infra/local"
)

// patience is how long a test waits for something that has to come: the machine
// may be slow, and a message that was turned away stays away for a while.
const patience = 4 * time.Minute

// A journal is everything that the consumer has heard so far.
type journal struct {
	mu      sync.Mutex
	events  []local.Event
	err     error
	changed chan struct{}
}

// newJournal writes down what the consumer hears until ctx ends.
func newJournal(ctx context.Context, consumer *local.Consumer) *journal {
	j := &journal{changed: make(chan struct{})}
	go func() {
		for ctx.Err() == nil {
			j.add(consumer.Receive(ctx))
		}
	}()
	return j
}

func (j *journal) add(heard []local.Event, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, heard...)
	j.err = err
	close(j.changed)
	j.changed = make(chan struct{})
}

// of is what was heard of a job, in the order of arrival, and a channel that is
// closed at the next arrival.
func (j *journal) of(jobID string) ([]local.Event, <-chan struct{}, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var heard []local.Event
	for _, e := range j.events {
		if e.JobID() == jobID {
			heard = append(heard, e)
		}
	}
	return heard, j.changed, j.err
}

// await waits for the first event of a job that is as wanted.
func (j *journal) await(t *testing.T, jobID, what string, wanted func(local.Event) bool) local.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		heard, changed, err := j.of(jobID)
		for _, e := range heard {
			if wanted(e) {
				return e
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s: no %s; heard %s (consumer: %v)", jobID, what, kinds(heard), err)
		}
	}
}

func kinds(heard []local.Event) []string {
	var list []string
	for _, e := range heard {
		list = append(list, string(e.DetailType))
	}
	return list
}
