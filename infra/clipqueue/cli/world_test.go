package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/cli"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

// The parts of the world's deployment.
const (
	jobQueue     = "https://sqs.test/jobs"
	archiveQueue = "https://sqs.test/archive"
	deadPrefix   = "https://sqs.test/dead/"
)

// A world is a deployment in memory with a bundle at work in it: time passes
// when the command pauses, and then prompts are taken from the queue. It is a
// double of AWS and of the functions; table, rules and message format are the real ones.
type world struct {
	table *memory.Table
	rules job.Rules

	mu          sync.Mutex
	now         time.Time
	queues      map[string][]deployment.Letter
	hidden      map[string]time.Time // receipts that are with a receiver
	lastID      int
	failSends   int // that many messages are refused for a moment
	finalFails  int // that many are refused for good
	open        bool
	opensAt     time.Time // when someone resumes a paused feed
	keys        []keyVersion
	keysAt      time.Time // when they were last changed
	refused     []string  // keys that the vendor refuses
	generations map[string]creativeai.Generation
	asked       []string
	taken       string // the key that the vendor takes, where one is tried
	emitted     []bus.Entry
	listeners   map[string][]events.DetailType
	alarms      []deployment.Alarm
	webhook     int
	skew        time.Duration
	listens     int // receives on a listener's queue before the command is interrupted
	interrupt   context.CancelFunc
}

type keyVersion struct {
	deployment.KeyVersion
	value string
}

func newWorld() *world {
	w := &world{
		rules: job.DefaultRules(), now: jobtest.Epoch().Add(2 * time.Minute), open: true, webhook: http.StatusUnauthorized,
		queues: map[string][]deployment.Letter{}, hidden: map[string]time.Time{}, generations: map[string]creativeai.Generation{},
		listeners: map[string][]events.DetailType{}, listens: 3,
	}
	w.table = memory.New(w.rules, w.clock, nil)
	w.keys = []keyVersion{{deployment.KeyVersion{ID: "v1", Stages: []string{deployment.KeyCurrent}, PutAt: jobtest.Epoch()}, "rph_live_first"}}
	return w
}

