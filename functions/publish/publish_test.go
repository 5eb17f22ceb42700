package publish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/publish"
	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

var (
	errThrottled = errors.New("ThrottlingException: slow down")
	errAway      = errors.New("the service is away")
)

// bench is the function with a table in memory whose changes are the stream.
type bench struct {
	*publish.Handler
	t       testing.TB
	now     time.Time
	rules   job.Rules
	table   *table
	bus     *eventBus
	poison  *poison
	stream  []publish.Record
	log     *bytes.Buffer
	metrics *bytes.Buffer
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{
		t: tb, now: jobtest.Epoch().Add(time.Hour), rules: job.DefaultRules(), bus: &eventBus{}, poison: &poison{},
		log: &bytes.Buffer{}, metrics: &bytes.Buffer{},
	}
	clock := func() time.Time { return b.now }
	b.table = &table{Table: memory.New(b.rules, clock, b.change)}
	h, err := publish.New(publish.Deps{
		Rules: b.rules, Jobs: b.table, Bus: b.bus, Poison: b.poison, Now: clock,
		Log: slog.New(slog.NewJSONHandler(b.log, nil)), Metrics: metric.New(b.metrics, "test", clock),
	})
	if err != nil {
		tb.Fatal(err)
	}
	b.Handler = h
	return b
}

// change is the stream with its filter: only what owes an event comes through.
func (b *bench) change(j job.Job) {
	if len(j.Owed) > 0 {
		b.stream = append(b.stream, recordOf(b.t, strconv.Itoa(100+len(b.stream)), j))
	}
}

func recordOf(tb testing.TB, sequence string, j job.Job) publish.Record {
	tb.Helper()
	image, err := store.EncodeImage(j)
	if err != nil {
		tb.Fatal(err)
	}
	return raw(sequence, `{"pk":{"S":"`+j.Key()+`"}}`, string(image))
}

func raw(sequence, keys, image string) publish.Record {
	r := publish.Record{EventID: "event-" + sequence}
	r.Change.SequenceNumber, r.Change.Keys, r.Change.NewImage = sequence, json.RawMessage(keys), json.RawMessage(image)
	return r
}

