package e2e_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/go-json-experiment/json"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/e2e/faultproxy"
	"github.com/clipqueue/clipqueue/shared/job"
)

// tableTries is how often the functions' SDK tries one call to DynamoDB.
const tableTries = 4

// The rows of the table as they are written, by the state that they bring.
const (
	claiming  = `"state":{"S":"submitting"}`
	accepting = `"state":{"S":"processing"}`
)

func throttled() faultproxy.Effect {
	return faultproxy.Refuse(http.StatusBadRequest, "ThrottlingException")
}

func broken() faultproxy.Effect {
	return faultproxy.Refuse(http.StatusInternalServerError, "InternalServerError")
}

// newStory is a prompt that is not on the queue yet.
func newStory(t *testing.T, prompt string) *story {
	t.Helper()
	id := "e2e-" + rand.Text()
	return &story{t: t, jobID: id, prompt: prompt + " (" + id + ")"}
}

// struck makes a story whose calls of one operation go wrong from its first on.
func struck(t *testing.T, proxy *faultproxy.Proxy, f faultproxy.Fault, prompt string, fields message) (*story, *faultproxy.Armed) {
	t.Helper()
	s := newStory(t, prompt)
	f.With = append(f.With, s.jobID)
	armed := proxy.Add(f)
	t.Cleanup(armed.Remove)
	s.send(fields)
	return s, armed
}

// wantStruck says that a test tested nothing unless its fault struck.
func wantStruck(t *testing.T, armed *faultproxy.Armed, want int) {
	t.Helper()
	if got := armed.Struck(); got < want {
		t.Errorf("the fault struck %d calls: want at least %d", got, want)
	}
}

// AWS itself fails: each call that a function makes, refused, or done and its
// answer lost. Not parallel: the functions are everybody's. Its parts are, as
// each fault strikes the calls about its own job only.
func TestFaultsOfTheServices(t *testing.T) {
	proxy := intercept(t)
	t.Run("all", func(t *testing.T) {
		t.Run("Fault03_AcceptanceRefused", func(t *testing.T) { t.Parallel(); acceptanceRefused(t, proxy) })
		t.Run("Fault03_AnswersToTheAcceptanceLost", func(t *testing.T) { t.Parallel(); acceptanceUnanswered(t, proxy) })
		t.Run("Fault04_AnswerToTheClaimLost", func(t *testing.T) { t.Parallel(); claimUnanswered(t, proxy) })
		t.Run("Fault01_EveryAnswerToTheClaimLost", func(t *testing.T) { t.Parallel(); claimNeverAnswered(t, proxy) })
		t.Run("Fault19_TableRefusesTwoTries", func(t *testing.T) { t.Parallel(); settleRefused(t, proxy) })
		t.Run("Fault19_TableRefusesAllTries", func(t *testing.T) { t.Parallel(); settleAlwaysRefused(t, proxy) })
		t.Run("Fault17_AnswerToTheSettlingLost", func(t *testing.T) { t.Parallel(); settleUnanswered(t, proxy) })
		t.Run("Fault24_LoopNotStarted", func(t *testing.T) { t.Parallel(); loopNotStarted(t, proxy) })
		t.Run("Fault27_BusRefuses", func(t *testing.T) { t.Parallel(); busRefuses(t, proxy, broken()) })
		t.Run("Fault27_BusFailsTheEntries", func(t *testing.T) { t.Parallel(); busRefuses(t, proxy, failedEntries()) })
		t.Run("Fault28_AnswerOfTheBusLost", func(t *testing.T) { t.Parallel(); busUnanswered(t, proxy) })
		t.Run("Fault28_MarkerStays", func(t *testing.T) { t.Parallel(); markerStays(t, proxy) })
	})
}

// The vendor took the prompt, the table does not take that: the loop carries it,
// though the callback is lost too.
func acceptanceRefused(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "dynamodb", Operation: "PutItem", With: []string{accepting}, Times: tableTries, Do: broken(),
	}, "Nobody writes it down [fault: callback-lost]", nil)
	if got := data[events.Completed](t, s.ends(events.TypeCompleted)); got.GenerationID != s.generation().ID || got.Via != events.ViaPoll {
		t.Errorf("completed as %q by %q: want %q by a poll", got.GenerationID, got.Via, s.generation().ID)
	}
	wantStruck(t, armed, tableTries)
	s.answersAre(202)
}

