package request

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/strictjson"
)

// jobIDRoom is what a job_id adds to a text at most.
const jobIDRoom = len(`"job_id":"",`) + maxJobIDBytes

// read takes the message apart into its members.
func read(body []byte) (map[string]jsontext.Value, *Invalid) {
	if wrong := checkBytes(body); wrong != nil {
		return nil, wrong
	}
	members, err := strictjson.Object(body)
	if err != nil {
		return nil, unreadable(err)
	}
	return members, nil
}

// checkBytes refuses what is told more clearly before JSON is parsed.
func checkBytes(body []byte) *Invalid {
	switch {
	case len(body) > events.MaxMessageBytes+jobIDRoom:
		return tooLarge(len(body))
	case len(bytes.TrimSpace(body)) == 0:
		return &Invalid{Problem: `the message is empty: send one JSON object such as {"job_id":"a-1","prompt":"a red kite"}`}
	case bytes.HasPrefix(body, []byte("\uFEFF")):
		return &Invalid{Problem: "the message begins with a byte order mark: send UTF-8 without one"}
	case jsontext.Value(body).Kind() == jsontext.KindBeginArray:
		return &Invalid{Problem: "not a JSON object but an array: send one JSON object a message"}
	}
	return nil
}

// checkSize lets a text of the largest size through with the job_id that
// [Message] adds to it.
func checkSize(body []byte, r Request) *Invalid {
	if len(body) <= events.MaxMessageBytes {
		return nil
	}
	if len(r.Text) <= events.MaxMessageBytes && string(body) == Message(r.Text, r.JobID) {
		return nil
	}
	return tooLarge(len(body))
}

func tooLarge(size int) *Invalid {
	return &Invalid{Problem: fmt.Sprintf(
		"the message has %d bytes, at most %d are allowed: keep large data elsewhere and send a reference", size, events.MaxMessageBytes,
	)}
}

// unreadable says why the message is not one JSON object.
func unreadable(err error) *Invalid {
	if errors.Is(err, strictjson.ErrNotObject) {
		return &Invalid{Problem: err.Error() + ": send one JSON object a message"}
	}
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return &Invalid{Problem: "it cannot be read as JSON: " + clip([]byte(err.Error()), excerptBytes)}
	}
	field, inField := firstToken(syntax.JSONPointer), ""
	if field != "" {
		inField = " in " + field
	}
	var problem string
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		name := clip([]byte(syntax.JSONPointer.LastToken()), quoteBytes)
		problem = fmt.Sprintf("the name %q occurs twice in one object%s: send it once", name, inField)
	case errors.Is(err, io.ErrUnexpectedEOF):
		problem = fmt.Sprintf("the JSON ends too early%s, after %d bytes: send it whole", inField, syntax.ByteOffset)
	default:
		why := clip([]byte(syntax.Err.Error()), excerptBytes)
		problem = fmt.Sprintf("not valid JSON at byte %d%s: %s; send one JSON object in UTF-8", syntax.ByteOffset, inField, why)
	}
	return &Invalid{Field: field, Problem: problem}
}

// firstToken is the name of the message's member that the pointer leads into.
func firstToken(pointer jsontext.Pointer) string {
	for name := range pointer.Tokens() {
		return clip([]byte(name), quoteBytes)
	}
	return ""
}
