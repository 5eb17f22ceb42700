// Command go is a Lambda function that takes Clipqueue's events: copy it, and
// put your own work into the four functions at its end.
//
// It needs a DynamoDB table with the string key event_id and the TTL attribute
// expires_at, named in the environment variable SEEN_TABLE, and the actions
// dynamodb:GetItem and dynamodb:PutItem on it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/clipqueue/clipqueue/events"
)

// rememberFor is how long a repeat is recognised: as long as Clipqueue's record of a job lives.
const rememberFor = 45 * 24 * time.Hour

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		slog.Error("no AWS configuration", slog.Any("error", err))
		os.Exit(1)
	}
	c := consumer{dynamodb.NewFromConfig(cfg), os.Getenv("SEEN_TABLE")}
	lambda.Start(c.handle)
}

type event = events.Envelope[json.RawMessage]

type consumer struct {
	db   *dynamodb.Client
	seen string
}

func (c consumer) handle(ctx context.Context, e event) (string, error) {
	did, err := c.take(ctx, e)
	if err != nil {
		return "", fmt.Errorf("event %s: %w", e.Detail.Metadata.EventID, err)
	}
	slog.InfoContext(ctx, "event", slog.String("did", did), slog.String("job_id", e.Detail.Metadata.JobID))
	return did, nil
}

// take says what it did with an event. After an error Lambda hands the event in
// again: it is remembered only once the work is done, so that none is lost.
func (c consumer) take(ctx context.Context, e event) (string, error) {
	about := e.Detail.Metadata
	work, isVerdict := map[events.DetailType]func(event) (string, error){
		events.TypeCompleted: with(completed), events.TypeFailed: with(failed),
		events.TypeRejected: with(rejected), events.TypeExpired: with(expired),
	}[e.DetailType]
	if !isVerdict || about.Sample || !strings.HasPrefix(about.SchemaVersion, "1.") {
		return "ignored", nil
	}
	if repeat, err := c.hasSeen(ctx, about.EventID); err != nil || repeat {
		return "repeat", err
	}
	did, err := work(e)
	if err != nil {
		return "", err
	}
	return did, c.remember(ctx, about.EventID)
}

func (c consumer) hasSeen(ctx context.Context, id string) (bool, error) {
	out, err := c.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &c.seen, Key: map[string]types.AttributeValue{"event_id": &types.AttributeValueMemberS{Value: id}},
		ConsistentRead: aws.Bool(true),
	})
	return err == nil && out.Item != nil, err
}

func (c consumer) remember(ctx context.Context, id string) error {
	until := strconv.FormatInt(time.Now().Add(rememberFor).Unix(), 10)
	_, err := c.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &c.seen, Item: map[string]types.AttributeValue{
		"event_id":   &types.AttributeValueMemberS{Value: id},
		"expires_at": &types.AttributeValueMemberN{Value: until},
	}})
	return err
}

// with decodes an event's data for the work on it.
func with[T any](work func(events.Metadata, T) (string, error)) func(event) (string, error) {
	return func(e event) (string, error) {
		var data T
		if err := json.Unmarshal(e.Detail.Data, &data); err != nil {
			return "", err
		}
		return work(e.Detail.Metadata, data)
	}
}

// The work, which can be done twice if remembering fails, or if the same event
// comes twice at the same moment.

func completed(_ events.Metadata, clip events.Completed) (string, error) {
	if clip.OutputURL == nil {
		return "made, without a link: " + clip.OutputURLProblem, nil
	}
	return "made: " + *clip.OutputURL, nil
}

func failed(_ events.Metadata, failure events.Failed) (string, error) {
	return "failed: " + failure.ErrorMessage, nil
}

func rejected(_ events.Metadata, refusal events.Rejected) (string, error) {
	return fmt.Sprintf("rejected, %s: %s", refusal.Code, refusal.Message), nil
}

// A verdict of the vendor's may still follow.
func expired(_ events.Metadata, expiry events.Expired) (string, error) {
	if expiry.MayBeCharged {
		return "expired, perhaps paid for: " + expiry.Message, nil
	}
	return "expired: " + expiry.Message, nil
}
