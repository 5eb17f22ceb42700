package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/reconcile"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

var errAway = errors.New("the service is away")

// bench is the function with a table in memory. Its clock moves only when a test moves it.
type bench struct {
	*reconcile.Handler
	t       testing.TB
	now     time.Time
	written int
	rules   job.Rules
	table   *table
	vendor  *vendor
	queue   *queue
	log     *safeBuffer
	metrics *safeBuffer
	// touched are the rows that came onto the stream, in order.
	touched []job.Job
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{
		t: tb, now: jobtest.Epoch(), rules: job.DefaultRules(), vendor: &vendor{}, queue: &queue{},
		log: &safeBuffer{}, metrics: &safeBuffer{},
	}
	b.table = &table{Table: memory.New(b.rules, b.clock, func(j job.Job) { b.touched = append(b.touched, j) })}
	b.Handler = b.at(b.clock)
	return b
}

// at is one more instance of the function, with a clock of its own.
func (b *bench) at(clock func() time.Time) *reconcile.Handler {
	b.t.Helper()
	h, err := reconcile.New(reconcile.Deps{
		Rules: b.rules, Jobs: b.table, Vendor: b.vendor, Queue: b.queue, Log: slog.New(slog.NewJSONHandler(b.log, nil)),
		Metrics: metric.New(b.metrics, "test", clock), Now: clock,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

func (b *bench) clock() time.Time { return b.now }

// put writes a job at a stage of jobtest's, and moves the clock to when it is due
// or, if that is later, to so long after the epoch.
func (b *bench) put(stage, id string, after time.Duration) job.Job {
	b.t.Helper()
	j := jobtest.At(b.t, b.rules, id, stage)
	b.write(j)
	b.now = jobtest.Epoch().Add(after)
	if j.DueAt.After(b.now) {
		b.now = j.DueAt
	}
	b.touched = nil
	return j
}

func (b *bench) write(j job.Job) {
	b.t.Helper()
	if err := b.table.Table.Put(b.t.Context(), j, job.Job{}); err != nil {
		b.t.Fatal(err)
	}
}

// run is one minute's invocation, which must report no error.
func (b *bench) run() {
	b.t.Helper()
	if err := b.Handle(b.t.Context()); err != nil {
		b.t.Errorf("reconcile: %v", err)
	}
}

func (b *bench) job(key string) job.Job {
	b.t.Helper()
	j, ok := b.table.Jobs()[key]
	if !ok {
		b.t.Fatalf("there is no %s", key)
	}
	return j
}

// table fails calls when it is told to.
type table struct {
	*memory.Table
	onDue func(shard int) error
	// lists are keys that the index has besides.
	lists []string
	onGet func(key string) error
	onPut func(next, prev job.Job) error
}

func (t *table) Due(ctx context.Context, shard int, at time.Time, limit int) ([]store.Due, error) {
	if t.onDue != nil {
		if err := t.onDue(shard); err != nil {
			return nil, err
		}
	}
	due, err := t.Table.Due(ctx, shard, at, limit)
	for _, key := range t.lists {
		if store.Shard(key) == shard {
			due = append(due, store.Due{Key: key, At: at})
		}
	}
	return due, err
}

func (t *table) Get(ctx context.Context, key string) (job.Job, error) {
	if t.onGet != nil {
		if err := t.onGet(key); err != nil {
			return job.Job{}, err
		}
	}
	return t.Table.Get(ctx, key)
}

func (t *table) Put(ctx context.Context, next, prev job.Job) error {
	if t.onPut != nil {
		if err := t.onPut(next, prev); err != nil {
			return err
		}
	}
	return t.Table.Put(ctx, next, prev)
}

// vendor is asked, and says "processing" unless it is told otherwise.
type vendor struct {
	answer func(id string) (creativeai.Generation, error)
	mu     sync.Mutex
	asked  map[string]int
}

func (v *vendor) Ask(_ context.Context, id string) (creativeai.Generation, error) {
	v.mu.Lock()
	if v.asked == nil {
		v.asked = map[string]int{}
	}
	v.asked[id]++
	v.mu.Unlock()
	if v.answer == nil {
		return creativeai.Generation{ID: id, Status: "processing"}, nil
	}
	return v.answer(id)
}

func (v *vendor) questions() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, times := range v.asked {
		n += times
	}
	return n
}

func says(status string) func(string) (creativeai.Generation, error) {
	return func(id string) (creativeai.Generation, error) {
		return creativeai.Generation{
			ID: id, Status: status, OutputURL: "https://cdn.example/v.mp4", Error: "it gave up", Credits: new(int64(9)),
		}, nil
	}
}

func fails(err error) func(string) (creativeai.Generation, error) {
	return func(string) (creativeai.Generation, error) {
		return creativeai.Generation{}, fmt.Errorf("ask: %w", err)
	}
}

// queue remembers what was put on it.
type queue struct {
	err  error
	mu   sync.Mutex
	sent []string
}

func (q *queue) Send(_ context.Context, body string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	q.sent = append(q.sent, body)
	return nil
}

// safeBuffer is a buffer that the looks of a run may all write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func owes(j job.Job) (kinds []events.DetailType) {
	for _, o := range j.Owed {
		kinds = append(kinds, o.Type)
	}
	return kinds
}
