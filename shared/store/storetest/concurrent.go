package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// atOnce does n things at once and returns their errors.
func atOnce(n int, do func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// oneWins checks that exactly one had no error, and all others this one.
func oneWins(t *testing.T, errs []error, others error) {
	t.Helper()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, others):
			t.Errorf("one lost with %v, want %v", err, others)
		}
	}
	if won != 1 {
		t.Errorf("%d won, want exactly one", won)
	}
}

func concurrentClaims(b *bench) {
	claimBy := func(i int, hash string) job.Claim {
		return job.Claim{At: jobtest.Epoch(), ID: fmt.Sprintf("claim-%d", i), PayloadHash: hash}
	}
	b.t.Run("of a new job", func(t *testing.T) {
		b := setup(t, b.open)
		fresh := b.at("job-1", "new")
		winner := make(chan job.Job, 8)
		oneWins(t, atOnce(8, func(i int) error {
			j, err := store.Transition(t.Context(), b.Table, b.rules, fresh, claimBy(i, jobtest.PayloadHash))
			if err == nil {
				winner <- j
			}
			return err
		}), job.ErrClaimed)
		b.stands(<-winner)
	})
	b.t.Run("of a queued job", func(t *testing.T) {
		b := setup(t, b.open)
		queued := b.stored("job-1", "queued")
		winner := make(chan job.Job, 8)
		oneWins(t, atOnce(8, func(i int) error {
			j, err := store.Transition(t.Context(), b.Table, b.rules, queued, claimBy(i, jobtest.PayloadHash))
			if err == nil {
				winner <- j
			}
			return err
		}), job.ErrClaimed)
		b.stands(<-winner)
	})
	b.t.Run("with other payloads", func(t *testing.T) {
		b := setup(t, b.open)
		oneWins(t, atOnce(8, func(i int) error {
			hash := fmt.Sprintf("payload-%d", i)
			fresh := b.at("job-1", "new")
			fresh.PayloadHash = hash
			_, err := store.Transition(t.Context(), b.Table, b.rules, fresh, claimBy(i, hash))
			return err
		}), job.ErrOtherPayload)
		got, err := b.Table.Get(t.Context(), job.Key("job-1"))
		b.fails(err, nil)
		if want := "claim-" + got.PayloadHash[len("payload-"):]; got.Version != 1 || got.Attempt != 1 || got.ClaimID != want {
			t.Errorf("version %d, attempt %d, %s with %s", got.Version, got.Attempt, got.ClaimID, got.PayloadHash)
		}
	})
}

func concurrentLeases(b *bench) {
	j := b.stored("job-1", "processing")
	winner := make(chan job.Job, 8)
	for _, err := range atOnce(8, func(int) error {
		// All at the very same time: their writes must not look like one that is repeated.
		leased, err := store.Lease(b.t.Context(), b.Table, b.rules, j, b.clock.Now())
		if err == nil {
			winner <- leased
		}
		return err
	}) {
		var conflict *store.Conflict
		if err != nil && !errors.As(err, &conflict) {
			b.t.Errorf("one lost with %v, want a conflict", err)
		}
	}
	if len(winner) != 1 {
		b.t.Fatalf("%d have the lease, want exactly one", len(winner))
	}
	b.stands(<-winner)
}

func concurrentCallbacks(b *bench) {
	b.t.Run("the same one", func(t *testing.T) {
		b := setup(t, b.open)
		j := b.stored("job-1", "processing")
		oneWins(t, atOnce(8, func(int) error {
			return b.Table.Settle(t.Context(), "job-1", jobtest.Callback(job.Completed))
		}), job.ErrDuplicate)
		b.stands(b.apply(j, jobtest.Callback(job.Completed)))
	})
	b.t.Run("completed and failed", func(t *testing.T) {
		b := setup(t, b.open)
		j := b.stored("job-1", "processing")
		verdicts := []job.State{job.Completed, job.Failed}
		errs := atOnce(2, func(i int) error {
			return b.Table.Settle(t.Context(), "job-1", jobtest.Callback(verdicts[i]))
		})
		oneWins(t, errs, job.ErrContradiction)
		for i, err := range errs {
			if err == nil {
				b.stands(b.apply(j, jobtest.Callback(verdicts[i])))
			}
		}
	})
	b.t.Run("and the answer", func(t *testing.T) {
		b := setup(t, b.open)
		j := b.stored("job-1", "submitting")
		errs := atOnce(2, func(i int) error {
			if i == 0 {
				return b.Table.Settle(t.Context(), "job-1", jobtest.Callback(job.Completed))
			}
			_, err := store.Transition(t.Context(), b.Table, b.rules, j,
				job.Accept{At: b.clock.Now(), Attempt: jobtest.Attempt, GenerationID: jobtest.GenerationID})
			return err
		})
		if errs[0] != nil || errs[1] != nil && !errors.Is(errs[1], job.ErrDuplicate) {
			t.Errorf("the callback: %v, the answer: %v", errs[0], errs[1])
		}
		got, err := b.Table.Get(t.Context(), j.Key())
		b.fails(err, nil)
		if got.State != job.Completed || got.GenerationID != jobtest.GenerationID {
			t.Errorf("%s with id %q", got.State, got.GenerationID)
		}
	})
}

// transitionOnConflict: a fact is applied to what stands, not to what was read.
func transitionOnConflict(b *bench) {
	read := b.stored("job-1", "submitting")
	leased, err := store.Lease(b.t.Context(), b.Table, b.rules, read, b.clock.Now())
	b.fails(err, nil)
	lost := job.LoseAnswer{At: b.clock.Now(), Attempt: jobtest.Attempt, Message: "reset"}
	got, err := store.Transition(b.t.Context(), b.Table, b.rules, read, lost)
	b.fails(err, nil)
	want := b.apply(leased, lost)
	b.stands(want)
	if got.DueAt != want.DueAt || got.Looks != want.Looks {
		b.t.Errorf("the job that came back is due at %v after %d looks, want %v and %d", got.DueAt, got.Looks, want.DueAt, want.Looks)
	}

	got, err = store.Transition(b.t.Context(), b.Table, b.rules, read, job.ClaimRanOut{At: read.ClaimUntil})
	b.fails(err, job.ErrStale)
	if got.State != job.Unconfirmed {
		b.t.Errorf("with the error came the job as %s, want it as it stands", got.State)
	}
	b.stands(want)

	gone := b.at("gone", "submitting")
	_, err = store.Transition(b.t.Context(), b.Table, b.rules, gone, lost)
	b.fails(err, store.ErrNotFound)
}
