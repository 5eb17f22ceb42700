package functions_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/keys"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
	"github.com/clipqueue/clipqueue/shared/videos"
	"github.com/clipqueue/clipqueue/shared/videos/s3test"
)

// billed is an account that counts what AWS charges for, by service and operation.
type billed struct {
	t   *testing.T
	now time.Time

	mu     sync.Mutex // the parts of an upload come side by side
	counts map[string]float64

	rules  job.Rules
	table  *memory.Table
	rows   map[string]job.Job
	stream []job.Job
	loops  []loop.Input
	videos []string
	keys   *keys.Source
	bucket *videos.Bucket
	// status is what the vendor says of its one generation.
	status string
}

func newBilled(t *testing.T, archived bool) *billed {
	t.Helper()
	b := &billed{
		t: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), counts: map[string]float64{},
		rules: job.DefaultRules(), rows: map[string]job.Job{}, status: "pending",
	}
	b.rules.Archive = archived
	b.table = memory.New(b.rules, b.clock, b.changed)
	b.keys = must(keys.New(billedSecret{b}, "secret", b.clock))
	if archived {
		server := s3test.New(t, s3test.Discard(), s3test.Faults(func(operation string) s3test.Fault {
			b.charge(map[bool]string{true: "S3 GET", false: "S3 PUT"}[strings.HasPrefix(operation, "Get")], 1)
			return s3test.Fault{}
		}))
		b.bucket = must(videos.NewBucket(s3test.Client(server.URL), s3test.Bucket))
	}
	return b
}

func (b *billed) clock() time.Time { return b.now }

func (b *billed) charge(what string, n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[what] += n
}

// warm has the functions know the key: they read it anew for many jobs at once.
func (b *billed) warm() {
	b.t.Helper()
	if _, _, err := b.keys.Pair(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	delete(b.counts, "Secrets Manager request")
}

func (b *billed) log() *slog.Logger { return slog.New(slog.DiscardHandler) }

// account is the vendor as a function reaches it, whose answers cost nothing.
func (b *billed) account() *creativeai.Account {
	client := must(creativeai.New("https://vendor.example", creativeai.WithTransport(billedVendor{b}), creativeai.WithClock(b.clock)))
	return must(creativeai.NewAccount(client, b.keys))
}

// generation is the vendor's one generation as JSON.
func (b *billed) generation() []byte {
	g := map[string]any{"id": "gen_7f3a9c51d2e84b06", "status": b.status, "model": "kling-v3", "model_actual": "kling-v3", "credits": 50, "failover_used": false}
	if b.status == "completed" {
		g["output_url"] = "https://cdn.creativeai.example/videos/2026/11/24/gen_7f3a9c51d2e84b06.mp4"
		g["completed_at"] = b.now.Format(time.RFC3339)
	}
	return must(json.Marshal(g))
}

type billedVendor struct{ b *billed }

func (v billedVendor) RoundTrip(r *http.Request) (*http.Response, error) {
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusAccepted
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(v.b.generation()))),
	}, nil
}

type billedSecret struct{ b *billed }

