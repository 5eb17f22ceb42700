package deployment

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bustypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/go-json-experiment/json"

	"github.com/clipqueue/clipqueue/events"
)

// Listener sets queues up behind rules on the bundle's bus.
type Listener struct {
	rules  *eventbridge.Client
	queues *sqs.Client
	bus    string
	stack  string
}

// Listener reaches the bus.
func (d *Deployment) Listener() Listener {
	return Listener{eventbridge.NewFromConfig(d.aws), sqs.NewFromConfig(d.aws), d.Outputs.EventBusName, d.Stack}
}

// target names the one target of each rule.
const target = "queue"

// Subscribe makes a queue that gets the events of these types, or of all when
// there are none, and returns its URL. Made again under the same name, it is
// the same queue with what has gathered in it.
func (l Listener) Subscribe(ctx context.Context, name string, types []events.DetailType) (url string, err error) {
	full := l.fullName(name)
	queue, err := l.queues.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: &full, Tags: map[string]string{"clipqueue:listener": name},
	})
	if err != nil {
		return "", fmt.Errorf("create the queue %s: %w", full, err)
	}
	url = aws.ToString(queue.QueueUrl)
	arn, err := queueARN(ctx, l.queues, url)
	if err != nil {
		return "", err
	}
	if err := l.letIn(ctx, url, arn); err != nil {
		return "", err
	}
	if err := l.putRule(ctx, full, arn, types); err != nil {
		return "", err
	}
	return url, nil
}

// letIn lets EventBridge send to the queue, for rules on the bundle's bus only.
func (l Listener) letIn(ctx context.Context, url, arn string) error {
	type fields map[string]any
	policy, err := json.Marshal(fields{"Version": "2012-10-17", "Statement": []fields{{
		"Effect": "Allow", "Principal": fields{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
		"Condition": fields{"ArnLike": fields{"aws:SourceArn": l.rulesARN(arn)}},
	}}}, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("write the policy of %s: %w", url, err)
	}
	_, err = l.queues.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{
		string(sqstypes.QueueAttributeNamePolicy):                 string(policy),
		string(sqstypes.QueueAttributeNameMessageRetentionPeriod): "1209600",
	}})
	if err != nil {
		return fmt.Errorf("let events into %s: %w", url, err)
	}
	return nil
}

// rulesARN is the pattern of the bus's rules: partition, region and account are the queue's own.
func (l Listener) rulesARN(queueARN string) string {
	parts := strings.SplitN(queueARN, ":", 6)
	if len(parts) < 6 {
		parts = []string{"arn", "*", "sqs", "*", "*", ""}
	}
	return fmt.Sprintf("arn:%s:events:%s:%s:rule/%s/*", parts[1], parts[3], parts[4], l.bus)
}

func (l Listener) putRule(ctx context.Context, name, arn string, types []events.DetailType) error {
	pattern := map[string]any{"source": []string{events.Source}}
	if len(types) > 0 {
		pattern["detail-type"] = types
	}
	text, err := json.Marshal(pattern, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("write the pattern of %s: %w", name, err)
	}
	_, err = l.rules.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: &name, EventBusName: &l.bus, EventPattern: aws.String(string(text)), Description: aws.String("clipqueue listen"),
	})
	if err != nil {
		return fmt.Errorf("put the rule %s: %w", name, err)
	}
	out, err := l.rules.PutTargets(ctx, &eventbridge.PutTargetsInput{
		Rule: &name, EventBusName: &l.bus, Targets: []bustypes.Target{{Id: aws.String(target), Arn: &arn}},
	})
	if err != nil {
		return fmt.Errorf("put the target of the rule %s: %w", name, err)
	}
	if out.FailedEntryCount > 0 && len(out.FailedEntries) > 0 {
		return fmt.Errorf("put the target of the rule %s: %s", name, aws.ToString(out.FailedEntries[0].ErrorMessage))
	}
	return nil
}

// Unsubscribe removes the queue and the rule of this name, and says whether
// there was one. What is not there is no error.
func (l Listener) Unsubscribe(ctx context.Context, name string) (existed bool, err error) {
	full := l.fullName(name)
	// The queue is made first and goes last, so a listener that is there has one.
	queue, noQueue := l.queues.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &full})
	errs := []error{unlessGone(noQueue)}
	_, err = l.rules.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &full, EventBusName: &l.bus, Ids: []string{target}})
	errs = append(errs, unlessGone(err))
	_, err = l.rules.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &full, EventBusName: &l.bus})
	errs = append(errs, unlessGone(err))
	if noQueue == nil {
		_, err = l.queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: queue.QueueUrl})
		errs = append(errs, unlessGone(err))
	}
	if err := errors.Join(errs...); err != nil {
		return noQueue == nil, fmt.Errorf("remove the listener %s: %w", name, err)
	}
	return noQueue == nil, nil
}

func unlessGone(err error) error {
	var noRule *bustypes.ResourceNotFoundException
	var noQueue *sqstypes.QueueDoesNotExist
	if errors.As(err, &noRule) || errors.As(err, &noQueue) {
		return nil
	}
	return err
}

// fullName is the name of queue and rule: rules take 64 characters, queues 80.
func (l Listener) fullName(name string) string {
	const longest = 64
	prefix := l.stack[:min(len(l.stack), longest-len("-listen-")-len(name))]
	return prefix + "-listen-" + name
}
