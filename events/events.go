// Package events holds what goes in and what comes out of Clipqueue: the queue
// message that a producer sends, and the EventBridge events that a consumer
// receives. It imports the standard library only, so that both can import it.
//
// A consumer receives an [Envelope] with an [Event] in it: who and when in its
// metadata, what in its data. The JSON Schemas, made from these types, lie in
// schema/, and an example of each in testdata/.
package events

import (
	"encoding/json"
	"time"
)

// Source is the source of every event.
const Source = "clipqueue"

// SchemaVersion is the version of the shapes in this package, "major.minor". Its
// first number rises when a consumer has to change, its second when something
// comes that a consumer can ignore.
const SchemaVersion = "1.0"

// DetailType is the detail-type of an event.
type DetailType string

// The detail types, each with the type of its data.
const (
	// TypeAccepted carries [Accepted]: the vendor has taken the prompt.
	TypeAccepted DetailType = "Video Generation Accepted"
	// TypeCompleted carries [Completed]: a verdict, the video is made.
	TypeCompleted DetailType = "Video Generation Completed"
	// TypeFailed carries [Failed]: a verdict, the vendor could not make it.
	TypeFailed DetailType = "Video Generation Failed"
	// TypeRejected carries [Rejected]: a verdict, the message or its prompt was refused.
	TypeRejected DetailType = "Video Generation Rejected"
	// TypeExpired carries [Expired]: the verdict when none came by the deadline.
	TypeExpired DetailType = "Video Generation Expired"
	// TypeArchived carries [Archived]: the video lies in the bucket.
	TypeArchived DetailType = "Video Archived"
	// TypeArchiveFailed carries [ArchiveFailed]: the video cannot be had.
	TypeArchiveFailed DetailType = "Video Archive Failed"
)

// DetailTypes lists every detail type.
func DetailTypes() []DetailType {
	return []DetailType{
		TypeAccepted, TypeCompleted, TypeFailed, TypeRejected, TypeExpired, TypeArchived, TypeArchiveFailed,
	}
}

// Event is the detail of an EventBridge event whose data is a T.
type Event[T any] struct {
	// Metadata says which event this is, and of which job.
	Metadata Metadata `json:"metadata"`
	// Data says what happened.
	Data T `json:"data"`
}

// Metadata says which event this is, and of which job.
type Metadata struct {
	// EventID is the same each time this event is delivered: <job_id>:<created_at>:<version>.
	EventID string `json:"event_id"`
	// SchemaVersion is the version of this shape, "major.minor".
	SchemaVersion string `json:"schema_version"`
	// OccurredAt is when it happened, not when it was sent.
	OccurredAt time.Time `json:"occurred_at"`
	// JobID is the producer's key, or the SQS message id where there was none.
	JobID string `json:"job_id"`
	// JobVersion counts the job's transitions; a later event of a job has a higher one.
	JobVersion int64 `json:"job_version"`
	// Sample is true in events made by hand to try a consumer.
	Sample bool `json:"sample,omitempty"`
}

// Accepted says that the vendor has taken the prompt and is working on it.
type Accepted struct {
	// GenerationID is the vendor's id of the work.
	GenerationID string `json:"generation_id"`
	// Model is what was asked for.
	Model string `json:"model"`
	// ModelActual is the provider that the vendor chose.
	ModelActual string `json:"model_actual,omitempty"`
	// Credits is what the vendor says it charges; null where it did not say.
	Credits *int64 `json:"credits"`
	// FailoverUsed says whether a fallback provider was used; null where the vendor did not say.
	FailoverUsed *bool `json:"failover_used"`
	// Metadata is the caller's own, untouched.
	Metadata json.RawMessage `json:"metadata"`
}

// Completed says that the video is made.
type Completed struct {
	// GenerationID is the vendor's id of the work.
	GenerationID string `json:"generation_id"`
	// Model is what was asked for.
	Model string `json:"model"`
	// ModelActual is the provider that made it.
	ModelActual string `json:"model_actual,omitempty"`
	// OutputURL is the vendor's link to the video, exactly as it was given; null where there was none.
	OutputURL *string `json:"output_url"`
	// OutputURLProblem says why output_url cannot be downloaded, where it cannot.
	OutputURLProblem string `json:"output_url_problem,omitempty"`
	// Credits is what the vendor says it charged; null where it did not say.
	Credits *int64 `json:"credits"`
	// FailoverUsed says whether a fallback provider was used; null where the vendor did not say.
	FailoverUsed *bool `json:"failover_used"`
	// CompletedAt is the vendor's own time, as it wrote it.
	CompletedAt string `json:"completed_at,omitempty"`
	// Via is how the verdict came.
	Via Via `json:"via"`
	// Metadata is the caller's own, untouched.
	Metadata json.RawMessage `json:"metadata"`
}

