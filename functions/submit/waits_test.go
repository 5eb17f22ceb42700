package submit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
)

// How long a message stays away after each kind of Retry-After.
func TestFault07_RetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		value string
		want  time.Duration
	}{
		{"seconds", "90", 90 * time.Second},
		{"less than the backoff", "1", 5 * time.Second},
		{"zero", "0", 5 * time.Second},
		{"negative", "-1", 5 * time.Second},
		{"junk", "soon", 5 * time.Second},
		{"none", "", 5 * time.Second},
		{"date", "Thu, 01 Jan 2026 00:02:00 GMT", 2 * time.Minute},
		{"date gone by", "Thu, 01 Jan 2015 00:00:00 GMT", 5 * time.Second},
		{"an hour", "3600", time.Hour},
		{"ten years", "315360000", 11 * time.Hour},
		{"past int64", "99999999999999999999", 11 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := &wire{reply: says(http.StatusTooManyRequests, "", "Retry-After: "+tt.value, "Date: Thu, 01 Jan 2026 00:00:00 GMT")}
			b := newBench(t, overHTTP(t, w))
			b.deliver(b.message("j1"))
			if got := b.queue.last(); got != tt.want {
				t.Errorf("the message stays away for %v, want %v", got, tt.want)
			}
			if got := b.job("j1").RetryAt; !got.Equal(b.now.Add(tt.want)) {
				t.Errorf("retry_at is %v, want %v later", got, tt.want)
			}
		})
	}
}

// The wait grows with the receive count, up to 15 minutes, and to an hour for a
// message that has come very often; jitter takes off a fifth at most.
func TestFault07_BackoffGrows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		receives int
		want     time.Duration
	}{
		{0, 5 * time.Second},
		{1, 5 * time.Second},
		{6, 5 * time.Second},
		{7, 10 * time.Second},
		{8, 20 * time.Second},
		{13, 640 * time.Second},
		{14, 15 * time.Minute},
		{400, 15 * time.Minute},
		{401, time.Hour},
		{1 << 40, time.Hour},
	} {
		for _, random := range []float64{0, 0.999999} {
			b := newBench(t, func(_ *submit.Settings, d *submit.Deps) { d.Random = func() float64 { return random } })
			b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return notNow(time.Second) }
			b.deliver(received(b.message("j1"), tt.receives))
			least := tt.want - time.Duration(float64(tt.want)/5*random)
			if got := b.queue.last(); got != least {
				t.Errorf("received %d times, random %v: away for %v, want %v", tt.receives, random, got, least)
			}
		}
	}
}

// A vendor that says "Retry-After: 1" for as long as the queue keeps a message:
// no hot loop, and never the redrive policy's 1,000 receives.
func TestFault07_NeverAThousandReceives(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(s *submit.Settings, d *submit.Deps) {
		s.Rules.QueuedFor = 15 * 24 * time.Hour // so that it does not expire before
		d.Random = func() float64 { return 0.999999 }
	})
	b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return notNow(time.Second) }
	m, receives, firstDay := b.message("j1"), 0, 0
	for end := b.now.Add(14 * 24 * time.Hour); b.now.Before(end); b.wait(b.queue.last()) {
		receives++
		if b.deliver(received(m, receives)); b.now.Before(epoch().Add(24 * time.Hour)) {
			firstDay = receives
		}
	}
	b.stateIs("j1", job.Queued)
	if receives >= 1000 || firstDay > 150 {
		t.Errorf("%d receives in 14 days, %d in the first", receives, firstDay)
	}
}

// A refused ChangeMessageVisibility: the message comes back when its visibility
// ends, and its neighbours are none the worse.
func TestFault07_DelayRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.queue.err = errors.New("ReceiptHandle has expired")
	b.vendor.answer = func(n int, _ creativeai.Submission) creativeai.Outcome {
		if n == 2 {
			return notNow(0)
		}
		return accepted(n)
	}
	back := b.deliver(b.message("j1"), b.message("j2"))
	if len(back) != 1 || back[0] != "message-j2" {
		t.Errorf("went back: %v, want message-j2", back)
	}
	b.stateIs("j1", job.Processing)
	b.stateIs("j2", job.Queued)
}

