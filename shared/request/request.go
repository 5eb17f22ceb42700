// Package request reads the queue message strictly: what a producer sent
// either becomes a [Request] or an [Invalid] that says which field is wrong and
// what to do, with as much of the sender as can still be made out.
package request

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/strictjson"
)

// Request is a queue message that has been read and found valid.
type Request struct {
	// Request is the message, each field as it was sent; JobID is always filled in.
	events.Request
	// Text is the message without job_id, white space and the nulls of known fields: one JSON object, its
	// names sorted, each value as it was sent.
	Text string
	// Hash tells two payloads apart: the hex SHA-256 of Text in canonical form. The order of names at any
	// depth, white space, the spelling of strings and job_id do not change it; the spelling of a number does.
	Hash string
}

// Parse reads one queue message. messageID stands in for a job_id that is
// missing or null. The error is always an [*Invalid].
func Parse(body []byte, messageID string) (Request, error) {
	members, wrong := read(body)
	if wrong != nil {
		return Request{}, wrong.from(body)
	}
	fields, wrong := decode(members)
	if wrong != nil {
		return Request{}, wrong.from(body)
	}
	r := Request{Request: fields}
	if err := r.fingerprint(members); err != nil {
		return Request{}, (&Invalid{Problem: "it cannot be written as JSON again: " + err.Error()}).from(body)
	}
	if wrong := checkSize(body, r); wrong != nil {
		return Request{}, wrong.from(body)
	}
	if r.JobID == "" {
		r.JobID = messageID
	}
	return r, nil
}

// Decode reads a [Request.Text] back: the fields as they were sent, without job_id.
func Decode(text string) (events.Request, error) {
	members, wrong := read([]byte(text))
	if wrong != nil {
		return events.Request{}, fmt.Errorf("decode a stored request: %w", wrong)
	}
	fields, wrong := decode(members)
	if wrong != nil {
		return events.Request{}, fmt.Errorf("decode a stored request: %w", wrong)
	}
	return fields, nil
}

// Message is the text with its job_id: the message to put on the queue again.
// Parse gives it the same Hash.
func Message(text, jobID string) string {
	return `{"job_id":"` + jobID + `",` + text[len("{"):]
}

// fingerprint fills in Text and Hash.
func (r *Request) fingerprint(members map[string]jsontext.Value) error {
	kept := maps.Clone(members)
	maps.DeleteFunc(kept, func(name string, value jsontext.Value) bool {
		return name == "job_id" || isKnown(name) && value.Kind() == jsontext.KindNull
	})
	text, err := jsonv2.Marshal(kept, jsonv2.Deterministic(true), jsontext.PreserveRawStrings(true))
	if err != nil {
		return err
	}
	canonical, err := strictjson.Canonical(text)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(canonical)
	r.Text, r.Hash = string(text), hex.EncodeToString(sum[:])
	return nil
}

// raw is the value without white space, its strings and numbers as they were sent.
func raw(value jsontext.Value) json.RawMessage {
	compact := value.Clone()
	if compact.Compact() != nil {
		return nil
	}
	return json.RawMessage(compact)
}
