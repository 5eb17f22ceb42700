package job

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clipqueue/clipqueue/events"
)

// MinRecordFor is the shortest time a record is kept: longer than any message
// could bring the job back. SQS keeps a message for up to 14 days, a
// dead-letter queue for up to 14 more, and a redrive starts anew.
const MinRecordFor = 45 * 24 * time.Hour

// historyMax bounds the history; the oldest steps but the first are dropped.
const historyMax = 50

// Rules are the settings that the life of a job depends on.
type Rules struct {
	// ClaimFor is how long a claim protects its POST.
	ClaimFor time.Duration
	// FirstLookAfter is how long after its claim a job is first looked at.
	FirstLookAfter time.Duration
	// QueuedFor is how long a job may wait to be accepted.
	QueuedFor time.Duration
	// UnconfirmedFor is how long after the POST an unknown outcome is waited for.
	UnconfirmedFor time.Duration
	// ProcessingFor is how long after its acceptance a verdict is waited for.
	ProcessingFor time.Duration
	// RecordFor is how long a record is kept after its last transition.
	RecordFor time.Duration
	// Archive says whether finished videos are archived.
	Archive bool
}

// DefaultRules are the design's defaults.
func DefaultRules() Rules {
	return Rules{
		ClaimFor:       90 * time.Second,
		FirstLookAfter: 5 * time.Minute,
		QueuedFor:      7 * 24 * time.Hour,
		UnconfirmedFor: time.Hour,
		ProcessingFor:  time.Hour,
		RecordFor:      MinRecordFor,
		Archive:        true,
	}
}

// Validate refuses rules that would break a promise.
func (r Rules) Validate() error {
	var errs []error
	if r.RecordFor < MinRecordFor {
		errs = append(errs, fmt.Errorf("records are kept for %v: want at least %v, or an old message could be paid for again", r.RecordFor, MinRecordFor))
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"ClaimFor", r.ClaimFor},
		{"FirstLookAfter", r.FirstLookAfter},
		{"QueuedFor", r.QueuedFor},
		{"UnconfirmedFor", r.UnconfirmedFor},
		{"ProcessingFor", r.ProcessingFor},
	} {
		if d.d <= 0 {
			errs = append(errs, fmt.Errorf("%s is %v: want more than 0", d.name, d.d))
		}
	}
	return errors.Join(errs...)
}

// New is a job that is not stored yet: queued, at version 0. A Claim makes it
// version 1.
func (r Rules) New(o Origin) Job {
	return Job{
		ID: o.ID, State: Queued, Token: o.Token, Request: o.Request, PayloadHash: o.PayloadHash,
		Model: o.Model, Metadata: o.Metadata, Delivery: o.Delivery,
		CreatedAt: ms(o.At), EnqueuedAt: ms(o.EnqueuedAt), DueAt: ms(o.At).Add(r.FirstLookAfter),
		ExpiresAt: r.recordEnd(o.At),
	}
}

// Reject is the record of a message that was refused: version 1, rejected, its
// event owed. It is not a job, and touches none.
func (r Rules) Reject(messageID, metadata string, why Reason, at time.Time) Job {
	j := Job{
		ID: messageID, Rejection: true, State: Queued, Metadata: metadata, Reason: why,
		CreatedAt: ms(at), EnqueuedAt: ms(at), DueAt: ms(at).Add(r.FirstLookAfter),
	}
	return r.settle(j, Rejected, at, why.Message, Owed{Type: events.TypeRejected})
}

// Apply says what a fact does to a job: the job as it becomes, or the error
// that says why it does not move. The job that comes in is not changed.
func (r Rules) Apply(j Job, f Fact) (Job, error) {
	switch f := f.(type) {
	case Claim:
		return r.claim(j, f)
	case Accept:
		return r.accept(j, f)
	case Refuse:
		return r.refuse(j, f)
	case PutBack:
		return r.putBack(j, f)
	case LoseAnswer:
		return r.loseAnswer(j, f)
	case ClaimRanOut:
		return r.claimRanOut(j, f)
	case Verdict:
		return r.verdict(j, f)
	case Deadline:
		return r.deadline(j, f)
	case Attach:
		return r.attach(j, f)
	case Release:
		return r.release(j, f)
	case GiveUp:
		return r.giveUp(j, f)
	case Cancel:
		return r.cancel(j, f)
	case Stored:
		return r.stored(j, f)
	case Republish:
		return r.republish(j, f)
	}
	return j, fmt.Errorf("unknown fact %T", f)
}

