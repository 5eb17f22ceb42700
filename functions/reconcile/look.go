package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

// look leases one overdue job, and takes one step with it. The lease's write
// puts the row onto the stream again: that alone makes publish send what is owed.
func (r *run) look(ctx context.Context, key string) error {
	j, err := r.Jobs.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // the index lags behind the table
	case err != nil:
		return err
	case j.DueAt.IsZero(), j.DueAt.After(r.Now()):
		return nil // someone else has just looked
	}
	j, err = store.Lease(ctx, r.Jobs, r.Rules, j, r.Now())
	if _, lost := errors.AsType[*store.Conflict](err); lost || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	r.looked.Add(1)
	return r.step(ctx, r.Log.With(slog.String("job_id", j.ID), slog.String("generation_id", j.GenerationID)), j)
}

func (r *run) step(ctx context.Context, log *slog.Logger, j job.Job) error {
	switch j.State {
	case job.Processing, job.Expired:
		if j.GenerationID != "" && r.ask(ctx, log, j) {
			return nil
		}
	case job.Queued, job.Submitting, job.Unconfirmed, job.Completed, job.Failed, job.Rejected:
	}
	now := r.Now()
	if fact := r.Rules.Overdue(j, now); fact != nil {
		return r.move(ctx, log, j, fact)
	}
	switch {
	case r.Rules.NeedsMessage(j, now):
		return r.sendAgain(ctx, log, j)
	case r.Rules.NeedsArchiving(j, now):
		return r.move(ctx, log, j, job.Republish{At: now})
	}
	return nil
}

// ask asks the vendor, and says whether that settled the job.
func (r *run) ask(ctx context.Context, log *slog.Logger, j job.Job) bool {
	if r.unanswered.Load() >= askFailures {
		return false
	}
	r.Metrics.Count(env.MetricAsked, 1)
	g, err := r.Vendor.Ask(ctx, j.GenerationID)
	if err != nil {
		if !errors.Is(err, creativeai.ErrNotFound) { // which is an answer
			r.unanswered.Add(1)
		}
		r.Metrics.Count(env.MetricVendorError, 1)
		log.WarnContext(ctx, "the vendor gave no usable answer", slog.Any("error", err))
		return false
	}
	r.unanswered.Store(0)
	v, final := verdict.Of(g, r.Now())
	if !final {
		return false
	}
	v.Result.Via = events.ViaPoll
	if err := r.move(ctx, log, j, v); err != nil {
		r.fail(err)
	}
	return true
}

func (r *run) move(ctx context.Context, log *slog.Logger, j job.Job, f job.Fact) error {
	after, err := store.Transition(ctx, r.Jobs, r.Rules, j, f)
	log = log.With(slog.String("was", string(j.State)), slog.String("state", string(after.State)))
	switch {
	case err == nil:
		log.InfoContext(ctx, "moved on", slog.String("fact", fmt.Sprintf("%T", f)))
		if after.State == job.Unconfirmed {
			r.Metrics.Count(env.MetricUnconfirmed, 1)
		}
	case errors.Is(err, job.ErrContradiction), errors.Is(err, job.ErrForeign):
		r.Metrics.Count(env.MetricContradiction, 1)
		log.ErrorContext(ctx, "the vendor contradicts what stands", slog.Any("error", err))
	case errors.Is(err, job.ErrDuplicate), errors.Is(err, job.ErrStale), errors.Is(err, job.ErrNotDue):
		log.InfoContext(ctx, "someone else moved it on")
	default:
		return err
	}
	return nil
}

// sendAgain puts the message of a queued job on the queue once more. If the old
// one comes too, the claim lets only one of them through.
func (r *run) sendAgain(ctx context.Context, log *slog.Logger, j job.Job) error {
	if err := r.Queue.Send(ctx, request.Message(j.Request, j.ID)); err != nil {
		return fmt.Errorf("put the message of %s on the queue again: %w", j.Key(), err)
	}
	log.InfoContext(ctx, "its message was overdue, and is on the queue again")
	return nil
}
