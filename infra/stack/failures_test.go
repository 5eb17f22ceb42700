//go:build !race

package stack

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// Whatever is called without somebody waiting for the answer has a place for
// what failed.
func TestEveryAsynchronousPathHasADeadLetterQueue(t *testing.T) {
	tpl := synth(t, nil)
	for id, rule := range tpl.ofType("AWS::Events::Rule") {
		for _, target := range dig[[]any](t, rule.Properties, "Targets") {
			if arn := readable(dig[any](t, target.(map[string]any), "DeadLetterConfig", "Arn")); !isDeadLetters(arn) {
				t.Errorf("%s sends its failures to %s", id, arn)
			}
		}
	}
	for id, source := range tpl.ofType("AWS::Lambda::EventSourceMapping") {
		if got := source.Properties["FunctionResponseTypes"]; fmt.Sprint(got) != "[ReportBatchItemFailures]" {
			t.Errorf("%s reports %v", id, got)
		}
		if source.Properties["StartingPosition"] != nil {
			if to := readable(dig[any](t, source.Properties, "DestinationConfig", "OnFailure", "Destination")); to != "PublishFailures.Arn" {
				t.Errorf("%s sends its failures to %s", id, to)
			}
			continue
		}
		queue := strings.TrimSuffix(readable(source.Properties["EventSourceArn"]), ".Arn")
		redrive := dig[map[string]any](t, tpl.named(t, "AWS::SQS::Queue", queue).Properties, "RedrivePolicy")
		if to := readable(redrive["deadLetterTargetArn"]); !isDeadLetters(to) {
			t.Errorf("%s gives up to %s", queue, to)
		}
	}
	// Invoked by a rule, hence asynchronously.
	async := tpl.one(t, "AWS::Lambda::EventInvokeConfig", "ClipqueueReconcile").Properties
	if to := readable(dig[any](t, async, "DestinationConfig", "OnFailure", "Destination")); to != "ReconcileDeadLetters.Arn" {
		t.Errorf("reconcile sends its failures to %s", to)
	}
}

// A dead letter that nobody is told of is lost all the same.
func TestEveryDeadLetterQueueHasAnAlarm(t *testing.T) {
	tpl := synth(t, nil)
	alarms, err := json.Marshal(tpl.ofType("AWS::CloudWatch::Alarm"))
	if err != nil {
		t.Fatal(err)
	}
	for id := range tpl.ofType("AWS::SQS::Queue") {
		watched := strings.Contains(string(alarms), `["`+id+`","QueueName"]`)
		if want := short(id) != "JobQueue" && short(id) != "ArchiveQueue"; want && !watched {
			t.Errorf("no alarm watches %s", id)
		}
	}
}

func TestEveryAlarmSaysWhatToDoAndWhomItTells(t *testing.T) {
	tpl := synth(t, func(s *Settings) { s.AlarmEmail = "ops@example.com" })
	for id, alarm := range tpl.ofType("AWS::CloudWatch::Alarm") {
		text, _ := alarm.Properties["AlarmDescription"].(string)
		text, where, _ := strings.Cut(text, " (")
		if strings.Count(text, ".") < 1 || len(text) < 40 || !strings.HasSuffix(where, " in RUNBOOK.md)") {
			t.Errorf("%s says %q, and leads to %q", id, text, where)
		}
		if to := readable(alarm.Properties["AlarmActions"]); to != "AlarmsTopic" {
			t.Errorf("%s tells %s", id, to)
		}
	}
	subscription := tpl.ofType("AWS::SNS::Subscription")
	if len(subscription) != 1 {
		t.Errorf("%d subscriptions, want the one of alarmEmail", len(subscription))
	}
	for _, s := range subscription {
		if s.Properties["Endpoint"] != "ops@example.com" || s.Properties["Protocol"] != "email" {
			t.Errorf("the subscription is %v", s.Properties)
		}
	}
}

// An alarm that may not publish is seen in the console only.
func TestCloudWatchMayTellEveryTopicOfAnAlarm(t *testing.T) {
	for _, local := range []bool{false, true} {
		tpl := synth(t, func(s *Settings) { s.Local = local })
		allowed := map[string]string{}
		for _, policy := range tpl.ofType("AWS::SNS::TopicPolicy") {
			for _, s := range dig[[]any](t, policy.Properties, "PolicyDocument", "Statement") {
				statement, _ := s.(map[string]any)
				if statement["Effect"] == "Allow" && statement["Action"] == "sns:Publish" && fmt.Sprint(statement["Principal"]) == "map[Service:cloudwatch.amazonaws.com]" {
					from := dig[any](t, statement, "Condition", "ArnLike", "aws:SourceArn")
					account := dig[any](t, statement, "Condition", "StringEquals", "aws:SourceAccount")
					allowed[readable(statement["Resource"])] = readable(from) + " of " + readable(account)
				}
			}
		}
		for id, alarm := range tpl.ofType("AWS::CloudWatch::Alarm") {
			name := dig[string](t, alarm.Properties, "AlarmName")
			want := "arn:AWS::Partition:cloudwatch:AWS::Region:AWS::AccountId:alarm:" + name[:strings.LastIndex(name, " ")] + "* of AWS::AccountId"
			for _, topic := range dig[[]any](t, alarm.Properties, "AlarmActions") {
				if got := allowed[readable(topic)]; got != want {
					t.Errorf("with local=%t %s may publish to %s as %q, want %q", local, id, readable(topic), got, want)
				}
			}
		}
	}
}

func TestTwoBundlesOfOneStageAreRefused(t *testing.T) {
	settings, others := Defaults(), Defaults()
	others.Stage = "other"
	code := standIn(t)
	put := func(app awscdk.App, id string, s *Settings, region string) (said string) {
		defer func() {
			if r := recover(); r != nil {
				said = fmt.Sprint(r)
			}
		}()
		env := &awscdk.Environment{Account: jsii.String("111111111111"), Region: jsii.String(region)}
		newClipqueue(awscdk.NewStack(app, jsii.String(id), &awscdk.StackProps{Env: env}), "Clips", &Deployment{Settings: s, Code: code})
		return ""
	}
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
	for _, said := range []string{
		put(app, "First", &settings, "eu-central-1"), put(app, "Elsewhere", &settings, "us-east-1"), put(app, "Other", &others, "eu-central-1"),
	} {
		if said != "" {
			t.Errorf("refused: %s", said)
		}
	}
	said := put(app, "Second", &settings, "eu-central-1")
	if !strings.HasPrefix(said, `clipqueue: Second/Clips is the second bundle of stage "main" in aws://111111111111/eu-central-1`) {
		t.Errorf("a second bundle of one stage: %q", said)
	}
}

func isDeadLetters(arn string) bool { return strings.HasSuffix(arn, "DeadLetters.Arn") }

// named is the resource of a type with a logical id but for its hash.
func (tpl template) named(t *testing.T, kind, name string) resource {
	t.Helper()
	for id, r := range tpl.ofType(kind) {
		if short(id) == name {
			return r
		}
	}
	t.Fatalf("there is no %s that is called %s", kind, name)
	return resource{}
}