func (r Rules) claim(j Job, f Claim) (Job, error) {
	switch {
	case f.PayloadHash != j.PayloadHash:
		return j, ErrOtherPayload
	case j.State == Submitting:
		return j, ErrClaimed
	case j.State != Queued:
		return j, ErrDuplicate
	case r.Overdue(j, f.At) != nil:
		return j, ErrOverdue
	}
	j.Attempt++
	j.ClaimID = f.ID
	j.ClaimedAt = ms(f.At)
	j.ClaimUntil = ms(f.At).Add(r.ClaimFor)
	j.RetryAt = time.Time{}
	j.DueAt = ms(f.At).Add(r.FirstLookAfter)
	j.Looks = 0
	return r.move(j, Submitting, f.At, fmt.Sprintf("claimed, attempt %d", j.Attempt)), nil
}

func (r Rules) accept(j Job, f Accept) (Job, error) {
	switch {
	case f.GenerationID == "":
		return j, ErrForeign
	case j.GenerationID == f.GenerationID:
		return j, ErrDuplicate
	case j.GenerationID != "", j.State == Rejected:
		return j, ErrContradiction
	case j.Attempt != f.Attempt, f.Attempt == 0:
		return j, ErrStale
	}
	j.GenerationID = f.GenerationID
	j.AcceptedAt = ms(f.At)
	j.Acceptance = f.Charge
	if j.State == Expired {
		j.Looks = 0
		j.DueAt = firstAsk(j)
		return r.move(j, Expired, f.At, "accepted by the vendor, as "+f.GenerationID+", after the deadline"), nil
	}
	j = r.move(j, Processing, f.At, "accepted by the vendor, as "+f.GenerationID)
	return r.owe(j, Owed{Type: events.TypeAccepted}), nil
}

func (r Rules) refuse(j Job, f Refuse) (Job, error) {
	if err := awaitsAnswer(j, f.Attempt); err != nil {
		return j, err
	}
	j.Reason = Reason{Code: events.CodeRefused, Message: f.Message}
	return r.settle(j, Rejected, f.At, f.Message, Owed{Type: events.TypeRejected}), nil
}

func (r Rules) putBack(j Job, f PutBack) (Job, error) {
	if err := awaitsAnswer(j, f.Attempt); err != nil {
		return j, err
	}
	j.RetryAt = ms(f.RetryAt)
	if j.State == Unconfirmed {
		// Its message was done with when the claim ran out: it is needed then.
		j.DueAt, j.RetryAt = j.RetryAt, time.Time{}
		j.Looks = 0
	}
	return r.move(j, Queued, f.At, f.Message), nil
}

func (r Rules) loseAnswer(j Job, f LoseAnswer) (Job, error) {
	if j.State == Unconfirmed && j.Attempt == f.Attempt {
		return j, ErrDuplicate
	}
	if err := awaitsAnswer(j, f.Attempt); err != nil {
		return j, err
	}
	return r.move(j, Unconfirmed, f.At, f.Message), nil
}

// awaitsAnswer says whether the answer of this attempt still counts.
func awaitsAnswer(j Job, attempt int64) error {
	if (j.State == Submitting || j.State == Unconfirmed) && j.Attempt == attempt {
		return nil
	}
	return ErrStale
}

func (r Rules) claimRanOut(j Job, f ClaimRanOut) (Job, error) {
	switch {
	case j.State != Submitting:
		return j, ErrStale
	case f.At.Before(j.ClaimUntil):
		return j, ErrNotDue
	}
	return r.move(j, Unconfirmed, f.At, "the claim ran out without an answer"), nil
}

