package request_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/request"
)

const messageID = "059f36b4-87a3-44ab-83d2-661975830a7d"

func TestParseValidFiles(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, test := range map[string]struct {
		want events.Request
		text string
	}{
		"smallest": {
			events.Request{JobID: messageID, Prompt: "a red kite over the dunes"},
			`{"prompt":"a red kite over the dunes"}`,
		},
		"every-field": {
			events.Request{
				JobID: "order_1042-a", Prompt: "a red kite over the dunes", Model: "kling-v3", AspectRatio: "16:9",
				Duration: 5, Resolution: "1080p", Failover: &yes, Delivery: events.DeliveryPoll,
				Metadata: json.RawMessage(`{"z":1,"a":{"customer":"c-7","price":1.50}}`),
			},
			`{"aspect_ratio":"16:9","delivery":"poll","duration":5,"failover":true,"metadata":{"z":1,"a":{"customer":"c-7","price":1.50}},` +
				`"model":"kling-v3","prompt":"a red kite over the dunes","resolution":"1080p"}`,
		},
		"unknown-fields": {
			events.Request{JobID: "u-1", Prompt: "a red kite", Extra: map[string]json.RawMessage{
				"":       json.RawMessage(`"no name"`),
				"Status": json.RawMessage(`"kept"`),
				"seed":   json.RawMessage(`9007199254740993`),
				"style":  json.RawMessage(`{"z":"caf\u00e9","a":[1.0,1e2,null,true]}`),
			}},
			`{"":"no name","Status":"kept","prompt":"a red kite","seed":9007199254740993,"style":{"z":"caf\u00e9","a":[1.0,1e2,null,true]}}`,
		},
		"nulls-are-absent": {
			events.Request{JobID: messageID, Prompt: "a red kite", Extra: map[string]json.RawMessage{"seed": json.RawMessage("null")}},
			`{"prompt":"a red kite","seed":null}`,
		},
		"unicode": {
			events.Request{
				JobID: "u-2", Prompt: "Ein Drache \U0001FA81 über den Dünen — 砂丘",
				Metadata: json.RawMessage(`{"ключ":"\u00e9 \ud83d\ude00 <&>\u2028"}`),
			},
			`{"metadata":{"ключ":"\u00e9 \ud83d\ude00 <&>\u2028"},"prompt":"Ein Drache \ud83e\ude81 über den Dünen — 砂丘"}`,
		},
		"failover-false": {
			events.Request{JobID: messageID, Prompt: "a red kite", Failover: &no, Metadata: json.RawMessage(`{}`)},
			`{"failover":false,"metadata":{},"prompt":"a red kite"}`,
		},
		"largest-integers": {
			events.Request{JobID: messageID, Prompt: "a red kite", Metadata: json.RawMessage(
				`{"max":9223372036854775807,"min":-9223372036854775808,"zero":-0,"float":1.7976931348623157e308,"tiny":1e-400}`,
			)},
			`{"metadata":{"max":9223372036854775807,"min":-9223372036854775808,"zero":-0,"float":1.7976931348623157e308,"tiny":1e-400},"prompt":"a red kite"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(filepath.Join("testdata/valid", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			got := parse(t, string(body))
			if diff := cmp.Diff(test.want, got.Request, cmp.Transformer("text", texts)); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if got.Text != test.text {
				t.Errorf("text\n%s, want\n%s", got.Text, test.text)
			}
			checkRoundTrip(t, got)
		})
	}
}

// parse reads a message that must be valid.
func parse(tb testing.TB, body string) request.Request {
	tb.Helper()
	r, err := request.Parse([]byte(body), messageID)
	if err != nil {
		tb.Fatalf("%.300s: %v", body, err)
	}
	return r
}

// texts makes JSON texts strings, which are quick to compare when they are long.
func texts(m json.RawMessage) string { return string(m) }

// checkRoundTrip holds what is true of every request: Text gives its fields
// back, and the message made of it is the same request.
func checkRoundTrip(tb testing.TB, r request.Request) {
	tb.Helper()
	fields, err := request.Decode(r.Text)
	if err != nil {
		tb.Fatalf("decode %s: %v", r.Text, err)
	}
	want := r.Request
	want.JobID = ""
	if diff := cmp.Diff(want, fields, cmp.Transformer("text", texts)); diff != "" {
		tb.Errorf("decoded text (-want +got):\n%s", diff)
	}
	if again := parse(tb, request.Message(r.Text, r.JobID)); !cmp.Equal(r, again, cmp.Transformer("text", texts)) {
		tb.Errorf("the message made of the text is another request:\n%s", cmp.Diff(r, again, cmp.Transformer("text", texts)))
	}
}

func TestHashTellsPayloadsApart(t *testing.T) {
	t.Parallel()
	first := parse(t, `{"job_id":"a","prompt":"x","duration":5,"metadata":{"a":1,"b":[1,2]},"seed":1}`)
	for _, same := range []string{
		`{"seed":1,"metadata":{"b":[1,2],"a":1},"prompt":"x","duration":5}`,
		"{ \"prompt\" : \"\\u0078\",\n\"duration\":5,\"metadata\":{\"\\u0061\":1,\"b\":[1, 2]},\"seed\":1,\"job_id\":\"other\" }",
		`{"prompt":"x","duration":5,"metadata":{"a":1,"b":[1,2]},"seed":1,"model":null,"failover":null}`,
	} {
		if got := parse(t, same); got.Hash != first.Hash {
			t.Errorf("%s: another hash than\n%s", got.Text, first.Text)
		}
	}
	for _, other := range []string{
		`{"prompt":"y","duration":5,"metadata":{"a":1,"b":[1,2]},"seed":1}`,
		`{"prompt":"x","metadata":{"a":1,"b":[1,2]},"seed":1}`,
		`{"prompt":"x","duration":5,"metadata":{"a":1,"b":[2,1]},"seed":1}`,
		`{"prompt":"x","duration":5,"metadata":{"a":1.0,"b":[1,2]},"seed":1}`,
		`{"prompt":"x","duration":5,"metadata":{"a":1,"b":[1,2]},"seed":1,"failover":false}`,
		`{"prompt":"x","duration":5,"metadata":{"a":1,"b":[1,2]},"seed":1,"other":null}`,
	} {
		if got := parse(t, other); got.Hash == first.Hash {
			t.Errorf("%s: the same hash as\n%s", got.Text, first.Text)
		}
	}
}

// The hash decides what is paid for again: jobs in a table outlive a release.
func TestHashIsFixed(t *testing.T) {
	t.Parallel()
	// printf '{"metadata":{"a":2,"z":1.50},"prompt":"a red kite"}' | sha256sum
	const want = "3816088a1a2760c0bc6eed5920ac3751055d669d71ca6d4bdc2f51ceb0815808"
	if got := parse(t, `{"prompt":"a red kite","metadata":{"z":1.50,"a":2}}`); got.Hash != want {
		t.Errorf("hash %s, want %s", got.Hash, want)
	}
}

func TestParseTheLargest(t *testing.T) {
	t.Parallel()
	pad := func(object string, size int) string {
		return strings.Replace(object, "PAD", strings.Repeat("x", size-len(object)+len("PAD")), 1)
	}
	for name, body := range map[string]string{
		"message without job_id":   pad(`{"prompt":"x","z":"PAD"}`, events.MaxMessageBytes),
		"message with job_id":      pad(`{"job_id":"a","prompt":"x","z":"PAD"}`, events.MaxMessageBytes),
		"message in disorder":      pad(`{"z": "PAD", "prompt":"x"}`, events.MaxMessageBytes),
		"prompt":                   `{"prompt":"` + strings.Repeat("x", events.MaxPromptBytes) + `"}`,
		"metadata":                 `{"prompt":"x","metadata":` + pad(`{"a":"PAD"}`, events.MaxMetadataBytes) + `}`,
		"metadata with space":      `{"prompt":"x","metadata":` + pad(`{"a":"PAD"}`, events.MaxMetadataBytes) + strings.Repeat(" ", 9000) + `}`,
		"32 levels of metadata":    `{"prompt":"x","metadata":` + nested(32) + `}`,
		"32 levels of extra":       `{"prompt":"x","extra":[` + nested(31) + `]}`,
		"job_id":                   `{"prompt":"x","job_id":"` + strings.Repeat("J", 64) + `"}`,
		"duration":                 `{"prompt":"x","duration":3600}`,
		"model, ratio, resolution": `{"prompt":"x","model":"` + strings.Repeat("m", 256) + `","aspect_ratio":"21:9","resolution":"1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRoundTrip(t, parse(t, body))
		})
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "[]", `{"prompt":5}`, `{"prompt":"x","webhook_url":"y"}`} {
		if _, err := request.Decode(text); err == nil || !strings.Contains(err.Error(), "decode a stored request") {
			t.Errorf("%q: %v, want an error that names the operation", text, err)
		}
	}
}
