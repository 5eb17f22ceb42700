package job_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

const tick = time.Millisecond

func TestOverdue(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	settled := jobtest.Epoch().Add(jobtest.SettledAfter)
	gaveUp := func(at time.Time) job.Fact {
		return job.Stored{At: at, Archive: job.Archive{
			State: job.ArchiveFailed, Code: "gave_up", Message: "the video could not be downloaded for 7 days",
		}}
	}
	deadline := func(at time.Time) job.Fact { return job.Deadline{At: at} }
	limits := map[string]struct {
		at   time.Time
		fact func(time.Time) job.Fact
	}{
		"new":                  {queuedUntil(), deadline},
		"queued":               {queuedUntil(), deadline},
		"submitting":           {claimUntil(), func(at time.Time) job.Fact { return job.ClaimRanOut{At: at} }},
		"unconfirmed":          {jobtest.Epoch().Add(jobtest.ClaimedAfter + time.Hour), deadline},
		"processing":           {jobtest.Epoch().Add(jobtest.AnsweredAfter + time.Hour), deadline},
		"completed":            {settled.AddDate(0, 0, 7), gaveUp},
		"completed, published": {settled.AddDate(0, 0, 7), gaveUp},
	}
	for _, s := range jobtest.Stages(t, rules, "job-1") {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			limit, ends := limits[s.Name]
			if !ends {
				if f := rules.Overdue(s.Job, jobtest.Epoch().AddDate(1, 0, 0)); f != nil {
					t.Errorf("a year later: %#v, want nothing", f)
				}
				return
			}
			if f := rules.Overdue(s.Job, limit.at.Add(-tick)); f != nil {
				t.Errorf("just before the limit: %#v, want nothing", f)
			}
			f := rules.Overdue(s.Job, limit.at)
			if diff := cmp.Diff(limit.fact(limit.at), f); diff != "" {
				t.Errorf("at the limit (-want +got):\n%s", diff)
			}
			if _, err := rules.Apply(s.Job, f); err != nil {
				t.Errorf("what is overdue does not move the job: %v", err)
			}
		})
	}
}

func TestNextLook(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	now := jobtest.Epoch().Add(20 * time.Second)
	settled := jobtest.Epoch().Add(jobtest.SettledAfter)
	unconfirmedUntil := jobtest.Epoch().Add(jobtest.ClaimedAfter + time.Hour)
	expired := jobtest.Epoch().Add(jobtest.AnsweredAfter + time.Hour)
	none := time.Time{}
	for _, tc := range []struct {
		name, stage string
		looks       int64
		now, want   time.Time
	}{
		{"while the claim lives, its end", "submitting", 0, now, claimUntil()},
		{"after the claim, in a minute", "submitting", 0, claimUntil(), claimUntil().Add(time.Minute)},
		{"the first look", "processing", 0, now, now.Add(time.Minute)},
		{"the second takes twice as long", "processing", 1, now, now.Add(2 * time.Minute)},
		{"the fourth", "processing", 3, now, now.Add(8 * time.Minute)},
		{"the fifth is at the longest interval", "processing", 4, now, now.Add(15 * time.Minute)},
		{"any number of looks", "processing", 1 << 40, now, now.Add(15 * time.Minute)},
		{"a number of looks that is none", "processing", -1, now, now.Add(time.Minute)},
		{"not after the deadline", "unconfirmed", 9, unconfirmedUntil.Add(-time.Minute), unconfirmedUntil},
		{"just before the deadline, not at once", "unconfirmed", 9, unconfirmedUntil.Add(-time.Second), unconfirmedUntil.Add(29 * time.Second)},
		{"at the deadline, after this look", "unconfirmed", 9, unconfirmedUntil, unconfirmedUntil.Add(15 * time.Minute)},
		{"past the deadline, likewise", "unconfirmed", 9, unconfirmedUntil.Add(time.Hour), unconfirmedUntil.Add(75 * time.Minute)},
		{"queued: long after its message is visible again", "queued", 0, jobtest.Epoch(), jobtest.Epoch().Add(10*time.Second + 2*time.Hour)},
		{"queued, its message visible", "queued", 0, now, now.Add(2 * time.Hour)},
		{"queued, many looks", "queued", 9, now, now.Add(12 * time.Hour)},
		{"queued, not after the deadline", "queued", 9, queuedUntil().Add(-time.Hour), queuedUntil()},
		{"an event is owed", "completed", 0, settled, settled.Add(time.Minute)},
		{"only the archive is awaited", "completed, published", 0, settled, settled.Add(30 * time.Minute)},
		{"the archive is awaited long", "completed, published", 9, settled, settled.Add(6 * time.Hour)},
		{"the archive's event is owed", "completed, archived", 2, settled, settled.Add(4 * time.Minute)},
		{"a failure's event is owed", "failed", 0, settled, settled.Add(time.Minute)},
		{"a rejection's event is owed", "rejection", 0, now, now.Add(time.Minute)},
		{"an expiry's event is owed", "expired, with an id", 0, expired, expired.Add(time.Minute)},
		{"expired without an id: nothing more to ask", "expired, published", 0, expired, none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			j := jobtest.At(t, rules, "job-1", tc.stage)
			j.Looks = tc.looks
			got, must := rules.NextLook(j, tc.now)
			if !got.Equal(tc.want) && must || must == tc.want.IsZero() {
				t.Errorf("%v, %v: want %v", got, must, tc.want)
			}
		})
	}
	for _, stage := range []string{"failed", "rejected", "completed, archived", "completed, archive failed", "rejection"} {
		t.Run(stage+" and published", func(t *testing.T) {
			t.Parallel()
			j := rules.Published(jobtest.At(t, rules, "job-1", stage), now)
			if at, must := rules.NextLook(j, now); must {
				t.Errorf("someone must look at %v, and there is nothing to see", at)
			}
		})
	}
}

