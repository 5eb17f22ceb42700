package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clipqueue/clipqueue/events"
)

var update = flag.Bool("update", false, "write the files that are made from the types anew")

// shape is something that goes in or comes out: a Go type, a schema, an example.
type shape struct {
	detailType events.DetailType // empty for the queue message
	value      any
}

func shapes() []shape {
	return []shape{
		{"", events.Request{}},
		{events.TypeAccepted, events.Envelope[events.Accepted]{}},
		{events.TypeCompleted, events.Envelope[events.Completed]{}},
		{events.TypeFailed, events.Envelope[events.Failed]{}},
		{events.TypeRejected, events.Envelope[events.Rejected]{}},
		{events.TypeExpired, events.Envelope[events.Expired]{}},
		{events.TypeArchived, events.Envelope[events.Archived]{}},
		{events.TypeArchiveFailed, events.Envelope[events.ArchiveFailed]{}},
	}
}

// file is the name of the shape's schema and example.
func (s shape) file() string {
	if s.detailType == "" {
		return "request.json"
	}
	return strings.ReplaceAll(strings.ToLower(string(s.detailType)), " ", "-") + ".json"
}

func TestEveryDetailTypeHasAShape(t *testing.T) {
	t.Parallel()
	var listed, named []string
	for _, kind := range events.DetailTypes() {
		listed = append(listed, string(kind))
	}
	for _, c := range parseSource(t).consts["DetailType"] {
		named = append(named, c.value)
	}
	var shaped, files []string
	for _, s := range shapes() {
		files = append(files, s.file())
		if s.detailType != "" {
			shaped = append(shaped, string(s.detailType))
		}
	}
	slices.Sort(files)
	for name, got := range map[string][]string{"DetailTypes": listed, "shapes of this test": shaped} {
		if diff := cmp.Diff(named, got); diff != "" {
			t.Errorf("%s and the constants differ (-constants +%s):\n%s", name, name, diff)
		}
	}
	for _, folder := range []string{"schema", "testdata"} {
		if diff := cmp.Diff(files, list(t, folder)); diff != "" {
			t.Errorf("files in %s (-want +got):\n%s", folder, diff)
		}
	}
}

func list(tb testing.TB, folder string) []string {
	tb.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// It runs before the parallel tests, which read what -update writes.
func TestSchemasAreMadeFromTheTypes(t *testing.T) {
	for _, s := range shapes() {
		t.Run(s.file(), func(t *testing.T) {
			generated(t, filepath.Join("schema", s.file()), schemaOf(t, s))
		})
	}
}

// generated holds a file to what the types make of it.
func generated(t *testing.T, path string, value any) {
	t.Helper()
	want := indented(t, value)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), string(read(t, path))); diff != "" {
		t.Errorf("%s is stale (-type +file); run go test ./events -update:\n%s", path, diff)
	}
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestExamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, s := range shapes() {
		t.Run(s.file(), func(t *testing.T) {
			t.Parallel()
			fits(t, compile(t, s.file()), s)
		})
	}
}

// fits holds a schema to the example, which it takes, and to what spoils that,
// which it refuses but for what it is known not to say.
func fits(t *testing.T, schema *jsonschema.Schema, s shape, unsaid ...string) {
	t.Helper()
	if err := schema.Validate(example(t, s)); err != nil {
		t.Errorf("the example: %v", err)
	}
	for _, spoil := range spoilt(s) {
		bad := example(t, s)
		spoil.do(bad)
		if !slices.Contains(unsaid, spoil.name) && schema.Validate(bad) == nil {
			t.Errorf("%s: the schema lets it pass", spoil.name)
		}
	}
}

func compile(tb testing.TB, file string) *jsonschema.Schema {
	tb.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(filepath.Join("schema", file))
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

func example(tb testing.TB, s shape) map[string]any {
	tb.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(tb, filepath.Join("testdata", s.file()))))
	if err != nil {
		tb.Fatal(err)
	}
	return value.(map[string]any)
}

// fault is one thing that a schema must notice.
type fault struct {
	name string
	do   func(map[string]any)
}

