package fake_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

func TestCallbackIsThatOfThePage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		id := b.accept("A dog [fault: takes for=1m]")
		time.Sleep(2 * time.Minute)
		got := b.receiver.all()
		if len(got) != 1 || got[0].url != webhook {
			t.Fatalf("callbacks: %v", got)
		}
		for name, want := range map[string]string{
			"X-CreativeAI-Signature": fake.Signature(got[0].body, key), "X-CreativeAI-Event": "video.generation.completed",
			"X-CreativeAI-Delivery-Id": id, "User-Agent": "CreativeAI-Webhooks/1.0", "Content-Type": "application/json",
		} {
			if value := got[0].header.Get(name); value != want {
				t.Errorf("%s: %q, want %q", name, value, want)
			}
		}
		for name, want := range map[string]string{
			"id": id, "object": "video.generation", "status": "completed", "model": "auto", "model_actual": "seedance-1.5-pro",
			"prompt": "A dog [fault: takes for=1m]", "output_url": vendorURL + "/videos/" + id + ".mp4", "error_message": "null",
			"credits": "50", "failover_used": "false", "completed_at": "2000-01-01T00:01:00.000Z",
		} {
			wantField(t, got[0].body, name, want)
		}
	})
}

func TestCallbackAttempts(t *testing.T) {
	t.Parallel()
	unanswered := func(_ int, r *http.Request) (int, error) {
		<-r.Context().Done()
		return 0, r.Context().Err()
	}
	tests := []struct {
		name   string
		scale  float64
		answer func(n int, r *http.Request) (int, error)
		want   []time.Duration
	}{
		{"taken at once", 1, nil, []time.Duration{0}},
		{"204 is taken", 1, status(204), []time.Duration{0}},
		{"500 each time", 1, status(500), []time.Duration{0, 5 * time.Second, 30 * time.Second}},
		{"a redirect is not followed", 1, status(307), []time.Duration{0, 5 * time.Second, 30 * time.Second}},
		{"401, then taken", 1, status(401, 200), []time.Duration{0, 5 * time.Second}},
		{"unreachable", 1, func(int, *http.Request) (int, error) { return 0, io.EOF }, []time.Duration{0, 5 * time.Second, 30 * time.Second}},
		{"no answer within 10 s", 1, unanswered, []time.Duration{0, 10 * time.Second, 30 * time.Second}},
		{"scaled", 0.01, status(500), []time.Duration{0, 50 * time.Millisecond, 300 * time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, func(c *fake.Config) { c.Scale = tt.scale })
				b.receiver.answer = tt.answer
				b.vendor.Finish(b.accept("A dog"))
				start := time.Now()
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				var got []time.Duration
				for _, c := range b.receiver.all() {
					got = append(got, c.at.Sub(start))
				}
				if len(got) != len(tt.want) {
					t.Fatalf("attempts at %v, want %v", got, tt.want)
				}
				for i := range got {
					if got[i] != tt.want[i] {
						t.Errorf("attempts at %v, want %v", got, tt.want)
					}
				}
			})
		})
	}
}

// status answers with these, the last one for ever.
func status(list ...int) func(int, *http.Request) (int, error) {
	return func(n int, _ *http.Request) (int, error) { return list[min(n, len(list))-1], nil }
}

func TestNoCallbackWithoutWebhookURL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		a := b.do(t.Context(), http.MethodPost, submitPath, submission(t, "A dog [fault: callback-double]", ""))
		wantStatus(t, a, http.StatusAccepted)
		time.Sleep(time.Hour)
		synctest.Wait()
		wantField(t, b.get(fields(t, a.body)["id"]).body, "status", "completed")
		if got := b.receiver.all(); len(got) != 0 {
			t.Errorf("%d callbacks", len(got))
		}
	})
}

func TestSameStatusIsNotSentTwiceInSevenDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		id := b.accept("A dog [fault: takes for=1s]")
		if _, err := b.vendor.Resend(id, fake.Resend{}); !errors.Is(err, fake.ErrNoCallback) {
			t.Errorf("before its end: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := b.vendor.Resend(id, fake.Resend{}); !errors.Is(err, fake.ErrSent) {
			t.Errorf("within 7 days: %v", err)
		}
		if a, err := b.vendor.Resend(id, fake.Resend{Force: true, Sign: "wrong"}); err != nil || a.Answer != 200 || a.Kind != "resent" {
			t.Errorf("forced: %+v, %v", a, err)
		}
		if a, err := b.vendor.Resend(id, fake.Resend{Status: "failed"}); err != nil || a.Status != "failed" {
			t.Errorf("another status: %+v, %v", a, err)
		}
		time.Sleep(7 * 24 * time.Hour)
		if _, err := b.vendor.Resend(id, fake.Resend{}); err != nil {
			t.Errorf("after 7 days: %v", err)
		}
		got := b.receiver.all()
		if len(got) != 4 || got[1].signedBy(key) || string(got[0].body) != string(got[3].body) {
			t.Errorf("%d callbacks", len(got))
		}
	})
}

func TestAttemptsStandInTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.receiver.answer = func(n int, _ *http.Request) (int, error) {
			return []int{401, 0, 503, 200}[n-1], []error{nil, io.EOF, nil, nil}[n-1]
		}
		b.callbacks("A dog [fault: callback-forged]")
		var got []string
		for _, a := range b.vendor.Ledger().Attempts {
			got = append(got, strings.Join([]string{a.Kind, a.Status, strconv.Itoa(a.Number), strconv.Itoa(a.Answer), a.Error}, " "))
		}
		want := "forged failed 1 401 |verdict completed 1 0 send callback: EOF|verdict completed 2 503 |verdict completed 3 200 "
		if strings.Join(got, "|") != want {
			t.Errorf("attempts:\n%s\nwant\n%s", strings.Join(got, "|"), want)
		}
	})
}

func TestCloseEndsGenerationsAndCallbacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the bubble fails if anything is left
		b := setup(t)
		hanging := make(chan struct{})
		b.receiver.answer = func(_ int, r *http.Request) (int, error) {
			close(hanging)
			<-r.Context().Done()
			return 0, r.Context().Err()
		}
		b.accept("A dog")
		b.vendor.Finish(b.accept("A cat"))
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+submitPath,
			strings.NewReader(submission(t, "A bird [fault: slow for=100h]", webhook)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		go b.send(r)
		<-hanging
		synctest.Wait()
		b.vendor.Close()
		cancel()
		wantTook(t, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), 0)
		if n := len(b.vendor.Ledger().Generations); n != 2 {
			t.Errorf("%d accepted, want the 2 from before", n)
		}
	})
}

// The default transport reaches *.localhost, as the local AWS engine names its HTTP APIs, although
// not every resolver knows it; and no redirect is followed.
func TestCallbackToLocalhostName(t *testing.T) {
	t.Parallel()
	var elsewhere bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere = true
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	b := setup(t, func(c *fake.Config) { c.Callback, c.Scale = nil, 1e-6 })
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	url := "http://abc123.execute-api.localhost:" + port + "/hook"
	b.do(t.Context(), http.MethodPost, submitPath, submission(t, "A dog", url))
	err := b.vendor.Wait(t.Context(), func(l fake.Ledger) bool { return len(l.Attempts) == 3 })
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range b.vendor.Ledger().Attempts {
		if a.Answer != http.StatusFound || a.Error != "" {
			t.Errorf("attempt: %+v", a)
		}
	}
	if elsewhere {
		t.Error("the redirect was followed")
	}
}
