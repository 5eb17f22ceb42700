package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// world is a table under random operations by several functions, each with what
// it read a while ago, beside a model of the table: a map.
type world struct {
	Subject
	t     *testing.T
	rules job.Rules
	clock *clock
	rows  map[string]job.Job
	// read is what the functions hold; some of it has been overtaken.
	read []job.Job
}

// randomOperations holds the table against the model: a write succeeds exactly
// if the job is as the writer read it, and the table never holds anything else
// than the model.
func randomOperations(b *bench) {
	round, most, failed := 0, 0, false
	rapid.Check(b.t, func(rt *rapid.T) {
		if round++; most > 0 && round > most && !failed {
			return
		}
		passed := false
		defer func() { failed = failed || !passed }() // rapid repeats a failure to make it small
		clock := &clock{now: jobtest.Epoch()}
		rules := job.DefaultRules()
		w := &world{Subject: b.open(b.t, rules, clock.Now), t: b.t, rules: rules, clock: clock, rows: map[string]job.Job{}}
		most = w.Rounds
		rt.Repeat(map[string]func(*rapid.T){
			"claim":   w.claim,
			"write":   w.write,
			"publish": w.publish,
			"lease":   w.lease,
			"settle":  w.settle,
			"read":    w.get,
			"due":     w.due,
			"time": func(rt *rapid.T) {
				steps := []time.Duration{time.Millisecond, time.Minute, 3 * time.Hour, 8 * 24 * time.Hour, 44 * 24 * time.Hour}
				clock.set(clock.Now().Add(rapid.SampledFrom(steps).Draw(rt, "passes")))
			},
		})
		passed = true
	})
}

func drawID(rt *rapid.T) string { return rapid.SampledFrom([]string{"job-1", "job-2"}).Draw(rt, "id") }

// held is one of the jobs that were read before.
func (w *world) held(rt *rapid.T) job.Job {
	if len(w.read) == 0 {
		rt.Skip("nothing was read yet")
	}
	return rapid.SampledFrom(w.read).Draw(rt, "read before")
}

// put makes the write in the table and in the model.
func (w *world) put(rt *rapid.T, next, prev job.Job) {
	if rapid.IntRange(0, 3).Draw(rt, "the answer is lost") == 0 {
		w.LoseAnswer(func() {})
	}
	err := w.Table.Put(w.t.Context(), next, prev)
	current, exists := w.rows[next.Key()]
	free := prev.Version == 0 && (!exists || !current.ExpiresAt.After(w.clock.Now()))
	var conflict *store.Conflict
	switch {
	case free, prev.Version != 0 && exists && cmp.Equal(current, prev), exists && cmp.Equal(current, next):
		if err != nil {
			rt.Fatalf("a write to what was read: %v", err)
		}
		w.rows[next.Key()] = next
		w.read = append(w.read, next)
	case !exists:
		if !errors.Is(err, store.ErrNotFound) {
			rt.Fatalf("a write to what has gone: %v", err)
		}
	case !errors.As(err, &conflict):
		rt.Fatalf("a write to what is no longer as it was read: %v", err)
	default:
		if diff := cmp.Diff(current, conflict.Current); diff != "" {
			rt.Fatalf("the conflict does not tell what stands (-want +got):\n%s", diff)
		}
		w.read = append(w.read, current)
	}
}

func (w *world) claim(rt *rapid.T) {
	fresh := w.rules.New(jobtest.Origin(drawID(rt)))
	fresh.CreatedAt, fresh.EnqueuedAt = w.clock.Now(), w.clock.Now()
	next, err := w.rules.Apply(fresh, job.Claim{At: w.clock.Now(), ID: "claim", PayloadHash: jobtest.PayloadHash})
	if err != nil {
		rt.Fatal(err)
	}
	w.put(rt, next, job.Job{})
}

func (w *world) write(rt *rapid.T) {
	prev := w.held(rt)
	if next, err := w.rules.Apply(prev, jobtest.Draw(rt, prev, w.clock.Now())); err == nil {
		w.put(rt, next, prev)
	}
}

func (w *world) publish(rt *rapid.T) {
	prev := w.held(rt)
	w.put(rt, w.rules.Published(prev, w.clock.Now()), prev)
}

// lease is a look at a job that is due.
func (w *world) lease(rt *rapid.T) {
	prev := w.held(rt)
	if prev.DueAt.IsZero() {
		rt.Skip("nobody is to look at it")
	}
	if prev.DueAt.After(w.clock.Now()) {
		w.clock.set(prev.DueAt)
	}
	next := prev
	next.DueAt, _ = w.rules.NextLook(prev, w.clock.Now())
	next.DueAt = next.DueAt.Truncate(time.Millisecond)
	next.Looks++
	if next.DueAt.Equal(prev.DueAt) {
		rt.Skip("it moves nothing that a write is conditional on")
	}
	w.put(rt, next, prev)
}

func (w *world) settle(rt *rapid.T) {
	id, v := drawID(rt), jobtest.DrawVerdict(rt, w.clock.Now())
	err := w.Table.Settle(w.t.Context(), id, v)
	current, exists := w.rows[job.Key(id)]
	want := store.ErrNotFound
	if exists && current.ExpiresAt.After(w.clock.Now()) {
		var next job.Job
		if next, want = w.rules.Apply(current, v); v.Token == "" {
			want = job.ErrForeign
		}
		if want == nil {
			w.rows[next.Key()] = next
		}
	}
	// A verdict that can belong to no job may be told from that alone.
	if !errors.Is(err, want) && !errors.Is(err, job.ErrForeign) || err == nil && want != nil {
		rt.Fatalf("settle: %v, want %v", err, want)
	}
}

func (w *world) get(rt *rapid.T) {
	id := drawID(rt)
	got, err := w.Table.Get(w.t.Context(), job.Key(id))
	current, exists := w.rows[job.Key(id)]
	if !exists || !current.ExpiresAt.After(w.clock.Now()) {
		if !errors.Is(err, store.ErrNotFound) {
			rt.Fatalf("read %s: %v, want that it is not found", id, err)
		}
		return
	}
	if diff := cmp.Diff(current, got); err != nil || diff != "" {
		rt.Fatalf("read %s: %v (-want +got):\n%s", id, err, diff)
	}
	w.read = append(w.read, got)
}

func (w *world) due(rt *rapid.T) {
	var got, want []store.Due
	for shard := range store.Shards {
		due, err := w.Table.Due(w.t.Context(), shard, w.clock.Now(), 10)
		if err != nil {
			rt.Fatal(err)
		}
		got = append(got, due...)
	}
	for key, j := range w.rows {
		if !j.DueAt.IsZero() && !j.DueAt.After(w.clock.Now()) {
			want = append(want, store.Due{Key: key, At: j.DueAt})
		}
	}
	byKey := func(a, b store.Due) int { return strings.Compare(a.Key, b.Key) }
	slices.SortFunc(got, byKey)
	slices.SortFunc(want, byKey)
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("what is due (-want +got):\n%s", diff)
	}
}