// put writes jobs at a stage of jobtest's, with ids of their own.
func (b *bench) put(stage string, ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		if err := b.table.Table.Put(b.t.Context(), jobtest.At(b.t, b.rules, id, stage), job.Job{}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// deliver hands the stream over and returns the sequence number to go on from, "" for the end.
func (b *bench) deliver(records ...publish.Record) string {
	b.t.Helper()
	response, err := b.Handle(b.t.Context(), publish.Batch{Records: records})
	if err != nil {
		b.t.Fatal(err)
	}
	if text, err := json.Marshal(response); err != nil || strings.Contains(string(text), "null") {
		b.t.Fatalf("the answer is %s, %v: want a list, even when it is empty", text, err)
	}
	if len(response.BatchItemFailures) == 0 {
		return ""
	}
	return response.BatchItemFailures[0].ItemIdentifier
}

// drain delivers the stream, up to ten records a batch, and repeats as Lambda
// does, at most so many times.
func (b *bench) drain(times int) {
	b.t.Helper()
	for ; len(b.stream) > 0; times-- {
		if times == 0 {
			b.t.Fatalf("the shard is stuck at %s: %s", b.stream[0].Change.SequenceNumber, b.log)
		}
		batch := b.stream[:min(len(b.stream), 10)]
		done := len(batch)
		if from := b.deliver(batch...); from != "" {
			done = slices.IndexFunc(batch, func(r publish.Record) bool { return r.Change.SequenceNumber == from })
		}
		b.stream = b.stream[done:]
	}
}

// eventsAre checks the events that are on the bus, as "<type> <event id>".
func (b *bench) eventsAre(want ...string) {
	b.t.Helper()
	if got := b.bus.events(b.t); !slices.Equal(got, want) {
		b.t.Errorf("on the bus are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// event names an event of a job of jobtest's.
func event(id string, version int64, kind events.DetailType) string {
	return fmt.Sprintf("%s %s:%d:%d", kind, id, jobtest.Epoch().UnixMilli(), version)
}

func (b *bench) owes(id string) int { return len(b.table.Jobs()[job.Key(id)].Owed) }

// table fails and changes things under the function's hands when it is told to.
type table struct {
	*memory.Table
	onPut func() error
}

func (t *table) Put(ctx context.Context, next, prev job.Job) error {
	if t.onPut != nil {
		if err := t.onPut(); err != nil {
			return err
		}
	}
	return t.Table.Put(ctx, next, prev)
}

// eventBus keeps what it takes.
type eventBus struct {
	// answer says of a call which entries fail, or that all do.
	answer func(call int, entries []bus.Entry) ([]error, error)
	calls  [][]bus.Entry
	on     []bus.Entry
}

func (b *eventBus) Put(_ context.Context, entries []bus.Entry) ([]error, error) {
	b.calls = append(b.calls, entries)
	failed := make([]error, len(entries))
	if b.answer != nil {
		var err error
		if failed, err = b.answer(len(b.calls), entries); err != nil {
			return nil, err
		}
		if failed == nil {
			failed = make([]error, len(entries))
		}
	}
	for i, e := range entries {
		if failed[i] == nil {
			b.on = append(b.on, e)
		}
	}
	return failed, nil
}

func (b *eventBus) events(tb testing.TB) []string {
	tb.Helper()
	out := []string{}
	for _, e := range b.on {
		var detail events.Event[json.RawMessage]
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			tb.Fatal(err)
		}
		out = append(out, string(e.DetailType)+" "+detail.Metadata.EventID)
	}
	return out
}

// poison is the queue of what is set aside.
type poison struct {
	err  error
	sent []string
}

func (p *poison) Send(_ context.Context, body string) error {
	if p.err != nil {
		return p.err
	}
	p.sent = append(p.sent, body)
	return nil
}

// Every stage of a job's life: what it owes goes out, oldest first, the marker
// goes, and the job is looked at again only where something else is to come.
func TestEveryStage(t *testing.T) {
	t.Parallel()
	for _, stage := range jobtest.Stages(t, job.DefaultRules(), "j1") {
		if len(stage.Job.Owed) == 0 {
			continue
		}
		t.Run(stage.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.put(stage.Name, "j1")
			b.drain(3)
			want := []string{}
			for _, o := range stage.Job.Owed {
				want = append(want, event("j1", o.Version, o.Type))
			}
			b.eventsAre(want...)
			after := b.table.Jobs()[stage.Job.Key()]
			if len(after.Owed) != 0 || after.Version != stage.Job.Version {
				t.Errorf("it still owes %v, at version %d", after.Owed, after.Version)
			}
			more := after.State == job.Processing || after.Archive.State == job.ArchivePending ||
				(after.State == job.Expired && after.GenerationID != "")
			if after.DueAt.IsZero() == more {
				t.Errorf("due at %v, and more to come: %v", after.DueAt, more)
			}
		})
	}
}

// PutEvents fails for one entry: the batch is repeated from its record on, what
// was sent before is marked, and the events keep their ids.
func TestFault27_OneEntryFails(t *testing.T) {
	t.Parallel()
	for position := range 4 {
		b := newBench(t)
		b.put("failed", "j0", "j1", "j2", "j3")
		// Each owes Accepted and Failed, and no call has two events of one job: the
		// first call takes j0's Accepted only, and so on; position 3 fails in its second event.
		failing := "j" + strconv.Itoa(position)
		b.bus.answer = func(_ int, entries []bus.Entry) ([]error, error) {
			failed := make([]error, len(entries))
			for i, e := range entries {
				if e.DetailType == events.TypeFailed && strings.Contains(string(e.Detail), `"job_id":"`+failing+`"`) {
					failed[i] = errThrottled
				}
			}
			return failed, nil
		}
		if got := b.deliver(b.stream...); got != strconv.Itoa(100+position) {
			t.Errorf("%s fails: repeated from %q", failing, got)
		}
		for n := range 4 {
			if owes := b.owes("j" + strconv.Itoa(n)); (owes == 0) != (n < position) {
				t.Errorf("%s fails: j%d owes %d events", failing, n, owes)
			}
		}
		b.bus.answer = nil
		b.stream = b.stream[position:]
		b.drain(2)
		on := map[string]int{}
		for _, e := range b.bus.events(t) {
			on[e]++
		}
		for n := range 4 {
			id := "j" + strconv.Itoa(n)
			if on[event(id, 4, events.TypeAccepted)] == 0 || on[event(id, 5, events.TypeFailed)] != 1 && n <= position {
				t.Errorf("%s fails: on the bus are %v", failing, on)
			}
			if b.owes(id) != 0 {
				t.Errorf("%s fails: %s still owes", failing, id)
			}
		}
	}
}

// The whole call fails: nothing is marked, all is repeated.
func TestFault27_CallFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("rejected", "j0", "j1", "j2")
	b.bus.answer = func(int, []bus.Entry) ([]error, error) { return nil, errAway }
	if got := b.deliver(b.stream...); got != "100" {
		t.Errorf("repeated from %q", got)
	}
	if b.owes("j0")+b.owes("j1")+b.owes("j2") != 3 || len(b.poison.sent) != 0 {
		t.Error("something was marked or set aside")
	}
	if len(b.bus.calls) != 1 {
		t.Errorf("%d calls, want 1: Lambda repeats, not we", len(b.bus.calls))
	}
}

// All together are too large: halves, and each event once.
func TestFault27_TooLargeTogether(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("rejected", "j0", "j1", "j2", "j3", "j4", "j5", "j6")
	b.bus.answer = func(_ int, entries []bus.Entry) ([]error, error) {
		if len(entries) > 2 {
			return nil, bus.ErrTooLarge
		}
		return nil, nil
	}
	b.drain(1)
	want := []string{}
	for n := range 7 {
		want = append(want, event("j"+strconv.Itoa(n), 4, events.TypeRejected))
	}
	b.eventsAre(want...)
}

// A half fails after the other went out: the batch is repeated from there.
func TestFault27_HalfFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("rejected", "j0", "j1", "j2", "j3")
	b.bus.answer = func(call int, entries []bus.Entry) ([]error, error) {
		if len(entries) > 2 {
			return nil, bus.ErrTooLarge
		}
		if call == 3 {
			return []error{nil, errThrottled}, nil
		}
		return nil, nil
	}
	if got := b.deliver(b.stream...); got != "103" {
		t.Errorf("repeated from %q, want 103", got)
	}
	b.eventsAre(event("j0", 4, events.TypeRejected), event("j1", 4, events.TypeRejected), event("j2", 4, events.TypeRejected))
}

// One event that EventBridge will not take, for its size or for what is in it, is
// set aside with all that is known of it, and holds up nothing.
func TestFault27_OneNeverFits(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(int, []bus.Entry) ([]error, error){
		"too large": func(_ int, entries []bus.Entry) ([]error, error) {
			if slices.ContainsFunc(entries, ofJob("j1")) {
				return nil, bus.ErrTooLarge
			}
			return nil, nil
		},
		"malformed": func(_ int, entries []bus.Entry) ([]error, error) {
			failed := make([]error, len(entries))
			if i := slices.IndexFunc(entries, ofJob("j1")); i >= 0 {
				failed[i] = fmt.Errorf("put an event: %w", bus.ErrRefused)
			}
			return failed, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.put("rejected", "j0", "j1", "j2")
			b.bus.answer = answer
			b.drain(1)
			b.eventsAre(event("j0", 4, events.TypeRejected), event("j2", 4, events.TypeRejected))
			if len(b.poison.sent) != 1 || !strings.Contains(b.poison.sent[0], `"event_id":"j1:`) || !strings.Contains(b.poison.sent[0], `job#j1`) {
				t.Errorf("set aside: %v", b.poison.sent)
			}
			if !strings.Contains(b.metrics.String(), `"`+env.MetricPoison+`":1`) {
				t.Errorf("metrics: %s", b.metrics)
			}
		})
	}
}

