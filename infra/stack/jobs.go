package stack

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// Jobs is the table that keeps the account of every job.
type Jobs struct {
	constructs.Construct

	Table awsdynamodb.TableV2

	settings *Settings
}

// JobsProps of [NewJobs].
type JobsProps struct{ Settings *Settings }

// NewJobs makes the table with its two sparse indexes, its stream and its TTL.
func NewJobs(scope constructs.Construct, id string, props *JobsProps) *Jobs {
	this := constructs.NewConstruct(scope, jsii.String(id))
	s := props.Settings
	return &Jobs{Construct: this, settings: s, Table: awsdynamodb.NewTableV2(this, jsii.String("Table"), &awsdynamodb.TablePropsV2{
		PartitionKey:        attribute("pk", awsdynamodb.AttributeType_STRING),
		TimeToLiveAttribute: jsii.String("expires_at"),
		DynamoStream:        awsdynamodb.StreamViewType_NEW_IMAGE,
		Billing:             awsdynamodb.Billing_OnDemand(nil),
		GlobalSecondaryIndexes: &[]*awsdynamodb.GlobalSecondaryIndexPropsV2{
			keysOnly("due", "due_shard", "due_at"),
			keysOnly("created", "created_shard", "created_at"),
		},
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(s.PointInTimeRecovery),
		},
		DeletionProtection: jsii.Bool(s.RetainData),
		RemovalPolicy:      removal(s.RetainData),
	})}
}

// Grant lets fn make the calls named (such as "PutItem") on items of the table.
func (j *Jobs) Grant(fn *Function, calls ...string) {
	fn.allow(prefixed("dynamodb:", calls), *j.Table.TableArn())
	fn.setEnv(env.TableName, *j.Table.TableName())
	s := j.settings
	fn.setEnv(env.ClaimFor, s.ClaimFor.String())
	fn.setEnv(env.FirstLookAfter, s.FirstLookAfter.String())
	fn.setEnv(env.QueuedFor, s.QueuedFor.String())
	fn.setEnv(env.UnconfirmedFor, s.UnconfirmedFor.String())
	fn.setEnv(env.ProcessingFor, s.ProcessingFor.String())
	fn.setEnv(env.RecordFor, (time.Duration(s.RecordDays) * day).String())
	fn.setEnv(env.ArchiveEnabled, boolean(s.Archive))
}

// GrantDue lets fn ask which jobs are overdue.
func (j *Jobs) GrantDue(fn *Function) {
	fn.allow([]string{"dynamodb:Query"}, *j.Table.TableArn()+"/index/due")
}

// Feed calls fn with what was written to items that owe an event.
func (j *Jobs) Feed(fn *Function, failures *DeadLetters) {
	fn.allow([]string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}, *j.Table.TableStreamArn())
	fn.allow([]string{"dynamodb:ListStreams"}, *j.Table.TableArn()+"/stream/*")
	failures.GrantSend(fn)
	awslambda.NewCfnEventSourceMapping(fn.Function, jsii.String("Stream"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:     fn.FunctionArn(),
		EventSourceArn:   j.Table.TableStreamArn(),
		StartingPosition: jsii.String("TRIM_HORIZON"),
		BatchSize:        jsii.Number(100),
		FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{Filters: []any{
			&awslambda.CfnEventSourceMapping_FilterProperty{Pattern: jsii.String(`{"dynamodb":{"NewImage":{"unpublished":{"N":[{"exists":true}]}}}}`)},
		}},
		FunctionResponseTypes:      jsii.Strings("ReportBatchItemFailures"),
		BisectBatchOnFunctionError: jsii.Bool(true),
		// What is given up here is not lost: the marker stays on the item, and
		// reconcile touches it until it is published.
		MaximumRetryAttempts:      jsii.Number(50),
		MaximumRecordAgeInSeconds: jsii.Number((6 * hour).Seconds()),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: failures.QueueArn()},
		},
	})
}

func attribute(name string, kind awsdynamodb.AttributeType) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: jsii.String(name), Type: kind}
}

func keysOnly(name, partition, sort string) *awsdynamodb.GlobalSecondaryIndexPropsV2 {
	return &awsdynamodb.GlobalSecondaryIndexPropsV2{
		IndexName:      jsii.String(name),
		PartitionKey:   attribute(partition, awsdynamodb.AttributeType_STRING),
		SortKey:        attribute(sort, awsdynamodb.AttributeType_NUMBER),
		ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
	}
}

// removal keeps data beyond the stack when asked, but leaves nothing behind of
// a deployment that was rolled back before it ever stood.
func removal(retain bool) awscdk.RemovalPolicy {
	if retain {
		return awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	}
	return awscdk.RemovalPolicy_DESTROY
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = prefix + name
	}
	return out
}
