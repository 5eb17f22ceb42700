package fake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The vendor's page: three attempts, 0, 5 and 30 s after the first; the same status of the same
// generation not twice in 7 days.
const (
	attemptsInAll = 3
	repeatWindow  = 7 * 24 * time.Hour
)

func attemptOffset(number int) time.Duration {
	return []time.Duration{0, 5 * time.Second, 30 * time.Second}[number-1]
}

// Kinds of an Attempt.
const (
	kindVerdict       = "verdict"
	kindDouble        = "double"
	kindContradiction = "contradiction"
	kindForged        = "forged"
	kindResent        = "resent"
)

// ErrSent says that the vendor has sent this status of this generation within 7 days.
var ErrSent = errors.New("already sent within 7 days")

// ErrNoCallback says that there is no callback to send: no such generation, none that has ended,
// or one without a webhook_url.
var ErrNoCallback = errors.New("no callback to send")

// delivery is one callback with its attempts.
type delivery struct {
	g      *generation
	status string
	at     time.Time // completed_at
	kind   string
	sign   string        // how; empty: rightly
	first  time.Time     // of its first attempt
	then   *delivery     // follows when this one is done
	gap    time.Duration // of the clock's time, before then
}

// plan is all that is sent after a verdict.
type plan struct {
	forged  []*delivery
	delay   time.Duration // of the clock's time
	verdict *delivery
	doubles []*delivery
	gap     time.Duration // of the clock's time, between doubles
}

// plan makes the callbacks of a generation that has just ended; nil without a webhook_url. The
// caller holds mu.
func (v *Vendor) plan(g *generation) *plan {
	if g.submission.WebhookURL == "" {
		return nil
	}
	p := &plan{verdict: &delivery{g: g, status: g.status, at: g.completedAt, kind: kindVerdict}}
	for _, f := range v.fireFor(onVerdict, g) {
		switch f.kind {
		case "late":
			p.delay += v.scaled(f.duration("for"))
		case "double":
			p.gap = v.scaled(f.duration("gap"))
			for range f.count("n") - 1 {
				p.doubles = append(p.doubles, &delivery{g: g, status: g.status, at: g.completedAt, kind: kindDouble})
			}
		case "contradict":
			p.verdict.then = &delivery{g: g, status: opposite(g.status), at: g.completedAt, kind: kindContradiction}
			p.verdict.gap = v.scaled(f.duration("gap"))
		case "forged":
			for range f.count("n") {
				p.forged = append(p.forged, &delivery{
					g: g, status: opposite(g.status), at: g.completedAt, kind: kindForged, sign: f.arguments["with"],
				})
			}
		}
	}
	return p
}

// run sends what is planned. Unless it is late, the verdict's first attempt is over when it returns.
func (v *Vendor) run(p *plan) {
	if p == nil {
		return
	}
	for _, d := range p.forged {
		v.post(d, 1)
	}
	for i, d := range p.doubles {
		v.later(p.delay+p.gap*time.Duration(i+1), func() { v.attempt(d, 1) })
	}
	if p.delay > 0 {
		v.later(p.delay, func() { v.attempt(p.verdict, 1) })
		return
	}
	v.attempt(p.verdict, 1)
}

// attempt makes one attempt of a delivery and sees to what comes after it.
func (v *Vendor) attempt(d *delivery, number int) {
	if number == 1 {
		d.first = v.config.Now()
		if !v.claim(d) {
			return
		}
	}
	a := v.post(d, number)
	if (a.Answer < 200 || a.Answer > 299) && number < attemptsInAll {
		due := d.first.Add(v.scaled(attemptOffset(number + 1)))
		v.later(max(0, due.Sub(v.config.Now())), func() { v.attempt(d, number+1) })
		return
	}
	if d.then != nil {
		v.later(d.gap, func() { v.attempt(d.then, 1) })
	}
}

// claim keeps the vendor's rule on repeats; false: this one was sent already.
func (v *Vendor) claim(d *delivery) bool {
	if d.kind == kindDouble {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	sent, found := d.g.sent[d.status]
	if found && d.first.Sub(sent) < v.scaled(repeatWindow) {
		return false
	}
	d.g.sent[d.status] = d.first
	return true
}

// post sends a callback once, with the faults that strike it, and writes it into the ledger.
func (v *Vendor) post(d *delivery, number int) Attempt {
	v.mu.Lock()
	var faults []*fault
	if d.kind != kindForged {
		faults = v.fireFor(onAttempt, d.g)
	}
	message := v.compose(d, faults)
	v.mu.Unlock()
	a := Attempt{
		At: v.config.Now(), GenerationID: d.g.id, Status: d.status, URL: message.url, Kind: d.kind,
		Number: number, Signatures: message.signatures, Faults: texts(faults),
	}
	if has(faults, "lost") {
		a.Error = "lost on purpose"
	} else if status, err := v.send(message, d.g.id); err != nil {
		a.Error = err.Error()
	} else {
		a.Answer = status
	}
	v.mu.Lock()
	v.attempts = append(v.attempts, a)
	v.touch()
	v.mu.Unlock()
	return a
}

// send posts a callback and returns the receiver's status. Redirects are not followed: nothing
// says that the vendor would.
func (v *Vendor) send(m message, id string) (status int, err error) {
	ctx, cancel := context.WithTimeout(v.alive(), v.config.CallbackTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(m.body))
	if err != nil {
		return 0, fmt.Errorf("send callback: %w", err)
	}
	r.Header = http.Header{
		"Content-Type":             {jsonType},
		"User-Agent":               {"CreativeAI-Webhooks/1.0"},
		"X-Creativeai-Event":       {"video.generation.completed"}, // on failure too, says the page
		"X-Creativeai-Delivery-Id": {id},
	}
	if len(m.signatures) > 0 {
		r.Header["X-Creativeai-Signature"] = m.signatures
	}
	response, err := v.config.Callback.RoundTrip(r)
	if err != nil {
		return 0, fmt.Errorf("send callback: %w", err)
	}
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
	return response.StatusCode, response.Body.Close()
}

// Resend is a callback that is asked for by hand.
type Resend struct {
	Status string `json:"status"`    // completed or failed; empty: the generation's own
	Sign   string `json:"signature"` // a choice of callback-signature; empty: right
	Force  bool   `json:"force"`     // whatever was sent before
}

// Resend sends one attempt of a callback now and returns how it went. The error is ErrNoCallback,
// or ErrSent when the vendor's rule on repeats forbids it and Force is not set.
func (v *Vendor) Resend(id string, how Resend) (Attempt, error) {
	d := &delivery{status: how.Status, at: v.config.Now(), kind: kindResent, sign: how.Sign, first: v.config.Now()}
	v.mu.Lock()
	d.g = v.byID[id]
	if d.g == nil || d.g.status == "" && how.Status == "" || d.g.submission.WebhookURL == "" {
		v.mu.Unlock()
		return Attempt{}, fmt.Errorf("resend %q: %w", id, ErrNoCallback)
	}
	if d.status == "" {
		d.status = d.g.status
	}
	if d.g.status != "" {
		d.at = d.g.completedAt
	}
	v.mu.Unlock()
	if !v.claim(d) && !how.Force {
		return Attempt{}, fmt.Errorf("resend %q: %w", id, ErrSent)
	}
	return v.post(d, 1), nil
}
