package events_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/clipqueue/clipqueue/events"
)

// promise is what a version of the shapes holds: each message or event by its
// name, each field by its path. versions/ has one for each version that is
// still published, and no later version of the same first number may break it.
type promise map[string]map[string]field

// field is what can be relied on about one field.
type field struct {
	Types    []string `json:"types"`
	Required bool     `json:"required,omitzero"`
	Values   []string `json:"values,omitempty"`
	Format   string   `json:"format,omitzero"`
	// Limits are of the queue message only: a producer has to keep them.
	Pattern   string `json:"pattern,omitzero"`
	MaxLength int64  `json:"max_length,omitzero"`
	Minimum   int64  `json:"minimum,omitzero"`
	Maximum   int64  `json:"maximum,omitzero"`
}

const queueMessage = "request"

func promiseOf(tb testing.TB) promise {
	tb.Helper()
	p := promise{}
	for _, s := range shapes() {
		name := string(s.detailType)
		if name == "" {
			name = queueMessage
		}
		p[name] = map[string]field{}
		schema := generic(tb, indented(tb, schemaOf(tb, s))).(map[string]any)
		p.add(name, "", schema)
	}
	return p
}

// add notes the properties of a schema, and theirs.
func (p promise) add(name, above string, schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	for key, value := range properties {
		property := value.(map[string]any)
		f := fieldOf(property)
		f.Required = slices.Contains(texts(schema["required"]), key)
		p[name][above+key] = f
		p.add(name, above+key+".", property)
		if items, ok := property["items"].(map[string]any); ok {
			p[name][above+key+"[]"] = fieldOf(items)
		}
	}
}

func fieldOf(property map[string]any) field {
	f := field{Types: texts(property["type"]), Values: texts(property["enum"])}
	if value, ok := property["const"]; ok {
		f.Values = texts(value)
	}
	f.Format, _ = property["format"].(string)
	f.Pattern, _ = property["pattern"].(string)
	f.MaxLength, f.Minimum, f.Maximum = number(property["maxLength"]), number(property["minimum"]), number(property["maximum"])
	return f
}

// texts are one or several strings, sorted; a null among values says what the types say.
func texts(value any) []string {
	var out []string
	switch value := value.(type) {
	case string:
		out = append(out, value)
	case []any:
		for _, v := range value {
			if text, ok := v.(string); ok {
				out = append(out, text)
			}
		}
	}
	slices.Sort(out)
	return out
}

func number(value any) int64 {
	n, _ := strconv.ParseInt(fmt.Sprint(value), 10, 64)
	return n
}

// breaches are the points in which now does not hold what p promised. A consumer
// of the events may rely on what is always there, on its type, and on the known
// values to mean what they meant. A producer may rely on what was taken.
func (p promise) breaches(now promise) []string {
	var out []string
	for name, fields := range p {
		if now[name] == nil {
			out = append(out, name+" is gone")
			continue
		}
		for path, was := range fields {
			is, there := now[name][path]
			switch {
			case !there:
				out = append(out, name+": "+path+" is gone")
			case name == queueMessage:
				out = append(out, was.refusedBy(is, name+": "+path)...)
			default:
				out = append(out, was.unreadAs(is, name+": "+path)...)
			}
		}
	}
	for path, is := range now[queueMessage] {
		if _, there := p[queueMessage][path]; !there && is.Required {
			out = append(out, queueMessage+": "+path+" is new and required")
		}
	}
	slices.Sort(out)
	return out
}

// unreadAs says why a consumer of the field as it was cannot read it as it is.
func (was field) unreadAs(is field, path string) []string {
	return problems(path,
		problem{!within(is.Types, was.Types), fmt.Sprintf("is %v, was %v", is.Types, was.Types)},
		problem{was.Required && !is.Required, "may be absent now"},
		problem{!within(was.Values, is.Values), fmt.Sprintf("has the values %v, had %v", is.Values, was.Values)},
		problem{was.Format != is.Format, fmt.Sprintf("has the format %q, had %q", is.Format, was.Format)},
	)
}

