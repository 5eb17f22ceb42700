package e2e_test

import (
	"slices"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/e2e/faultproxy"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/job"
)

// Processes that are killed, each at the worst moment. Not parallel: a killed
// process may be about somebody else's job.

// Fault 2: the POST is read, its answer never heard.
func TestFault02_KilledDuringThePOST(t *testing.T) {
	s := enqueue(t, "Cut off in the middle of a [fault: slow for=3m]", nil)
	s.vendor("reads the prompt", func(l fake.Ledger) bool {
		return slices.ContainsFunc(l.Requests, func(r fake.Request) bool { return r.Prompt == s.prompt })
	})
	if kill(t, "Submit") == 0 {
		t.Fatal("no process of submit to kill")
	}
	s.ends(events.TypeCompleted)
	s.answersAre(202) // into a connection that nobody reads
	s.generation()
	s.endsOnce()
}

// A killing is a fault that kills.
type killing struct {
	*faultproxy.Armed
	over <-chan struct{} // closed once the processes are gone
}

// killedAt has a function's processes killed at a call about the story's job:
// before the call is done, or after.
func killedAt(t *testing.T, proxy *faultproxy.Proxy, function string, f faultproxy.Fault, done bool, prompt string) (*story, killing) {
	t.Helper()
	over := make(chan struct{})
	ends := func() {
		defer close(over)
		if kill(t, function) == 0 {
			t.Errorf("no process of %s to kill", function)
		}
	}
	f.Times = 1
	f.Do = faultproxy.Before(ends, faultproxy.Cut())
	if done {
		f.Do = faultproxy.After(ends)
	}
	s, armed := struck(t, proxy, f, prompt, nil)
	return s, killing{armed, over}
}

func TestFaultsKilledDuringAWrite(t *testing.T) {
	proxy := intercept(t)
	for name, done := range map[string]bool{"Fault02_BeforeTheAcceptanceIsStored": false, "Fault02_AsTheAcceptanceIsStored": true} {
		t.Run(name, func(t *testing.T) {
			s, armed := killedAt(t, proxy, "Submit", putOf(accepting), done, "Accepted, and gone")
			s.ends(events.TypeCompleted)
			wantStruck(t, armed.Armed, 1)
			s.answersAre(202)
			s.generation()
		})
	}
	for name, done := range map[string]bool{"Fault17_BeforeTheVerdictIsStored": false, "Fault17_AsTheVerdictIsStored": true} {
		t.Run(name, func(t *testing.T) {
			f := faultproxy.Fault{Service: "dynamodb", Operation: "UpdateItem"}
			s, armed := killedAt(t, proxy, "Webhook", f, done, "Called back, and gone")
			s.ends(events.TypeCompleted)
			wantStruck(t, armed.Armed, 1)
			answers := s.attempts(2)
			if answers[0] < 500 || answers[len(answers)-1] != 200 {
				t.Errorf("the webhook answered %v: want 5xx, then 200", answers)
			}
			s.endsOnce()
		})
	}
	t.Run("Fault28_BetweenBusAndMarker", func(t *testing.T) {
		f := faultproxy.Fault{Service: "events", Operation: "PutEvents", With: []string{string(events.TypeCompleted)}}
		s, armed := killedAt(t, proxy, "Publish", f, true, "Said, and gone")
		s.ends(events.TypeCompleted)
		wantStruck(t, armed.Armed, 1)
		s.publishedIs()
		s.sameEvent(events.TypeCompleted)
	})
}

// putOf is the write that brings a job into a state.
func putOf(state string) faultproxy.Fault {
	return faultproxy.Fault{Service: "dynamodb", Operation: "PutItem", With: []string{state}}
}

// Fault 1: the claim is stored, and nobody is left who knows. There is no POST,
// and the job ends by its deadline, which passes while other tests go on.
func TestFault01_KilledOnceClaimed(t *testing.T) {
	var s *story
	t.Run("kill", func(t *testing.T) {
		var killed killing
		s, killed = killedAt(t, intercept(t), "Submit", putOf(claiming), true, "Claimed, and gone")
		select {
		case <-killed.over:
		case <-time.After(patience):
			t.Fatal("the claim was never written")
		}
	})
	s.t = t
	t.Parallel()
	got := data[events.Expired](t, s.endsByReconcile(events.TypeExpired))
	if got.Stage != string(job.Unconfirmed) || !got.MayBeCharged {
		t.Errorf("expired as %q, may be charged: %v: want unconfirmed, true", got.Stage, got.MayBeCharged)
	}
	s.answersAre()
}
