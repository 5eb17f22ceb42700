package creativeai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var (
	// ErrNotFound means that the vendor does not know the generation, or not yet.
	ErrNotFound = errors.New("creativeai: generation not found")
	// ErrAccountRefused means that the key or the credit is at fault: 401, 402, 403.
	ErrAccountRefused = errors.New("creativeai: the account was refused: check the API key and the credit")
)

// StatusError is an answer to a Get other than 2xx. errors.Is finds
// [ErrNotFound] and [ErrAccountRefused] in it.
type StatusError struct {
	Status int
	// RetryAfter is how long the vendor asks to wait: 0 if it does not say, a day at most.
	RetryAfter time.Duration
	// Reason is one line for people.
	Reason string
}

func (e *StatusError) Error() string { return "creativeai: " + e.Reason }

// Is makes the statuses that callers tell apart match their sentinels.
func (e *StatusError) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrAccountRefused:
		return accountStatus(e.Status)
	}
	return false
}

// Get asks for one generation. An answer that names no id is taken for the
// generation asked for, one that names another is [ErrShape].
//
// Every error but [ErrAccountRefused] means: wait and ask again. It is a
// *[StatusError] for an answer other than 2xx, [ErrShape] for a 2xx that cannot
// be read, the context's, or the network's; net/http may have repeated the GET.
func (c *Client) Get(ctx context.Context, key, id string) (Generation, error) {
	g, err := c.getGeneration(ctx, key, id)
	if err != nil {
		return Generation{}, redact(fmt.Errorf("get generation %q: %w", id, err), key)
	}
	return g, nil
}

func (c *Client) getGeneration(ctx context.Context, key, id string) (Generation, error) {
	if !usableID(id) {
		return Generation{}, fmt.Errorf("%w: id must be a string of 1 to %d bytes", ErrShape, maxID)
	}
	if err := checkKey(key); err != nil {
		return Generation{}, fmt.Errorf("%w: %w", ErrAccountRefused, err)
	}
	req, err := c.newRequest(ctx, http.MethodGet, generationsPath+"/"+escapeID(id), key, nil)
	if err != nil {
		return Generation{}, err
	}
	resp, err := c.get.Do(req)
	if err != nil {
		return Generation{}, err
	}
	a := read(resp)
	if a.status < 200 || a.status > 299 {
		said, _ := vendorError(a)
		wait, _ := retryAfter(a.header, c.now)
		return Generation{}, &StatusError{Status: a.status, RetryAfter: wait, Reason: oneLine(describe(a.status, said), key)}
	}
	if a.cut != nil {
		return Generation{}, fmt.Errorf("read the answer: %w", a.cut)
	}
	return parseAnswer(a.body, id)
}

func parseAnswer(body []byte, id string) (Generation, error) {
	g, err := parse(body)
	switch {
	case err != nil:
		return Generation{}, err
	case g.Status == "":
		return Generation{}, fmt.Errorf("%w: status must be a string that is not empty", ErrShape)
	case g.ID != "" && g.ID != id:
		return Generation{}, fmt.Errorf("%w: the answer is about another one, %q", ErrShape, oneLine(g.ID, ""))
	}
	g.ID = id
	return g, nil
}

// escapeID makes an id one segment of a path, the dots included that a server
// would take for a way up.
func escapeID(id string) string {
	if id == "." || id == ".." {
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}
