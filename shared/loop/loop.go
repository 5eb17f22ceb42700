// Package loop starts the Step Functions workflow that polls one generation.
package loop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
)

// Input is what a loop knows of its generation. It holds all that the vendor
// said when it accepted, so that the acceptance survives a table that could not
// take it.
type Input struct {
	JobID        string    `json:"job_id"`
	GenerationID string    `json:"generation_id"`
	Attempt      int64     `json:"attempt"`
	AcceptedAt   time.Time `json:"accepted_at"`
	ModelActual  string    `json:"model_actual,omitempty"`
	Credits      *int64    `json:"credits,omitempty"`
	FailoverUsed *bool     `json:"failover_used,omitempty"`
	// StartedAt is when the loop began; the workflow fills it in.
	StartedAt time.Time `json:"started_at,omitzero"`
}

// Answer tells the loop how to go on.
type Answer struct {
	// Done ends the loop.
	Done bool `json:"done"`
	// WaitSeconds is how long to wait before the next poll.
	WaitSeconds int64 `json:"wait_seconds"`
}

// Loop is the state machine.
type Loop struct {
	client *sfn.Client
	arn    string
}

// New is the state machine of this ARN.
func New(client *sfn.Client, arn string) (*Loop, error) {
	if client == nil || arn == "" {
		return nil, errors.New("loop: a client and a state machine's ARN are needed")
	}
	return &Loop{client: client, arn: arn}, nil
}

// Start begins a loop. Started twice, it does no harm.
func (l *Loop) Start(ctx context.Context, in Input) error {
	text, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("start the poll loop of %s: %w", in.JobID, err)
	}
	_, err = l.client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &l.arn, Input: aws.String(string(text)),
	})
	if err != nil {
		return fmt.Errorf("start the poll loop of %s: %w", in.JobID, err)
	}
	return nil
}
