// Package bus puts events on EventBridge, as many a call as fit.
package bus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/clipqueue/clipqueue/events"
)

var (
	// ErrTooLarge is a call that EventBridge refused as a whole for its size.
	ErrTooLarge = errors.New("the events are too large for one call")
	// ErrRefused is an event that EventBridge will never take, however often it is sent.
	ErrRefused = errors.New("the event is refused for what is in it")
)

// Entry is one event.
type Entry struct {
	DetailType events.DetailType
	Time       time.Time
	// Detail is the event's JSON.
	Detail []byte
}

// Bus is one event bus.
type Bus struct {
	client *eventbridge.Client
	name   string
}

// New is the bus of this name.
func New(client *eventbridge.Client, name string) (*Bus, error) {
	if client == nil || name == "" {
		return nil, errors.New("bus: a client and a name are needed")
	}
	return &Bus{client: client, name: name}, nil
}

// Put puts up to ten events on the bus in one call. The first result has an
// error, or nil, for each entry, [ErrRefused] among them; the second is the call's own, [ErrTooLarge] or
// another, and then none is on the bus as far as is known.
func (b *Bus) Put(ctx context.Context, entries []Entry) ([]error, error) {
	in := &eventbridge.PutEventsInput{Entries: make([]types.PutEventsRequestEntry, len(entries))}
	for i, e := range entries {
		in.Entries[i] = types.PutEventsRequestEntry{
			EventBusName: &b.name, Source: aws.String(events.Source), DetailType: aws.String(string(e.DetailType)),
			Detail: aws.String(string(e.Detail)), Time: aws.Time(e.Time),
		}
	}
	out, err := b.client.PutEvents(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("put %d events: %w", len(entries), tooLarge(err))
	}
	if len(out.Entries) != len(entries) {
		return nil, fmt.Errorf("put %d events: the bus answered for %d", len(entries), len(out.Entries))
	}
	failed := make([]error, len(entries))
	for i, e := range out.Entries {
		if code := aws.ToString(e.ErrorCode); code != "" {
			failed[i] = fmt.Errorf("put an event: %w", failure(code, aws.ToString(e.ErrorMessage)))
		}
	}
	return failed, nil
}

// failure is why one event is not on the bus. All codes but those for the event
// itself pass with time
// (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html).
func failure(code, message string) error {
	switch code {
	case "MalformedDetail", "InvalidArgument":
		return fmt.Errorf("%w: %s: %s", ErrRefused, code, message)
	}
	return fmt.Errorf("%s: %s", code, message)
}

// tooLarge recognises the refusal of a whole call for what is in it: HTTP 413, or
// a validation error
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html).
func tooLarge(err error) error {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.HTTPStatusCode() == http.StatusRequestEntityTooLarge {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "ValidationException", "ValidationError", "RequestEntityTooLarge", "RequestEntityTooLargeException":
			return fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
	}
	return err
}