// Failed says that the vendor took the prompt and could not make the video.
type Failed struct {
	// GenerationID is the vendor's id of the work.
	GenerationID string `json:"generation_id"`
	// Model is what was asked for.
	Model string `json:"model"`
	// ModelActual is the provider that tried.
	ModelActual string `json:"model_actual,omitempty"`
	// ErrorMessage is the vendor's reason; cut, and ending in "… (cut)", when very long.
	ErrorMessage string `json:"error_message"`
	// Credits is what the vendor says it charged; null where it did not say.
	Credits *int64 `json:"credits"`
	// FailoverUsed says whether a fallback provider was used; null where the vendor did not say.
	FailoverUsed *bool `json:"failover_used"`
	// CompletedAt is the vendor's own time, as it wrote it.
	CompletedAt string `json:"completed_at,omitempty"`
	// Via is how the verdict came.
	Via Via `json:"via"`
	// Metadata is the caller's own, untouched.
	Metadata json.RawMessage `json:"metadata"`
}

// Rejected says that a message, or its prompt, was refused: nothing was made and nothing is owed.
type Rejected struct {
	// Code is the kind of refusal.
	Code RejectionCode `json:"code"`
	// Field is the field of the message that is wrong, where it is one field.
	Field string `json:"field,omitempty"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
	// ClaimedJobID is the job_id that a refused message asked for; that job, if there is one, is untouched.
	ClaimedJobID string `json:"claimed_job_id,omitempty"`
	// Excerpt is the beginning of a message whose metadata could not be read.
	Excerpt string `json:"excerpt,omitempty"`
	// Credits is always null: nothing was accepted.
	Credits *int64 `json:"credits"`
	// Metadata is the caller's own, untouched; an empty object where it could not be read.
	Metadata json.RawMessage `json:"metadata"`
}

// Expired says that no verdict came by the deadline, or that an operator waits
// for one no longer. A verdict of the vendor that comes later still wins and gets
// an event of its own.
type Expired struct {
	// Stage is the state that the job was in.
	Stage string `json:"stage"`
	// Message says what is known and what is not.
	Message string `json:"message"`
	// MayBeCharged is true when the vendor has, or may have, accepted the prompt.
	MayBeCharged bool `json:"may_be_charged"`
	// GenerationID is the vendor's id of the work, where it is known.
	GenerationID string `json:"generation_id,omitempty"`
	// Model is what was asked for.
	Model string `json:"model"`
	// Credits is what the vendor said it charges, where it accepted; else null.
	Credits *int64 `json:"credits"`
	// Metadata is the caller's own, untouched.
	Metadata json.RawMessage `json:"metadata"`
}

// Archived says that the video lies in the bucket.
type Archived struct {
	// GenerationID is the vendor's id of the work.
	GenerationID string `json:"generation_id"`
	// Bucket is the S3 bucket.
	Bucket string `json:"bucket"`
	// Key is the object's key in the bucket.
	Key string `json:"key"`
	// Size is the number of bytes.
	Size int64 `json:"size"`
	// SHA256 is the checksum of the bytes, in lower-case hex.
	SHA256 string `json:"sha256"`
	// ContentType is the video's media type.
	ContentType string `json:"content_type"`
	// URL is a presigned link to the object, where the setting asks for one.
	URL string `json:"url,omitempty"`
	// URLExpiresAt is when the link ends.
	URLExpiresAt *time.Time `json:"url_expires_at,omitempty"`
	// Metadata is the caller's own, untouched.
	Metadata json.RawMessage `json:"metadata"`
}

// ArchiveFailed says that the video cannot be had for good.
type ArchiveFailed struct {
	// GenerationID is the vendor's id of the work.
	GenerationID string `json:"generation_id"`
	// Code is the kind of problem, such as "not_found" or "forbidden_address".
	Code string `json:"code"`
	// Message says what is wrong.
	Message string `json:"message"`
	// OutputURL is the vendor's link, as it was given; null where there was none.
	OutputURL *string `json:"output_url"`
	// Metadata is the caller's own, untouched.
	Metadata json.RawMessage `json:"metadata"`
}

// Via is how a verdict came.
type Via string

// The ways of a verdict.
const (
	// ViaCallback is the vendor's signed callback.
	ViaCallback Via = "callback"
	// ViaPoll is our own question to the vendor.
	ViaPoll Via = "poll"
)

// RejectionCode is the kind of a refusal.
type RejectionCode string

// The kinds of refusal.
const (
	// CodeInvalid is a message that does not have the shape of a [Request].
	CodeInvalid RejectionCode = "invalid_message"
	// CodeOtherPayload is a message whose job_id is already taken by another payload.
	CodeOtherPayload RejectionCode = "job_id_taken"
	// CodeRefused is a prompt that the vendor refused for good.
	CodeRefused RejectionCode = "refused_by_vendor"
	// CodeCancelled is a job that an operator ended before the vendor accepted it.
	CodeCancelled RejectionCode = "cancelled"
	// CodeInternal is a message that Clipqueue itself failed to handle, time and again.
	CodeInternal RejectionCode = "internal"
)
