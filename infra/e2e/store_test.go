package e2e_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/storetest"
)

// The suite that the table in memory passes too, over real tables: empty ones
// with the keys, indexes and stream that the stack gave its own.
func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, rules job.Rules, now func() time.Time) storetest.Subject {
		t.Helper()
		name := likeTheStacks(t)
		lossy := &lossy{client: local.HTTPClient()}
		client := dynamodb.NewFromConfig(bundle.AWS, func(o *dynamodb.Options) {
			o.HTTPClient = lossy
			o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, 10*time.Millisecond)
		})
		table, err := store.New(client, name, rules, now)
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Subject{
			Table: table, LoseAnswer: lossy.loseNext,
			Quarantined: func(t *testing.T, key string) (store.Quarantined, int) {
				t.Helper()
				return readQuarantined(t, name, key)
			},
			Rounds: 5,
		}
	})
}

// likeTheStacks makes an empty table with the schema of the deployed one.
func likeTheStacks(t *testing.T) string {
	t.Helper()
	described, err := bundle.dynamo.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &bundle.Outputs.TableName})
	if err != nil {
		t.Fatal(err)
	}
	schema, name := described.Table, "store-"+rand.Text()
	var indexes []types.GlobalSecondaryIndex
	for _, i := range schema.GlobalSecondaryIndexes {
		indexes = append(indexes, types.GlobalSecondaryIndex{IndexName: i.IndexName, KeySchema: i.KeySchema, Projection: i.Projection})
	}
	_, err = bundle.dynamo.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema: schema.KeySchema, AttributeDefinitions: schema.AttributeDefinitions, GlobalSecondaryIndexes: indexes,
		StreamSpecification: schema.StreamSpecification,
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// A lossy client loses the answer to one request: the SDK, which cannot tell
// that it was carried out, repeats it.
type lossy struct {
	client *http.Client

	mu      sync.Mutex
	between func()
}

func (l *lossy) loseNext(between func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.between = between
}

// errLost is what the SDK sees of a lost answer.
var errLost = errors.New("the answer was lost on its way")

// Do is the HTTP client's.
func (l *lossy) Do(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	between := l.between
	l.between = nil
	l.mu.Unlock()
	res, err := l.client.Do(r)
	if between == nil || err != nil {
		return res, err
	}
	between()
	return nil, errors.Join(&lostError{errLost}, res.Body.Close())
}

// lostError is an error that the SDK takes for one of the connection.
type lostError struct{ error }

// ConnectionError says so to the SDK's retryer.
func (*lostError) ConnectionError() bool { return true }

// Unwrap is the cause.
func (e *lostError) Unwrap() error { return e.error }

func readQuarantined(t *testing.T, table, key string) (store.Quarantined, int) {
	t.Helper()
	got, err := bundle.dynamo.GetItem(context.WithoutCancel(t.Context()), &dynamodb.GetItemInput{
		TableName: &table, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Item) == 0 {
		return store.Quarantined{}, 0
	}
	q := store.Quarantined{Path: text(got.Item["path"]), Reason: text(got.Item["reason"])}
	if b, ok := got.Item["body"].(*types.AttributeValueMemberB); ok {
		q.Body = b.Value
	}
	q.At = time.UnixMilli(number(t, got.Item["last_at"])).UTC()
	return q, int(number(t, got.Item["seen"]))
}

func text(v types.AttributeValue) string {
	s, _ := v.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func number(t *testing.T, v types.AttributeValue) int64 {
	t.Helper()
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		t.Fatalf("no number: %v", v)
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
