// Package store keeps the jobs in one DynamoDB table. Every change is one
// conditional write: what a write may assume is what was read, and a write whose
// condition fails learns what stands instead.
//
// [Table] is DynamoDB; package memory is the same contract in memory, and
// package storetest the suite that both pass.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
)

// Shards is the number of partitions that each index is spread over: DynamoDB
// takes 1,000 writes a second for one.
const Shards = 4

// ErrNotFound is a job that is not in the table, or whose record has ended.
var ErrNotFound = errors.New("no such job")

// Conflict is a write whose condition failed: the job is not as it was read.
type Conflict struct { //nolint:errname // it is called what it is
	// Current is the job as it stands.
	Current job.Job
}

func (c *Conflict) Error() string {
	return fmt.Sprintf("%s is %s at version %d, not as it was read", c.Current.Key(), c.Current.State, c.Current.Version)
}

// Due is an entry of the index of jobs that someone must look at.
type Due struct {
	// Key is the job's key; see [job.Job.Key].
	Key string
	At  time.Time
}

// Quarantined is a signed callback that fits no job, or contradicts one.
type Quarantined struct {
	// Path is the callback's path, Body its raw body.
	Path string
	Body []byte
	// Reason says why it was not taken.
	Reason string
	At     time.Time
}

// putter is what a transition needs of a table.
type putter interface {
	Put(ctx context.Context, next, prev job.Job) error
}

// tries bounds how often a transition is tried anew against what stands. Only
// as many parties write to one job at once as there are functions.
const tries = 8

// Transition applies a fact to a job and stores the outcome. If the job has
// moved meanwhile, the fact is applied to what stands. It returns the job as it
// stands afterwards, and the error of [job.Rules.Apply] when the fact does not
// move it. Any other error is the table's, and the outcome unknown.
func Transition(ctx context.Context, t putter, rules job.Rules, j job.Job, f job.Fact) (job.Job, error) {
	for range tries {
		next, err := rules.Apply(j, f)
		if err != nil {
			return j, err
		}
		err = t.Put(ctx, next, j)
		if err == nil {
			return next, nil
		}
		var conflict *Conflict
		if !errors.As(err, &conflict) {
			return j, err
		}
		j = conflict.Current
	}
	return j, fmt.Errorf("store %s: it changed %d times while it was written", j.Key(), tries)
}

// Lease moves a due job's next look on, so that no one else looks at the same
// time. It returns the job as leased. A [*Conflict] says that someone else did.
func Lease(ctx context.Context, t putter, rules job.Rules, j job.Job, now time.Time) (job.Job, error) {
	next := j
	next.Looks++
	next.LeaseID = rand.Text()
	next.DueAt, _ = rules.NextLook(j, now)
	next.DueAt = next.DueAt.Truncate(time.Millisecond)
	if err := t.Put(ctx, next, j); err != nil {
		return j, err
	}
	return next, nil
}
