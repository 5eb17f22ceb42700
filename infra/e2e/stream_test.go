package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// What the stream hands over, byte for byte as a function gets it, is read as
// the jobs that were written, in the order of the writes.
func TestStreamImages(t *testing.T) {
	t.Parallel()
	rules, now := job.DefaultRules(), jobtest.Epoch().Add(jobtest.SettledAfter)
	name := likeTheStacks(t)
	table, err := store.New(bundle.dynamo, name, rules, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	want := []job.Job{jobtest.Full(t)}
	for i, s := range jobtest.Stages(t, rules, "") {
		if s.Job.Version > 0 {
			s.Job.ID = fmt.Sprintf("job-%d", i)
			want = append(want, s.Job)
		}
	}
	processing := jobtest.At(t, rules, "settled", "processing")
	want = append(want, processing)
	for _, j := range want {
		if err := table.Put(t.Context(), j, job.Job{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Settle(t.Context(), "settled", jobtest.Callback(job.Completed)); err != nil {
		t.Fatal(err)
	}
	settled, err := rules.Apply(processing, jobtest.Callback(job.Completed))
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, settled)

	images := streamImages(t, name)
	if len(images) != len(want) {
		t.Fatalf("%d images of %d writes", len(images), len(want))
	}
	for i, image := range images {
		got, err := store.DecodeImage(image)
		if diff := cmp.Diff(want[i], got); err != nil || diff != "" {
			t.Errorf("image %d: %v (-want +got):\n%s\n%s", i, err, diff, image)
		}
	}
}

// Fault 29: a row that is no job is put aside, and the others go on.
func TestFault29_RowThatIsNoJob(t *testing.T) {
	t.Parallel()
	key := job.Key("e2e-poison-" + rand.Text())
	_, err := bundle.dynamo.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &bundle.Outputs.TableName, Item: map[string]dbtypes.AttributeValue{
		"pk": &dbtypes.AttributeValueMemberS{Value: key}, "unpublished": &dbtypes.AttributeValueMemberN{Value: "1"},
		"state": &dbtypes.AttributeValueMemberN{Value: "7"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for url := deadQueue(t, "poison"); ; {
		got, err := bundle.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 2})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Messages) > 0 {
			if body := aws.ToString(got.Messages[0].Body); !strings.Contains(body, key) {
				t.Errorf("put aside: %s; want the row %s", body, key)
			}
			break
		}
	}
	enqueue(t, "Behind the poison", nil).ends(events.TypeCompleted)
}

// deadQueue is the URL of what the operator calls by this name.
func deadQueue(t *testing.T, name string) string {
	t.Helper()
	queues, err := bundle.Dead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(queues, func(q deployment.DeadQueue) bool { return q.Name == name })
	if at < 0 {
		t.Fatalf("the stack has no queue %s: %v", name, queues)
	}
	return queues[at].URL
}

// streamImages are the raw new images that lie in a table's stream.
func streamImages(t *testing.T, table string) []json.RawMessage {
	t.Helper()
	described, err := bundle.dynamo.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	arn, wire := described.Table.LatestStreamArn, &recorder{client: local.HTTPClient()}
	streams := dynamodbstreams.NewFromConfig(bundle.AWS, func(o *dynamodbstreams.Options) { o.HTTPClient = wire })
	stream, err := streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	var images []json.RawMessage
	for _, shard := range stream.StreamDescription.Shards {
		at, err := streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		// One read is enough: it may bring a thousand records.
		if _, err := streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: at.ShardIterator}); err != nil {
			t.Fatal(err)
		}
		images = append(images, wire.images(t)...)
	}
	return images
}

// A recorder keeps the last answer as it came, before the SDK reads it.
type recorder struct {
	client *http.Client
	last   []byte
}

// Do is the HTTP client's.
func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	res, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	r.last, err = io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(r.last))
	return res, nil
}

func (r *recorder) images(t *testing.T) []json.RawMessage {
	t.Helper()
	var answer struct {
		Records []struct {
			DynamoDB struct {
				NewImage json.RawMessage `json:"NewImage"`
			} `json:"dynamodb"`
		} `json:"Records"`
	}
	if err := json.Unmarshal(r.last, &answer); err != nil {
		t.Fatal(err)
	}
	images := make([]json.RawMessage, len(answer.Records))
	for i, record := range answer.Records {
		images[i] = record.DynamoDB.NewImage
	}
	return images
}
