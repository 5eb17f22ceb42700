package request_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/request"
)

// FuzzParse holds that any body is either refused with a bounded reason, or
// read into a request that its text gives back.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*valid/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := request.Parse(body, messageID)
		if err == nil {
			checkRoundTrip(t, r)
			return
		}
		var invalid *request.Invalid
		if !errors.As(err, &invalid) {
			t.Fatalf("error %T, want *Invalid", err)
		}
		checkBounded(t, invalid)
	})
}

// TestSameRequestHoweverWritten holds that order, white space and job_id change
// nothing, and that what we do not know goes through byte for byte.
func TestSameRequestHoweverWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := map[string]string{"prompt": quote(rapid.StringMatching(`[ -~à-ÿ]{0,20}x`).Draw(t, "prompt"))}
		extra := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,3}_?[0-9]{1,3}`), jsonValue(2), 0, 5).Draw(t, "extra")
		maps.Copy(members, extra)
		if rapid.Bool().Draw(t, "has metadata") {
			members["metadata"] = `{"z":` + jsonValue(2).Draw(t, "in metadata") + `,"a":1}`
		}
		one, other := write(t, members, "one"), write(t, members, "other")
		first, second := mustParse(t, one), mustParse(t, other)
		first.JobID, second.JobID = "", ""
		if !cmp.Equal(first, second) {
			t.Errorf("%s\nand\n%s\ndiffer:\n%s", one, other, cmp.Diff(first, second))
		}
		for name, value := range extra {
			if got := string(first.Extra[name]); got != value {
				t.Errorf("extra %s: %s, want %s", name, got, value)
			}
		}
	})
}

func mustParse(t *rapid.T, body string) request.Request {
	r, err := request.Parse([]byte(body), messageID)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return r
}

func quote(s string) string {
	quoted, _ := json.Marshal(s)
	return string(quoted)
}

// jsonValue is a JSON text without white space, spelled in odd but legal ways.
func jsonValue(depth int) *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{
		`null`, `true`, `0`, `-0`, `1.0`, `1E+2`, `9223372036854775807`, `"\u0041"`, `"\/"`, `"<&>"`, `"é"`, `"\ud83d\ude00"`, `""`,
	})
	if depth == 0 {
		return leaf
	}
	return rapid.Custom(func(t *rapid.T) string {
		inner := rapid.SliceOfN(jsonValue(depth-1), 0, 3).Draw(t, "inner")
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			return leaf.Draw(t, "leaf")
		case 1:
			return "[" + strings.Join(inner, ",") + "]"
		}
		for i, value := range inner {
			inner[i] = fmt.Sprintf("%q:%s", string(rune('z'-i)), value)
		}
		return "{" + strings.Join(inner, ",") + "}"
	})
}

// write spells an object in some order, with some white space and some job_id.
func write(t *rapid.T, members map[string]string, label string) string {
	names := make([]string, 0, len(members)+1)
	for name := range members {
		names = append(names, name)
	}
	space := rapid.SampledFrom([]string{"", " ", "\n\t"}).Draw(t, label+" space")
	id := rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(t, label+" job_id")
	parts := []string{`"job_id":` + space + quote(id)}
	for _, name := range rapid.Permutation(names).Draw(t, label+" order") {
		parts = append(parts, quote(name)+space+":"+members[name])
	}
	return space + "{" + strings.Join(rapid.Permutation(parts).Draw(t, label), space+","+space) + "}" + space
}

// A producer's Go message is read as it was meant.
func TestGoMessageIsReadAsMeant(t *testing.T) {
	t.Parallel()
	no := false
	sent := events.Request{
		JobID: "order-1", Prompt: "<a red kite> & more", Model: "auto", Duration: 5, Failover: &no,
		Delivery: events.DeliveryWebhook, Metadata: json.RawMessage(`{"order":7}`),
		Extra: map[string]json.RawMessage{"seed": json.RawMessage("9007199254740993")},
	}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, string(body)); !cmp.Equal(got.Request, sent) {
		t.Errorf("got %s", cmp.Diff(sent, got.Request))
	}
}