func (r Rules) verdict(j Job, f Verdict) (Job, error) {
	if err := means(j, f); err != nil {
		return j, err
	}
	if !j.State.AwaitsVerdict() {
		if j.State == f.State {
			return j, ErrDuplicate
		}
		return j, ErrContradiction
	}
	j.GenerationID = f.GenerationID
	result := f.Result
	j.Result = &result
	j.Callback = f.Body
	kind := events.TypeFailed
	if f.State == Completed {
		kind = events.TypeCompleted
		if r.Archive && result.OutputURLProblem == "" {
			j.Archive.State = ArchivePending
		}
	}
	return r.settle(j, f.State, f.At, "verdict of the vendor, by "+string(result.Via), Owed{Type: kind}), nil
}

// means says whether the verdict is about this job. A callback proves it with
// the token, our own question with the generation id that we asked about.
func means(j Job, f Verdict) error {
	switch {
	case j.Rejection, f.GenerationID == "", f.State != Completed && f.State != Failed:
		return ErrForeign
	case j.GenerationID != "" && j.GenerationID != f.GenerationID:
		return ErrForeign
	case f.Token == "" && j.GenerationID == "":
		return ErrForeign
	case f.Token != "" && f.Token != j.Token:
		return ErrForeign
	}
	return nil
}

func (r Rules) deadline(j Job, f Deadline) (Job, error) {
	end, ok := r.deadlineOf(j)
	switch {
	case !ok:
		return j, ErrStale
	case f.At.Before(end):
		return j, ErrNotDue
	}
	return r.expire(j, f.At, expiry(j)), nil
}

// expire ends the job without a verdict.
func (r Rules) expire(j Job, at time.Time, message string) Job {
	owed := Owed{Type: events.TypeExpired, Stage: j.State, MayBeCharged: j.State != Queued || j.InDoubt(), Message: message}
	j.Reason = Reason{Message: message}
	j = r.settle(j, Expired, at, message, owed)
	if j.GenerationID != "" {
		j.Looks = 0
	}
	return j
}

func expiry(j Job) string {
	switch j.State {
	case Queued:
		if j.InDoubt() {
			return "the vendor did not accept the prompt by the deadline; the answer to an earlier submit was lost, " +
				"and that nothing was paid for it is an operator's word"
		}
		return "the vendor did not accept the prompt by the deadline; nothing was paid"
	case Unconfirmed:
		return "the answer to the submit was lost and no callback came by the deadline; the vendor may have charged for it"
	case Processing:
		return "the vendor accepted the prompt and gave no verdict by the deadline; it may have charged for it, and is asked again later"
	case Submitting, Completed, Failed, Rejected, Expired:
	}
	return "no verdict by the deadline"
}

// deadlineOf is when the job's state ends by itself.
func (r Rules) deadlineOf(j Job) (time.Time, bool) {
	switch j.State {
	case Queued:
		return j.EnqueuedAt.Add(r.QueuedFor), true
	case Unconfirmed:
		return j.ClaimedAt.Add(r.UnconfirmedFor), true
	case Processing:
		return j.AcceptedAt.Add(r.ProcessingFor), true
	case Submitting, Completed, Failed, Rejected, Expired:
	}
	return time.Time{}, false
}

func (r Rules) attach(j Job, f Attach) (Job, error) {
	switch {
	case f.GenerationID == "":
		return j, ErrForeign
	case j.GenerationID == f.GenerationID:
		return j, ErrDuplicate
	case j.GenerationID != "":
		return j, ErrContradiction
	case j.State != Unconfirmed && (j.State != Expired || j.Attempt == 0):
		return j, ErrStale
	}
	j.GenerationID = f.GenerationID
	j.AcceptedAt = ms(f.At)
	j.DueAt = ms(f.At)
	j.Looks = 0
	j = r.move(j, Processing, f.At, f.By+" attached generation "+f.GenerationID)
	return r.owe(j, Owed{Type: events.TypeAccepted}), nil
}

func (r Rules) release(j Job, f Release) (Job, error) {
	switch {
	case j.GenerationID != "":
		return j, ErrContradiction
	case j.State != Unconfirmed && j.State != Expired:
		return j, ErrStale
	}
	j.EnqueuedAt = ms(f.At)
	j.RetryAt = time.Time{} // its message is gone: it is needed at once
	j.DueAt = ms(f.At)
	j.Looks = 0
	return r.move(j, Queued, f.At, f.By+" allowed one new submit"), nil
}

