// Package memory is the table of jobs in memory, for tests and simulations: the
// conditions are those of the real one, and so is what a failed one answers.
package memory

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

// Table is a table of jobs in memory. It may be used by many at once.
type Table struct {
	rules    job.Rules
	now      func() time.Time
	onChange func(job.Job)

	mu          sync.Mutex
	jobs        map[string]job.Job
	quarantined map[string]store.Held
}

// New is an empty table. onChange, which may be nil, is called with every new
// image of a row, in the order of the writes, while the table is locked: it
// stands for the stream.
func New(rules job.Rules, now func() time.Time, onChange func(job.Job)) *Table {
	if onChange == nil {
		onChange = func(job.Job) {}
	}
	return &Table{
		rules: rules, now: now, onChange: onChange,
		jobs: map[string]job.Job{}, quarantined: map[string]store.Held{},
	}
}

// Get is [store.Table.Get].
func (t *Table) Get(_ context.Context, key string) (job.Job, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j, ok := t.jobs[key]
	if !ok || !j.ExpiresAt.After(t.now()) {
		return job.Job{}, fmt.Errorf("read %s: %w", key, store.ErrNotFound)
	}
	return j, nil
}

// Put is [store.Table.Put].
func (t *Table) Put(_ context.Context, next, prev job.Job) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	current, ok := t.jobs[next.Key()]
	free := prev.Version == 0 && (!ok || current.ExpiresAt.Unix() <= t.now().Unix())
	switch {
	case free, prev.Version != 0 && ok && unchanged(current, prev):
		t.write(next)
		return nil
	case !ok:
		return fmt.Errorf("write %s: %w", next.Key(), store.ErrNotFound)
	case reflect.DeepEqual(current, next):
		return nil
	}
	return &store.Conflict{Current: current}
}

func unchanged(current, prev job.Job) bool {
	return current.Version == prev.Version && current.CreatedAt.Equal(prev.CreatedAt) &&
		current.DueAt.Equal(prev.DueAt) && unpublished(current) == unpublished(prev)
}

func unpublished(j job.Job) int64 {
	if len(j.Owed) == 0 {
		return 0
	}
	return j.Owed[len(j.Owed)-1].Version
}

// Settle is [store.Table.Settle].
func (t *Table) Settle(_ context.Context, id string, v job.Verdict) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	current, ok := t.jobs[job.Key(id)]
	if v.Token == "" {
		return fmt.Errorf("settle %s: %w", job.Key(id), job.ErrForeign)
	}
	if !ok || current.ExpiresAt.Unix() <= t.now().Unix() {
		return fmt.Errorf("settle %s: %w", job.Key(id), store.ErrNotFound)
	}
	next, err := t.rules.Apply(current, v)
	if err != nil {
		return fmt.Errorf("settle %s, which is %s: %w", job.Key(id), current.State, err)
	}
	t.write(next)
	return nil
}

func (t *Table) write(j job.Job) {
	t.jobs[j.Key()] = j
	t.onChange(j)
}

// Due is [store.Table.Due].
func (t *Table) Due(_ context.Context, shard int, at time.Time, limit int) ([]store.Due, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var due []store.Due
	for key, j := range t.jobs {
		if !j.DueAt.IsZero() && !j.DueAt.After(at) && store.Shard(key) == shard {
			due = append(due, store.Due{Key: key, At: j.DueAt})
		}
	}
	slices.SortFunc(due, func(a, b store.Due) int { return a.At.Compare(b.At) })
	return due[:min(len(due), limit)], nil
}

// Quarantine is [store.Table.Quarantine].
func (t *Table) Quarantine(_ context.Context, q store.Quarantined) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	held, known := t.quarantined[q.Key()]
	if !known {
		held.FirstAt = q.At
	}
	held.Quarantined = q
	held.Seen++
	t.quarantined[q.Key()] = held
	return nil
}

// Jobs is every job and rejection by its key, for tests to look at.
func (t *Table) Jobs() map[string]job.Job {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.jobs)
}

// Quarantined is every callback in quarantine by its key, for tests to look at.
func (t *Table) Quarantined() map[string]store.Held {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.quarantined)
}
