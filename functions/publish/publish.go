// Package publish turns what the table owes into events on the bus: each at
// least once, a job's in the order of their versions (promise P3's outbox).
package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
)

type jobs interface {
	Put(ctx context.Context, next, prev job.Job) error
}

type putter interface {
	Put(ctx context.Context, entries []bus.Entry) (failed []error, err error)
}

type sender interface {
	Send(ctx context.Context, body string) error
}

// Batch is what Lambda hands over of the table's stream. The images stay raw, so
// that a record which cannot be read harms no other.
type Batch struct {
	Records []Record `json:"Records"`
}

// Record is one change of one row.
type Record struct {
	EventID string `json:"eventID"`
	Change  struct {
		SequenceNumber string          `json:"SequenceNumber"`
		NewImage       json.RawMessage `json:"NewImage,omitempty"`
	} `json:"dynamodb"`
}

// Deps are what the function works with.
type Deps struct {
	Rules   job.Rules
	Jobs    jobs
	Bus     putter
	Poison  sender
	Log     *slog.Logger
	Metrics metric.Sink
	Now     func() time.Time
}

// Handler is the function.
type Handler struct{ Deps }

// New checks what it is given.
func New(d Deps) (*Handler, error) {
	if d.Jobs == nil || d.Bus == nil || d.Poison == nil || d.Log == nil || d.Now == nil {
		return nil, errors.New("publish: something it works with is missing")
	}
	if err := d.Rules.Validate(); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return &Handler{Deps: d}, nil
}

// image is one record, read.
type image struct {
	sequence string
	job      job.Job
	entries  []Entry
}

// Handle publishes one batch. It answers with the first record that could not be
// published whole; Lambda repeats the batch from there.
func (h *Handler) Handle(ctx context.Context, batch Batch) (lambda.DynamoDBEventResponse, error) {
	images, stopped := h.read(ctx, batch.Records)
	done, err := h.publish(ctx, images)
	if err != nil {
		stopped = images[done].sequence
		h.Log.ErrorContext(ctx, "events could not be put on the bus; they are repeated", slog.Any("error", err))
	}
	for i, im := range images[:done] {
		if last(images[:done], i) {
			h.settle(ctx, im.job)
		}
	}
	response := lambda.DynamoDBEventResponse{BatchItemFailures: []lambda.DynamoDBBatchItemFailure{}}
	if stopped != "" {
		response.BatchItemFailures = append(response.BatchItemFailures, lambda.DynamoDBBatchItemFailure{ItemIdentifier: stopped})
	}
	return response, nil
}

// read decodes the records. One that owes nothing, or that cannot be read and is
// set aside, is passed over; stopped is the first that could not even be set aside.
func (h *Handler) read(ctx context.Context, records []Record) (images []image, stopped string) {
	for _, r := range records {
		if len(r.Change.NewImage) == 0 {
			continue // a row that was deleted
		}
		j, err := store.DecodeImage(r.Change.NewImage)
		var entries []Entry
		if err == nil {
			entries, err = Entries(j)
		}
		if err != nil {
			if h.setAside(ctx, r, err) != nil {
				return images, r.Change.SequenceNumber
			}
			continue
		}
		images = append(images, image{sequence: r.Change.SequenceNumber, job: j, entries: entries})
	}
	return images, ""
}

// setAside puts a record that can never be published on a queue of its own.
func (h *Handler) setAside(ctx context.Context, what any, why error) error {
	h.Metrics.Count(env.MetricPoison, 1)
	h.Log.ErrorContext(ctx, "what cannot be published is set aside", slog.Any("error", why))
	body, err := json.Marshal(map[string]any{"error": why.Error(), "record": what})
	if err == nil {
		err = h.Poison.Send(ctx, string(body))
	}
	if err != nil {
		h.Log.ErrorContext(ctx, "it could not be set aside either, and is repeated", slog.Any("error", err))
	}
	return err
}

// last says whether no later image is of the same job: only that one can be settled.
func last(images []image, i int) bool {
	for _, later := range images[i+1:] {
		if later.job.Key() == images[i].job.Key() {
			return false
		}
	}
	return true
}

// settle takes the marker away, on condition that nothing has been added to what
// was sent. If it cannot be taken away, reconcile has the events sent again.
func (h *Handler) settle(ctx context.Context, j job.Job) {
	if len(j.Owed) == 0 {
		return
	}
	err := h.Jobs.Put(ctx, h.Rules.Published(j, h.Now()), j)
	if _, moved := errors.AsType[*store.Conflict](err); err == nil || moved || errors.Is(err, store.ErrNotFound) {
		return
	}
	h.Log.WarnContext(ctx, "a published job could not be marked; its events may come twice",
		slog.String("job_id", j.ID), slog.Any("error", err))
}
