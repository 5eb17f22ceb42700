package submit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
)

// during runs f while the first POST is on the wire.
func (b *bench) during(f func(), then creativeai.Outcome) {
	b.vendor.answer = func(n int, _ creativeai.Submission) creativeai.Outcome {
		if n > 1 {
			return accepted(n)
		}
		f()
		return then
	}
}

// One message is delivered again, to another instance, while its first POST
// hangs: one POST, and the second delivery waits until the claim ends.
func TestFault04_DeliveredAgainWhileThePostHangs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.another()
	m := b.message("j1")
	b.during(func() {
		b.wait(20 * time.Second)
		response, err := other.Handle(t.Context(), lambda.SQSEvent{Records: []lambda.SQSMessage{received(m, 2)}})
		if back := backOf(t, response, err); len(back) != 1 {
			t.Errorf("the second delivery went back: %v", back)
		}
		if got := b.queue.last(); got != 70*time.Second {
			t.Errorf("it stays away for %v, want the 70s that are left of the claim", got)
		}
	}, accepted(1))
	b.deliver(m)
	b.postsAre(1)
	b.stateIs("j1", job.Processing)
	b.deliver(received(m, 3))
	b.postsAre(1)
}

// A function that died after its claim: the next delivery after the claim's end
// makes the job unconfirmed, and no POST.
func TestFault01_ClaimRanOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.message("j1")
	b.table.onPut = func(_, _ job.Job) (bool, error) { return true, errors.New("the answer was lost") }
	if back := b.deliver(m); len(back) != 1 {
		t.Errorf("went back: %v, want the message: nobody knows whether it is claimed", back)
	}
	b.table.onPut = nil
	b.postsAre(0)
	b.stateIs("j1", job.Submitting)
	b.wait(b.rules.ClaimFor - time.Millisecond)
	if back := b.deliver(received(m, 2)); len(back) != 1 {
		t.Error("the message is gone while the claim lives")
	}
	b.wait(time.Millisecond)
	if back := b.deliver(received(m, 3)); len(back) != 0 {
		t.Errorf("went back: %v", back)
	}
	b.stateIs("j1", job.Unconfirmed)
	b.postsAre(0)
}

// The message is delivered again while attempt 1 hangs, then attempt 1 gets a
// 429: the job is submitted later.
func TestFault31_NothingIsStranded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.another()
	m := b.message("j1")
	b.during(func() {
		response, err := other.Handle(t.Context(), lambda.SQSEvent{Records: []lambda.SQSMessage{received(m, 2)}})
		if back := backOf(t, response, err); len(back) != 1 {
			t.Errorf("the second delivery went back: %v", back)
		}
	}, notNow(0))
	if back := b.deliver(m); len(back) != 1 {
		t.Errorf("the first delivery went back: %v", back)
	}
	b.wait(2 * time.Minute)
	b.deliver(received(m, 3))
	b.stateIs("j1", job.Processing)
	b.postsAre(2)
}

// A claim runs out by a clock that is ahead, then the 202 arrives.
func TestFault32_AcceptedAfterTheClaimRanOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.during(func() {
		ahead := b.now.Add(5 * time.Minute)
		if _, err := store.Transition(t.Context(), b.table, b.rules, b.job("j1"), job.ClaimRanOut{At: ahead}); err != nil {
			t.Error(err)
		}
	}, accepted(1))
	b.deliver(b.message("j1"))
	if j := b.job("j1"); j.State != job.Processing || j.GenerationID != "gen_1" {
		t.Errorf("the job is %s with id %q", j.State, j.GenerationID)
	}
}

// The callback comes before the submit's answer is stored: it stands.
func TestFault16_CallbackFirst(t *testing.T) {
	t.Parallel()
	for _, delivery := range []events.Delivery{events.DeliveryWebhook, events.DeliveryPoll} {
		b := newBench(t)
		b.during(func() {
			err := b.table.Settle(t.Context(), "j1", job.Verdict{
				At: b.now, Token: b.job("j1").Token, GenerationID: "gen_1", State: job.Completed, Body: []byte("{}"),
				Result: job.Result{OutputURL: new("https://cdn.example/v.mp4"), Via: events.ViaCallback},
			})
			if err != nil {
				t.Error(err)
			}
		}, accepted(1))
		b.deliver(b.raw("m1", fmt.Sprintf(`{"job_id":"j1","prompt":"p","delivery":%q}`, delivery)))
		b.stateIs("j1", job.Completed)
		if len(b.loops.started) != 0 || b.sums(env.MetricContradiction) != 0 {
			t.Errorf("%s: %d loops, contradictions %v; want none", delivery, len(b.loops.started), b.sums(env.MetricContradiction))
		}
	}
}