func (s billedSecret) GetSecretValue(
	context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	s.b.charge("Secrets Manager request", 1)
	value := firstKey
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

// changed counts the units of a write: the row's larger image, and each index
// whose entry it makes, moves or takes away. It stands for the stream, too,
// whose reading by Lambda is free.
func (b *billed) changed(j job.Job) {
	old, known := b.rows[j.Key()]
	units := chunks(rowSize(b.t, j), 1024)
	if known {
		units = max(units, chunks(rowSize(b.t, old), 1024))
	} else {
		units++ // the entry in the index "created", which stays as it is
	}
	if !old.DueAt.Equal(j.DueAt) {
		for _, due := range []time.Time{old.DueAt, j.DueAt} {
			if !due.IsZero() {
				units++ // an entry of the index "due" is taken away, or made
			}
		}
	}
	b.charge("DynamoDB write unit", units)
	b.rows[j.Key()] = j
	if len(j.Owed) > 0 {
		b.stream = append(b.stream, j)
	}
}

func chunks(bytes, each int) float64 { return float64((bytes + each - 1) / each) }

// rowSize is the size of a job's row in bytes by DynamoDB's rules: names and
// values, and what lists and maps add
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
func rowSize(t *testing.T, j job.Job) int {
	t.Helper()
	var row map[string]map[string]any
	if err := json.Unmarshal(must(store.EncodeImage(j)), &row); err != nil {
		t.Fatal(err)
	}
	size := 0
	for name, value := range row {
		size += len(name) + valueSize(value)
	}
	return size
}

func valueSize(value map[string]any) (size int) {
	for kind, v := range value {
		switch v := v.(type) {
		case string:
			switch kind {
			case "N":
				size += (len(v)+1)/2 + 1
			case "B":
				size += len(v) * 3 / 4
			default:
				size += len(v)
			}
		case []any:
			size += 3
			for _, element := range v {
				size += 1 + valueSize(element.(map[string]any)) //nolint:forcetypeassert // DynamoDB's JSON
			}
		case map[string]any:
			size += 3
			for name, element := range v {
				size += 1 + len(name) + valueSize(element.(map[string]any)) //nolint:forcetypeassert // DynamoDB's JSON
			}
		default:
			size++
		}
	}
	return size
}

// billedTable counts calls; no write of a path without faults may fail.
type billedTable struct{ b *billed }

func (t billedTable) wrote(err error) error {
	t.b.t.Helper()
	t.b.charge("DynamoDB write", 1)
	if err != nil {
		t.b.t.Errorf("a write failed, whose units are not counted: %v", err)
	}
	return err
}

func (t billedTable) Get(ctx context.Context, key string) (job.Job, error) {
	j, err := t.b.table.Get(ctx, key)
	t.b.charge("DynamoDB read", 1)
	t.b.charge("DynamoDB read unit", chunks(rowSize(t.b.t, j), 4096))
	return j, err
}

func (t billedTable) Put(ctx context.Context, next, prev job.Job) error {
	return t.wrote(t.b.table.Put(ctx, next, prev))
}

func (t billedTable) Settle(ctx context.Context, id string, v job.Verdict) error {
	return t.wrote(t.b.table.Settle(ctx, id, v))
}

func (t billedTable) Due(ctx context.Context, shard int, at time.Time, limit int) ([]store.Due, error) {
	t.b.charge("DynamoDB query", 1)
	t.b.charge("DynamoDB read unit", 0.5) // eventually consistent, less than 4 KB
	return t.b.table.Due(ctx, shard, at, limit)
}

func (t billedTable) Quarantine(context.Context, store.Quarantined) error {
	return errors.New("a callback went into quarantine")
}

// billedQueue counts what the functions themselves ask of SQS.
type billedQueue struct{ b *billed }

func (q billedQueue) Send(context.Context, string) error {
	q.b.charge("SQS request", 1)
	return nil
}

func (q billedQueue) Delay(context.Context, string, time.Duration) error {
	q.b.charge("SQS request", 1)
	return nil
}

type billedLoops struct{ b *billed }

func (l billedLoops) Start(_ context.Context, in loop.Input) error {
	l.b.charge("Step Functions request", 1)
	in.StartedAt = l.b.now
	l.b.loops = append(l.b.loops, in)
	return nil
}

type billedBus struct{ b *billed }

// Put charges for chunks of 64 KB. The rule that feeds the archive's queue is
// free, what it sends to the queue is not.
func (p billedBus) Put(_ context.Context, entries []bus.Entry) ([]error, error) {
	for _, e := range entries {
		p.b.charge("EventBridge event", chunks(len(e.Detail), 64<<10))
		if e.DetailType == events.TypeCompleted && p.b.rules.Archive {
			p.b.charge("SQS request", 1)
			p.b.videos = append(p.b.videos, string(must(json.Marshal(events.Envelope[json.RawMessage]{
				Source: events.Source, DetailType: e.DetailType, Time: e.Time, Detail: rawEvent(e.Detail),
			}))))
		}
	}
	return make([]error, len(entries)), nil
}

// videoBytes is the size of the video that is archived.
const videoBytes = 20 << 20

type billedDownload struct{}

func (billedDownload) Fetch(context.Context, string) (*videos.Video, error) {
	return videos.AtHand("video/mp4", ".mp4", make([]byte, videoBytes)), nil
}

// batch hands a message over as the mapping does: a receive and a delete of its own.
func (b *billed) batch(id, body string) lambda.SQSEvent {
	b.charge("SQS request", 2)
	return lambda.SQSEvent{Records: []lambda.SQSMessage{{
		MessageId: id, ReceiptHandle: id, Body: body, Attributes: map[string]string{"ApproximateReceiveCount": "1"},
	}}}
}
