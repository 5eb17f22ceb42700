package job

import (
	"errors"
	"time"

	"github.com/clipqueue/clipqueue/events"
)

// Why a fact does not move a job. Each tells the caller what to do instead.
var (
	// ErrDuplicate is a fact that the job already holds: nothing to write, all is well.
	ErrDuplicate = errors.New("the job already holds this")
	// ErrClaimed is a claim while another lives: come back when it ends.
	ErrClaimed = errors.New("the job is claimed by another delivery of its message")
	// ErrOverdue is a claim of a job whose time is over: [Rules.Overdue] says what to do.
	ErrOverdue = errors.New("the job's time is over")
	// ErrOtherPayload is a claim with another payload under the same job_id.
	ErrOtherPayload = errors.New("the job_id is taken by another payload")
	// ErrForeign is a verdict that does not mean this job: the token or the generation id does not fit.
	ErrForeign = errors.New("the callback does not belong to this job")
	// ErrContradiction is a fact that says the opposite of what stands.
	ErrContradiction = errors.New("it contradicts what stands")
	// ErrStale is a fact of an attempt, or of a state, that has passed.
	ErrStale = errors.New("the job has moved on")
	// ErrNotDue is a matter of time whose time has not come.
	ErrNotDue = errors.New("it is not due yet")
)

// Fact is something that happened to a job.
type Fact interface{ fact() }

// Claim is a delivery of the job's message that wants to POST.
type Claim struct {
	At          time.Time
	ID          string
	PayloadHash string
}

// Accept is the vendor's 2xx with a usable id, as the answer of an attempt.
type Accept struct {
	At           time.Time
	Attempt      int64
	GenerationID string
	Charge       Charge
}

// Refuse is the vendor's refusal for good, as the answer of an attempt.
type Refuse struct {
	At      time.Time
	Attempt int64
	Message string
}

// PutBack is an attempt that provably was not accepted: the job waits for its message again.
type PutBack struct {
	At      time.Time
	Attempt int64
	// RetryAt is when the message is visible again.
	RetryAt time.Time
	Message string
}

// LoseAnswer is an attempt whose outcome is unknown.
type LoseAnswer struct {
	At      time.Time
	Attempt int64
	Message string
}

// ClaimRanOut is the end of a claim without an answer.
type ClaimRanOut struct{ At time.Time }

// Verdict is the vendor's "completed" or "failed".
type Verdict struct {
	At time.Time
	// Token is from the callback's path; empty in the answer to our own question.
	Token        string
	GenerationID string
	// State is Completed or Failed.
	State  State
	Result Result
	// Body is the callback as it was received; nil in the answer to our own question.
	Body []byte
}

// Deadline is the end of a state's time.
type Deadline struct{ At time.Time }

// Attach is an operator's word that the vendor did accept, under this id.
type Attach struct {
	At           time.Time
	GenerationID string
	By           string
}

// Release is an operator's word that the vendor did not accept: one new submit is allowed.
type Release struct {
	At time.Time
	By string
}

// GiveUp is an operator's word that an unknown outcome is waited for no longer.
type GiveUp struct {
	At time.Time
	By string
}

// Cancel is an operator's word that a job which is not accepted shall not be submitted.
type Cancel struct {
	At time.Time
	By string
}

// Stored is a video that now lies in the bucket, or cannot be had.
type Stored struct {
	At      time.Time
	Archive Archive
}

// Republish is the wish that the archive hears of a completed job again.
type Republish struct{ At time.Time }

func (Claim) fact()       {}
func (Accept) fact()      {}
func (Refuse) fact()      {}
func (PutBack) fact()     {}
func (LoseAnswer) fact()  {}
func (ClaimRanOut) fact() {}
func (Verdict) fact()     {}
func (Deadline) fact()    {}
func (Attach) fact()      {}
func (Release) fact()     {}
func (GiveUp) fact()      {}
func (Cancel) fact()      {}
func (Stored) fact()      {}
func (Republish) fact()   {}

// Facts lists one of each kind, so that tests can loop over all.
func Facts() []Fact {
	return []Fact{
		Claim{},
		Accept{},
		Refuse{},
		PutBack{},
		LoseAnswer{},
		ClaimRanOut{},
		Verdict{},
		Deadline{},
		Attach{},
		Release{},
		GiveUp{},
		Cancel{},
		Stored{},
		Republish{},
	}
}

// Origin is what a new job is made of.
type Origin struct {
	ID          string
	Token       string
	Request     string
	PayloadHash string
	Model       string
	Metadata    string
	Delivery    events.Delivery
	// At is now, EnqueuedAt when the message was put on the queue.
	At, EnqueuedAt time.Time
}
