package publish_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/publish"
	"github.com/clipqueue/clipqueue/shared/job"
)

const metadata = `{"customer":"c-7","order":{"id":1042,"lines":[1,2]}}`

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

// order is the job of the published examples, before its verdict.
func order(owed ...job.Owed) job.Job {
	return job.Job{
		ID: "order-1042-clip-1", State: job.Processing, Version: 2, Model: "kling-v3", Metadata: metadata,
		CreatedAt: at("2026-11-25T15:45:00.412Z"), GenerationID: "gen_7f3a9c21",
		Acceptance: job.Charge{ModelActual: "kling-v3", Credits: new(int64(12)), FailoverUsed: new(false)},
		Owed:       owed,
	}
}

const outputURL = "https://cdn.example.com/videos/gen_7f3a9c21.mp4?expires=1795727218"

func done(owed ...job.Owed) job.Job {
	j := order(owed...)
	j.State = job.Completed
	j.Result = &job.Result{
		OutputURL: new(outputURL), CompletedAt: "2026-11-25T15:46:57Z", Via: events.ViaCallback,
		Charge: job.Charge{ModelActual: "seedance-1.5-pro", Credits: new(int64(12)), FailoverUsed: new(true)},
	}
	return j
}

func failedJob() job.Job {
	j := order(job.Owed{Version: 3, Type: events.TypeFailed, At: at("2026-11-25T15:46:58.25Z")})
	j.Result = &job.Result{
		ErrorMessage: "the prompt was blocked by the provider's content filter", CompletedAt: "2026-11-25T15:46:57Z",
		Via: events.ViaPoll, Charge: job.Charge{ModelActual: "kling-v3", Credits: new(int64(0)), FailoverUsed: new(false)},
	}
	return j
}

func rejection() job.Job {
	return job.Job{
		ID: "059f36b4-87a3-44ab-83d2-661975830a7d", Rejection: true, State: job.Rejected, Version: 1,
		Metadata: metadata, CreatedAt: at("2026-11-25T15:45:00.412Z"),
		Reason: job.Reason{
			Code: events.CodeInvalid, Field: "duration", ClaimedJobID: "order-1042-clip-2",
			Message: "duration is \"5s\", a string: write the seconds as a whole number, such as 5",
		},
		Owed: []job.Owed{{Version: 1, Type: events.TypeRejected, At: at("2026-11-25T15:45:00.412Z")}},
	}
}

func expiry() job.Owed {
	return job.Owed{
		Version: 4, Type: events.TypeExpired, At: at("2026-11-25T16:45:01.038Z"), Stage: job.Processing, MayBeCharged: true,
		Message: "the vendor accepted the prompt and gave no verdict by the deadline; it may have charged for it, and is asked again later",
	}
}

func archivedJob() job.Job {
	j := done(job.Owed{Version: 4, Type: events.TypeArchived, At: at("2026-11-25T15:47:04.9Z")})
	j.Archive = job.Archive{
		State: job.ArchiveStored, Bucket: "clipqueue-archive-111122223333",
		Key: "videos/2026/11/25/order-1042-clip-1/gen_7f3a9c21.mp4", Size: 4183290,
		SHA256: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", ContentType: "video/mp4",
		URL: "https://clipqueue-archive-111122223333.s3.eu-central-1.amazonaws.com/" +
			"videos/2026/11/25/order-1042-clip-1/gen_7f3a9c21.mp4?X-Amz-Expires=604800",
		URLExpiresAt: at("2026-12-02T15:47:04Z"),
	}
	return j
}

func archiveFailedJob() job.Job {
	j := done(job.Owed{Version: 4, Type: events.TypeArchiveFailed, At: at("2026-11-25T15:47:04.9Z")})
	j.Archive = job.Archive{
		State: job.ArchiveFailed, Code: "not_found", Message: "the vendor answered 404 to the download: the link has ended",
	}
	return j
}

