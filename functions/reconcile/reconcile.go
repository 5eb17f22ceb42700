// Package reconcile looks, once a minute, at every job that is overdue, and
// takes one step with each: so no callback, message, loop or event that was lost
// is lost for good (promises P1 and P3).
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
)

type jobs interface {
	Due(ctx context.Context, shard int, at time.Time, limit int) ([]store.Due, error)
	Get(ctx context.Context, key string) (job.Job, error)
	Put(ctx context.Context, next, prev job.Job) error
}

type asker interface {
	Ask(ctx context.Context, generationID string) (creativeai.Generation, error)
}

type sender interface {
	Send(ctx context.Context, body string) error
}

// The bounds of one run.
const (
	// page is how many of each shard are taken at a time, so that none waits for another.
	page = 25
	// most is how many are looked at in one run.
	most = 2000
	// atOnce is how many are looked at side by side.
	atOnce = 8
	// spare is what is left of the invocation for the looks under way.
	spare = 20 * time.Second
	// askFailures is how many questions in a row may go unanswered before the
	// run stops asking: a vendor that hangs must not hold up the deadlines.
	askFailures = 3
)

// Deps are what the function works with.
type Deps struct {
	Rules   job.Rules
	Jobs    jobs
	Vendor  asker
	Queue   sender
	Log     *slog.Logger
	Metrics metric.Sink
	Now     func() time.Time
}

// Handler is the function.
type Handler struct{ Deps }

// New checks what it is given.
func New(d Deps) (*Handler, error) {
	if d.Jobs == nil || d.Vendor == nil || d.Queue == nil || d.Log == nil || d.Now == nil {
		return nil, errors.New("reconcile: something it works with is missing")
	}
	if err := d.Rules.Validate(); err != nil {
		return nil, fmt.Errorf("reconcile: %w", err)
	}
	return &Handler{Deps: d}, nil
}

// run is one invocation.
type run struct {
	*Handler
	seen       map[string]bool
	unanswered atomic.Int64
	looked     atomic.Int64

	mu   sync.Mutex
	errs []error
}

// Handle looks at what is overdue. Its error says that something could not be
// read or written; all else went on.
func (h *Handler) Handle(ctx context.Context) error {
	r := &run{Handler: h, seen: map[string]bool{}}
	for len(r.seen) < most && r.timeLeft(ctx) {
		due := r.overdue(ctx)
		if len(due) == 0 {
			break
		}
		r.all(ctx, due)
	}
	if n := r.looked.Load(); n > 0 {
		h.Metrics.Count(env.MetricOverdue, n)
		h.Log.InfoContext(ctx, "looked at what was overdue", slog.Int64("jobs", n))
	}
	return errors.Join(r.errs...)
}

func (r *run) timeLeft(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || deadline.Sub(r.Now()) > spare)
}

// overdue reads a page of each shard, without what this run has seen.
func (r *run) overdue(ctx context.Context) []store.Due {
	var all []store.Due
	for shard := range store.Shards {
		due, err := r.unseen(ctx, shard)
		if err != nil {
			r.fail(fmt.Errorf("shard %d: %w", shard, err))
		}
		all = append(all, due...)
	}
	return all
}

// unseen reads on, past what this run has seen and could not move, until it
// finds a page with something new: else a few rows that cannot be read would hide
// all that are due after them.
func (r *run) unseen(ctx context.Context, shard int) ([]store.Due, error) {
	for limit := page; ; limit += page {
		due, err := r.Jobs.Due(ctx, shard, r.Now(), limit)
		if err != nil {
			return nil, err
		}
		var fresh []store.Due
		for _, d := range due {
			if !r.seen[d.Key] {
				r.seen[d.Key] = true
				fresh = append(fresh, d)
			}
		}
		if len(fresh) > 0 || len(due) < limit || limit >= most {
			return fresh, nil
		}
	}
}

func (r *run) all(ctx context.Context, due []store.Due) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, d := range due {
		group.Go(func() error {
			if !r.timeLeft(ctx) {
				return nil // it stays due
			}
			if err := r.look(ctx, d.Key); err != nil {
				r.fail(err)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are gathered, so that one does not stop the rest
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}
