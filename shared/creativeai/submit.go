package creativeai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Submission is the body of a submit. A zero field is left out.
type Submission struct {
	Model       string `json:"model,omitzero"`
	Prompt      string `json:"prompt"`
	AspectRatio string `json:"aspect_ratio,omitzero"`
	// Duration is in whole seconds.
	Duration   int64  `json:"duration,omitzero"`
	Resolution string `json:"resolution,omitzero"`
	// WebhookURL is where callbacks go. Without it there are none.
	WebhookURL string `json:"webhook_url,omitzero"`
	Failover   *bool  `json:"failover,omitzero"`
	// Extra are fields that the vendor may know and we do not, passed on letter
	// by letter. A name that is among the above is an error.
	Extra map[string]jsontext.Value `json:",embed"`
}

// Kind is what became of a submit.
type Kind int

// The kinds. The zero value is the one that risks nothing.
const (
	// Unknown: the vendor may have taken the job and may have not. It must not
	// be sent again.
	Unknown Kind = iota
	// Accepted: the vendor took the job, its id is known.
	Accepted
	// Refused: the vendor will never take this job.
	Refused
	// NotNow: the vendor did not take it, and may later.
	NotNow
	// AccountRefused: the key, the credit or the base URL is at fault, not the job.
	AccountRefused
	// Unsent: it provably never left this machine.
	Unsent
)

// String is the kind's name as used in logs.
func (k Kind) String() string {
	switch k {
	case Unknown:
		return "unknown"
	case Accepted:
		return "accepted"
	case Refused:
		return "refused"
	case NotNow:
		return "not_now"
	case AccountRefused:
		return "account_refused"
	case Unsent:
		return "unsent"
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Outcome says what became of one submit.
type Outcome struct {
	Kind Kind
	// Generation is what the vendor said of it, if Accepted.
	Generation Generation
	// Status is the answer's HTTP status, 0 if there was none.
	Status int
	// RetryAfter is how long the vendor asks to wait: 0 if it does not say, a day at most.
	RetryAfter time.Duration
	// Reason is one line for people, empty if Accepted.
	Reason string
	// Err is what went wrong on the way, nil if an answer came whole.
	Err error
}

// Submit sends one job in exactly one POST, and never a second one whatever
// happens: neither itself nor net/http repeats it. The context's deadline
// bounds all of it; a deadline that passes once a byte was written is [Unknown].
// There is no error beside the outcome, because no error may be taken for
// leave to try again.
func (c *Client) Submit(ctx context.Context, key string, s Submission) Outcome {
	if err := checkKey(key); err != nil {
		return Outcome{Kind: AccountRefused, Reason: oneLine(err.Error(), key), Err: err}
	}
	body, err := json.Marshal(s, json.Deterministic(true), jsontext.PreserveRawStrings(true))
	if err != nil {
		err = redact(fmt.Errorf("creativeai: submit: write the job as JSON: %w", err), key)
		return Outcome{Kind: Refused, Reason: oneLine(err.Error(), key), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return Outcome{Kind: Unsent, Reason: "no time was left to send it", Err: err}
	}
	watched, seen := watch(ctx)
	req, err := c.newRequest(watched, http.MethodPost, generationsPath, key, onceOnly(body))
	if err != nil {
		err = redact(fmt.Errorf("creativeai: submit: make the request: %w", err), key)
		return Outcome{Kind: Unsent, Reason: oneLine(err.Error(), key), Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.ContentLength = int64(len(body))

	resp, err := c.post.Do(req)
	if err != nil {
		return failed(redact(fmt.Errorf("creativeai: submit: %w", err), key), seen.unsent(c.ours))
	}
	return c.outcome(read(resp), key)
}

// onceOnly hides what the body is, so that http.NewRequest sets no GetBody: a
// body that can be read again is one that net/http may send again.
func onceOnly(body []byte) io.Reader {
	return struct{ io.Reader }{bytes.NewReader(body)}
}

// failed is the outcome of a POST that got no answer.
func failed(err error, unsent bool) Outcome {
	if unsent {
		return Outcome{Kind: Unsent, Reason: oneLine("not sent: "+err.Error(), ""), Err: err}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Outcome{Reason: "no answer in time; the vendor may have the job", Err: err}
	}
	return Outcome{Reason: oneLine("no answer; the vendor may have the job: "+err.Error(), ""), Err: err}
}
