package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/reconcile"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

// Each step, and on both sides of each limit. Whatever becomes of it, the job is
// leased: its next look lies ahead, or nowhere.
func TestSteps(t *testing.T) {
	t.Parallel()
	completed, failed, expired := events.TypeCompleted, events.TypeFailed, events.TypeExpired
	none, notFound, down := says("processing"), fails(creativeai.ErrNotFound), fails(errAway)
	claimed, answered := jobtest.ClaimedAfter, jobtest.AnsweredAfter
	tests := []struct {
		name, stage string
		after       time.Duration
		answer      func(string) (creativeai.Generation, error)
		state       job.State
		asked, sent int
		owes        events.DetailType // the newest, "" for nothing new
	}{
		{"a stale claim", "submitting", 0, none, job.Unconfirmed, 0, 0, ""},
		{"unconfirmed, not yet", "unconfirmed", claimed + hour - 1, none, job.Unconfirmed, 0, 0, ""},
		{"unconfirmed, its deadline", "unconfirmed", claimed + hour, none, job.Expired, 0, 0, expired},
		{"processing, still", "processing", 0, none, job.Processing, 1, 0, ""},
		{"processing, done", "processing", 0, says("completed"), job.Completed, 1, 0, completed},
		{"processing, failed", "processing", 0, says("failed"), job.Failed, 1, 0, failed},
		{"processing, 404", "processing", 0, notFound, job.Processing, 1, 0, ""},
		{"processing, vendor down", "processing", 0, down, job.Processing, 1, 0, ""},
		{"processing, not yet its deadline", "processing", answered + hour - 1, down, job.Processing, 1, 0, ""},
		{"processing, its deadline", "processing", answered + hour, none, job.Expired, 1, 0, expired},
		{"processing, its deadline, 404", "processing", answered + hour, notFound, job.Expired, 1, 0, expired},
		{"processing, its deadline, vendor down", "processing", answered + hour, down, job.Expired, 1, 0, expired},
		{"processing, its deadline, done", "processing", answered + hour, says("completed"), job.Completed, 1, 0, completed},
		{"queued, its message may come", "queued", claimed + 2*hour - 1, none, job.Queued, 0, 0, ""},
		{"queued, its message is lost", "queued", claimed + 2*hour, none, job.Queued, 0, 1, ""},
		{"queued, not yet its deadline", "queued", 7*day - time.Second - 1, none, job.Queued, 0, 1, ""},
		{"queued, its deadline", "queued", 7*day - time.Second, none, job.Expired, 0, 0, expired},
		{"completed, not published", "completed", 0, none, job.Completed, 0, 0, ""},
		{"completed, the archive may come", "completed, published", jobtest.SettledAfter + 30*time.Minute - 1, none, job.Completed, 0, 0, ""},
		{"completed, not archived", "completed, published", jobtest.SettledAfter + 30*time.Minute, none, job.Completed, 0, 0, completed},
		{"completed, never archived", "completed, published", jobtest.SettledAfter + 7*day, none, job.Completed, 0, 0, events.TypeArchiveFailed},
		{"failed, not published", "failed", 0, none, job.Failed, 0, 0, ""},
		{"rejected, not published", "rejected", 0, none, job.Rejected, 0, 0, ""},
		{"a rejection, not published", "rejection", 0, none, job.Rejected, 0, 0, ""},
		{"expired, not published", "expired, never accepted", 0, none, job.Expired, 0, 0, ""},
		{"expired with an id, a late verdict", "expired, with an id", 0, says("completed"), job.Completed, 1, 0, completed},
		{"expired with an id, none", "expired, with an id", 0, none, job.Expired, 1, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			before := b.put(tt.stage, "j1", tt.after)
			b.vendor.answer = tt.answer
			b.run()
			after := b.job(before.Key())
			if after.State != tt.state || b.vendor.questions() != tt.asked || len(b.queue.sent) != tt.sent {
				t.Errorf("it is %s, asked %d times, %d messages", after.State, b.vendor.questions(), len(b.queue.sent))
			}
			want := owes(before)
			if tt.owes != "" {
				want = append(want, tt.owes)
			}
			if !slices.Equal(owes(after), want) {
				t.Errorf("it owes %v, want %v", owes(after), want)
			}
			if !after.DueAt.IsZero() && !after.DueAt.After(b.now) {
				t.Errorf("it is due at %v, still", after.DueAt)
			}
			if len(b.touched) == 0 || len(owes(before)) > 0 && len(b.touched[0].Owed) == 0 {
				t.Errorf("the stream saw %+v, want what is owed again", b.touched)
			}
			b.touched = nil
			b.run()
			if len(b.touched) != 0 {
				t.Error("a second run in the same minute touched it again")
			}
		})
	}
}