// TestAsksAgain: an expired job whose generation is known is asked about after
// 6, 24 and 72 hours, and once more in case the last died half-way.
func TestAsksAgain(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	expired := jobtest.At(t, rules, "job-1", "expired, with an id")
	at := expired.SettledAt
	for _, tc := range []struct {
		now, want time.Duration
	}{
		{0, 6 * time.Hour},
		{6*time.Hour - tick, 6 * time.Hour},
		{6 * time.Hour, 24 * time.Hour},
		{24*time.Hour - tick, 24 * time.Hour},
		{24 * time.Hour, 72 * time.Hour},
		{72 * time.Hour, 73 * time.Hour},
		{73*time.Hour - tick, 73 * time.Hour},
		{73 * time.Hour, 0},
	} {
		published := rules.Published(expired, at.Add(tc.now))
		next, must := rules.NextLook(published, at.Add(tc.now))
		if must != (tc.want != 0) || must && !next.Equal(at.Add(tc.want)) {
			t.Errorf("%v after its expiry: next look at %v (%v), want %v after it", tc.now, next, must, tc.want)
		}
		if must && !published.DueAt.Equal(next) || !must && !published.DueAt.IsZero() {
			t.Errorf("%v after its expiry: published, it is due at %v, want %v", tc.now, published.DueAt, next)
		}
	}
}

func TestPublished(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	now := jobtest.Epoch().Add(time.Hour)
	for _, s := range jobtest.Stages(t, rules, "job-1") {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			want := s.Job
			want.Owed = nil
			switch s.Name {
			case "completed, archived", "completed, archive failed", "failed", "rejected", "rejected, cancelled",
				"rejection", "expired, unconfirmed", "expired, never accepted", "expired, published":
				want.DueAt = time.Time{}
			case "expired, with an id":
				want.DueAt = s.Job.SettledAt.Add(6 * time.Hour)
			}
			if diff := cmp.Diff(want, rules.Published(s.Job, now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNeedsMessage(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	queued := jobtest.At(t, rules, "job-1", "queued")
	long := queued.RetryAt.Add(2 * time.Hour)
	if rules.NeedsMessage(queued, long.Add(-tick)) {
		t.Error("just before two hours have passed: its message is merely late")
	}
	if !rules.NeedsMessage(queued, long) {
		t.Error("two hours after its message should have come: want a new one")
	}
	released := must(t)(rules.Apply(jobtest.At(t, rules, "job-1", "unconfirmed"), job.Release{At: jobtest.Epoch(), By: "jo"}))
	if !rules.NeedsMessage(released, jobtest.Epoch()) {
		t.Error("released by an operator: its message was acknowledged long ago, want a new one at once")
	}
	for _, s := range jobtest.Stages(t, rules, "job-1") {
		if s.Job.State != job.Queued && rules.NeedsMessage(s.Job, long.AddDate(1, 0, 0)) {
			t.Errorf("%s: nobody waits for a message", s.Name)
		}
	}
}

func TestNeedsArchiving(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	published := jobtest.At(t, rules, "job-1", "completed, published")
	long := published.SettledAt.Add(30 * time.Minute)
	if rules.NeedsArchiving(published, long.Add(-tick)) {
		t.Error("just before two hours have passed: the archive may be at work")
	}
	if !rules.NeedsArchiving(published, long) {
		t.Error("half an hour after the verdict: want the archive told again")
	}
	for _, s := range jobtest.Stages(t, rules, "job-1") {
		if s.Name != "completed, published" && rules.NeedsArchiving(s.Job, long.AddDate(1, 0, 0)) {
			t.Errorf("%s: there is nothing for the archive", s.Name)
		}
	}
}

// TestRepublish owes the completed event once more, under the id that it had.
func TestRepublish(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	first := jobtest.At(t, rules, "job-1", "completed")
	published := jobtest.At(t, rules, "job-1", "completed, published")
	again := must(t)(rules.Apply(published, job.Republish{At: published.SettledAt}))
	want := first.Owed[len(first.Owed)-1]
	if want.Type != events.TypeCompleted {
		t.Fatalf("the job owes %q last", want.Type)
	}
	want.Again = true // so that it is not counted twice
	if diff := cmp.Diff([]job.Owed{want}, again.Owed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A publisher who read the job before must not take it for what it read.
	if !again.DueAt.After(published.DueAt) || !again.DueAt.After(first.DueAt) {
		t.Errorf("the look stays at %v, where it was before", again.DueAt)
	}
}
