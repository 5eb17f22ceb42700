package events_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clipqueue/clipqueue/events"
)

// asyncAPI is the AsyncAPI 3.0 document: what goes in and what comes out.
type asyncAPI struct {
	AsyncAPI           string               `json:"asyncapi"`
	Info               asyncInfo            `json:"info"`
	DefaultContentType string               `json:"defaultContentType"`
	Channels           map[string]channel   `json:"channels"`
	Operations         map[string]operation `json:"operations"`
	Components         asyncComponents      `json:"components"`
}

type asyncInfo struct {
	Title       string  `json:"title"`
	Version     string  `json:"version"`
	Description string  `json:"description"`
	License     license `json:"license"`
}

type license struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// channel has no address, which is known only once the stack is deployed.
type channel struct {
	Address     *string        `json:"address"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Messages    map[string]ref `json:"messages"`
}

type operation struct {
	Action   string `json:"action"` // of Clipqueue, as AsyncAPI 3 wants it
	Channel  ref    `json:"channel"`
	Summary  string `json:"summary"`
	Messages []ref  `json:"messages"`
}

type asyncComponents struct {
	Messages map[string]message `json:"messages"`
}

type message struct {
	Name          string             `json:"name"`
	Title         string             `json:"title"`
	Summary       string             `json:"summary"`
	CorrelationID location           `json:"correlationId"`
	Payload       *jsonschema.Schema `json:"payload"`
	Examples      []messageExample   `json:"examples"`
}

type location struct {
	Location string `json:"location"`
}

type messageExample struct {
	Payload json.RawMessage `json:"payload"`
}

type ref struct {
	Ref string `json:"$ref"`
}

func asyncAPIOf(tb testing.TB) asyncAPI {
	tb.Helper()
	all := map[string]message{}
	var told []string
	for _, s := range shapes() {
		all[s.key()] = messageOf(tb, s)
		if s.detailType != "" {
			told = append(told, s.key())
		}
	}
	return asyncAPI{
		AsyncAPI: "3.0.0", DefaultContentType: "application/json",
		Info: asyncInfo{
			"Clipqueue", events.SchemaVersion, "Prompts go onto a queue; finished videos come out as events.",
			license{"Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"},
		},
		Channels: map[string]channel{
			"jobQueue": channelOf("SQS queue", "Takes prompts. Its URL is the stack's output JobQueueUrl.", "request"),
			"videoBus": channelOf("EventBridge bus", "Tells what became of each prompt. Its name is the stack's output EventBusName.", told...),
		},
		Operations: map[string]operation{
			"takePrompts": operationOf("receive", "jobQueue", "Clipqueue takes prompts.", "request"),
			"tellEvents":  operationOf("send", "videoBus", "Clipqueue tells what became of them.", told...),
		},
		Components: asyncComponents{all},
	}
}

// key is the shape's name in the document.
func (s shape) key() string {
	if s.detailType == "" {
		return "request"
	}
	return s.title()
}

func messageOf(tb testing.TB, s shape) message {
	tb.Helper()
	schema := schemaOf(tb, s)
	schema.Version = "" // AsyncAPI's own dialect, which has all that these schemas use
	m := message{
		Name: string(s.detailType), Title: schema.Title, Summary: schema.Description,
		CorrelationID: location{"$message.payload#/detail/metadata/job_id"},
		Payload:       schema, Examples: []messageExample{{read(tb, filepath.Join("testdata", s.file()))}},
	}
	if s.detailType == "" {
		m.Name, m.CorrelationID = "request", location{"$message.payload#/job_id"}
	}
	return m
}

func channelOf(title, description string, names ...string) channel {
	c := channel{Title: title, Description: description, Messages: map[string]ref{}}
	for _, name := range names {
		c.Messages[name] = ref{"#/components/messages/" + name}
	}
	return c
}

func operationOf(action, channel, summary string, names ...string) operation {
	o := operation{Action: action, Summary: summary, Channel: ref{"#/channels/" + channel}}
	for _, name := range names {
		o.Messages = append(o.Messages, ref{"#/channels/" + channel + "/messages/" + name})
	}
	return o
}

// That it is AsyncAPI is held in infra, against AsyncAPI's own schema.
func TestAsyncAPIIsMadeFromTheTypes(t *testing.T) {
	generated(t, "asyncapi.json", asyncAPIOf(t))
}

// As a reader of the document sees it: payloads in AsyncAPI's dialect, Draft 7.
func TestAsyncAPIExamplesFitTheirPayloads(t *testing.T) {
	t.Parallel()
	doc := generic(t, read(t, "asyncapi.json")).(map[string]any)
	messages := doc["components"].(map[string]any)["messages"].(map[string]any)
	var want []string
	for _, s := range shapes() {
		want = append(want, s.key())
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(messages))); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	for name, m := range messages {
		compiler := validator.NewCompiler()
		compiler.AssertFormat()
		compiler.DefaultDraft(validator.Draft7)
		if err := compiler.AddResource("payload.json", m.(map[string]any)["payload"]); err != nil {
			t.Fatal(err)
		}
		schema, err := compiler.Compile("payload.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, example := range m.(map[string]any)["examples"].([]any) {
			if err := schema.Validate(example.(map[string]any)["payload"]); err != nil {
				t.Errorf("the example of %s: %v", name, err)
			}
		}
	}
}
