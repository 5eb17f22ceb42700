package submit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

// epoch is when every test begins.
func epoch() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

// bench is the function with a table in memory and everything else by hand.
// Its clock moves only when a test moves it.
type bench struct {
	*submit.Handler
	t       testing.TB
	now     time.Time
	ids     int
	rules   job.Rules
	table   *table
	vendor  *vendor
	queue   *queue
	loops   *loops
	log     *bytes.Buffer
	metrics *bytes.Buffer
}

// alter changes what a bench is made of.
type alter func(*submit.Settings, *submit.Deps)

func newBench(tb testing.TB, changes ...alter) *bench {
	tb.Helper()
	b := &bench{
		t: tb, now: epoch(), rules: job.DefaultRules(), vendor: &vendor{}, queue: &queue{}, loops: &loops{},
		log: &bytes.Buffer{}, metrics: &bytes.Buffer{},
	}
	b.table = &table{Table: memory.New(b.rules, b.clock, nil)}
	b.Handler = b.another(changes...)
	return b
}

// another is one more instance of the function, which shares all but the breaker.
func (b *bench) another(changes ...alter) *submit.Handler {
	b.t.Helper()
	s := submit.Settings{
		Rules: b.rules, Delivery: events.DeliveryWebhook, WebhookURL: "https://api.example/webhooks/creativeai",
		Timeout: 30 * time.Second,
	}
	d := submit.Deps{
		Jobs: b.table, Vendor: b.vendor, Queue: b.queue, Loops: b.loops,
		Log:     slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: metric.New(b.metrics, "test", b.clock), Now: b.clock,
		NewID:  func() string { b.ids++; return fmt.Sprintf("TOKEN%d", b.ids) },
		Random: func() float64 { return 0 },
	}
	for _, change := range changes {
		change(&s, &d)
	}
	h, err := submit.New(s, d)
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

func (b *bench) clock() time.Time { return b.now }

// wait moves the clock.
func (b *bench) wait(d time.Duration) { b.now = b.now.Add(d) }

// deliver hands over a batch and returns the ids of the messages that go back.
func (b *bench) deliver(batch ...lambda.SQSMessage) []string {
	b.t.Helper()
	// Time for one POST and its account, and for no rest before it.
	ctx := invocation{b.t.Context(), b.now.Add(41 * time.Second)}
	response, err := b.Handle(ctx, lambda.SQSEvent{Records: batch})
	return backOf(b.t, response, err)
}

// invocation has a deadline by the bench's clock.
type invocation struct {
	context.Context //nolint:containedctx // it is one
	deadline        time.Time
}

func (i invocation) Deadline() (time.Time, bool) { return i.deadline, true }

func backOf(tb testing.TB, response lambda.SQSEventResponse, err error) []string {
	tb.Helper()
	if err != nil {
		tb.Fatalf("the batch failed as a whole: %v", err)
	}
	if text, err := json.Marshal(response); err != nil || strings.Contains(string(text), "null") {
		tb.Fatalf("the answer is %s, %v: want a list, even when it is empty", text, err)
	}
	back := []string{}
	for _, failure := range response.BatchItemFailures {
		back = append(back, failure.ItemIdentifier)
	}
	return back
}

// job is the job as it stands.
func (b *bench) job(id string) job.Job {
	b.t.Helper()
	j, ok := b.table.Jobs()[job.Key(id)]
	if !ok {
		b.t.Fatalf("there is no job %s", id)
	}
	return j
}

func (b *bench) stateIs(id string, want job.State) {
	b.t.Helper()
	if got := b.job(id).State; got != want {
		b.t.Errorf("job %s is %s, want %s", id, got, want)
	}
}

// rejectionOf is the rejection of a message.
func (b *bench) rejectionOf(messageID string) job.Job {
	b.t.Helper()
	j, ok := b.table.Jobs()["rejection#"+messageID]
	if !ok {
		b.t.Fatalf("message %s is not rejected", messageID)
	}
	return j
}

func (b *bench) postsAre(want int) {
	b.t.Helper()
	if got := len(b.vendor.posts); got != want {
		b.t.Errorf("%d POSTs, want %d", got, want)
	}
}

// sums adds up a metric.
func (b *bench) sums(name string) (sum float64) {
	for line := range strings.Lines(b.metrics.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			b.t.Fatalf("metric %s: %v", line, err)
		}
		if n, ok := m[name].(float64); ok {
			sum += n
		}
	}
	return sum
}

