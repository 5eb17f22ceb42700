package verdict_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

func at() time.Time { return time.Unix(1_800_000_000, 0) }

func generation(t *testing.T, body string) creativeai.Generation {
	t.Helper()
	g, err := creativeai.ParseCallback([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOf(t *testing.T) {
	t.Parallel()
	v, final := verdict.Of(generation(t, `{"id":"g","status":"completed","output_url":"https://cdn.example/v.mp4?sig=%2F",
		"model_actual":"kling-v3","credits":40,"failover_used":true,"completed_at":"2026-01-02T03:04:05Z"}`), at())
	if !final || v.State != job.Completed || v.GenerationID != "g" || !v.At.Equal(at()) || v.Token != "" || v.Body != nil {
		t.Errorf("%+v, %v", v, final)
	}
	r := v.Result
	if *r.OutputURL != "https://cdn.example/v.mp4?sig=%2F" || r.OutputURLProblem != "" || r.Charge.ModelActual != "kling-v3" ||
		*r.Charge.Credits != 40 || !*r.Charge.FailoverUsed || r.CompletedAt != "2026-01-02T03:04:05Z" || r.Via != events.ViaCallback {
		t.Errorf("the result is %+v", r)
	}
}

// A failed callback says error_message, a failed poll error; some say nothing.
func TestFailed(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`"error_message":"it gave up"`: "it gave up",
		`"error":"it gave up"`:         "it gave up",
		`"error_message":null`:         "the vendor gave no reason",
		`"x":1`:                        "the vendor gave no reason",
	} {
		v, final := verdict.Of(generation(t, `{"id":"g","status":"failed",`+body+`}`), at())
		if !final || v.State != job.Failed || v.Result.ErrorMessage != want || v.Result.OutputURL != nil || v.Result.OutputURLProblem != "" {
			t.Errorf("%s: %+v, %v", body, v, final)
		}
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"pending", "queued", "processing", "Completed", "FAILED", "done"} {
		if v, final := verdict.Of(creativeai.Generation{ID: "g", Status: status}, at()); final {
			t.Errorf("%s: %+v", status, v)
		}
	}
}

// A completed generation whose link cannot be used is a verdict all the same, and
// says why there will be no archive.
func TestFault23_OutputURL(t *testing.T) {
	t.Parallel()
	for raw, problem := range map[string]string{
		"null":                                "gave no output_url",
		`""`:                                  "gave no output_url",
		"7":                                   "gave no output_url",
		`"/v.mp4"`:                            "not an absolute URL",
		`"v.mp4"`:                             "not an absolute URL",
		`"//cdn.example/v.mp4"`:               "not an absolute URL",
		`"https:v.mp4"`:                       "not an absolute URL",
		`"https:///v.mp4"`:                    "not an absolute URL",
		`"http://cdn.example/v.mp4"`:          "", // the archive refuses it, unless it trusts the origin
		`"ftp://cdn.example/v.mp4"`:           "not https",
		`"file:///etc/passwd"`:                "not an absolute URL",
		`"https://cdn example/v.mp4"`:         "not a URL",
		`"https://cdn.example/%zz"`:           "not a URL",
		`"` + strings.Repeat("h", 9000) + `"`: "longer than 8 KB",
		`"HTTPS://cdn.example/v.mp4"`:         "",
		`"https://[2001:db8::1]:8443/v"`:      "",
	} {
		v, final := verdict.Of(generation(t, `{"id":"g","status":"completed","output_url":`+raw+`}`), at())
		got := v.Result.OutputURLProblem
		if !final || v.State != job.Completed || (problem == "") != (got == "") || !strings.Contains(got, problem) {
			t.Errorf("%.40s: %q, want %q", raw, got, problem)
		}
		if given := v.Result.OutputURL; given != nil && fmt.Sprintf("%q", *given) != raw {
			t.Errorf("%.40s: stored as %q, want it as it was given", raw, *given)
		}
		j := job.Job{ID: "j", State: job.Processing, GenerationID: "g"}
		if after, err := job.DefaultRules().Apply(j, v); err != nil || (after.Archive.State == job.ArchivePending) != (problem == "") {
			t.Errorf("%.40s: archive %q, %v", raw, after.Archive.State, err)
		}
	}
}

// What is stored of the vendor's words is bounded, whole characters only.
func TestBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 100<<10)
	g := creativeai.Generation{ID: "g", Status: "failed", Error: long, ModelActual: long, CompletedAt: long}
	v, _ := verdict.Of(g, at())
	for name, tt := range map[string]struct {
		text string
		most int
	}{
		"error": {v.Result.ErrorMessage, 16 << 10}, "model_actual": {v.Result.Charge.ModelActual, 1 << 10},
		"completed_at": {v.Result.CompletedAt, 1 << 10},
	} {
		if len(tt.text) > tt.most || len(tt.text) < tt.most-4 || !utf8.ValidString(tt.text) || !strings.HasSuffix(tt.text, "… (cut)") {
			t.Errorf("%s has %d bytes, ends in %q", name, len(tt.text), tt.text[len(tt.text)-10:])
		}
	}
}
