package bus_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/bus"
)

// request is PutEvents as it goes over the wire.
type request struct {
	Entries []struct {
		EventBusName string  `json:"EventBusName"`
		Source       string  `json:"Source"`
		DetailType   string  `json:"DetailType"`
		Detail       string  `json:"Detail"`
		Time         float64 `json:"Time"`
	} `json:"Entries"`
}

func newBus(t *testing.T, status int, answer string, got *request) *bus.Bus {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if target := r.Header.Get("X-Amz-Target"); target != "AWSEvents.PutEvents" {
			t.Errorf("called %s", target)
		}
		if err := json.Unmarshal(text, got); err != nil {
			t.Errorf("the request is %s: %v", text, err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	b, err := bus.New(eventbridge.New(eventbridge.Options{
		BaseEndpoint: &server.URL, Region: "eu-central-1", Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}), "video-bus")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func entries() []bus.Entry {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return []bus.Entry{
		{DetailType: events.TypeCompleted, Time: at, Detail: []byte(`{"n":1}`)},
		{DetailType: events.TypeFailed, Time: at, Detail: []byte(`{"n":2}`)},
		{DetailType: events.TypeExpired, Time: at, Detail: []byte(`{"n":3}`)},
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	var got request
	b := newBus(t, 200, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"},{"EventId":"2"},{"EventId":"3"}]}`, &got)
	failed, err := b.Put(t.Context(), entries())
	if err != nil || len(failed) != 3 || errors.Join(failed...) != nil {
		t.Fatalf("%v, %v", failed, err)
	}
	for i, e := range entries() {
		g := got.Entries[i]
		if g.EventBusName != "video-bus" || g.Source != "clipqueue" || g.DetailType != string(e.DetailType) ||
			g.Detail != string(e.Detail) || int64(g.Time) != e.Time.Unix() {
			t.Errorf("entry %d is %+v", i, g)
		}
	}
}

// 200 with failed entries: each failure in its place, and the ones that will
// never pass told from those that will.
func TestFault27_EntriesFail(t *testing.T) {
	t.Parallel()
	b := newBus(t, 200, `{"FailedEntryCount":2,"Entries":[
		{"EventId":"1"},
		{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"},
		{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}]}`, &request{})
	failed, err := b.Put(t.Context(), entries())
	if err != nil || len(failed) != 3 || failed[0] != nil || failed[1] == nil || failed[2] == nil {
		t.Fatalf("%v, %v", failed, err)
	}
	if errors.Is(failed[1], bus.ErrRefused) || !strings.Contains(failed[1].Error(), "ThrottlingException: slow down") {
		t.Errorf("the second is %v", failed[1])
	}
	if !errors.Is(failed[2], bus.ErrRefused) {
		t.Errorf("the third is %v", failed[2])
	}
}

// The whole call fails: what is too large is told from what passes.
func TestFault27_CallFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status   int
		answer   string
		tooLarge bool
	}{
		"413":                      {413, ``, true},
		"total size":               {400, `{"__type":"ValidationException","message":"Total size of the entries in the request is over the limit."}`, true},
		"throttled":                {400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, false},
		"internal":                 {500, `{"__type":"InternalException","message":"oops"}`, false},
		"no permission":            {400, `{"__type":"AccessDeniedException","message":"no"}`, false},
		"an answer for fewer":      {200, `{"Entries":[{"EventId":"1"}]}`, false},
		"an answer without any":    {200, `{}`, false},
		"an answer that is no one": {200, `<html>`, false},
	} {
		b := newBus(t, tt.status, tt.answer, &request{})
		failed, err := b.Put(t.Context(), entries())
		if err == nil || failed != nil || errors.Is(err, bus.ErrTooLarge) != tt.tooLarge {
			t.Errorf("%s: %v, %v", name, failed, err)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := bus.New(nil, "x"); err == nil {
		t.Error("no client: no error")
	}
	if _, err := bus.New(eventbridge.New(eventbridge.Options{}), ""); err == nil {
		t.Error("no name: no error")
	}
}
