package submit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/queue"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
)

// post sends a claimed job, and writes down what became of it.
func (h *Handler) post(ctx context.Context, m message, j job.Job, r request.Request) *again {
	h.gate.sent(h.Now())
	limited, cancel := context.WithTimeout(ctx, h.settings.Timeout)
	outcome := h.Vendor.Submit(limited, h.submission(j, r.Request))
	cancel()
	outcome.Reason = withoutPrompt(outcome.Reason, r.Prompt)
	log := h.Log.With(slog.String("job_id", j.ID), slog.Int64("attempt", j.Attempt), slog.Int("status", outcome.Status))
	switch outcome.Kind {
	case creativeai.Accepted:
		h.gate.accepted()
		return h.accept(ctx, log, j, outcome.Generation)
	case creativeai.Refused:
		return h.refuse(ctx, log, j, outcome)
	case creativeai.NotNow, creativeai.Unsent:
		return h.putBack(ctx, log, m, j, outcome, env.MetricNotNow)
	case creativeai.AccountRefused:
		return h.putBack(ctx, log, m, j, outcome, env.MetricAccountRefused)
	case creativeai.Unknown:
	}
	return h.loseAnswer(ctx, log, j, outcome.Reason)
}

// withoutPrompt keeps the prompt, which the vendor may repeat in its reasons, out of the log.
func withoutPrompt(reason, prompt string) string {
	return strings.ReplaceAll(reason, strings.Join(strings.Fields(prompt), " "), "[prompt]")
}

func (h *Handler) submission(j job.Job, r events.Request) creativeai.Submission {
	s := creativeai.Submission{
		Model: j.Model, Prompt: r.Prompt, AspectRatio: r.AspectRatio, Duration: r.Duration,
		Resolution: r.Resolution, Failover: r.Failover,
	}
	if j.Delivery == events.DeliveryWebhook {
		s.WebhookURL = h.settings.WebhookURL + "/" + j.ID + "/" + j.Token
	}
	if len(r.Extra) > 0 {
		s.Extra = make(map[string]jsontext.Value, len(r.Extra))
		for name, value := range r.Extra {
			s.Extra[name] = jsontext.Value(value)
		}
	}
	return s
}

func (h *Handler) accept(ctx context.Context, log *slog.Logger, j job.Job, g creativeai.Generation) *again {
	now := h.Now()
	h.Metrics.Count(env.MetricSubmitted, 1)
	if owner := h.given.to(g.ID, j.ID); owner != j.ID {
		h.Metrics.Count(env.MetricContradiction, 1)
		log.ErrorContext(ctx, "the vendor gave one generation id to two jobs; the first keeps it",
			slog.String("generation_id", g.ID), slog.String("first_job_id", owner))
		return h.loseAnswer(ctx, log, j, "the vendor gave its generation id to job "+owner+" too")
	}
	charge := job.Charge{ModelActual: g.ModelActual, Credits: g.Credits, FailoverUsed: g.FailoverUsed}
	log = log.With(slog.String("generation_id", g.ID))
	after, err := store.Transition(ctx, h.Jobs, h.settings.Rules, j,
		job.Accept{At: now, Attempt: j.Attempt, GenerationID: g.ID, Charge: charge})
	unstored := err != nil
	switch {
	case err == nil:
		log.InfoContext(ctx, "accepted by the vendor")
	case errors.Is(err, job.ErrDuplicate):
		unstored = false // an early callback brought the id
		log.InfoContext(ctx, "accepted by the vendor; its callback came first")
	case errors.Is(err, job.ErrContradiction), errors.Is(err, job.ErrStale):
		h.Metrics.Count(env.MetricContradiction, 1)
		log.ErrorContext(ctx, "the vendor accepted a job that has moved on: look at it, it may have been charged",
			slog.String("state", string(after.State)), slog.String("stored_generation_id", after.GenerationID))
		return nil
	default:
		log.ErrorContext(ctx, "the acceptance could not be stored; a poll loop carries it", slog.Any("error", err))
	}
	if unstored || (j.Delivery == events.DeliveryPoll && !after.State.Settled()) {
		h.start(ctx, log, j, g, now)
	}
	return nil
}

func (h *Handler) start(ctx context.Context, log *slog.Logger, j job.Job, g creativeai.Generation, now time.Time) {
	err := h.Loops.Start(ctx, loop.Input{
		JobID: j.ID, GenerationID: g.ID, Attempt: j.Attempt, AcceptedAt: now,
		ModelActual: g.ModelActual, Credits: g.Credits, FailoverUsed: g.FailoverUsed,
	})
	if err != nil {
		log.ErrorContext(ctx, "the poll loop could not be started; reconcile asks the vendor instead", slog.Any("error", err))
	}
}

func (h *Handler) refuse(ctx context.Context, log *slog.Logger, j job.Job, o creativeai.Outcome) *again {
	log.InfoContext(ctx, "refused by the vendor for good", slog.String("reason", o.Reason))
	h.write(ctx, log, j, job.Refuse{At: h.Now(), Attempt: j.Attempt, Message: o.Reason})
	return nil
}

// putBack returns a job that provably was not accepted to the queue.
func (h *Handler) putBack(ctx context.Context, log *slog.Logger, m message, j job.Job, o creativeai.Outcome, name string) *again {
	h.Metrics.Count(name, 1)
	h.gate.fail(h.Now(), o.RetryAfter)
	back := h.goBack(m, min(o.RetryAfter, queue.Longest))
	log.WarnContext(ctx, "not accepted, will be tried again",
		slog.String("kind", o.Kind.String()), slog.String("reason", o.Reason), slog.Duration("after", back.after))
	h.write(ctx, log, j, job.PutBack{
		At: h.Now(), Attempt: j.Attempt, RetryAt: h.Now().Add(back.after),
		Message: fmt.Sprintf("not accepted, to be tried again: %s", o.Reason),
	})
	return back
}

// loseAnswer writes down that nobody knows what became of the POST. It is never sent again.
func (h *Handler) loseAnswer(ctx context.Context, log *slog.Logger, j job.Job, why string) *again {
	h.Metrics.Count(env.MetricUnconfirmed, 1)
	h.gate.fail(h.Now(), 0)
	log.ErrorContext(ctx, "the answer to the submit was lost; it is not sent again", slog.String("reason", why))
	h.write(ctx, log, j, job.LoseAnswer{At: h.Now(), Attempt: j.Attempt, Message: "the answer to the submit was lost: " + why})
	return nil
}

// write stores an answer. If it cannot be stored, the claim runs out and the job
// becomes unconfirmed: safe, and never silent.
func (h *Handler) write(ctx context.Context, log *slog.Logger, j job.Job, f job.Fact) {
	after, err := store.Transition(ctx, h.Jobs, h.settings.Rules, j, f)
	switch {
	case err == nil:
	case errors.Is(err, job.ErrStale), errors.Is(err, job.ErrDuplicate):
		log.WarnContext(ctx, "the job moved on before its answer came", slog.String("state", string(after.State)))
	default:
		h.Metrics.Count(env.MetricInternal, 1)
		log.ErrorContext(ctx, "the answer could not be stored", slog.Any("error", err))
	}
}
