package e2e_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/local"
)

// The consumers that the README tells people to copy run as functions of their
// own, with the permissions that their comments ask for, and do all the same.
func TestConsumers(t *testing.T) {
	t.Parallel()
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]consumer{
		"go":         {lambdatypes.RuntimeProvidedal2023, "bootstrap", buildGo},
		"python":     {lambdatypes.RuntimePython313, "handler.handler", copyPython},
		"typescript": {lambdatypes.RuntimeNodejs22x, "handler.handler", compileTypeScript},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			invoke := deploy(t, root, c)
			for _, tt := range consumed(t) {
				got, err := invoke(tt.event)
				if err != nil || got != tt.want {
					t.Errorf("%s: %q, %v, want %q", tt.what, got, err, tt.want)
				}
			}
			broken := change(t, sample(t, events.TypeCompleted), func(e, _, _ map[string]any) { e["detail"] = "done" })
			if got, err := invoke(broken); err == nil {
				t.Errorf("an event whose detail is a text is taken: %q", got)
			}
		})
	}
}

// consumer is one language's: how Lambda runs it, and how it is built into a folder.
type consumer struct {
	runtime lambdatypes.Runtime
	handler string
	build   func(t *testing.T, root, to string)
}

type consumption struct {
	what  string
	event []byte
	want  string
}

// consumed are events in the order that they arrive in, and what becomes of each.
func consumed(t *testing.T) []consumption {
	t.Helper()
	verdicts := map[events.DetailType]string{
		events.TypeCompleted: "made: https://cdn.example.com/videos/gen_7f3a9c21.mp4?expires=1795727218",
		events.TypeFailed:    "failed: the prompt was blocked by the provider's content filter",
		events.TypeRejected:  "rejected, invalid_message: duration is \"5s\", a string: write the seconds as a whole number, such as 5",
		events.TypeExpired: "expired, perhaps paid for: the vendor accepted the prompt and gave no verdict by the deadline; " +
			"it may have charged for it, and is asked again later",
	}
	var list []consumption
	add := func(what, want string, event []byte) { list = append(list, consumption{what, event, want}) }
	for _, kind := range events.DetailTypes() {
		want, isVerdict := verdicts[kind]
		if !isVerdict {
			want = "ignored"
		}
		event := change(t, sample(t, kind), func(_, about, _ map[string]any) { about["event_id"] = string(kind) })
		add(string(kind), want, event)
		if isVerdict {
			want = "repeat"
		}
		add(string(kind)+" again, sent anew", want, change(t, event, func(e, _, _ map[string]any) { e["id"] = rand.Text() }))
	}
	vary := func(what, want string, kind events.DetailType, with func(event, about, data map[string]any)) {
		add(what, want, change(t, sample(t, kind), func(e, about, data map[string]any) {
			about["event_id"] = what
			with(e, about, data)
		}))
	}
	vary("a sample", "ignored", events.TypeCompleted, func(_, about, _ map[string]any) { about["sample"] = true })
	vary("an unknown type", "ignored", events.TypeCompleted, func(e, _, _ map[string]any) { e["detail-type"] = "Video Generation Started" })
	vary("another version", "ignored", events.TypeCompleted, func(_, about, _ map[string]any) { about["schema_version"] = "2.0" })
	vary("a later version", verdicts[events.TypeFailed], events.TypeFailed, func(_, about, data map[string]any) {
		about["schema_version"], data["mood"] = "1.7", "sad"
	})
	vary("no link", "made, without a link: the vendor gave none", events.TypeCompleted, func(_, _, data map[string]any) {
		data["output_url"], data["output_url_problem"] = nil, "the vendor gave none"
	})
	vary("an unknown code", "rejected, overdrawn: pay first", events.TypeRejected, func(_, _, data map[string]any) {
		data["code"], data["message"] = "overdrawn", "pay first"
	})
	vary("free of charge", "expired: never accepted", events.TypeExpired, func(_, _, data map[string]any) {
		data["may_be_charged"], data["message"] = false, "never accepted"
	})
	return list
}

func sample(t *testing.T, kind events.DetailType) []byte {
	t.Helper()
	text, err := events.Sample(kind)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// change is an event with something changed in it, in its metadata, in its data.
func change(t *testing.T, event []byte, with func(event, about, data map[string]any)) []byte {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatal(err)
	}
	detail := e["detail"].(map[string]any)
	with(e, detail["metadata"].(map[string]any), detail["data"].(map[string]any))
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// deploy makes the consumer's table, role and function, as its comment says,
// and returns what invokes it.
func deploy(t *testing.T, root string, c consumer) func(event []byte) (string, error) {
	t.Helper()
	code := t.TempDir()
	c.build(t, root, code)
	name := "consumer-" + rand.Text()
	_, err := bundle.function.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: c.runtime, Handler: &c.handler, Role: aws.String(seenRole(t, name, seenTable(t, name))),
		Code: &lambdatypes.FunctionCode{ZipFile: zipped(t, code)}, Timeout: aws.Int32(60),
		Environment: &lambdatypes.Environment{Variables: map[string]string{
			"SEEN_TABLE": name,
			// Lambda's Node brings the SDK; the engine's finds it here.
			"NODE_PATH": filepath.Join(root, "infra", "node_modules"),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	input := &lambda.GetFunctionConfigurationInput{FunctionName: &name}
	if err := lambda.NewFunctionActiveWaiter(bundle.function).Wait(t.Context(), input, time.Minute); err != nil {
		t.Fatal(err)
	}
	return func(event []byte) (string, error) {
		out, err := bundle.function.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: event})
		if err != nil {
			return "", err
		}
		if out.FunctionError != nil {
			return "", fmt.Errorf("%s: %s", *out.FunctionError, out.Payload)
		}
		var did string
		return did, json.Unmarshal(out.Payload, &did)
	}
}

// seenTable makes the table that a consumer remembers events in, and returns its ARN.
func seenTable(t *testing.T, name string) string {
	t.Helper()
	table, err := bundle.dynamo.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("event_id"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("event_id"), AttributeType: types.ScalarAttributeTypeS}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *table.TableDescription.TableArn
}

// seenRole is a role that may read and write the table's items, and no more.
func seenRole(t *testing.T, name, table string) string {
	t.Helper()
	client := iam.NewFromConfig(bundle.AWS)
	role, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: &name, AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` +
			`{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
		RoleName: &name, PolicyName: aws.String("seen"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` +
			`{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem"],"Resource":"` + table + `"}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *role.Role.Arn
}

func zipped(t *testing.T, folder string) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	if err := archive.AddFS(os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func buildGo(t *testing.T, root, to string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-C", root, "-trimpath", "-tags", "lambda.norpc",
		"-o", filepath.Join(to, "bootstrap"), "./infra/consumers/go")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	runBuild(t, cmd)
}

func copyPython(t *testing.T, root, to string) {
	t.Helper()
	code, err := os.ReadFile(filepath.Join(root, "infra", "consumers", "python", "handler.py"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "handler.py"), code, 0o644); err != nil {
		t.Fatal(err)
	}
}

func compileTypeScript(t *testing.T, root, to string) {
	t.Helper()
	bin := filepath.Join(root, "infra", "node_modules", ".bin")
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "tsc"), "-p", filepath.Join(root, "infra", "consumers", "typescript"), "--outDir", to)
	cmd.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	runBuild(t, cmd)
}

func runBuild(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}
