package webhook_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/webhook"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

// A callback in steady state: one write, no other call, 200.
func TestCallback(t *testing.T) {
	t.Parallel()
	body := example(t, "completed.json")
	b := newBench(t)
	b.warm()
	b.statusIs(request(t, goodPath, apiKey, body), 200)
	b.callsAre("settle")
	if b.vault.reads != 0 {
		t.Errorf("the secret was read %d times", b.vault.reads)
	}
	got := b.job("j1")
	want := &job.Result{
		OutputURL: new("https://cdn.example/v/generation-1.mp4"), CompletedAt: "2026-01-02T03:05:00Z", Via: events.ViaCallback,
		Charge: job.Charge{ModelActual: "kling-v3", Credits: new(int64(40)), FailoverUsed: new(false)},
	}
	if got.State != job.Completed || string(got.Callback) != string(body) || !cmp.Equal(want, got.Result) {
		t.Errorf("the job is %s, %s", got.State, cmp.Diff(want, got.Result))
	}
}

// The event header says "completed" of a failure too, and no header is signed:
// the body decides.
func TestBodyDecides(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := request(t, goodPath, apiKey, example(t, "failed.json"))
	r.Headers["x-creativeai-delivery-id"] = "generation-of-another"
	b.statusIs(r, 200)
	if got := b.job("j1"); got.State != job.Failed || got.Result.ErrorMessage != "the model gave up" {
		t.Errorf("the job is %s, %+v", got.State, got.Result)
	}
}

// Header names come in lower case from an HTTP API; they are found in any.
func TestHeaderInAnyCase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := request(t, goodPath, apiKey, example(t, "completed.json"))
	r.Headers = map[string]string{"X-CreativeAI-Signature": r.Headers["x-creativeai-signature"]}
	b.statusIs(r, 200)
}

// A name that differs only in case is another name; one that occurs twice is an error.
func TestFault15_OneRuleForNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.statusIs(request(t, goodPath, apiKey, []byte(`{"id":"generation-1","status":"completed","STATUS":"failed","Output_URL":"https://x"}`)), 200)
	if got := b.job("j1"); got.State != job.Completed || got.Result.OutputURL != nil {
		t.Errorf("the job is %s, %+v", got.State, got.Result)
	}
	b = newBench(t)
	b.statusIs(request(t, goodPath, apiKey, []byte(`{"id":"generation-1","status":"completed","status":"failed"}`)), 400)
	b.callsAre()
}

// Signed, and no generation: 400, and nothing is written.
func TestWrongShape(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"not JSON": "hello", "array": "[]", "null": "null", "empty": "", "no id": `{"status":"failed"}`,
		"no status": `{"id":"generation-1"}`, "status a number": `{"id":"generation-1","status":1}`,
		"id a number": `{"id":1,"status":"failed"}`, "empty id": `{"id":"","status":"failed"}`,
		"long id": `{"id":"` + strings.Repeat("g", 1025) + `","status":"failed"}`, "cut off": `{"id":"generation-1","status":"fai`,
		"deep": strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000),
	} {
		b := newBench(t)
		b.statusIs(request(t, goodPath, apiKey, []byte(body)), 400)
		b.callsAre()
		if strings.Count(b.log.String(), "ERROR") != 1 {
			t.Errorf("%s: the log says\n%s", name, b.log)
		}
	}
}

// Not finished yet: there is nothing to store, and nothing is.
func TestNoVerdict(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, status := range []string{"pending", "processing", "queued", "COMPLETED", "canceled"} {
		b.statusIs(request(t, goodPath, apiKey, []byte(`{"id":"generation-1","status":"`+status+`"}`)), 200)
	}
	b.callsAre()
}

