package creativeai_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

const key = "rph_live_test_vector_0001"

// vendor serves one handler and counts the requests it got, also those for
// another path.
type vendor struct {
	*httptest.Server
	requests atomic.Int32
}

func serve(t *testing.T, handler http.HandlerFunc) *vendor {
	t.Helper()
	v := &vendor{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.requests.Add(1)
		handler(w, r)
	}))
	t.Cleanup(v.Close)
	return v
}

func newClient(t *testing.T, baseURL string, options ...creativeai.Option) *creativeai.Client {
	t.Helper()
	c, err := creativeai.New(baseURL, options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func job() creativeai.Submission {
	return creativeai.Submission{Model: "auto", Prompt: "A lighthouse in a storm"}
}

func TestSubmitAnswers(t *testing.T) {
	t.Parallel()
	var tests []struct {
		Name       string            `json:"name"`
		Status     int               `json:"status"`
		Headers    map[string]string `json:"headers"`
		Body       string            `json:"body"`
		Kind       string            `json:"kind"`
		RetryAfter string            `json:"retry_after"`
		Says       string            `json:"says"`
		NoAnswer   bool              `json:"no_answer"`
	}
	text, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &tests); err != nil {
		t.Fatal(err)
	}
	if len(tests) < 60 {
		t.Fatalf("testdata/answers.json has %d answers only", len(tests))
	}
	for _, tt := range tests {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range tt.Headers {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.Status)
				_, _ = io.WriteString(w, tt.Body)
			})
			got := newClient(t, v.URL).Submit(t.Context(), key, job())

			status := tt.Status
			if tt.NoAnswer {
				status = 0
			}
			if got.Kind.String() != tt.Kind || got.Status != status {
				t.Errorf("kind %v, status %d, want %s, %d; reason %q, error %v", got.Kind, got.Status, tt.Kind, status, got.Reason, got.Err)
			}
			var wait time.Duration
			if tt.RetryAfter != "" {
				wait, _ = time.ParseDuration(tt.RetryAfter)
			}
			if got.RetryAfter != wait {
				t.Errorf("retry after %v, want %v", got.RetryAfter, wait)
			}
			if accepted := got.Kind == creativeai.Accepted; accepted != (got.Generation.ID == "gen_1") || accepted != (got.Reason == "") {
				t.Errorf("generation %q, reason %q", got.Generation.ID, got.Reason)
			}
			if !strings.Contains(got.Reason, tt.Says) {
				t.Errorf("reason %q does not say %q", got.Reason, tt.Says)
			}
			if n := v.requests.Load(); n != 1 {
				t.Errorf("the vendor saw %d requests, want 1", n)
			}
		})
	}
}

func TestSubmitRequest(t *testing.T) {
	t.Parallel()
	var header http.Header
	var uri, method, body string
	v := serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		header, uri, method, body = r.Header.Clone(), r.RequestURI, r.Method, string(text)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"gen_1"}`)
	})
	yes := true
	got := newClient(t, v.URL+"/base/", creativeai.WithVersion("1.2.3")).Submit(t.Context(), key, creativeai.Submission{
		Model: "kling-v3", Prompt: `<b> & "é" `, AspectRatio: "16:9", Duration: 5, Resolution: "1080p",
		Failover: &yes, WebhookURL: "https://hooks.example.com/a?b=c&d=e",
		Extra: map[string]jsontext.Value{"seed": jsontext.Value(`12345678901234567890`), "guidance": jsontext.Value(`{"b":1.0,"a":"\u00e9"}`)},
	})
	if got.Kind != creativeai.Accepted {
		t.Fatalf("outcome %+v", got)
	}
	const want = `{"model":"kling-v3","prompt":"<b> & \"é\" ","aspect_ratio":"16:9","duration":5,"resolution":"1080p",` +
		`"webhook_url":"https://hooks.example.com/a?b=c&d=e","failover":true,"guidance":{"b":1.0,"a":"\u00e9"},"seed":12345678901234567890}`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if method != http.MethodPost || uri != "/base/v1/video/generations" {
		t.Errorf("%s %s", method, uri)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + key, "Content-Type": "application/json", "Accept": "application/json",
		"User-Agent": "clipqueue/1.2.3", "Idempotency-Key": "", "X-Idempotency-Key": "", "Connection": "",
	} {
		if header.Get(name) != value {
			t.Errorf("header %s is %q, want %q", name, header.Get(name), value)
		}
	}
}

func TestSubmitLeavesOutWhatIsZero(t *testing.T) {
	t.Parallel()
	var body string
	v := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body = string(text)
	})
	newClient(t, v.URL).Submit(t.Context(), key, creativeai.Submission{Prompt: "sea"})
	if body != `{"prompt":"sea"}` {
		t.Errorf("body %s", body)
	}
}

func TestSubmitThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	v := serve(t, func(http.ResponseWriter, *http.Request) {})
	for name, s := range map[string]creativeai.Submission{
		"an extra field with a known name": {Prompt: "sea", Extra: map[string]jsontext.Value{"prompt": jsontext.Value(`"x"`)}},
		"an extra field that is no JSON":   {Prompt: "sea", Extra: map[string]jsontext.Value{"seed": jsontext.Value(`{`)}},
		"a prompt that is not UTF-8":       {Prompt: "\xff"},
	} {
		got := newClient(t, v.URL).Submit(t.Context(), key, s)
		if got.Kind != creativeai.Refused || got.Err == nil || got.Reason == "" {
			t.Errorf("%s: %+v, want refused", name, got)
		}
	}
	if n := v.requests.Load(); n != 0 {
		t.Errorf("the vendor saw %d requests", n)
	}
}

func TestSubmitWithoutAKey(t *testing.T) {
	t.Parallel()
	v := serve(t, func(http.ResponseWriter, *http.Request) {})
	for _, bad := range []string{"", " ", "a b", "line\nbreak", "tab\t", "clé", "a\x00b", "a\x7fb"} {
		got := newClient(t, v.URL).Submit(t.Context(), bad, job())
		if got.Kind != creativeai.AccountRefused || !errors.Is(got.Err, creativeai.ErrKey) || got.Reason == "" {
			t.Errorf("key %q: %+v, want account refused", bad, got)
		}
	}
	if n := v.requests.Load(); n != 0 {
		t.Errorf("the vendor saw %d requests", n)
	}
}

// An answer may repeat the key; nothing that we hand on may.
func TestSubmitNeverTellsTheKey(t *testing.T) {
	t.Parallel()
	for _, status := range []int{202, 400, 401, 429, 500, 503} {
		v := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":{"message":"`+strings.Repeat("x", 250)+` bad `+r.Header.Get("Authorization")+"\\n\\u0007 really"+`"}}`)
		})
		got := newClient(t, v.URL).Submit(t.Context(), key, job())
		text := got.Reason
		if got.Err != nil {
			text += got.Err.Error()
		}
		// The first characters of a key that the length limit cut are its secret too.
		if strings.Contains(text, key[:10]) || strings.ContainsAny(got.Reason, "\n\a") || len([]rune(got.Reason)) > 300 {
			t.Errorf("status %d: reason %q, error %v", status, got.Reason, got.Err)
		}
	}
}

func TestSubmitFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) {})
	for _, status := range []int{301, 302, 303, 307, 308} {
		v := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		})
		got := newClient(t, v.URL).Submit(t.Context(), key, job())
		if got.Kind != creativeai.Unknown || got.Status != status {
			t.Errorf("%d: %+v, want unknown", status, got)
		}
	}
	if n := elsewhere.requests.Load(); n != 0 {
		t.Errorf("the other host saw %d requests", n)
	}
}

func TestSubmitOverlongAnswer(t *testing.T) {
	t.Parallel()
	v := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"gen_1","pad":"`)
		for range 300 {
			_, _ = io.WriteString(w, strings.Repeat("x", 1024))
		}
		_, _ = io.WriteString(w, `"}`)
	})
	got := newClient(t, v.URL).Submit(t.Context(), key, job())
	if got.Kind != creativeai.Unknown || got.Status != 202 || got.Err == nil || !strings.Contains(got.Reason, "longer than 262144 bytes") {
		t.Errorf("%+v, want unknown", got)
	}
}

func TestSubmitLongID(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]creativeai.Kind{1024: creativeai.Accepted, 1025: creativeai.Unknown} {
		v := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"id":"`+strings.Repeat("x", length)+`"}`)
		})
		if got := newClient(t, v.URL).Submit(t.Context(), key, job()); got.Kind != want {
			t.Errorf("id of %d bytes: %v, want %v", length, got.Kind, want)
		}
	}
}

// transport is an http.RoundTripper that is a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A transport that says nothing of its connections proves nothing.
func TestSubmitOverAForeignTransport(t *testing.T) {
	t.Parallel()
	broken := transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("broken") })
	got := newClient(t, "https://api.example.com", creativeai.WithTransport(broken)).Submit(t.Context(), key, job())
	if got.Kind != creativeai.Unknown {
		t.Errorf("%+v, want unknown", got)
	}

	refused := httptest.NewServer(http.NotFoundHandler())
	refused.Close()
	got = newClient(t, refused.URL, creativeai.WithTransport(&http.Transport{})).Submit(t.Context(), key, job())
	if got.Kind != creativeai.Unsent {
		t.Errorf("a foreign transport that could not dial: %+v, want unsent", got)
	}
}

// net/http sends a request again only if it can read its body again.
func TestSubmitCannotBeReplayed(t *testing.T) {
	t.Parallel()
	var getBody bool
	rt := transport(func(r *http.Request) (*http.Response, error) {
		getBody = r.GetBody != nil
		return nil, errors.New("broken")
	})
	newClient(t, "https://api.example.com", creativeai.WithTransport(rt)).Submit(t.Context(), key, job())
	if getBody {
		t.Error("the request has a GetBody")
	}
}

func TestSubmitTimesOutInVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c := newClient(t, "https://api.example.com", creativeai.WithTransport(hang))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		got := c.Submit(ctx, key, job())
		if got.Kind != creativeai.Unknown || !errors.Is(got.Err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("%+v after %v, want unknown after 30s", got, time.Since(start))
		}
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://api.creativeai.run", "http://127.0.0.1:8080", "https://example.com/proxy/", "http://[::1]:80"} {
		if _, err := creativeai.New(good); err != nil {
			t.Errorf("New(%q): %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "api.creativeai.run", "ftp://example.com", "https://", "https:///x", "https://user:hunter2@example.com",
		"https://example.com?x=1", "https://example.com?", "https://example.com#x", "https://user:hunter2@exa mple.com", "%",
	} {
		_, err := creativeai.New(bad)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("New(%q): %v, want an error without a password", bad, err)
		}
	}
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	for kind, want := range map[creativeai.Kind]string{
		0: "unknown", creativeai.Accepted: "accepted", creativeai.Refused: "refused", creativeai.NotNow: "not_now",
		creativeai.AccountRefused: "account_refused", creativeai.Unsent: "unsent", 99: "Kind(99)",
	} {
		if kind.String() != want {
			t.Errorf("%v, want %s", kind, want)
		}
	}
}
