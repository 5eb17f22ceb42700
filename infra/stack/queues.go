package stack

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// DeadLetters is a queue for what could not be handled, watched by an alarm.
type DeadLetters struct {
	awssqs.Queue
}

func newDeadLetters(scope constructs.Construct, id string, s *Settings) *DeadLetters {
	return &DeadLetters{newQueue(scope, id, s, &awssqs.QueueProps{})}
}

// GrantSend lets fn put messages here.
func (d *DeadLetters) GrantSend(fn *Function) {
	fn.allow([]string{"sqs:SendMessage"}, *d.QueueArn())
}

// newQueue makes an encrypted queue that keeps messages as long as SQS can and
// takes TLS only; the local engine speaks plain HTTP.
func newQueue(scope constructs.Construct, id string, s *Settings, props *awssqs.QueueProps) awssqs.Queue {
	props.EnforceSSL = jsii.Bool(!s.Local)
	props.Encryption = awssqs.QueueEncryption_SQS_MANAGED
	props.RetentionPeriod = seconds(jobQueueRetention)
	return awssqs.NewQueue(scope, jsii.String(id), props)
}

// JobQueue is where producers put prompts.
type JobQueue struct {
	constructs.Construct

	Queue       awssqs.Queue
	DeadLetters *DeadLetters
}

// JobQueueProps of [NewJobQueue].
type JobQueueProps struct{ Settings *Settings }

// NewJobQueue makes the queue of prompts and its dead-letter queue.
func NewJobQueue(scope constructs.Construct, id string, props *JobQueueProps) *JobQueue {
	this := constructs.NewConstruct(scope, jsii.String(id))
	s := props.Settings
	dead := newDeadLetters(this, "DeadLetters", s)
	queue := newQueue(this, "Queue", s, &awssqs.QueueProps{
		VisibilityTimeout: seconds(jobQueueVisibility),
		// A job waits by being received again, so this is never reached by
		// waiting alone: see the backoff of the submit function.
		DeadLetterQueue: &awssqs.DeadLetterQueue{Queue: dead.Queue, MaxReceiveCount: jsii.Number(1000)},
	})
	for account := range strings.SplitSeq(s.ProducerAccounts, ",") {
		if account != "" {
			queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Principals: &[]awsiam.IPrincipal{awsiam.NewAccountPrincipal(account)},
				Actions:    jsii.Strings("sqs:SendMessage", "sqs:GetQueueUrl"), Resources: &[]*string{queue.QueueArn()},
			}))
		}
	}
	return &JobQueue{Construct: this, Queue: queue, DeadLetters: dead}
}

// Feed calls fn with the prompts, in at most concurrency copies at once.
func (q *JobQueue) Feed(fn *Function, concurrency int) awslambda.CfnEventSourceMapping {
	return consume(fn, q.Queue, env.JobQueueURL, 10, concurrency)
}

// GrantSend lets fn put a prompt back.
func (q *JobQueue) GrantSend(fn *Function) {
	fn.allow([]string{"sqs:SendMessage"}, *q.Queue.QueueArn())
	fn.setEnv(env.JobQueueURL, *q.Queue.QueueUrl())
}

// consume calls fn with messages of queue, batch by batch; fn says which of a
// batch failed, and may have them stay away for longer.
func consume(fn *Function, queue awssqs.Queue, urlName string, batch, concurrency int) awslambda.CfnEventSourceMapping {
	fn.setEnv(urlName, *queue.QueueUrl())
	fn.allow([]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"}, *queue.QueueArn())
	return awslambda.NewCfnEventSourceMapping(fn.Function, jsii.String("Queue"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:          fn.FunctionArn(),
		EventSourceArn:        queue.QueueArn(),
		BatchSize:             jsii.Number(batch),
		ScalingConfig:         &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(concurrency)},
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
	})
}