// What was settled by our own question says so, and carries what the vendor said.
func TestFault24_LoopDied(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("processing", "j1", 0)
	b.vendor.answer = says("completed")
	b.run()
	b.run()
	got := b.job("job#j1")
	if got.Result == nil || got.Result.Via != events.ViaPoll || *got.Result.Charge.Credits != 9 || got.Archive.State != job.ArchivePending {
		t.Errorf("the result is %+v", got.Result)
	}
	if b.vendor.questions() != 1 || b.vendor.asked[jobtest.GenerationID] != 1 {
		t.Errorf("asked %v", b.vendor.asked)
	}
}

// The message that is put on the queue again is the one that came, whatever is in it.
func TestMessageAgain(t *testing.T) {
	t.Parallel()
	r, err := request.Parse([]byte(`{"prompt":"a \"quoted\" kite","seed":9007199254740993,"job_id":"j1","metadata":{"b":1,"a":2}}`), "m")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	j := jobtest.At(t, b.rules, "j1", "queued")
	j.Request, j.PayloadHash = r.Text, r.Hash
	b.write(j)
	b.now = j.RetryAt.Add(3 * hour)
	b.run()
	if len(b.queue.sent) != 1 {
		t.Fatalf("%d messages", len(b.queue.sent))
	}
	again, err := request.Parse([]byte(b.queue.sent[0]), "another")
	if err != nil || again.Hash != r.Hash || again.JobID != "j1" || string(again.Extra["seed"]) != "9007199254740993" {
		t.Errorf("sent %s: %v", b.queue.sent[0], err)
	}
}

// The queue cannot be reached: an error, and the message with the next look.
func TestMessageNotSent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("queued", "j1", 3*hour)
	b.queue.err = errAway
	if err := b.Handle(t.Context()); !errors.Is(err, errAway) || !strings.Contains(err.Error(), "job#j1") {
		t.Errorf("error %v, want one that names the job", err)
	}
	b.queue.err = nil
	b.now = b.job("job#j1").DueAt
	b.run()
	if len(b.queue.sent) != 1 {
		t.Errorf("%d messages", len(b.queue.sent))
	}
}

// A verdict after the expiry wins, with a higher version and an event of its own;
// the expiry's event is still owed if it was.
func TestFault26_VerdictAfterExpiry(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"completed", "failed"} {
		b := newBench(t)
		before := b.put("expired, with an id", "j1", 0)
		b.vendor.answer = says(status)
		b.run()
		got := b.job("job#j1")
		last := got.Owed[len(got.Owed)-1]
		if got.State != job.State(status) || got.Version != before.Version+1 || last.Version != got.Version || len(got.Owed) != len(before.Owed)+1 {
			t.Errorf("the job is %s at version %d, and owes %+v", got.State, got.Version, got.Owed)
		}
	}
}