// 202 arrives and the table refuses the acceptance: no second POST, a poll loop
// that carries all of it, whatever the delivery, and the id in the log.
func TestFault03_AcceptanceNotStored(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		for _, delivery := range []events.Delivery{events.DeliveryWebhook, events.DeliveryPoll} {
			t.Run(fmt.Sprintf("stored %v, %s", stored, delivery), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.table.onPut = func(next, _ job.Job) (bool, error) {
					if next.State == job.Processing {
						return stored, errors.New("DynamoDB is away")
					}
					return true, nil
				}
				m := b.raw("m1", fmt.Sprintf(`{"job_id":"j1","prompt":"p","delivery":%q}`, delivery))
				if back := b.deliver(m); len(back) != 0 {
					t.Errorf("went back: %v", back)
				}
				want := []loop.Input{{
					JobID: "j1", GenerationID: "gen_1", Attempt: 1, AcceptedAt: b.now,
					ModelActual: "kling-v3", Credits: new(int64(7)), FailoverUsed: new(false),
				}}
				if diff := cmp.Diff(want, b.loops.started); diff != "" {
					t.Errorf("the loop's input (-want +got):\n%s", diff)
				}
				if !strings.Contains(b.log.String(), `"generation_id":"gen_1"`) {
					t.Error("the generation id is not in the log")
				}
				b.wait(time.Hour)
				b.deliver(received(m, 2))
				b.postsAre(1)
			})
		}
	}
}

// Neither the table nor Step Functions works: the id is in the log, and an error.
func TestFault03_LoopNotStartedEither(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.loops.err = errors.New("throttled")
	b.table.onPut = func(next, _ job.Job) (bool, error) {
		if next.State == job.Processing {
			return false, errors.New("DynamoDB is away")
		}
		return true, nil
	}
	b.deliver(b.message("j1"))
	for line := range strings.Lines(b.log.String()) {
		if strings.Contains(line, "loop could not be started") && strings.Contains(line, "gen_1") && strings.Contains(line, "ERROR") {
			return
		}
	}
	t.Errorf("the log says\n%s", b.log)
}

// The vendor accepts a job that has another generation already: alarm, no loop,
// nothing changed.
func TestAcceptedTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.during(func() {
		_, err := store.Transition(t.Context(), b.table, b.rules, b.job("j1"),
			job.Accept{At: b.now, Attempt: 1, GenerationID: "gen_other"})
		if err != nil {
			t.Error(err)
		}
	}, accepted(1))
	b.deliver(b.raw("m1", `{"job_id":"j1","prompt":"p","delivery":"poll"}`))
	if b.job("j1").GenerationID != "gen_other" || b.sums(env.MetricContradiction) != 1 || len(b.loops.started) != 0 {
		t.Errorf("id %s, contradictions %v, %d loops", b.job("j1").GenerationID, b.sums(env.MetricContradiction), len(b.loops.started))
	}
}

// Any other answer that cannot be stored leaves the claim to run out: safe, and
// not silent.
func TestAnswerNotStored(t *testing.T) {
	t.Parallel()
	for _, o := range []creativeai.Outcome{notNow(0), unknown(), {Kind: creativeai.Refused, Reason: "400"}} {
		b := newBench(t)
		b.table.onPut = func(next, _ job.Job) (bool, error) {
			return next.State == job.Submitting, map[bool]error{false: errors.New("DynamoDB is away")}[next.State == job.Submitting]
		}
		b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return o }
		b.deliver(b.message("j1"))
		if b.sums(env.MetricInternal) != 1 || !strings.Contains(b.log.String(), "could not be stored") {
			t.Errorf("%s: not a word of it", o.Kind)
		}
		b.table.onPut = nil
		b.wait(b.rules.ClaimFor)
		b.deliver(received(b.message("j1"), 2))
		b.stateIs("j1", job.Unconfirmed)
		b.postsAre(1)
	}
}