func ofJob(id string) func(bus.Entry) bool {
	return func(e bus.Entry) bool { return strings.Contains(string(e.Detail), `"job_id":"`+id+`"`) }
}

// No call has more than ten events, or 250 KB, or two events of one job.
func TestCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 23 {
		b.put("rejected", fmt.Sprintf("j%d", n))
	}
	b.put("completed, archived", "k") // owes three
	for n := range 3 {
		j := jobtest.At(t, b.rules, fmt.Sprintf("large%d", n), "rejected")
		j.Reason.Message = strings.Repeat("m", 100<<10)
		if err := b.table.Put(t.Context(), j, job.Job{}); err != nil {
			t.Fatal(err)
		}
	}
	if from := b.deliver(b.stream...); from != "" {
		t.Fatalf("repeated from %s", from)
	}
	sizes := []int{}
	for _, call := range b.bus.calls {
		bytes, in := 0, map[string]bool{}
		for _, e := range call {
			bytes += len(e.Detail)
			var detail events.Event[json.RawMessage]
			if err := json.Unmarshal(e.Detail, &detail); err != nil || in[detail.Metadata.JobID] {
				t.Errorf("%v, or two events of %s in one call", err, detail.Metadata.JobID)
			}
			in[detail.Metadata.JobID] = true
		}
		if len(call) > 10 || bytes > 250<<10 {
			t.Errorf("a call has %d events and %d bytes", len(call), bytes)
		}
		sizes = append(sizes, len(call))
	}
	// 10, 10, 3 and k's first; k's second; k's third and two large ones; the last.
	if fmt.Sprint(sizes) != "[10 10 4 1 3 1]" {
		t.Errorf("calls of %v events", sizes)
	}
}

