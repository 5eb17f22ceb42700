package poll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/poll"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

var errAway = errors.New("the service is away")

// bench is the function with a table in memory, and j1 in it, which the vendor
// works on. The loop is half a minute old.
type bench struct {
	*poll.Handler
	t       testing.TB
	now     time.Time
	rules   job.Rules
	table   *table
	vendor  *vendor
	log     *bytes.Buffer
	metrics *bytes.Buffer
}

func settings() poll.Settings {
	return poll.Settings{
		Rules: job.DefaultRules(), Every: 5 * time.Second, SlowAfter: 3 * time.Minute, SlowEvery: 15 * time.Second,
		HandOverAfter: 4 * time.Minute,
	}
}

func newBench(tb testing.TB, stage string) *bench {
	tb.Helper()
	b := &bench{
		t: tb, now: jobtest.Epoch().Add(jobtest.SettledAfter), rules: job.DefaultRules(), vendor: &vendor{},
		log: &bytes.Buffer{}, metrics: &bytes.Buffer{},
	}
	clock := func() time.Time { return b.now }
	b.table = &table{Table: memory.New(b.rules, clock, nil)}
	h, err := poll.New(settings(), poll.Deps{
		Jobs: b.table, Vendor: b.vendor, Log: slog.New(slog.NewJSONHandler(b.log, nil)),
		Metrics: metric.New(b.metrics, "test", clock), Now: clock,
	})
	if err != nil {
		tb.Fatal(err)
	}
	b.Handler = h
	if err := b.table.Table.Put(tb.Context(), jobtest.At(tb, b.rules, "j1", stage), job.Job{}); err != nil {
		tb.Fatal(err)
	}
	return b
}

// input is what the loop of j1 knows, when it is so old.
func (b *bench) input(age time.Duration) loop.Input {
	return loop.Input{
		JobID: "j1", GenerationID: jobtest.GenerationID, Attempt: jobtest.Attempt, AcceptedAt: jobtest.Epoch().Add(jobtest.AnsweredAfter),
		ModelActual: "model-x", Credits: new(int64(41)), FailoverUsed: new(false), StartedAt: b.now.Add(-age),
	}
}

// answers polls once and checks the answer.
func (b *bench) answers(in loop.Input, want loop.Answer) {
	b.t.Helper()
	got, err := b.Handle(b.t.Context(), in)
	if err != nil || got != want {
		b.t.Errorf("answered %+v, %v; want %+v; the log says\n%s", got, err, want, b.log)
	}
}

// costs checks how many reads and writes of the table, and questions, there were.
func (b *bench) costs(reads, writes, questions int) {
	b.t.Helper()
	if b.table.reads != reads || b.table.writes != writes || b.vendor.questions != questions {
		b.t.Errorf("%d reads, %d writes, %d questions; want %d, %d, %d", b.table.reads, b.table.writes, b.vendor.questions, reads, writes, questions)
	}
	if counted := strings.Count(b.metrics.String(), `"`+env.MetricAsked+`":1`); counted != questions {
		b.t.Errorf("%s counts %d, want %d", env.MetricAsked, counted, questions)
	}
}

func (b *bench) job() job.Job { return b.table.Jobs()[job.Key("j1")] }

// wait is the loop's answer that goes on, done the one that ends it.
func wait() loop.Answer { return loop.Answer{WaitSeconds: 5} }
func done() loop.Answer { return loop.Answer{Done: true} }

type table struct {
	*memory.Table
	reads, writes int
	onGet, onPut  error
}

func (t *table) Get(ctx context.Context, key string) (job.Job, error) {
	t.reads++
	if t.onGet != nil {
		return job.Job{}, t.onGet
	}
	return t.Table.Get(ctx, key)
}

func (t *table) Put(ctx context.Context, next, prev job.Job) error {
	t.writes++
	if t.onPut != nil {
		return t.onPut
	}
	return t.Table.Put(ctx, next, prev)
}

type vendor struct {
	answer    func(id string) (creativeai.Generation, error)
	questions int
}

func (v *vendor) Ask(_ context.Context, id string) (creativeai.Generation, error) {
	v.questions++
	if v.answer == nil {
		return creativeai.Generation{ID: id, Status: "processing"}, nil
	}
	return v.answer(id)
}

