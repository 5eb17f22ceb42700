// Package env is the contract between the stack and the functions: the names
// of the environment variables, and the one place that reads them.
//
// A function reads everything it needs before its first event, so that a
// missing variable fails the start and names itself, not the first job.
package env

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Names of the variables. Durations are in Go's notation ("90s", "5m", "168h").
const (
	// TableName is the DynamoDB table of jobs.
	TableName = "TABLE_NAME"
	// JobQueueURL is the SQS queue that prompts arrive on.
	JobQueueURL = "JOB_QUEUE_URL"
	// APIKeySecretID is the Secrets Manager secret that holds the vendor's key.
	APIKeySecretID = "API_KEY_SECRET_ID" //nolint:gosec // the name of a variable, not a secret
	// CreativeAIURL is the vendor's base URL, without a trailing slash.
	CreativeAIURL = "CREATIVEAI_URL"
	// WebhookURL is where callbacks arrive; job id and token are appended.
	WebhookURL = "WEBHOOK_URL"
	// PollStateMachineARN is the Express workflow that polls one generation.
	PollStateMachineARN = "POLL_STATE_MACHINE_ARN"
	// EventBusName is the EventBridge bus that events are put on.
	EventBusName = "EVENT_BUS_NAME"
	// PoisonQueueURL takes stream records that publish cannot turn into events.
	PoisonQueueURL = "POISON_QUEUE_URL"
	// DefaultDelivery is "webhook" or "poll", for messages that do not say.
	DefaultDelivery = "DEFAULT_DELIVERY"
	// MaxConcurrency is how many submit functions run at once at most.
	MaxConcurrency = "MAX_CONCURRENCY"
	// SubmitsPerMinute bounds the POSTs of all submit functions together; 0 is no bound.
	SubmitsPerMinute = "SUBMITS_PER_MINUTE"
	// SubmitTimeout bounds one POST to the vendor.
	SubmitTimeout = "SUBMIT_TIMEOUT"
	// ClaimFor is how long a claim protects its POST.
	ClaimFor = "CLAIM_FOR"
	// FirstLookAfter is how long after its claim a job is first looked at by reconcile.
	FirstLookAfter = "FIRST_LOOK_AFTER"
	// QueuedFor is how long a job may stay queued before it expires.
	QueuedFor = "QUEUED_FOR"
	// UnconfirmedFor is how long after its POST an unconfirmed job expires.
	UnconfirmedFor = "UNCONFIRMED_FOR"
	// ProcessingFor is how long after its acceptance a job expires.
	ProcessingFor = "PROCESSING_FOR"
	// RecordFor is how long a job's record is kept; at least 45 days.
	RecordFor = "RECORD_FOR"
	// PollEvery is the wait between two polls of a young generation.
	PollEvery = "POLL_EVERY"
	// PollSlowAfter is the age of a loop from which it polls slower.
	PollSlowAfter = "POLL_SLOW_AFTER"
	// PollSlowEvery is the wait between two polls from then on.
	PollSlowEvery = "POLL_SLOW_EVERY"
	// PollHandOverAfter is the age at which a loop ends itself and leaves the job to reconcile.
	PollHandOverAfter = "POLL_HAND_OVER_AFTER"
	// ArchiveEnabled is "true" when finished videos are copied to the bucket.
	ArchiveEnabled = "ARCHIVE_ENABLED"
	// ArchiveBucket is the S3 bucket of finished videos.
	ArchiveBucket = "ARCHIVE_BUCKET"
	// ArchiveQueueURL is the queue that archive is fed from.
	ArchiveQueueURL = "ARCHIVE_QUEUE_URL"
	// ArchiveMaxBytes is the size of the largest video that is archived.
	ArchiveMaxBytes = "ARCHIVE_MAX_BYTES"
	// ArchiveTimeout bounds one attempt at a download.
	ArchiveTimeout = "ARCHIVE_TIMEOUT"
	// ArchiveTrustedOrigin is one origin (scheme://host:port) exempt from the
	// download rules; it is set for local runs only.
	ArchiveTrustedOrigin = "ARCHIVE_TRUSTED_ORIGIN"
	// ArchiveURLFor is how long a presigned URL in the archived event lives; 0 is none.
	ArchiveURLFor = "ARCHIVE_URL_FOR"
	// LogLevel is DEBUG, INFO, WARN or ERROR; INFO when unset.
	LogLevel = "LOG_LEVEL"
	// Version is the release stamped into logs and the user agent.
	Version = "CLIPQUEUE_VERSION"
	// Stage tells several copies in one account apart.
	Stage = "STAGE"
)

// Reader reads variables and remembers every one that was missing or wrong.
type Reader struct {
	lookup func(string) (string, bool)
	errs   []error
}

// NewReader takes os.LookupEnv, or a map's lookup in tests.
func NewReader(lookup func(string) (string, bool)) *Reader { return &Reader{lookup: lookup} }

// Process reads the process's own environment.
func Process() *Reader { return NewReader(os.LookupEnv) }

// Err is nil, or names every variable that was missing or wrong.
func (r *Reader) Err() error {
	if len(r.errs) == 0 {
		return nil
	}
	return fmt.Errorf("environment of the function: %w", errors.Join(r.errs...))
}

// String is a required, non-empty variable.
func (r *Reader) String(name string) string {
	v, ok := r.lookup(name)
	if !ok || v == "" {
		r.errs = append(r.errs, fmt.Errorf("%s is not set", name))
	}
	return v
}

// Optional is a variable that may be absent.
func (r *Reader) Optional(name, fallback string) string {
	if v, ok := r.lookup(name); ok && v != "" {
		return v
	}
	return fallback
}

// URL is a required absolute http or https URL without a trailing slash.
func (r *Reader) URL(name string) string {
	v := r.String(name)
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		r.wrong(name, v, "an absolute http or https URL")
	}
	for v != "" && v[len(v)-1] == '/' {
		v = v[:len(v)-1]
	}
	return v
}

// Duration is a required duration in Go's notation, not negative.
func (r *Reader) Duration(name string) time.Duration {
	v := r.String(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		r.wrong(name, v, `a duration such as "90s"`)
	}
	return d
}

// Int is a required whole number, not negative.
func (r *Reader) Int(name string) int64 {
	v := r.String(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		r.wrong(name, v, "a whole number, 0 or more")
	}
	return n
}

// Bool is a required "true" or "false".
func (r *Reader) Bool(name string) bool {
	v := r.String(name)
	if v != "" && v != "true" && v != "false" {
		r.wrong(name, v, `"true" or "false"`)
	}
	return v == "true"
}

// Level is the optional log level, INFO when unset.
func (r *Reader) Level() slog.Level {
	var level slog.Level
	v := r.Optional(LogLevel, "INFO")
	if err := level.UnmarshalText([]byte(v)); err != nil {
		r.wrong(LogLevel, v, "DEBUG, INFO, WARN or ERROR")
	}
	return level
}

func (r *Reader) wrong(name, value, want string) {
	r.errs = append(r.errs, fmt.Errorf("%s is %q: want %s", name, value, want))
}