// refusedBy says why what was taken for the field may not be taken any more.
func (was field) refusedBy(is field, path string) []string {
	return problems(path,
		problem{!within(was.Types, is.Types), fmt.Sprintf("takes %v, took %v", is.Types, was.Types)},
		problem{is.Required && !was.Required, "is required now"},
		problem{!within(was.Values, is.Values), fmt.Sprintf("takes the values %v, took %v", is.Values, was.Values)},
		problem{was.Format != is.Format, fmt.Sprintf("wants the format %q, wanted %q", is.Format, was.Format)},
		problem{was.Pattern != is.Pattern, fmt.Sprintf("wants the pattern %q, wanted %q", is.Pattern, was.Pattern)},
		problem{is.MaxLength != 0 && (was.MaxLength == 0 || is.MaxLength < was.MaxLength), fmt.Sprintf("takes %d characters, took %d", is.MaxLength, was.MaxLength)},
		problem{is.Minimum > was.Minimum, fmt.Sprintf("begins at %d, began at %d", is.Minimum, was.Minimum)},
		problem{is.Maximum != 0 && (was.Maximum == 0 || is.Maximum < was.Maximum), fmt.Sprintf("ends at %d, ended at %d", is.Maximum, was.Maximum)},
	)
}

type problem struct {
	there bool
	says  string
}

