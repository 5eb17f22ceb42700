package creativeai

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// outcome reads the answer to a submit. Whatever is not known to mean that the
// vendor has no job is Unknown.
func (c *Client) outcome(a answer, key string) Outcome {
	said, own := vendorError(a)
	wait, waitSaid := retryAfter(a.header, c.now)
	o := Outcome{Status: a.status, RetryAfter: wait, Reason: oneLine(describe(a.status, said), key)}
	switch {
	case a.status >= 200 && a.status <= 299:
		return accepted(a, key)
	case a.status >= 300 && a.status <= 399:
		o.Reason = fmt.Sprintf("the vendor answered %d, a redirect, which is not followed; check the base URL", a.status)
		return o
	case a.status == http.StatusTooManyRequests,
		a.status == http.StatusServiceUnavailable && (waitSaid || own):
		o.Kind = NotNow
	case accountStatus(a.status),
		wrongPlace(a.status) && !own:
		o.Kind = AccountRefused
	case a.status == http.StatusRequestTimeout,
		a.status == http.StatusConflict,
		a.status == http.StatusTooEarly:
		o.Kind = Unknown
	case a.status >= 400 && a.status <= 499:
		o.Kind = Refused
	}
	if a.cut != nil {
		o.Err = redact(fmt.Errorf("creativeai: submit: read the answer: %w", a.cut), key)
	}
	return o
}

// accepted reads a 2xx: without a whole body that names the generation nobody
// knows what the vendor did.
func accepted(a answer, key string) Outcome {
	unknown := func(err error) Outcome {
		err = redact(fmt.Errorf("creativeai: submit: read the answer: %w", err), key)
		return Outcome{
			Status: a.status, Err: err,
			Reason: oneLine(fmt.Sprintf("the vendor answered %d, but no generation can be read from it: %v", a.status, err), key),
		}
	}
	if a.cut != nil {
		return unknown(a.cut)
	}
	g, err := parse(a.body)
	if err != nil {
		return unknown(err)
	}
	if !usableID(g.ID) {
		return unknown(fmt.Errorf("%w: id must be a string of 1 to %d bytes", ErrShape, maxID))
	}
	return Outcome{Kind: Accepted, Generation: g, Status: a.status}
}

// accountStatus tells the statuses that mean the key or the credit behind it.
func accountStatus(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusPaymentRequired || status == http.StatusForbidden
}

// wrongPlace tells the statuses that a server gives for a path it does not know.
func wrongPlace(status int) bool {
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed
}

// vendorError finds an error's text in an answer that is a JSON object, and
// tells whether the vendor's own API wrote it rather than a proxy before it or
// a router at a wrong address.
//
// The vendor documents only "error" and "error_message", in results; what other
// APIs say under "errors", "message" or "detail" is taken too. But gateways and
// routers use these as well, with a text that says no more than the status does
// ("Service Unavailable"): such a text under an undocumented name is not the
// vendor's. On 404 and 405 only a documented name counts, and only with more
// than the status to say, since a wrong base URL must not refuse every job.
func vendorError(a answer) (said string, own bool) {
	if a.cut != nil {
		return "", false
	}
	members, err := object(a.body)
	if err != nil {
		return "", false
	}
	for _, name := range []string{"error_message", "error", "errors", "message", "detail"} {
		said := errorText(members[name])
		if said == "" {
			continue
		}
		documented := name == "error" || name == "error_message"
		bare := strings.EqualFold(strings.Trim(said, " .!"), http.StatusText(a.status))
		if wrongPlace(a.status) {
			return said, documented && !bare
		}
		return said, documented || !bare
	}
	return "", false
}

func describe(status int, said string) string {
	if said == "" {
		return strings.TrimSpace(fmt.Sprintf("the vendor answered %d %s", status, http.StatusText(status)))
	}
	return fmt.Sprintf("the vendor answered %d: %s", status, said)
}

const (
	maxReason = 300
	hidden    = "[API key]"
)

// oneLine makes text from outside fit for a log or an event: no key, no
// control characters, 300 characters at most.
func oneLine(s, key string) string {
	if key != "" {
		s = strings.ReplaceAll(s, key, hidden)
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(s); len(runes) > maxReason {
		s = string(runes[:maxReason-1]) + "…"
	}
	return s
}

// redact returns err, or its text alone and without the key if that holds it.
func redact(err error, key string) error {
	if text := err.Error(); key != "" && strings.Contains(text, key) {
		return errors.New(strings.ReplaceAll(text, key, hidden))
	}
	return err
}
