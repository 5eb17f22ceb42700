package submit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
)

// badMessages are the producers' mistakes, by the name of their file.
func badMessages(tb testing.TB) map[string]string {
	tb.Helper()
	files, err := filepath.Glob("../../shared/request/testdata/invalid/*.json")
	if err != nil || len(files) < 40 {
		tb.Fatalf("%d examples of bad messages, %v", len(files), err)
	}
	bad := map[string]string{
		"256 KB of nonsense": strings.Repeat("nonsense", 32<<10),
		"1 MiB":              `{"prompt":"` + strings.Repeat("x", 1<<20) + `"}`,
		"10,000 levels":      `{"prompt":"p","x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		"prompt too long":    `{"prompt":"` + strings.Repeat("x", events.MaxPromptBytes+1) + `"}`,
		"metadata too large": `{"prompt":"p","metadata":{"x":"` + strings.Repeat("x", events.MaxMetadataBytes) + `"}}`,
		"33 levels":          `{"prompt":"p","metadata":` + strings.Repeat(`{"a":`, 32) + "{}" + strings.Repeat("}", 33),
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		bad[filepath.Base(file)] = string(body)
	}
	return bad
}

// Each bad message becomes a rejection with a reason, is gone from the queue, and
// its neighbours in the batch, and a running job of the id that it asked for, go on.
func TestFault10_BadMessages(t *testing.T) {
	t.Parallel()
	for name, body := range badMessages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			batch := []lambda.SQSMessage{b.raw("bad", body)}
			for n := range 9 {
				batch = append(batch, b.message(fmt.Sprintf("j%d", n)))
			}
			if back := b.deliver(batch...); len(back) != 0 {
				t.Errorf("went back: %v", back)
			}
			b.postsAre(9)
			got := b.rejectionOf("bad")
			if got.Reason.Code != events.CodeInvalid || got.Reason.Message == "" || len(got.Owed) != 1 ||
				got.Owed[0].Type != events.TypeRejected || got.State != job.Rejected {
				t.Errorf("the rejection is %+v", got)
			}
			if got.Metadata == "" && got.Reason.Excerpt == "" && strings.TrimSpace(body) != "" {
				t.Error("the rejection has neither the caller's metadata nor an excerpt")
			}
			if len(got.Reason.Excerpt) > 1024 {
				t.Errorf("the excerpt has %d bytes", len(got.Reason.Excerpt))
			}
			if len(b.table.Jobs()) != 10 {
				t.Errorf("%d rows, want nine jobs and a rejection", len(b.table.Jobs()))
			}
		})
	}
}

// What a rejection says of a message that is wrong in one field.
func TestRejection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deliver(b.message("j1"))
	before := b.job("j1")
	b.deliver(b.raw("m2", `{"job_id":"j1","prompt":"p","webhook_url":"https://me.example","metadata":{"order":7}}`))
	got := b.rejectionOf("m2")
	if got.Reason.Field != "webhook_url" || got.Reason.ClaimedJobID != "j1" || got.Metadata != `{"order":7}` ||
		!strings.Contains(got.Reason.Message, "leave it out") {
		t.Errorf("the rejection is %+v", got)
	}
	if after := b.job("j1"); after.Version != before.Version {
		t.Errorf("the running job was touched: version %d became %d", before.Version, after.Version)
	}
	// The same message delivered again is the same rejection.
	version := got.Version
	b.deliver(received(b.raw("m2", `{"job_id":"j1","prompt":"p","webhook_url":"https://me.example","metadata":{"order":7}}`), 2))
	if got := b.rejectionOf("m2"); got.Version != version || len(got.Owed) != 1 {
		t.Errorf("delivered again it is %+v", got)
	}
}

// A rejection that cannot be stored keeps its message, and only that.
func TestRejectionNotStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.table.onPut = func(next, _ job.Job) (bool, error) {
		if next.Rejection {
			return false, errors.New("DynamoDB is away")
		}
		return true, nil
	}
	back := b.deliver(b.raw("bad", "[]"), b.message("j1"))
	if len(back) != 1 || back[0] != "bad" {
		t.Errorf("went back: %v, want the bad one", back)
	}
	b.stateIs("j1", job.Processing)
}

// DynamoDB cannot be reached: no POST; the message waits, and is given up with a
// rejection only after very many tries.
func TestClaimNotStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.table.onPut = func(next, _ job.Job) (bool, error) {
		if !next.Rejection {
			return false, errors.New("ProvisionedThroughputExceeded")
		}
		return true, nil
	}
	m := b.message("j1")
	for _, receives := range []int{1, 899} {
		if back := b.deliver(received(m, receives)); len(back) != 1 {
			t.Errorf("received %d times: went back: %v", receives, back)
		}
	}
	if back := b.deliver(received(m, 900)); len(back) != 0 {
		t.Errorf("received 900 times: went back: %v", back)
	}
	b.postsAre(0)
	got := b.rejectionOf(m.MessageId)
	if got.Reason.Code != events.CodeInternal || got.Reason.Excerpt != m.Body || !strings.Contains(got.Reason.Message, "send it again") {
		t.Errorf("the rejection is %+v", got)
	}
	if b.sums(env.MetricInternal) != 3 {
		t.Errorf("the alarm's metric is %v, want 3", b.sums(env.MetricInternal))
	}
}

// The handler panics on message 7 of 10, while it posts: the others are handled,
// 7 is unconfirmed, and none is posted again.
func TestFault12_PanicWhilePosting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.vendor.answer = func(n int, _ creativeai.Submission) creativeai.Outcome {
		if n == 7 {
			panic("index out of range")
		}
		return accepted(n)
	}
	var batch []lambda.SQSMessage
	for n := range 10 {
		batch = append(batch, b.message(fmt.Sprintf("j%d", n)))
	}
	back := b.deliver(batch...)
	b.stateIs("j6", job.Unconfirmed)
	// What happened to the vendor is not known: 8 to 10 wait for a probe.
	if fmt.Sprint(back) != "[message-j7 message-j8 message-j9]" {
		t.Errorf("went back: %v", back)
	}
	b.wait(b.rules.ClaimFor)
	b.deliver(batch...)
	b.postsAre(10)
	for n := range 10 {
		if n != 6 {
			b.stateIs(fmt.Sprintf("j%d", n), job.Processing)
		}
	}
}

// It panics before the claim: the message is tried a few times, then rejected.
func TestFault12_PanicBeforeTheClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.table.onPut = func(next, _ job.Job) (bool, error) {
		if next.ID == "j2" && !next.Rejection {
			panic("nil map")
		}
		return true, nil
	}
	batch := []lambda.SQSMessage{b.message("j1"), b.message("j2"), b.message("j3")}
	if back := b.deliver(batch...); fmt.Sprint(back) != "[message-j2]" {
		t.Errorf("went back: %v", back)
	}
	b.postsAre(2)
	if back := b.deliver(received(batch[1], 4)); len(back) != 1 {
		t.Error("the fourth time it is gone")
	}
	if back := b.deliver(received(batch[1], 5)); len(back) != 0 {
		t.Errorf("the fifth time it went back: %v", back)
	}
	if got := b.rejectionOf("message-j2"); got.Reason.Code != events.CodeInternal {
		t.Errorf("the rejection is %+v", got)
	}
	if log := b.log.String(); !strings.Contains(log, `"message_id":"message-j2"`) || !strings.Contains(log, "nil map") {
		t.Errorf("the log says\n%s", log)
	}
}

// A panic once the answer is stored takes nothing back.
func TestFault12_PanicAfterTheAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.loops.started = nil
	b.vendor.answer = func(n int, _ creativeai.Submission) creativeai.Outcome { return accepted(n) }
	b.Loops = panicking{}
	b.deliver(b.raw("m1", `{"job_id":"j1","prompt":"p","delivery":"poll"}`))
	b.stateIs("j1", job.Processing)
	b.postsAre(1)
}