// What consumers are shown in events/testdata is what is published.
func TestEntriesAreThePublishedExamples(t *testing.T) {
	t.Parallel()
	jobs := map[events.DetailType]job.Job{
		events.TypeAccepted:      order(job.Owed{Version: 2, Type: events.TypeAccepted, At: at("2026-11-25T15:45:01.038Z")}),
		events.TypeCompleted:     done(job.Owed{Version: 3, Type: events.TypeCompleted, At: at("2026-11-25T15:46:58.25Z")}),
		events.TypeFailed:        failedJob(),
		events.TypeRejected:      rejection(),
		events.TypeExpired:       order(expiry()),
		events.TypeArchived:      archivedJob(),
		events.TypeArchiveFailed: archiveFailedJob(),
	}
	for _, kind := range events.DetailTypes() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			want := example(t, kind)
			entry := one(t, jobs[kind])
			if diff := cmp.Diff(want["detail"], decode(t, entry.Detail)); diff != "" {
				t.Errorf("detail (-example +entry):\n%s", diff)
			}
			if got := entry.Time.UTC().Format(time.RFC3339); entry.DetailType != kind || got != want["time"] {
				t.Errorf("%s at %s, want %s at %s", entry.DetailType, got, kind, want["time"])
			}
		})
	}
}

func one(t *testing.T, j job.Job) publish.Entry {
	t.Helper()
	entries, err := publish.Entries(j)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v: want one", len(entries), err)
	}
	checkSchema(t, entries[0])
	return entries[0]
}

// checkSchema puts the entry into an envelope as EventBridge does.
func checkSchema(t *testing.T, entry publish.Entry) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("../../events/schema", fileOf(entry.DetailType)))
	if err != nil {
		t.Fatal(err)
	}
	event := example(t, entry.DetailType)
	event["detail"] = decode(t, entry.Detail)
	if err := schema.Validate(event); err != nil {
		t.Errorf("%s: %v", entry.Detail, err)
	}
}

func fileOf(kind events.DetailType) string {
	return strings.ReplaceAll(strings.ToLower(string(kind)), " ", "-") + ".json"
}

func example(t *testing.T, kind events.DetailType) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../events/testdata", fileOf(kind)))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, text)
}

// decode keeps numbers letter by letter.
func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value.(map[string]any)
}

// read decodes an entry as a consumer does.
func read[T any](t *testing.T, entry publish.Entry) events.Event[T] {
	t.Helper()
	var event events.Event[T]
	if err := json.Unmarshal(entry.Detail, &event); err != nil {
		t.Fatalf("%s: %v", entry.Detail, err)
	}
	return event
}

func TestEntriesOfAnExpiredJobWithALateVerdict(t *testing.T) {
	t.Parallel()
	j := done(expiry(), job.Owed{Version: 5, Type: events.TypeCompleted, At: at("2026-11-25T22:45:07Z")})
	j.Reason.Message = "changed since"
	entries, err := publish.Entries(j)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v: want two", len(entries), err)
	}
	first := read[events.Expired](t, entries[0])
	meta, expired := first.Metadata, first.Data
	if expired.Message != expiry().Message || expired.Stage != "processing" || !expired.MayBeCharged || meta.JobVersion != 4 {
		t.Errorf("expired: %+v %+v", meta, expired)
	}
	second := read[events.Completed](t, entries[1])
	meta, completed := second.Metadata, second.Data
	if *completed.OutputURL != outputURL || meta.JobVersion != 5 || meta.EventID != "order-1042-clip-1:1795621500412:5" {
		t.Errorf("completed: %+v %+v", meta, completed)
	}
	if entries[0].Version != 4 || entries[1].Version != 5 {
		t.Errorf("versions %d and %d, want 4 and 5", entries[0].Version, entries[1].Version)
	}
}