func (r Rules) giveUp(j Job, f GiveUp) (Job, error) {
	switch j.State {
	case Unconfirmed:
		return r.expire(j, f.At, "the answer to the submit was lost, and "+f.By+" gave the job up; the vendor may have charged for it"), nil
	case Expired:
		return j, ErrDuplicate
	case Queued, Submitting, Processing, Completed, Failed, Rejected:
	}
	return j, ErrStale
}

func (r Rules) cancel(j Job, f Cancel) (Job, error) {
	switch {
	case j.State == Rejected && j.Reason.Code == events.CodeCancelled:
		return j, ErrDuplicate
	case j.State != Queued:
		return j, ErrStale
	}
	j.Reason = Reason{Code: events.CodeCancelled, Message: "cancelled by " + f.By + " before the vendor accepted it"}
	return r.settle(j, Rejected, f.At, j.Reason.Message, Owed{Type: events.TypeRejected}), nil
}

func (r Rules) stored(j Job, f Stored) (Job, error) {
	switch {
	case j.State != Completed, f.Archive.State != ArchiveStored && f.Archive.State != ArchiveFailed:
		return j, ErrStale
	case j.Archive.State == ArchiveStored, j.Archive.State == f.Archive.State:
		return j, ErrDuplicate
	}
	j.Archive = f.Archive
	j.Archive.At = ms(f.At)
	kind, why := events.TypeArchived, "the video lies at "+f.Archive.Key
	if f.Archive.State == ArchiveFailed {
		kind, why = events.TypeArchiveFailed, "the video cannot be had: "+f.Archive.Message
	}
	return r.owe(r.move(j, Completed, f.At, why), Owed{Type: kind}), nil
}

// republish owes the completed event once more, under its old id and version. The
// look moves too, so that a publisher who read the job when it owed the event the
// first time does not take the marker away.
func (r Rules) republish(j Job, f Republish) (Job, error) {
	if j.State != Completed || j.Archive.State != ArchivePending {
		return j, ErrStale
	}
	for _, o := range j.Owed {
		if o.Type == events.TypeCompleted {
			return j, ErrDuplicate
		}
	}
	for _, step := range j.History {
		if step.State == Completed {
			j.DueAt = later(j.DueAt, ms(f.At).Add(r.FirstLookAfter)).Add(time.Millisecond)
			j.Owed = append(slices.Clone(j.Owed), Owed{
				Version: step.Version, Type: events.TypeCompleted, At: step.At, Again: true,
			})
			return j, nil
		}
	}
	return j, ErrStale
}

// settle moves the job to a verdict.
func (r Rules) settle(j Job, s State, at time.Time, why string, owed Owed) Job {
	j.SettledAt = ms(at)
	return r.owe(r.move(j, s, at, why), owed)
}

// move makes the transition and writes it into the history.
func (r Rules) move(j Job, s State, at time.Time, why string) Job {
	j.State = s
	j.Version++
	j.ExpiresAt = r.recordEnd(at)
	history := slices.Clone(j.History)
	if len(history) >= historyMax {
		history = slices.Delete(history, 1, len(history)-historyMax+2)
	}
	j.History = append(history, Step{Version: j.Version, State: s, At: ms(at), Why: why})
	return j
}

// recordEnd is when a record that changed at this time may go: in whole seconds, as DynamoDB's TTL wants it.
func (r Rules) recordEnd(at time.Time) time.Time {
	return at.UTC().Add(r.RecordFor).Truncate(time.Second)
}

// owe marks the job's last transition as one that owes an event. A job that no
// one was to look at any more must be looked at again, in case the event does
// not get out by itself.
func (r Rules) owe(j Job, o Owed) Job {
	last := j.History[len(j.History)-1]
	o.Version, o.At = last.Version, last.At
	if j.DueAt.IsZero() {
		j.DueAt = last.At.Add(r.FirstLookAfter)
	}
	j.Owed = append(slices.Clone(j.Owed), o)
	return j
}

// ms cuts a time to what the table holds.
func ms(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
