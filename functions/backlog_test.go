package functions_test

import (
	"container/heap"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/reconcile"
	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

var backlogSize = flag.Int("backlog", 3_000, "how many prompts TestFault33 has wait; the fault says 100000")

// backlog is a long line of prompts in front of a vendor that takes few: the real
// submit, in several instances, and the real reconcile, with a queue and a table
// that count. It lives in a synctest bubble.
type backlog struct {
	rules  job.Rules
	table  *memory.Table
	queue  line
	due    dueIndex
	answer func() creativeai.Outcome
	vendor struct {
		sync.Mutex

		posts, accepted, refused, unknown int
	}
	running sync.WaitGroup
}

const (
	// instances is the stack's default of submit functions at once.
	instances = 4
	// postTakes and callTakes are how long a POST and an invocation last.
	postTakes = 500 * time.Millisecond
	callTakes = 20 * time.Millisecond
	// workTakes is a generation.
	workTakes = 90 * time.Second
)

func newBacklog(t *testing.T, prompts int, answer func() creativeai.Outcome) *backlog {
	t.Helper()
	b := &backlog{rules: job.DefaultRules(), answer: answer}
	b.rules.Archive = false
	b.due.at = map[string]time.Time{}
	b.table = memory.New(b.rules, time.Now, b.changed)
	for n := range prompts {
		_ = b.queue.Send(t.Context(), fmt.Sprintf(`{"job_id":"job-%d","prompt":"prompt %d"}`, n, n))
	}
	return b
}

// Ready, Submit and Ask are the vendor's.
func (b *backlog) Ready(context.Context) error { return nil }

func (b *backlog) Ask(context.Context, string) (creativeai.Generation, error) {
	return creativeai.Generation{Status: "processing"}, nil
}

func (b *backlog) Submit(ctx context.Context, s creativeai.Submission) creativeai.Outcome {
	time.Sleep(postTakes)
	b.vendor.Lock()
	defer b.vendor.Unlock()
	b.vendor.posts++
	o := b.answer()
	switch o.Kind {
	case creativeai.Accepted:
		b.vendor.accepted++
		o.Generation.ID = fmt.Sprintf("gen-%d", b.vendor.accepted)
		ctx := context.WithoutCancel(ctx)
		b.running.Go(func() { b.callBack(ctx, s.WebhookURL, o.Generation.ID) })
	case creativeai.NotNow:
		b.vendor.refused++
	case creativeai.Unknown:
		b.vendor.unknown++
	case creativeai.Refused, creativeai.AccountRefused, creativeai.Unsent:
	}
	return o
}

// callBack is the vendor's callback, as the webhook stores it.
func (b *backlog) callBack(ctx context.Context, url, generation string) {
	time.Sleep(workTakes)
	id, token, _ := strings.Cut(strings.TrimPrefix(url, "https://hook.example/"), "/")
	v := job.Verdict{At: time.Now(), Token: token, GenerationID: generation, State: job.Completed, Result: job.Result{Via: events.ViaCallback}}
	if err := b.table.Settle(ctx, id, v); err != nil {
		panic(err)
	}
}

// changed is the stream: what a row owes goes out a moment later.
func (b *backlog) changed(j job.Job) {
	b.due.changed(j)
	if len(j.Owed) == 0 {
		return
	}
	b.running.Go(func() {
		time.Sleep(200 * time.Millisecond)
		err := b.table.Put(context.Background(), b.rules.Published(j, time.Now()), j)
		if _, moved := errors.AsType[*store.Conflict](err); err != nil && !moved {
			panic(err)
		}
	})
}

// Start is of the poll loop, which no webhook job needs.
func (b *backlog) Start(context.Context, loop.Input) error { return nil }

// Due is the table's, by an index: the memory's own looks at every job.
func (b *backlog) Due(_ context.Context, shard int, at time.Time, limit int) ([]store.Due, error) {
	return b.due.until(shard, at, limit), nil
}

func (b *backlog) Get(ctx context.Context, key string) (job.Job, error) { return b.table.Get(ctx, key) }

func (b *backlog) Put(ctx context.Context, next, prev job.Job) error {
	return b.table.Put(ctx, next, prev)
}

// run lets it all go on until the queue is empty and every job has its verdict.
func (b *backlog) run(ctx context.Context, limit time.Duration) (took time.Duration) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for range instances {
		b.running.Go(func() { b.submitter(ctx) })
	}
	b.running.Go(func() { b.reconciler(ctx) })
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for ctx.Err() == nil && (b.queue.len() > 0 || b.due.len() > 0) {
		<-tick.C
	}
	took = time.Since(begin)
	cancel()
	b.running.Wait()
	return took
}

