package queue_test

import (
	"crypto/md5" // SQS's own checksum of a message
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/clipqueue/clipqueue/shared/queue"
)

const url = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"

// service is SQS over HTTP: it keeps the last request and answers with a status.
type service struct {
	status int
	target string
	body   map[string]any
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	s.target, s.body = r.Header.Get("X-Amz-Target"), map[string]any{}
	if err := json.Unmarshal(text, &s.body); err != nil {
		s.status = http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if s.status != 0 {
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, `{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"no"}`)
		return
	}
	body, _ := s.body["MessageBody"].(string)
	sum := md5.Sum([]byte(body))
	_ = json.NewEncoder(w).Encode(map[string]string{"MessageId": "m", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
}

func newQueue(t *testing.T) (*queue.Queue, *service) {
	t.Helper()
	s := &service{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	q, err := queue.New(sqs.New(sqs.Options{
		BaseEndpoint: &server.URL, Region: "eu-central-1", RetryMaxAttempts: 1, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}), url)
	if err != nil {
		t.Fatal(err)
	}
	return q, s
}

func TestSend(t *testing.T) {
	t.Parallel()
	q, s := newQueue(t)
	if err := q.Send(t.Context(), `{"prompt":"a kite"}`); err != nil {
		t.Fatal(err)
	}
	if s.target != "AmazonSQS.SendMessage" || s.body["QueueUrl"] != url || s.body["MessageBody"] != `{"prompt":"a kite"}` {
		t.Errorf("sent %s %v", s.target, s.body)
	}
	s.status = http.StatusBadRequest
	if err := q.Send(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), url) {
		t.Errorf("error %v, want one that names the queue", err)
	}
}

// A wait is whole seconds rounded up, and never more than SQS takes.
func TestFault07_Delay(t *testing.T) {
	t.Parallel()
	q, s := newQueue(t)
	for d, seconds := range map[time.Duration]float64{
		-time.Second: 0, 0: 0, time.Millisecond: 1, time.Second: 1, 1001 * time.Millisecond: 2, 15 * time.Minute: 900,
		11 * time.Hour: 39600, 12 * time.Hour: 39600, 10 * 365 * 24 * time.Hour: 39600,
	} {
		if err := q.Delay(t.Context(), "receipt", d); err != nil {
			t.Fatal(err)
		}
		if got := s.body["VisibilityTimeout"]; got != seconds || s.body["ReceiptHandle"] != "receipt" || s.target != "AmazonSQS.ChangeMessageVisibility" {
			t.Errorf("%v: %s %v, want %v", d, s.target, s.body, seconds)
		}
	}
	s.status = http.StatusBadRequest
	if err := q.Delay(t.Context(), "receipt", time.Second); err == nil {
		t.Error("no error")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := queue.New(nil, url); err == nil {
		t.Error("no client: no error")
	}
	if _, err := queue.New(sqs.New(sqs.Options{}), ""); err == nil {
		t.Error("no URL: no error")
	}
}
