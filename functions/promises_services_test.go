package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/clipqueue/clipqueue/functions/publish"
	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

// signal wakes those who wait for a change.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func newSignal() *signal { return &signal{ch: make(chan struct{})} }

func (s *signal) raise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ch)
	s.ch = make(chan struct{})
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

// until waits for the time, a change, or the end; a zero time is never.
func until(ctx context.Context, t time.Time, changed <-chan struct{}) bool {
	var timer <-chan time.Time
	if !t.IsZero() {
		tm := time.NewTimer(time.Until(t))
		defer tm.Stop()
		timer = tm.C
	}
	select {
	case <-timer:
	case <-changed:
	case <-ctx.Done():
		return false
	}
	return true
}

// sqsQueue is SQS: at least once, with a visibility timeout, and a memory of 14 days.
type sqsQueue struct {
	w          *world
	name       string
	visibility time.Duration
	maxReceive int
	changed    *signal

	mu       sync.Mutex
	next     int
	messages []*queued
	dead     []*queued
}

type queued struct {
	id, body  string
	sentAt    time.Time
	visibleAt time.Time
	receives  int
	receipt   string
}

const retention = 14 * 24 * time.Hour

func newQueue(w *world, name string, visibility time.Duration, maxReceive int) *sqsQueue {
	return &sqsQueue{w: w, name: name, visibility: visibility, maxReceive: maxReceive, changed: newSignal()}
}

func (q *sqsQueue) send(body string) (id string) {
	q.mu.Lock()
	q.next++
	id = fmt.Sprintf("%s-message-%d", q.name, q.next)
	q.messages = append(q.messages, &queued{id: id, body: body, sentAt: time.Now(), visibleAt: time.Now()})
	q.mu.Unlock()
	q.changed.raise()
	return id
}

// receive takes up to ten visible messages.
func (q *sqsQueue) receive() []lambda.SQSMessage {
	q.mu.Lock()
	defer q.mu.Unlock()
	var batch []lambda.SQSMessage
	q.messages = slices.DeleteFunc(q.messages, func(m *queued) bool {
		switch {
		case len(batch) == 10, m.visibleAt.After(time.Now()):
			return false
		case time.Since(m.sentAt) > retention, m.receives >= q.maxReceive:
			q.dead = append(q.dead, m)
			return true
		}
		m.receives++
		m.receipt = m.id + "/" + strconv.Itoa(m.receives)
		if !q.w.chaos.receivedTwice(m.id) {
			m.visibleAt = time.Now().Add(q.visibility)
		}
		batch = append(batch, lambda.SQSMessage{
			MessageId: m.id, ReceiptHandle: m.receipt, Body: m.body,
			Attributes: map[string]string{
				"SentTimestamp":           strconv.FormatInt(m.sentAt.UnixMilli(), 10),
				"ApproximateReceiveCount": strconv.Itoa(m.receives),
			},
		})
		return false
	})
	return batch
}

func (q *sqsQueue) remove(receipts []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = slices.DeleteFunc(q.messages, func(m *queued) bool { return slices.Contains(receipts, m.receipt) })
}

func (q *sqsQueue) delay(receipt string, d time.Duration) error {
	q.mu.Lock()
	for _, m := range q.messages {
		if m.receipt == receipt {
			m.visibleAt = time.Now().Add(d)
		}
	}
	q.mu.Unlock()
	q.changed.raise()
	return nil
}

// holds says whether a message of the job is on the queue.
func (q *sqsQueue) holds(jobID string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.messages, func(m *queued) bool { return m.of(jobID) })
}

// lose drops the messages of a job that were handed over at least once; another
// payload under its id is a message that no row can bring back.
func (q *sqsQueue) lose(jobID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = slices.DeleteFunc(q.messages, func(m *queued) bool {
		return m.receives > 0 && m.of(jobID) && !strings.Contains(m.body, " other")
	})
}

func (m *queued) of(jobID string) bool {
	return m.id == jobID || strings.Contains(m.body, `"job_id":"`+jobID+`"`)
}

// nextVisible is when the next message can be received; zero is never.
func (q *sqsQueue) nextVisible() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	var next time.Time
	for _, m := range q.messages {
		if next.IsZero() || m.visibleAt.Before(next) {
			next = m.visibleAt
		}
	}
	return next
}

func (q *sqsQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}

