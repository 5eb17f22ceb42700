package e2e_test

import (
	"slices"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/job"
)

// Fault 2: the vendor took the prompt, and its answer never came.
func TestLostAnswerIsResolvedByTheCallback(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A message in a bottle [fault: lost-answer]", nil)
	got := data[events.Completed](t, s.ends(events.TypeCompleted))
	if got.GenerationID != s.generation().ID {
		t.Errorf("generation is %q, want the one that was paid for, %q", got.GenerationID, s.generation().ID)
	}
	s.answersAre(0)
	s.endsOnce()
}

// Without a callback, a lost answer cannot be asked about: the job expires, and
// says that money may be spent; it is not sent again.
func TestLostAnswerOfAPolledJobExpires(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A bottle without a message [fault: lost-answer]", message{"delivery": "poll"})
	s.generation()
	got := data[events.Expired](t, s.endsByReconcile(events.TypeExpired))
	if got.Stage != string(job.Unconfirmed) || !got.MayBeCharged {
		t.Errorf("expired as %q, may be charged: %v; want unconfirmed, true", got.Stage, got.MayBeCharged)
	}
	s.answersAre(0)
	s.stateIs(job.Expired)
}

// endsByReconcile is ends, with reconcile's help.
func (s *story) endsByReconcile(want events.DetailType) local.Event {
	s.t.Helper()
	s.settles()
	return s.ends(want)
}

// settles lets reconcile look, oftener than every minute, until the story has
// its verdict.
func (s *story) settles() local.Event {
	s.t.Helper()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		heard, changed, _ := bundle.journal.of(s.jobID)
		if slices.ContainsFunc(heard, isVerdict) {
			break
		}
		select {
		case <-changed:
		case <-tick.C:
			reconcile(s.t)
		}
	}
	return bundle.journal.await(s.t, s.jobID, "verdict", isVerdict)
}

func TestNoRoomJustNow(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]string{
		"429":                  "[fault: 429 retry-after=1 times=2]",
		"503 with Retry-After": "[fault: 503 retry-after=1 times=2]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := enqueue(t, "A long queue "+fault, nil)
			s.ends(events.TypeCompleted)
			if got := s.answers(); len(got) != 3 || got[2] != 202 {
				t.Errorf("the vendor answered %v, want two refusals and 202", got)
			}
		})
	}
}

// A 500 or a proxy's bare 503 may come after the vendor took the prompt: it is
// not sent again, and the callback tells.
func TestUnknownOutcomeIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  string
		answer int
	}{
		"500":       {"[fault: 500 accepted=yes]", 500},
		"bare 503":  {"[fault: 503 body=empty accepted=yes]", 503},
		"no id":     {"[fault: answer id=none]", 202},
		"HTML":      {"[fault: html accepted=yes]", 200},
		"cut body":  {"[fault: cut-body]", 202},
		"redirect":  {"[fault: 302 accepted=yes]", 302},
		"times out": {"[fault: slow for=10m accepted=yes]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := enqueue(t, "A coin in the air "+c.fault, nil)
			s.ends(events.TypeCompleted)
			if got := s.answers(); len(got) != 1 {
				t.Errorf("the vendor was asked %d times, and answered %v: want once", len(got), got)
			}
		})
	}
}

func TestPollPutsUpWithTheVendor(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{
		"[fault: get-404 times=2]", "[fault: get-429 times=2]", "[fault: get-500 times=2]", "[fault: get-html times=2]", "[fault: get-status is=on_hold times=2]",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := enqueue(t, "Patience "+fault, message{"delivery": "poll"})
			s.ends(events.TypeCompleted)
			s.answersAre(202)
		})
	}
}

func TestCallbackComesTwice(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "An echo [fault: callback-double]", nil)
	s.ends(events.TypeCompleted)
	s.attemptsAre(200, 200)
	s.endsOnce()
}

func TestForgedCallback(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A masked ball [fault: callback-forged n=2]", nil)
	s.ends(events.TypeCompleted)
	s.attemptsAre(401, 401, 200)
	s.endsOnce()
}

// Fault 18: what the vendor said first stands.
func TestContradictingCallback(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "Yes and no [fault: callback-contradict]", nil)
	s.ends(events.TypeCompleted)
	s.attemptsAre(200, 200)
	s.stateIs(job.Completed)
	s.endsOnce()
}

// Fault 16: the callback is there before the answer to the submit.
func TestEarlyCallback(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "Ahead of its time [fault: callback-early]", nil)
	s.ends(events.TypeCompleted)
	s.answersAre(202)
	s.stateIs(job.Completed)
	s.endsOnce()
}

// Fault 24, and P3: no callback ever comes, and reconcile asks the vendor itself.
func TestAllCallbacksAreLost(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A pigeon that never arrives [fault: callback-lost]", nil)
	s.generation()
	if got := data[events.Completed](t, s.endsByReconcile(events.TypeCompleted)); got.Via != events.ViaPoll {
		t.Errorf("completed by %q, want a poll", got.Via)
	}
	s.answersAre(202)
}

func (s *story) attemptsAre(want ...int) {
	s.t.Helper()
	if got := s.attempts(len(want)); !slices.Equal(got, want) {
		s.t.Errorf("%s: the webhook answered %v to the vendor's callbacks, want %v", s.jobID, got, want)
	}
}