func problems(path string, all ...problem) []string {
	var out []string
	for _, p := range all {
		if p.there {
			out = append(out, path+" "+p.says)
		}
	}
	return out
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// version is "major.minor".
type version struct{ major, minor int }

func parseVersion(tb testing.TB, text string) version {
	tb.Helper()
	var v version
	if n, err := fmt.Sscanf(text, "%d.%d", &v.major, &v.minor); n != 2 || err != nil || text != fmt.Sprintf("%d.%d", v.major, v.minor) {
		tb.Fatalf("%q is no version: want major.minor", text)
	}
	return v
}

// A change that breaks what a published version promised needs another first
// number in events.SchemaVersion, and so another file here.
func TestVersionsKeepTheirPromises(t *testing.T) {
	now, current := promiseOf(t), parseVersion(t, events.SchemaVersion)
	kept := true
	for _, name := range list(t, "versions") {
		v := parseVersion(t, strings.TrimSuffix(name, ".json"))
		if v.major > current.major || v.major == current.major && v.minor > current.minor {
			t.Errorf("versions/%s is of a later version than %s", name, events.SchemaVersion)
		}
		if v.major != current.major {
			continue
		}
		for _, breach := range readPromise(t, name).breaches(now) {
			kept = false
			t.Errorf("%s\n\tbreaks version %d.%d: undo it, or raise the first number of events.SchemaVersion", breach, v.major, v.minor)
		}
	}
	if kept {
		generated(t, filepath.Join("versions", events.SchemaVersion+".json"), now)
	}
}

func readPromise(tb testing.TB, name string) promise {
	tb.Helper()
	var p promise
	if err := json.Unmarshal(read(tb, filepath.Join("versions", name)), &p); err != nil {
		tb.Fatalf("versions/%s: %v", name, err)
	}
	return p
}

func TestBreaches(t *testing.T) {
	t.Parallel()
	const event = string(events.TypeFailed)
	set := func(name, path string, change func(*field)) func(promise) {
		return func(p promise) {
			f := p[name][path]
			change(&f)
			p[name][path] = f
		}
	}
	tests := map[string]struct {
		change func(promise)
		want   string // empty where nothing breaks
	}{
		"nothing":                       {func(promise) {}, ""},
		"an event goes":                 {func(p promise) { delete(p, event) }, event + " is gone"},
		"an event comes":                {func(p promise) { p["Video Cut"] = map[string]field{"detail": {Required: true}} }, ""},
		"a field goes":                  {func(p promise) { delete(p[event], "detail.data.completed_at") }, "detail.data.completed_at is gone"},
		"a field comes":                 {set(event, "detail.data.cost", func(f *field) { f.Required = true }), ""},
		"a field may be absent":         {set(event, "detail.data.via", func(f *field) { f.Required = false }), "may be absent now"},
		"a field is always there":       {set(event, "detail.data.model_actual", func(f *field) { f.Required = true }), ""},
		"a type changes":                {set(event, "detail.data.model", func(f *field) { f.Types = []string{"object"} }), "is [object], was [string]"},
		"a field may be null":           {set(event, "detail.data.model", func(f *field) { f.Types = []string{"null", "string"} }), "is [null string], was [string]"},
		"a field is never null":         {set(event, "detail.data.credits", func(f *field) { f.Types = []string{"integer"} }), ""},
		"an item's type changes":        {set(event, "resources[]", func(f *field) { f.Types = []string{"object"} }), "is [object]"},
		"a value goes":                  {set(event, "detail.data.via", func(f *field) { f.Values = []string{"poll"} }), "has the values [poll]"},
		"a value comes":                 {set(event, "detail.data.via", func(f *field) { f.Values = []string{"callback", "poll", "stream"} }), ""},
		"a format changes":              {set(event, "detail.metadata.occurred_at", func(f *field) { f.Format = "" }), `has the format ""`},
		"the source changes":            {set(event, "source", func(f *field) { f.Values = []string{"clips"} }), "has the values [clips]"},
		"a message's field goes":        {func(p promise) { delete(p[queueMessage], "model") }, "model is gone"},
		"a message's field comes":       {set(queueMessage, "seed", func(f *field) { f.Types = []string{"integer"} }), ""},
		"a required one comes":          {set(queueMessage, "seed", func(f *field) { f.Required = true }), "seed is new and required"},
		"a field is required":           {set(queueMessage, "job_id", func(f *field) { f.Required = true }), "is required now"},
		"a field is refused as null":    {set(queueMessage, "model", func(f *field) { f.Types = []string{"string"} }), "takes [string], took [null string]"},
		"a delivery goes":               {set(queueMessage, "delivery", func(f *field) { f.Values = []string{"poll"} }), "takes the values [poll]"},
		"a delivery comes":              {set(queueMessage, "delivery", func(f *field) { f.Values = []string{"email", "poll", "webhook"} }), ""},
		"prompts must be shorter":       {set(queueMessage, "prompt", func(f *field) { f.MaxLength-- }), "takes 32767 characters, took 32768"},
		"prompts may be longer":         {set(queueMessage, "prompt", func(f *field) { f.MaxLength++ }), ""},
		"durations must be longer":      {set(queueMessage, "duration", func(f *field) { f.Minimum++ }), "begins at 2, began at 1"},
		"durations must be shorter":     {set(queueMessage, "duration", func(f *field) { f.Maximum-- }), "ends at 3599, ended at 3600"},
		"a pattern changes":             {set(queueMessage, "job_id", func(f *field) { f.Pattern = "^.$" }), `wants the pattern "^.$"`},
		"a limit where there was none":  {set(queueMessage, "job_id", func(f *field) { f.MaxLength = 64 }), "takes 64 characters, took 0"},
		"a maximum where there was not": {set(queueMessage, "failover", func(f *field) { f.Maximum = 9 }), "ends at 9, ended at 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			then, now := promiseOf(t), promiseOf(t)
			tt.change(now)
			got := then.breaches(now)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("breaks %q, want nothing", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("breaks %q, want one that says %q", got, tt.want)
			}
		})
	}
}

func TestExamplesAreOfThisVersion(t *testing.T) {
	t.Parallel()
	for _, s := range eventShapes() {
		if got := part(example(t, s), "metadata")["schema_version"]; got != events.SchemaVersion {
			t.Errorf("%s is of version %v, want %s", s.file(), got, events.SchemaVersion)
		}
	}
}
