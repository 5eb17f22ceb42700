package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// many writes jobs at a stage, each with a generation id of its own, due one
// after the other and after those of the calls before; all in one shard, or 0 to 3 spread.
func (b *bench) many(n int, stage, prefix string, shard int) (keys []string) {
	b.t.Helper()
	j := jobtest.At(b.t, b.rules, "", stage)
	for i := 0; len(keys) < n; i++ {
		j.ID = fmt.Sprintf("%s%d", prefix, i)
		if shard >= 0 && store.Shard(j.Key()) != shard {
			continue
		}
		if j.GenerationID != "" {
			j.GenerationID = "gen-" + j.ID
		}
		next := j
		b.written++
		next.DueAt = j.DueAt.Add(time.Duration(b.written) * time.Millisecond)
		b.write(next)
		keys = append(keys, next.Key())
	}
	b.now = j.DueAt.Add(time.Minute)
	b.touched = nil
	return keys
}

// Two reconcilers at once: each job is leased, asked about and moved once. One
// by a clock five minutes ahead may ask again, and moves nothing twice.
func TestFault25_TwoAtOnce(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 5 * time.Minute} {
		b := newBench(t)
		keys := b.many(200, "processing", "p", -1)
		keys = append(keys, b.many(100, "submitting", "s", -1)...)
		b.vendor.answer = says("failed")
		now := b.now
		other := b.at(func() time.Time { return now.Add(ahead) })
		var group sync.WaitGroup
		group.Go(b.run)
		group.Go(func() {
			if err := other.Handle(t.Context()); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		for _, key := range keys {
			j := b.job(key)
			before := jobtest.At(t, b.rules, j.ID, map[byte]string{'p': "processing", 's': "submitting"}[j.ID[0]])
			if j.Version != before.Version+1 {
				t.Errorf("%s is %s at version %d, want one transition", key, j.State, j.Version)
			}
			if n := b.vendor.asked["gen-"+j.ID]; j.ID[0] == 'p' && (n < 1 || ahead == 0 && n > 1) {
				t.Errorf("the vendor was asked %d times about %s", n, key)
			}
		}
	}
}

// A reconciler by a clock that is five minutes ahead takes a claim for dead: the
// answer that arrives after all still counts.
func TestFault25_ClockAhead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.put("submitting", "j1", 0)
	b.now = j.ClaimedAt.Add(5*time.Minute + time.Second)
	b.run()
	answered := j.ClaimedAt.Add(time.Second)
	after, err := store.Transition(t.Context(), b.table, b.rules, b.job("job#j1"),
		job.Accept{At: answered, Attempt: j.Attempt, GenerationID: "gen"})
	if err != nil || after.State != job.Processing {
		t.Errorf("the job is %s, %v", after.State, err)
	}
}

// 10,000 are overdue in one shard: a run is bounded, takes the longest overdue
// first, and the other shards do not wait for it.
func TestFault25_TenThousandInOneShard(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	crowd := b.many(10_000, "unconfirmed", "c", 0)
	var few []string
	for shard := 1; shard < store.Shards; shard++ {
		few = append(few, b.many(40, "unconfirmed", "f", shard)...)
	}
	b.now = jobtest.Epoch().Add(2 * time.Hour)
	left := func(keys []string) (n int) {
		jobs := b.table.Jobs()
		for _, key := range keys {
			if jobs[key].State == job.Unconfirmed {
				n++
			}
		}
		return n
	}
	b.run()
	if n := left(crowd); n < 10_000-2_100 || n > 10_000-1_500 {
		t.Errorf("a run left %d of 10,000, want 2,000 less or so", n)
	}
	if n := left(crowd[:1_500]); n != 0 {
		t.Errorf("%d of the longest overdue are left", n)
	}
	if n := left(few); n != 0 {
		t.Errorf("%d of 120 in the other shards wait for the crowd", n)
	}
}

// Rows that can be neither read nor moved stay the longest overdue of their
// shard: what is due after them is looked at all the same.
func TestStuckRowsHideNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.many(120, "unconfirmed", "stuck", 0)
	behind := b.many(10, "unconfirmed", "behind", 0)
	b.now = jobtest.Epoch().Add(2 * time.Hour)
	b.table.onGet = func(key string) error {
		if strings.HasPrefix(key, "job#stuck") {
			return errAway
		}
		return nil
	}
	if err := b.Handle(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("error %v", err)
	}
	for _, key := range behind {
		if j := b.job(key); j.State != job.Expired {
			t.Errorf("%s is %s", key, j.State)
		}
	}
}