func (w *world) services() *cli.Services {
	return &cli.Services{
		Name: "Clipqueue-test",
		Outputs: deployment.Outputs{
			JobQueueURL: jobQueue, WebhookURL: "https://hooks.test/webhooks/creativeai", EventBusName: "test-bus", TableName: "jobs",
		},
		Stack: w, Jobs: w.table, Lists: w.table, Quarantine: w.table, Queues: w, Lookers: w, KeyReader: w, KeyWriter: keyWriter{w},
		Listener: w, Bus: w, Vendor: w, Health: w, Feed: w,
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pause lets time pass, and the bundle work.
func (w *world) pause(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.open = w.open || !w.opensAt.IsZero() && w.now.After(w.opensAt)
	w.mu.Unlock()
	w.work(ctx)
	return ctx.Err()
}

// work takes prompts from the queue, and settles what is with the vendor.
func (w *world) work(ctx context.Context) {
	w.mu.Lock()
	letters := w.queues[jobQueue]
	if !w.open {
		letters = nil
	} else {
		w.queues[jobQueue] = nil
	}
	now := w.now
	w.mu.Unlock()
	for _, l := range letters {
		w.take(ctx, l, now)
	}
	for _, j := range w.table.Jobs() {
		if j.State == job.Processing && now.Sub(j.AcceptedAt) > time.Second {
			w.settle(ctx, j, now)
		}
	}
}

func (w *world) take(ctx context.Context, l deployment.Letter, now time.Time) {
	r, err := request.Parse([]byte(l.Body), l.MessageID)
	if err != nil {
		panic(err) // the command checks what it sends
	}
	fresh := w.rules.New(job.Origin{
		ID: r.JobID, Token: "token", Request: r.Text, PayloadHash: r.Hash, Model: "auto", Metadata: string(r.Metadata),
		Delivery: events.DeliveryWebhook, At: now, EnqueuedAt: l.SentAt,
	})
	j, err := store.Transition(ctx, w.table, w.rules, fresh, job.Claim{At: now, ID: l.MessageID, PayloadHash: r.Hash})
	if err != nil {
		return // a repeat, or another payload
	}
	credits := int64(12)
	accept := job.Accept{At: now, Attempt: j.Attempt, GenerationID: "gen-" + j.ID, Charge: job.Charge{ModelActual: "kling-v3", Credits: &credits}}
	_, _ = store.Transition(ctx, w.table, w.rules, j, accept)
}

func (w *world) settle(ctx context.Context, j job.Job, now time.Time) {
	v := jobtest.Callback(job.Completed)
	if strings.Contains(j.Request, "impossible") {
		v = jobtest.Callback(job.Failed)
	}
	v.At, v.Token, v.GenerationID = now, j.Token, j.GenerationID
	_, _ = store.Transition(ctx, w.table, w.rules, j, v)
}

// Rules, Dead and Skew are the stack's.
func (w *world) Rules(context.Context) (job.Rules, error) { return w.rules, nil }

func (w *world) Skew() time.Duration { return w.skew }

func (w *world) Dead(context.Context) ([]deployment.DeadQueue, error) {
	return []deployment.DeadQueue{
		{Name: "jobs", URL: deadPrefix + "jobs", Source: jobQueue, About: "prompts that were given up", LogGroup: "log-of-Submit"},
		{Name: "archive", URL: deadPrefix + "archive", Source: archiveQueue, About: "videos that were not copied"},
		{Name: "poison", URL: deadPrefix + "poison", About: "records that no event can be made of: read each, then drop it"},
	}, nil
}

// Send, Receive, Delete, Return and Depth are SQS's.
func (w *world) Send(_ context.Context, url string, bodies []string) ([]deployment.Sent, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := 0
	for _, b := range bodies {
		size += len(b)
	}
	if len(bodies) > deployment.BatchMessages || len(bodies) > 1 && size > deployment.BatchBytes {
		return nil, fmt.Errorf("a batch of %d messages and %d bytes", len(bodies), size)
	}
	sent := make([]deployment.Sent, len(bodies))
	for i, body := range bodies {
		switch {
		case w.failSends > 0:
			w.failSends--
			sent[i].Err = fmt.Errorf("InternalError: try again")
		case w.finalFails > 0:
			w.finalFails--
			sent[i] = deployment.Sent{Err: fmt.Errorf("InvalidMessageContents: no"), Final: true}
		default:
			sent[i].MessageID = w.put(url, body, "")
		}
	}
	return sent, nil
}

// put puts a message on a queue; the world is locked.
func (w *world) put(url, body, id string) string {
	w.lastID++
	if id == "" {
		id = fmt.Sprintf("m-%d", w.lastID)
	}
	w.queues[url] = append(w.queues[url], deployment.Letter{
		MessageID: id, Body: body, SentAt: w.now, Receives: 1000, Receipt: fmt.Sprintf("receipt-%d", w.lastID),
	})
	return id
}

func (w *world) Receive(_ context.Context, url string, wait, hold time.Duration) ([]deployment.Letter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.HasPrefix(url, "listener/") {
		if w.listens--; w.listens < 0 {
			w.interrupt()
		}
	}
	var letters []deployment.Letter
	for _, l := range w.queues[url] {
		if w.hidden[l.Receipt].After(w.now) || len(letters) == deployment.BatchMessages {
			continue
		}
		w.hidden[l.Receipt] = w.now.Add(hold)
		letters = append(letters, l)
	}
	if len(letters) == 0 && strings.HasPrefix(url, "listener/") {
		w.now = w.now.Add(wait)
	}
	return letters, nil
}

func (w *world) Delete(_ context.Context, url, receipt string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queues[url] = slices.DeleteFunc(w.queues[url], func(l deployment.Letter) bool { return l.Receipt == receipt })
	return nil
}

func (w *world) Return(_ context.Context, _, receipt string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.hidden, receipt)
	return nil
}

func (w *world) Depth(_ context.Context, url string) (deployment.Depth, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return deployment.Depth{Waiting: len(w.queues[url])}, nil
}

// Value and Versions are Secrets Manager's.
func (w *world) Value(_ context.Context, stage string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.keys {
		if slices.Contains(k.Stages, stage) {
			return k.value, nil
		}
	}
	return "", nil
}

func (w *world) Versions(context.Context) ([]deployment.KeyVersion, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []deployment.KeyVersion
	for _, k := range w.keys {
		list = append(list, k.KeyVersion)
	}
	return list, nil
}

func (w *world) ChangedAt(context.Context) (time.Time, error) { return w.keysAt, nil }

// keyWriter is Secrets Manager, where it changes something.
type keyWriter struct{ w *world }

func (k keyWriter) Put(_ context.Context, value string) error {
	w := k.w
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keysAt = w.now
	for i, old := range w.keys {
		switch {
		case slices.Contains(old.Stages, deployment.KeyPrevious):
			w.keys[i].Stages = nil
		case slices.Contains(old.Stages, deployment.KeyCurrent):
			w.keys[i].Stages = []string{deployment.KeyPrevious}
		}
	}
	id := fmt.Sprintf("v%d", len(w.keys)+1)
	w.keys = append(w.keys, keyVersion{deployment.KeyVersion{ID: id, Stages: []string{deployment.KeyCurrent}, PutAt: w.now}, value})
	return nil
}

func (k keyWriter) Swap(_ context.Context, current, previous string) error {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	k.w.keysAt = k.w.now
	for i, v := range k.w.keys {
		switch v.ID {
		case current:
			k.w.keys[i].Stages = []string{deployment.KeyPrevious}
		case previous:
			k.w.keys[i].Stages = []string{deployment.KeyCurrent}
		}
	}
	return nil
}

func (k keyWriter) Retire(_ context.Context, version string) error {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	for i, v := range k.w.keys {
		if v.ID == version {
			k.w.keys[i].Stages = nil
		}
	}
	return nil
}

// Subscribe and Unsubscribe are EventBridge's.
func (w *world) Subscribe(_ context.Context, name string, types []events.DetailType) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[name] = types
	return "listener/" + name, nil
}

