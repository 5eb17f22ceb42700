package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/env"
)

// maxAside keeps a message below the smaller of the limits that SQS has had, 256
// KB. A row can be larger; it stays in the table, so its key is enough.
const maxAside = 200 << 10

// aside is a message about what can never be published, on a queue of its own.
type aside struct {
	Error string `json:"error"`
	// Keys is the row's key, as the stream has it.
	Keys           json.RawMessage   `json:"keys,omitempty"`
	SequenceNumber string            `json:"sequence_number"`
	JobID          string            `json:"job_id,omitempty"`
	DetailType     events.DetailType `json:"detail_type,omitempty"`
	// Content is the event, or the row where no event could be made of it;
	// absent when it is too large.
	Content json.RawMessage `json:"content,omitempty"`
}

// setAside takes what can never be published out of the way of what can.
func (h *Handler) setAside(ctx context.Context, p parcel, why error) error {
	change := p.of.record.Change
	log := h.Log.With(slog.String("job_id", p.of.job.ID), slog.String("sequence_number", change.SequenceNumber))
	h.Metrics.Count(env.MetricPoison, 1)
	log.ErrorContext(ctx, "what cannot be published is set aside", slog.Any("error", why))
	message := aside{
		Error: why.Error(), Keys: change.Keys, SequenceNumber: change.SequenceNumber, JobID: p.of.job.ID,
		DetailType: p.entry.DetailType, Content: p.entry.Detail,
	}
	if p.poison != nil {
		message.Content = change.NewImage
	}
	body, err := json.Marshal(message)
	if err != nil || len(body) > maxAside {
		message.Content = nil
		body, err = json.Marshal(message)
	}
	if err == nil {
		err = h.Poison.Send(ctx, string(body))
	}
	if err != nil {
		return fmt.Errorf("set aside what cannot be published: %w", err)
	}
	return nil
}
