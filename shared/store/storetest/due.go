package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// sameShard are ids of n jobs whose keys fall into one shard.
func sameShard(n, shard int) []string {
	var ids []string
	for i := 0; len(ids) < n; i++ {
		if id := fmt.Sprintf("job-%d", i); store.Shard(job.Key(id)) == shard {
			ids = append(ids, id)
		}
	}
	return ids
}

// due is one shard's entries.
func (b *bench) due(shard int, at time.Time, limit int) []store.Due {
	b.t.Helper()
	due, err := b.Table.Due(b.t.Context(), shard, at, limit)
	if err != nil {
		b.t.Fatal(err)
	}
	return due
}

func dueInOrder(b *bench) {
	const shard = 2
	ids := sameShard(6, shard)
	var want []store.Due
	for i, id := range slices.Backward(ids) {
		j := b.at(id, "processing")
		j.DueAt = jobtest.Epoch().Add(time.Duration(i) * time.Minute)
		b.put(j, job.Job{})
		want = append(want, store.Due{Key: j.Key(), At: j.DueAt})
	}
	slices.Reverse(want)
	for _, tc := range []struct {
		name  string
		at    time.Time
		limit int
		want  []store.Due
	}{
		{"all", want[5].At, 100, want},
		{"as many as asked for", want[5].At, 2, want[:2]},
		{"one", want[5].At, 1, want[:1]},
		{"not the one that is due later", want[3].At.Add(-time.Millisecond), 100, want[:3]},
		{"the one that is due now", want[3].At, 100, want[:4]},
		{"none yet", want[0].At.Add(-time.Millisecond), 100, []store.Due{}},
	} {
		if diff := cmp.Diff(tc.want, append([]store.Due{}, b.due(shard, tc.at, tc.limit)...)); diff != "" {
			b.t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	if other := b.due(shard-1, want[5].At, 100); len(other) != 0 {
		b.t.Errorf("another shard has %v", other)
	}
}

// dueByShard: every job that is due is in one shard, and they are spread.
func dueByShard(b *bench) {
	want := map[string]bool{}
	for i := range 40 {
		j := b.stored(fmt.Sprintf("job-%d", i), "processing")
		want[j.Key()] = true
	}
	rejection := b.stored("message", "rejection")
	want[rejection.Key()] = true
	for shard := range store.Shards {
		due := b.due(shard, jobtest.Epoch().AddDate(0, 1, 0), 100)
		if len(due) < 3 {
			b.t.Errorf("shard %d has %d of %d jobs", shard, len(due), len(want))
		}
		for _, d := range due {
			if !want[d.Key] || store.Shard(d.Key) != shard {
				b.t.Errorf("shard %d has %s, which is of shard %d, or twice", shard, d.Key, store.Shard(d.Key))
			}
			delete(want, d.Key)
		}
	}
	if len(want) != 0 {
		b.t.Errorf("no shard has %v", want)
	}
}

// dueMoves follows a job through the index: it is where its due_at is, or nowhere.
func dueMoves(b *bench) {
	far := jobtest.Epoch().AddDate(1, 0, 0)
	shard := store.Shard(job.Key("job-1"))
	is := func(j job.Job) {
		b.t.Helper()
		want := []store.Due{{Key: j.Key(), At: j.DueAt}}
		if j.DueAt.IsZero() {
			want = nil
		}
		if diff := cmp.Diff(want, append([]store.Due(nil), b.due(shard, far, 10)...)); diff != "" {
			b.t.Errorf("%s, in the index (-want +got):\n%s", j.State, diff)
		}
	}
	j := b.stored("job-1", "processing")
	is(j)
	leased, err := store.Lease(b.t.Context(), b.Table, b.rules, j, b.clock.Now())
	b.fails(err, nil)
	is(leased)
	expired := b.apply(leased, job.Deadline{At: b.clock.Now().Add(2 * time.Hour)})
	b.put(expired, leased)
	is(expired)
	done := expired
	done.DueAt, done.Owed = time.Time{}, nil
	b.put(done, expired)
	is(done)
	b.fails(b.Table.Settle(b.t.Context(), "job-1", jobtest.Callback(job.Completed)), nil)
	settled := b.apply(done, jobtest.Callback(job.Completed))
	b.stands(settled)
	is(settled)
}

func lease(b *bench) {
	j := b.stored("job-1", "processing")
	now := b.clock.Now().Add(123456 * time.Nanosecond)
	first, err := store.Lease(b.t.Context(), b.Table, b.rules, j, now)
	b.fails(err, nil)
	if want := b.clock.Now().Add(time.Minute); !first.DueAt.Equal(want) || first.Looks != 1 || first.Version != j.Version {
		b.t.Errorf("due at %v after %d looks at version %d, want %v, 1 and %d", first.DueAt, first.Looks, first.Version, want, j.Version)
	}
	b.stands(first)
	_, err = store.Lease(b.t.Context(), b.Table, b.rules, j, now)
	b.conflicts(err, first)
	second, err := store.Lease(b.t.Context(), b.Table, b.rules, first, first.DueAt)
	b.fails(err, nil)
	if want := first.DueAt.Add(2 * time.Minute); !second.DueAt.Equal(want) {
		b.t.Errorf("the next look is at %v, want the interval doubled: %v", second.DueAt, want)
	}

	asked := b.stored("job-2", "expired, with an id")
	last, err := store.Lease(b.t.Context(), b.Table, b.rules, b.publish(asked), asked.SettledAt.Add(100*time.Hour))
	b.fails(err, nil)
	if !last.DueAt.IsZero() {
		b.t.Errorf("due at %v: the vendor was asked for the last time", last.DueAt)
	}
	b.stands(last)
}

// publish clears what the job owes.
func (b *bench) publish(j job.Job) job.Job {
	b.t.Helper()
	published := b.rules.Published(j, b.clock.Now())
	b.put(published, j)
	return published
}

func quarantine(b *bench) {
	first := store.Quarantined{
		Path: "/webhooks/creativeai/job-1/token", Body: []byte("{\"status\":\"\xff\"}"), Reason: "no such job", At: b.clock.Now(),
	}
	for seen := 1; seen <= 3; seen++ {
		again := first
		again.At = first.At.Add(time.Duration(seen-1) * time.Hour)
		again.Reason = strings.Repeat("again ", seen)
		b.fails(b.Table.Quarantine(b.t.Context(), again), nil)
		got, n := b.Quarantined(b.t, first.Key())
		if diff := cmp.Diff(again, got); diff != "" || n != seen {
			b.t.Errorf("came %d times, is said to have come %d times (-want +got):\n%s", seen, n, diff)
		}
	}
	otherPath, otherBody := first, first
	otherPath.Path += "/"
	otherBody.Body = []byte("{}")
	for _, q := range []store.Quarantined{otherPath, otherBody} {
		if _, n := b.Quarantined(b.t, q.Key()); n != 0 {
			b.t.Errorf("%s %q is there before it came", q.Path, q.Body)
		}
		b.fails(b.Table.Quarantine(b.t.Context(), q), nil)
		if _, n := b.Quarantined(b.t, q.Key()); n != 1 {
			b.t.Errorf("%s %q came %d times, want once", q.Path, q.Body, n)
		}
	}
	for shard := range store.Shards {
		if due := b.due(shard, first.At.AddDate(1, 0, 0), 10); len(due) != 0 {
			b.t.Errorf("a callback in quarantine is due: %v", due)
		}
	}
}
