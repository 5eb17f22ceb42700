package fake_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

const (
	key        = "rph_live_test"
	webhook    = "https://receiver.example/webhooks/creativeai/job-1/token"
	vendorURL  = "http://vendor.example"
	submitPath = "/v1/video/generations"
)

// callback is what the receiver got.
type callback struct {
	at     time.Time
	url    string
	header http.Header
	body   []byte
}

func (c callback) field(t *testing.T, name string) string {
	t.Helper()
	return fields(t, c.body)[name]
}

func (c callback) signedBy(key string) bool {
	return c.header.Get("X-CreativeAI-Signature") == fake.Signature(c.body, key)
}

// receiver takes callbacks without a network; answer says how (nil: 200).
type receiver struct {
	mu     sync.Mutex
	got    []callback
	answer func(n int, r *http.Request) (int, error)
}

func (rc *receiver) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	rc.mu.Lock()
	rc.got = append(rc.got, callback{time.Now(), r.URL.String(), r.Header, body})
	n := len(rc.got)
	rc.mu.Unlock()
	status := http.StatusOK
	if rc.answer != nil {
		if status, err = rc.answer(n, r); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(`{"received":true}`)), Request: r}, nil
}

func (rc *receiver) all() []callback {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]callback(nil), rc.got...)
}

// bench is a vendor, a client and a receiver without a network. It belongs into a synctest bubble
// when time matters.
type bench struct {
	t        *testing.T
	vendor   *fake.Vendor
	receiver *receiver
	client   *http.Client
	base     string
}

func setup(t *testing.T, change ...func(*fake.Config)) *bench {
	t.Helper()
	b := &bench{t: t, receiver: &receiver{}, base: vendorURL}
	config := fake.Config{Now: time.Now, Key: key, Seed: 1, Callback: b.receiver}
	for _, c := range change {
		c(&config)
	}
	vendor, err := fake.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vendor.Close)
	b.vendor = vendor
	b.client = &http.Client{
		Transport:     vendor.Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b
}

// reply is an answer read to its end; err is of the request or of its body.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func (b *bench) do(ctx context.Context, method, path, body string) reply {
	b.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, b.base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	return b.send(r)
}

func (b *bench) send(r *http.Request) reply {
	response, err := b.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, text, err}
}

// submit posts a prompt for a callback.
func (b *bench) submit(prompt string) reply {
	b.t.Helper()
	return b.do(b.t.Context(), http.MethodPost, submitPath, submission(b.t, prompt, webhook))
}

// accept posts a prompt, which must be accepted, and returns the generation's id.
func (b *bench) accept(prompt string) string {
	b.t.Helper()
	a := b.submit(prompt)
	if a.err != nil || a.status != http.StatusAccepted {
		b.t.Fatalf("submit %q: %d %s %v, want 202", prompt, a.status, a.body, a.err)
	}
	return fields(b.t, a.body)["id"]
}

func (b *bench) get(id string) reply {
	b.t.Helper()
	return b.do(b.t.Context(), http.MethodGet, submitPath+"/"+id, "")
}

// video completes a prompt and gets its video.
func (b *bench) video(prompt string, header ...string) reply {
	b.t.Helper()
	return b.download(b.completed(prompt), header...)
}

func (b *bench) completed(prompt string) string {
	b.t.Helper()
	id := b.accept(prompt)
	b.vendor.Finish(id)
	return "/videos/" + id + ".mp4"
}

func (b *bench) download(path string, header ...string) reply {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.send(r)
}

func submission(t *testing.T, prompt, webhookURL string) string {
	t.Helper()
	body := map[string]any{"model": "auto", "prompt": prompt, "duration": 5}
	if webhookURL != "" {
		body["webhook_url"] = webhookURL
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fields returns the members of a JSON object: strings as they are, all else as raw text.
func fields(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var raw map[string]jsontext.Value
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out := make(map[string]string, len(raw))
	for name, value := range raw {
		out[name] = string(value)
		if value.Kind() == '"' {
			var s string
			if err := json.Unmarshal(value, &s); err != nil {
				t.Fatal(err)
			}
			out[name] = s
		}
	}
	return out
}

func wantField(t *testing.T, body []byte, name, want string) {
	t.Helper()
	if got, found := fields(t, body)[name]; !found || got != want {
		t.Errorf("%s is %q, want %q in %s", name, got, want, bytes.TrimSpace(body))
	}
}