// Every stage of a job's life, and both verdicts: what becomes of job and callback.
func TestEveryStage(t *testing.T) {
	t.Parallel()
	for _, stage := range jobtest.Stages(t, job.DefaultRules(), "j2") {
		if stage.Job.Version == 0 || stage.Job.Rejection {
			continue
		}
		for _, body := range []string{"completed.json", "failed.json"} {
			t.Run(stage.Name+"/"+body, func(t *testing.T) {
				t.Parallel()
				says := job.State(strings.TrimSuffix(body, ".json"))
				b := newBench(t)
				b.put(stage.Job)
				b.statusIs(request(t, "/webhooks/creativeai/j2/"+jobtest.Token, apiKey, example(t, body)), 200)
				switch got := b.job("j2"); {
				case stage.Job.State.AwaitsVerdict():
					b.callsAre("settle")
					if got.State != says || got.GenerationID != "generation-1" || got.Version != stage.Job.Version+1 {
						t.Errorf("the job is %s, %s, version %d", got.State, got.GenerationID, got.Version)
					}
				case stage.Job.State == says:
					b.callsAre("settle")
				default: // what it contradicts stands
					b.callsAre("settle", "quarantine")
				}
				if got := b.job("j2"); !stage.Job.State.AwaitsVerdict() && !cmp.Equal(stage.Job, got) {
					t.Errorf("the job was touched: %s", cmp.Diff(stage.Job, got))
				}
			})
		}
	}
}

// Three tries at once, and the same one seven days later: one event, 200 each.
func TestFault17_Repeats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := request(t, goodPath, apiKey, example(t, "completed.json"))
	before := len(b.job("j1").Owed)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { b.statusIs(r, 200) })
	}
	group.Wait()
	b.wait(7 * 24 * time.Hour)
	b.statusIs(r, 200)
	b.callsAre("settle", "settle", "settle", "settle")
	if got := b.job("j1"); len(got.Owed) != before+1 || got.Owed[before].Type != events.TypeCompleted {
		t.Errorf("owed are %+v", got.Owed)
	}
}

// The opposite of what stands: the first verdict stands, the second is in
// quarantine, raw, and an alarm goes off. Come again, it is counted.
func TestFault18_Contradiction(t *testing.T) {
	t.Parallel()
	for _, order := range [][2]string{{"completed.json", "failed.json"}, {"failed.json", "completed.json"}} {
		b := newBench(t)
		b.statusIs(request(t, goodPath, apiKey, example(t, order[0])), 200)
		first := b.job("j1")
		for range 2 {
			b.statusIs(request(t, goodPath, apiKey, example(t, order[1])), 200)
		}
		if !cmp.Equal(first, b.job("j1")) {
			t.Errorf("the first verdict does not stand: %s", cmp.Diff(first, b.job("j1")))
		}
		held := b.table.Quarantined()
		if len(held) != 1 || !b.counted(env.MetricQuarantined) {
			t.Errorf("%d in quarantine, metrics: %s", len(held), b.metrics)
		}
		for _, q := range held {
			if string(q.Body) != string(example(t, order[1])) || q.Path != goodPath || q.Seen != 2 || !strings.Contains(q.Reason, "contradicts") {
				t.Errorf("in quarantine: %+v", q)
			}
		}
	}
}

// The table refuses all three tries: 503 each time, never a 2xx before the write.
func TestFault19_TableDown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.table.down = errors.New("ProvisionedThroughputExceeded")
	r := request(t, goodPath, apiKey, example(t, "completed.json"))
	for range 3 {
		b.statusIs(r, 503)
	}
	b.callsAre("settle", "settle", "settle")
	b.statusIs(request(t, "/webhooks/creativeai/unknown", apiKey, example(t, "completed.json")), 503)
	if b.counted(env.MetricQuarantined) || len(b.table.Quarantined()) != 0 {
		t.Error("something is in quarantine, and cannot be")
	}
}

