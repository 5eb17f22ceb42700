// Package poll asks the vendor about one generation, when its loop calls.
package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

type jobs interface {
	Get(ctx context.Context, key string) (job.Job, error)
	Put(ctx context.Context, next, prev job.Job) error
}

type asker interface {
	Ask(ctx context.Context, generationID string) (creativeai.Generation, error)
}

// Settings are what the function is configured with.
type Settings struct {
	Rules job.Rules
	// Every is the wait between two polls, SlowEvery from SlowAfter on.
	Every, SlowAfter, SlowEvery time.Duration
	// HandOverAfter is the age at which a loop ends itself: Express ends at 5 minutes.
	HandOverAfter time.Duration
}

// Deps are what the function works with.
type Deps struct {
	Jobs    jobs
	Vendor  asker
	Log     *slog.Logger
	Metrics metric.Sink
	Now     func() time.Time
}

// Handler is the function.
type Handler struct {
	Deps
	settings Settings
}

// New checks what it is given.
func New(s Settings, d Deps) (*Handler, error) {
	switch {
	case d.Jobs == nil, d.Vendor == nil, d.Log == nil, d.Now == nil:
		return nil, errors.New("poll: something it works with is missing")
	case s.Every < time.Second, s.SlowEvery < s.Every:
		return nil, fmt.Errorf("poll: it waits %v, later %v: want at least 1s, and not less later", s.Every, s.SlowEvery)
	case s.HandOverAfter <= 0, s.HandOverAfter >= 5*time.Minute:
		return nil, fmt.Errorf("poll: a loop hands over after %v: want less than the 5m that an Express workflow lives", s.HandOverAfter)
	}
	if err := s.Rules.Validate(); err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	return &Handler{Deps: d, settings: s}, nil
}

// Handle polls once, and tells the loop how to go on. It returns an error only
// for a loop that does not say what to poll; whatever else goes wrong, the
// answer is to wait and go on.
func (h *Handler) Handle(ctx context.Context, in loop.Input) (loop.Answer, error) {
	if in.JobID == "" || in.GenerationID == "" || in.AcceptedAt.IsZero() || in.StartedAt.IsZero() {
		return loop.Answer{}, fmt.Errorf("poll: the loop gave job_id %q, generation_id %q, accepted_at %v, started_at %v: all are needed",
			in.JobID, in.GenerationID, in.AcceptedAt, in.StartedAt)
	}
	log := h.Log.With(slog.String("job_id", in.JobID), slog.String("generation_id", in.GenerationID))
	j, err := h.Jobs.Get(ctx, job.Key(in.JobID))
	switch {
	case errors.Is(err, store.ErrNotFound):
		log.ErrorContext(ctx, "the loop's job is not in the table")
		return loop.Answer{Done: true}, nil
	case err != nil:
		log.WarnContext(ctx, "the job could not be read", slog.Any("error", err))
		return h.wait(ctx, log, in), nil
	}
	j, err = h.accepted(ctx, log, in, j)
	switch {
	case errors.Is(err, errOther), j.State.Settled():
		return loop.Answer{Done: true}, nil
	case err != nil:
		return h.wait(ctx, log, in), nil //nolint:nilerr // a loop that fails would end: it waits and goes on
	}
	return h.ask(ctx, log, in, j), nil
}

// errOther is a loop whose generation is not its job's.
var errOther = errors.New("the loop's generation is not the job's")

// accepted brings an acceptance into the table that submit could not store.
func (h *Handler) accepted(ctx context.Context, log *slog.Logger, in loop.Input, j job.Job) (job.Job, error) {
	if j.GenerationID == in.GenerationID {
		return j, nil
	}
	after, err := store.Transition(ctx, h.Jobs, h.settings.Rules, j, job.Accept{
		At: in.AcceptedAt, Attempt: in.Attempt, GenerationID: in.GenerationID,
		Charge: job.Charge{ModelActual: in.ModelActual, Credits: in.Credits, FailoverUsed: in.FailoverUsed},
	})
	switch {
	case err == nil:
		log.InfoContext(ctx, "the acceptance that submit could not store is stored")
		return after, nil
	case errors.Is(err, job.ErrDuplicate):
		return after, nil
	case errors.Is(err, job.ErrContradiction), errors.Is(err, job.ErrStale):
		h.Metrics.Count(env.MetricContradiction, 1)
		log.ErrorContext(ctx, "the loop's generation is not the job's: look at it, it may have been charged",
			slog.String("state", string(after.State)), slog.String("stored_generation_id", after.GenerationID))
		return after, errOther
	}
	log.WarnContext(ctx, "the acceptance could not be stored", slog.Any("error", err))
	return after, err
}

func (h *Handler) ask(ctx context.Context, log *slog.Logger, in loop.Input, j job.Job) loop.Answer {
	h.Metrics.Count(env.MetricAsked, 1)
	g, err := h.Vendor.Ask(ctx, j.GenerationID)
	if err != nil {
		h.Metrics.Count(env.MetricVendorError, 1)
		log.WarnContext(ctx, "the vendor gave no usable answer", slog.Any("error", err))
		return h.wait(ctx, log, in)
	}
	v, final := verdict.Of(g, h.Now())
	if !final {
		log.DebugContext(ctx, "not finished yet", slog.String("status", g.Status))
		return h.wait(ctx, log, in)
	}
	v.Result.Via = events.ViaPoll
	_, err = store.Transition(ctx, h.Jobs, h.settings.Rules, j, v)
	switch {
	case err == nil:
		log.InfoContext(ctx, "settled by a poll", slog.String("status", g.Status))
	case errors.Is(err, job.ErrDuplicate):
	case errors.Is(err, job.ErrContradiction), errors.Is(err, job.ErrForeign):
		h.Metrics.Count(env.MetricContradiction, 1)
		log.ErrorContext(ctx, "the vendor contradicts what stands", slog.String("status", g.Status))
	default:
		log.WarnContext(ctx, "the verdict could not be stored", slog.Any("error", err))
		return h.wait(ctx, log, in)
	}
	return loop.Answer{Done: true}
}

// wait tells the loop when to come again, or to end before Express ends it.
func (h *Handler) wait(ctx context.Context, log *slog.Logger, in loop.Input) loop.Answer {
	age := h.Now().Sub(in.StartedAt)
	next := h.settings.Every
	if age >= h.settings.SlowAfter {
		next = h.settings.SlowEvery
	}
	if age+next > h.settings.HandOverAfter {
		log.InfoContext(ctx, "the loop ends; reconcile goes on")
		return loop.Answer{Done: true}
	}
	return loop.Answer{WaitSeconds: int64((next + time.Second - 1) / time.Second)}
}
