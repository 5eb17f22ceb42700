package fake_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

func TestLedgerHoldsEveryRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		prompt := "A dog [fault: 503 times=1] [fault: cut-body]"
		b.submit(prompt)
		b.submit(prompt)
		b.submit("A cat [fault: lost-answer]")
		l := b.vendor.Ledger()
		first := l.Generations[0]
		b.vendor.Finish(first.ID)
		b.get(first.ID)
		b.download("/videos/"+first.ID+".mp4", "Range", "bytes=0-9")
		b.get("gen_other")
		type row struct {
			kind     string
			answer   int
			accepted bool
			credits  int64
		}
		want := []row{
			{"submit", 503, false, 0},
			{"submit", 202, true, 50},
			{"submit", 0, true, 50},
			{"get", 200, false, 0},
			{"video", 206, false, 0},
			{"get", 404, false, 0},
		}
		synctest.Wait()
		requests := b.vendor.Ledger().Requests
		if len(requests) != len(want) {
			t.Fatalf("%d requests, want %d", len(requests), len(want))
		}
		for i, q := range requests {
			if got := (row{q.Kind, q.Answer, q.Accepted, q.Credits}); got != want[i] {
				t.Errorf("request %d: %+v, want %+v", i, got, want[i])
			}
		}
		if q := requests[1]; q.Prompt != prompt || q.WebhookURL != webhook || q.GenerationID != first.ID ||
			len(q.Faults) != 1 || q.PromptSHA256 != first.PromptSHA256 || !q.At.Equal(time.Now()) {
			t.Errorf("request: %+v", q)
		}
		if q := requests[4]; q.Range != "bytes=0-9" || q.Path != "/videos/"+first.ID+".mp4" || q.Method != http.MethodGet {
			t.Errorf("request: %+v", q)
		}
	})
}

func TestPaidTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, webhookURL := range []string{webhook, webhook, webhook + "2"} {
		b.do(t.Context(), http.MethodPost, submitPath, submission(t, "A dog", webhookURL))
	}
	b.do(t.Context(), http.MethodPost, submitPath, submission(t, "A cat", ""))
	l := b.vendor.Ledger()
	if twice := l.PaidTwice(); len(twice) != 1 || len(twice[webhook]) != 2 {
		t.Errorf("paid twice: %v, want the two of %s", twice, webhook)
	}
	if l.Credits() != 200 {
		t.Errorf("%d credits, want 4 times 50", l.Credits())
	}
	b.do(t.Context(), http.MethodPost, submitPath, submission(t, "A cat", ""))
	if twice := b.vendor.Ledger().PaidTwice(); len(twice["A cat"]) != 2 {
		t.Errorf("a job without webhook_url goes by its prompt: %v", twice)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		completed := func(l fake.Ledger) bool { return len(l.Attempts) == 1 }
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := b.vendor.Wait(ctx, completed); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nothing came: %v", err)
		}
		b.accept("A dog [fault: takes for=40s]")
		wantTook(t, took(func() {
			if err := b.vendor.Wait(t.Context(), completed); err != nil {
				t.Error(err)
			}
		}), 40*time.Second)
	})
}