// What is signed and means no job, or not this one, goes into quarantine; no job moves.
func TestFault21_Misdirected(t *testing.T) {
	t.Parallel()
	const token = jobtest.Token
	for name, path := range map[string]string{
		"unknown job":          "/webhooks/creativeai/nobody/" + token,
		"another job's path":   "/webhooks/creativeai/j2/token-of-j2",
		"wrong token":          "/webhooks/creativeai/j1/another-token",
		"token in upper case":  "/webhooks/creativeai/j1/" + strings.ToUpper(token),
		"no token":             "/webhooks/creativeai/j1",
		"no token, slash":      "/webhooks/creativeai/j1/",
		"nothing":              "/webhooks/creativeai/",
		"trailing slash":       goodPath + "/",
		"two trailing slashes": goodPath + "//",
		"more behind":          goodPath + "/more",
		"two slashes":          "/webhooks/creativeai/j1//" + token,
		"dots":                 "/webhooks/creativeai/../creativeai/j1/" + token,
		"dots in front":        "/webhooks/../webhooks/creativeai/j1/" + token,
		"dots behind":          goodPath + "/../" + token,
		"escaped slash":        "/webhooks/creativeai/j1%2F" + token,
		"escaped letter":       "/webhooks/creativeai/%6A1/" + token,
		"query":                goodPath + "?x=1",
		"another prefix":       "/webhooks/other/j1/" + token,
		"no leading slash":     goodPath[1:],
		"long":                 "/webhooks/creativeai/" + strings.Repeat("j", 65) + "/" + token,
		"key of the table":     "/webhooks/creativeai/job#j1/" + token,
		"empty path":           "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j2 := jobtest.At(t, b.rules, "j2", "processing")
			j2.Token, j2.GenerationID = "token-of-j2", "generation-2"
			b.put(j2)
			before := b.table.Jobs()
			b.statusIs(request(t, path, apiKey, example(t, "completed.json")), 200)
			if !cmp.Equal(before, b.table.Jobs()) {
				t.Errorf("a job moved: %s", cmp.Diff(before, b.table.Jobs()))
			}
			if len(b.table.Quarantined()) != 1 || !b.counted(env.MetricQuarantined) {
				t.Errorf("%d in quarantine; metrics: %s", len(b.table.Quarantined()), b.metrics)
			}
		})
	}
}

// A generation that is not the job's, on the right path.
func TestFault21_UnknownGeneration(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.statusIs(request(t, goodPath, apiKey, []byte(`{"id":"generation-9","status":"completed"}`)), 200)
	b.callsAre("settle", "quarantine")
	if b.job("j1").State != job.Processing {
		t.Errorf("the job is %s", b.job("j1").State)
	}
}

// A job whose record has ended, whether or not it is deleted yet.
func TestFault21_RecordEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.wait(b.rules.RecordFor)
	b.statusIs(request(t, goodPath, apiKey, example(t, "completed.json")), 200)
	b.callsAre("settle", "quarantine")
}

// An API with a stage of its own has it in front of the path.
func TestStageInThePath(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.statusIs(request(t, "/prod"+goodPath, apiKey, example(t, "completed.json")), 200)
	if b.job("j1").State != job.Completed {
		t.Errorf("the job is %s", b.job("j1").State)
	}
}

// No log line holds a key, a signature, a token or a prompt.
func TestLogsKeepSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, body := range []string{"completed.json", "failed.json", "request.json"} {
		for _, key := range []string{apiKey, previousKey, "another"} {
			for _, path := range []string{goodPath, goodPath + "/", "/webhooks/creativeai/j9/" + jobtest.Token} {
				r := request(t, path, key, example(t, body))
				if _, err := b.Handle(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, secret := range []string{"rph_live", "sha256=", sign(apiKey, example(t, "completed.json"))[7:], jobtest.Token, "lighthouse"} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, b.log)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := newBench(t).Deps
	for name, spoil := range map[string]func(*webhook.Deps){
		"no table": func(d *webhook.Deps) { d.Jobs = nil },
		"no keys":  func(d *webhook.Deps) { d.Keys = nil },
		"no log":   func(d *webhook.Deps) { d.Log = nil },
		"no clock": func(d *webhook.Deps) { d.Now = nil },
	} {
		d := good
		spoil(&d)
		if _, err := webhook.New(d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