func (b *backlog) submitter(ctx context.Context) {
	ids := 0
	h := must(submit.New(
		submit.Settings{Rules: b.rules, Delivery: events.DeliveryWebhook, WebhookURL: "https://hook.example", Timeout: 30 * time.Second},
		submit.Deps{
			Jobs: b, Vendor: b, Queue: &b.queue, Loops: b, Log: slog.New(slog.DiscardHandler), Metrics: metric.Sink{}, Now: time.Now,
			NewID:  func() string { ids++; return "token-" + strconv.Itoa(ids) },
			Random: rand.New(rand.NewPCG(1, 2)).Float64,
		},
	))
	for ctx.Err() == nil {
		batch := b.queue.receive()
		if len(batch) == 0 {
			time.Sleep(b.queue.idle())
			continue
		}
		time.Sleep(callTakes)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		response, err := h.Handle(limited, lambda.SQSEvent{Records: batch})
		cancel()
		if err != nil {
			panic(err)
		}
		b.queue.remove(batch, response)
	}
}

func (b *backlog) reconciler(ctx context.Context) {
	h := must(reconcile.New(reconcile.Deps{
		Rules: b.rules, Jobs: b, Vendor: b, Queue: &b.queue, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}))
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := h.Handle(ctx); err != nil && ctx.Err() == nil {
				panic(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (b *backlog) report(t *testing.T, n int, took time.Duration) {
	t.Helper()
	per := func(count int) float64 { return float64(count) / float64(n) }
	t.Logf("%d prompts in %v: %.1f accepted a minute, %d answers 429, %d unknown", n, took, float64(b.vendor.accepted)/took.Minutes(), b.vendor.refused, b.vendor.unknown)
	t.Logf("table: %.2f writes a job, %.2f of them moved due_at", per(b.due.writes), per(b.due.moves))
	t.Logf("queue: %d messages were added, at most %d at once, %.1f receives a prompt, at most %d of one message",
		b.queue.sends-n, b.queue.longest, per(b.queue.receives), b.queue.mostReceives)
}

func (b *backlog) states() map[job.State]int {
	states := map[job.State]int{}
	for _, j := range b.table.Jobs() {
		states[j.State]++
	}
	return states
}

// line is the queue: it knows when each message is visible, and counts.
type line struct {
	mu       sync.Mutex
	messages waiting
	byID     map[string]*inLine
	// sends, receives and mostReceives count; longest is the most messages at once.
	sends, receives, mostReceives, longest int
}

type inLine struct {
	id, body  string
	sentAt    time.Time
	visibleAt time.Time
	receives  int
	index     int
}

// Send is SQS's.
func (l *line) Send(_ context.Context, body string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID == nil {
		l.byID = map[string]*inLine{}
	}
	l.sends++
	m := &inLine{id: "message-" + strconv.Itoa(l.sends), body: body, sentAt: time.Now(), visibleAt: time.Now()}
	l.byID[m.id] = m
	heap.Push(&l.messages, m)
	l.longest = max(l.longest, len(l.messages))
	return nil
}

// Delay is ChangeMessageVisibility; a message's receipt is its id.
func (l *line) Delay(_ context.Context, receipt string, d time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.byID[receipt]
	m.visibleAt = time.Now().Add(d)
	heap.Fix(&l.messages, m.index)
	return nil
}

func (l *line) receive() []lambda.SQSMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	var batch []lambda.SQSMessage
	for len(batch) < 10 && len(l.messages) > 0 && !l.messages[0].visibleAt.After(time.Now()) {
		m := l.messages[0]
		m.receives++
		l.receives++
		l.mostReceives = max(l.mostReceives, m.receives)
		m.visibleAt = time.Now().Add(12 * time.Minute)
		heap.Fix(&l.messages, 0)
		batch = append(batch, lambda.SQSMessage{MessageId: m.id, ReceiptHandle: m.id, Body: m.body, Attributes: map[string]string{
			"SentTimestamp":           strconv.FormatInt(m.sentAt.UnixMilli(), 10),
			"ApproximateReceiveCount": strconv.Itoa(m.receives),
		}})
	}
	return batch
}

// idle is how long it is until a message can be received: at least a second, at most a minute.
func (l *line) idle() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.messages) == 0 {
		return time.Minute
	}
	return min(max(time.Until(l.messages[0].visibleAt), time.Second), time.Minute)
}