// It was written down and nobody heard: submit starts a loop too much, and no more.
func acceptanceUnanswered(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "dynamodb", Operation: "PutItem", With: []string{accepting}, Times: tableTries, Do: faultproxy.LoseAnswer(),
	}, "Written down unheard", nil)
	s.ends(events.TypeCompleted)
	wantStruck(t, armed, tableTries)
	s.answersAre(202)
	s.historyIs(job.Submitting, job.Processing, job.Completed)
}

// The SDK's second try finds the claim as its own.
func claimUnanswered(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "dynamodb", Operation: "PutItem", With: []string{claiming}, Times: 1, Do: faultproxy.LoseAnswer(),
	}, "Claimed, and again", nil)
	s.ends(events.TypeCompleted)
	wantStruck(t, armed, 1)
	s.answersAre(202)
	s.historyIs(job.Submitting, job.Processing, job.Completed)
}

// Submit never hears that it has the claim: as if it had died there. It does not
// POST, and the job ends by its deadline.
func claimNeverAnswered(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "dynamodb", Operation: "PutItem", With: []string{claiming}, Times: tableTries, Do: faultproxy.LoseAnswer(),
	}, "Claimed by nobody", nil)
	got := data[events.Expired](t, s.endsByReconcile(events.TypeExpired))
	if got.Stage != string(job.Unconfirmed) {
		t.Errorf("expired as %q: want unconfirmed", got.Stage)
	}
	wantStruck(t, armed, tableTries)
	s.answersAre()
}

func settleRefused(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "dynamodb", Operation: "UpdateItem", Times: 2 * tableTries, Do: throttled(),
	}, "Knock three times", nil)
	if got := data[events.Completed](t, s.ends(events.TypeCompleted)); got.Via != events.ViaCallback {
		t.Errorf("completed by %q: want the callback", got.Via)
	}
	wantStruck(t, armed, 2*tableTries)
	s.attemptsAre(503, 503, 200)
}

// After its third try the vendor gives up: from then on only asking helps.
func settleAlwaysRefused(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "dynamodb", Operation: "UpdateItem", Do: throttled(),
	}, "Knock in vain", nil)
	s.attemptsAre(503, 503, 503)
	if got := data[events.Completed](t, s.endsByReconcile(events.TypeCompleted)); got.Via != events.ViaPoll {
		t.Errorf("completed by %q: want a poll", got.Via)
	}
	wantStruck(t, armed, 3*tableTries)
	s.answersAre(202)
}

// The verdict was stored, and the webhook could not know: the vendor's next try
// is a repeat.
func settleUnanswered(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "dynamodb", Operation: "UpdateItem", Times: 1, Do: faultproxy.LoseAnswer(),
	}, "Heard, without a nod", nil)
	s.ends(events.TypeCompleted)
	wantStruck(t, armed, 1)
	if answers := s.attempts(1); answers[len(answers)-1] != 200 {
		t.Errorf("the webhook answered %v: want 200 in the end", answers)
	}
	s.endsOnce()
}

func loopNotStarted(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{Service: "states", Operation: "StartExecution", Do: throttled()},
		"Nobody asks", message{"delivery": "poll"})
	s.endsByReconcile(events.TypeCompleted)
	wantStruck(t, armed, 1)
	s.answersAre(202)
}

// failedEntries is PutEvents that answers 200, and that no entry was taken.
func failedEntries() faultproxy.Effect {
	return faultproxy.Answer(http.StatusOK, func(request []byte) any {
		var call struct{ Entries []any }
		if err := json.Unmarshal(request, &call); err != nil {
			return map[string]any{}
		}
		failed := make([]any, len(call.Entries))
		for i := range failed {
			failed[i] = map[string]string{"ErrorCode": "ThrottlingException", "ErrorMessage": "by the fault proxy"}
		}
		return map[string]any{"FailedEntryCount": len(failed), "Entries": failed}
	})
}

// The events wait in the table until the bus takes them.
func busRefuses(t *testing.T, proxy *faultproxy.Proxy, do faultproxy.Effect) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{Service: "events", Operation: "PutEvents", Do: do}, "Nobody listens", nil)
	s.attemptsAre(200)
	if err := armed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	armed.Remove()
	verdict := s.endsByReconcile(events.TypeCompleted)
	accepted := s.hears(events.TypeAccepted)
	if accepted.Detail.Metadata.JobVersion >= verdict.Detail.Metadata.JobVersion {
		t.Errorf("accepted has version %d, completed %d", accepted.Detail.Metadata.JobVersion, verdict.Detail.Metadata.JobVersion)
	}
	s.publishedIs()
}

