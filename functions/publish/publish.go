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
		Keys           json.RawMessage `json:"Keys,omitempty"`
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

// image is one record, read, or why it cannot be.
type image struct {
	record  Record
	job     job.Job
	entries []Entry
	poison  error
}

// Handle publishes one batch. It answers with the first record that could not be
// published whole; Lambda repeats the batch from there.
func (h *Handler) Handle(ctx context.Context, batch Batch) (lambda.DynamoDBEventResponse, error) {
	images := read(batch.Records)
	done, err := h.publish(ctx, images)
	response := lambda.DynamoDBEventResponse{BatchItemFailures: []lambda.DynamoDBBatchItemFailure{}}
	if err != nil {
		h.Log.ErrorContext(ctx, "events could not be put on the bus; they are repeated", slog.Any("error", err))
		response.BatchItemFailures = append(response.BatchItemFailures,
			lambda.DynamoDBBatchItemFailure{ItemIdentifier: images[done].record.Change.SequenceNumber})
	}
	for i, im := range images[:done] {
		if im.poison == nil && last(images[:done], i) {
			h.settle(ctx, im.job)
		}
	}
	return response, nil
}

// read decodes the records; rows that were deleted owe nothing.
func read(records []Record) []image {
	var images []image
	for _, r := range records {
		if len(r.Change.NewImage) == 0 {
			continue
		}
		im := image{record: r}
		if im.job, im.poison = store.DecodeImage(r.Change.NewImage); im.poison == nil {
			im.entries, im.poison = Entries(im.job)
		}
		images = append(images, im)
	}
	return images
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
