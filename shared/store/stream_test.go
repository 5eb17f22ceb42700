package store_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// TestImageKeepsEveryField: a row has room for all of a job, also for what is added to it tomorrow.
func TestImageKeepsEveryField(t *testing.T) {
	t.Parallel()
	roundTrip(t, jobtest.Full(t))
}

func TestImageKeepsEveryStage(t *testing.T) {
	t.Parallel()
	for _, s := range jobtest.Stages(t, job.DefaultRules(), "job-1") {
		if s.Job.Version > 0 {
			roundTrip(t, s.Job)
		}
	}
}

func roundTrip(t *testing.T, j job.Job) {
	t.Helper()
	image, err := store.EncodeImage(j)
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.DecodeImage(image)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(j, got); diff != "" {
		t.Errorf("%s, written and read (-want +got):\n%s", j.State, diff)
	}
}

// TestDecodeImageSettledByCallback reads a row as a callback leaves it: that
// write reads nothing, so its step and its event have the row's own version.
func TestDecodeImageSettledByCallback(t *testing.T) {
	t.Parallel()
	image, err := os.ReadFile("testdata/settled_by_callback.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.DecodeImage(image)
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	accepted, settled := created.Add(2*time.Second), created.Add(time.Minute)
	want := job.Job{
		ID: "shot-7", State: job.Completed, Version: 3, Token: "t0k3n", Request: `{"prompt":"a lighthouse"}`,
		PayloadHash: "9f86d081", Model: "auto", Metadata: `{"shot":7}`, Delivery: events.DeliveryWebhook,
		CreatedAt: created, EnqueuedAt: created.Add(-time.Second),
		Attempt: 1, ClaimID: "c1", ClaimedAt: created, ClaimUntil: created.Add(90 * time.Second),
		GenerationID: "gen-1", AcceptedAt: accepted,
		Acceptance: job.Charge{ModelActual: "model-x", Credits: new(int64(40)), FailoverUsed: new(false)},
		Result: &job.Result{
			OutputURL: new("https://cdn.example/video.mp4"), Charge: job.Charge{ModelActual: "model-x", Credits: new(int64(0))},
			CompletedAt: "2026-01-02T03:05:05Z", Via: events.ViaCallback,
		},
		Callback: []byte(`{"status":"completed"}`), SettledAt: settled, Archive: job.Archive{State: job.ArchivePending},
		History: []job.Step{
			{Version: 1, State: job.Submitting, At: created, Why: "claimed, attempt 1"},
			{Version: 2, State: job.Processing, At: accepted, Why: "accepted by the vendor, as gen-1"},
			{Version: 3, State: job.Completed, At: settled, Why: "verdict of the vendor, by callback"},
		},
		Owed: []job.Owed{
			{Version: 2, Type: events.TypeAccepted, At: accepted},
			{Version: 3, Type: events.TypeCompleted, At: settled},
		},
		DueAt: created.Add(5 * time.Minute), ExpiresAt: time.Date(2026, 2, 16, 3, 5, 5, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeImageRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ image, says string }{
		"nothing":           {``, "stream image"},
		"no JSON":           {`{`, "stream image"},
		"an array":          {`[]`, "stream image"},
		"null":              {`null`, "stream image"},
		"no attributes":     {`{}`, "is not a job's row"},
		"a quarantined":     {`{"pk":{"S":"quarantine#00"},"version":{"N":"1"}}`, `"quarantine#00"`},
		"no version":        {`{"pk":{"S":"job#a"},"state":{"S":"queued"}}`, `"job#a"`},
		"no prefix":         {`{"pk":{"S":"job"},"version":{"N":"1"}}`, `"job"`},
		"not a number":      {`{"pk":{"S":"job#a"},"version":{"N":"one"}}`, "decode"},
		"too large":         {`{"pk":{"S":"job#a"},"version":{"N":"1e400"}}`, "decode"},
		"bad base64":        {`{"pk":{"S":"job#a"},"callback":{"B":"%"}}`, "stream image"},
		"the same twice":    {`{"pk":{"S":"job#a"},"pk":{"S":"job#b"},"version":{"N":"1"}}`, "duplicate"},
		"another type":      {`{"pk":{"S":"job#a"},"version":{"N":"1"},"history":{"S":"x"}}`, "decode"},
		"a number as such":  {`{"pk":{"S":"job#a"},"version":{"N":1}}`, "stream image"},
		"a lower-case type": {`{"pk":{"s":"job#a"},"version":{"N":"1"}}`, "no known type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, err := store.DecodeImage([]byte(tc.image))
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%+v, %v: want an error that says %q", j, err, tc.says)
			}
		})
	}
}

// FuzzDecodeImage: no image makes it panic, and what it reads is written and
// read again as the same job.
func FuzzDecodeImage(f *testing.F) {
	example, err := os.ReadFile("testdata/settled_by_callback.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add(bytes.ReplaceAll(example, []byte(`"M"`), []byte(`"L"`)))
	f.Add([]byte(`{"pk":{"S":"rejection#m"},"version":{"N":"-1"},"history":{"L":[{"NULL":true}]},"result":{"M":{}}}`))
	for _, s := range append(jobtest.Stages(f, job.DefaultRules(), "job-1"), jobtest.Stage{Job: jobtest.Full(f)}) {
		image, err := store.EncodeImage(s.Job)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(image)
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		j, err := store.DecodeImage(image)
		if err != nil {
			return
		}
		again, err := store.EncodeImage(j)
		if err != nil {
			t.Fatalf("a job that was read cannot be written: %v", err)
		}
		got, err := store.DecodeImage(again)
		if diff := cmp.Diff(j, got); err != nil || diff != "" {
			t.Fatalf("read, written and read again: %v (-want +got):\n%s", err, diff)
		}
	})
}
