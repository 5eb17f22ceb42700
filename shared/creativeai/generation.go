package creativeai

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/shared/strictjson"
)

// ErrShape means that a text is not what the vendor documents: no JSON object,
// a name that occurs twice, or no usable id or status.
var ErrShape = errors.New("creativeai: not a generation")

// Generation is what the vendor says of one generation, in the answer to a
// submit, in the answer to a poll, or in a callback. A field that the vendor
// left out, or gave as null or as another type than documented, is zero: a
// result is not lost because its credits are odd.
type Generation struct {
	// ID is opaque, at most 1 KB, and never parsed.
	ID string
	// Status is the vendor's own word; [Generation.Verdict] reads it.
	Status string
	// Model is what was asked for, ModelActual the provider that does the work.
	Model, ModelActual string
	Prompt             string
	// OutputURL is where the video is, of a completed generation.
	OutputURL string
	// Error is why a generation failed: error_message in callbacks, error in polls.
	Error string
	// Credits is the price, nil if it was not told.
	Credits *int64
	// FailoverUsed tells whether a fallback provider was used, nil if it was not told.
	FailoverUsed *bool
	// CompletedAt is the vendor's own text, ISO 8601 as documented.
	CompletedAt string
	// Raw is the body as it came, with every field that is not above.
	Raw []byte
}

// Verdict is what a generation's status comes to.
type Verdict int

// The verdicts. The zero value is the one that decides nothing.
const (
	// Pending is every status that is not one of the vendor's two final ones.
	Pending Verdict = iota
	// Succeeded is "completed".
	Succeeded
	// Failed is "failed".
	Failed
)

// String is the verdict's name in lower case.
func (v Verdict) String() string {
	switch v {
	case Pending:
		return "pending"
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	}
	return "Verdict(" + strconv.Itoa(int(v)) + ")"
}

// Verdict reads the status: "completed" and "failed", letter by letter, are
// final; any other, known or not, means that the vendor is not finished.
func (g Generation) Verdict() Verdict {
	switch g.Status {
	case "completed":
		return Succeeded
	case "failed":
		return Failed
	}
	return Pending
}

// ParseCallback reads a callback's body. Call it only after [Verify]. It
// returns [ErrShape] unless the body is one JSON object, without duplicate
// names, that has a string id of 1 to 1,024 bytes and a string status. The
// status decides: the event header says "completed" on a failure too, and no
// header is signed.
func ParseCallback(body []byte) (Generation, error) {
	g, err := parse(body)
	switch {
	case err != nil:
		return Generation{}, fmt.Errorf("parse callback: %w", err)
	case !usableID(g.ID):
		return Generation{}, fmt.Errorf("parse callback: %w: id must be a string of 1 to %d bytes", ErrShape, maxID)
	case g.Status == "":
		return Generation{}, fmt.Errorf("parse callback: %w: status must be a string that is not empty", ErrShape)
	}
	return g, nil
}

func usableID(id string) bool { return id != "" && len(id) <= maxID }

// object reads any body of the vendor's. A byte order mark before it is forgiven.
func object(body []byte) (map[string]jsontext.Value, error) {
	return strictjson.Object(bytes.TrimPrefix(body, []byte("\ufeff")))
}

// parse reads a generation, and demands no field.
func parse(body []byte) (Generation, error) {
	members, err := object(body)
	if err != nil {
		return Generation{}, fmt.Errorf("%w: %w", ErrShape, err)
	}
	g := Generation{
		ID:           text(members["id"]),
		Status:       text(members["status"]),
		Model:        text(members["model"]),
		ModelActual:  text(members["model_actual"]),
		Prompt:       text(members["prompt"]),
		OutputURL:    text(members["output_url"]),
		Credits:      integer(members["credits"]),
		FailoverUsed: boolean(members["failover_used"]),
		CompletedAt:  text(members["completed_at"]),
		Raw:          body,
	}
	if g.Error = errorText(members["error_message"]); g.Error == "" {
		g.Error = errorText(members["error"])
	}
	return g, nil
}

// text is a JSON string's value, "" for anything else.
func text(value jsontext.Value) string {
	if value.Kind() != jsontext.KindString {
		return ""
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// errorText is an error's text: the string itself, or of an object its message,
// or failing that the JSON as it stands; "" if there is nothing to read.
func errorText(value jsontext.Value) string {
	if kind := value.Kind(); kind != jsontext.KindBeginObject && kind != jsontext.KindBeginArray {
		return strings.TrimSpace(text(value))
	}
	if s := string(value); s == "{}" || s == "[]" {
		return ""
	}
	members, err := strictjson.Object(value)
	if err != nil {
		return string(value)
	}
	for _, name := range []string{"message", "detail"} {
		if s := strings.TrimSpace(text(members[name])); s != "" {
			return s
		}
	}
	return string(value)
}

// integer is a whole JSON number within int64, 5.0 included; nil for anything else.
func integer(value jsontext.Value) *int64 {
	if value.Kind() != jsontext.KindNumber {
		return nil
	}
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return &n
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return nil
	}
	n := int64(f)
	return &n
}

// boolean is a JSON boolean, nil for anything else.
func boolean(value jsontext.Value) *bool {
	if kind := value.Kind(); kind != jsontext.KindTrue && kind != jsontext.KindFalse {
		return nil
	}
	b := value.Kind() == jsontext.KindTrue
	return &b
}
