package loop_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/loop"
)

const arn = "arn:aws:states:eu-central-1:123456789012:stateMachine:poll"

func newLoop(t *testing.T, answer func(target string, body map[string]string) (status int, text string)) *loop.Loop {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var body map[string]string
		if err := json.Unmarshal(text, &body); err != nil {
			t.Errorf("the request is %s: %v", text, err)
		}
		status, out := answer(r.Header.Get("X-Amz-Target"), body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, out)
	}))
	t.Cleanup(server.Close)
	l, err := loop.New(sfn.New(sfn.Options{
		BaseEndpoint: &server.URL, Region: "eu-central-1", Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}), arn)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The input holds all that the vendor said, and reads back as it was.
func TestStart(t *testing.T) {
	t.Parallel()
	for _, in := range []loop.Input{
		{
			JobID: "j1", GenerationID: "gen <1> & \u2028", Attempt: 3, AcceptedAt: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
			ModelActual: "kling-v3", Credits: new(int64(0)), FailoverUsed: new(false),
		},
		{JobID: "j1", GenerationID: "gen", Attempt: 1, AcceptedAt: time.Unix(1, 0).UTC()},
	} {
		var got loop.Input
		l := newLoop(t, func(target string, body map[string]string) (int, string) {
			if target != "AWSStepFunctions.StartExecution" || body["stateMachineArn"] != arn {
				t.Errorf("called %s with %v", target, body)
			}
			if strings.Contains(body["input"], "started_at") {
				t.Errorf("the input %s has started_at, which is the workflow's", body["input"])
			}
			if err := json.Unmarshal([]byte(body["input"]), &got); err != nil {
				t.Error(err)
			}
			return 200, `{"executionArn":"arn:e","startDate":1}`
		})
		if err := l.Start(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, got); diff != "" {
			t.Errorf("the input (-want +got):\n%s", diff)
		}
	}
}

func TestFault24_Throttled(t *testing.T) {
	t.Parallel()
	l := newLoop(t, func(string, map[string]string) (int, string) {
		return 400, `{"__type":"ThrottlingException","message":"slow down"}`
	})
	err := l.Start(t.Context(), loop.Input{JobID: "j1"})
	if err == nil || !strings.Contains(err.Error(), "j1") || !strings.Contains(err.Error(), "ThrottlingException") {
		t.Errorf("error %v, want one that names the job and the cause", err)
	}
}

// The answer is what the workflow's choice reads.
func TestAnswer(t *testing.T) {
	t.Parallel()
	for answer, want := range map[loop.Answer]string{
		{Done: true}:     `{"done":true,"wait_seconds":0}`,
		{WaitSeconds: 5}: `{"done":false,"wait_seconds":5}`,
	} {
		if got, err := json.Marshal(answer); err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := loop.New(nil, arn); err == nil {
		t.Error("no client: no error")
	}
	if _, err := loop.New(sfn.New(sfn.Options{}), ""); err == nil {
		t.Error("no ARN: no error")
	}
}
