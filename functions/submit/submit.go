// Package submit takes prompts off the queue, claims each, and POSTs it to the
// vendor: once, whatever happens (promise P2).
package submit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
)

type jobs interface {
	Put(ctx context.Context, next, prev job.Job) error
}

type vendor interface {
	Ready(ctx context.Context) error
	Submit(ctx context.Context, s creativeai.Submission) creativeai.Outcome
}

type delayer interface {
	Delay(ctx context.Context, receipt string, d time.Duration) error
}

type loops interface {
	Start(ctx context.Context, in loop.Input) error
}

// Settings are what the function is configured with.
type Settings struct {
	Rules job.Rules
	// Delivery is for messages that do not say.
	Delivery events.Delivery
	// WebhookURL is where callbacks arrive; job id and token are appended.
	WebhookURL string
	// Timeout bounds the POST to the vendor, a repeat with a new key included.
	Timeout time.Duration
	// PerMinute bounds the POSTs of this instance; 0 is no bound.
	PerMinute float64
}

// Deps are what the function works with.
type Deps struct {
	Jobs    jobs
	Vendor  vendor
	Queue   delayer
	Loops   loops
	Log     *slog.Logger
	Metrics metric.Sink
	Now     func() time.Time
	// NewID makes tokens and claim ids: unguessable, and fit for a URL's path.
	NewID func() string
	// Random is in [0, 1), and spreads the waits.
	Random func() float64
}

// Handler is the function. It handles one batch at a time, as Lambda calls it.
type Handler struct {
	Deps
	settings Settings
	gate     *gate
	given    given
}

// New checks what it is given.
func New(s Settings, d Deps) (*Handler, error) {
	switch {
	case d.Jobs == nil, d.Vendor == nil, d.Queue == nil, d.Loops == nil, d.Log == nil, d.Now == nil, d.NewID == nil, d.Random == nil:
		return nil, errors.New("submit: something it works with is missing")
	case s.Timeout <= 0, s.Timeout >= s.Rules.ClaimFor:
		return nil, fmt.Errorf("submit: a POST may take %v, within a claim of %v: want it to end first", s.Timeout, s.Rules.ClaimFor)
	case s.WebhookURL == "":
		return nil, errors.New("submit: the webhook's URL is missing")
	}
	if err := s.Rules.Validate(); err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	return &Handler{Deps: d, settings: s, gate: newGate(s.PerMinute, d.Random), given: given{}}, nil
}

// message is one queue message, with what SQS knows of it.
type message struct {
	id, receipt, body string
	sentAt            time.Time
	receives          int
}

// again is how long a message shall stay away; nil says that it is done with.
type again struct{ after time.Duration }

// Handle takes one batch. What is not done with goes back, each message after a
// wait of its own.
func (h *Handler) Handle(ctx context.Context, batch lambda.SQSEvent) (lambda.SQSEventResponse, error) {
	response := lambda.SQSEventResponse{BatchItemFailures: []lambda.SQSBatchItemFailure{}}
	h.gate.justOpened = false
	for _, m := range batch.Records {
		back := h.safely(ctx, read(m, h.Now()))
		if back == nil {
			continue
		}
		response.BatchItemFailures = append(response.BatchItemFailures, lambda.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		if err := h.Queue.Delay(ctx, m.ReceiptHandle, back.after); err != nil {
			// It comes back all the same, when the queue's own visibility timeout ends.
			h.Log.WarnContext(ctx, "a message's visibility could not be changed",
				slog.String("message_id", m.MessageId), slog.Any("error", err))
		}
	}
	return response, nil
}

func read(m lambda.SQSMessage, now time.Time) message {
	out := message{id: m.MessageId, receipt: m.ReceiptHandle, body: m.Body, sentAt: now, receives: 1}
	if n, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		out.sentAt = time.UnixMilli(n)
	}
	if n, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"]); err == nil {
		out.receives = n
	}
	return out
}

func (h *Handler) handle(ctx context.Context, m message, claimed *job.Job) *again {
	r, err := request.Parse([]byte(m.body), m.id)
	if err != nil {
		why, metadata := rejection(err)
		return h.reject(ctx, m, why, metadata)
	}
	if wait := h.gate.wait(h.Now()); wait > 0 && !h.rest(ctx, wait) {
		return h.goBack(m, wait)
	}
	if !h.timeLeft(ctx, 0) {
		return h.goBack(m, time.Second)
	}
	if err := h.Vendor.Ready(ctx); err != nil {
		h.Metrics.Count(env.MetricAccountRefused, 1)
		h.Log.ErrorContext(ctx, "the vendor's key cannot be read: put it into the secret; nothing is lost meanwhile", slog.Any("error", err))
		return h.goBack(m, h.gate.fail(h.Now(), 0))
	}
	j, back, ok := h.claim(ctx, m, r)
	if !ok {
		return back
	}
	*claimed = j
	return h.post(ctx, m, j, r)
}

