package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// settleIsApply holds Settle, which writes without reading, against the rules:
// at every stage and for every kind of verdict the same whole job or the same error.
func settleIsApply(b *bench) {
	variants := verdicts()
	for i, s := range jobtest.Stages(b.t, b.rules, "") {
		if s.Job.Version == 0 || s.Job.Rejection {
			continue // not in the table under a job's key
		}
		for name, v := range variants {
			b.t.Run(name+" at "+s.Name, func(t *testing.T) {
				b := &bench{Subject: b.Subject, t: t, rules: b.rules, clock: b.clock}
				j := s.Job
				j.ID = fmt.Sprintf("job-%d-%.24x", i, name)
				b.put(j, job.Job{})
				want, wantErr := b.rules.Apply(j, v)
				if v.Token == "" {
					want, wantErr = j, job.ErrForeign // a callback always has one
				}
				err := b.Table.Settle(b.t.Context(), j.ID, v)
				if !errors.Is(err, wantErr) {
					b.t.Fatalf("%v, want %v", err, wantErr)
				}
				b.stands(want)
			})
		}
	}
}

// verdicts are callbacks of every kind.
func verdicts() map[string]job.Verdict {
	change := func(change func(*job.Verdict)) job.Verdict {
		v := jobtest.Callback(job.Completed)
		change(&v)
		return v
	}
	return map[string]job.Verdict{
		"completed":   jobtest.Callback(job.Completed),
		"failed":      jobtest.Callback(job.Failed),
		"no video":    change(func(v *job.Verdict) { v.Result.OutputURL, v.Result.OutputURLProblem = nil, "there is none" }),
		"bare":        change(func(v *job.Verdict) { v.Result = job.Result{Via: v.Result.Via} }),
		"wrong token": change(func(v *job.Verdict) { v.Token = "of another job" }),
		"no token":    change(func(v *job.Verdict) { v.Token = "" }),
		"another id":  change(func(v *job.Verdict) { v.GenerationID = "generation-2" }),
		"no id":       change(func(v *job.Verdict) { v.GenerationID = "" }),
		"no verdict":  change(func(v *job.Verdict) { v.State = job.Processing }),
	}
}

// settleAfterLongHistory: Settle does not read, so it cannot cut the history; it
// may leave one step more than the rules, and the next write cuts it.
func settleAfterLongHistory(b *bench) {
	j := b.at("job-1", "new")
	for range 30 {
		j = b.apply(j, job.Claim{At: b.clock.Now(), ID: "claim", PayloadHash: jobtest.PayloadHash})
		j = b.apply(j, job.PutBack{At: b.clock.Now(), Attempt: j.Attempt, RetryAt: b.clock.Now(), Message: "429"})
	}
	b.put(j, job.Job{})
	b.fails(b.Table.Settle(b.t.Context(), "job-1", jobtest.Callback(job.Completed)), nil)
	got, err := b.Table.Get(b.t.Context(), j.Key())
	b.fails(err, nil)
	want := b.apply(j, jobtest.Callback(job.Completed))
	if extra := len(got.History) - len(want.History); extra < 0 || extra > 1 {
		b.t.Fatalf("%d steps, want %d or one more", len(got.History), len(want.History))
	}
	last := len(got.History) - len(want.History) + 1
	if diff := cmp.Diff(want.History[1:], got.History[last:]); diff != "" {
		b.t.Errorf("the latest steps (-want +got):\n%s", diff)
	}
	next, err := store.Transition(b.t.Context(), b.Table, b.rules, got, job.Stored{At: b.clock.Now(), Archive: job.Archive{State: job.ArchiveStored}})
	b.fails(err, nil)
	if len(next.History) > len(want.History) {
		b.t.Errorf("%d steps after the next write, want %d", len(next.History), len(want.History))
	}
	b.stands(next)
}

func settleNothing(b *bench) {
	b.fails(b.Table.Settle(b.t.Context(), "job-1", jobtest.Callback(job.Completed)), store.ErrNotFound)
	_, err := b.Table.Get(b.t.Context(), job.Key("job-1"))
	b.fails(err, store.ErrNotFound)
	rejection := b.stored("job-1", "rejection")
	b.fails(b.Table.Settle(b.t.Context(), "job-1", jobtest.Callback(job.Completed)), store.ErrNotFound)
	b.stands(rejection)
}
