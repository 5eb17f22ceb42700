package fake

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

// maxSubmission bounds the body of a submission, in bytes.
const maxSubmission = 1 << 20

// submission is the body of a POST, as the vendor's page has it. Fields it does not know are ignored.
type submission struct {
	Model       string `json:"model"`
	Prompt      string `json:"prompt"`
	AspectRatio string `json:"aspect_ratio"`
	Duration    int64  `json:"duration"` // seconds
	Resolution  string `json:"resolution"`
	WebhookURL  string `json:"webhook_url"`
	Failover    bool   `json:"failover"`
}

// defaultDuration is that of the page's examples, in seconds.
const defaultDuration = 5

// refusal is an answer that refuses a request.
type refusal struct {
	status        int
	code, message string
}

func (e *refusal) Error() string { return e.message }

// decodeSubmission reads and checks a body; its error is always a *refusal.
func decodeSubmission(body []byte) (submission, []*fault, error) {
	s := submission{Model: "auto", AspectRatio: "16:9", Duration: defaultDuration, Resolution: "1080p"}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, nil, &refusal{http.StatusBadRequest, "invalid_json", "the body is no JSON object that fits: " + err.Error()}
	}
	unprocessable := func(format string, a ...any) error {
		return &refusal{http.StatusUnprocessableEntity, "invalid_request", fmt.Sprintf(format, a...)}
	}
	switch {
	case strings.TrimSpace(s.Prompt) == "":
		return s, nil, unprocessable("prompt is missing")
	case s.Duration < 1 || s.Duration > 60:
		return s, nil, unprocessable("duration is %d: it must be from 1 to 60 seconds", s.Duration)
	}
	if s.WebhookURL != "" {
		u, err := url.Parse(s.WebhookURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return s, nil, unprocessable("webhook_url %q is no http or https URL", s.WebhookURL)
		}
	}
	faults, err := parsePrompt(s.Prompt)
	if err != nil {
		return s, nil, &refusal{http.StatusBadRequest, "fault_not_understood", err.Error()}
	}
	return s, faults, nil
}

// asRefusal returns the refusal in an error of decodeSubmission.
func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return &refusal{http.StatusInternalServerError, "internal", err.Error()}
}

// credits is the price of a generation: a whole number for each second.
func (s submission) credits() int64 {
	perSecond := int64(10)
	switch s.Resolution {
	case "480p":
		perSecond = 2
	case "720p":
		perSecond = 5
	case "2160p", "4k":
		perSecond = 40
	}
	return perSecond * s.Duration
}