// A job that changed twice within a batch owes the older event in both images:
// it goes out once, and in order.
func TestOnceWithinABatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("processing", "j1")
	j := b.table.Jobs()[job.Key("j1")]
	if _, err := store.Transition(t.Context(), b.table, b.rules, j, jobtest.Callback(job.Completed)); err != nil {
		t.Fatal(err)
	}
	if len(b.stream) != 2 {
		t.Fatalf("%d records", len(b.stream))
	}
	b.drain(1)
	b.eventsAre(event("j1", 4, events.TypeAccepted), event("j1", 5, events.TypeCompleted))
	if b.owes("j1") != 0 {
		t.Error("it still owes")
	}
}

// The job is settled between PutEvents and the marker: the marker stays for what
// was added, and only that is sent then.
func TestFault28_VerdictInBetween(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("processing", "j1")
	b.table.onPut = func() error {
		b.table.onPut = nil
		return b.table.Settle(t.Context(), "j1", jobtest.Callback(job.Failed))
	}
	if from := b.deliver(b.stream[0]); from != "" {
		t.Errorf("repeated from %s", from)
	}
	if b.owes("j1") != 2 {
		t.Fatalf("it owes %d events, want both: nobody knows of the first", b.owes("j1"))
	}
	b.stream = b.stream[1:]
	b.drain(1)
	b.eventsAre(event("j1", 4, events.TypeAccepted), event("j1", 4, events.TypeAccepted), event("j1", 5, events.TypeFailed))
	if b.owes("j1") != 0 {
		t.Error("it still owes")
	}
}

// Dead between PutEvents and the marker, or the marker's write fails: no failure
// of the batch; the next touch sends the same event with the same id.
func TestFault28_MarkerNotCleared(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("rejected", "j1")
	b.table.onPut = func() error { return errAway }
	b.drain(1)
	if b.owes("j1") != 1 || !strings.Contains(b.log.String(), "may come twice") {
		t.Errorf("it owes %d; the log says %s", b.owes("j1"), b.log)
	}
	b.table.onPut = nil
	if _, err := store.Lease(t.Context(), b.table, b.rules, b.table.Jobs()[job.Key("j1")], b.now); err != nil {
		t.Fatal(err)
	}
	b.drain(1)
	b.eventsAre(event("j1", 4, events.TypeRejected), event("j1", 4, events.TypeRejected))
	if b.owes("j1") != 0 {
		t.Error("it still owes")
	}
}

// The stream has forgotten, after 25 hours: reconcile's touch puts the row onto
// it again, whatever else became of the job.
func TestFault28_StreamForgot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("processing", "j1")
	if err := b.table.Settle(t.Context(), "j1", jobtest.Callback(job.Completed)); err != nil {
		t.Fatal(err)
	}
	b.stream, b.now = nil, b.now.Add(25*time.Hour)
	if _, err := store.Lease(t.Context(), b.table, b.rules, b.table.Jobs()[job.Key("j1")], b.now); err != nil {
		t.Fatal(err)
	}
	b.drain(1)
	b.eventsAre(event("j1", 4, events.TypeAccepted), event("j1", 5, events.TypeCompleted))
}

