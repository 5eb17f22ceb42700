package job_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

// life tells a job's life as a story: what happened, and where it led.
type life struct {
	t     *testing.T
	rules job.Rules
	j     job.Job
}

func newLife(t *testing.T) *life {
	t.Helper()
	rules := job.DefaultRules()
	return &life{t: t, rules: rules, j: rules.New(jobtest.Origin("job-1"))}
}

// when applies a fact that has to move the job to a state.
func (l *life) when(f job.Fact, want job.State) {
	l.t.Helper()
	next, err := l.rules.Apply(l.j, f)
	if err != nil || next.State != want {
		l.t.Fatalf("%T at %s leads to %s (%v), want %s", f, l.j.State, next.State, err, want)
	}
	l.j = next
}

// but applies a fact that must not move the job.
func (l *life) but(f job.Fact, want error) {
	l.t.Helper()
	if next, err := l.rules.Apply(l.j, f); !errors.Is(err, want) || !cmp.Equal(next, l.j) {
		l.t.Fatalf("%T at %s: %v, want %v and the job as it was", f, l.j.State, err, want)
	}
}

// owes checks which events are owed in all.
func (l *life) owes(want ...events.DetailType) {
	l.t.Helper()
	var got []events.DetailType
	for _, o := range l.j.Owed {
		got = append(got, o.Type)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		l.t.Errorf("events owed (-want +got):\n%s", diff)
	}
}

func after(d time.Duration) time.Time { return jobtest.Epoch().Add(d) }

func claimAt(at time.Time) job.Claim {
	return job.Claim{At: at, ID: at.String(), PayloadHash: jobtest.PayloadHash}
}

func TestFault16_CallbackBeforeTheAnswerIsStored(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.when(claimAt(after(0)), job.Submitting)
	l.when(jobtest.Callback(job.Completed), job.Completed)
	version := l.j.Version
	l.but(job.Accept{At: after(2 * time.Minute), Attempt: 1, GenerationID: jobtest.GenerationID}, job.ErrDuplicate)
	l.but(job.Accept{At: after(2 * time.Minute), Attempt: 1, GenerationID: "another"}, job.ErrContradiction)
	l.but(job.LoseAnswer{At: after(2 * time.Minute), Attempt: 1}, job.ErrStale)
	l.but(job.ClaimRanOut{At: after(2 * time.Minute)}, job.ErrStale)
	l.owes(events.TypeCompleted)
	if l.j.Version != version || l.j.GenerationID != jobtest.GenerationID {
		t.Errorf("version %d, id %q", l.j.Version, l.j.GenerationID)
	}
}

func TestFault17_TheSameCallbackAgain(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.when(claimAt(after(0)), job.Submitting)
	l.when(job.Accept{At: after(time.Second), Attempt: 1, GenerationID: jobtest.GenerationID}, job.Processing)
	callback := jobtest.Callback(job.Completed)
	l.when(callback, job.Completed)
	l.but(callback, job.ErrDuplicate)
	callback.At = after(7 * 24 * time.Hour)
	l.but(callback, job.ErrDuplicate)
	l.owes(events.TypeAccepted, events.TypeCompleted)
}

func TestFault18_TheFirstVerdictStands(t *testing.T) {
	t.Parallel()
	for first, second := range map[job.State]job.State{job.Completed: job.Failed, job.Failed: job.Completed} {
		l := newLife(t)
		l.when(claimAt(after(0)), job.Submitting)
		l.when(jobtest.Callback(first), first)
		l.but(jobtest.Callback(second), job.ErrContradiction)
		if l.j.State != first || len(l.j.Owed) != 1 {
			t.Errorf("%s, owing %d events", l.j.State, len(l.j.Owed))
		}
	}
}

func TestFault26_VerdictAfterExpiry(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.when(claimAt(after(0)), job.Submitting)
	l.when(job.Accept{At: after(time.Second), Attempt: 1, GenerationID: jobtest.GenerationID}, job.Processing)
	l.when(job.Deadline{At: after(time.Second + time.Hour)}, job.Expired)
	expiry := l.j.Version
	callback := jobtest.Callback(job.Completed)
	callback.At = after(3 * time.Hour)
	l.when(callback, job.Completed)
	l.owes(events.TypeAccepted, events.TypeExpired, events.TypeCompleted)
	if l.j.Version <= expiry {
		t.Errorf("version %d after the expiry's %d", l.j.Version, expiry)
	}
	if a, b := l.j.EventID(l.j.Owed[1].Version), l.j.EventID(l.j.Owed[2].Version); a == b {
		t.Errorf("both verdicts' events have the id %s", a)
	}
}

// The expiry was published long ago and nobody was to look at the job any more:
// the late verdict's event has to get out even if its stream record is lost.
func TestFault26_VerdictAfterAPublishedExpiryIsLookedAfter(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.j = jobtest.At(t, l.rules, "job-1", "expired, published")
	if !l.j.DueAt.IsZero() {
		t.Fatalf("due at %v, want never", l.j.DueAt)
	}
	l.when(jobtest.Callback(job.Completed), job.Completed)
	if l.j.DueAt.IsZero() {
		t.Error("an event is owed and nobody will look")
	}
}

func TestFault31_DeliveredAgainWhileThePostHangs(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.when(claimAt(after(0)), job.Submitting)
	l.but(claimAt(after(30*time.Second)), job.ErrClaimed)
	l.when(job.ClaimRanOut{At: after(90 * time.Second)}, job.Unconfirmed)
	l.but(claimAt(after(91*time.Second)), job.ErrDuplicate) // its message is acknowledged: the only copy
	refused := after(95 * time.Second)
	l.when(job.PutBack{At: refused, Attempt: 1, RetryAt: refused.Add(time.Minute), Message: "429"}, job.Queued)
	look, must := l.rules.NextLook(l.j, refused)
	if !must || l.j.DueAt.IsZero() {
		t.Fatal("its message is gone and nobody will look")
	}
	if !l.rules.NeedsMessage(l.j, look) {
		t.Errorf("at the next look, %v, its message is not put on the queue again", look)
	}
	l.when(claimAt(look), job.Submitting)
	l.when(job.Accept{At: look, Attempt: 2, GenerationID: jobtest.GenerationID}, job.Processing)
}

func TestFault32_ClaimEndedByAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.when(claimAt(after(0)), job.Submitting)
	l.when(job.ClaimRanOut{At: after(5*time.Minute + 2*time.Second)}, job.Unconfirmed)
	l.when(job.Accept{At: after(3 * time.Second), Attempt: 1, GenerationID: jobtest.GenerationID}, job.Processing)
	l.owes(events.TypeAccepted)
	if l.j.GenerationID != jobtest.GenerationID {
		t.Errorf("the id is %q", l.j.GenerationID)
	}
}
