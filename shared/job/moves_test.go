package job_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

// TestWhatMovesWrite holds the whole job after each move against the job before
// it: what is named is changed, and nothing else.
func TestWhatMovesWrite(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	// A fact's time is cut to whole milliseconds, in UTC.
	at := jobtest.Epoch().Add(20 * time.Second)
	rough := at.Add(345 * time.Microsecond).In(time.FixedZone("east", 3600))
	recordEnd := at.Add(45 * 24 * time.Hour).Truncate(time.Second)
	charge := job.Charge{ModelActual: "model-y", Credits: new(int64(7))}
	callback := jobtest.Callback(job.Completed)
	callback.At = rough
	failed := jobtest.Callback(job.Failed)
	failed.At, failed.Token, failed.Body, failed.Result.Via = rough, "", nil, events.ViaPoll
	archive := job.Archive{State: job.ArchiveStored, Bucket: "b", Key: "k", Size: 9, SHA256: "s", ContentType: "video/mp4"}
	const gaveUp = "the answer to the submit was lost, and jo gave the job up; the vendor may have charged for it"
	gone := job.Archive{State: job.ArchiveFailed, Code: "gone", Message: "404"}

	for _, tc := range []struct {
		name, stage string
		fact        job.Fact
		why         string
		owes        *job.Owed
		change      func(*job.Job)
	}{
		{
			"claim", "queued",
			job.Claim{At: rough, ID: "c", PayloadHash: jobtest.PayloadHash},
			"claimed, attempt 2", nil,
			func(j *job.Job) {
				j.State, j.Attempt, j.ClaimID, j.RetryAt, j.Looks = job.Submitting, 2, "c", time.Time{}, 0
				j.ClaimedAt, j.ClaimUntil, j.DueAt = at, at.Add(90*time.Second), at.Add(5*time.Minute)
			},
		},
		{
			"accept", "unconfirmed",
			job.Accept{At: rough, Attempt: 2, GenerationID: "g", Charge: charge},
			"accepted by the vendor, as g", &job.Owed{Type: events.TypeAccepted},
			func(j *job.Job) {
				j.State, j.GenerationID, j.AcceptedAt, j.Acceptance = job.Processing, "g", at, charge
			},
		},
		{
			"accept after the deadline", "expired, unconfirmed",
			job.Accept{At: rough, Attempt: 2, GenerationID: "g"},
			"accepted by the vendor, as g, after the deadline", nil,
			func(j *job.Job) {
				j.GenerationID, j.AcceptedAt, j.Looks, j.DueAt = "g", at, 0, j.SettledAt.Add(6*time.Hour)
			},
		},
		{
			"refuse", "submitting",
			job.Refuse{At: rough, Attempt: 2, Message: "no"},
			"no", &job.Owed{Type: events.TypeRejected},
			func(j *job.Job) {
				j.State, j.SettledAt, j.Reason = job.Rejected, at, job.Reason{Code: events.CodeRefused, Message: "no"}
			},
		},
		{
			"put back", "submitting",
			job.PutBack{At: rough, Attempt: 2, RetryAt: rough.Add(time.Minute), Message: "429"},
			"429", nil,
			func(j *job.Job) { j.State, j.RetryAt = job.Queued, at.Add(time.Minute) },
		},
		{
			"lost answer", "submitting",
			job.LoseAnswer{At: rough, Attempt: 2, Message: "reset"},
			"reset", nil,
			func(j *job.Job) { j.State = job.Unconfirmed },
		},
		{
			"completed by callback", "processing", callback, "verdict of the vendor, by callback", &job.Owed{Type: events.TypeCompleted},
			func(j *job.Job) {
				j.State, j.SettledAt, j.Result, j.Callback = job.Completed, at, &callback.Result, callback.Body
				j.Archive.State = job.ArchivePending
			},
		},
		{
			"failed, by our own question", "expired, with an id", failed, "verdict of the vendor, by poll", &job.Owed{Type: events.TypeFailed},
			func(j *job.Job) { j.State, j.SettledAt, j.Result = job.Failed, at, &failed.Result },
		},
		{
			"callback before the answer", "submitting", callback, "verdict of the vendor, by callback", &job.Owed{Type: events.TypeCompleted},
			func(j *job.Job) {
				j.State, j.SettledAt, j.Result, j.Callback = job.Completed, at, &callback.Result, callback.Body
				j.Archive.State, j.GenerationID = job.ArchivePending, jobtest.GenerationID
			},
		},
		{
			"callback when no one looks any more", "expired, published", callback, "verdict of the vendor, by callback", &job.Owed{Type: events.TypeCompleted},
			func(j *job.Job) {
				j.State, j.SettledAt, j.Result, j.Callback = job.Completed, at, &callback.Result, callback.Body
				j.Archive.State, j.GenerationID, j.DueAt = job.ArchivePending, jobtest.GenerationID, at.Add(5*time.Minute)
			},
		},
		{
			"attach", "expired, unconfirmed",
			job.Attach{At: rough, GenerationID: "g", By: "jo"},
			"jo attached generation g", &job.Owed{Type: events.TypeAccepted},
			func(j *job.Job) {
				j.State, j.GenerationID, j.AcceptedAt, j.DueAt, j.Looks = job.Processing, "g", at, at, 0
			},
		},
		{
			"release", "unconfirmed",
			job.Release{At: rough, By: "jo"},
			"jo allowed one new submit", nil,
			func(j *job.Job) {
				j.State, j.EnqueuedAt, j.RetryAt, j.DueAt, j.Looks = job.Queued, at, time.Time{}, at, 0
			},
		},
		{
			"give up", "unconfirmed",
			job.GiveUp{At: rough, By: "jo"},
			gaveUp, &job.Owed{Type: events.TypeExpired, Stage: job.Unconfirmed, MayBeCharged: true, Message: gaveUp},
			func(j *job.Job) { j.State, j.SettledAt, j.Reason = job.Expired, at, job.Reason{Message: gaveUp} },
		},
		{
			"cancel", "queued",
			job.Cancel{At: rough, By: "jo"},
			"cancelled by jo before the vendor accepted it", &job.Owed{Type: events.TypeRejected},
			func(j *job.Job) {
				j.State, j.SettledAt = job.Rejected, at
				j.Reason = job.Reason{Code: events.CodeCancelled, Message: "cancelled by jo before the vendor accepted it"}
			},
		},
		{
			"stored", "completed",
			job.Stored{At: rough, Archive: archive},
			"the video lies at k", &job.Owed{Type: events.TypeArchived},
			func(j *job.Job) { j.Archive = archive; j.Archive.At = at },
		},
		{
			"archive failed", "completed",
			job.Stored{At: rough, Archive: gone},
			"the video cannot be had: 404", &job.Owed{Type: events.TypeArchiveFailed},
			func(j *job.Job) { j.Archive = gone; j.Archive.At = at },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			j := jobtest.At(t, rules, "job-1", tc.stage)
			j.Looks = 3
			want := j
			tc.change(&want)
			want.Version++
			want.ExpiresAt = recordEnd
			want.History = append(slices.Clone(j.History), job.Step{Version: want.Version, State: want.State, At: at, Why: tc.why})
			if tc.owes != nil {
				tc.owes.Version, tc.owes.At = want.Version, at
				want.Owed = append(slices.Clone(j.Owed), *tc.owes)
			}
			got, err := rules.Apply(j, tc.fact)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("not what was to be written (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExpiries says, for each state that ends by itself, what its event tells of money.
func TestExpiries(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	for _, tc := range []struct {
		stage        string
		state        job.State
		mayBeCharged bool
		looks        int64 // afterwards: they start anew where the vendor is asked again
	}{
		{"new", job.Queued, false, 3},
		{"queued", job.Queued, false, 3},
		{"unconfirmed", job.Unconfirmed, true, 3},
		{"processing", job.Processing, true, 0},
	} {
		t.Run(tc.stage, func(t *testing.T) {
			t.Parallel()
			j := jobtest.At(t, rules, "job-1", tc.stage)
			j.Looks = 3
			at := deadline(j).Add(time.Second)
			got, err := rules.Apply(j, job.Deadline{At: at})
			if err != nil {
				t.Fatal(err)
			}
			message := got.Reason.Message
			want := job.Owed{
				Version: j.Version + 1, Type: events.TypeExpired, At: at,
				Stage: tc.state, MayBeCharged: tc.mayBeCharged, Message: message,
			}
			if diff := cmp.Diff(want, got.Owed[len(got.Owed)-1]); diff != "" || message == "" {
				t.Errorf("the event owed (-want +got):\n%s", diff)
			}
			if got.State != job.Expired || !got.SettledAt.Equal(at) || got.GenerationID != j.GenerationID {
				t.Errorf("%s at %v with id %q", got.State, got.SettledAt, got.GenerationID)
			}
			if got.Looks != tc.looks {
				t.Errorf("looked at %d times, want %d", got.Looks, tc.looks)
			}
		})
	}
}

// TestArchivePending is a completed video's only where the rules archive and its URL can be downloaded.
func TestArchivePending(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		archive bool
		state   job.State
		problem string
		want    job.ArchiveState
	}{
		{"a video", true, job.Completed, "", job.ArchivePending},
		{"archiving is off", false, job.Completed, "", job.ArchiveNone},
		{"no usable URL", true, job.Completed, "it is not https", job.ArchiveNone},
		{"a failure", true, job.Failed, "", job.ArchiveNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rules := job.DefaultRules()
			j := jobtest.At(t, rules, "job-1", "processing")
			rules.Archive = tc.archive
			verdict := jobtest.Callback(tc.state)
			verdict.Result.OutputURLProblem = tc.problem
			got, err := rules.Apply(j, verdict)
			if err != nil || got.Archive.State != tc.want {
				t.Errorf("archive %q, want %q (%v)", got.Archive.State, tc.want, err)
			}
		})
	}
}