func says(status string) func(string) (creativeai.Generation, error) {
	return func(id string) (creativeai.Generation, error) {
		return creativeai.Generation{
			ID: id, Status: status, OutputURL: "https://cdn.example/v.mp4", Error: "it gave up", ModelActual: "model-x", Credits: new(int64(9)),
		}, nil
	}
}

// One read, one question and no write while it is pending; one write when it settles.
func TestPoll(t *testing.T) {
	t.Parallel()
	b := newBench(t, "processing")
	b.answers(b.input(30*time.Second), wait())
	b.costs(1, 0, 1)
	b.vendor.answer = says("completed")
	b.answers(b.input(35*time.Second), done())
	b.costs(2, 1, 2)
	got := b.job()
	want := &job.Result{
		OutputURL: new("https://cdn.example/v.mp4"), Via: events.ViaPoll,
		Charge: job.Charge{ModelActual: "model-x", Credits: new(int64(9))},
	}
	if got.State != job.Completed || !cmp.Equal(got.Result, want) {
		t.Errorf("the job is %s: %s", got.State, cmp.Diff(want, got.Result))
	}
	b.answers(b.input(40*time.Second), done()) // a second loop does no harm
	b.costs(3, 1, 2)
}

func TestPollFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t, "processing")
	b.vendor.answer = says("failed")
	b.answers(b.input(time.Minute), done())
	if got := b.job(); got.State != job.Failed || got.Result.ErrorMessage != "it gave up" {
		t.Errorf("the job is %s, %+v", got.State, got.Result)
	}
}

// transport is the vendor as HTTP.
type transport func() (*http.Response, error)

func (f transport) RoundTrip(*http.Request) (*http.Response, error) { return f() }

type key struct{}

func (key) Current(context.Context) (string, error) { return "rph_live_secret", nil }
func (key) Refresh(context.Context) error           { return nil }

// Whatever the vendor says that is no verdict, over the real client: wait and go
// on; no write, no error, and the key in no log.
func TestFault22_NoUsableAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		err    error
	}{
		"404":                    {404, `{"error":"not found"}`, nil},
		"unknown status":         {200, `{"id":"generation-1","status":"dreaming"}`, nil},
		"status in upper case":   {200, `{"id":"generation-1","status":"COMPLETED"}`, nil},
		"status null":            {200, `{"id":"generation-1","status":null}`, nil},
		"two statuses":           {200, `{"id":"generation-1","status":"failed","status":"completed"}`, nil},
		"another generation":     {200, `{"id":"generation-2","status":"completed"}`, nil},
		"429":                    {429, "", nil},
		"401":                    {401, `{"error":"who are you, Bearer rph_live_secret"}`, nil},
		"500":                    {500, "oops", nil},
		"503":                    {503, "", nil},
		"302":                    {302, "", nil},
		"HTML":                   {200, "<html>ok</html>", nil},
		"empty":                  {200, "", nil},
		"cut off":                {200, `{"id":"generation-1","status":"comp`, nil},
		"endless":                {200, `{"id":"generation-1","status":"completed","x":"` + strings.Repeat("x", 300<<10), nil},
		"reset":                  {0, "", errors.New("connection reset")},
		"timed out":              {0, "", context.DeadlineExceeded},
		"key in an error's text": {0, "", errors.New("bad header: Bearer rph_live_secret")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "processing")
			client, err := creativeai.New("https://vendor.example", creativeai.WithTransport(transport(func() (*http.Response, error) {
				if tt.err != nil {
					return nil, tt.err
				}
				return &http.Response{StatusCode: tt.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(tt.body))}, nil
			})))
			if err != nil {
				t.Fatal(err)
			}
			account, err := creativeai.NewAccount(client, key{})
			if err != nil {
				t.Fatal(err)
			}
			b.vendor.answer = func(id string) (creativeai.Generation, error) { return account.Ask(t.Context(), id) }
			b.answers(b.input(time.Minute), wait())
			b.costs(1, 0, 1)
			if strings.Contains(b.log.String(), "rph_live_secret") {
				t.Errorf("the log holds the key:\n%s", b.log)
			}
		})
	}
}

