package events

import "time"

// Envelope is an event as EventBridge hands it to a consumer, whose data is a T:
// the argument of a Lambda function behind a rule, the body of an SQS message,
// the body of an HTTP call. A consumer of several detail types decodes into an
// Envelope[json.RawMessage] first and its Detail.Data by DetailType.
type Envelope[T any] struct {
	// Version is EventBridge's own, "0".
	Version string `json:"version"`
	// ID is EventBridge's own and differs when an event is sent again: use detail.metadata.event_id.
	ID string `json:"id"`
	// DetailType is the kind of the event, and says what detail.data holds.
	DetailType DetailType `json:"detail-type"`
	// Source is "clipqueue".
	Source string `json:"source"`
	// Account is the AWS account that the bus is in, 12 digits.
	Account string `json:"account"`
	// Time is when it happened, to the second.
	Time time.Time `json:"time"`
	// Region is the AWS region that the bus is in.
	Region string `json:"region"`
	// Resources is empty.
	Resources []string `json:"resources"`
	// Detail is what Clipqueue says.
	Detail Event[T] `json:"detail"`
}
