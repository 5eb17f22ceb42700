package functions_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

const wireKey = "rph_live_on_the_wire"

// onlyKey is a secret with one key in it.
type onlyKey struct{}

func (onlyKey) Current(context.Context) (string, error) { return wireKey, nil }
func (onlyKey) Refresh(context.Context) error           { return nil }

// calm takes what submit asks of its queue and its loops, and does nothing.
type calm struct{}

func (calm) Delay(context.Context, string, time.Duration) error { return nil }
func (calm) Start(context.Context, loop.Input) error            { return nil }

// overTheWire has the real submit send one prompt with the real client, over a
// socket, to the vendor at url, and returns how the job stands then.
func overTheWire(t *testing.T, url, prompt string, options ...creativeai.Option) job.Job {
	t.Helper()
	rules := job.DefaultRules()
	table := memory.New(rules, time.Now, nil)
	h := must(submit.New(
		submit.Settings{Rules: rules, Delivery: events.DeliveryWebhook, WebhookURL: "http://127.0.0.1:1/webhooks/creativeai", Timeout: 2 * time.Second},
		submit.Deps{
			Jobs: table, Vendor: must(creativeai.NewAccount(must(creativeai.New(url, options...)), onlyKey{})), Queue: calm{}, Loops: calm{},
			Log: slog.New(slog.DiscardHandler), Metrics: metric.Sink{}, Now: time.Now,
			NewID: func() string { return "token" }, Random: func() float64 { return 0 },
		},
	))
	_, err := h.Handle(t.Context(), lambda.SQSEvent{Records: []lambda.SQSMessage{{
		MessageId: "message", ReceiptHandle: "receipt", Body: fmt.Sprintf(`{"job_id":"job","prompt":%q}`, prompt),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return must(table.Get(t.Context(), job.Key("job")))
}

// talk answers each connection of a listener, and counts them.
func talk(t *testing.T, answer func(net.Conn)) (address string, connections *atomic.Int32) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	connections = new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				answer(c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String(), connections
}

// A POST that provably never reached the vendor goes again; with one byte of it
// gone, it does not.
func TestFault05_NotSentOrPerhaps(t *testing.T) {
	t.Parallel()
	closed, _ := talk(t, func(net.Conn) {})
	oneByte, _ := talk(t, func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 1)) })
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	dial := func(err error) creativeai.Option {
		return creativeai.WithDialer(func(context.Context, string, string) (net.Conn, error) { return nil, err })
	}
	// The connection is handed over once its end has arrived: a dead one, as kept alive too long.
	dead := creativeai.WithDialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			_ = c.(*net.TCPConn).CloseWrite() // nothing can be written any more
		}
		return c, err
	})
	for _, test := range []struct {
		name, url string
		option    creativeai.Option
		want      job.State
	}{
		{"DNS fails", "http://vendor.invalid", dial(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "vendor.invalid", IsNotFound: true}}), job.Queued},
		{"refused", "http://127.0.0.1:1", dial(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), job.Queued},
		{"TLS fails", untrusted.URL, nil, job.Queued},
		{"dead, nothing written", "http://" + closed, dead, job.Queued},
		{"ended after a byte", "http://" + oneByte, nil, job.Unconfirmed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var options []creativeai.Option
			if test.option != nil {
				options = append(options, test.option)
			}
			if got := overTheWire(t, test.url, "A prompt", options...); got.State != test.want {
				t.Errorf("the job is %s: want %s; %s", got.State, test.want, got.History[len(got.History)-1].Why)
			}
		})
	}
}

// An answer that does not say what became of the POST ends no job and repeats
// none; a redirect is not followed, and the key goes nowhere else.
func TestFault06_AnswersThatSayNothing(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	vendor := must(fake.New(fake.Config{Now: time.Now, Key: wireKey, Scale: 1e-6}))
	if err := vendor.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vendor.Close)
	faults := []string{
		"answer id=none", "answer id=number", "answer body=empty", "answer body=junk", "answer status=200 id=none", "html", "html status=202",
		"302 location=" + other.URL, "307 location=" + other.URL, "cut-body at=50%",
	}
	t.Run("all", func(t *testing.T) {
		for _, f := range faults {
			t.Run(f, func(t *testing.T) {
				t.Parallel()
				got := overTheWire(t, vendor.URL(), "For "+t.Name()+" [fault: "+f+"]")
				if got.State != job.Unconfirmed {
					t.Errorf("the job is %s: want unconfirmed; %s", got.State, got.History[len(got.History)-1].Why)
				}
			})
		}
	})
	submits := 0
	for _, r := range vendor.Ledger().Requests {
		if r.Kind == "submit" && strings.HasPrefix(r.Prompt, "For ") {
			submits++
		}
	}
	if submits != len(faults) || elsewhere.Load() != 0 {
		t.Errorf("%d POSTs of %d prompts, %d requests to another host: want one each, and none", submits, len(faults), elsewhere.Load())
	}
}