// The loop waits as long as the settings say, slower from the third minute on,
// and ends itself when the next poll would be too late for Express.
func TestFault24_HandOver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		age  time.Duration
		want loop.Answer
	}{
		{-time.Minute, loop.Answer{WaitSeconds: 5}}, // clocks differ
		{0, loop.Answer{WaitSeconds: 5}},
		{3*time.Minute - 1, loop.Answer{WaitSeconds: 5}},
		{3 * time.Minute, loop.Answer{WaitSeconds: 15}},
		{4*time.Minute - 15*time.Second, loop.Answer{WaitSeconds: 15}},
		{4*time.Minute - 15*time.Second + 1, done()},
		{4 * time.Minute, done()},
		{time.Hour, done()},
	} {
		b := newBench(t, "processing")
		b.answers(b.input(tt.age), tt.want)
		b.costs(1, 0, 1)
		if b.job().State != job.Processing {
			t.Errorf("the job is %s", b.job().State)
		}
		// A verdict is taken at any age.
		b.vendor.answer = says("completed")
		b.answers(b.input(tt.age), done())
		if b.job().State != job.Completed {
			t.Errorf("at %v the verdict was not taken", tt.age)
		}
	}
}

// Waits are whole seconds, rounded up.
func TestWaitsRoundUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, "processing")
	s := settings()
	s.Every = 1200 * time.Millisecond
	h, err := poll.New(s, b.Deps)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.Handle(t.Context(), b.input(0)); err != nil || got.WaitSeconds != 2 {
		t.Errorf("answered %+v, %v", got, err)
	}
}

// Every stage that a loop may find its job in.
func TestEveryStage(t *testing.T) {
	t.Parallel()
	for _, stage := range jobtest.Stages(t, job.DefaultRules(), "j1") {
		if stage.Job.Version == 0 || stage.Job.Rejection {
			continue
		}
		t.Run(stage.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, stage.Name)
			in := b.input(time.Minute)
			switch stage.Name {
			case "queued": // attempt 1 was put back: this loop's acceptance contradicts that
				in.Attempt = 1
				b.answers(in, wait())
				if b.job().State != job.Processing {
					t.Errorf("the job is %s", b.job().State)
				}
			case "submitting", "unconfirmed": // submit could not store the acceptance
				b.answers(in, wait())
				b.costs(1, 1, 1)
				got := b.job()
				if got.State != job.Processing || got.GenerationID != in.GenerationID || *got.Acceptance.Credits != 41 ||
					!got.AcceptedAt.Equal(in.AcceptedAt) || got.Acceptance.ModelActual != "model-x" {
					t.Errorf("the job is %+v", got)
				}
			case "processing":
				b.answers(in, wait())
				b.costs(1, 0, 1)
			case "expired, never accepted", "expired, unconfirmed", "expired, published":
				b.answers(in, done())
				if stage.Job.Attempt == in.Attempt && b.job().GenerationID != in.GenerationID {
					t.Error("the id that the loop brought is lost")
				}
			default: // settled: done, and nothing is asked or written
				b.answers(in, done())
				if b.vendor.questions != 0 || !cmp.Equal(stage.Job, b.job()) {
					t.Errorf("%d questions; %s", b.vendor.questions, cmp.Diff(stage.Job, b.job()))
				}
			}
		})
	}
}

// The acceptance that submit could not store is stored, and its verdict in the same poll.
func TestFault03_AcceptanceFromTheLoop(t *testing.T) {
	t.Parallel()
	b := newBench(t, "unconfirmed")
	b.vendor.answer = says("completed")
	b.answers(b.input(time.Minute), done())
	b.costs(1, 2, 1)
	got := b.job()
	if got.State != job.Completed || got.Owed[0].Type != events.TypeAccepted || got.Owed[1].Type != events.TypeCompleted {
		t.Errorf("the job is %s and owes %+v", got.State, got.Owed)
	}
}

// A loop whose generation is not its job's ends, with an alarm, and changes nothing.
func TestAnothersGeneration(t *testing.T) {
	t.Parallel()
	b := newBench(t, "processing")
	in := b.input(time.Minute)
	in.GenerationID = "generation-2"
	b.answers(in, done())
	b.costs(1, 0, 0)
	if !strings.Contains(b.metrics.String(), env.MetricContradiction) || b.job().GenerationID != jobtest.GenerationID {
		t.Errorf("id %s, metrics %s", b.job().GenerationID, b.metrics)
	}
}

