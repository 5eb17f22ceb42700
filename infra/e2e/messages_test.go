package e2e_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
)

// invalid are messages that no job can be made of, each with the field that is
// to blame; none when it is the message as a whole.
func invalid() map[string]struct{ body, field string } {
	return map[string]struct{ body, field string }{
		"not JSON":               {`Just a prompt`, ""},
		"not an object":          {`["A prompt"]`, ""},
		"no prompt":              {`{"model":"auto"}`, "prompt"},
		"blank prompt":           {`{"prompt":"  "}`, "prompt"},
		"prompt of another type": {`{"prompt":5}`, "prompt"},
		"prompt too long":        {fmt.Sprintf(`{"prompt":%q}`, strings.Repeat("x", events.MaxPromptBytes+1)), "prompt"},
		"unknown delivery":       {`{"prompt":"p","delivery":"email"}`, "delivery"},
		"webhook_url set":        {`{"prompt":"p","webhook_url":"https://example.com/"}`, "webhook_url"},
		"Webhook_URL set":        {`{"prompt":"p","Webhook_URL":"https://example.com/"}`, "Webhook_URL"},
		"bad job_id":             {`{"prompt":"p","job_id":"a b"}`, "job_id"},
		"metadata no object":     {`{"prompt":"p","metadata":[1]}`, "metadata"},
		"metadata too large":     {fmt.Sprintf(`{"prompt":"p","metadata":{"a":%q}}`, strings.Repeat("x", events.MaxMetadataBytes)), "metadata"},
		"metadata too deep":      {`{"prompt":"p","metadata":` + strings.Repeat(`{"a":`, 33) + `1` + strings.Repeat(`}`, 33) + `}`, "metadata"},
		"integer of 20 digits":   {`{"prompt":"p","metadata":{"n":12345678901234567890}}`, "metadata"},
		"duration as string":     {`{"prompt":"p","duration":"5s"}`, "duration"},
		"duration negative":      {`{"prompt":"p","duration":-5}`, "duration"},
		"name twice":             {`{"prompt":"p","prompt":"q"}`, "prompt"},
		"256 KB of nonsense":     {strings.Repeat("nonsense", 32<<10), ""},
	}
}

func TestInvalidMessage(t *testing.T) {
	t.Parallel()
	for name, m := range invalid() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := data[events.Rejected](t, refused(t, send(t, m.body)).ends(events.TypeRejected))
			if got.Code != events.CodeInvalid || got.Field != m.field || got.Message == "" {
				t.Errorf("rejected as %q for field %q: %s; want %q for %q", got.Code, got.Field, got.Message, events.CodeInvalid, m.field)
			}
		})
	}
}

// A batch with one good message among bad ones: each gets its own verdict.
func TestInvalidMessagesLeaveTheirNeighboursAlone(t *testing.T) {
	t.Parallel()
	s := &story{t: t, jobID: "e2e-" + rand.Text(), prompt: "A quiet street with noisy neighbours"}
	batch := []types.SendMessageBatchRequestEntry{{
		Id: aws.String("good"), MessageBody: aws.String(fmt.Sprintf(`{"job_id":%q,"prompt":%q}`, s.jobID, s.prompt)),
	}}
	for i := range 9 {
		batch = append(batch, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint("bad", i)), MessageBody: aws.String("{")})
	}
	sent, err := bundle.queue.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{
		QueueUrl: aws.String(bundle.Outputs.JobQueueURL), Entries: batch,
	})
	if err != nil || len(sent.Failed) > 0 {
		t.Fatal(err, sent)
	}
	for _, m := range sent.Successful {
		if aws.ToString(m.Id) != "good" {
			refused(t, aws.ToString(m.MessageId)).ends(events.TypeRejected)
		}
	}
	s.ends(events.TypeCompleted)
	s.answersAre(202)
}

// A rejection hands back the caller's metadata when they could be read.
func TestRejectionKeepsMetadata(t *testing.T) {
	t.Parallel()
	id := send(t, `{"job_id":"no good","prompt":"p","metadata":{"order":4711}}`)
	got := data[events.Rejected](t, refused(t, id).ends(events.TypeRejected))
	metadataIs(t, jsontext.Value(got.Metadata), `{"order":4711}`)
}

func TestSameJobIDWithTheSamePayload(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "One of a kind", message{"metadata": message{"n": 1}})
	s.send(message{"metadata": message{"n": 1}})
	s.ends(events.TypeCompleted)
	s.send(message{"metadata": message{"n": 1}}) // long after the end, too
	s.endsOnce()
	s.answersAre(202)
}

func TestSameJobIDWithAnotherPayload(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "The first of two [fault: takes for=3m]", nil)
	s.generation()
	got := data[events.Rejected](t, refused(t, s.send(message{"duration": 9})).ends(events.TypeRejected))
	if got.Code != events.CodeOtherPayload || got.ClaimedJobID != s.jobID {
		t.Errorf("rejected as %q for %q, want %q for %q", got.Code, got.ClaimedJobID, events.CodeOtherPayload, s.jobID)
	}
	s.ends(events.TypeCompleted)
	s.answersAre(202)
	s.stateIs(job.Completed)
}

// Without a job_id the message's own id stands in.
func TestNoJobID(t *testing.T) {
	t.Parallel()
	refused(t, send(t, `{"prompt":"Nobody's child"}`)).ends(events.TypeCompleted)
}