// poll is Lambda's event-source mapping: it hands batches to a function that runs
// at most once at a time, and deletes what the function is done with.
func (q *sqsQueue) poll(ctx context.Context, name string, limit time.Duration, start func(*instance) sqsHandler) {
	var i *instance
	var handle sqsHandler
	for {
		changed := q.changed.wait()
		next := q.nextVisible()
		if next.IsZero() || next.After(time.Now()) {
			if !until(ctx, next, changed) {
				return
			}
			continue
		}
		time.Sleep(q.w.chaos.between(name+" polls", time.Millisecond, 900*time.Millisecond))
		batch := q.receive()
		if len(batch) == 0 {
			continue
		}
		if i == nil || i.killed() || q.w.chaos.chance(name+" is replaced", 50) {
			i = q.w.instance(name)
			handle = start(i)
		}
		var response lambda.SQSEventResponse
		ok := i.run(ctx, limit, func(ctx context.Context) error {
			var err error
			response, err = handle(ctx, lambda.SQSEvent{Records: batch})
			return err
		})
		if ok {
			q.remove(done(batch, response))
		}
	}
}

type sqsHandler func(context.Context, lambda.SQSEvent) (lambda.SQSEventResponse, error)

func done(batch []lambda.SQSMessage, response lambda.SQSEventResponse) []string {
	var receipts []string
	for _, m := range batch {
		if !slices.Contains(response.BatchItemFailures, lambda.SQSBatchItemFailure{ItemIdentifier: m.MessageId}) {
			receipts = append(receipts, m.ReceiptHandle)
		}
	}
	return receipts
}

// run is one invocation: it ends at its time limit at the latest, and with it the process.
func (i *instance) run(ctx context.Context, limit time.Duration, f func(context.Context) error) (ok bool) {
	// The deadline is by the process's own clock, as Lambda's is.
	limited, cancel := context.WithDeadline(ctx, time.Now().Add(limit))
	defer cancel()
	finished := make(chan bool, 1)
	i.w.group.Go(func() {
		well := false
		defer func() { finished <- well }()
		err := f(limited)
		well = err == nil && !i.killed()
	})
	select {
	case ok := <-finished:
		return ok
	case <-limited.Done():
		i.w.trace.note(i.name, "the invocation's time is over")
		i.kill()
		return false
	}
}

// instanceQueue is a queue as one process reaches it.
type instanceQueue struct {
	i *instance
	q *sqsQueue
}

func (q instanceQueue) Send(ctx context.Context, body string) error {
	return q.i.call(ctx, "queue send", q.q.name, false, func() error { q.q.send(body); return nil })
}

func (q instanceQueue) Delay(ctx context.Context, receipt string, d time.Duration) error {
	return q.i.call(ctx, "queue delay", receipt, false, func() error { return q.q.delay(receipt, d) })
}

// instanceTable is the table as one process reaches it.
type instanceTable struct {
	i *instance
	t *memory.Table
}

func (t instanceTable) Get(ctx context.Context, key string) (j job.Job, err error) {
	err = t.i.call(ctx, "table get", key, false, func() error {
		j, err = t.t.Get(ctx, key)
		return err
	})
	return j, err
}

func (t instanceTable) Put(ctx context.Context, next, prev job.Job) error {
	return t.i.call(ctx, "table put", next.Key(), false, func() error { return t.t.Put(ctx, next, prev) })
}

func (t instanceTable) Settle(ctx context.Context, id string, v job.Verdict) error {
	return t.i.call(ctx, "table settle", job.Key(id), false, func() error { return t.t.Settle(ctx, id, v) })
}

func (t instanceTable) Due(ctx context.Context, shard int, at time.Time, limit int) (due []store.Due, err error) {
	err = t.i.call(ctx, "table due", strconv.Itoa(shard), false, func() error {
		due, err = t.t.Due(ctx, shard, at, limit)
		return err
	})
	return due, err
}

func (t instanceTable) Quarantine(ctx context.Context, q store.Quarantined) error {
	return t.i.call(ctx, "table quarantine", q.Path, false, func() error { return t.t.Quarantine(ctx, q) })
}

// stream is the table's stream: in order for each key, at least once, for 24 hours.
type stream struct {
	w      *world
	shards [store.Shards]*streamShard
}

type streamShard struct {
	changed *signal
	mu      sync.Mutex
	next    int
	records []streamed
}

type streamed struct {
	sequence string
	at       time.Time
	image    []byte
}

const streamForgets = 24 * time.Hour

func newStream(w *world) *stream {
	s := &stream{w: w}
	for n := range s.shards {
		s.shards[n] = &streamShard{changed: newSignal()}
	}
	return s
}

// add is called with each new image, in order; the filter lets through what owes an event.
func (s *stream) add(j job.Job) {
	if len(j.Owed) == 0 {
		return
	}
	image, err := store.EncodeImage(j)
	if err != nil {
		panic(err)
	}
	shard := s.shards[store.Shard(j.Key())]
	shard.mu.Lock()
	shard.next++
	shard.records = append(shard.records, streamed{strconv.Itoa(shard.next), time.Now(), image})
	shard.mu.Unlock()
	shard.changed.raise()
}

