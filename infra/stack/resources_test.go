//go:build !race

package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/events/registry"
	"github.com/clipqueue/clipqueue/infra/binaries"
)

func TestTable(t *testing.T) {
	table := synth(t, nil).one(t, "AWS::DynamoDB::GlobalTable", "ClipqueueJobs")
	index := func(name, partition, sort string) map[string]any {
		return map[string]any{
			"IndexName": name, "Projection": map[string]any{"ProjectionType": "KEYS_ONLY"},
			"KeySchema": []any{
				map[string]any{"AttributeName": partition, "KeyType": "HASH"},
				map[string]any{"AttributeName": sort, "KeyType": "RANGE"},
			},
		}
	}
	for name, want := range map[string]any{
		"BillingMode":             "PAY_PER_REQUEST",
		"KeySchema":               []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}},
		"StreamSpecification":     map[string]any{"StreamViewType": "NEW_IMAGE"},
		"TimeToLiveSpecification": map[string]any{"AttributeName": "expires_at", "Enabled": true},
		"GlobalSecondaryIndexes":  []any{index("due", "due_shard", "due_at"), index("created", "created_shard", "created_at")},
		"AttributeDefinitions": []any{
			map[string]any{"AttributeName": "pk", "AttributeType": "S"},
			map[string]any{"AttributeName": "due_shard", "AttributeType": "S"},
			map[string]any{"AttributeName": "due_at", "AttributeType": "N"},
			map[string]any{"AttributeName": "created_shard", "AttributeType": "S"},
			map[string]any{"AttributeName": "created_at", "AttributeType": "N"},
		},
	} {
		if diff := cmp.Diff(want, table.Properties[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	replica, _ := dig[[]any](t, table.Properties, "Replicas")[0].(map[string]any)
	if !dig[bool](t, replica, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") {
		t.Error("there is no point-in-time recovery")
	}
}

func TestDataOutlivesTheStackUnlessToldOtherwise(t *testing.T) {
	for retain, want := range map[bool]string{true: "RetainExceptOnCreate", false: "Delete"} {
		tpl := synth(t, func(s *Settings) { s.RetainData = retain })
		table := tpl.one(t, "AWS::DynamoDB::GlobalTable", "ClipqueueJobs")
		for name, r := range map[string]resource{"table": table, "bucket": tpl.one(t, "AWS::S3::Bucket", "ClipqueueArchive")} {
			if r.DeletionPolicy != want {
				t.Errorf("with retainData=%t the deletion policy of the %s is %s, want %s", retain, name, r.DeletionPolicy, want)
			}
		}
		replica, _ := dig[[]any](t, table.Properties, "Replicas")[0].(map[string]any)
		if got := dig[bool](t, replica, "DeletionProtectionEnabled"); got != retain {
			t.Errorf("with retainData=%t the table's deletion protection is %t", retain, got)
		}
	}
}

func TestQueues(t *testing.T) {
	tpl := synth(t, nil)
	for id, queue := range tpl.ofType("AWS::SQS::Queue") {
		if queue.Properties["MessageRetentionPeriod"] != 1209600.0 {
			t.Errorf("%s keeps messages for %v s, want 14 days", id, queue.Properties["MessageRetentionPeriod"])
		}
		if queue.Properties["SqsManagedSseEnabled"] != true {
			t.Errorf("%s is not encrypted", id)
		}
	}
	jobs := tpl.one(t, "AWS::SQS::Queue", "ClipqueueJobQueueA")
	if jobs.Properties["VisibilityTimeout"] != 720.0 {
		t.Errorf("a prompt is invisible for %v s, want 12 minutes", jobs.Properties["VisibilityTimeout"])
	}
	if got := dig[float64](t, jobs.Properties, "RedrivePolicy", "maxReceiveCount"); got != 1000 {
		t.Errorf("a prompt is given up after %v receives, want 1,000", got)
	}
	source := tpl.one(t, "AWS::Lambda::EventSourceMapping", "ClipqueueSubmit").Properties
	if dig[float64](t, source, "ScalingConfig", "MaximumConcurrency") != 4 {
		t.Errorf("submit's concurrency is %v, want maxConcurrency, 4", source["ScalingConfig"])
	}
	raised := synth(t, func(s *Settings) { s.ArchiveConcurrency = 30 })
	copies := raised.one(t, "AWS::Lambda::EventSourceMapping", "ClipqueueArchive").Properties
	if dig[float64](t, copies, "ScalingConfig", "MaximumConcurrency") != 30 {
		t.Errorf("archive's concurrency is %v, want archiveConcurrency, 30", copies["ScalingConfig"])
	}
	limit, _ := tpl.function(t, "submit").Properties["Timeout"].(float64)
	if limit*6 > 720 {
		t.Errorf("submit may take %v s, a sixth of the visibility time-out is %v", limit, 720/6)
	}
}

func TestQueuesBucketAndTopicTakeTLSOnly(t *testing.T) {
	tpl := synth(t, nil)
	for kind, policies := range map[string]string{
		"AWS::SQS::Queue": "AWS::SQS::QueuePolicy", "AWS::S3::Bucket": "AWS::S3::BucketPolicy", "AWS::SNS::Topic": "AWS::SNS::TopicPolicy",
	} {
		denied := map[string]bool{}
		for _, policy := range tpl.ofType(policies) {
			text, err := json.Marshal(policy.Properties)
			if err != nil {
				t.Fatal(err)
			}
			for id := range tpl.ofType(kind) {
				if strings.Contains(string(text), `"aws:SecureTransport":"false"`) && strings.Contains(string(text), `"`+id+`"`) {
					denied[id] = true
				}
			}
		}
		for id := range tpl.ofType(kind) {
			if !denied[id] {
				t.Errorf("%s has no policy that denies what comes without TLS", id)
			}
		}
	}
}

func TestBucketIsPrivate(t *testing.T) {
	bucket := synth(t, nil).one(t, "AWS::S3::Bucket", "ClipqueueArchive").Properties
	for name, want := range map[string]any{
		"PublicAccessBlockConfiguration": map[string]any{
			"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
		},
		"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": []any{
			map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}},
		}},
		"LifecycleConfiguration": map[string]any{"Rules": []any{map[string]any{
			"Id": "videos", "Status": "Enabled", "AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1.0},
		}}},
	} {
		if diff := cmp.Diff(want, bucket[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestVideosAgeAsTheSettingsSay(t *testing.T) {
	tpl := synth(t, func(s *Settings) { s.ArchiveTransitionDays, s.ArchiveExpiryDays = 30, 365 })
	rules := dig[[]any](t, tpl.one(t, "AWS::S3::Bucket", "ClipqueueArchive").Properties, "LifecycleConfiguration", "Rules")
	rule, _ := rules[0].(map[string]any)
	want := []any{map[string]any{"StorageClass": "STANDARD_IA", "TransitionInDays": 30.0}}
	if rule["ExpirationInDays"] != 365.0 || !cmp.Equal(rule["Transitions"], any(want)) {
		t.Errorf("the rule is %v", rule)
	}
}

// The key is put in by the operator, and a made-up one must never pass for it.
func TestSecretIsMadeWithoutAValue(t *testing.T) {
	secret := synth(t, nil).one(t, "AWS::SecretsManager::Secret", "ClipqueueVendor").Properties
	if diff := cmp.Diff([]string{"Description", "Name"}, sortedKeys(secret)); diff != "" {
		t.Errorf("the secret's properties (-want +got):\n%s", diff)
	}
}

func TestFunctions(t *testing.T) {
	tpl := synth(t, nil)
	for _, name := range binaries.FunctionNames() {
		f := tpl.function(t, name).Properties
		for property, want := range map[string]any{
			"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": []any{"arm64"}, "ReservedConcurrentExecutions": nil, "TracingConfig": nil,
		} {
			if !cmp.Equal(f[property], want) {
				t.Errorf("%s of %s is %v, want %v", property, name, f[property], want)
			}
		}
		logs := dig[map[string]any](t, f, "LoggingConfig")
		if logs["LogFormat"] != "JSON" || readable(logs["LogGroup"]) != constructOf(name)+"Logs" {
			t.Errorf("%s logs to %v", name, logs)
		}
	}
	for id, group := range tpl.ofType("AWS::Logs::LogGroup") {
		if group.Properties["RetentionInDays"] != 30.0 || group.DeletionPolicy != "Delete" {
			t.Errorf("%s is kept for %v days, deletion policy %s", id, group.Properties["RetentionInDays"], group.DeletionPolicy)
		}
	}
}

func TestFunctionsAreSizedBySettings(t *testing.T) {
	tpl := synth(t, func(s *Settings) {
		s.Architecture, s.Tracing, s.LogLevel, s.LogRetentionDays = "x86_64", true, "WARN", 7
		s.Archiver = FunctionSettings{MemoryMB: 2048, ReservedConcurrency: 3}
	})
	f := tpl.function(t, "archive").Properties
	for property, want := range map[string]any{
		"Architectures": []any{"x86_64"}, "MemorySize": 2048.0, "ReservedConcurrentExecutions": 3.0, "TracingConfig": map[string]any{"Mode": "Active"},
	} {
		if !cmp.Equal(f[property], want) {
			t.Errorf("%s is %v, want %v", property, f[property], want)
		}
	}
	if got := tpl.environment(t, "archive")["LOG_LEVEL"]; got != "WARN" {
		t.Errorf("LOG_LEVEL is %s, want WARN", got)
	}
	for id, group := range tpl.ofType("AWS::Logs::LogGroup") {
		if group.Properties["RetentionInDays"] != 7.0 {
			t.Errorf("%s is kept for %v days, want 7", id, group.Properties["RetentionInDays"])
		}
	}
}

func TestWebhookIsThrottledAndItsLogHoldsNoToken(t *testing.T) {
	tpl := synth(t, nil)
	route := tpl.one(t, "AWS::ApiGatewayV2::Route", "ClipqueueWebhook")
	if route.Properties["RouteKey"] != "POST /webhooks/{proxy+}" {
		t.Errorf("the route is %v", route.Properties["RouteKey"])
	}
	stage := tpl.one(t, "AWS::ApiGatewayV2::Stage", "ClipqueueWebhook").Properties
	if dig[float64](t, stage, "DefaultRouteSettings", "ThrottlingRateLimit") != 500 || dig[float64](t, stage, "DefaultRouteSettings", "ThrottlingBurstLimit") != 500 {
		t.Errorf("the throttle is %v", stage["DefaultRouteSettings"])
	}
	format := dig[string](t, stage, "AccessLogSettings", "Format")
	if !json.Valid([]byte(format)) {
		t.Errorf("the access log's format is not JSON: %s", format)
	}
	for _, secret := range []string{"path", "Path", "header", "proxy", "querystring"} {
		if strings.Contains(format, secret) {
			t.Errorf("the access log has %s in it: %s", secret, format)
		}
	}
}

func TestOutputs(t *testing.T) {
	got := map[string]string{}
	for name, output := range synth(t, nil).Outputs {
		got[name] = readable(output.Value)
	}
	want := map[string]string{
		"JobQueueUrl":         "JobQueue",
		"WebhookUrl":          "WebhookApi.ApiEndpoint/webhooks/creativeai",
		"EventBusName":        "VideoBus",
		"TableName":           "JobsTable",
		"ApiKeySecretArn":     "VendorApiKey",
		"PollStateMachineArn": "PollLoop",
		"ArchiveBucketName":   "ArchiveBucket",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestWebhookMayHaveANameOfItsOwn(t *testing.T) {
	const certificate = "arn:aws:acm:eu-central-1:111111111111:certificate/1a-2b"
	tpl := synth(t, func(s *Settings) { s.WebhookDomain, s.WebhookCertificateARN = "hooks.example.com", certificate })
	const url = "https://hooks.example.com/webhooks/creativeai"
	if got := tpl.environment(t, "submit")["WEBHOOK_URL"]; got != url || tpl.Outputs["WebhookUrl"].Value != url {
		t.Errorf("callbacks are asked for at %s, the output is %v, want %s", got, tpl.Outputs["WebhookUrl"].Value, url)
	}
	if got := readable(tpl.Outputs["WebhookDomainTarget"].Value); got != "WebhookDomain.RegionalDomainName" {
		t.Errorf("the name must point at %s", got)
	}
	domain := dig[[]any](t, tpl.one(t, "AWS::ApiGatewayV2::DomainName", "Clipqueue").Properties, "DomainNameConfigurations")[0]
	if want := any(map[string]any{"CertificateArn": certificate, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}); !cmp.Equal(domain, want) {
		t.Errorf("the domain is %v, want %v", domain, want)
	}
	mapping := tpl.one(t, "AWS::ApiGatewayV2::ApiMapping", "Clipqueue").Properties
	if readable(mapping["ApiId"]) != "WebhookApi" || readable(mapping["Stage"]) != "WebhookStage" || readable(mapping["DomainName"]) != "WebhookDomain" {
		t.Errorf("the mapping is %v", mapping)
	}
}

func TestOtherAccountsMaySendOnlyWhenNamed(t *testing.T) {
	policy := func(accounts string) string {
		tpl := synth(t, func(s *Settings) { s.ProducerAccounts = accounts })
		text, err := json.Marshal(tpl.named(t, "AWS::SQS::QueuePolicy", "JobQueuePolicy").Properties)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := policy(""); strings.Contains(got, "Allow") {
		t.Errorf("without producers the queue allows %s", got)
	}
	got := policy("111111111111,222222222222")
	for _, want := range []string{`"Action":["sqs:GetQueueUrl","sqs:SendMessage"]`, ":iam::111111111111:root", ":iam::222222222222:root"} {
		if !strings.Contains(got, want) {
			t.Errorf("the queue's policy lacks %s: %s", want, got)
		}
	}
}

func TestEventsAreArchivedWhenAsked(t *testing.T) {
	archive := synth(t, func(s *Settings) { s.EventArchiveDays = 90 }).one(t, "AWS::Events::Archive", "ClipqueueVideoBus").Properties
	if archive["RetentionDays"] != 90.0 || readable(archive["SourceArn"]) != "VideoBus.Arn" {
		t.Errorf("the archive is %v", archive)
	}
	if others := synth(t, nil).ofType("AWS::Events::Archive"); len(others) > 0 {
		t.Errorf("unasked there is %v", others)
	}
}

func TestSchemasAreRegisteredWhenAsked(t *testing.T) {
	tpl := synth(t, func(s *Settings) { s.SchemaRegistry = true })
	registered := tpl.one(t, "AWS::EventSchemas::Registry", "ClipqueueSchemas").Properties
	name := dig[string](t, registered, "RegistryName")
	// Of both the reserved names and the limits the service's API reference tells.
	if len(name) > 64 || !regexp.MustCompile(`^[0-9A-Za-z_.@-]+$`).MatchString(name) || strings.HasPrefix(name, "aws.") {
		t.Errorf("the registry's name is %s", name)
	}
	if got := readable(tpl.Outputs["SchemaRegistryName"].Value); got != "SchemasRegistry.RegistryName" {
		t.Errorf("the output is %s", got)
	}
	documents := map[string]string{}
	for id, r := range tpl.ofType("AWS::EventSchemas::Schema") {
		if readable(r.Properties["RegistryName"]) != "SchemasRegistry.RegistryName" || r.Properties["Type"] != "OpenApi3" {
			t.Errorf("%s is %v in %v", id, r.Properties["Type"], r.Properties["RegistryName"])
		}
		content, description := dig[string](t, r.Properties, "Content"), dig[string](t, r.Properties, "Description")
		if len(content) > 100_000 || len(description) > 256 {
			t.Errorf("%s is too large: %d and %d characters", id, len(content), len(description))
		}
		documents[dig[string](t, r.Properties, "SchemaName")] = content
	}
	for _, kind := range events.DetailTypes() {
		want, err := registry.Document(kind)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, want); err != nil {
			t.Fatal(err)
		}
		if got := documents[registry.Name(kind)]; got != compact.String() {
			t.Errorf("%s is registered as %q", kind, got)
		}
		delete(documents, registry.Name(kind))
	}
	if len(documents) > 0 {
		t.Errorf("schemas of no event: %v", sortedKeys(documents))
	}
	if others := synth(t, nil).ofType("AWS::EventSchemas::Registry"); len(others) > 0 {
		t.Errorf("unasked there is %v", others)
	}
}

func TestWithoutArchiveThereIsNoneOfIt(t *testing.T) {
	tpl := synth(t, func(s *Settings) { s.Archive = false })
	for id := range tpl.Resources {
		if strings.HasPrefix(id, "ClipqueueArchive") {
			t.Errorf("%s is there", id)
		}
	}
	if _, there := tpl.Outputs["ArchiveBucketName"]; there {
		t.Error("the bucket's output is there")
	}
	if got := tpl.environment(t, "webhook")["ARCHIVE_ENABLED"]; got != "false" {
		t.Errorf("ARCHIVE_ENABLED is %s, want false", got)
	}
}

// What runs on a laptop is what deploys. This is the whole list of what
// differs: the engine speaks plain HTTP, so that nothing may insist on TLS; it
// has no alarms on expressions; and it runs the host's code.
func TestLocalIsTheSameStack(t *testing.T) {
	remote, local := synth(t, nil), synth(t, func(s *Settings) { s.Local = true })
	for id, r := range remote.Resources {
		if !withoutTLSRule(r) || r.Properties["Metrics"] != nil && r.Type == "AWS::CloudWatch::Alarm" {
			delete(remote.Resources, id)
		}
	}
	for _, tpl := range []template{remote, local} { // it lists the alarms
		delete(tpl.one(t, "AWS::CloudWatch::Dashboard", "Clipqueue").Properties, "DashboardBody")
	}
	if diff := cmp.Diff(remote, local); diff != "" {
		t.Errorf("(-remote +local):\n%s", diff)
	}
}

// withoutTLSRule takes out of a resource policy what denies plain HTTP, and
// says whether the resource stays. A topic's policy stays even when it is empty:
// it takes the place of the one that SNS makes.
func withoutTLSRule(r resource) bool {
	document, ok := r.Properties["PolicyDocument"].(map[string]any)
	if !ok {
		return true
	}
	statements, _ := document["Statement"].([]any)
	statements = slices.DeleteFunc(statements, func(s any) bool {
		return strings.Contains(fmt.Sprint(s), "aws:SecureTransport") || strings.Contains(fmt.Sprint(s), "s3:TlsVersion")
	})
	document["Statement"] = statements
	return len(statements) > 0 || r.Type == "AWS::SNS::TopicPolicy"
}