// Records that owe nothing, or are of a deleted row, pass without a trace.
func TestNothingOwed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	from := b.deliver(
		raw("1", `{"pk":{"S":"job#gone"}}`, ""),
		recordOf(t, "2", jobtest.At(t, b.rules, "j1", "completed, published")),
	)
	if from != "" || len(b.bus.calls)+len(b.poison.sent)+len(b.table.Jobs()) != 0 {
		t.Errorf("repeated from %q, %d calls, %v set aside", from, len(b.bus.calls), b.poison.sent)
	}
}

// What a row may look like that was not written by us.
func poisonImages(tb testing.TB) map[string]string {
	tb.Helper()
	unknown := jobtest.At(tb, job.DefaultRules(), "p", "failed")
	unknown.Owed[1].Type = "Video Generation Teleported"
	noResult := jobtest.At(tb, job.DefaultRules(), "p", "failed")
	noResult.Result = nil
	huge := jobtest.At(tb, job.DefaultRules(), "p", "failed")
	huge.Metadata = `{"x":"` + strings.Repeat("x", 300<<10) + `"}`
	out := map[string]string{
		"not an item":     `{"pk":7}`,
		"no job":          `{"pk":{"S":"other#1"},"version":{"N":"1"}}`,
		"version a text":  `{"pk":{"S":"job#1"},"version":{"S":"one"}}`,
		"version no int":  `{"pk":{"S":"job#1"},"version":{"N":"1e400"}}`,
		"duplicate names": `{"pk":{"S":"job#1"},"pk":{"S":"job#2"},"version":{"N":"1"}}`,
		"empty":           `{}`,
		"an array":        `[]`,
	}
	for name, j := range map[string]job.Job{"unknown event": unknown, "no result": noResult, "too large for an event": huge} {
		out[name] = string(recordOf(tb, "", j).Change.NewImage)
	}
	return out
}

// A record that can never be published is set aside with its key; its neighbours
// go out, in the same pass.
func TestFault29_PoisonRecord(t *testing.T) {
	t.Parallel()
	for name, image := range poisonImages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.put("rejected", "j0")
			b.stream = append(b.stream, raw("150", `{"pk":{"S":"the row"}}`, image))
			b.put("rejected", "j1")
			b.drain(1)
			b.eventsAre(event("j0", 4, events.TypeRejected), event("j1", 4, events.TypeRejected))
			if len(b.poison.sent) != 1 || !strings.Contains(b.poison.sent[0], "the row") ||
				!strings.Contains(b.poison.sent[0], `"sequence_number":"150"`) || !strings.Contains(b.poison.sent[0], `"error":"`) {
				t.Errorf("set aside: %v", b.poison.sent)
			}
			if len(b.poison.sent) == 1 && len(b.poison.sent[0]) > 256<<10 {
				t.Errorf("what is set aside has %d bytes, and SQS would refuse it", len(b.poison.sent[0]))
			}
		})
	}
}

// A row of ours that no event can be made of keeps its marker: a release that
// can make one sends it with the next touch.
func TestFault29_PoisonKeepsItsMarker(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := jobtest.At(t, b.rules, "j1", "failed")
	j.Result = nil
	if err := b.table.Put(t.Context(), j, job.Job{}); err != nil {
		t.Fatal(err)
	}
	b.drain(1)
	if len(b.poison.sent) != 1 || b.owes("j1") != 2 {
		t.Errorf("%d set aside, and it owes %d events", len(b.poison.sent), b.owes("j1"))
	}
}

// What Lambda hands over of the stream, a row deleted by TTL among it.
func TestStreamEvent(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/stream.json")
	if err != nil {
		t.Fatal(err)
	}
	var batch publish.Batch
	if err := json.Unmarshal(text, &batch); err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.bus.answer = func(int, []bus.Entry) ([]error, error) { return nil, errAway }
	if from := b.deliver(batch.Records...); from != "111000000000012345678901" {
		t.Errorf("repeated from %q, want the sequence number", from)
	}
	b.bus.answer = nil
	if from := b.deliver(batch.Records...); from != "" {
		t.Errorf("repeated from %q", from)
	}
	b.eventsAre("Video Generation Rejected 8f1c:1767323045678:1")
}