func TestMetadataGoThroughByteForByte(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ kept, want string }{
		"none":  {"", "{}"},
		"empty": {"{}", "{}"},
		"odd":   {`{"z":1.50,"a":"<&> \u00e9 \ud83d\ude00","n":9007199254740993,"e":1E+2}`, `{"z":1.50,"a":"<&> \u00e9 \ud83d\ude00","n":9007199254740993,"e":1E+2}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := rejection()
			j.Metadata = test.kept
			if data := read[events.Rejected](t, one(t, j)).Data; string(data.Metadata) != test.want {
				t.Errorf("got %s, want %s", data.Metadata, test.want)
			}
		})
	}
}

func TestRefusedByVendorHasNoClaim(t *testing.T) {
	t.Parallel()
	j := order(job.Owed{Version: 3, Type: events.TypeRejected, At: at("2026-11-25T15:45:01Z")})
	j.Reason = job.Reason{Code: events.CodeRefused, Message: "400: unknown model"}
	want := events.Rejected{Code: events.CodeRefused, Message: "400: unknown model", Metadata: json.RawMessage(metadata)}
	if got := read[events.Rejected](t, one(t, j)).Data; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestArchivedWithoutALink(t *testing.T) {
	t.Parallel()
	j := archivedJob()
	j.Archive.URL, j.Archive.URLExpiresAt = "", time.Time{}
	if data := read[events.Archived](t, one(t, j)).Data; data.URL != "" || data.URLExpiresAt != nil {
		t.Errorf("got %+v", data)
	}
}

func TestArchiveFailedBeforeItWasStored(t *testing.T) {
	t.Parallel()
	j := archivedJob()
	j.Owed = []job.Owed{{Version: 3, Type: events.TypeArchiveFailed, At: at("2026-11-25T15:47:00Z")}}
	if data := read[events.ArchiveFailed](t, one(t, j)).Data; data.Code != "superseded" || data.Message == "" {
		t.Errorf("got %+v", data)
	}
}

func TestLargeEntriesAreTrimmed(t *testing.T) {
	t.Parallel()
	long := "x" + strings.Repeat("砂\x01", 100_000)
	large := func(j job.Job, do func(*job.Job)) job.Job { do(&j); return j }
	completedJob := done(job.Owed{Version: 3, Type: events.TypeCompleted, At: at("2026-11-25T15:46:58Z")})
	for name, j := range map[string]job.Job{
		"error_message": large(failedJob(), func(j *job.Job) { j.Result.ErrorMessage = long }),
		"completed_at":  large(failedJob(), func(j *job.Job) { j.Result.CompletedAt = long }),
		"model_actual":  large(completedJob, func(j *job.Job) { r := *j.Result; r.Charge.ModelActual = long; j.Result = &r }),
		"excerpt":       large(rejection(), func(j *job.Job) { j.Reason.Excerpt = long }),
		"message":       large(archiveFailedJob(), func(j *job.Job) { j.Archive.Message = long }),
		"output_url":    large(completedJob, func(j *job.Job) { r := *j.Result; r.OutputURL = &long; j.Result = &r }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry := one(t, j)
			if len(entry.Detail) > 240<<10 || !utf8.Valid(entry.Detail) {
				t.Errorf("%d bytes, valid UTF-8 %v", len(entry.Detail), utf8.Valid(entry.Detail))
			}
			data := read[map[string]any](t, entry).Data
			text, _ := data[name].(string)
			if name == "output_url" {
				text, _ = data["output_url_problem"].(string)
				if data[name] != nil || !strings.Contains(text, "400001 bytes") {
					t.Errorf("url %v, problem %q: want it left out, and told", data[name], text)
				}
				return
			}
			if len(text) > 4<<10 || !strings.HasSuffix(text, "… (cut)") || strings.ContainsRune(text, utf8.RuneError) {
				t.Errorf("%d bytes, ends in %q", len(text), text[max(0, len(text)-20):])
			}
			if !bytes.Contains(entry.Detail, []byte(`"metadata":`+metadata)) {
				t.Error("the caller's metadata are not whole")
			}
		})
	}
}

func TestSmallTextsAreNotCut(t *testing.T) {
	t.Parallel()
	j := failedJob()
	j.Result.ErrorMessage = strings.Repeat("x", 100_000)
	if data := read[events.Failed](t, one(t, j)).Data; data.ErrorMessage != j.Result.ErrorMessage {
		t.Errorf("cut to %d bytes although the event has room", len(data.ErrorMessage))
	}
}

func TestEntriesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		job  job.Job
		want string
	}{
		"no result":        {order(job.Owed{Version: 3, Type: events.TypeCompleted}), "no result"},
		"unknown type":     {order(job.Owed{Version: 3, Type: "Video Lost"}), "not known"},
		"metadata no JSON": {func() job.Job { j := rejection(); j.Metadata = "{"; return j }(), "JSON"},
		"metadata too large": {
			func() job.Job {
				j := rejection()
				j.Metadata = `{"a":"` + strings.Repeat("x", 250<<10) + `"}`
				return j
			}(), "at most 245760",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := publish.Entries(test.job)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.job.Key()) {
				t.Errorf("%v: want %q, and the job named", err, test.want)
			}
		})
	}
}

func TestNothingOwedIsNothingToPublish(t *testing.T) {
	t.Parallel()
	if entries, err := publish.Entries(order()); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
