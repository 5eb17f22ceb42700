package stack

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Operators are managed policies for the people who use the clipqueue command.
type Operators struct {
	constructs.Construct

	// Reader may look at jobs, queues and alarms, and change nothing. It cannot
	// read the vendor's key.
	Reader awsiam.ManagedPolicy
	// Operator may do all that the command does, on top of Reader.
	Operator awsiam.ManagedPolicy
}

// OperatorsProps of [NewOperators]; all required.
type OperatorsProps struct{ Bundle *Clipqueue }

// NewOperators makes the two policies. An operator needs both.
func NewOperators(scope constructs.Construct, id string, props *OperatorsProps) *Operators {
	this := constructs.NewConstruct(scope, jsii.String(id))
	policy := func(id, description string, statements []awsiam.PolicyStatement) awsiam.ManagedPolicy {
		return awsiam.NewManagedPolicy(this, jsii.String(id), &awsiam.ManagedPolicyProps{Description: jsii.String(description), Statements: &statements})
	}
	return &Operators{
		Construct: this,
		Reader:    policy("Reader", "Clipqueue: look at jobs, queues and alarms", readerStatements(props.Bundle)),
		Operator:  policy("Operator", "Clipqueue: what the operator's command changes, on top of the reader's", operatorStatements(props.Bundle)),
	}
}

func readerStatements(c *Clipqueue) []awsiam.PolicyStatement {
	stack := awscdk.Stack_Of(c.Construct)
	table := *c.Jobs.Table.TableArn()
	return []awsiam.PolicyStatement{
		allowed([]string{"cloudformation:DescribeStacks", "cloudformation:ListStackResources"}, arnOf(stack, "cloudformation", "stack", *stack.StackName()+"/*")),
		allowed([]string{"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}, table, table+"/index/*"),
		allowed([]string{"sqs:GetQueueAttributes"}, append(c.deadLetterARNs(), *c.JobQueue.Queue.QueueArn())...),
		allowed([]string{"lambda:GetFunctionConfiguration"}, *c.Submit.Function.FunctionArn()),
		allowed([]string{"secretsmanager:DescribeSecret", "secretsmanager:ListSecretVersionIds"}, c.Vendor.secretARN()),
		// AWS asks for the whole account's alarms, even where the call names some.
		allowed([]string{"cloudwatch:DescribeAlarms"}, arnWithColon(stack, "cloudwatch", "alarm", "*")),
		// AWS knows no narrower resource for this one.
		allowed([]string{"lambda:ListEventSourceMappings"}, "*"),
	}
}

func operatorStatements(c *Clipqueue) []awsiam.PolicyStatement {
	stack := awscdk.Stack_Of(c.Construct)
	listener := *stack.StackName() + "-listen-*"
	return []awsiam.PolicyStatement{
		allowed([]string{"dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}, *c.Jobs.Table.TableArn()),
		allowed([]string{"sqs:SendMessage"}, *c.JobQueue.Queue.QueueArn()),
		allowed([]string{"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"}, c.deadLetterARNs()...),
		allowed([]string{"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"}, c.Vendor.secretARN()),
		allowed([]string{"events:PutEvents"}, *c.Bus.Bus.EventBusArn()),
		// clipqueue listen has a queue and a rule of its own.
		allowed([]string{"events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets"},
			arnOf(stack, "events", "rule", *c.Bus.Bus.EventBusName()+"/"+listener)),
		allowed([]string{
			"sqs:CreateQueue", "sqs:DeleteMessage", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
			"sqs:ReceiveMessage", "sqs:SetQueueAttributes", "sqs:TagQueue",
		}, queueARN(stack, listener)),
		allowed([]string{"lambda:UpdateEventSourceMapping"}, arnWithColon(stack, "lambda", "event-source-mapping", *c.Submit.Feed.Ref())),
	}
}

// deadLetterARNs are the queues of what could not be handled, and the one that
// feeds the archive, to which its dead letters go back.
func (c *Clipqueue) deadLetterARNs() []string {
	arns := []string{
		*c.JobQueue.DeadLetters.QueueArn(), *c.Reconcile.DeadLetters.QueueArn(),
		*c.Publish.Failures.QueueArn(), *c.Publish.Poison.QueueArn(),
	}
	if c.Archive != nil {
		arns = append(arns, *c.Archive.DeadLetters.QueueArn(), *c.Archive.Queue.QueueArn())
	}
	return arns
}

func arnOf(stack awscdk.Stack, service, kind, name string) string {
	return *stack.FormatArn(&awscdk.ArnComponents{Service: jsii.String(service), Resource: jsii.String(kind), ResourceName: jsii.String(name)})
}

// arnWithColon is the ARN of a resource whose kind and name a colon parts.
func arnWithColon(stack awscdk.Stack, service, kind, name string) string {
	return *stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String(service), Resource: jsii.String(kind), ResourceName: jsii.String(name), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}

func queueARN(stack awscdk.Stack, name string) string {
	return fmt.Sprintf("arn:%s:sqs:%s:%s:%s", *stack.Partition(), *stack.Region(), *stack.Account(), name)
}
