package events_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/events/registry"
)

// openAPI is a schema of the EventBridge registry. The service makes code from
// the component AWSEvent and what it refers to, and knows an event by the two
// names that begin with x-amazon-events; it needs an object to have a name.
type openAPI struct {
	OpenAPI    string     `json:"openapi"`
	Info       openInfo   `json:"info"`
	Paths      struct{}   `json:"paths"`
	Components components `json:"components"`
}

type openInfo struct {
	Version     string `json:"version"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

type components struct {
	Schemas map[string]*jsonschema.Schema `json:"schemas"`
}

// title is the shape's name without white space.
func (s shape) title() string { return strings.ReplaceAll(string(s.detailType), " ", "") }

// openAPIOf is the registry's document of an event.
func openAPIOf(tb testing.TB, s shape) openAPI {
	tb.Helper()
	event := schemaOf(tb, s)
	doc := openAPI{
		OpenAPI: "3.0.0", Info: openInfo{events.SchemaVersion, s.title(), event.Description},
		Components: components{map[string]*jsonschema.Schema{"AWSEvent": event}},
	}
	detail := event.Properties.Value("detail")
	doc.name(detail, "metadata", "Metadata")
	doc.name(detail, "data", sectionType(s, "data").Name())
	doc.name(event, "detail", s.title())
	for _, schema := range doc.Components.Schemas {
		toOpenAPI(schema)
	}
	event.Extras = map[string]any{"x-amazon-events-source": events.Source, "x-amazon-events-detail-type": s.detailType}
	return doc
}

// name moves a property's schema to the components, and refers to it.
func (doc openAPI) name(schema *jsonschema.Schema, property, name string) {
	doc.Components.Schemas[name] = schema.Properties.Value(property)
	schema.Properties.Set(property, &jsonschema.Schema{Ref: "#/components/schemas/" + name})
}

// toOpenAPI says in OpenAPI's words what a JSON Schema says. Values are named in
// the descriptions alone, so that code that was made from the schema does not
// stumble over a value of a later version.
func toOpenAPI(schema *jsonschema.Schema) {
	if types, ok := schema.Extras["type"].([]string); ok {
		schema.Type, schema.Extras = types[0], map[string]any{"nullable": true}
	}
	if schema.Type == "integer" {
		schema.Format = "int64" // or Java and Go would be given 32 bits
	}
	schema.Version, schema.Title, schema.Const, schema.Enum = "", "", nil, nil
	for property := schema.Properties.Oldest(); property != nil; property = property.Next() {
		toOpenAPI(property.Value)
	}
}

// eventShapes are the shapes without the queue message.
func eventShapes() []shape { return shapes()[1:] }

func TestRegistryIsMadeFromTheTypes(t *testing.T) {
	files := []string{"registry.go"}
	for _, s := range eventShapes() {
		files = append(files, s.title()+".json")
		t.Run(s.title(), func(t *testing.T) {
			generated(t, filepath.Join("registry", s.title()+".json"), openAPIOf(t, s))
		})
	}
	slices.Sort(files)
	if diff := cmp.Diff(files, list(t, "registry")); diff != "" {
		t.Errorf("files in registry (-want +got):\n%s", diff)
	}
}

func TestRegistryDocument(t *testing.T) {
	t.Parallel()
	for _, kind := range events.DetailTypes() {
		text, err := registry.Document(kind)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Components struct {
				Schemas struct {
					AWSEvent struct {
						DetailType events.DetailType `json:"x-amazon-events-detail-type"`
						Source     string            `json:"x-amazon-events-source"`
					} `json:"AWSEvent"`
				} `json:"schemas"`
			} `json:"components"`
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if event := doc.Components.Schemas.AWSEvent; event.DetailType != kind || event.Source != events.Source {
			t.Errorf("the schema of %q is of %q from %q", kind, event.DetailType, event.Source)
		}
	}
	if got, want := registry.Name(events.TypeArchiveFailed), "clipqueue@VideoArchiveFailed"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	if _, err := registry.Document("Video Generation Started"); err == nil {
		t.Error("a schema of what is no event")
	}
}

// What an OpenAPI 3.0 schema says, a Draft 4 one says too, but for "nullable".
func TestExamplesFitTheRegistry(t *testing.T) {
	t.Parallel()
	for _, s := range eventShapes() {
		t.Run(s.title(), func(t *testing.T) {
			t.Parallel()
			// The registry has these two outside of the schema.
			fits(t, compileOpenAPI(t, s), s, "another detail-type", "another source")
		})
	}
}

func compileOpenAPI(tb testing.TB, s shape) *validator.Schema {
	tb.Helper()
	text, err := registry.Document(s.detailType)
	if err != nil {
		tb.Fatal(err)
	}
	doc := generic(tb, text)
	nullableToDraft4(doc)
	compiler := validator.NewCompiler()
	compiler.AssertFormat()
	compiler.DefaultDraft(validator.Draft4)
	if err := compiler.AddResource("openapi.json", doc); err != nil {
		tb.Fatal(err)
	}
	schema, err := compiler.Compile("openapi.json#/components/schemas/AWSEvent")
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

func nullableToDraft4(value any) {
	object, _ := value.(map[string]any)
	if object["nullable"] == true {
		object["type"] = []any{object["type"], "null"}
	}
	for _, inner := range object {
		nullableToDraft4(inner)
	}
}
