package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// Lossy is a table whose answers can be lost, for tables that no network lies before.
type Lossy struct {
	Table
	between func()
}

// LoseAnswer lets the next Put or Settle be made twice, with between in between.
// It is not for use by many at once.
func (l *Lossy) LoseAnswer(between func()) { l.between = between }

// Put is the table's.
func (l *Lossy) Put(ctx context.Context, next, prev job.Job) error {
	return l.write(func() error { return l.Table.Put(ctx, next, prev) })
}

// Settle is the table's.
func (l *Lossy) Settle(ctx context.Context, id string, v job.Verdict) error {
	return l.write(func() error { return l.Table.Settle(ctx, id, v) })
}

func (l *Lossy) write(write func() error) error {
	if between := l.between; between != nil {
		l.between = nil
		_ = write() // this is the answer that is lost
		between()
	}
	return write()
}

func lostAnswers(b *bench) {
	nothing := func() {}

	claimed := b.at("job-1", "submitting")
	b.LoseAnswer(nothing)
	b.put(claimed, job.Job{})
	b.stands(claimed)

	accepted := b.apply(claimed, job.Accept{
		At: b.clock.Now(), Attempt: jobtest.Attempt, GenerationID: jobtest.GenerationID, Charge: job.Charge{Credits: new(int64(0))},
	})
	b.LoseAnswer(nothing)
	b.put(accepted, claimed)
	b.stands(accepted)

	b.LoseAnswer(nothing)
	accepted, err := store.Lease(b.t.Context(), b.Table, b.rules, accepted, b.clock.Now())
	b.fails(err, nil)
	b.stands(accepted)

	full := jobtest.Full(b.t)
	b.put(full, job.Job{})
	next := full
	next.Version++
	b.LoseAnswer(nothing)
	b.put(next, full)
	b.stands(next)

	b.LoseAnswer(nothing)
	b.fails(b.Table.Settle(b.t.Context(), "job-1", jobtest.Callback(job.Completed)), job.ErrDuplicate)
	b.stands(b.apply(accepted, jobtest.Callback(job.Completed)))
}

// lostAnswersThenAnother has someone else's write between a write whose answer
// was lost and its repeat.
func lostAnswersThenAnother(b *bench) {
	b.t.Run("the marker is cleared", func(t *testing.T) {
		b := setup(t, b.open)
		j := b.stored("job-1", "submitting")
		accept := job.Accept{At: b.clock.Now(), Attempt: jobtest.Attempt, GenerationID: jobtest.GenerationID}
		accepted := b.apply(j, accept)
		published := b.rules.Published(accepted, b.clock.Now())
		b.LoseAnswer(func() { b.put(published, accepted) })
		got, err := store.Transition(t.Context(), b.Table, b.rules, j, accept)
		b.fails(err, job.ErrDuplicate)
		if got.GenerationID != jobtest.GenerationID || got.State != job.Processing {
			t.Errorf("the job that came back is %s with id %q", got.State, got.GenerationID)
		}
		b.stands(published)
	})
	b.t.Run("a callback came", func(t *testing.T) {
		b := setup(t, b.open)
		j := b.stored("job-1", "submitting")
		accept := job.Accept{At: b.clock.Now(), Attempt: jobtest.Attempt, GenerationID: jobtest.GenerationID}
		callback := jobtest.Callback(job.Completed)
		b.LoseAnswer(func() { b.fails(b.Table.Settle(t.Context(), "job-1", callback), nil) })
		_, err := store.Transition(t.Context(), b.Table, b.rules, j, accept)
		b.fails(err, job.ErrDuplicate)
		b.stands(b.apply(b.apply(j, accept), callback))
	})
	b.t.Run("another claim", func(t *testing.T) {
		b := setup(t, b.open)
		fresh := b.at("job-1", "new")
		claim := job.Claim{At: b.clock.Now(), ID: "mine", PayloadHash: jobtest.PayloadHash}
		other := claim
		other.ID = "of another delivery"
		b.LoseAnswer(func() {
			_, err := store.Transition(t.Context(), b.Table, b.rules, fresh, other)
			b.fails(err, job.ErrClaimed)
		})
		got, err := store.Transition(t.Context(), b.Table, b.rules, fresh, claim)
		b.fails(err, nil)
		if got.ClaimID != "mine" || got.Attempt != 1 {
			t.Errorf("claimed by %q, attempt %d", got.ClaimID, got.Attempt)
		}
		b.stands(got)
	})
	b.t.Run("the verdict is published", func(t *testing.T) {
		b := setup(t, b.open)
		j := b.stored("job-1", "processing")
		callback := jobtest.Callback(job.Failed)
		settled := b.apply(j, callback)
		published := b.rules.Published(settled, b.clock.Now().Add(time.Second))
		b.LoseAnswer(func() { b.put(published, settled) })
		b.fails(b.Table.Settle(t.Context(), "job-1", callback), job.ErrDuplicate)
		b.stands(published)
	})
}