func spoilt(s shape) []fault {
	if s.detailType == "" {
		return []fault{
			{"no prompt", func(m map[string]any) { delete(m, "prompt") }},
			{"blank prompt", func(m map[string]any) { m["prompt"] = " \n" }},
			{"long prompt", func(m map[string]any) { m["prompt"] = strings.Repeat("x", events.MaxPromptBytes+1) }},
			{"job_id with a space", func(m map[string]any) { m["job_id"] = "a b" }},
			{"duration as string", func(m map[string]any) { m["duration"] = "5s" }},
			{"negative duration", func(m map[string]any) { m["duration"] = -5 }},
			{"unknown delivery", func(m map[string]any) { m["delivery"] = "email" }},
			{"metadata as array", func(m map[string]any) { m["metadata"] = []any{} }},
			{"webhook_url", func(m map[string]any) { m["webhook_url"] = "https://example.com" }},
			{"Webhook_URL", func(m map[string]any) { m["Webhook_URL"] = "https://example.com" }},
			{"Prompt", func(m map[string]any) { m["Prompt"] = "x" }},
		}
	}
	faults := []fault{
		{"another detail-type", func(m map[string]any) { m["detail-type"] = "Video Generation Started" }},
		{"another source", func(m map[string]any) { m["source"] = "aws.s3" }},
		{"no detail", func(m map[string]any) { delete(m, "detail") }},
		{"no data", func(m map[string]any) { delete(m["detail"].(map[string]any), "data") }},
		{"a time in words", func(m map[string]any) { part(m, "metadata")["occurred_at"] = "noon" }},
		{"caller's metadata null", func(m map[string]any) { part(m, "data")["metadata"] = nil }},
	}
	for _, section := range []string{"metadata", "data"} {
		for f := range sectionType(s, section).Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if options == "" {
				faults = append(faults, fault{"no " + section + "." + name, func(m map[string]any) { delete(part(m, section), name) }})
			}
		}
	}
	return faults
}

// part is detail.metadata or detail.data.
func part(event map[string]any, section string) map[string]any {
	return event["detail"].(map[string]any)[section].(map[string]any)
}

func sectionType(s shape, section string) reflect.Type {
	detail, _ := reflect.TypeOf(s.value).FieldByName("Detail")
	field, _ := detail.Type.FieldByName(strings.ToUpper(section[:1]) + section[1:])
	return field.Type
}

func TestRequestSchemaTakesNullsAndUnknownFields(t *testing.T) {
	t.Parallel()
	request := example(t, shapes()[0])
	for name := range maps.Keys(request) {
		if name != "prompt" {
			request[name] = nil
		}
	}
	request["seed"] = 7
	if err := compile(t, "request.json").Validate(request); err != nil {
		t.Error(err)
	}
}

func TestExamplesGoThroughTheTypes(t *testing.T) {
	t.Parallel()
	for _, s := range shapes() {
		t.Run(s.file(), func(t *testing.T) {
			t.Parallel()
			text := read(t, filepath.Join("testdata", s.file()))
			value := reflect.New(reflect.TypeOf(s.value))
			if err := jsonv2.Unmarshal(text, value.Interface(), jsonv2.RejectUnknownMembers(true)); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(value.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(generic(t, text), generic(t, again)); diff != "" {
				t.Errorf("decoded and encoded again (-file +type):\n%s", diff)
			}
		})
	}
}

// generic keeps numbers letter by letter.
func generic(tb testing.TB, text []byte) any {
	tb.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	return value
}

func TestImportsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	for _, path := range parseSource(t).imports {
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			t.Errorf("imports %s: consumers would have to, too", path)
		}
	}
}

func TestEverythingIsDocumented(t *testing.T) {
	t.Parallel()
	src := parseSource(t)
	if len(src.comments) < 50 {
		t.Fatalf("only %d names found", len(src.comments))
	}
	for _, name := range src.undocument {
		t.Errorf("%s has no comment", name)
	}
}

func TestRequestMarshalKeepsKnownOverExtra(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(events.Request{Prompt: "a red kite", Extra: map[string]json.RawMessage{
		"prompt": json.RawMessage(`"another"`), "seed": json.RawMessage("9007199254740993"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"prompt":"a red kite","seed":9007199254740993}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