// A generation that never ends, minute by minute for five days: asked ever less
// often, expired once, asked again after 6, 24 and 72 hours, then left alone.
func TestWholeLife(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.put("processing", "j1", 0)
	var at []time.Duration
	expiries := 0
	for end := b.now.Add(5 * day); b.now.Before(end); b.now = b.now.Add(time.Minute) {
		questions, state := b.vendor.questions(), b.job("job#j1").State
		b.run()
		if b.vendor.questions() > questions {
			at = append(at, b.now.Sub(j.AcceptedAt).Round(time.Minute))
		}
		if b.job("job#j1").State != state {
			expiries++
		}
		if j := b.job("job#j1"); len(j.Owed) > 0 { // as publish does
			if err := b.table.Put(t.Context(), b.rules.Published(j, b.now), j); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := "[5m0s 6m0s 8m0s 12m0s 20m0s 35m0s 50m0s 1h1m0s 7h1m0s 25h1m0s 73h1m0s 74h1m0s]"; fmt.Sprint(at) != want {
		t.Errorf("asked at\n%v, want\n%s", at, want)
	}
	if expiries != 1 || b.job("job#j1").State != job.Expired || !b.job("job#j1").DueAt.IsZero() {
		t.Errorf("%d transitions, %s, due at %v", expiries, b.job("job#j1").State, b.job("job#j1").DueAt)
	}
}

// A transition that meets another writer's is decided anew, or left to it.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		first   job.State
		metric  string
		version int64
	}{{job.Completed, "", 5}, {job.Failed, env.MetricContradiction, 5}} {
		b := newBench(t)
		b.put("processing", "j1", 0)
		b.vendor.answer = func(id string) (creativeai.Generation, error) {
			if err := b.table.Settle(t.Context(), "j1", jobtest.Callback(tt.first)); err != nil {
				t.Error(err)
			}
			return says("completed")(id)
		}
		b.run()
		if got := b.job("job#j1"); got.State != tt.first || got.Version != tt.version {
			t.Errorf("the job is %s, version %d", got.State, got.Version)
		}
		if tt.metric != "" && !strings.Contains(b.metrics.String(), tt.metric) {
			t.Errorf("no %s in %s", tt.metric, b.metrics)
		}
	}
}

// A lease that is lost leaves the step to whoever has it.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]error{"conflict": &store.Conflict{}, "gone": store.ErrNotFound} {
		b := newBench(t)
		b.put("processing", "j1", 0)
		b.table.onPut = func(_, _ job.Job) error { return lost }
		b.run()
		if b.vendor.questions() != 0 {
			t.Errorf("%s: the vendor was asked without a lease", name)
		}
	}
}

// What cannot be read or written is an error of the run, names the job or shard,
// and holds up nothing else.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*bench){
		"job#bad": func(b *bench) {
			b.table.onGet = func(key string) error {
				if key == "job#bad" {
					return fmt.Errorf("read %s: %w", key, errAway)
				}
				return nil
			}
		},
		"lease": func(b *bench) {
			b.table.onPut = func(next, _ job.Job) error {
				if next.ID == "bad" {
					return errAway
				}
				return nil
			}
		},
		"shard": func(b *bench) {
			b.table.onDue = func(shard int) error {
				if shard == store.Shard("job#bad") {
					return errAway
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.put("processing", "bad", 0)
			good := "good0"
			for n := 1; store.Shard(job.Key(good)) == store.Shard("job#bad"); n++ {
				good = fmt.Sprintf("good%d", n)
			}
			b.put("processing", good, 0)
			b.vendor.answer = says("completed")
			spoil(b)
			if err := b.Handle(t.Context()); !errors.Is(err, errAway) || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v, want one that names %s", err, name)
			}
			if b.job(job.Key(good)).State != job.Completed || b.job("job#bad").State != job.Processing {
				t.Errorf("good is %s, bad %s", b.job(job.Key(good)).State, b.job("job#bad").State)
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := newBench(t).Deps
	for name, spoil := range map[string]func(*reconcile.Deps){
		"no table":      func(d *reconcile.Deps) { d.Jobs = nil },
		"no vendor":     func(d *reconcile.Deps) { d.Vendor = nil },
		"no queue":      func(d *reconcile.Deps) { d.Queue = nil },
		"no log":        func(d *reconcile.Deps) { d.Log = nil },
		"no clock":      func(d *reconcile.Deps) { d.Now = nil },
		"short records": func(d *reconcile.Deps) { d.Rules.RecordFor = time.Hour },
	} {
		d := good
		spoil(&d)
		if _, err := reconcile.New(d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
