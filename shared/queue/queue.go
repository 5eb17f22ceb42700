// Package queue is the SQS queue that prompts arrive on, as far as the functions
// need it.
package queue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Longest is how long a message can stay invisible: SQS takes up to 12 hours
// from its receive, which lies a little back.
const Longest = 11 * time.Hour

// Queue is one SQS queue.
type Queue struct {
	client *sqs.Client
	url    string
}

// New is the queue at this URL.
func New(client *sqs.Client, url string) (*Queue, error) {
	if client == nil || url == "" {
		return nil, errors.New("queue: a client and a URL are needed")
	}
	return &Queue{client: client, url: url}, nil
}

// Send puts a message on the queue.
func (q *Queue) Send(ctx context.Context, body string) error {
	if _, err := q.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &body}); err != nil {
		return fmt.Errorf("send to %s: %w", q.url, err)
	}
	return nil
}

// Delay makes a received message visible again after d, in whole seconds rounded
// up, at most [Longest].
func (q *Queue) Delay(ctx context.Context, receipt string, d time.Duration) error {
	seconds := int32(math.Ceil(min(max(d, 0), Longest).Seconds()))
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &q.url, ReceiptHandle: &receipt, VisibilityTimeout: seconds,
	})
	if err != nil {
		return fmt.Errorf("change the visibility of a message: %w", err)
	}
	return nil
}
