package main

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
)

//go:embed prompts.jsonl
var promptFile []byte

// A prompt is one line of prompts.jsonl: what to send and how it has to end.
type prompt struct {
	// Shows is what the prompt is here to show.
	Shows string `json:"shows"`
	// Message is the queue message; Body stands in for it where a message is not even JSON.
	Message jsontext.Value `json:"message,omitzero"`
	Body    string         `json:"body,omitzero"`
	// Expect is how it has to end.
	Expect outcome `json:"expect"`

	jobID string // the message's; empty where it has none
	text  string // the prompt as the vendor sees it
}

// body is what goes onto the queue.
func (p prompt) body() string {
	if p.Body != "" {
		return p.Body
	}
	return p.Message.String()
}

// name is what the prompt is called on the screen.
func (p prompt) name() string {
	if p.jobID == "" {
		return "(no job_id)"
	}
	return p.jobID
}

// readPrompts reads the prompts of a file of JSON lines.
func readPrompts(file []byte) ([]prompt, error) {
	var prompts []prompt
	for i, line := range bytes.Split(bytes.TrimSpace(file), []byte("\n")) {
		var p prompt
		if err := json.Unmarshal(line, &p, json.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("prompts.jsonl, line %d: %w", i+1, err)
		}
		if p.Message != nil {
			var known struct {
				JobID  string `json:"job_id"`
				Prompt string `json:"prompt"`
			}
			if err := json.Unmarshal(p.Message, &known); err != nil {
				return nil, fmt.Errorf("prompts.jsonl, line %d: %w", i+1, err)
			}
			p.jobID, p.text = known.JobID, known.Prompt
		}
		prompts = append(prompts, p)
	}
	return prompts, nil
}

// An outcome is how a prompt ended, as the consumer and the vendor saw it.
type outcome struct {
	// Event is the verdict's kind.
	Event events.DetailType `json:"event"`
	// State is the job's in the table.
	State string `json:"state"`
	// Via is how the vendor's verdict came.
	Via events.Via `json:"via,omitzero"`
	// Code is why a prompt was rejected.
	Code events.RejectionCode `json:"code,omitzero"`
	// Failover says whether the vendor used a fallback provider.
	Failover bool `json:"failover,omitzero"`
	// Answers are the vendor's to the POSTs of this prompt; 0 is none. Each 202 is paid for.
	Answers []int `json:"answers"`
	// Callbacks are the webhook's answers to the vendor's callbacks; 0 is none.
	Callbacks []int `json:"callbacks"`
}
