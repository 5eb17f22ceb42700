package creativeai_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

func readFile(tb testing.TB, path string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestParseCallbackAsDocumented(t *testing.T) {
	t.Parallel()
	body := readFile(t, "callbacks/completed.json")
	got, err := creativeai.ParseCallback(body)
	if err != nil {
		t.Fatal(err)
	}
	credits, failover := int64(12), true
	want := creativeai.Generation{
		ID: "gen_7f3a", Status: "completed", Model: "auto", ModelActual: "kling-v3",
		Prompt: "A lighthouse in a storm — “at night”", OutputURL: "https://cdn.example.com/gen_7f3a.mp4",
		Credits: &credits, FailoverUsed: &failover, CompletedAt: "2026-03-01T10:15:30Z", Raw: body,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("completed (-want +got):\n%s", diff)
	}
	if got.Verdict() != creativeai.Succeeded {
		t.Errorf("verdict %v", got.Verdict())
	}

	got, err = creativeai.ParseCallback(readFile(t, "callbacks/failed.json"))
	if err != nil || got.Verdict() != creativeai.Failed || got.Error != "The prompt was refused by the content filter." || got.OutputURL != "" || *got.Credits != 0 || *got.FailoverUsed {
		t.Errorf("failed: %+v, %v", got, err)
	}
}

func TestParseCallback(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1024)
	tests := []struct {
		name, body string
		wantErr    bool
	}{
		{"least", `{"id":"g","status":"failed"}`, false},
		{"longest id", `{"id":"` + long + `","status":"failed"}`, false},
		{"unknown fields", `{"id":"g","status":"failed","new":{"a":[1]}}`, false},
		{"space around", "\r\n {\"id\":\"g\",\"status\":\"failed\"}\r\n", false},
		{"byte order mark", "\ufeff{\"id\":\"g\",\"status\":\"failed\"}", false},
		{"STATUS is another name", `{"id":"g","status":"completed","STATUS":"failed"}`, false},
		{"odd optional fields", `{"id":"g","status":"completed","credits":{},"failover_used":"yes","output_url":7,"prompt":[],"error_message":false,"completed_at":0}`, false},
		{"empty", ``, true},
		{"not JSON", `id=g&status=failed`, true},
		{"null", `null`, true},
		{"array", `[{"id":"g","status":"failed"}]`, true},
		{"string", `"failed"`, true},
		{"no id", `{"status":"failed"}`, true},
		{"no status", `{"id":"g"}`, true},
		{"empty id", `{"id":"","status":"failed"}`, true},
		{"empty status", `{"id":"g","status":""}`, true},
		{"null id", `{"id":null,"status":"failed"}`, true},
		{"numeric id", `{"id":1,"status":"failed"}`, true},
		{"status of another type", `{"id":"g","status":true}`, true},
		{"id too long", `{"id":"` + long + `x","status":"failed"}`, true},
		{"ID and Status", `{"ID":"g","Status":"failed"}`, true},
		{"status twice", `{"id":"g","status":"completed","status":"failed"}`, true},
		{"unknown twice", `{"id":"g","status":"completed","a":1,"a":1}`, true},
		{"not UTF-8", "{\"id\":\"g\",\"status\":\"failed\",\"prompt\":\"\xff\"}", true},
		{"two objects", `{"id":"g","status":"failed"}{}`, true},
		{"cut", `{"id":"g","status":"failed"`, true},
		{"100,000 levels", `{"id":"g","status":"failed","a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := creativeai.ParseCallback([]byte(tt.body))
			switch {
			case tt.wantErr && !errors.Is(err, creativeai.ErrShape):
				t.Errorf("read as %+v, error %v, want ErrShape", got, err)
			case !tt.wantErr && (err != nil || got.ID == "" || string(got.Raw) != tt.body):
				t.Errorf("%+v, %v", got, err)
			case tt.name == "STATUS is another name" && got.Verdict() != creativeai.Succeeded:
				t.Errorf("verdict %v", got.Verdict())
			case tt.name == "odd optional fields" && !cmp.Equal(got, creativeai.Generation{ID: "g", Status: "completed", Raw: []byte(tt.body)}):
				t.Errorf("odd fields were not dropped: %+v", got)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]creativeai.Verdict{
		"completed": creativeai.Succeeded, "failed": creativeai.Failed,
		"": creativeai.Pending, "pending": creativeai.Pending, "queued": creativeai.Pending, "processing": creativeai.Pending,
		"Completed": creativeai.Pending, "FAILED": creativeai.Pending, " completed": creativeai.Pending, "cancelled": creativeai.Pending,
	} {
		if got := (creativeai.Generation{Status: status}).Verdict(); got != want {
			t.Errorf("%q: %v, want %v", status, got, want)
		}
	}
	if s := creativeai.Pending.String() + creativeai.Succeeded.String() + creativeai.Failed.String() + creativeai.Verdict(9).String(); s != "pendingsucceededfailedVerdict(9)" {
		t.Error(s)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`"error_message":"a"`:                    "a",
		`"error":"b"`:                            "b",
		`"error_message":"a","error":"b"`:        "a",
		`"error_message":null,"error":"b"`:       "b",
		`"error_message":" ","error":"b"`:        "b",
		`"error":{"code":7,"message":"c"}`:       "c",
		`"error":{"detail":"d"}`:                 "d",
		`"error":{"code":7}`:                     `{"code":7}`,
		`"error":["a","b"]`:                      `["a","b"]`,
		`"error":{}`:                             "",
		`"error":[]`:                             "",
		`"error":true`:                           "",
		`"error":7,"error_message":{"code":"x"}`: `{"code":"x"}`,
	} {
		got, err := creativeai.ParseCallback([]byte(`{"id":"g","status":"failed",` + fields + `}`))
		if err != nil || got.Error != want {
			t.Errorf("%s: %q, %v, want %q", fields, got.Error, err, want)
		}
	}
}

func TestCredits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		`0`: 0, `12`: 12, `-3`: -3, `5.0`: 5, `1e2`: 100, `9223372036854775807`: 9223372036854775807,
	} {
		got, err := creativeai.ParseCallback([]byte(`{"id":"g","status":"completed","credits":` + text + `}`))
		if err != nil || got.Credits == nil || *got.Credits != want {
			t.Errorf("%s: %v, %v, want %d", text, got.Credits, err, want)
		}
	}
	for _, text := range []string{`null`, `"12"`, `1.5`, `1e300`, `9223372036854775808`, `true`, `[1]`} {
		got, err := creativeai.ParseCallback([]byte(`{"id":"g","status":"completed","credits":` + text + `}`))
		if err != nil || got.Credits != nil {
			t.Errorf("%s: %v, %v, want none", text, got.Credits, err)
		}
	}
}
