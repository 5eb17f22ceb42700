package memory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

// CreatedBetween is [store.Table.CreatedBetween].
func (t *Table) CreatedBetween(_ context.Context, since, until time.Time) iter.Seq2[store.Created, error] {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []store.Created
	for key, j := range t.jobs {
		if !j.CreatedAt.Before(since) && j.CreatedAt.Before(until) {
			list = append(list, store.Created{Key: key, At: j.CreatedAt})
		}
	}
	slices.SortFunc(list, func(a, b store.Created) int {
		if order := b.At.Compare(a.At); order != 0 {
			return order
		}
		return strings.Compare(a.Key, b.Key)
	})
	return func(yield func(store.Created, error) bool) {
		for _, entry := range list {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// Many is [store.Table.Many].
func (t *Table) Many(_ context.Context, keys []string) ([]job.Job, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var jobs []job.Job
	for _, key := range keys {
		if j, ok := t.jobs[key]; ok && j.ExpiresAt.After(t.now()) {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// ListQuarantine is [store.Table.ListQuarantine].
func (t *Table) ListQuarantine(_ context.Context, limit int) ([]store.Held, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []store.Held
	for _, held := range t.quarantined {
		list = append(list, held)
	}
	slices.SortFunc(list, func(a, b store.Held) int { return b.FirstAt.Compare(a.FirstAt) })
	return list[:min(len(list), limit)], nil
}

// GetQuarantined is [store.Table.GetQuarantined].
func (t *Table) GetQuarantined(_ context.Context, id string) (store.Held, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held, ok := t.quarantined["quarantine#"+id]
	if !ok {
		return store.Held{}, fmt.Errorf("read from quarantine %s: %w", id, store.ErrNotFound)
	}
	return held, nil
}

// DropQuarantined is [store.Table.DropQuarantined].
func (t *Table) DropQuarantined(_ context.Context, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.quarantined, "quarantine#"+id)
	return nil
}
