package local

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
)

// An Event is an EventBridge event of ours, as a consumer's queue gets it.
type Event struct {
	// Raw is the whole event.
	Raw jsontext.Value `json:"-"`
	// ID is EventBridge's own; a repeat of ours has another.
	ID string `json:"id"`
	// DetailType is the kind of event.
	DetailType events.DetailType `json:"detail-type"`
	// Source is events.Source.
	Source string `json:"source"`
	// Detail says which job the event is about, and has what happened as JSON.
	Detail events.Event[jsontext.Value] `json:"detail"`
}

// JobID is the job that the event is about.
func (e Event) JobID() string { return e.Detail.Metadata.JobID }

// A Consumer is a queue of its own behind a rule on the bundle's bus: what any
// team would set up to hear of its videos.
type Consumer struct {
	queues deployment.Queues
	url    string
}

// Consume sets a consumer up. It hears every event from then on.
func (b *Bundle) Consume(ctx context.Context) (*Consumer, error) {
	url, err := b.Listener().Subscribe(ctx, "consumer-"+strings.ToLower(rand.Text()[:8]), nil)
	if err != nil {
		return nil, err
	}
	return &Consumer{b.Queues(), url}, nil
}

const (
	// receiveWait is how long one receive waits for an event.
	receiveWait = 2 * time.Second
	// receiveHold is how long events that were received stay away.
	receiveHold = 30 * time.Second
)

// Receive waits for the next events and takes them from the queue. It may come
// back with none.
func (c *Consumer) Receive(ctx context.Context) ([]Event, error) {
	letters, err := c.queues.Receive(ctx, c.url, receiveWait, receiveHold)
	if err != nil {
		return nil, err
	}
	var received []Event
	for _, l := range letters {
		e := Event{Raw: jsontext.Value(l.Body)}
		if err := json.Unmarshal(e.Raw, &e); err != nil {
			return nil, fmt.Errorf("receive events: %w: %s", err, e.Raw)
		}
		received = append(received, e)
		if err := c.queues.Delete(ctx, c.url, l.Receipt); err != nil {
			return nil, err
		}
	}
	return received, nil
}
