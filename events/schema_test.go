package events_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/invopop/jsonschema"

	"github.com/clipqueue/clipqueue/events"
)

// schemaOf is the JSON Schema of a shape: made from the Go type, its comments
// and its constants, so that none of them can drift.
func schemaOf(tb testing.TB, s shape) *jsonschema.Schema {
	tb.Helper()
	src := parseSource(tb)
	reflector := jsonschema.Reflector{
		Anonymous: true, AllowAdditionalProperties: true, DoNotReference: true, ExpandedStruct: true,
		LookupComment: src.comment,
		Mapper:        src.enum,
	}
	t := reflect.TypeOf(s.value)
	schema := reflector.ReflectFromType(t)
	allowNulls(t, schema)
	if s.detailType == "" {
		limitRequest(schema)
	} else {
		nameEvent(schema, s, src)
	}
	return schema
}

// indented is a value as it lies in a file.
func indented(tb testing.TB, value any) []byte {
	tb.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	formatted := jsontext.Value(text)
	if err := formatted.Format(jsontext.WithIndent("  ")); err != nil {
		tb.Fatal(err)
	}
	return append(formatted, '\n')
}

// nameEvent says which event a schema is of.
func nameEvent(schema *jsonschema.Schema, s shape, src source) {
	schema.Title = string(s.detailType)
	schema.Description = src.comments[sectionType(s, "data").Name()]
	schema.Properties.Value("source").Const = events.Source
	kind := schema.Properties.Value("detail-type")
	kind.Enum, kind.Const = nil, s.detailType
}

// enum is the schema of the types that reflection alone cannot tell.
func (s source) enum(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[json.RawMessage]() {
		return &jsonschema.Schema{Type: "object"}
	}
	values := s.consts[t.Name()]
	if t.PkgPath() != packagePath || len(values) == 0 {
		return nil
	}
	enum := &jsonschema.Schema{Type: "string"}
	for _, c := range values {
		enum.Enum = append(enum.Enum, c.value)
	}
	return enum
}

// comment describes a type, or a field by its JSON name and with its values.
func (s source) comment(t reflect.Type, field string) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	if field == "" {
		return s.comments[name]
	}
	comment := s.comments[name+"."+field]
	f, _ := t.FieldByName(field)
	if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
		comment = strings.Replace(comment, field, tag, 1)
	}
	for _, c := range s.consts[f.Type.Name()] {
		if f.Type != reflect.TypeFor[events.DetailType]() {
			comment += " " + strings.Replace(c.comment, c.name, strconv.Quote(c.value), 1)
		}
	}
	return comment
}

// allowNulls lets null stand where the Go type writes one, and where the
// message's reader takes it for an absent field.
func allowNulls(t reflect.Type, schema *jsonschema.Schema) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property, ok := schema.Properties.Get(name)
		if !ok {
			continue
		}
		if f.Type.Kind() == reflect.Struct && property.Properties != nil {
			allowNulls(f.Type, property)
		}
		optional := options == "omitempty"
		if f.Type.Kind() == reflect.Pointer && !optional || t == reflect.TypeFor[events.Request]() && optional {
			property.Extras = map[string]any{"type": []string{property.Type, "null"}}
			property.Type = ""
			if property.Enum != nil {
				property.Enum = append(property.Enum, nil)
			}
		}
	}
}

// limitRequest adds what the reader of the message checks and a schema can say.
// Sizes are in bytes there and in characters here, so that the schema refuses less.
func limitRequest(schema *jsonschema.Schema) {
	schema.Title = "Clipqueue queue message"
	property := schema.Properties.Value
	for name, limit := range map[string]uint64{
		"prompt": events.MaxPromptBytes, "model": events.MaxOptionBytes,
		"aspect_ratio": events.MaxOptionBytes, "resolution": events.MaxOptionBytes,
	} {
		property(name).MaxLength = &limit
		property(name).Pattern = `\S`
	}
	property("job_id").Pattern = `^[A-Za-z0-9_-]{1,64}$`
	property("duration").Minimum = "1"
	property("duration").Maximum = json.Number(strconv.Itoa(events.MaxDurationSeconds))

	var exact []any
	anyCase := []string{foldPattern("webhook_url")}
	for name := schema.Properties.Oldest(); name != nil; name = name.Next() {
		exact = append(exact, name.Key)
		anyCase = append(anyCase, foldPattern(name.Key))
	}
	schema.PropertyNames = &jsonschema.Schema{
		Description: "webhook_url is Clipqueue's to set; a known name must have its exact case.",
		AnyOf: []*jsonschema.Schema{
			{Enum: exact},
			{Not: &jsonschema.Schema{Pattern: "^(" + strings.Join(anyCase, "|") + ")$"}},
		},
	}
}

// foldPattern matches a name in any case, in every dialect of regular expressions.
func foldPattern(name string) string {
	var pattern strings.Builder
	for _, c := range name {
		if c == '_' {
			pattern.WriteRune(c)
			continue
		}
		fmt.Fprintf(&pattern, "[%c%c]", c, c-'a'+'A')
	}
	return pattern.String()
}