// The breaker: after any answer that says nothing of the prompt, the rest of the
// batch goes back unclaimed; then single probes, until one is accepted.
func TestBreaker(t *testing.T) {
	t.Parallel()
	account := creativeai.Outcome{Kind: creativeai.AccountRefused, Status: 402, Reason: "no credit"}
	refused := creativeai.Outcome{Kind: creativeai.Refused, Status: 400, Reason: "no such model"}
	tests := []struct {
		name   string
		answer creativeai.Outcome
		opens  bool
	}{
		{"not now", notNow(0), true},
		{"unsent", creativeai.Outcome{Kind: creativeai.Unsent, Reason: "no such host"}, true},
		{"account refused", account, true},
		{"unknown", unknown(), true},
		{"refused", refused, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return tt.answer }
			batch := []lambda.SQSMessage{b.message("j1"), b.message("j2"), b.message("j3")}
			b.deliver(batch...)
			if !tt.opens {
				b.postsAre(3)
				return
			}
			b.postsAre(1)
			if len(b.table.Jobs()) != 1 {
				t.Errorf("%d jobs are in the table, want the probed one only", len(b.table.Jobs()))
			}
			b.wait(4 * time.Second)
			b.deliver(batch[1:]...)
			b.postsAre(1) // too early
			b.wait(time.Second)
			b.deliver(batch[1:]...)
			b.postsAre(2) // one probe, of j2
			b.wait(9 * time.Second)
			b.deliver(batch[2])
			b.postsAre(2) // the wait has doubled
			b.vendor.answer = nil
			b.wait(time.Second)
			b.deliver(batch[2], b.message("j4"), b.message("j5"))
			b.postsAre(5) // the probe was accepted: closed
		})
	}
}

// A batch that finds the breaker open waits for it, so that a backlog is not handed
// back again and again; the batch that opened it, or a long wait, goes back.
func TestBreakerRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ *submit.Settings, d *submit.Deps) { d.Now = time.Now })
		b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return unknown() }
		batch := func(ids ...string) []string {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			var records []lambda.SQSMessage
			for _, id := range ids {
				records = append(records, b.message(id))
			}
			response, err := b.Handle(ctx, lambda.SQSEvent{Records: records})
			return backOf(t, response, err)
		}
		start := time.Now()
		if back := batch("j1", "j2"); len(back) != 1 || time.Since(start) != 0 {
			t.Errorf("the batch that opened it: went back %v, after %v", back, time.Since(start))
		}
		b.vendor.answer = nil
		if back := batch("j2", "j3"); len(back) != 0 || time.Since(start) != 5*time.Second {
			t.Errorf("the next batch: went back %v, after %v", back, time.Since(start))
		}
		b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return notNow(time.Minute) }
		batch("j4")
		start = time.Now()
		if back := batch("j5", "j6"); len(back) != 2 || time.Since(start) != 0 {
			t.Errorf("a long wait: went back %v, after %v", back, time.Since(start))
		}
		b.postsAre(4)
	})
}

// The breaker waits for the vendor's Retry-After, 15 minutes of it at most, and
// else not longer than 5.
func TestBreakerBounds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return notNow(20 * time.Hour) }
	b.deliver(b.message("j1"))
	b.wait(15*time.Minute - time.Second)
	b.deliver(b.message("j2"))
	b.postsAre(1)
	b.wait(time.Second)
	b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return unknown() }
	for n := range 20 {
		b.deliver(b.message(fmt.Sprintf("u%d", n)))
		b.wait(5 * time.Minute)
	}
	b.postsAre(21)
}

// Bad messages are answered while the vendor is left alone: they need no vendor.
func TestBreakerLetsRejectionsThrough(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return unknown() }
	if back := b.deliver(b.message("j1"), b.raw("m2", "[]")); len(back) != 0 {
		t.Errorf("went back: %v", back)
	}
	b.rejectionOf("m2")
}

// A vendor that says 503 for ten minutes while 200 prompts wait: one job a probe
// becomes unconfirmed, the others are submitted afterwards.
func TestFault34_OneJobAProbe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome {
		if b.now.Before(epoch().Add(10 * time.Minute)) {
			return unknown()
		}
		return accepted(len(b.vendor.posts))
	}
	waiting := newLine(b, 200)
	waiting.run(2 * time.Hour)
	states := map[job.State]int{}
	for _, j := range b.table.Jobs() {
		states[j.State]++
	}
	if states[job.Unconfirmed] > 8 || states[job.Unconfirmed]+states[job.Processing] != 200 {
		t.Errorf("after two hours: %v, want a handful unconfirmed and the rest processing", states)
	}
	b.postsAre(200)
}

// line is a queue of messages with visibility, for one instance.
type line struct {
	b        *bench
	messages []lambda.SQSMessage
	visible  map[string]time.Time
	receives map[string]int
}

func newLine(b *bench, jobs int) *line {
	l := &line{b: b, visible: map[string]time.Time{}, receives: map[string]int{}}
	for n := range jobs {
		l.messages = append(l.messages, b.message(fmt.Sprintf("j%d", n)))
	}
	return l
}