func (w *world) Unsubscribe(_ context.Context, name string) (existed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, existed = w.listeners[name]
	delete(w.listeners, name)
	return existed, nil
}

func (w *world) Put(_ context.Context, entries []bus.Entry) ([]error, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emitted = append(w.emitted, entries...)
	return make([]error, len(entries)), nil
}

// Ask, AskWith and URL are the vendor's.
func (w *world) Ask(_ context.Context, id string) (creativeai.Generation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, id)
	g, ok := w.generations[id]
	switch {
	case !ok:
		return g, &creativeai.StatusError{Status: http.StatusNotFound, Reason: "404"}
	case g.Status == "refused":
		return g, &creativeai.StatusError{Status: http.StatusUnauthorized, Reason: "401: the key is wrong"}
	case g.Status == "broke":
		return g, &creativeai.StatusError{Status: http.StatusPaymentRequired, Reason: "402: no credit"}
	case g.Status == "down":
		return g, fmt.Errorf("dial: connection refused")
	}
	return g, nil
}

func (w *world) AskWith(ctx context.Context, key, id string) (creativeai.Generation, error) {
	switch {
	case key == w.taken:
		return creativeai.Generation{}, &creativeai.StatusError{Status: http.StatusNotFound, Reason: "404"}
	case slices.Contains(w.refused, key):
		return creativeai.Generation{}, &creativeai.StatusError{Status: http.StatusUnauthorized, Reason: "the vendor answered 401: who is that?"}
	}
	return w.Ask(ctx, id)
}

func (w *world) URL(context.Context) (string, error) { return "https://vendor.test", nil }

// Alarms and ProbeWebhook are what doctor asks for.
func (w *world) Alarms(context.Context) ([]deployment.Alarm, error) { return w.alarms, nil }

func (w *world) ProbeWebhook(context.Context) (int, error) { return w.webhook, nil }

// LogGroup is CloudFormation's.
func (w *world) LogGroup(_ context.Context, function string) (string, error) {
	return "log-of-" + function, nil
}

// FeedState, SetFeed and InHand are Lambda's.
func (w *world) InHand(context.Context) (deployment.InHand, error) {
	return deployment.InHand{Prompts: 50, For: time.Minute}, nil
}

func (w *world) FeedState(context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return map[bool]string{true: "Enabled", false: "Disabled"}[w.open], nil
}

func (w *world) SetFeed(_ context.Context, open bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = open
	return nil
}

// run runs a command line in the world.
func (w *world) run(ctx context.Context, env func(string) string, stdin string, terminal bool, args []string) (stdout, stderr string, code int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.interrupt = cancel
	var out, errs bytes.Buffer
	n := 0
	app := &cli.App{
		In: strings.NewReader(stdin), Out: &out, Err: &errs, Terminal: terminal, Getenv: env, Now: w.clock, Pause: w.pause,
		NewID: func() string {
			n++
			return fmt.Sprintf("%08dABCDEFGHIJKLMNOPQR", n)
		},
		User: "jo", Version: "v0", Connect: func(_ context.Context, t cli.Target) (*cli.Services, error) {
			if t.Stack != "Clipqueue-test" {
				return nil, fmt.Errorf("%w: there is no stack %s in test; there is Clipqueue-test", deployment.ErrNotFound, t.Stack)
			}
			return w.services(), nil
		},
	}
	code = app.Run(ctx, args)
	return out.String(), errs.String(), code
}