// The event went out, and nobody could know: it goes out again, under the same id.
func busUnanswered(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "events", Operation: "PutEvents", With: []string{string(events.TypeCompleted)}, Times: 1, Do: faultproxy.LoseAnswer(),
	}, "Said twice", nil)
	s.endsByReconcile(events.TypeCompleted)
	wantStruck(t, armed, 1)
	s.publishedIs()
	s.sameEvent(events.TypeCompleted)
}

// The event is out and its marker stays: reconcile has it sent again, under the same id.
func markerStays(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	s, armed := struck(t, proxy, faultproxy.Fault{
		Service: "dynamodb", Operation: "PutItem", With: []string{`"state":{"S":"failed"}`}, Times: tableTries, Do: broken(),
	}, "A knot in the handkerchief [fault: fail]", nil)
	s.ends(events.TypeFailed)
	if err := armed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.publishedIs()
	s.sameEvent(events.TypeFailed)
}

// sameEvent checks that all events of a kind are repeats of one.
func (s *story) sameEvent(want events.DetailType) {
	s.t.Helper()
	heard, _, _ := bundle.journal.of(s.jobID)
	ids := map[string]int{}
	for _, e := range heard {
		if e.DetailType == want {
			ids[e.Detail.Metadata.EventID]++
		}
	}
	if len(ids) != 1 {
		s.t.Errorf("%s has the events %v of the kind %q: want one id", s.jobID, ids, want)
	}
}

// publishedIs waits until the job owes no event, with reconcile's help.
func (s *story) publishedIs() {
	s.t.Helper()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for ; len(s.record().Owed) > 0; <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s still owes events: %v", s.jobID, s.record().Owed)
		}
		reconcile(s.t)
	}
}

// historyIs checks the way that the job took, without what became of its video.
func (s *story) historyIs(want ...job.State) {
	s.t.Helper()
	var got []job.State
	for _, step := range s.record().History {
		if len(got) == 0 || got[len(got)-1] != step.State {
			got = append(got, step.State)
		}
	}
	if len(got) != len(want) {
		s.t.Errorf("%s went %v: want %v", s.jobID, got, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			s.t.Errorf("%s went %v: want %v", s.jobID, got, want)
			return
		}
	}
}

// Fault 19: nobody opens while the vendor knocks, three times in all. Then
// reconcile asks, while other tests go on.
func TestFault19_WebhookUnreachable(t *testing.T) {
	var s *story
	t.Run("closed", func(t *testing.T) {
		s = enqueue(t, "Nobody at home [fault: takes for=3m]", nil)
		s.hears(events.TypeAccepted)
		closed(t, "Webhook")
		for _, answer := range s.attempts(3) {
			if answer < 500 && answer != 429 {
				t.Errorf("the closed door answered %d", answer)
			}
		}
	})
	s.t = t
	t.Parallel()
	if got := data[events.Completed](t, s.endsByReconcile(events.TypeCompleted)); got.Via != events.ViaPoll {
		t.Errorf("completed by %q: want a poll", got.Via)
	}
	s.answersAre(202)
}

// closed lets a function run no more until the test has ended.
func closed(t *testing.T, part string) {
	t.Helper()
	name, ctx := aws.String(functionName(t, part)), context.WithoutCancel(t.Context())
	_, err := bundle.function.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{
		FunctionName: name, ReservedConcurrentExecutions: aws.Int32(0),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := bundle.function.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: name}); err != nil {
			t.Error(err)
		}
	})
}

// Fault 20: Secrets Manager is down, and the functions have no key in memory.
// What was late comes while other tests go on.
func TestFault20_SecretsManagerDown(t *testing.T) {
	var cold, late *story
	t.Run("down", func(t *testing.T) {
		proxy := intercept(t)
		warm := enqueue(t, "The key is in the hand [fault: takes for=2m]", nil)
		cold = enqueue(t, "The key is out of reach [fault: takes for=5m]", nil)
		warm.hears(events.TypeAccepted)
		cold.hears(events.TypeAccepted)
		// Any callback gives the webhook its keys.
		post(t, bundle.Outputs.WebhookURL+"/nobody/nothing", "", []byte("unsigned"))

		down := proxy.Add(faultproxy.Fault{Service: "secretsmanager", Do: broken()})
		warm.attemptsAre(200)
		warm.ends(events.TypeCompleted)

		restart(t, "Webhook")
		restart(t, "Submit")
		late = enqueue(t, "No key, no door", nil)
		cold.attemptsAre(503, 503, 503)
		wantStruck(t, down, 1)
		late.answersAre()
	})
	cold.t, late.t = t, t
	t.Parallel()
	cold.endsByReconcile(events.TypeCompleted)
	late.ends(events.TypeCompleted)
	late.answersAre(202)
}
