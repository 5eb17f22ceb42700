package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/clipqueue/clipqueue/functions/webhook"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/keys"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

const (
	apiKey      = "rph_live_current"
	previousKey = "rph_live_previous"
	// goodPath is the path of the callback of j1, as in testdata/request.json.
	goodPath = "/webhooks/creativeai/j1/" + jobtest.Token
)

// bench is the function over a table in memory, and the real source of keys over
// a vault by hand. j1 is a job that waits for its verdict.
type bench struct {
	*webhook.Handler
	t       testing.TB
	mu      sync.Mutex
	now     time.Time
	rules   job.Rules
	table   *table
	vault   *vault
	log     *bytes.Buffer
	metrics *bytes.Buffer
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{
		t: tb, now: jobtest.Epoch().Add(jobtest.SettledAfter), rules: job.DefaultRules(), log: &bytes.Buffer{}, metrics: &bytes.Buffer{},
		vault: &vault{values: map[string]string{"AWSCURRENT": apiKey, "AWSPREVIOUS": previousKey}},
	}
	b.table = &table{Table: memory.New(b.rules, b.clock, nil)}
	b.put(jobtest.At(tb, b.rules, "j1", "processing"))
	b.table.calls = nil
	source, err := keys.New(b.vault, "clipqueue/key", b.clock)
	if err != nil {
		tb.Fatal(err)
	}
	b.Handler = b.with(source)
	return b
}

// source is where the function has its keys from.
type source interface {
	Pair(ctx context.Context) (current, previous string, err error)
	Refresh(ctx context.Context) error
}

func (b *bench) with(s source) *webhook.Handler {
	b.t.Helper()
	h, err := webhook.New(webhook.Deps{
		Jobs: b.table, Keys: s, Log: slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: metric.New(b.metrics, "test", b.clock), Now: b.clock,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) wait(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bench) put(j job.Job) {
	b.t.Helper()
	if err := b.table.Put(b.t.Context(), j, job.Job{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) job(id string) job.Job {
	b.t.Helper()
	j, ok := b.table.Jobs()[job.Key(id)]
	if !ok {
		b.t.Fatalf("there is no job %s", id)
	}
	return j
}

// statusIs makes the request and checks the answer's status, and that its body is the one for that status.
func (b *bench) statusIs(r lambda.APIGatewayV2HTTPRequest, want int) {
	b.t.Helper()
	answer, err := b.Handle(b.t.Context(), r)
	if err != nil {
		b.t.Fatal(err)
	}
	body := map[int]string{
		200: `{"received":true}`, 400: `{"error":"bad request"}`, 401: `{"error":"unauthorized"}`,
		413: `{"error":"request entity too large"}`, 503: `{"error":"service unavailable"}`,
	}[answer.StatusCode]
	if answer.StatusCode != want || answer.Body != body || answer.Headers["content-type"] != "application/json" {
		b.t.Errorf("answered %d %s %v, want %d; the log says\n%s", answer.StatusCode, answer.Body, answer.Headers, want, b.log)
	}
}

// callsAre checks which calls the table got.
func (b *bench) callsAre(want ...string) {
	b.t.Helper()
	if got := strings.Join(b.table.calls, " "); got != strings.Join(want, " ") {
		b.t.Errorf("the table got %q, want %q", got, want)
	}
}

// counted says whether a metric was written.
func (b *bench) counted(name string) bool {
	return strings.Contains(b.metrics.String(), `"`+name+`":1`)
}

// request is a callback with this body, signed with a key, as API Gateway hands it over.
func request(tb testing.TB, path, key string, body []byte) lambda.APIGatewayV2HTTPRequest {
	tb.Helper()
	var r lambda.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(example(tb, "request.json"), &r); err != nil {
		tb.Fatal(err)
	}
	r.RawPath, r.RequestContext.HTTP.Path, r.Body = path, path, string(body)
	r.Headers["x-creativeai-signature"] = sign(key, body)
	return r
}

// inBase64 is how API Gateway hands over a body that is not text.
func inBase64(r lambda.APIGatewayV2HTTPRequest) lambda.APIGatewayV2HTTPRequest {
	r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(r.Body)), true
	return r
}

func example(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// sign is the vendor's signature, by its documentation and not by our code.
func sign(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// table counts its calls, and fails when it is told to.
type table struct {
	*memory.Table
	mu    sync.Mutex
	calls []string
	down  error
}

func (t *table) call(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, name)
	return t.down
}

func (t *table) Settle(ctx context.Context, id string, v job.Verdict) error {
	if err := t.call("settle"); err != nil {
		return err
	}
	return t.Table.Settle(ctx, id, v)
}

func (t *table) Quarantine(ctx context.Context, q store.Quarantined) error {
	if err := t.call("quarantine"); err != nil {
		return err
	}
	return t.Table.Quarantine(ctx, q)
}

// vault is a Secrets Manager that holds one secret.
type vault struct {
	mu     sync.Mutex
	values map[string]string // by stage
	down   bool
	reads  int
}

func (v *vault) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads++
	value, ok := v.values[aws.ToString(in.VersionStage)]
	switch {
	case v.down:
		return nil, errors.New("Secrets Manager is away")
	case !ok:
		return nil, &types.ResourceNotFoundException{}
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

// rotate puts a new key, as Secrets Manager moves the old one back.
func (v *vault) rotate(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if current, ok := v.values["AWSCURRENT"]; ok {
		v.values["AWSPREVIOUS"] = current
	}
	v.values["AWSCURRENT"] = key
}

// warm lets the function read the keys, and forgets that it did.
func (b *bench) warm() {
	b.t.Helper()
	r := request(b.t, goodPath, apiKey, []byte(`{"id":"generation-1","status":"processing"}`))
	if answer, err := b.Handle(b.t.Context(), r); err != nil || answer.StatusCode != 200 {
		b.t.Fatalf("warming up: %d, %v", answer.StatusCode, err)
	}
	b.vault.reads = 0
}
