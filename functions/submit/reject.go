package submit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
)

// From so many receives on, a failure of our own ends as a rejection: a panic
// comes again each time, trouble with a service passes.
const (
	panicsMax  = 5
	troubleMax = 900
)

// safely handles one message; a panic costs this message one delivery, and its
// neighbours nothing.
func (h *Handler) safely(ctx context.Context, m message) (back *again) {
	var claimed job.Job
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		h.Metrics.Count(env.MetricInternal, 1)
		h.Log.ErrorContext(ctx, "a message made the handler panic", slog.String("message_id", m.id),
			slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
		switch {
		case claimed.Version > 0:
			back = h.loseAnswer(ctx, h.Log.With(slog.String("job_id", claimed.ID)), claimed, "clipqueue failed while it sent it")
		case m.receives >= panicsMax:
			back = h.giveUp(ctx, m)
		default:
			back = h.goBack(m, 0)
		}
	}()
	return h.handle(ctx, m, &claimed)
}

// troubled sends a message back because of a failure of our own.
func (h *Handler) troubled(ctx context.Context, m message) *again {
	h.Metrics.Count(env.MetricInternal, 1)
	if m.receives >= troubleMax {
		return h.giveUp(ctx, m)
	}
	return h.goBack(m, 0)
}

// giveUp rejects a message that was never claimed and that we fail to handle time and again.
func (h *Handler) giveUp(ctx context.Context, m message) *again {
	why := job.Reason{
		Code: events.CodeInternal,
		Message: fmt.Sprintf("Clipqueue failed to handle this message %d times; this delivery was not sent to the vendor: "+
			"see the submit function's log; unless its job_id has a job already, send it again", m.receives),
	}
	// Nothing that may be the cause is called again: the message stands as it is.
	why.Excerpt = request.Excerpt(m.body)
	return h.reject(ctx, m, why, "")
}

// rejection says what is wrong with a message that could not be read.
func rejection(err error) (job.Reason, string) {
	why := job.Reason{Code: events.CodeInvalid, Message: "the message cannot be read"}
	invalid, ok := errors.AsType[*request.Invalid](err)
	if !ok {
		return why, ""
	}
	why.Field, why.Message = invalid.Field, invalid.Problem
	why.ClaimedJobID, why.Excerpt = invalid.ClaimedJobID, invalid.Excerpt
	return why, string(invalid.Metadata)
}

// reject answers a message with an event of its own, and touches no job.
func (h *Handler) reject(ctx context.Context, m message, why job.Reason, metadata string) *again {
	err := h.Jobs.Put(ctx, h.settings.Rules.Reject(m.id, metadata, why, h.Now()), job.Job{})
	if _, exists := errors.AsType[*store.Conflict](err); err != nil && !exists {
		h.Log.ErrorContext(ctx, "a rejection could not be stored", slog.String("message_id", m.id), slog.Any("error", err))
		h.Metrics.Count(env.MetricInternal, 1)
		return h.goBack(m, 0)
	}
	h.Log.WarnContext(ctx, "rejected", slog.String("message_id", m.id), slog.String("claimed_job_id", why.ClaimedJobID),
		slog.String("code", string(why.Code)), slog.String("field", why.Field), slog.String("reason", why.Message))
	return nil
}