// run delivers up to ten visible messages a second.
func (l *line) run(d time.Duration) {
	for end := l.b.now.Add(d); l.b.now.Before(end) && len(l.messages) > 0; l.b.wait(time.Second) {
		var batch []lambda.SQSMessage
		for _, m := range l.messages {
			if len(batch) < 10 && !l.visible[m.MessageId].After(l.b.now) {
				l.receives[m.MessageId]++
				batch = append(batch, received(m, l.receives[m.MessageId]))
			}
		}
		before := len(l.b.queue.delays)
		back := l.b.deliver(batch...)
		kept := map[string]bool{}
		for i, id := range back {
			kept[id] = true
			l.visible[id] = l.b.now.Add(l.b.queue.delays[before+i])
		}
		inBatch := map[string]bool{}
		for _, m := range batch {
			inBatch[m.MessageId] = true
		}
		left := l.messages[:0]
		for _, m := range l.messages {
			if !inBatch[m.MessageId] || kept[m.MessageId] {
				left = append(left, m)
			}
		}
		l.messages = left
	}
}

// The pace: a batch is spread over time, and what does not fit into the
// invocation goes back unclaimed.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(s *submit.Settings, d *submit.Deps) { s.PerMinute, d.Now = 30, time.Now })
		var at []time.Duration
		start := time.Now()
		b.vendor.answer = func(n int, _ creativeai.Submission) creativeai.Outcome {
			at = append(at, time.Since(start))
			return accepted(n)
		}
		ctx, cancel := context.WithDeadline(t.Context(), start.Add(45*time.Second))
		defer cancel()
		var batch []lambda.SQSMessage
		for n := range 5 {
			batch = append(batch, b.message(fmt.Sprintf("j%d", n)))
		}
		response, err := b.Handle(ctx, lambda.SQSEvent{Records: batch})
		back := backOf(t, response, err)
		// A POST may take 30 s and its account 10 s: three begin within 45 s.
		if fmt.Sprint(at) != "[0s 2s 4s]" || fmt.Sprint(back) != "[message-j3 message-j4]" {
			t.Errorf("posted at %v, went back: %v", at, back)
		}
		if len(b.table.Jobs()) != 3 {
			t.Errorf("%d jobs are claimed, want 3", len(b.table.Jobs()))
		}
	})
}

// A pace of none posts at once; one instance's share may be less than one a minute.
func TestPaceBounds(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(s *submit.Settings, _ *submit.Deps) { s.PerMinute = 0.25 })
	ctx, cancel := context.WithDeadline(t.Context(), b.now.Add(2*time.Minute))
	defer cancel()
	_, err := b.Handle(ctx, lambda.SQSEvent{Records: []lambda.SQSMessage{b.message("j1"), b.message("j2")}})
	if err != nil {
		t.Fatal(err)
	}
	b.postsAre(1)
	if b.queue.last() != 4*time.Minute {
		t.Errorf("the second message stays away for %v, want 4m", b.queue.last())
	}
}

// An invocation that is nearly over claims nothing.
func TestRemainingTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		left  time.Duration
		posts int
	}{{40 * time.Second, 0}, {40*time.Second + time.Millisecond, 1}, {0, 0}, {time.Minute, 1}} {
		b := newBench(t)
		ctx, cancel := context.WithDeadline(t.Context(), b.now.Add(tt.left))
		response, err := b.Handle(ctx, lambda.SQSEvent{Records: []lambda.SQSMessage{b.message("j1")}})
		cancel()
		b.postsAre(tt.posts)
		if back := backOf(t, response, err); len(back) != 1-tt.posts || len(b.table.Jobs()) != tt.posts {
			t.Errorf("%v left: went back: %v, %d jobs", tt.left, back, len(b.table.Jobs()))
		}
	}
}

// Without the vendor's key nothing is claimed and nothing lost; once it is put,
// all of it goes on.
func TestMissingKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.vendor.ready = errors.New("the secret clipqueue/key has no value yet")
	if back := b.deliver(b.message("j1"), b.message("j2")); len(back) != 2 || len(b.table.Jobs()) != 0 {
		t.Errorf("went back: %v, %d jobs", back, len(b.table.Jobs()))
	}
	b.postsAre(0)
	if b.sums(env.MetricAccountRefused) != 1 {
		t.Errorf("the alarm's metric is %v, want 1: the second message waits for the first", b.sums(env.MetricAccountRefused))
	}
	b.vendor.ready = nil
	b.wait(5 * time.Second)
	b.deliver(b.message("j1"), b.message("j2"))
	b.stateIs("j1", job.Processing)
	b.stateIs("j2", job.Processing)
}