// While the poison queue is away the shard waits at the record, and what was
// before it is out and marked.
func TestFault29_PoisonQueueDown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("rejected", "j0")
	b.stream = append(b.stream, raw("150", `{}`, `{}`))
	b.put("rejected", "j1")
	b.poison.err = errAway
	if got := b.deliver(b.stream...); got != "150" {
		t.Errorf("repeated from %q, want 150", got)
	}
	b.eventsAre(event("j0", 4, events.TypeRejected))
	if b.owes("j0") != 0 || b.owes("j1") != 1 {
		t.Errorf("j0 owes %d, j1 %d", b.owes("j0"), b.owes("j1"))
	}
	b.poison.err, b.stream = nil, b.stream[1:]
	b.drain(1)
	b.eventsAre(event("j0", 4, events.TypeRejected), event("j1", 4, events.TypeRejected))
}

// While the bus is away a poison record further on is not set aside again with
// each repeat.
func TestFault29_PoisonOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("rejected", "j0")
	b.stream = append(b.stream, raw("150", `{}`, `{}`))
	b.bus.answer = func(call int, _ []bus.Entry) ([]error, error) {
		if call <= 20 {
			return nil, errAway
		}
		return nil, nil
	}
	b.drain(21)
	if len(b.poison.sent) != 1 {
		t.Errorf("set aside %d times", len(b.poison.sent))
	}
}

// What a verdict counts: itself, the credits, the times.
func TestMetrics(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("completed", "j1")
	b.put("failed", "j2")
	b.put("expired, never accepted", "j3")
	b.drain(3)
	for _, want := range []string{
		`"` + env.MetricCompleted + `":1`, `"` + env.MetricFailed + `":1`, `"` + env.MetricExpired + `":1`, `"` + env.MetricCredits + `":40`,
		`"` + env.MetricVendorTime + `":`, `"` + env.MetricTotalTime + `":`,
	} {
		if !strings.Contains(b.metrics.String(), want) {
			t.Errorf("no %s in\n%s", want, b.metrics)
		}
	}
	if strings.Contains(b.log.String(), "lighthouse") {
		t.Errorf("the log holds a prompt:\n%s", b.log)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := newBench(t).Deps
	for name, spoil := range map[string]func(*publish.Deps){
		"no table":      func(d *publish.Deps) { d.Jobs = nil },
		"no bus":        func(d *publish.Deps) { d.Bus = nil },
		"no poison":     func(d *publish.Deps) { d.Poison = nil },
		"no log":        func(d *publish.Deps) { d.Log = nil },
		"no clock":      func(d *publish.Deps) { d.Now = nil },
		"short records": func(d *publish.Deps) { d.Rules.RecordFor = time.Hour },
	} {
		d := good
		spoil(&d)
		if _, err := publish.New(d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzRecord holds that whatever is on the stream is published, passed over or
// set aside, and never stops the shard.
func FuzzRecord(f *testing.F) {
	for _, image := range poisonImages(f) {
		if len(image) < 64<<10 {
			f.Add(image)
		}
	}
	for _, stage := range jobtest.Stages(f, job.DefaultRules(), "j1") {
		if stage.Job.Version > 0 {
			f.Add(string(recordOf(f, "", stage.Job).Change.NewImage))
		}
	}
	f.Fuzz(func(t *testing.T, image string) {
		if !json.Valid([]byte(image)) {
			return // Lambda's own decoder has refused the batch
		}
		b := newBench(t)
		b.put("rejected", "j0")
		b.stream = append(b.stream, raw("150", `{}`, image))
		b.put("rejected", "j1")
		b.drain(1)
		if on := b.bus.events(t); len(on) < 2 || on[0] != event("j0", 4, events.TypeRejected) || on[len(on)-1] != event("j1", 4, events.TypeRejected) {
			t.Errorf("on the bus are %v", on)
		}
	})
}
