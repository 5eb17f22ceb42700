package fake_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

// The client and the fake were written from the same page and share no code. Here each is held
// against the other.

func TestClientReadsWhatBecameOfASubmit(t *testing.T) {
	t.Parallel()
	tests := map[string]creativeai.Kind{
		"A dog":                               creativeai.Accepted,
		"[fault: failover]":                   creativeai.Accepted,
		"[fault: callback-early]":             creativeai.Accepted,
		"[fault: slow]":                       creativeai.Accepted,
		"[fault: same-id]":                    creativeai.Accepted,
		"[fault: nonsense]":                   creativeai.Refused,
		"[fault: 400 body=empty]":             creativeai.Refused,
		"[fault: 413]":                        creativeai.Refused,
		"[fault: 422 body=html]":              creativeai.Refused,
		"[fault: 429]":                        creativeai.NotNow,
		"[fault: 429 retry-after=junk]":       creativeai.NotNow,
		"[fault: 503 retry-after=2]":          creativeai.NotNow,
		"[fault: 503]":                        creativeai.NotNow,
		"[fault: 401]":                        creativeai.AccountRefused,
		"[fault: 402]":                        creativeai.AccountRefused,
		"[fault: 403]":                        creativeai.AccountRefused,
		"[fault: 404 body=html]":              creativeai.AccountRefused,
		"[fault: 503 body=empty]":             creativeai.Unknown,
		"[fault: 503 body=html accepted=yes]": creativeai.Unknown,
		"[fault: 500]":                        creativeai.Unknown,
		"[fault: 502 accepted=yes]":           creativeai.Unknown,
		"[fault: 408]":                        creativeai.Unknown,
		"[fault: 409]":                        creativeai.Unknown,
		"[fault: 425]":                        creativeai.Unknown,
		"[fault: 302]":                        creativeai.Unknown,
		"[fault: 307]":                        creativeai.Unknown,
		"[fault: html]":                       creativeai.Unknown,
		"[fault: cut]":                        creativeai.Unknown,
		"[fault: cut how=reset]":              creativeai.Unknown,
		"[fault: lost-answer]":                creativeai.Unknown,
		"[fault: cut-body]":                   creativeai.Unknown,
		"[fault: answer id=none]":             creativeai.Unknown,
		"[fault: answer id=empty]":            creativeai.Unknown,
		"[fault: answer id=number]":           creativeai.Unknown,
		"[fault: answer id=huge]":             creativeai.Unknown,
		"[fault: answer body=empty]":          creativeai.Unknown,
		"[fault: answer status=200]":          creativeai.Accepted,
	}
	for prompt, want := range tests {
		t.Run(prompt, func(t *testing.T) {
			t.Parallel()
			socket := setup(t, fast)
			if err := socket.vendor.Start(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			direct := setup(t, fast)
			wantKind(t, "over a socket", socket.vendor, want, prompt, socket.vendor.URL())
			wantKind(t, "without one", direct.vendor, want, prompt, vendorURL, creativeai.WithTransport(direct.vendor.Transport()))
		})
	}
	direct := setup(t).vendor
	wantKind(t, "refused", direct, creativeai.Unsent, "[fault: refuse]", vendorURL, creativeai.WithTransport(direct.Transport()))
}

// wantKind submits a prompt. An outcome that allows another submit must have cost nothing.
func wantKind(t *testing.T, how string, v *fake.Vendor, want creativeai.Kind, prompt, url string, options ...creativeai.Option) {
	t.Helper()
	client, err := creativeai.New(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	got := client.Submit(t.Context(), key, creativeai.Submission{Prompt: prompt, WebhookURL: webhook})
	if got.Kind != want {
		t.Errorf("%s: %s (%s), want %s", how, got.Kind, got.Reason, want)
	}
	l := v.Ledger()
	if n := len(l.Generations); n > 0 && want != creativeai.Accepted && want != creativeai.Unknown {
		t.Errorf("%s: %d accepted", how, n)
	}
	if n := len(l.Requests); n > 1 {
		t.Errorf("%s: %d requests for one submit", how, n)
	}
}

func TestClientVerifiesAndReadsCallbacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.callbacks("A dog [fault: callback-forged] [fault: fail message=blurred]")
		got := b.receiver.all()
		if len(got) != 2 {
			t.Fatalf("%d callbacks", len(got))
		}
		if err := creativeai.Verify(got[0].body, got[0].header.Get(creativeai.SignatureHeader), key); !errors.Is(err, creativeai.ErrSignature) {
			t.Errorf("forged: %v", err)
		}
		if err := creativeai.Verify(got[1].body, got[1].header.Get(creativeai.SignatureHeader), "other", key); err != nil {
			t.Errorf("true: %v", err)
		}
		g, err := creativeai.ParseCallback(got[1].body)
		if err != nil || g.Verdict() != creativeai.Failed || g.Error != "blurred" || *g.Credits != 50 || g.OutputURL != "" {
			t.Errorf("callback: %+v, %v", g, err)
		}
	})
}

func TestClientPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		client, err := creativeai.New(vendorURL, creativeai.WithTransport(b.vendor.Transport()))
		if err != nil {
			t.Fatal(err)
		}
		id := client.Submit(t.Context(), key, creativeai.Submission{Prompt: "A dog [fault: takes for=1m] [fault: get-404 times=1]"}).Generation.ID
		if _, err := client.Get(t.Context(), key, id); !errors.Is(err, creativeai.ErrNotFound) {
			t.Errorf("first poll: %v", err)
		}
		if g, err := client.Get(t.Context(), key, id); err != nil || g.Verdict() != creativeai.Pending {
			t.Errorf("second poll: %+v, %v", g, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if g, err := client.Get(t.Context(), key, id); err != nil || g.Verdict() != creativeai.Succeeded || g.OutputURL == "" {
			t.Errorf("last poll: %+v, %v", g, err)
		}
	})
}
