package e2e_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/go-json-experiment/json"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

// waiting is a job that the vendor has accepted and will never call back about:
// the test does.
func waiting(t *testing.T, prompt string) *story {
	t.Helper()
	s := enqueue(t, prompt+" [fault: never]", nil)
	s.hears(events.TypeAccepted)
	return s
}

// callback is the body of a callback about the story's generation, as the
// vendor's page shows it.
func (s *story) callback(status string) []byte {
	s.t.Helper()
	g := s.generation()
	fields := message{
		"id": g.ID, "object": "video.generation", "status": status, "model": g.Model, "model_actual": g.ModelActual,
		"prompt": g.Prompt, "output_url": "https://cdn.example.com/v.mp4", "error_message": nil,
		"credits": g.Credits, "failover_used": false, "completed_at": "2026-01-02T03:04:05Z",
	}
	if status == "failed" {
		fields["output_url"], fields["error_message"] = nil, "It did not work out."
	}
	body, err := json.Marshal(fields, json.Deterministic(true)) // the same bytes each time
	if err != nil {
		s.t.Fatal(err)
	}
	return body
}

// sign is the signature of the vendor's page, made apart from the product's code.
func sign(body []byte, key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// post calls back and returns the webhook's answer; in a cleanup too.
func post(t *testing.T, url, signature string, body []byte) int {
	t.Helper()
	signatures.Store(signature, true)
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set("X-CreativeAI-Signature", signature)
	}
	res, err := local.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.Body.Close() != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// calls signs a callback rightly, posts it, and checks the answer.
func (s *story) calls(url string, body []byte, want int) {
	s.t.Helper()
	if got := post(s.t, url, sign(body, bundle.APIKey), body); got != want {
		s.t.Errorf("the webhook answered %d, want %d, to %.200s", got, want, body)
	}
}

// Nobody but the vendor writes results: every bad signature is turned away, and
// the job still waits for the good one.
func TestCallbackWithABadSignature(t *testing.T) {
	t.Parallel()
	s := waiting(t, "A sealed letter")
	url, body := s.generation().WebhookURL, s.callback("failed")
	right := sign(body, bundle.APIKey)
	altered := bytes.Replace(body, []byte("failed"), []byte("faiLed"), 1)
	for name, c := range map[string]struct {
		signature string
		body      []byte
	}{
		"none":               {"", body},
		"wrong prefix":       {"sha1=" + strings.TrimPrefix(right, "sha256="), body},
		"no prefix":          {strings.TrimPrefix(right, "sha256="), body},
		"too short":          {right[:len(right)-2], body},
		"upper case":         {"sha256=" + strings.ToUpper(strings.TrimPrefix(right, "sha256=")), body},
		"not hex":            {"sha256=" + strings.Repeat("zz", sha256.Size), body},
		"of two":             {right + "," + right, body},
		"another key's":      {sign(body, "rph_live_of_somebody_else"), body},
		"the empty key's":    {sign(body, ""), body},
		"another body's":     {sign([]byte("{}"), bundle.APIKey), body},
		"a byte was altered": {right, altered},
	} {
		t.Run(name, func(t *testing.T) {
			if got := post(t, url, c.signature, c.body); got != http.StatusUnauthorized {
				t.Errorf("the webhook answered %d, want 401", got)
			}
		})
	}
	s.calls(url, s.callback("completed"), http.StatusOK)
	s.ends(events.TypeCompleted)
	s.endsOnce()
}

func TestSignedNonsense(t *testing.T) {
	t.Parallel()
	s := waiting(t, "A signed blank")
	url := s.generation().WebhookURL
	for name, c := range map[string]struct {
		body   string
		answer int
	}{
		"not JSON":         {`completed`, http.StatusBadRequest},
		"an array":         {`[]`, http.StatusBadRequest},
		"no id":            {`{"status":"completed"}`, http.StatusBadRequest},
		"id is a number":   {`{"id":5,"status":"completed"}`, http.StatusBadRequest},
		"status twice":     {`{"id":"` + s.generation().ID + `","status":"completed","status":"failed"}`, http.StatusBadRequest},
		"more than a MB":   {`{"id":"` + strings.Repeat("x", 1<<20) + `"}`, http.StatusRequestEntityTooLarge},
		"not finished yet": {`{"id":"` + s.generation().ID + `","status":"processing"}`, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			if got := post(t, url, sign([]byte(c.body), bundle.APIKey), []byte(c.body)); got != c.answer {
				t.Errorf("the webhook answered %d, want %d", got, c.answer)
			}
		})
	}
	s.calls(url, s.callback("completed"), http.StatusOK)
	s.ends(events.TypeCompleted)
	s.endsOnce()
}

// Fault 21: what is signed and fits no job is kept, never published.
func TestCallbackThatFitsNoJob(t *testing.T) {
	t.Parallel()
	s, other := waiting(t, "A letter to the wrong house"), waiting(t, "The wrong house")
	base := strings.TrimSuffix(bundle.Outputs.WebhookURL, "/")
	url := s.generation().WebhookURL
	stranger := bytes.Replace(s.callback("completed"), []byte(s.generation().ID), []byte("gen_of_nobody"), 1)
	for name, c := range map[string]struct {
		url  string
		body []byte
	}{
		"unknown generation": {url, stranger},
		"another job's path": {other.generation().WebhookURL, s.callback("completed")},
		"wrong token":        {url[:len(url)-1] + "x", s.callback("completed")},
		"no token":           {base + "/" + s.jobID, s.callback("completed")},
		"unknown job":        {base + "/e2e-nobody/" + url[strings.LastIndex(url, "/")+1:], s.callback("completed")},
		"slash at the end":   {url + "/", s.callback("completed")},
	} {
		t.Run(name, func(t *testing.T) {
			body := bytes.Replace(c.body, []byte("03:04:05"), []byte("03:04:"+name), 1) // tells the cases apart
			s := &story{t: t, jobID: s.jobID}
			s.calls(c.url, body, http.StatusOK)
			quarantined(t, c.url, body)
		})
	}
	s.stateIs(job.Processing)
	other.stateIs(job.Processing)
	s.calls(url, s.callback("completed"), http.StatusOK)
	other.calls(other.generation().WebhookURL, other.callback("failed"), http.StatusOK)
	s.ends(events.TypeCompleted)
	other.ends(events.TypeFailed)
	s.endsOnce()
}

// Faults 17 and 18: a replay changes nothing, and neither does a contradiction,
// which is kept aside.
func TestCallbackAfterTheVerdict(t *testing.T) {
	t.Parallel()
	s := waiting(t, "Said and done")
	url := s.generation().WebhookURL
	s.calls(url, s.callback("completed"), http.StatusOK)
	s.ends(events.TypeCompleted)
	before := s.record()
	s.calls(url, s.callback("completed"), http.StatusOK)
	s.calls(url, s.callback("failed"), http.StatusOK)
	quarantined(t, url, s.callback("failed"))
	s.endsOnce()
	if after := s.record(); after.State != job.Completed || after.Version < before.Version || after.Result == nil {
		t.Errorf("the job went from %s, version %d, to %s, version %d", before.State, before.Version, after.State, after.Version)
	}
}

// quarantined checks that a callback was kept aside.
func quarantined(t *testing.T, url string, body []byte) {
	t.Helper()
	_, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	key := store.Quarantined{Path: "/" + path, Body: body}.Key()
	got, err := bundle.dynamo.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(bundle.Outputs.TableName), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil || len(got.Item) == 0 {
		t.Errorf("the callback is not in quarantine as %s (%v): %s", key, err, body)
	}
}