// message is a valid one for the job of this id, received for the first time.
func (b *bench) message(id string) lambda.SQSMessage {
	return b.raw("message-"+id, fmt.Sprintf(`{"job_id":%q,"prompt":"a red kite","metadata":{"of":%q}}`, id, id))
}

func (b *bench) raw(messageID, body string) lambda.SQSMessage {
	return received(lambda.SQSMessage{
		MessageId: messageID, ReceiptHandle: "receipt of " + messageID, Body: body,
		Attributes: map[string]string{"SentTimestamp": strconv.FormatInt(b.now.UnixMilli(), 10)},
	}, 1)
}

// received is the message when it has been received so often.
func received(m lambda.SQSMessage, times int) lambda.SQSMessage {
	m.Attributes = map[string]string{
		"SentTimestamp": m.Attributes["SentTimestamp"], "ApproximateReceiveCount": strconv.Itoa(times),
	}
	return m
}

// table fails writes when it is told to.
type table struct {
	*memory.Table
	// onPut says of a write whether it is stored, and with which error it is answered.
	onPut func(next, prev job.Job) (store bool, err error)
	puts  int
}

func (t *table) Put(ctx context.Context, next, prev job.Job) error {
	t.puts++
	if t.onPut != nil {
		store, err := t.onPut(next, prev)
		if !store {
			return err
		}
		if err != nil {
			_ = t.Table.Put(ctx, next, prev)
			return err
		}
	}
	return t.Table.Put(ctx, next, prev)
}

// vendor answers as it is told, or accepts.
type vendor struct {
	ready  error
	answer func(n int, s creativeai.Submission) creativeai.Outcome
	posts  []creativeai.Submission
}

func (v *vendor) Ready(context.Context) error { return v.ready }

func (v *vendor) Submit(_ context.Context, s creativeai.Submission) creativeai.Outcome {
	v.posts = append(v.posts, s)
	if v.answer == nil {
		return accepted(len(v.posts))
	}
	return v.answer(len(v.posts), s)
}

func accepted(n int) creativeai.Outcome {
	return creativeai.Outcome{Kind: creativeai.Accepted, Status: 202, Generation: creativeai.Generation{
		ID: fmt.Sprintf("gen_%d", n), Status: "pending", ModelActual: "kling-v3", Credits: new(int64(7)), FailoverUsed: new(false),
	}}
}

func notNow(after time.Duration) creativeai.Outcome {
	return creativeai.Outcome{Kind: creativeai.NotNow, Status: 429, RetryAfter: after, Reason: "the vendor answered 429"}
}

func unknown() creativeai.Outcome {
	return creativeai.Outcome{Kind: creativeai.Unknown, Status: 500, Reason: "the vendor answered 500"}
}

// queue remembers for how long messages were sent away.
type queue struct {
	err    error
	delays []time.Duration
}

func (q *queue) Delay(_ context.Context, _ string, d time.Duration) error {
	q.delays = append(q.delays, d)
	return q.err
}

func (q *queue) last() time.Duration {
	if len(q.delays) == 0 {
		return -1
	}
	return q.delays[len(q.delays)-1]
}

// loops remembers which were started.
type loops struct {
	err     error
	started []loop.Input
}

func (l *loops) Start(_ context.Context, in loop.Input) error {
	l.started = append(l.started, in)
	return l.err
}