// The index lags behind the table: what it still lists, and someone else has just
// looked at, settled or deleted, is left alone.
func TestIndexLags(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("processing", "later", 0)
	b.put("completed, archived", "done", 0)
	b.now = jobtest.Epoch().Add(jobtest.ArchivedAfter)
	b.table.lists = []string{"job#later", "job#done", "job#gone"}
	done := b.job("job#done")
	if err := b.table.Put(t.Context(), b.rules.Published(done, b.now), done); err != nil {
		t.Fatal(err)
	}
	b.touched = nil
	b.run()
	if len(b.touched) != 0 || b.vendor.questions() != 0 {
		t.Errorf("it touched %v, and asked %d times", b.touched, b.vendor.questions())
	}
}

// The vendor hangs or is down: after three failures in a row the run asks no
// more, and the deadlines go on.
func TestAskingStops(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	keys := b.many(100, "processing", "p", -1)
	b.now = jobtest.Epoch().Add(2 * time.Hour)
	b.vendor.answer = fails(errAway)
	b.run()
	if n := b.vendor.questions(); n < 3 || n > 3+8 { // eight are side by side
		t.Errorf("%d questions", n)
	}
	for _, key := range keys {
		if j := b.job(key); j.State != job.Expired {
			t.Errorf("%s is %s", key, j.State)
		}
	}
	for _, name := range []string{env.MetricAsked, env.MetricVendorError} {
		if n := strings.Count(b.metrics.String(), `"`+name+`":1`); n != b.vendor.questions() {
			t.Errorf("%s counts %d, want each of %d questions", name, n, b.vendor.questions())
		}
	}
}

// A generation that the vendor does not know is an answer, and so is any other:
// the run goes on asking.
func TestAskingGoesOn(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(n int64, id string) (creativeai.Generation, error){
		"404": func(_ int64, id string) (creativeai.Generation, error) { return fails(creativeai.ErrNotFound)(id) },
		"now and then": func(n int64, id string) (creativeai.Generation, error) {
			if n%2 == 0 {
				return fails(errAway)(id)
			}
			return says("completed")(id)
		},
	} {
		b := newBench(t)
		b.many(100, "processing", "p", -1)
		var n atomic.Int64
		var one sync.Mutex // in turn, so that no three failures meet
		b.vendor.answer = func(id string) (creativeai.Generation, error) {
			one.Lock()
			defer one.Unlock()
			return answer(n.Add(1), id)
		}
		b.run()
		if got := b.vendor.questions(); name == "404" && got != 100 || got < 50 {
			t.Errorf("%s: %d questions of 100", name, got)
		}
		if n := strings.Count(b.metrics.String(), `"`+env.MetricAsked+`":1`); n != b.vendor.questions() {
			t.Errorf("%s: %s counts %d, want each of %d questions", name, env.MetricAsked, n, b.vendor.questions())
		}
	}
}

// An invocation that is nearly over, or over, begins no look; what was begun has
// the time to end, and the next run goes on with the rest.
func TestFault25_CutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.many(100, "processing", "p", -1)
		b.Handler = b.at(func() time.Time { return b.now.Add(time.Since(start)) })
		var begun atomic.Int64
		b.vendor.answer = func(id string) (creativeai.Generation, error) {
			begun.Store(int64(time.Since(start))) // in order, in a bubble
			time.Sleep(14 * time.Second)
			return says("completed")(id)
		}
		deadline := b.now.Add(time.Minute)
		ctx := fixedDeadline{t.Context(), deadline}
		if err := b.Handle(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); begun.Load() >= int64(40*time.Second) || took >= time.Minute {
			t.Errorf("the last look began after %v, and the run took %v of a minute", time.Duration(begun.Load()), took)
		}
		done := b.vendor.questions()
		if done == 0 || done == 100 {
			t.Errorf("%d of 100 were looked at", done)
		}
		b.vendor.answer = says("completed")
		b.run()
		if got := b.vendor.questions(); got != 100 {
			t.Errorf("%d questions in all, want each job's once", got)
		}
	})
}

// start is when a synctest bubble begins.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// fixedDeadline is a context whose deadline lies by the bench's clock, not the bubble's.
type fixedDeadline struct {
	context.Context //nolint:containedctx // it is a context
	at              time.Time
}

func (f fixedDeadline) Deadline() (time.Time, bool) { return f.at, true }

// A run that has been cancelled does nothing.
func TestCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("processing", "j1", 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Handle(ctx); err != nil {
		t.Error(err)
	}
	if len(b.touched) != 0 {
		t.Error("it touched a job")
	}
}

// What was looked at is counted.
func TestMetrics(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.many(7, "submitting", "s", -1)
	b.run()
	if m := b.metrics.String(); !strings.Contains(m, `"`+env.MetricOverdue+`":7`) || strings.Count(m, `"`+env.MetricUnconfirmed+`":1`) != 7 {
		t.Errorf("metrics: %s", m)
	}
}
