//go:build !race

package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// template is what CloudFormation gets.
type template struct {
	Resources map[string]resource `json:"Resources"`
	Outputs   map[string]output   `json:"Outputs"`
}

type resource struct {
	Type                string         `json:"Type"`
	Properties          map[string]any `json:"Properties"`
	DeletionPolicy      string         `json:"DeletionPolicy"`
	UpdateReplacePolicy string         `json:"UpdateReplacePolicy"`
	DependsOn           any            `json:"DependsOn"`
	Metadata            map[string]any `json:"Metadata"`
}

type output struct {
	Value any `json:"Value"`
}

// synth makes the template of the stack with some settings changed. The
// functions are stand-ins, so that it takes no compiler.
func synth(t *testing.T, change func(*Settings)) template {
	t.Helper()
	stack, _ := newTestStack(t, change)
	data, err := json.Marshal(assertions.Template_FromStack(stack, nil).ToJSON())
	if err != nil {
		t.Fatal(err)
	}
	var out template
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func newTestStack(t *testing.T, change func(*Settings)) (awscdk.Stack, awscdk.App) {
	t.Helper()
	s := Defaults()
	if change != nil {
		change(&s)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{
		Outdir:  jsii.String(t.TempDir()),
		Context: cdkContext(t), AnalyticsReporting: jsii.Bool(false),
		PostCliContext: &map[string]any{"aws:cdk:enable-path-metadata": true}, // as the CDK command does
	})
	return newStack(app, &Deployment{Settings: &s, Code: standIn(t)}), app
}

// cdkContext is the context of the app as users run it.
func cdkContext(t *testing.T) *map[string]any {
	t.Helper()
	data, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Context map[string]any `json:"context"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return &file.Context
}

func standIn(t *testing.T) func(string) awslambda.Code {
	t.Helper()
	root := t.TempDir()
	return func(name string) awslambda.Code {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "bootstrap"), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
		return awslambda.Code_FromAsset(jsii.String(dir), nil)
	}
}

// ofType gives the resources of one type by their logical id.
func (tpl template) ofType(kind string) map[string]resource {
	out := map[string]resource{}
	for id, r := range tpl.Resources {
		if r.Type == kind {
			out[id] = r
		}
	}
	return out
}

// one is the only resource of a type whose logical id has a prefix.
func (tpl template) one(t *testing.T, kind, prefix string) resource {
	t.Helper()
	var found []string
	for id := range tpl.ofType(kind) {
		if strings.HasPrefix(id, prefix) {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		t.Fatalf("there are %d resources of type %s that begin with %s: %v, want 1", len(found), kind, prefix, found)
	}
	return tpl.Resources[found[0]]
}

// function is one of the bundle's functions.
func (tpl template) function(t *testing.T, name string) resource {
	t.Helper()
	return tpl.one(t, "AWS::Lambda::Function", "Clipqueue"+constructOf(name)+"Function")
}

// environment is the environment of a function, its values as text.
func (tpl template) environment(t *testing.T, name string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, value := range dig[map[string]any](t, tpl.function(t, name).Properties, "Environment", "Variables") {
		out[key] = readable(value)
	}
	return out
}

// constructOf is the id of the construct that a function lives in.
func constructOf(name string) string {
	if name == "poll" {
		return "PollLoop"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// dig follows a path of names into nested properties.
func dig[T any](t *testing.T, properties map[string]any, path ...string) T {
	t.Helper()
	var at any = properties
	for _, name := range path {
		m, ok := at.(map[string]any)
		if !ok {
			t.Fatalf("there is no %s in %v", strings.Join(path, "."), properties)
		}
		at = m[name]
	}
	out, ok := at.(T)
	if !ok {
		t.Fatalf("%s is %#v, want a %T", strings.Join(path, "."), at, out)
	}
	return out
}

var logicalIDHash = regexp.MustCompile(`^Clipqueue(.+?)[0-9A-F]{8}$`)

// readable writes a value with CloudFormation's functions the way a person
// would: "Jobs/Table.Arn" and the like are logical ids without their hash.
func readable(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		for name, args := range v {
			return readableFunction(name, args)
		}
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = readable(v[i])
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(value)
}

func readableFunction(name string, args any) string {
	switch name {
	case "Ref":
		return short(fmt.Sprint(args))
	case "Fn::GetAtt":
		pair, _ := args.([]any)
		return short(fmt.Sprint(pair[0])) + "." + fmt.Sprint(pair[1])
	case "Fn::Join":
		pair, _ := args.([]any)
		parts, _ := pair[1].([]any)
		var b strings.Builder
		for _, part := range parts {
			b.WriteString(readable(part))
		}
		return b.String()
	default:
		return fmt.Sprintf("%s(%v)", name, args)
	}
}

func short(logicalID string) string {
	if m := logicalIDHash.FindStringSubmatch(logicalID); m != nil {
		return m[1]
	}
	return logicalID
}

// grants are the permissions that a role gives: one "action resource" each.
func (tpl template) grants(t *testing.T, role string) []string {
	t.Helper()
	var out []string
	properties := tpl.one(t, "AWS::IAM::Role", "Clipqueue"+role).Properties
	for _, policy := range dig[[]any](t, properties, "Policies") {
		out = append(out, statements(t, policy.(map[string]any))...)
	}
	slices.Sort(out)
	return out
}

func statements(t *testing.T, policy map[string]any) []string {
	t.Helper()
	var out []string
	for _, s := range dig[[]any](t, policy, "PolicyDocument", "Statement") {
		statement, _ := s.(map[string]any)
		if statement["Effect"] != "Allow" {
			t.Errorf("a policy of a role has the effect %v", statement["Effect"])
		}
		for _, action := range list(statement["Action"]) {
			for _, target := range list(statement["Resource"]) {
				out = append(out, readable(action)+" "+readable(target))
			}
		}
	}
	return out
}

// list takes what IAM lets be written as one or as several.
func list(value any) []any {
	if many, ok := value.([]any); ok {
		return many
	}
	return []any{value}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
