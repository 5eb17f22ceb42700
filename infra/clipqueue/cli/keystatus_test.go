package cli

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

// ruled is a stack of which no more is known than its rules.
type ruled struct{ stack }

func (ruled) Rules(context.Context) (job.Rules, error) { return job.DefaultRules(), nil }

// changedAt is a secret of which no more is known than when it was changed.
type changedAt struct {
	keyReader
	at time.Time
}

func (c changedAt) ChangedAt(context.Context) (time.Time, error) { return c.at, nil }

// TestDependents: a job depends on the previous key if it was submitted before
// that was replaced, or while a function may still have had it at hand, and if
// its callback is still to come.
func TestDependents(t *testing.T) {
	t.Parallel()
	rules, epoch := job.DefaultRules(), jobtest.Epoch()
	claimed, now := epoch.Add(jobtest.ClaimedAfter), epoch.Add(10*time.Minute)
	key := func(at time.Time) keyInForce {
		return keyInForce{"key", deployment.KeyVersion{PutAt: at}}
	}
	const longest = 90*time.Second + time.Hour // claimFor, and then the longer of the two deadlines
	for _, tc := range []struct {
		name              string
		stage             string
		poll              bool
		replaced, changed time.Time
		n                 int
		safeAt            time.Time
	}{
		{"submitting", "submitting", false, now, now, 1, now.Add(keyAtHand + longest)},
		{"unconfirmed", "unconfirmed", false, now, now, 1, now.Add(keyAtHand + longest)},
		{"processing", "processing", false, now, now, 1, now.Add(keyAtHand + longest)},
		{"processing, by polls", "processing", true, now, now, 0, now.Add(keyAtHand)},
		{"queued", "queued", false, now, now, 0, now.Add(keyAtHand)},
		{"completed", "completed", false, now, now, 0, now.Add(keyAtHand)},
		{"submitted with the old key at hand", "processing", false, claimed.Add(time.Millisecond - keyAtHand), time.Time{}, 1, claimed.Add(time.Millisecond + longest)},
		{"submitted with the new key", "processing", false, claimed.Add(-keyAtHand), time.Time{}, 0, time.Time{}},
		{"swapped since, or back and forth", "processing", false, epoch.Add(-24 * time.Hour), now, 1, now.Add(keyAtHand + longest)},
		{"swapped before", "processing", false, epoch.Add(-24 * time.Hour), epoch.Add(-23 * time.Hour), 0, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			table := memory.New(rules, func() time.Time { return now }, nil)
			j := jobtest.At(t, rules, "order-7", tc.stage)
			if tc.poll {
				j.Delivery = events.DeliveryPoll
			}
			if err := table.Put(t.Context(), j, job.Job{}); err != nil {
				t.Fatal(err)
			}
			r := newRoot(&App{Now: func() time.Time { return now }})
			s := &Services{Stack: ruled{}, Lists: table, KeyReader: changedAt{at: tc.changed}}
			got, err := r.dependents(t.Context(), s, key(tc.replaced))
			want := dependents{n: tc.n, safeAt: tc.safeAt, now: now}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(dependents{})); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// crowded is a table with more open jobs than are counted.
type crowded struct{ lists }

func (crowded) Due(_ context.Context, shard int, _ time.Time, limit int) ([]store.Due, error) {
	due := make([]store.Due, limit)
	for i := range due {
		due[i].Key = fmt.Sprintf("job#%d-%d", shard, i)
	}
	return due, nil
}

func (crowded) Many(_ context.Context, keys []string) ([]job.Job, error) {
	jobs := make([]job.Job, len(keys))
	for i := range jobs {
		jobs[i].State = job.Processing
	}
	return jobs, nil
}

func TestDependentsAreCountedUpToALimit(t *testing.T) {
	t.Parallel()
	now := jobtest.Epoch()
	r := newRoot(&App{Now: func() time.Time { return now }})
	current := keyInForce{"key", deployment.KeyVersion{PutAt: now}}
	d, err := r.dependents(t.Context(), &Services{Stack: ruled{}, Lists: crowded{}, KeyReader: changedAt{}}, current)
	want := "Jobs that depend on it: at least 4000 open jobs; safe when they have ended, 2026-01-02 04:10:35 UTC (in 1h 6m) at the latest."
	if got := d.words(); err != nil || got != want {
		t.Errorf("%v: %s\nwant %s", err, got, want)
	}
}
