package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bustypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	queuetypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
)

// An Event is an EventBridge event of ours, as a consumer's queue gets it.
type Event struct {
	// Raw is the whole event.
	Raw jsontext.Value `json:"-"`
	// ID is EventBridge's own; a repeat of ours has another.
	ID string `json:"id"`
	// DetailType is the kind of event.
	DetailType events.DetailType `json:"detail-type"`
	// Source is events.Source.
	Source string `json:"source"`
	// Detail says which job the event is about, and has what happened as JSON.
	Detail events.Event[jsontext.Value] `json:"detail"`
}

// JobID is the job that the event is about.
func (e Event) JobID() string { return e.Detail.Metadata.JobID }

// A Consumer is a queue of its own behind a rule on the bundle's bus: what any
// team would set up to hear of its videos.
type Consumer struct {
	sqs *sqs.Client
	url string
}

// Consume sets a consumer up. It hears every event from then on.
func (b *Bundle) Consume(ctx context.Context) (*Consumer, error) {
	name := "consumer-" + strings.ToLower(rand.Text()[:8])
	c := &Consumer{sqs: sqs.NewFromConfig(b.AWS)}
	arn, err := c.createQueue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("consumer queue: %w", err)
	}
	if err := putRule(ctx, eventbridge.NewFromConfig(b.AWS), b.Outputs.EventBusName, name, arn); err != nil {
		return nil, fmt.Errorf("consumer rule: %w", err)
	}
	return c, nil
}

// queuePolicy lets EventBridge send to the queue.
const queuePolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
	`"Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":%q}]}`

func (c *Consumer) createQueue(ctx context.Context, name string) (arn string, err error) {
	arn = fmt.Sprintf("arn:aws:sqs:%s:%s:%s", Region, Account, name)
	queue, err := c.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName:  aws.String(name),
		Attributes: map[string]string{string(queuetypes.QueueAttributeNamePolicy): fmt.Sprintf(queuePolicy, arn)},
	})
	if err != nil {
		return "", err
	}
	c.url = aws.ToString(queue.QueueUrl)
	return arn, nil
}

func putRule(ctx context.Context, bus *eventbridge.Client, busName, name, queueARN string) error {
	_, err := bus.PutRule(ctx, &eventbridge.PutRuleInput{
		Name:         aws.String(name),
		EventBusName: aws.String(busName),
		EventPattern: aws.String(fmt.Sprintf(`{"source":[%q]}`, events.Source)),
	})
	if err != nil {
		return err
	}
	targets, err := bus.PutTargets(ctx, &eventbridge.PutTargetsInput{
		Rule:         aws.String(name),
		EventBusName: aws.String(busName),
		Targets:      []bustypes.Target{{Id: aws.String("queue"), Arn: aws.String(queueARN)}},
	})
	if err != nil {
		return err
	}
	if targets.FailedEntryCount > 0 {
		return errors.New(aws.ToString(targets.FailedEntries[0].ErrorMessage))
	}
	return nil
}

// Receive waits for the next events and takes them from the queue. It may come
// back with none.
func (c *Consumer) Receive(ctx context.Context) ([]Event, error) {
	const waitSeconds = 2
	got, err := c.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(c.url), MaxNumberOfMessages: 10, WaitTimeSeconds: waitSeconds,
	})
	if err != nil {
		return nil, fmt.Errorf("receive events: %w", err)
	}
	var received []Event
	for _, m := range got.Messages {
		e := Event{Raw: jsontext.Value(aws.ToString(m.Body))}
		if err := json.Unmarshal(e.Raw, &e); err != nil {
			return nil, fmt.Errorf("receive events: %w: %s", err, e.Raw)
		}
		received = append(received, e)
		_, err := c.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: aws.String(c.url), ReceiptHandle: m.ReceiptHandle})
		if err != nil {
			return nil, fmt.Errorf("delete a received event: %w", err)
		}
	}
	return received, nil
}
