package submit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
)

// wire is the vendor as HTTP: what it answers, and how often it was asked.
type wire struct {
	reply reply
	posts int
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.posts++
	return w.reply(r)
}

type reply func(*http.Request) (*http.Response, error)

// key is a source of one key.
type key struct{}

func (key) Current(context.Context) (string, error) { return "rph_live_secret", nil }
func (key) Refresh(context.Context) error           { return nil }

// overHTTP puts the real client between the function and the wire.
func overHTTP(t *testing.T, w *wire) alter {
	t.Helper()
	client, err := creativeai.New("https://vendor.example", creativeai.WithTransport(w))
	if err != nil {
		t.Fatal(err)
	}
	account, err := creativeai.NewAccount(client, key{})
	if err != nil {
		t.Fatal(err)
	}
	return func(_ *submit.Settings, d *submit.Deps) { d.Vendor = account }
}

func says(status int, body string, headers ...string) reply {
	return func(*http.Request) (*http.Response, error) {
		header := http.Header{}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			header.Set(name, value)
		}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func unsent(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GetConn("vendor.example:443")
	return nil, errors.New("dial tcp: connection refused")
}

func reset(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset by peer") }

func timedOut(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }

func cutBody(*http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader(`{"id":"gen_1"`), failing{})
	return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: io.NopCloser(body)}, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// answers are the rows of the answer table: what the vendor says, and what becomes of the job.
func answers() []answer {
	const ok = `{"id":"gen_1","status":"pending","credits":3}`
	rows := []answer{
		{"202", says(202, ok), job.Processing, env.MetricSubmitted},
		{"200", says(200, ok), job.Processing, env.MetricSubmitted},
		{"202 with an id of 1 KB", says(202, `{"id":"`+strings.Repeat("g", 1024)+`"}`), job.Processing, env.MetricSubmitted},
		{"202 with a longer id", says(202, `{"id":"`+strings.Repeat("g", 1025)+`"}`), job.Unconfirmed, env.MetricUnconfirmed},
		{"202 with a number for an id", says(202, `{"id":7}`), job.Unconfirmed, env.MetricUnconfirmed},
		{"202 without id", says(202, `{"status":"pending"}`), job.Unconfirmed, env.MetricUnconfirmed},
		{"202 with two ids", says(202, `{"id":"a","id":"b"}`), job.Unconfirmed, env.MetricUnconfirmed},
		{"202 empty", says(202, ""), job.Unconfirmed, env.MetricUnconfirmed},
		{"202 as HTML", says(202, "<html>welcome</html>"), job.Unconfirmed, env.MetricUnconfirmed},
		{"202 cut off", cutBody, job.Unconfirmed, env.MetricUnconfirmed},
		{"302 to another host", says(302, "", "Location: https://elsewhere.example/"), job.Unconfirmed, env.MetricUnconfirmed},
		{"307 to another host", says(307, "", "Location: https://elsewhere.example/"), job.Unconfirmed, env.MetricUnconfirmed},
		{"404 of the API", says(404, `{"error":"model \"x\" does not exist"}`), job.Rejected, ""},
		{"404 of a router", says(404, "404 page not found"), job.Queued, env.MetricAccountRefused},
		{"405 of a router", says(405, "<html>"), job.Queued, env.MetricAccountRefused},
		{"429", says(429, ""), job.Queued, env.MetricNotNow},
		{"503 with Retry-After", says(503, "", "Retry-After: 3"), job.Queued, env.MetricNotNow},
		{"503 of the API", says(503, `{"error":"queue is full, come back"}`), job.Queued, env.MetricNotNow},
		{"503 of a proxy", says(503, "<html>"), job.Unconfirmed, env.MetricUnconfirmed},
		{"never dialled", unsent, job.Queued, env.MetricNotNow},
		{"reset", reset, job.Unconfirmed, env.MetricUnconfirmed},
		{"timed out", timedOut, job.Unconfirmed, env.MetricUnconfirmed},
	}
	for _, status := range []int{400, 410, 413, 415, 418, 422, 451} {
		for _, body := range []string{"", `{"error":"no such model"}`} {
			rows = append(rows, answer{fmt.Sprintf("%d %s", status, body), says(status, body), job.Rejected, ""})
		}
	}
	for _, status := range []int{401, 402, 403} {
		rows = append(rows, answer{fmt.Sprint(status), says(status, `{"error":"no"}`), job.Queued, env.MetricAccountRefused})
	}
	for _, status := range []int{408, 409, 425, 500, 501, 502, 504, 599} {
		rows = append(rows, answer{fmt.Sprint(status), says(status, `{"error":"no"}`), job.Unconfirmed, env.MetricUnconfirmed})
	}
	return rows
}

type answer struct {
	name   string
	reply  reply
	state  job.State
	metric string
}

// Each row of the design's answer table, for both deliveries: the state, whether
// the message goes back, the POSTs, the loop and the alarm's metric; and that the
// message delivered again is not paid for again.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range answers() {
		for _, delivery := range []events.Delivery{events.DeliveryWebhook, events.DeliveryPoll} {
			t.Run(tt.name+"/"+string(delivery), func(t *testing.T) {
				t.Parallel()
				w := &wire{reply: tt.reply}
				b := newBench(t, overHTTP(t, w))
				m := b.raw("m1", fmt.Sprintf(`{"job_id":"j1","prompt":"a kite","delivery":%q}`, delivery))
				back := b.deliver(m)
				b.stateIs("j1", tt.state)
				if goesBack := len(back) == 1; goesBack != (tt.state == job.Queued) {
					t.Errorf("the message goes back: %v, and the job is %s", goesBack, tt.state)
				}
				if tt.metric != "" && b.sums(tt.metric) != 1 {
					t.Errorf("metric %s is %v, want 1", tt.metric, b.sums(tt.metric))
				}
				loops := 0
				if tt.state == job.Processing && delivery == events.DeliveryPoll {
					loops = 1
				}
				if len(b.loops.started) != loops {
					t.Errorf("%d loops were started, want %d", len(b.loops.started), loops)
				}
				if w.posts != 1 {
					t.Errorf("%d POSTs, want 1", w.posts)
				}
				b.deliveredAgain(w, tt.state)
			})
		}
	}
}