// poll is Lambda's event-source mapping on one shard.
func (s *stream) poll(ctx context.Context, n int, start func(*instance) *publish.Handler) {
	shard := s.shards[n]
	name := fmt.Sprintf("publish-%d", n)
	var i *instance
	var h *publish.Handler
	failures := 0
	for {
		changed := shard.changed.wait()
		batch := shard.batch()
		if len(batch) == 0 {
			if !until(ctx, time.Time{}, changed) {
				return
			}
			continue
		}
		time.Sleep(s.w.chaos.between(name+" polls", time.Millisecond, 300*time.Millisecond))
		if i == nil || i.killed() {
			i = s.w.instance(name)
			h = start(i)
		}
		var response lambda.DynamoDBEventResponse
		ok := i.run(ctx, time.Minute, func(ctx context.Context) error {
			var err error
			response, err = h.Handle(ctx, publishBatch(batch))
			return err
		})
		forward := len(batch)
		if !ok {
			forward = 0
		} else if len(response.BatchItemFailures) > 0 {
			forward = slices.IndexFunc(batch, func(r streamed) bool { return r.sequence == response.BatchItemFailures[0].ItemIdentifier })
		}
		shard.advance(forward)
		failures++
		if forward == len(batch) {
			failures = 0
			continue
		}
		if !until(ctx, time.Now().Add(s.w.chaos.between(name+" waits", time.Second, min(2*time.Second<<min(failures, 12), time.Hour)+1)), nil) {
			return
		}
	}
}

func (s *streamShard) batch() []streamed {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = slices.DeleteFunc(s.records, func(r streamed) bool { return time.Since(r.at) > streamForgets })
	return slices.Clone(s.records[:min(len(s.records), 10)])
}

func (s *streamShard) advance(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = s.records[n:]
}

func publishBatch(records []streamed) publish.Batch {
	var b publish.Batch
	for _, r := range records {
		var record publish.Record
		record.EventID = "event-" + r.sequence
		record.Change.SequenceNumber = r.sequence
		record.Change.NewImage = json.RawMessage(r.image)
		b.Records = append(b.Records, record)
	}
	return b
}

// eventBus is EventBridge: entries fail one by one.
type eventBus struct {
	w  *world
	mu sync.Mutex
	on []bus.Entry
}

type instanceBus struct {
	i *instance
	b *eventBus
}

func (b instanceBus) Put(ctx context.Context, entries []bus.Entry) (failed []error, err error) {
	err = b.i.call(ctx, "bus put", strconv.Itoa(len(entries)), false, func() error {
		failed = make([]error, len(entries))
		for n, e := range entries {
			if time.Now().Before(b.b.w.chaos.ends) && b.b.w.chaos.chance("bus entry", b.b.w.chaos.wild/2) {
				failed[n] = errInjected
				continue
			}
			b.b.take(e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return failed, nil
}

func (b *eventBus) take(e bus.Entry) {
	b.mu.Lock()
	b.on = append(b.on, e)
	b.mu.Unlock()
	b.w.trace.note("bus", string(e.DetailType)+" "+string(e.Detail))
	b.w.deliver(e)
}

// secrets is Secrets Manager with one secret.
type secrets struct {
	mu                sync.Mutex
	current, previous string
}

func (s *secrets) set(current, previous string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.previous = current, previous
}

type instanceSecrets struct {
	i *instance
	s *secrets
}

func (s instanceSecrets) GetSecretValue(
	ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	var value string
	err := s.i.call(ctx, "keys get", *in.VersionStage, false, func() error {
		s.s.mu.Lock()
		defer s.s.mu.Unlock()
		value = s.s.current
		if *in.VersionStage == "AWSPREVIOUS" {
			value = s.s.previous
		}
		if value == "" {
			return &smtypes.ResourceNotFoundException{}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

// instanceLoops is Step Functions' Express workflow: at least once, and no longer than 5 minutes.
type instanceLoops struct{ i *instance }

func (l instanceLoops) Start(ctx context.Context, in loop.Input) error {
	return l.i.call(ctx, "loop start", in.JobID, false, func() error { //nolint:contextcheck // an execution outlives whoever started it
		w := l.i.w
		w.group.Go(func() { w.loop(in) })
		if time.Now().Before(w.chaos.ends) && w.chaos.chance("loop twice "+in.JobID, w.chaos.wild) {
			w.group.Go(func() { w.loop(in) })
		}
		return nil
	})
}
