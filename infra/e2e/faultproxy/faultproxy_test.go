package faultproxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/clipqueue/clipqueue/infra/e2e/faultproxy"
)

// engine answers every call with {} and remembers what came.
type engine struct {
	mu    sync.Mutex
	calls []string
	hosts []string
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, string(body))
	e.hosts = append(e.hosts, r.Host)
	_, _ = io.WriteString(w, "{}")
}

func (e *engine) done() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calls)
}

type bench struct {
	engine *engine
	proxy  *faultproxy.Proxy
	url    string
	config aws.Config
}

func setup(t *testing.T) bench {
	t.Helper()
	b := bench{engine: &engine{}}
	back := httptest.NewServer(b.engine)
	t.Cleanup(back.Close)
	var err error
	if b.proxy, err = faultproxy.New(back.URL, 1); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(b.proxy)
	t.Cleanup(front.Close)
	b.url = front.URL
	b.config = aws.Config{
		Region: "us-east-1", BaseEndpoint: &front.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	}
	return b
}

func (b bench) read(ctx context.Context) error {
	_, err := dynamodb.NewFromConfig(b.config).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("jobs")})
	return err
}

// start starts an execution whose input is as said.
func (b bench) start(ctx context.Context, input string) error {
	_, err := sfn.NewFromConfig(b.config).StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: aws.String("arn"), Input: &input,
	})
	return err
}

func TestForward(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := b.url[len("http://"):]; b.engine.hosts[0] != want {
		t.Errorf("the engine was called as %q: want %q, which was signed", b.engine.hosts[0], want)
	}
	if b.engine.calls[0] != `{"TableName":"jobs"}` {
		t.Errorf("the engine got %s", b.engine.calls[0])
	}
}

// Each service's own client is told apart by service and operation.
func TestNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	_ = b.read(ctx)
	_ = b.start(ctx, "{}")
	_, _ = sqs.NewFromConfig(b.config).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String("q"), MessageBody: aws.String("m")})
	_, _ = eventbridge.NewFromConfig(b.config).ListRules(ctx, &eventbridge.ListRulesInput{})
	_, _ = secretsmanager.NewFromConfig(b.config).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
	_, _ = s3.NewFromConfig(b.config).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("b")})
	calls := b.proxy.Calls()
	for _, want := range []string{
		"dynamodb DescribeTable", "states StartExecution", "sqs SendMessage", "events ListRules",
		"secretsmanager GetSecretValue", "s3 HEAD",
	} {
		if calls[want] != 1 {
			t.Errorf("no %q among %v", want, calls)
		}
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()
	var during atomic.Int64
	for _, test := range []struct {
		name string
		do   faultproxy.Effect
		// done is how often the engine was called, code the service's error.
		done   int
		during int64
		code   string
		fails  bool
	}{
		{name: "refused", do: faultproxy.Refuse(http.StatusBadRequest, "ThrottlingException"), code: "ThrottlingException", fails: true},
		{name: "cut", do: faultproxy.Cut(), fails: true},
		{name: "answer lost", do: faultproxy.LoseAnswer(), done: 1, fails: true},
		{name: "slow", do: faultproxy.Slow(10 * time.Millisecond), done: 1},
		{name: "something first", do: faultproxy.Before(func() { during.Add(1) }, faultproxy.Cut()), during: 1, fails: true},
		{name: "something after", do: faultproxy.After(func() { during.Add(1) }), done: 1, during: 1, fails: true},
		{name: "another answer", do: faultproxy.Answer(http.StatusOK, func([]byte) any { return map[string]any{} })},
	} {
		t.Run(test.name, func(t *testing.T) { //nolint:paralleltest // they share the count
			during.Store(0)
			b := setup(t)
			b.proxy.Add(faultproxy.Fault{Do: test.do})
			err := b.read(t.Context())
			if (err != nil) != test.fails {
				t.Errorf("the call ended with %v", err)
			}
			var api smithy.APIError
			if test.code != "" && (!errors.As(err, &api) || api.ErrorCode() != test.code) {
				t.Errorf("the call ended with %v: want %s", err, test.code)
			}
			if b.engine.done() != test.done || during.Load() != test.during {
				t.Errorf("%d calls reached the engine, the test's own was done %d times: want %d and %d", b.engine.done(), during.Load(), test.done, test.during)
			}
		})
	}
}

func TestSlow_ClientGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow := b.proxy.Add(faultproxy.Fault{Do: faultproxy.Slow(time.Hour)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.read(ctx) }()
	if err := slow.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err == nil || b.engine.done() != 0 {
		t.Errorf("the call ended with %v and was done %d times", err, b.engine.done())
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	refuse := faultproxy.Refuse(http.StatusBadRequest, "Refused")
	for _, test := range []struct {
		name  string
		fault faultproxy.Fault
		// struck says which of six calls fail: three reads, then executions with the inputs 1, 2 and 1 again.
		struck []bool
	}{
		{"every call", faultproxy.Fault{Do: refuse}, []bool{true, true, true, true, true, true}},
		{"a service", faultproxy.Fault{Service: "states", Do: refuse}, []bool{false, false, false, true, true, true}},
		{"an operation", faultproxy.Fault{Operation: "DescribeTable", Do: refuse}, []bool{true, true, true, false, false, false}},
		{"another service's operation", faultproxy.Fault{Service: "sqs", Operation: "DescribeTable", Do: refuse}, make([]bool, 6)},
		{"twice", faultproxy.Fault{Times: 2, Do: refuse}, []bool{true, true, false, false, false, false}},
		{"by content", faultproxy.Fault{With: []string{"stateMachineArn", "number-1"}, Do: refuse}, []bool{false, false, false, true, false, true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			armed := b.proxy.Add(test.fault)
			var got []bool
			for range 3 {
				got = append(got, b.read(t.Context()) != nil)
			}
			for _, input := range []string{"number-1", "number-2", "number-1"} {
				got = append(got, b.start(t.Context(), input) != nil)
			}
			if !slices.Equal(got, test.struck) {
				t.Errorf("struck %v: want %v", got, test.struck)
			}
			want := 0
			for _, s := range test.struck {
				if s {
					want++
				}
			}
			if armed.Struck() != want {
				t.Errorf("it says that it struck %d calls: want %d", armed.Struck(), want)
			}
		})
	}
}

func TestChance(t *testing.T) {
	t.Parallel()
	b := setup(t)
	armed := b.proxy.Add(faultproxy.Fault{Chance: 0.25, Do: faultproxy.Refuse(http.StatusBadRequest, "Refused")})
	for range 400 {
		_ = b.read(t.Context())
	}
	if n := armed.Struck(); n < 60 || n > 140 {
		t.Errorf("a chance of a quarter struck %d of 400 calls", n)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	b := setup(t)
	armed := b.proxy.Add(faultproxy.Fault{Do: faultproxy.Cut()})
	if b.read(t.Context()) == nil {
		t.Error("the fault did not strike")
	}
	armed.Remove()
	if err := b.read(t.Context()); err != nil {
		t.Errorf("the fault struck after it was removed: %v", err)
	}
}

func TestNew_BadTarget(t *testing.T) {
	t.Parallel()
	if _, err := faultproxy.New("not a url", 1); err == nil {
		t.Error("want an error")
	}
}
