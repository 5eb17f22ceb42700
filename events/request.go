package events

import (
	"encoding/json"
	"maps"
)

// Limits of a [Request].
const (
	// MaxMessageBytes is the size of the largest queue message.
	MaxMessageBytes = 128 << 10
	// MaxPromptBytes is the size of the longest prompt, in UTF-8.
	MaxPromptBytes = 32 << 10
	// MaxOptionBytes is the size of the longest model, aspect ratio or resolution.
	MaxOptionBytes = 256
	// MaxDurationSeconds is the longest duration.
	MaxDurationSeconds = 3600
	// MaxMetadataBytes is the size of the largest metadata, without white space.
	MaxMetadataBytes = 8 << 10
	// MaxDepth is how deep metadata and passed-through fields may nest; EventBridge refuses more.
	MaxDepth = 32
)

// Delivery is how the result of a job is fetched.
type Delivery string

// The deliveries.
const (
	// DeliveryWebhook lets the vendor call back. A lost answer to the submit can still be resolved.
	DeliveryWebhook Delivery = "webhook"
	// DeliveryPoll asks the vendor until it is done. A job whose submit answer was lost can only expire.
	DeliveryPoll Delivery = "poll"
)

// Request is the message that a producer puts on the queue, as one JSON object.
type Request struct {
	// JobID is the producer's own key, [A-Za-z0-9_-]{1,64}: the same key with the same payload is never
	// paid for twice. Left out, the SQS message id stands in, and a message sent again is a new job.
	JobID string `json:"job_id,omitempty"`
	// Prompt is what the video shows; required, not blank, at most 32 KB.
	Prompt string `json:"prompt"`
	// Model is the vendor's model; "auto" when left out.
	Model string `json:"model,omitempty"`
	// AspectRatio is width to height, such as "16:9"; the vendor's default when left out.
	AspectRatio string `json:"aspect_ratio,omitempty"`
	// Duration is the video's length in whole seconds, 1 to 3600; the vendor's default when left out.
	Duration int64 `json:"duration,omitempty"`
	// Resolution is such as "1080p"; the vendor's default when left out.
	Resolution string `json:"resolution,omitempty"`
	// Failover lets the vendor fall back to another provider, or forbids it; the vendor's default when left out.
	Failover *bool `json:"failover,omitempty"`
	// Delivery is "webhook" or "poll"; the stack's default when left out.
	Delivery Delivery `json:"delivery,omitempty"`
	// Metadata is any JSON object up to 8 KB; it is handed back in every event of the job.
	Metadata json.RawMessage `json:"metadata,omitempty"`
	// Extra are fields that the vendor may know and we do not; they are passed to it untouched.
	// A field that is set above wins over its name here; webhook_url is refused, it is Clipqueue's to set.
	Extra map[string]json.RawMessage `json:"-"`
}

// MarshalJSON writes the message as it goes onto the queue, the extra fields among the known ones.
func (r Request) MarshalJSON() ([]byte, error) {
	type plain Request
	known, err := json.Marshal(plain(r))
	if err != nil || len(r.Extra) == 0 {
		return known, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(known, &fields); err != nil {
		return nil, err
	}
	all := maps.Clone(r.Extra)
	maps.Copy(all, fields)
	return json.Marshal(all)
}