// The table cannot be read or written: wait and go on, nothing is lost.
func TestTableDown(t *testing.T) {
	t.Parallel()
	b := newBench(t, "processing")
	b.table.onGet = errAway
	b.answers(b.input(time.Minute), wait())
	b.costs(1, 0, 0)
	b.table.onGet, b.table.onPut = nil, errAway
	b.vendor.answer = says("completed")
	b.answers(b.input(time.Minute), wait())
	b.table.onPut = nil
	b.answers(b.input(time.Minute), done())
	if b.job().State != job.Completed {
		t.Errorf("the job is %s", b.job().State)
	}
	b = newBench(t, "submitting")
	b.table.onPut = errAway
	b.answers(b.input(time.Minute), wait())
	b.costs(1, 1, 0)
	b.answers(b.input(5*time.Minute), done()) // but Express does not wait
}

// A job that is not in the table, or whose record has ended, has no loop.
func TestNoJob(t *testing.T) {
	t.Parallel()
	b := newBench(t, "processing")
	in := b.input(time.Minute)
	in.JobID = "nobody"
	b.answers(in, done())
	b.now = b.now.Add(b.rules.RecordFor)
	b.answers(b.input(time.Minute), done())
}

// A callback settles the job while the vendor is asked: one verdict, the first.
func TestFault24_CallbackMeanwhile(t *testing.T) {
	t.Parallel()
	for _, first := range []job.State{job.Completed, job.Failed} {
		b := newBench(t, "processing")
		b.vendor.answer = func(id string) (creativeai.Generation, error) {
			if err := b.table.Settle(t.Context(), "j1", jobtest.Callback(first)); err != nil {
				t.Error(err)
			}
			return says("completed")(id)
		}
		b.answers(b.input(time.Minute), done())
		if got := b.job(); got.State != first || got.Result.Via != events.ViaCallback || len(got.Owed) != 2 {
			t.Errorf("the job is %s via %s and owes %d", got.State, got.Result.Via, len(got.Owed))
		}
		if contradicted := strings.Contains(b.metrics.String(), env.MetricContradiction); contradicted != (first == job.Failed) {
			t.Errorf("%s first: contradicted %v", first, contradicted)
		}
	}
}

// The verdict's write succeeded and its answer was lost: the next poll sees it.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	b := newBench(t, "processing")
	b.vendor.answer = says("completed")
	_, err := store.Transition(t.Context(), b.table.Table, b.rules, b.job(), job.Verdict{
		At: b.now, GenerationID: jobtest.GenerationID, State: job.Completed, Result: job.Result{Via: events.ViaPoll},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.answers(b.input(time.Minute), done())
	b.costs(1, 0, 0)
}

// A loop that does not say what to poll is an error that says what was missing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*loop.Input){
		"job_id":        func(in *loop.Input) { in.JobID = "" },
		"generation_id": func(in *loop.Input) { in.GenerationID = "" },
		"accepted_at":   func(in *loop.Input) { in.AcceptedAt = time.Time{} },
		"started_at":    func(in *loop.Input) { in.StartedAt = time.Time{} },
	} {
		b := newBench(t, "processing")
		in := b.input(time.Minute)
		spoil(&in)
		if _, err := b.Handle(t.Context(), in); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
		b.costs(0, 0, 0)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := newBench(t, "processing").Deps
	for name, spoil := range map[string]func(*poll.Settings, *poll.Deps){
		"no table":       func(_ *poll.Settings, d *poll.Deps) { d.Jobs = nil },
		"no vendor":      func(_ *poll.Settings, d *poll.Deps) { d.Vendor = nil },
		"no log":         func(_ *poll.Settings, d *poll.Deps) { d.Log = nil },
		"no clock":       func(_ *poll.Settings, d *poll.Deps) { d.Now = nil },
		"a hot loop":     func(s *poll.Settings, _ *poll.Deps) { s.Every = time.Millisecond },
		"faster later":   func(s *poll.Settings, _ *poll.Deps) { s.SlowEvery = time.Second },
		"no hand-over":   func(s *poll.Settings, _ *poll.Deps) { s.HandOverAfter = 0 },
		"past Express":   func(s *poll.Settings, _ *poll.Deps) { s.HandOverAfter = 5 * time.Minute },
		"broken promise": func(s *poll.Settings, _ *poll.Deps) { s.Rules.RecordFor = time.Hour },
	} {
		s, d := settings(), good
		spoil(&s, &d)
		if _, err := poll.New(s, d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := poll.New(settings(), good); err != nil {
		t.Error(fmt.Errorf("good settings: %w", err))
	}
}