// The same payload again, from every stage of a job's life: acknowledged only
// when the job needs its message no more, and never paid for twice.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	r, err := request.Parse([]byte(`{"job_id":"j1","prompt":"a lighthouse"}`), "m")
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range jobtest.Stages(t, rules, "j1") {
		if stage.Job.Version == 0 || stage.Job.Rejection {
			continue
		}
		t.Run(stage.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.now = jobtest.Epoch().Add(jobtest.SettledAfter)
			was := stage.Job
			was.PayloadHash = r.Hash
			if err := b.table.Put(t.Context(), was, job.Job{}); err != nil {
				t.Fatal(err)
			}
			back := b.deliver(b.raw("m2", `{"prompt":"a lighthouse","job_id":"j1"}`))
			posts, backs := 0, 0
			switch was.State {
			case job.Queued:
				posts = 1
			case job.Submitting:
				backs = 1
			case job.Unconfirmed, job.Processing, job.Completed, job.Failed, job.Rejected, job.Expired:
			}
			b.postsAre(posts)
			if len(back) != backs {
				t.Errorf("went back: %v, want %d", back, backs)
			}
			if posts == 0 && !cmp.Equal(was, b.job("j1")) {
				t.Errorf("the job was touched: %s", cmp.Diff(was, b.job("j1")))
			}
		})
	}
}

// Another payload under the same job_id is a rejection of its own; the job is
// untouched, whatever its state. So it is when both come at the same moment.
func TestFault11_OtherPayload(t *testing.T) {
	t.Parallel()
	for _, stage := range jobtest.Stages(t, job.DefaultRules(), "j1") {
		if stage.Job.Version == 0 || stage.Job.Rejection {
			continue
		}
		b := newBench(t)
		b.now = jobtest.Epoch().Add(jobtest.SettledAfter)
		if err := b.table.Put(t.Context(), stage.Job, job.Job{}); err != nil {
			t.Fatal(err)
		}
		if back := b.deliver(b.raw("m2", `{"job_id":"j1","prompt":"something else","metadata":{"mine":2}}`)); len(back) != 0 {
			t.Errorf("%s: went back: %v", stage.Name, back)
		}
		b.postsAre(0)
		if !cmp.Equal(stage.Job, b.job("j1")) {
			t.Errorf("%s: the job was touched: %s", stage.Name, cmp.Diff(stage.Job, b.job("j1")))
		}
		got := b.rejectionOf("m2")
		if got.Reason.Code != events.CodeOtherPayload || got.Reason.ClaimedJobID != "j1" || got.Reason.Field != "job_id" ||
			got.Metadata != `{"mine":2}` || len(got.Owed) != 1 {
			t.Errorf("%s: the rejection is %+v", stage.Name, got)
		}
	}
}

func TestFault11_AtTheSameMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.another()
	raced := false
	b.table.onPut = func(_, prev job.Job) (bool, error) {
		if prev.Version == 0 && !raced { // between deciding and writing, the other one writes
			raced = true
			response, err := other.Handle(t.Context(), lambda.SQSEvent{Records: []lambda.SQSMessage{
				b.raw("m2", `{"job_id":"j1","prompt":"the second"}`),
			}})
			backOf(t, response, err)
		}
		return true, nil
	}
	b.deliver(b.raw("m1", `{"job_id":"j1","prompt":"the first"}`))
	b.postsAre(1)
	if b.vendor.posts[0].Prompt != "the second" {
		t.Errorf("posted %q, want the one that was written first", b.vendor.posts[0].Prompt)
	}
	b.rejectionOf("m1")
	b.stateIs("j1", job.Processing)
}

// A producer repeats, or the dead-letter queue is redriven, long after: the
// message id is new, the job_id is not.
func TestFault09_RepeatedLongAfter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deliver(b.message("j1"))
	b.wait(44 * 24 * time.Hour)
	m := b.message("j1")
	m.MessageId = "another"
	if back := b.deliver(m); len(back) != 0 {
		t.Errorf("went back: %v", back)
	}
	b.postsAre(1)
}

