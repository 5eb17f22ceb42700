package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// puts answers each put in turn with what the test says.
type puts struct {
	answer func(next, prev job.Job) error
	n      int
}

func (p *puts) Put(_ context.Context, next, prev job.Job) error {
	p.n++
	return p.answer(next, prev)
}

func TestTransitionGivesUp(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	j := jobtest.At(t, rules, "job-1", "submitting")
	table := &puts{answer: func(_, prev job.Job) error {
		prev.DueAt = prev.DueAt.Add(time.Minute)
		return fmt.Errorf("put: %w", &store.Conflict{Current: prev})
	}}
	_, err := store.Transition(t.Context(), table, rules, j, job.LoseAnswer{At: jobtest.Epoch(), Attempt: jobtest.Attempt})
	var conflict *store.Conflict
	if err == nil || errors.As(err, &conflict) || table.n != 8 {
		t.Errorf("after %d writes: %v, want an error that is no conflict, after 8", table.n, err)
	}
}

func TestTransitionWritesNothingThatDoesNotMove(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	j := jobtest.At(t, rules, "job-1", "completed")
	table := &puts{answer: func(job.Job, job.Job) error { return nil }}
	got, err := store.Transition(t.Context(), table, rules, j, jobtest.Callback(job.Failed))
	if !errors.Is(err, job.ErrContradiction) || table.n != 0 || !cmp.Equal(got, j) {
		t.Errorf("%v after %d writes, and a job that differs by\n%s", err, table.n, cmp.Diff(j, got))
	}
}

// TestTableErrorsComeBack, once and whole: whether the write was made is unknown.
func TestTableErrorsComeBack(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	j := jobtest.At(t, rules, "job-1", "submitting")
	down := errors.New("the table is down")
	table := &puts{answer: func(job.Job, job.Job) error { return down }}
	got, err := store.Transition(t.Context(), table, rules, j, job.LoseAnswer{At: jobtest.Epoch(), Attempt: jobtest.Attempt})
	if !errors.Is(err, down) || table.n != 1 || !cmp.Equal(got, j) {
		t.Errorf("transition: %v after %d writes", err, table.n)
	}
	got, err = store.Lease(t.Context(), table, rules, j, jobtest.Epoch())
	if !errors.Is(err, down) || table.n != 2 || !cmp.Equal(got, j) {
		t.Errorf("lease: %v after %d writes", err, table.n)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	client, rules := dynamodb.New(dynamodb.Options{}), job.DefaultRules()
	short := rules
	short.RecordFor = time.Hour
	for name, open := range map[string]func() (*store.Table, error){
		"no client": func() (*store.Table, error) { return store.New(nil, "jobs", rules, jobtest.Epoch) },
		"no name":   func() (*store.Table, error) { return store.New(client, "", rules, jobtest.Epoch) },
		"no clock":  func() (*store.Table, error) { return store.New(client, "jobs", rules, nil) },
		"rules":     func() (*store.Table, error) { return store.New(client, "jobs", short, jobtest.Epoch) },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	if _, err := store.New(client, "jobs", rules, jobtest.Epoch); err != nil {
		t.Error(err)
	}
}
