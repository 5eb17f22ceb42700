package deployment

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func outputs(names ...string) []types.Stack {
	var list []types.Output
	for _, name := range names {
		list = append(list, types.Output{OutputKey: aws.String(name), OutputValue: aws.String("of-" + name)})
	}
	return []types.Stack{{Outputs: list}}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	all := []string{"JobQueueUrl", "WebhookUrl", "EventBusName", "TableName", "ApiKeySecretArn", "PollStateMachineArn"}
	var o Outputs
	if err := o.fill(outputs(all...)); err != nil || o.ArchiveBucketName != "" || o.TableName != "of-TableName" {
		t.Errorf("without a bucket, where archiving is off: %+v, %v", o, err)
	}
	if err := o.fill(outputs(append(all, "ArchiveBucketName")...)); err != nil || o.ArchiveBucketName != "of-ArchiveBucketName" {
		t.Errorf("%+v, %v", o, err)
	}
	err := new(Outputs).fill(outputs(all[1:5]...))
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "JobQueueUrl, PollStateMachineArn") {
		t.Errorf("%v, want what is missing", err)
	}
}

// wire answers every request with one text.
type wire struct{ answer string }

func (w wire) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(w.answer)), Request: r,
	}, nil
}

func queuesThatAnswer(answer string) Queues {
	return Queues{sqs.New(sqs.Options{
		Region: "us-east-1", HTTPClient: wire{answer}, DisableMessageChecksumValidation: true,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})}
}

// TestSendAnswersForEach: SQS answers 200 for a batch of which a part was not taken.
func TestSendAnswersForEach(t *testing.T) {
	t.Parallel()
	q := queuesThatAnswer(`{"Successful":[{"Id":"2","MessageId":"m-2","MD5OfMessageBody":""}],
		"Failed":[{"Id":"0","Code":"InternalError","SenderFault":false},{"Id":"1","Code":"InvalidMessageContents","SenderFault":true}]}`)
	sent, err := q.Send(t.Context(), "https://sqs.us-east-1.amazonaws.com/1/q", []string{"a", "b", "c", "d"})
	if err != nil || len(sent) != 4 {
		t.Fatalf("%v, %v", sent, err)
	}
	for i, want := range []struct {
		id            string
		failed, final bool
	}{{"", true, false}, {"", true, true}, {"m-2", false, false}, {"", true, false}} {
		if got := sent[i]; got.MessageID != want.id || (got.Err != nil) != want.failed || got.Final != want.final {
			t.Errorf("message %d: %+v, want %+v", i, got, want)
		}
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	q := queuesThatAnswer(`{"Messages":[{"MessageId":"m","Body":"b","ReceiptHandle":"r",
		"Attributes":{"SentTimestamp":"1767323045678","ApproximateReceiveCount":"7"}}]}`)
	letters, err := q.Receive(t.Context(), "https://sqs.us-east-1.amazonaws.com/1/q", time.Second, time.Second)
	want := Letter{MessageID: "m", Body: "b", Receipt: "r", Receives: 7, SentAt: time.UnixMilli(1767323045678).UTC()}
	if err != nil || len(letters) != 1 || letters[0] != want {
		t.Errorf("%+v, %v; want %+v", letters, err, want)
	}
}

func TestInHand(t *testing.T) {
	t.Parallel()
	m := lambdatypes.EventSourceMappingConfiguration{BatchSize: aws.Int32(10), MaximumBatchingWindowInSeconds: aws.Int32(1)}
	if got, want := inHand(m, aws.Int32(60)), (InHand{For: 61 * time.Second}); got != want {
		t.Errorf("without a bound: %+v, want %+v", got, want)
	}
	m.ScalingConfig = &lambdatypes.ScalingConfig{MaximumConcurrency: aws.Int32(5)}
	if got, want := inHand(m, aws.Int32(60)), (InHand{Prompts: 50, For: 61 * time.Second}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestDeadQueuesAndTheirLogs(t *testing.T) {
	t.Parallel()
	resource := func(kind, logical, physical string) types.StackResourceSummary {
		return types.StackResourceSummary{ResourceType: &kind, LogicalResourceId: &logical, PhysicalResourceId: &physical}
	}
	d := &Deployment{Outputs: Outputs{JobQueueURL: "jobs-url"}, resources: func() ([]types.StackResourceSummary, error) {
		return []types.StackResourceSummary{
			resource("AWS::SQS::Queue", "ClipqueueJobQueueDeadLetters7", "dead-url"), resource("AWS::SQS::Queue", "ClipqueuePublishPoison1", "poison-url"),
			resource("AWS::Logs::LogGroup", "ClipqueueSubmitLogs45A27039", "submit-log"), resource("AWS::Logs::LogGroup", "ClipqueueReconcileLogs1", "reconcile-log"),
		}, nil
	}}
	dead, err := d.Dead(t.Context())
	if err != nil || len(dead) != 2 || dead[0].Source != "jobs-url" || dead[0].LogGroup != "submit-log" || dead[1].Name != "poison" || dead[1].LogGroup != "" {
		t.Errorf("%+v, %v", dead, err)
	}
	if group, err := d.LogGroup(t.Context(), "Reconcile"); group != "reconcile-log" || err != nil {
		t.Errorf("%q, %v", group, err)
	}
}

func TestListenerNames(t *testing.T) {
	t.Parallel()
	l := Listener{bus: "the-bus", stack: strings.Repeat("s", 128)}
	name := strings.Repeat("n", 30)
	if full := l.fullName(name); len(full) != 64 || !strings.HasSuffix(full, "-listen-"+name) {
		t.Errorf("%s has %d characters: a rule takes 64", full, len(full))
	}
	if got, want := l.rulesARN("arn:aws-cn:sqs:cn-north-1:123456789012:q"), "arn:aws-cn:events:cn-north-1:123456789012:rule/the-bus/*"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
