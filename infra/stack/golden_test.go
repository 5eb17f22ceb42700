//go:build !race

package stack

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goldenPath = "testdata/template.golden.json"

// The golden template shows what a change does to what is deployed. Read its
// diff before you commit it: a resource whose id changes is made anew.
//
//	UPDATE_GOLDEN=1 go test ./infra/stack -run Golden
func TestGoldenTemplate(t *testing.T) {
	got := synth(t, nil)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		data, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		write(t, goldenPath, string(data)+"\n")
		return
	}
	data, err := os.ReadFile(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	var want template
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for id, r := range want.Resources {
		switch now, there := got.Resources[id]; {
		case !there:
			t.Errorf("%s (%s) is gone: a deploy deletes it", id, r.Type)
		case !cmp.Equal(r, now):
			t.Errorf("%s (%s) changes (-golden +now):\n%s", id, r.Type, cmp.Diff(r, now))
		}
	}
	for id, r := range got.Resources {
		if _, there := want.Resources[id]; !there {
			t.Errorf("%s (%s) is new: a deploy makes it", id, r.Type)
		}
	}
	if diff := cmp.Diff(want.Outputs, got.Outputs); diff != "" {
		t.Errorf("outputs change (-golden +now):\n%s", diff)
	}
}

// What holds data, or a name that others know, must never be made anew. Its
// logical id is written down here, apart from the golden file, and so are the
// properties that make CloudFormation replace it; nil is "not set". Source: the
// "Update requires: Replacement" of each property in the CloudFormation
// template reference.
func statefulResources() (always, bySetting map[string]stateful) {
	queue := fixed{"QueueName": nil, "FifoQueue": nil}
	pk := []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}}
	log := fixed{"LogGroupName": nil}
	always = map[string]stateful{
		"ClipqueueJobsTable79DB4C68":            {"AWS::DynamoDB::GlobalTable", fixed{"TableName": nil, "KeySchema": pk, "LocalSecondaryIndexes": nil}},
		"ClipqueueArchiveBucket97526DD7":        {"AWS::S3::Bucket", fixed{"BucketName": nil}},
		"ClipqueueJobQueueA4D515CC":             {"AWS::SQS::Queue", queue},
		"ClipqueueJobQueueDeadLetters68960C4E":  {"AWS::SQS::Queue", queue},
		"ClipqueueArchiveQueue8BFBEA4D":         {"AWS::SQS::Queue", queue},
		"ClipqueueArchiveDeadLetters751D96E9":   {"AWS::SQS::Queue", queue},
		"ClipqueueReconcileDeadLettersEDA5AEE5": {"AWS::SQS::Queue", queue},
		"ClipqueuePublishFailures6757CD2F":      {"AWS::SQS::Queue", queue},
		"ClipqueuePublishPoison0B09C334":        {"AWS::SQS::Queue", queue},
		"ClipqueueVendorApiKey6A1DC662":         {"AWS::SecretsManager::Secret", fixed{"Name": "Clipqueue-main-Clipqueue-96B887FE/creativeai-api-key"}},
		"ClipqueueVideoBusF9E8AE50":             {"AWS::Events::EventBus", fixed{"Name": "Clipqueue-main-Clipqueue-VideoBus-23004567"}},
		"ClipqueueWebhookApiB776750D":           {"AWS::ApiGatewayV2::Api", fixed{"ProtocolType": "HTTP"}},
		"ClipqueueWebhookStageC63CC065":         {"AWS::ApiGatewayV2::Stage", fixed{"StageName": "$default"}},
		"ClipqueuePollLoop4F7E8F55":             {"AWS::StepFunctions::StateMachine", fixed{"StateMachineName": nil, "StateMachineType": "EXPRESS"}},
		"ClipqueueAlarmsTopic7F306CB0":          {"AWS::SNS::Topic", fixed{"TopicName": nil, "FifoTopic": nil}},
		"ClipqueuePollLoopLoopLogs347723EB":     {"AWS::Logs::LogGroup", fixed{"LogGroupName": "/aws/vendedlogs/states/Clipqueue-main-Clipqueue-PollLoop-B279B9CA"}},
		"ClipqueueWebhookAccessLogs82EC0AAD":    {"AWS::Logs::LogGroup", fixed{"LogGroupName": "/aws/vendedlogs/apis/Clipqueue-main-Clipqueue-Webhook-A53CF558"}},
		"ClipqueueSubmitLogs45A27039":           {"AWS::Logs::LogGroup", log},
		"ClipqueueWebhookLogs6A6E81E7":          {"AWS::Logs::LogGroup", log},
		"ClipqueuePollLoopLogs14ECC5FD":         {"AWS::Logs::LogGroup", log},
		"ClipqueueReconcileLogs91C39804":        {"AWS::Logs::LogGroup", log},
		"ClipqueuePublishLogs3E9DCB0B":          {"AWS::Logs::LogGroup", log},
		"ClipqueueArchiveLogsCDA2CE34":          {"AWS::Logs::LogGroup", log},
	}
	bus := map[string]any{"Fn::GetAtt": []any{"ClipqueueVideoBusF9E8AE50", "Arn"}}
	bySetting = map[string]stateful{
		"ClipqueueVideoBusArchive45F46AC7": {"AWS::Events::Archive", fixed{"ArchiveName": nil, "SourceArn": bus}},
		"ClipqueueSchemasRegistry258ECC0C": {"AWS::EventSchemas::Registry", fixed{"RegistryName": "Clipqueue-main-Clipqueue-Schemas-AA665B01"}},
		"ClipqueueWebhookDomainAF2D8740":   {"AWS::ApiGatewayV2::DomainName", fixed{"DomainName": "hooks.example.com"}},
		// People have these attached.
		"ClipqueueOperatorsReader00EBA254": {"AWS::IAM::ManagedPolicy", fixed{
			"ManagedPolicyName": nil, "Path": "/", "Description": "Clipqueue: look at jobs, queues and alarms",
		}},
		"ClipqueueOperatorsOperator3825908E": {"AWS::IAM::ManagedPolicy", fixed{
			"ManagedPolicyName": nil, "Path": "/", "Description": "Clipqueue: what the operator's command changes, on top of the reader's",
		}},
	}
	return always, bySetting
}