func (l *line) remove(batch []lambda.SQSMessage, response lambda.SQSEventResponse) {
	kept := map[string]bool{}
	for _, f := range response.BatchItemFailures {
		kept[f.ItemIdentifier] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range batch {
		if !kept[m.MessageId] {
			heap.Remove(&l.messages, l.byID[m.MessageId].index)
			delete(l.byID, m.MessageId)
		}
	}
}

func (l *line) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.messages)
}

// waiting is a heap of messages, the one that is visible first on top.
type waiting []*inLine

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].visibleAt.Before(w[j].visibleAt) }
func (w waiting) Swap(i, j int)      { w[i], w[j] = w[j], w[i]; w[i].index, w[j].index = i, j }
func (w *waiting) Push(x any) {
	m := x.(*inLine)
	m.index = len(*w)
	*w = append(*w, m)
}

func (w *waiting) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

// dueIndex is the table's index of what someone must look at, and counts the writes.
type dueIndex struct {
	mu     sync.Mutex
	at     map[string]time.Time
	shards [store.Shards]dueHeap
	writes int
	moves  int
}

// changed is called with every write to the table.
func (d *dueIndex) changed(j job.Job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	key := j.Key()
	switch old, ok := d.at[key]; {
	case j.DueAt.IsZero():
		delete(d.at, key)
	case !ok || !old.Equal(j.DueAt):
		d.moves++
		d.at[key] = j.DueAt
		heap.Push(&d.shards[store.Shard(key)], store.Due{Key: key, At: j.DueAt})
	}
}

func (d *dueIndex) until(shard int, at time.Time, limit int) []store.Due {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := &d.shards[shard]
	var due []store.Due
	for len(due) < limit && len(*h) > 0 && !(*h)[0].At.After(at) {
		e := heap.Pop(h).(store.Due)
		if current, ok := d.at[e.Key]; ok && current.Equal(e.At) {
			due = append(due, e)
		}
	}
	for _, e := range due {
		heap.Push(h, e)
	}
	return due
}

func (d *dueIndex) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.at)
}

