// Package job is the life of a job: its states, the facts that move it, and
// the one pure function that says what a fact does to a job. It knows no clock
// and does no I/O; time comes in with each fact.
package job

import (
	"fmt"
	"time"

	"github.com/clipqueue/clipqueue/events"
)

// State is where a job stands.
type State string

// The states. Each says what moves a job on, so that none is without a way out.
const (
	// Queued is known and not accepted; left by the next delivery of its message, a verdict with its
	// token, or its deadline. Reconcile puts a lost message on the queue again.
	Queued State = "queued"
	// Submitting is claimed, and a POST may be on the wire; left by the answer of its attempt, a
	// verdict with its token, or the end of the claim.
	Submitting State = "submitting"
	// Unconfirmed is a POST whose outcome is unknown, and which is never sent again; left by the late
	// answer of its attempt, a verdict with its token, its deadline, or an operator.
	Unconfirmed State = "unconfirmed"
	// Processing is accepted; left by a verdict or its deadline.
	Processing State = "processing"
	// Completed is the vendor's verdict; final.
	Completed State = "completed"
	// Failed is the vendor's verdict; final.
	Failed State = "failed"
	// Rejected is refused for good; final.
	Rejected State = "rejected"
	// Expired is without a verdict by the deadline; a late verdict of the vendor still wins.
	Expired State = "expired"
)

// States lists every state.
func States() []State {
	return []State{Queued, Submitting, Unconfirmed, Processing, Completed, Failed, Rejected, Expired}
}

// Settled says whether the state is a verdict.
func (s State) Settled() bool {
	switch s {
	case Completed, Failed, Rejected, Expired:
		return true
	case Queued, Submitting, Unconfirmed, Processing:
		return false
	}
	return false
}

// AwaitsVerdict says whether a verdict of the vendor is accepted in this state.
func (s State) AwaitsVerdict() bool {
	switch s {
	case Queued, Submitting, Unconfirmed, Processing, Expired:
		return true
	case Completed, Failed, Rejected:
		return false
	}
	return false
}

// Job is the account of one prompt. Times are in UTC and whole milliseconds.
type Job struct {
	// ID is the producer's job_id, or the message id; unique among jobs, and apart from that among rejections.
	ID string
	// Rejection marks the record of a refused message, which is not a job: its ID is the message id.
	Rejection bool
	State     State
	// Version counts the transitions; the first stored is 1.
	Version int64
	// Token is in the callback's path, made once, and proves that a callback means this job.
	Token string
	// Request is what the producer sent, as compact JSON without job_id, each value untouched; empty in a rejection.
	Request string
	// PayloadHash is the hash of Request in canonical form, to tell a repeat from another payload under the same id.
	PayloadHash string
	// Model is what was asked for, for events and lists.
	Model string
	// Metadata is the caller's own, as raw JSON; empty when there is none.
	Metadata string
	Delivery events.Delivery
	// CreatedAt is when the job was first stored.
	CreatedAt time.Time
	// EnqueuedAt is when its message was put on the queue, or put back by an operator; queued ends QueuedFor after it.
	EnqueuedAt time.Time

	// Attempt counts the claims; an answer belongs to one attempt.
	Attempt int64
	// ClaimID tells two claims of the same attempt number apart.
	ClaimID    string
	ClaimedAt  time.Time
	ClaimUntil time.Time
	// RetryAt is when the message of a queued job is visible again, at the latest.
	RetryAt time.Time

	// GenerationID is the vendor's id; empty until it is known.
	GenerationID string
	AcceptedAt   time.Time
	// Acceptance is what the vendor said when it accepted.
	Acceptance Charge
	// Result is the vendor's verdict.
	Result *Result
	// Callback is the raw body of the callback that settled the job.
	Callback []byte
	// Reason is why the job was rejected, or expired.
	Reason Reason
	// SettledAt is when the verdict that stands was stored.
	SettledAt time.Time
	// Archive is what became of the video.
	Archive Archive

	// History is each transition, oldest first, bounded.
	History []Step
	// Owed are the events that are not yet known to be on the bus, oldest first.
	Owed []Owed
	// DueAt is when someone must look at the job; zero when no one must.
	DueAt time.Time
	// LeaseID tells two looks at the same time apart: only one of them goes on.
	LeaseID string
	// Looks counts how often someone looked since the state last changed the interval.
	Looks int64
	// ExpiresAt is when the record may be deleted.
	ExpiresAt time.Time
}

// Charge is what the vendor said of provider and price. A nil is not said.
type Charge struct {
	ModelActual  string
	Credits      *int64
	FailoverUsed *bool
}

// Result is the vendor's verdict.
type Result struct {
	// OutputURL is the video; nil when the vendor gave none.
	OutputURL *string
	// OutputURLProblem says why OutputURL cannot be downloaded; empty when it can.
	OutputURLProblem string
	ErrorMessage     string
	Charge           Charge
	// CompletedAt is the vendor's own time, as it wrote it.
	CompletedAt string
	Via         events.Via
}

// Reason is why a job ended without a video.
type Reason struct {
	Code    events.RejectionCode
	Field   string
	Message string
	// ClaimedJobID and Excerpt belong to rejections of messages.
	ClaimedJobID string
	Excerpt      string
}

// ArchiveState is what became of the video.
type ArchiveState string

// The archive's states.
const (
	// ArchiveNone is no video to archive, or archiving switched off.
	ArchiveNone ArchiveState = ""
	// ArchivePending is a video that is to be archived.
	ArchivePending ArchiveState = "pending"
	// ArchiveStored is a video that lies in the bucket.
	ArchiveStored ArchiveState = "stored"
	// ArchiveFailed is a video that cannot be had.
	ArchiveFailed ArchiveState = "failed"
)

// Archive is what became of the video.
type Archive struct {
	State       ArchiveState
	Bucket      string
	Key         string
	Size        int64
	SHA256      string
	ContentType string
	// URL is a presigned link to the object, where the setting asks for one; it ends at URLExpiresAt.
	URL          string
	URLExpiresAt time.Time
	// Code and Message say why it failed.
	Code    string
	Message string
	At      time.Time
}

// Step is one transition in a job's history.
type Step struct {
	Version int64
	State   State
	At      time.Time
	Why     string
}

// Owed is an event that is not yet known to be on the bus.
type Owed struct {
	// Version is the job's version when it happened: part of the event's id.
	Version int64
	Type    events.DetailType
	At      time.Time
	// Stage and MayBeCharged belong to an expiry.
	Stage        State
	MayBeCharged bool
	// Message belongs to an expiry too, so that a later verdict does not take it away.
	Message string
	// Again says that it was on the bus before, and is only repeated.
	Again bool
}

// Key tells jobs and rejections apart in one table: "job#<id>" or "rejection#<id>".
func (j Job) Key() string {
	if j.Rejection {
		return "rejection#" + j.ID
	}
	return Key(j.ID)
}

// Key is the key of the job with this id.
func Key(id string) string { return "job#" + id }

// EventID identifies the event that the transition to version owes:
// <job_id>:<created_at in ms>:<version>. The time keeps an id that is used again
// after its record's end from looking like a repeat.
func (j Job) EventID(version int64) string {
	return fmt.Sprintf("%s:%d:%d", j.ID, j.CreatedAt.UnixMilli(), version)
}