type fixed map[string]any

// stateful is the type of a resource, and its properties that replace it.
type stateful struct {
	kind       string
	properties fixed
}

func TestWhatHoldsStateIsNeverReplaced(t *testing.T) {
	always, bySetting := statefulResources()
	most := parsed(t, highest())
	most.Stage = "main" // names say the stage
	all := maps.Clone(always)
	maps.Copy(all, bySetting)
	for name, tc := range map[string]struct {
		settings Settings
		want     map[string]stateful
	}{"defaults": {Defaults(), always}, "highest": {most, all}} {
		t.Run(name, func(t *testing.T) {
			checkState(t, synth(t, func(s *Settings) { *s = tc.settings }), tc.want)
		})
	}
}

func checkState(t *testing.T, tpl template, want map[string]stateful) {
	t.Helper()
	for id, w := range want {
		r, there := tpl.Resources[id]
		if !there || r.Type != w.kind {
			t.Errorf("%s is not a %s any more, but %q: a deploy would make it anew and lose what it holds", id, w.kind, r.Type)
			continue
		}
		for name, value := range w.properties {
			if !cmp.Equal(r.Properties[name], value) {
				t.Errorf("%s of %s is %v, and was %v: that replaces it", name, id, r.Properties[name], value)
			}
		}
	}
	for _, kind := range []string{
		"AWS::DynamoDB::GlobalTable", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SecretsManager::Secret", "AWS::Events::EventBus",
		"AWS::ApiGatewayV2::Api", "AWS::StepFunctions::StateMachine", "AWS::SNS::Topic",
		"AWS::Logs::LogGroup", "AWS::Events::Archive", "AWS::EventSchemas::Registry", "AWS::ApiGatewayV2::DomainName", "AWS::IAM::ManagedPolicy",
	} {
		for id := range tpl.ofType(kind) {
			if _, known := want[id]; !known {
				t.Errorf("%s (%s) holds state: write it down here", id, kind)
			}
		}
	}
}

// Nothing may differ from synth to synth, not even the order of lines: or every
// deploy would change things, and a release would not be reproducible.
func TestSynthIsRepeatable(t *testing.T) {
	var texts [2]string
	for i := range texts {
		data, err := os.ReadFile(synthFile(t, Defaults()))
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(data)
	}
	if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
		t.Errorf("two templates of the same settings differ:\n%s", diff)
	}
}

// Two bundles in one account and region must not meet.
func TestStagesShareNoName(t *testing.T) {
	names := func(stage string) map[string]bool {
		out := map[string]bool{}
		for _, r := range synth(t, func(s *Settings) { s.Stage = stage }).Resources {
			for _, property := range []string{"Name", "TableName", "QueueName", "BucketName", "FunctionName", "LogGroupName", "AlarmName", "DashboardName", "TopicName", "StateMachineName"} {
				if name, ok := r.Properties[property].(string); ok {
					out[name] = true
				}
			}
		}
		return out
	}
	blue, green := names("blue"), names("green")
	if len(blue) < 5 {
		t.Errorf("only %d names were found: %v", len(blue), sortedKeys(blue))
	}
	for name := range blue {
		if green[name] {
			t.Errorf("both stages have %s", name)
		}
		if strings.Contains(name, "main") {
			t.Errorf("%s is named after another stage", name)
		}
	}
}
