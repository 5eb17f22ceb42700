// Package storetest is the suite that every table of jobs passes: package
// memory's, and the DynamoDB one on a real engine. What it asks for is what the
// functions rely on; a table that passes can stand in for another.
package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// Table is a table of jobs; [store.Table] says what its methods mean.
type Table interface {
	reads
	writes
}

type reads interface {
	Get(ctx context.Context, key string) (job.Job, error)
	Due(ctx context.Context, shard int, at time.Time, limit int) ([]store.Due, error)
}

type writes interface {
	Put(ctx context.Context, next, prev job.Job) error
	Settle(ctx context.Context, id string, v job.Verdict) error
	Quarantine(ctx context.Context, q store.Quarantined) error
}

// Subject is an empty table under test, and the hands on it that the suite needs.
type Subject struct {
	Table Table
	// LoseAnswer lets the next write be made and its answer be lost, so that it
	// is made again, as the SDK does. In between it calls between.
	LoseAnswer func(between func())
	// Quarantined is what lies in quarantine under a key, and how often it came:
	// 0 if nothing lies there.
	Quarantined func(t *testing.T, key string) (q store.Quarantined, seen int)
	// Rounds bounds the rounds of random operations, for a table that takes
	// milliseconds for each; 0 is as many as rapid's flags say.
	Rounds int
}

// Open makes an empty table with these rules and this clock.
type Open func(t *testing.T, rules job.Rules, now func() time.Time) Subject

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for name, test := range map[string]func(*bench){
		"keeps every field":           keepsEveryField,
		"keeps every stage":           keepsEveryStage,
		"jobs and rejections":         jobsAndRejections,
		"create and conflict":         createAndConflict,
		"replace only what was read":  replaceOnlyWhatWasRead,
		"ended records":               endedRecords,
		"lost answers":                lostAnswers,
		"lost answers, then another":  lostAnswersThenAnother,
		"settle is what Apply does":   settleIsApply,
		"settle after a long history": settleAfterLongHistory,
		"settle what is not there":    settleNothing,
		"due, in order":               dueInOrder,
		"due, by shard":               dueByShard,
		"due, while it moves":         dueMoves,
		"lease":                       lease,
		"transition on a conflict":    transitionOnConflict,
		"concurrent claims":           concurrentClaims,
		"concurrent leases":           concurrentLeases,
		"concurrent callbacks":        concurrentCallbacks,
		"quarantine":                  quarantine,
		"random operations":           randomOperations,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(setup(t, open))
		})
	}
}

// bench is a table under test with its rules and its clock.
type bench struct {
	Subject
	t     *testing.T
	open  Open
	rules job.Rules
	clock *clock
}

func setup(t *testing.T, open Open) *bench {
	t.Helper()
	rules, clock := job.DefaultRules(), &clock{now: jobtest.Epoch().Add(jobtest.SettledAfter)}
	return &bench{Subject: open(t, rules, clock.Now), t: t, open: open, rules: rules, clock: clock}
}

// at is the job of jobtest at this stage, with an id of its own.
func (b *bench) at(id, stage string) job.Job {
	b.t.Helper()
	return jobtest.At(b.t, b.rules, id, stage)
}

// put makes a write that has to succeed.
func (b *bench) put(next, prev job.Job) {
	b.t.Helper()
	if err := b.Table.Put(b.t.Context(), next, prev); err != nil {
		b.t.Fatalf("put %s at version %d: %v", next.Key(), next.Version, err)
	}
}

// stored puts a job at this stage into the table.
func (b *bench) stored(id, stage string) job.Job {
	b.t.Helper()
	j := b.at(id, stage)
	b.put(j, job.Job{})
	return j
}

// stands checks that the table holds exactly this job.
func (b *bench) stands(want job.Job) {
	b.t.Helper()
	got, err := b.Table.Get(b.t.Context(), want.Key())
	if err != nil {
		b.t.Fatalf("get %s: %v", want.Key(), err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("%s in the table (-want +got):\n%s", want.Key(), diff)
	}
}

// apply is the job that the rules make of this one.
func (b *bench) apply(j job.Job, f job.Fact) job.Job {
	b.t.Helper()
	next, err := b.rules.Apply(j, f)
	if err != nil {
		b.t.Fatalf("apply %T to a job that is %s: %v", f, j.State, err)
	}
	return next
}

// conflicts checks that an error is a conflict that tells what stands.
func (b *bench) conflicts(err error, stands job.Job) {
	b.t.Helper()
	var conflict *store.Conflict
	if !errors.As(err, &conflict) {
		b.t.Fatalf("%v, want a conflict", err)
	}
	if diff := cmp.Diff(stands, conflict.Current); diff != "" {
		b.t.Errorf("what the conflict says stands (-want +got):\n%s", diff)
	}
}

// fails checks which error came.
func (b *bench) fails(err, want error) {
	b.t.Helper()
	if !errors.Is(err, want) {
		b.t.Errorf("%v, want %v", err, want)
	}
}

// clock is a clock that stands still until it is set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}
