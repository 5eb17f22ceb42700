package deployment

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// What SQS takes in one call: ten messages, and 1 MiB with them; some regions
// and endpoints still keep to the older 256 KiB.
const (
	BatchMessages = 10
	BatchBytes    = 256 << 10
)

// Sent is what became of one message of a batch.
type Sent struct {
	// MessageID is SQS's; empty when it was not taken.
	MessageID string
	// Err is why it was not taken.
	Err error
	// Final says that SQS refuses the message for what it is: sending it again is no use.
	Final bool
}

// Letter is a message that was received.
type Letter struct {
	MessageID string
	Body      string
	// SentAt is when it was put on its first queue, Receives how often it was received.
	SentAt   time.Time
	Receives int
	// Receipt deletes it.
	Receipt string
}

// Depth is how many messages a queue holds, about.
type Depth struct {
	Waiting, InFlight, Delayed int
}

// Queues are the queues of the account.
type Queues struct{ client *sqs.Client }

// Queues reaches the queues.
func (d *Deployment) Queues() Queues { return Queues{sqs.NewFromConfig(d.aws)} }

// Send puts up to BatchMessages messages, of BatchBytes together, on a queue in
// one call. It answers for each; the error is the call's own.
func (q Queues) Send(ctx context.Context, url string, bodies []string) ([]Sent, error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: &url}
	for i, body := range bodies {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(body)})
	}
	out, err := q.client.SendMessageBatch(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("send %d messages: %w", len(bodies), err)
	}
	sent := make([]Sent, len(bodies))
	for i := range sent {
		sent[i].Err = errors.New("SQS did not answer for it")
	}
	for _, ok := range out.Successful {
		if i, err := strconv.Atoi(aws.ToString(ok.Id)); err == nil && i < len(sent) {
			sent[i] = Sent{MessageID: aws.ToString(ok.MessageId)}
		}
	}
	for _, failed := range out.Failed {
		if i, err := strconv.Atoi(aws.ToString(failed.Id)); err == nil && i < len(sent) {
			sent[i] = Sent{Err: fmt.Errorf("%s: %s", aws.ToString(failed.Code), aws.ToString(failed.Message)), Final: failed.SenderFault}
		}
	}
	return sent, nil
}

// Receive takes up to ten messages, waiting up to wait for the first, and keeps
// them from other receivers for hold.
func (q Queues) Receive(ctx context.Context, url string, wait, hold time.Duration) ([]Letter, error) {
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: BatchMessages,
		WaitTimeSeconds: int32(wait / time.Second), VisibilityTimeout: int32(hold / time.Second), //nolint:gosec // a few seconds
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameSentTimestamp, types.MessageSystemAttributeNameApproximateReceiveCount,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("receive from %s: %w", url, err)
	}
	letters := make([]Letter, len(out.Messages))
	for i, m := range out.Messages {
		letters[i] = Letter{
			MessageID: aws.ToString(m.MessageId), Body: aws.ToString(m.Body), Receipt: aws.ToString(m.ReceiptHandle),
			Receives: whole(m.Attributes["ApproximateReceiveCount"]),
			SentAt:   time.UnixMilli(int64(whole(m.Attributes["SentTimestamp"]))).UTC(),
		}
	}
	return letters, nil
}

// Delete takes a received message off its queue.
func (q Queues) Delete(ctx context.Context, url, receipt string) error {
	if _, err := q.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: &receipt}); err != nil {
		return fmt.Errorf("delete a message from %s: %w", url, err)
	}
	return nil
}

// Return gives a received message back, for the next receiver.
func (q Queues) Return(ctx context.Context, url, receipt string) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: &receipt})
	if err != nil {
		return fmt.Errorf("give a message back to %s: %w", url, err)
	}
	return nil
}

// Depth counts what a queue holds, about.
func (q Queues) Depth(ctx context.Context, url string) (Depth, error) {
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}})
	if err != nil {
		return Depth{}, fmt.Errorf("count the messages of %s: %w", url, err)
	}
	return Depth{
		Waiting:  whole(out.Attributes["ApproximateNumberOfMessages"]),
		InFlight: whole(out.Attributes["ApproximateNumberOfMessagesNotVisible"]),
		Delayed:  whole(out.Attributes["ApproximateNumberOfMessagesDelayed"]),
	}, nil
}

// whole reads a number of SQS's, which are decimal digits.
func whole(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// DeadQueue is one of the bundle's queues of what could not be handled.
type DeadQueue struct {
	// Name is what the operator calls it.
	Name string
	URL  string
	// Source is the queue that its messages go back to; empty when there is no use in that.
	Source string
	// About says what lies in it, and what to do.
	About string
	// LogGroup is the log of the function that could not handle it; empty when there is none.
	LogGroup string
}

// Dead are the dead-letter queues of the stack.
func (d *Deployment) Dead(context.Context) ([]DeadQueue, error) {
	resources, err := d.resources()
	if err != nil {
		return nil, err
	}
	var queues []DeadQueue
	for _, q := range []struct{ name, part, function, source, about string }{
		{"jobs", "JobQueueDeadLetters", "Submit", d.Outputs.JobQueueURL, "prompts that SQS gave up handing to submit, which takes 1,000 receives, or that somebody put here: look at the log of submit, then redrive"},
		{"archive", "ArchiveDeadLetters", "Archive", physicalID(resources, queueType, "ArchiveQueue"), "finished videos that could not be copied: look at the log of archive, then redrive"},
		{"reconcile", "ReconcileDeadLetters", "Reconcile", "", "runs of reconcile that failed: the next run does the same, so drop them once the cause is gone"},
		{"failures", "PublishFailures", "Publish", "", "pointers to changes that publish gave up: reconcile has their events sent again, so drop them once the cause is gone"},
		{"poison", "PublishPoison", "Publish", "", "records that no event can be made of: read each, then drop it"},
	} {
		if url := physicalID(resources, queueType, q.part); url != "" {
			queues = append(queues, DeadQueue{
				Name: q.name, URL: url, Source: q.source, About: q.about, LogGroup: physicalID(resources, logGroupType, q.function+"Logs"),
			})
		}
	}
	return queues, nil
}

// The types of resources that are looked for.
const (
	queueType    = "AWS::SQS::Queue"
	logGroupType = "AWS::Logs::LogGroup"
)

// physicalID is AWS's name of the resource of this type whose logical id has
// part in it; empty when there is none.
func physicalID(resources []cfntypes.StackResourceSummary, resourceType, part string) string {
	for _, r := range resources {
		if aws.ToString(r.ResourceType) == resourceType && strings.Contains(aws.ToString(r.LogicalResourceId), part) {
			return aws.ToString(r.PhysicalResourceId)
		}
	}
	return ""
}
