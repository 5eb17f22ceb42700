package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/archive"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store/memory"
	"github.com/clipqueue/clipqueue/shared/videos"
	"github.com/clipqueue/clipqueue/shared/videos/s3test"
)

// world is the function among real neighbours: the downloader and the bucket's
// client over sockets, the table in memory. The queue notes how long a message
// shall stay away.
type world struct {
	t        *testing.T
	settings archive.Settings
	clock    func() time.Time
	table    *table
	bucket   *s3test.Server
	// vendor serves the video; handler can be set before the first event.
	vendor  *httptest.Server
	handler http.HandlerFunc

	mu     sync.Mutex
	gets   int
	delays []time.Duration
	// delayed is what the queue answers.
	delayed error
}

// created is when the job was: another day than that of its archiving.
func created() time.Time { return time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC) }

// now is when the function runs.
func now() time.Time { return time.Date(2026, 11, 24, 0, 1, 0, 0, time.UTC) }

func newWorld(t *testing.T, options ...s3test.Option) *world {
	t.Helper()
	w := &world{t: t, clock: now, bucket: s3test.New(t, options...), handler: serve(fake.SmallVideo())}
	w.settings = archive.Settings{Rules: job.DefaultRules(), Timeout: time.Minute}
	w.table = &table{Table: memory.New(w.settings.Rules, now, nil)}
	w.vendor = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.gets++
		w.mu.Unlock()
		w.handler(rw, r)
	}))
	t.Cleanup(w.vendor.Close)
	return w
}

func serve(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}

// answer is a vendor that answers with this status.
func answer(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// completed puts a job into the table whose video is made, and is to be archived.
func (w *world) completed(id, link string) job.Job {
	w.t.Helper()
	rules := w.settings.Rules
	j := rules.New(job.Origin{ID: id, Token: "token", PayloadHash: "hash", Metadata: `{"order":1}`, At: created(), EnqueuedAt: created()})
	var problem string
	if link == "" {
		problem = "the vendor gave no output_url"
	}
	for _, f := range []job.Fact{
		job.Claim{At: created(), ID: "claim", PayloadHash: "hash"},
		job.Accept{At: created(), Attempt: 1, GenerationID: "gen_1"},
		job.Verdict{At: created().Add(30 * time.Second), GenerationID: "gen_1", State: job.Completed, Result: job.Result{
			OutputURL: &link, OutputURLProblem: problem, Via: events.ViaPoll,
		}},
	} {
		var err error
		if j, err = rules.Apply(j, f); err != nil {
			w.t.Fatal(err)
		}
	}
	j = rules.Published(j, created().Add(31*time.Second))
	if err := w.table.Table.Put(w.t.Context(), j, job.Job{}); err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) handlerOf() *archive.Handler {
	w.t.Helper()
	f, err := videos.NewFetcher(videos.Settings{MaxBytes: 1 << 20, TrustedOrigin: w.vendor.URL, Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := videos.NewBucket(s3test.Client(w.bucket.URL), s3test.Bucket)
	if err != nil {
		w.t.Fatal(err)
	}
	h, err := archive.New(w.settings, archive.Deps{
		Jobs: w.table, Videos: f, Bucket: b, Queue: w, Now: w.clock,
		Log: slog.New(slog.DiscardHandler), Random: func() float64 { return 0 },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// Delay is the queue's.
func (w *world) Delay(_ context.Context, _ string, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delays = append(w.delays, d)
	return w.delayed
}

// receive hands the function a message for the n-th time, and says whether it goes back.
func (w *world) receive(body string, n int) (back bool) {
	w.t.Helper()
	response, err := w.handlerOf().Handle(w.t.Context(), batch(n, body))
	if err != nil {
		w.t.Fatal(err)
	}
	if response.BatchItemFailures == nil {
		w.t.Error("the list of failures is null, which breaks the queue's mapping")
	}
	return len(response.BatchItemFailures) > 0
}

func batch(receives int, bodies ...string) lambda.SQSEvent {
	var b lambda.SQSEvent
	for i, body := range bodies {
		b.Records = append(b.Records, lambda.SQSMessage{
			MessageId: fmt.Sprintf("message-%d", i), ReceiptHandle: "receipt", Body: body,
			Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(receives)},
		})
	}
	return b
}

// event is a "completed" event as it arrives on the queue.
func event(id string) string {
	return `{"version":"0","id":"1","detail-type":"Video Generation Completed","source":"clipqueue","detail":{"metadata":{"job_id":"` +
		id + `","event_id":"` + id + `:1:3"},"data":{"output_url":"https://not.this.one.example.com/"}}}`
}

// job reads a job back.
func (w *world) job(id string) job.Job {
	w.t.Helper()
	return w.table.Jobs()[job.Key(id)]
}

// wantOwed checks which events are owed, in order.
func (w *world) wantOwed(id string, want ...events.DetailType) {
	w.t.Helper()
	owed := w.job(id).Owed
	got := make([]events.DetailType, len(owed))
	for i := range owed {
		got[i] = owed[i].Type
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("%q are owed, want %q", got, want)
	}
}

// table fails where the test wants it.
type table struct {
	*memory.Table
	get, put error
	// lost says that a failing write is carried out all the same.
	lost bool
}

func (t *table) Get(ctx context.Context, key string) (job.Job, error) {
	if t.get != nil {
		return job.Job{}, t.get
	}
	return t.Table.Get(ctx, key)
}

func (t *table) Put(ctx context.Context, next, prev job.Job) error {
	if t.put == nil || t.lost {
		if err := t.Table.Put(ctx, next, prev); err != nil {
			return err
		}
	}
	return t.put
}