// claim makes the job this delivery's own. When it is not ok, the message is
// dealt with as back says.
func (h *Handler) claim(ctx context.Context, m message, r request.Request) (j job.Job, back *again, ok bool) {
	fresh := h.settings.Rules.New(job.Origin{
		ID: r.JobID, Token: h.NewID(), Request: r.Text, PayloadHash: r.Hash, Model: model(r.Request),
		Metadata: string(r.Metadata), Delivery: h.delivery(r.Request), At: h.Now(), EnqueuedAt: m.sentAt,
	})
	return h.claimFrom(ctx, m, r, fresh)
}

// claimFrom is claim of a job as it was last seen.
func (h *Handler) claimFrom(ctx context.Context, m message, r request.Request, seen job.Job) (j job.Job, back *again, ok bool) {
	j, err := store.Transition(ctx, h.Jobs, h.settings.Rules, seen, job.Claim{At: h.Now(), ID: h.NewID(), PayloadHash: r.Hash})
	log := h.Log.With(slog.String("job_id", r.JobID), slog.String("message_id", m.id))
	switch {
	case err == nil:
		h.Metrics.Time(env.MetricQueueTime, j.ClaimedAt.Sub(m.sentAt))
		return j, nil, true
	case errors.Is(err, job.ErrDuplicate):
		log.InfoContext(ctx, "a repeat of a job that is under way or done", slog.String("state", string(j.State)))
		return j, nil, false
	case errors.Is(err, job.ErrOtherPayload):
		why := job.Reason{
			Code: events.CodeOtherPayload, Field: "job_id", ClaimedJobID: r.JobID,
			Message: fmt.Sprintf("job_id %q is taken by a job with another payload: use a new job_id for a new prompt", r.JobID),
		}
		return j, h.reject(ctx, m, why, string(r.Metadata)), false
	case errors.Is(err, job.ErrOverdue) && j.Version == 0:
		return h.tooOld(ctx, m, r, j)
	case errors.Is(err, job.ErrClaimed), errors.Is(err, job.ErrOverdue):
		return j, h.overtime(ctx, m, j), false
	}
	log.ErrorContext(ctx, "the job could not be claimed", slog.Any("error", err))
	return j, h.troubled(ctx, m), false
}

// tooOld ends a job that would be new, of a message that waited too long. If the
// job is known after all, the message is judged by that one.
func (h *Handler) tooOld(ctx context.Context, m message, r request.Request, fresh job.Job) (j job.Job, back *again, ok bool) {
	j, err := h.settings.Rules.Apply(fresh, job.Deadline{At: h.Now()})
	if err == nil {
		err = h.Jobs.Put(ctx, j, fresh)
	}
	if known, exists := errors.AsType[*store.Conflict](err); exists {
		return h.claimFrom(ctx, m, r, known.Current)
	}
	if err != nil {
		h.Log.WarnContext(ctx, "a message that waited too long could not be expired", slog.String("job_id", j.ID), slog.Any("error", err))
		return j, h.troubled(ctx, m), false
	}
	h.Log.InfoContext(ctx, "the message waited too long", slog.String("job_id", j.ID), slog.String("state", string(j.State)))
	return j, nil, false
}

// overtime ends what time has ended; while a claim lives, the message waits for its end.
func (h *Handler) overtime(ctx context.Context, m message, j job.Job) *again {
	fact := h.settings.Rules.Overdue(j, h.Now())
	if fact == nil {
		return h.goBack(m, j.ClaimUntil.Sub(h.Now()))
	}
	j, err := store.Transition(ctx, h.Jobs, h.settings.Rules, j, fact)
	if errors.Is(err, job.ErrStale) || errors.Is(err, job.ErrNotDue) {
		return h.goBack(m, 0) // someone else moved it on: the next delivery sees how
	}
	if err != nil {
		h.Log.WarnContext(ctx, "an overdue job could not be moved on", slog.String("job_id", j.ID), slog.Any("error", err))
		return h.troubled(ctx, m)
	}
	h.Log.InfoContext(ctx, "the job's time was over", slog.String("job_id", j.ID), slog.String("state", string(j.State)))
	return nil
}

func (h *Handler) delivery(r events.Request) events.Delivery {
	if r.Delivery != "" {
		return r.Delivery
	}
	return h.settings.Delivery
}

func model(r events.Request) string { return cmp.Or(r.Model, request.DefaultModel) }

// goBack is a wait of at least so long, and longer the more often the message came.
func (h *Handler) goBack(m message, atLeast time.Duration) *again {
	return &again{after: max(atLeast, backoff(m.receives, h.Random()))}
}

// rest waits for the pace, and for a breaker that another batch opened: handing
// whole batches back meanwhile would drive a backlog into long waits. A batch
// that opened it itself, or a long wait, goes back.
func (h *Handler) rest(ctx context.Context, wait time.Duration) bool {
	if h.gate.open() && (h.gate.justOpened || wait > longestRest) || !h.timeLeft(ctx, wait) {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// timeLeft says whether a whole POST and its account fit into what is left of
// the invocation after a wait.
func (h *Handler) timeLeft(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || deadline.Sub(h.Now()) > wait+h.settings.Timeout+accountFor
}

// accountFor is how long the writes around a POST may take.
const accountFor = 10 * time.Second
