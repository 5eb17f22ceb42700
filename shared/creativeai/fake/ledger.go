package fake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"time"
)

// Request is a request that reached the vendor's API.
type Request struct {
	At           time.Time `json:"at"`
	Kind         string    `json:"kind"` // submit, get or video
	Method       string    `json:"method"`
	Path         string    `json:"path"`
	Range        string    `json:"range,omitempty"`
	Key          string    `json:"key,omitempty"` // current, previous, unknown or absent
	Prompt       string    `json:"prompt,omitempty"`
	PromptSHA256 string    `json:"prompt_sha256,omitempty"`
	WebhookURL   string    `json:"webhook_url,omitempty"`
	GenerationID string    `json:"generation_id,omitempty"`
	Accepted     bool      `json:"accepted,omitempty"` // a submission that was paid for
	Credits      int64     `json:"credits,omitempty"`
	Faults       []string  `json:"faults,omitempty"` // those that struck
	Answer       int       `json:"answer"`           // the status; 0 while, or because, there is none
}

// Generation is a submission that was accepted, and paid for.
type Generation struct {
	ID           string    `json:"id"`
	Status       string    `json:"status"` // as a GET tells it
	Model        string    `json:"model"`
	ModelActual  string    `json:"model_actual"`
	Prompt       string    `json:"prompt"`
	PromptSHA256 string    `json:"prompt_sha256"`
	WebhookURL   string    `json:"webhook_url,omitempty"`
	OutputURL    string    `json:"output_url,omitempty"` // once completed
	Error        string    `json:"error,omitempty"`      // once failed
	Credits      int64     `json:"credits"`
	FailoverUsed bool      `json:"failover_used"`
	Key          string    `json:"key"` // current or previous, when it was submitted
	AcceptedAt   time.Time `json:"accepted_at"`
	CompletedAt  time.Time `json:"completed_at,omitzero"`
}

// Attempt is a callback that was sent, or lost on purpose.
type Attempt struct {
	At           time.Time `json:"at"`
	GenerationID string    `json:"generation_id"`
	Status       string    `json:"status"`
	URL          string    `json:"url"`
	Kind         string    `json:"kind"` // verdict, double, contradiction, forged or resent
	Number       int       `json:"number"`
	Signatures   []string  `json:"signatures,omitempty"` // as they were sent
	Faults       []string  `json:"faults,omitempty"`
	Answer       int       `json:"answer"`          // the receiver's status; 0: none came
	Error        string    `json:"error,omitempty"` // why none came
}

// Ledger is the vendor's account of everything, each list in the order of events.
type Ledger struct {
	Requests    []Request    `json:"requests"`
	Generations []Generation `json:"generations"`
	Attempts    []Attempt    `json:"attempts"`
}

// PaidTwice returns the generations of each job that has more than one, by the job's webhook_url
// or, where it has none, its prompt.
func (l Ledger) PaidTwice() map[string][]Generation {
	jobs := make(map[string][]Generation)
	for _, g := range l.Generations {
		job := g.WebhookURL
		if job == "" {
			job = g.Prompt
		}
		jobs[job] = append(jobs[job], g)
	}
	for job, list := range jobs {
		if len(list) < 2 {
			delete(jobs, job)
		}
	}
	return jobs
}

// Credits is the sum of what all generations cost.
func (l Ledger) Credits() int64 {
	var sum int64
	for _, g := range l.Generations {
		sum += g.Credits
	}
	return sum
}

// Ledger returns the account as it stands.
func (v *Vendor) Ledger() Ledger {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ledger()
}

func (v *Vendor) ledger() Ledger {
	l := Ledger{
		Requests:    slices.Clone(v.requests),
		Generations: make([]Generation, len(v.generations)),
		Attempts:    slices.Clone(v.attempts),
	}
	now := v.config.Now()
	for i, g := range v.generations {
		l.Generations[i] = g.entry(now)
	}
	return l
}

// Wait returns when the ledger fulfils a condition, which is asked at each change; or with the
// error of ctx. The mere passing of time, from queued to processing, is no change.
func (v *Vendor) Wait(ctx context.Context, fulfilled func(Ledger) bool) error {
	for {
		v.mu.Lock()
		l := v.ledger()
		if v.changed == nil {
			v.changed = make(chan struct{})
		}
		changed := v.changed
		v.mu.Unlock()
		if fulfilled(l) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// touch tells those that wait of a change. The caller holds mu.
func (v *Vendor) touch() {
	if v.changed != nil {
		close(v.changed)
		v.changed = nil
	}
}

// entry is how a generation stands in the ledger.
func (g *generation) entry(now time.Time) Generation {
	e := Generation{
		ID:           g.id,
		Status:       g.progress(now),
		Model:        g.submission.Model,
		ModelActual:  g.modelActual,
		Prompt:       g.submission.Prompt,
		PromptSHA256: digest(g.submission.Prompt),
		WebhookURL:   g.submission.WebhookURL,
		Credits:      g.submission.credits(),
		FailoverUsed: g.failover,
		Key:          g.keyName,
		AcceptedAt:   g.acceptedAt,
		CompletedAt:  g.completedAt,
	}
	outputURL, failure := g.outcome(g.status)
	e.OutputURL, _ = outputURL.(string)
	e.Error, _ = failure.(string)
	return e
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// recorder is a ResponseWriter that writes its request into the ledger.
type recorder struct {
	http.ResponseWriter
	vendor *Vendor
	entry  int
	status int
}

func (v *Vendor) record(w http.ResponseWriter, r *http.Request, kind string) *recorder {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests = append(v.requests, Request{
		At: v.config.Now(), Kind: kind, Method: r.Method, Path: r.URL.RequestURI(), Range: r.Header.Get("Range"),
	})
	v.touch()
	return &recorder{ResponseWriter: w, vendor: v, entry: len(v.requests) - 1}
}

// note changes the request's entry.
func (rec *recorder) note(change func(*Request)) {
	rec.vendor.mu.Lock()
	defer rec.vendor.mu.Unlock()
	change(&rec.vendor.requests[rec.entry])
	rec.vendor.touch()
}

// strike notes the faults that struck.
func (rec *recorder) strike(faults []*fault) {
	if len(faults) > 0 {
		rec.note(func(q *Request) { q.Faults = append(q.Faults, texts(faults)...) })
	}
}

func texts(faults []*fault) []string {
	if len(faults) == 0 {
		return nil
	}
	list := make([]string, len(faults))
	for i, f := range faults {
		list[i] = f.text
	}
	return list
}

// WriteHeader notes the status.
func (rec *recorder) WriteHeader(status int) {
	rec.status = status
	rec.ResponseWriter.WriteHeader(status)
}

// Write is that of the ResponseWriter.
func (rec *recorder) Write(p []byte) (int, error) {
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK)
	}
	return rec.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// finish notes the answer, also of a handler that ends in a panic.
func (rec *recorder) finish() {
	rec.note(func(q *Request) { q.Answer = rec.status })
}