// A message that is older than a job may wait, and that was never claimed, gets
// its verdict and no POST.
func TestNeverClaimedAndTooOld(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.message("j1")
	b.wait(b.rules.QueuedFor)
	if back := b.deliver(received(m, 300)); len(back) != 0 {
		t.Errorf("went back: %v", back)
	}
	b.postsAre(0)
	j := b.job("j1")
	if j.State != job.Expired || len(j.Owed) != 1 || j.Owed[0].Type != events.TypeExpired || j.Owed[0].MayBeCharged || j.Metadata == "" {
		t.Errorf("the job is %+v", j)
	}
	if back := b.deliver(received(m, 301)); len(back) != 0 {
		t.Errorf("delivered again it went back: %v", back)
	}
}

// An expiry that cannot be stored keeps the message.
func TestTooOldAndNotStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.message("j1")
	b.wait(b.rules.QueuedFor)
	b.table.onPut = func(_, _ job.Job) (bool, error) { return false, errors.New("DynamoDB is away") }
	if back := b.deliver(m); len(back) != 1 {
		t.Errorf("went back: %v, want the message", back)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := newBench(t)
	for name, change := range map[string]alter{
		"POST outlives its claim": func(s *submit.Settings, _ *submit.Deps) { s.Timeout = s.Rules.ClaimFor },
		"no time for a POST":      func(s *submit.Settings, _ *submit.Deps) { s.Timeout = 0 },
		"no webhook URL":          func(s *submit.Settings, _ *submit.Deps) { s.WebhookURL = "" },
		"short records":           func(s *submit.Settings, _ *submit.Deps) { s.Rules.RecordFor = time.Hour },
		"no table":                func(_ *submit.Settings, d *submit.Deps) { d.Jobs = nil },
		"no clock":                func(_ *submit.Settings, d *submit.Deps) { d.Now = nil },
		"no ids":                  func(_ *submit.Settings, d *submit.Deps) { d.NewID = nil },
	} {
		s := submit.Settings{Rules: good.rules, WebhookURL: "https://x", Timeout: time.Second}
		d := good.Deps
		change(&s, &d)
		if _, err := submit.New(s, d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A message that is too old for a new job, but whose job is known, is judged by
// that job: neither kept for ever nor dropped.
func TestTooOldButKnown(t *testing.T) {
	t.Parallel()
	for _, stage := range jobtest.Stages(t, job.DefaultRules(), "j1") {
		if stage.Job.Version == 0 || stage.Job.Rejection {
			continue
		}
		t.Run(stage.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.now = jobtest.Epoch().Add(b.rules.QueuedFor)
			if err := b.table.Put(t.Context(), stage.Job, job.Job{}); err != nil {
				t.Fatal(err)
			}
			m := b.raw("m2", `{"job_id":"j1","prompt":"another payload"}`)
			b.wait(b.rules.QueuedFor)
			if back := b.deliver(m); len(back) != 0 {
				t.Errorf("another payload went back: %v", back)
			}
			if got := b.rejectionOf("m2").Reason.Code; got != events.CodeOtherPayload {
				t.Errorf("another payload is rejected as %s", got)
			}
			b.postsAre(0)
		})
	}
	b := newBench(t)
	old := b.message("j1")
	b.wait(b.rules.QueuedFor - time.Second)
	b.deliver(old)
	b.wait(time.Second)
	if back := b.deliver(received(old, 2)); len(back) != 0 {
		t.Errorf("the same message went back: %v", back)
	}
	b.stateIs("j1", job.Processing)
	b.postsAre(1)
}

// The vendor gives two jobs the same generation id: the first keeps it, the other
// is told from the log and the alarm's metric, and waits for a callback of its own.
func TestFault36_OneGenerationForTwoJobs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.vendor.answer = func(int, creativeai.Submission) creativeai.Outcome { return accepted(7) }
	b.deliver(b.message("j1"), b.message("j2"))
	b.stateIs("j1", job.Processing)
	b.stateIs("j2", job.Unconfirmed)
	b.postsAre(2)
	if got := b.job("j2").GenerationID; got != "" {
		t.Errorf("j2 has generation %q, want none", got)
	}
	if b.sums(env.MetricContradiction) != 1 {
		t.Errorf("the alarm's metric is %v, want 1", b.sums(env.MetricContradiction))
	}
}