// deliveredAgain delivers j1's message under a new message id, long after.
func (b *bench) deliveredAgain(w *wire, state job.State) {
	b.t.Helper()
	b.wait(b.rules.ClaimFor + b.queue.last())
	b.deliver(b.raw("m2", fmt.Sprintf(`{"prompt":"a kite","job_id":"j1","delivery":%q}`, b.job("j1").Delivery)))
	want := 1
	if state == job.Queued {
		want = 2
	}
	if w.posts != want {
		b.t.Errorf("%d POSTs once the message was delivered again, want %d", w.posts, want)
	}
}

// What the vendor is sent: everything of the message, our own callback URL, and
// none for a poll job.
func TestSubmission(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deliver(
		b.raw("m1", `{"job_id":"j1","prompt":"a kite","model":"kling-v3","aspect_ratio":"16:9","duration":5,
			"resolution":"1080p","failover":false,"seed":9007199254740993,"metadata":{"a":1}}`),
		b.raw("m2", `{"job_id":"j2","prompt":"a kite","delivery":"poll"}`),
		b.raw("m3", `{"prompt":"no job_id"}`),
	)
	b.postsAre(3)
	first, second := b.vendor.posts[0], b.vendor.posts[1]
	if want := "https://api.example/webhooks/creativeai/j1/" + b.job("j1").Token; first.WebhookURL != want || b.job("j1").Token == "" {
		t.Errorf("webhook_url is %q, want %q", first.WebhookURL, want)
	}
	if first.Prompt != "a kite" || first.Model != "kling-v3" || first.AspectRatio != "16:9" || first.Duration != 5 ||
		first.Resolution != "1080p" || first.Failover == nil || *first.Failover {
		t.Errorf("sent %+v", first)
	}
	if string(first.Extra["seed"]) != "9007199254740993" || len(first.Extra) != 1 {
		t.Errorf("extra fields %v, want the seed, digit by digit, and nothing else", first.Extra)
	}
	if second.WebhookURL != "" || second.Model != "auto" {
		t.Errorf("a poll job sends webhook_url %q and model %q, want none and auto", second.WebhookURL, second.Model)
	}
	if j := b.job("m3"); j.State != job.Processing || j.Model != "auto" {
		t.Errorf("a message without job_id is %+v", j)
	}
	if got := b.job("j1"); got.Metadata != `{"a":1}` || got.Acceptance.ModelActual != "kling-v3" || *got.Acceptance.Credits != 7 {
		t.Errorf("stored %+v", got)
	}
}

// The default delivery is a setting; what the message says goes before it.
func TestDefaultDelivery(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(s *submit.Settings, _ *submit.Deps) { s.Delivery = events.DeliveryPoll })
	b.deliver(b.message("j1"), b.raw("m2", `{"job_id":"j2","prompt":"p","delivery":"webhook"}`))
	if b.job("j1").Delivery != events.DeliveryPoll || b.job("j2").Delivery != events.DeliveryWebhook {
		t.Errorf("deliveries are %s and %s", b.job("j1").Delivery, b.job("j2").Delivery)
	}
	if len(b.loops.started) != 1 || b.vendor.posts[0].WebhookURL != "" || b.vendor.posts[1].WebhookURL == "" {
		t.Errorf("%d loops, posts %+v", len(b.loops.started), b.vendor.posts)
	}
}

// No log line holds the key, a token or, from INFO up, a prompt; not even when
// the vendor's own words repeat it.
func TestLogsKeepSecrets(t *testing.T) {
	t.Parallel()
	const prompt = "a very private prompt about a red kite"
	echo := `{"error":"Bearer rph_live_secret: your prompt '` + prompt + `' is refused"}`
	for _, status := range []int{202, 400, 401, 404, 429, 500, 503} {
		w := &wire{reply: says(status, strings.Replace(echo, `{`, `{"id":"gen_1",`, 1))}
		b := newBench(t, overHTTP(t, w))
		b.deliver(b.raw("m1", `{"job_id":"j1","prompt":"`+prompt+`"}`))
		if log := b.log.String(); strings.Contains(log, "rph_live_secret") || strings.Contains(log, b.job("j1").Token) ||
			strings.Contains(log, prompt) || log == "" {
			t.Errorf("%d: the log says\n%s", status, log)
		}
	}
}