type dueHeap []store.Due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].At.Before(h[j].At) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(store.Due)) }
func (h *dueHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// perMinute is a vendor that takes so many a minute and answers 429 to the rest.
func perMinute(n int) func() creativeai.Outcome {
	var minute time.Time
	taken := 0
	return func() creativeai.Outcome {
		if now := time.Now().Truncate(time.Minute); !now.Equal(minute) {
			minute, taken = now, 0
		}
		if taken == n {
			return creativeai.Outcome{Kind: creativeai.NotNow, Status: 429, Reason: "too many requests"}
		}
		taken++
		return creativeai.Outcome{Kind: creativeai.Accepted, Status: 202}
	}
}

// Prompts wait for a vendor that takes 60 a minute: none expires, and neither the
// table nor the queue sees a storm.
func TestFault33_LongBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := *backlogSize
		b := newBacklog(t, n, perMinute(60))
		took := b.run(t.Context(), 14*24*time.Hour)
		b.report(t, n, took)
		if states := b.states(); states[job.Completed] != n || len(states) != 1 {
			t.Errorf("ended as %v: want all completed", states)
		}
		// What 60 a minute take, and the wait of the last ones.
		if least := time.Duration(n) * time.Second; took > least+3*time.Hour {
			t.Errorf("took %v: want little more than %v", took, least)
		}
		if writes := float64(b.due.writes) / float64(n); writes > 7 {
			t.Errorf("%.2f writes to the table a job: want at most 7, of which 5 are its life", writes)
		}
		if b.queue.mostReceives > 250 {
			t.Errorf("one message was received %d times: want far from 1,000", b.queue.mostReceives)
		}
		if b.queue.longest > n+n/10 {
			t.Errorf("the queue held up to %d messages: want few more than %d", b.queue.longest, n)
		}
	})
}

// A vendor in trouble answers a bare 503 or 500, which may come after it took the
// prompt: at most one job an instance and probe is put at risk, and all others
// are submitted once it is over.
func TestFault34_TenMinutesOf503(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		over := time.Now().Add(10 * time.Minute)
		b := newBacklog(t, n, func() creativeai.Outcome {
			if time.Now().Before(over) {
				return creativeai.Outcome{Kind: creativeai.Unknown, Status: 503, Reason: "a bare 503"}
			}
			return creativeai.Outcome{Kind: creativeai.Accepted, Status: 202}
		})
		took := b.run(t.Context(), 14*24*time.Hour)
		b.report(t, n, took)
		states := b.states()
		// The probes of one instance come after 5 s, 10 s, 20 s, …, up to 5 min: nine within ten minutes.
		if states[job.Expired] > 9*instances || states[job.Expired]+states[job.Completed] != n {
			t.Errorf("ended as %v: want at most %d expired, and the rest completed", states, 9*instances)
		}
		if b.vendor.posts != n {
			t.Errorf("%d POSTs of %d prompts: want one each", b.vendor.posts, n)
		}
	})
}

// The vendor is down, or the key is revoked, for three days: every prompt waits,
// and has its verdict afterwards. One that waits longer than the deadline allows
// has one too; none ends in the dead-letter queue.
func TestFault08_DownForDays(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		name string
		down time.Duration
		says creativeai.Outcome
		ends job.State
	}{
		{"unreachable for three days", 3 * day, creativeai.Outcome{Kind: creativeai.Unsent, Reason: "connection refused"}, job.Completed},
		{"key revoked for three days", 3 * day, creativeai.Outcome{Kind: creativeai.AccountRefused, Status: 401, Reason: "invalid key"}, job.Completed},
		{"no credit for eight days", 8 * day, creativeai.Outcome{Kind: creativeai.AccountRefused, Status: 402, Reason: "no credit"}, job.Expired},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 40
				over := time.Now().Add(test.down)
				b := newBacklog(t, n, func() creativeai.Outcome {
					if time.Now().Before(over) {
						return test.says
					}
					return creativeai.Outcome{Kind: creativeai.Accepted, Status: 202}
				})
				took := b.run(t.Context(), 14*day)
				b.report(t, n, took)
				if states := b.states(); states[test.ends] != n {
					t.Errorf("ended as %v: want all %s", states, test.ends)
				}
				if added := b.queue.sends - n; added > n {
					t.Errorf("%d messages were added for %d prompts: want few, as none was lost", added, n)
				}
				if b.queue.mostReceives >= 1000 || b.queue.len() > 0 {
					t.Errorf("one message was received %d times, %d are left: want less than 1,000, and none", b.queue.mostReceives, b.queue.len())
				}
			})
		})
	}
}
