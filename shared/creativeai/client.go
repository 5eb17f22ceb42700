// Package creativeai is the client of the CreativeAI video API: submit a
// generation, ask for it, verify and read its callbacks.
//
// Its one concern is money. The vendor knows no idempotency key and no way to
// ask about a submit whose answer was lost, so [Client.Submit] sends exactly
// one POST and says what became of it; only [NotNow], [AccountRefused] and
// [Unsent] mean that another one cannot be paid for twice.
//
// No error, reason or String of this package holds the API key.
package creativeai

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	generationsPath = "/v1/video/generations"
	// maxBody bounds an answer or callback: a prompt of 32 KB, escaped, and room.
	maxBody = 256 << 10
	// maxID is the longest generation id that is usable, in bytes.
	maxID = 1 << 10
)

// Client talks to one vendor. It is safe for concurrent use, follows no
// redirect, keeps no cookies, uses no proxy and speaks HTTP/1.1. It sets no
// time limit on a request beyond ten seconds to connect: the context does.
type Client struct {
	base      string
	userAgent string
	now       func() time.Time
	// post never reuses a connection: on one that the other side has closed
	// meanwhile nobody can tell whether a request arrived.
	post *http.Client
	get  *http.Client
	// ours is set if both transports are this package's own, so that their
	// word on what was dialled and written can be trusted.
	ours bool
}

// Option changes a setting of [New].
type Option func(*settings)

type settings struct {
	version   string
	now       func() time.Time
	transport http.RoundTripper
	dialer    dialer
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// WithVersion sets the version in the User-Agent, clipqueue/<version>.
func WithVersion(version string) Option { return func(s *settings) { s.version = version } }

// WithClock sets the clock that reads a Retry-After date in an answer without
// a Date header of its own. Without it such a date counts as not said.
func WithClock(now func() time.Time) Option { return func(s *settings) { s.now = now } }

// WithTransport replaces the HTTP transport. A request that fails in it is
// [Unsent] only if the transport reports to [net/http/httptrace] that it asked
// for a connection (GetConn) and got none (GotConn); otherwise it is [Unknown].
func WithTransport(rt http.RoundTripper) Option { return func(s *settings) { s.transport = rt } }

// WithDialer replaces how connections are opened, TLS not included.
func WithDialer(dial func(ctx context.Context, network, address string) (net.Conn, error)) Option {
	return func(s *settings) { s.dialer.dial = dial }
}

// New returns a client for the API at baseURL, an absolute http or https URL
// that may have a path, but no user, query or fragment.
func New(baseURL string, options ...Option) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, errors.New("creativeai: the base URL cannot be parsed: want https://host")
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("creativeai: base URL %q: want an absolute http or https URL", u.Redacted())
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("creativeai: base URL %q: want no user, query or fragment", u.Redacted())
	}
	s := settings{version: "dev", dialer: dialer{
		dial: new(net.Dialer).DialContext,
		tls:  &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(4)},
	}}
	for _, option := range options {
		option(&s)
	}
	c := &Client{
		base:      strings.TrimRight(u.String(), "/"),
		userAgent: "clipqueue/" + s.version,
		now:       s.now,
		ours:      s.transport == nil,
	}
	if c.ours {
		c.post, c.get = newHTTPClient(newTransport(&s.dialer, false)), newHTTPClient(newTransport(&s.dialer, true))
	} else {
		c.post = newHTTPClient(s.transport)
		c.get = c.post
	}
	return c, nil
}

func newHTTPClient(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: rt,
		// A redirect is an answer like any other: the key goes to no other host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newRequest makes a request to path, which is already escaped.
func (c *Client) newRequest(ctx context.Context, method, path, key string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	return req, nil
}

// answer is a response whose body was read, as far as it came.
type answer struct {
	status int
	header http.Header
	body   []byte
	// cut says why the body is not whole, or is nil.
	cut error
}

// read takes the whole response, at most maxBody of it, and closes it.
func read(resp *http.Response) answer {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	_ = resp.Body.Close()
	if err == nil && len(body) > maxBody {
		body, err = body[:maxBody], fmt.Errorf("the body is longer than %d bytes", maxBody)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: body, cut: err}
}

// ErrKey means that the key cannot be sent: it is empty, or has a character
// that no API key has, such as a space or a line break.
var ErrKey = errors.New("creativeai: the API key is empty or has a character that cannot be in one: put it again")

func checkKey(key string) error {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return ErrKey
		}
	}
	if key == "" {
		return ErrKey
	}
	return nil
}
