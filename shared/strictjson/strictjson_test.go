package strictjson_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/strictjson"
)

type message struct {
	Status string                    `json:"status"`
	Extra  map[string]jsontext.Value `json:",embed"`
}

func TestUnmarshalKeepsUnknownFields(t *testing.T) {
	t.Parallel()
	const text = `{"status":"completed","Status":"x","seed":12345678901234567890,"nested":{"b":1,"a":[1.0]}}`
	var got message
	if err := strictjson.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := message{Status: "completed", Extra: map[string]jsontext.Value{
		"Status": jsontext.Value(`"x"`),
		"seed":   jsontext.Value(`12345678901234567890`),
		"nested": jsontext.Value(`{"b":1,"a":[1.0]}`),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unknown fields (-want +got):\n%s", diff)
	}
	back, err := json.Marshal(got, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	const sorted = `{"status":"completed","Status":"x","nested":{"b":1,"a":[1.0]},"seed":12345678901234567890}`
	if string(back) != sorted {
		t.Errorf("written again: %s, want %s", back, sorted)
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, want string // want "" is an error
	}{
		{"plain", `{"status":"completed"}`, "completed"},
		{"space around", " \r\n{\"status\":\"completed\"}\r\n", "completed"},
		{"an escaped NUL is text", `{"status":"a\u0000b"}`, "a\x00b"},
		{"surrogate pair", `{"status":"\ud83c\udfac"}`, "🎬"},
		{"another case is another name", `{"status":"completed","STATUS":"failed"}`, "completed"},
		{"duplicate", `{"status":"completed","status":"failed"}`, ""},
		{"duplicate, equal", `{"status":"completed","status":"completed"}`, ""},
		{"duplicate, escaped", `{"status":"completed","\u0073tatus":"failed"}`, ""},
		{"duplicate, unknown", `{"status":"completed","a":1,"a":2}`, ""},
		{"duplicate, nested in an unknown", `{"status":"completed","a":{"b":1,"b":2}}`, ""},
		{"lone high surrogate", `{"status":"\ud83c"}`, ""},
		{"lone low surrogate", `{"status":"\udfac"}`, ""},
		{"lone surrogate in an unknown", `{"status":"completed","a":"\ud83c"}`, ""},
		{"not UTF-8", "{\"status\":\"\xff\"}", ""},
		{"not UTF-8 in an unknown", "{\"status\":\"completed\",\"a\":\"\xff\"}", ""},
		{"bare NUL in a string", "{\"status\":\"a\x00b\"}", ""},
		{"NUL after", "{\"status\":\"completed\"}\x00", ""},
		{"byte order mark", "\ufeff{\"status\":\"completed\"}", ""},
		{"another value after", `{"status":"completed"}{}`, ""},
		{"wrong type", `{"status":1}`, ""},
		{"cut", `{"status":"comp`, ""},
		{"empty", ``, ""},
		{"10,001 levels", `{"status":"completed","a":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got message
			err := strictjson.Unmarshal([]byte(tt.text), &got)
			if tt.want == "" {
				if err == nil {
					t.Fatalf("read as %q, want an error", got.Status)
				}
				return
			}
			if err != nil || got.Status != tt.want {
				t.Errorf("got %q, %v, want %q", got.Status, err, tt.want)
			}
		})
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	members, err := strictjson.Object([]byte(` {"a": [1, 2], "A": null} `))
	want := map[string]jsontext.Value{"a": jsontext.Value(`[1, 2]`), "A": jsontext.Value(`null`)}
	if diff := cmp.Diff(want, members); err != nil || diff != "" {
		t.Errorf("error %v, members (-want +got):\n%s", err, diff)
	}
	for text, kind := range map[string]string{
		`null`: "null", `true`: "a boolean", `"{}"`: "a string", `-1`: "a number", `[{}]`: "an array",
	} {
		_, err := strictjson.Object([]byte(text))
		if !errors.Is(err, strictjson.ErrNotObject) || !strings.Contains(err.Error(), kind) {
			t.Errorf("Object(%s): %v, want ErrNotObject that says %q", text, err, kind)
		}
	}
	for _, text := range []string{``, `{`, `{"a":1,"a":1}`, `{"a":{"b":1,"b":1}}`, `{} {}`, `<html>`} {
		if _, err := strictjson.Object([]byte(text)); err == nil || errors.Is(err, strictjson.ErrNotObject) {
			t.Errorf("Object(%s): %v, want an error of the syntax", text, err)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"order and space", "{ \"b\" : 1,\n\"a\":{\"d\":[2, 1],\"c\":3} }", `{"a":{"c":3,"d":[2,1]},"b":1}`},
		{"escapes", `{"\u0061":"\u00e9\/\n"}`, `{"a":"é/\n"}`},
		{"numbers letter by letter", `[1.0,1,1e2,100,-0,9007199254740993,12345678901234567890,0.10]`, `[1.0,1,1e2,100,-0,9007199254740993,12345678901234567890,0.10]`},
		{"scalar", ` "x" `, `"x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			input := []byte(tt.text)
			got, err := strictjson.Canonical(input)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
			if string(input) != tt.text {
				t.Errorf("the input was changed to %s", input)
			}
		})
	}
	for _, text := range []string{``, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "\"\xff\"", `[1`, `1 2`} {
		if got, err := strictjson.Canonical([]byte(text)); err == nil {
			t.Errorf("Canonical(%q) = %s, want an error", text, got)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":1.0,"a":{"d":[2,1],"c":"\u00e9"}}`))
	f.Add([]byte(`[1e2,-0,12345678901234567890]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := strictjson.Canonical(text)
		if err != nil {
			return
		}
		twice, err := strictjson.Canonical(once)
		if err != nil || string(twice) != string(once) {
			t.Errorf("canonical form of %q is %q, whose own is %q (%v)", text, once, twice, err)
		}
	})
}

func ExampleObject() {
	members, err := strictjson.Object([]byte(`{"status": "completed", "STATUS": "failed"}`))
	fmt.Println(string(members["status"]), err)

	_, err = strictjson.Object([]byte(`[]`))
	fmt.Println(err)
	// Output:
	// "completed" <nil>
	// not a JSON object but an array
}

func ExampleCanonical() {
	text, err := strictjson.Canonical([]byte(`{ "prompt": "sea", "duration": 5.0 }`))
	fmt.Println(string(text), err)
	// Output: {"duration":5.0,"prompt":"sea"} <nil>
}
