package stack

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// acceptance is a finding of cdk-nag's AwsSolutions pack or of checkov that
// stays, and why. It goes into the template as both tools want to read it, so
// that the pipeline of a team that has the bundle in its app is quiet too.
type acceptance struct {
	// kind is the type of the resources; path, if any, ends theirs.
	kind, path string
	nag        []string
	checkov    []string
	because    string
}

func acceptances(s *Settings) []acceptance {
	all := untraced()
	if s.Tracing {
		all = append(all, acceptance{
			kind: "AWS::IAM::Role", path: "/Role/Resource", nag: []string{"AwsSolutions-IAM5"},
			because: "AWS knows no narrower resource for traces",
		})
	}
	return all
}

func untraced() []acceptance {
	const ownKey = "encrypted with AWS's own key; a key of one's own costs a call each time, and every producer and consumer would need a grant on it"
	return []acceptance{
		{
			kind: "AWS::SQS::Queue", checkov: []string{"CKV_AWS_27"},
			because: "encrypted by SQS itself, which the rule does not know",
		},
		{
			kind: "AWS::SQS::Queue", path: "Publish/Failures/Resource", nag: []string{"AwsSolutions-SQS3"},
			because: "it is a dead-letter queue itself, of a kind that the rule does not recognise",
		},
		{
			kind: "AWS::SQS::Queue", path: "Publish/Poison/Resource", nag: []string{"AwsSolutions-SQS3"},
			because: "it is where publish puts what cannot be made into an event",
		},
		{
			kind: "AWS::SQS::Queue", path: "Reconcile/DeadLetters/Resource", nag: []string{"AwsSolutions-SQS3"},
			because: "it is a dead-letter queue itself, of a kind that the rule does not recognise",
		},
		{
			kind: "AWS::IAM::Role", path: "Publish/Role/Resource", nag: []string{"AwsSolutions-IAM5"},
			because: "ListStreams takes streams of the table only by a pattern, as the name of a stream is a time",
		},
		{
			kind: "AWS::IAM::Role", path: "Archive/Role/Resource", nag: []string{"AwsSolutions-IAM5"},
			because: "any object under videos/, as each has a key of its own",
		},
		{
			kind: "AWS::IAM::Role", path: "PollLoop/LoopRole/Resource", nag: []string{"AwsSolutions-IAM5"},
			because: "AWS knows no narrower resource for the delivery of logs",
		},
		{
			kind: "AWS::ApiGatewayV2::Route", nag: []string{"AwsSolutions-APIG4"},
			because: "the vendor signs its callbacks and the function verifies that; it cannot send credentials of AWS",
		},
		{
			kind: "AWS::SecretsManager::Secret", nag: []string{"AwsSolutions-SMG4"},
			because: "only the vendor can make a new key; both are accepted while it is changed",
		},
		{kind: "AWS::SecretsManager::Secret", checkov: []string{"CKV_AWS_149"}, because: ownKey},
		{
			kind: "AWS::StepFunctions::StateMachine", nag: []string{"AwsSolutions-SF1"},
			because: "errors are logged; every event of every loop would cost more than the loop, and the functions log the rest",
		},
		{
			kind: "AWS::StepFunctions::StateMachine", nag: []string{"AwsSolutions-SF2"},
			because: "tracing is a setting, off by default for its price",
		},
		{
			kind: "AWS::S3::Bucket", nag: []string{"AwsSolutions-S1"}, checkov: []string{"CKV_AWS_18"},
			because: "an access log needs a second bucket and a policy of the account's own; CloudTrail's data events do the same",
		},
		{
			kind: "AWS::S3::Bucket", checkov: []string{"CKV_AWS_21"},
			because: "an object is written once and never again, so there are no versions to keep",
		},
		{
			kind: "AWS::Lambda::Function", checkov: []string{"CKV_AWS_116"},
			because: "a queue, a stream, an API or a workflow calls it, each with a place for what failed; reconcile has a destination for failures",
		},
		{
			kind: "AWS::Lambda::Function", checkov: []string{"CKV_AWS_117"},
			because: "it calls AWS and the vendor over TLS and nothing inside a VPC, which would only add a NAT gateway",
		},
		{
			kind: "AWS::Lambda::Function", checkov: []string{"CKV_AWS_115"},
			because: "reserved concurrency is a setting, off by default, as new accounts have 10 in all",
		},
		{
			kind: "AWS::Lambda::Function", checkov: []string{"CKV_AWS_173"},
			because: "the environment holds names and times and no secret",
		},
		{kind: "AWS::Logs::LogGroup", checkov: []string{"CKV_AWS_158"}, because: ownKey},
		{
			kind: "AWS::SNS::Topic", checkov: []string{"CKV_AWS_26"},
			because: "it carries the names of alarms; CloudWatch could not publish to it without a key of one's own",
		},
		{
			kind: "AWS::IAM::ManagedPolicy", nag: []string{"AwsSolutions-IAM5"},
			because: "indexes of the table, the listener's own queue and rule, the alarms of the account, and one call for which AWS knows no narrower resource",
		},
	}
}

// accept writes the acceptances into the resources that they are about.
func accept(scope constructs.Construct, s *Settings) {
	all := acceptances(s)
	for _, child := range *scope.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		resource, ok := child.(awscdk.CfnResource)
		if !ok {
			continue
		}
		var nag, checkov []any
		for _, a := range all {
			if a.kind != *resource.CfnResourceType() || !strings.HasSuffix(*resource.Node().Path(), a.path) {
				continue
			}
			for _, id := range a.nag {
				nag = append(nag, map[string]string{"id": id, "reason": a.because})
			}
			for _, id := range a.checkov {
				checkov = append(checkov, map[string]string{"id": id, "comment": a.because})
			}
		}
		if nag != nil {
			resource.AddMetadata(jsii.String("cdk_nag"), map[string]any{"rules_to_suppress": nag})
		}
		if checkov != nil {
			resource.AddMetadata(jsii.String("checkov"), map[string]any{"skip": checkov})
		}
	}
}
