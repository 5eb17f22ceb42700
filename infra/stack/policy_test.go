//go:build !race

package stack

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const secretARN = "arn:AWS::Partition:secretsmanager:AWS::Region:AWS::AccountId:secret:Clipqueue-main-Clipqueue-96B887FE/creativeai-api-key-??????"

// wantGrants are all that each role may do. What is not here must not be granted.
func wantGrants() map[string][]string {
	return map[string][]string{
		"SubmitRole": {
			"dynamodb:PutItem JobsTable.Arn",
			"logs:CreateLogStream SubmitLogs.Arn",
			"logs:PutLogEvents SubmitLogs.Arn",
			"secretsmanager:GetSecretValue " + secretARN,
			"sqs:ChangeMessageVisibility JobQueue.Arn",
			"sqs:DeleteMessage JobQueue.Arn",
			"sqs:GetQueueAttributes JobQueue.Arn",
			"sqs:ReceiveMessage JobQueue.Arn",
			"states:StartExecution PollLoop",
		},
		"WebhookRole": {
			"dynamodb:UpdateItem JobsTable.Arn",
			"logs:CreateLogStream WebhookLogs.Arn",
			"logs:PutLogEvents WebhookLogs.Arn",
			"secretsmanager:GetSecretValue " + secretARN,
		},
		"PollLoopRole": {
			"dynamodb:GetItem JobsTable.Arn",
			"dynamodb:PutItem JobsTable.Arn",
			"logs:CreateLogStream PollLoopLogs.Arn",
			"logs:PutLogEvents PollLoopLogs.Arn",
			"secretsmanager:GetSecretValue " + secretARN,
		},
		"PollLoopLoopRole": {
			"lambda:InvokeFunction PollLoopFunction.Arn",
			"logs:CreateLogDelivery *",
			"logs:DeleteLogDelivery *",
			"logs:DescribeLogGroups *",
			"logs:DescribeResourcePolicies *",
			"logs:GetLogDelivery *",
			"logs:ListLogDeliveries *",
			"logs:PutResourcePolicy *",
			"logs:UpdateLogDelivery *",
		},
		"ReconcileRole": {
			"dynamodb:GetItem JobsTable.Arn",
			"dynamodb:PutItem JobsTable.Arn",
			"dynamodb:Query JobsTable.Arn/index/due",
			"logs:CreateLogStream ReconcileLogs.Arn",
			"logs:PutLogEvents ReconcileLogs.Arn",
			"secretsmanager:GetSecretValue " + secretARN,
			"sqs:SendMessage JobQueue.Arn",
			"sqs:SendMessage ReconcileDeadLetters.Arn",
		},
		"PublishRole": {
			"dynamodb:DescribeStream JobsTable.StreamArn",
			"dynamodb:GetRecords JobsTable.StreamArn",
			"dynamodb:GetShardIterator JobsTable.StreamArn",
			"dynamodb:ListStreams JobsTable.Arn/stream/*",
			"dynamodb:PutItem JobsTable.Arn",
			"events:PutEvents VideoBus.Arn",
			"logs:CreateLogStream PublishLogs.Arn",
			"logs:PutLogEvents PublishLogs.Arn",
			"sqs:SendMessage PublishFailures.Arn",
			"sqs:SendMessage PublishPoison.Arn",
		},
		"ArchiveRole": {
			"dynamodb:GetItem JobsTable.Arn",
			"dynamodb:PutItem JobsTable.Arn",
			"logs:CreateLogStream ArchiveLogs.Arn",
			"logs:PutLogEvents ArchiveLogs.Arn",
			"s3:AbortMultipartUpload ArchiveBucket.Arn/videos/*",
			"s3:GetObject ArchiveBucket.Arn/videos/*",
			"s3:PutObject ArchiveBucket.Arn/videos/*",
			"s3:PutObjectTagging ArchiveBucket.Arn/videos/*",
			"sqs:ChangeMessageVisibility ArchiveQueue.Arn",
			"sqs:DeleteMessage ArchiveQueue.Arn",
			"sqs:GetQueueAttributes ArchiveQueue.Arn",
			"sqs:ReceiveMessage ArchiveQueue.Arn",
		},
	}
}

func TestEachRoleMayDoWhatItsFunctionCallsAndNoMore(t *testing.T) {
	tpl := synth(t, nil)
	want := wantGrants()
	for role := range want {
		if diff := cmp.Diff(want[role], tpl.grants(t, role)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
	if roles := tpl.ofType("AWS::IAM::Role"); len(roles) != len(want) {
		t.Errorf("the template has %d roles, and this test knows %d: %v", len(roles), len(want), sortedKeys(roles))
	}
	if others := sortedKeys(tpl.ofType("AWS::IAM::Policy")); len(others) > 0 {
		t.Errorf("policies outside of roles: %v", others)
	}
	for id, role := range tpl.ofType("AWS::IAM::Role") {
		if managed := role.Properties["ManagedPolicyArns"]; managed != nil {
			t.Errorf("%s has managed policies: %v", id, managed)
		}
	}
}

// AWS knows no narrower resource for these; see its service authorization
// reference for CloudWatch Logs.
func TestOnlyTheDeliveryOfLogsIsGrantedOnEverything(t *testing.T) {
	for role, grants := range wantGrants() {
		for _, grant := range grants {
			action, target, _ := strings.Cut(grant, " ")
			if strings.Contains(action, "*") || target == "*" && role != "PollLoopLoopRole" {
				t.Errorf("%s is granted %s", role, grant)
			}
		}
	}
}
