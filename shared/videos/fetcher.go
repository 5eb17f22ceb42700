package videos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Settings of a [Fetcher].
type Settings struct {
	// MaxBytes is the size of the largest video that is taken.
	MaxBytes int64
	// TrustedOrigin (scheme://host:port) is exempt from https, port and address
	// rules. It must be on this machine, and is for local runs only; empty is none.
	TrustedOrigin string
	// Version is said to servers, in the user agent.
	Version string
	// Now measures how fast a server sends.
	Now func() time.Time
}

// limits bound what a server can make us wait for; see [standard].
type limits struct {
	dial, handshake, header time.Duration
	// idle is how long one read may take, and window how long it is until reads
	// must have brought windowBytes. Only the time spent waiting for the server counts.
	idle, window time.Duration
	windowBytes  int64
	headerBytes  int64
	redirects    int
	// resumes is how often a broken download is gone on with, pause the first wait before it.
	resumes int
	pause   time.Duration
}

func standard() limits {
	return limits{
		dial: 10 * time.Second, handshake: 10 * time.Second, header: 30 * time.Second,
		idle: 30 * time.Second, window: 30 * time.Second, windowBytes: 480 << 10,
		headerBytes: 64 << 10, redirects: 5, resumes: 5, pause: time.Second,
	}
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

// Fetcher downloads videos. It may be used by many at once.
type Fetcher struct {
	settings Settings
	limits   limits
	guarded  *http.Transport
	trusted  *http.Transport
	origin   origin
}

// NewFetcher checks its settings.
func NewFetcher(s Settings) (*Fetcher, error) {
	l := standard()
	return newFetcher(s, l, (&net.Dialer{Timeout: l.dial, Control: publicOnly()}).DialContext)
}

func newFetcher(s Settings, l limits, guarded dial) (*Fetcher, error) {
	if s.MaxBytes <= 0 || s.Now == nil {
		return nil, errors.New("videos: a size limit and a clock are needed")
	}
	trusted, err := parseTrusted(s.TrustedOrigin)
	if err != nil {
		return nil, fmt.Errorf("videos: %w", err)
	}
	return &Fetcher{
		settings: s, limits: l, origin: trusted,
		guarded: transport(l, guarded), trusted: transport(l, (&net.Dialer{Timeout: l.dial}).DialContext),
	}, nil
}

// transport asks no proxy and keeps no connection: a frozen function would find
// it dead. HTTP/1.1 only: every server of files speaks it, and
// one stream is fastest over it.
func transport(l limits, d dial) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: d, TLSHandshakeTimeout: l.handshake, ResponseHeaderTimeout: l.header,
		MaxResponseHeaderBytes: l.headerBytes, DisableKeepAlives: true,
		Protocols: &protocols, ReadBufferSize: 64 << 10,
	}
}

// Fetch opens a video for reading: it has a type of video, by what its server
// says and by its first bytes, and is not announced as too large. The context
// bounds the whole download. Errors, also those of reading, are a [*Problem].
// The caller closes the video.
func (f *Fetcher) Fetch(ctx context.Context, link string) (*Video, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, problem(BadURL, Final, "the link is not a URL")
	}
	first, err := f.connect(ctx, u, 0, "")
	if err != nil {
		return nil, err
	}
	v := &Video{Size: first.size, source: &source{
		stream: first, size: first.size, most: f.settings.MaxBytes, etag: first.etag, resumes: f.limits.resumes,
		reopen: func(offset int64) (*stream, error) { return f.connect(ctx, u, offset, first.etag) },
		wait:   func(tried int) error { return f.wait(ctx, f.limits.pause<<tried) },
	}}
	if err := v.inspect(); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// wait sleeps, unless the context ends first.
func (f *Fetcher) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return problemOf(ctx.Err())
	}
}

// open follows redirects, and judges each hop by itself. Nothing of one hop is
// told to the next: no cookie, no referer.
func (f *Fetcher) open(ctx context.Context, at *url.URL, header http.Header) (*http.Response, error) {
	for hops := 0; ; hops++ {
		way, err := f.wayTo(at)
		if err != nil {
			return nil, err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return nil, problem(BadURL, Final, "the link cannot be asked for")
		}
		request.Header = header
		response, err := way.RoundTrip(request)
		if err != nil {
			return nil, problemOf(err)
		}
		next, err := redirect(response)
		if next == nil && err == nil {
			return response, nil
		}
		_ = response.Body.Close() // only the header was wanted
		if err != nil {
			return nil, err
		}
		if hops == f.limits.redirects {
			return nil, problem(TooManyRedirects, Final, "the link was redirected more than %d times", f.limits.redirects)
		}
		at = next
	}
}

// wayTo is the transport for a URL, or what is wrong with it.
func (f *Fetcher) wayTo(u *url.URL) (*http.Transport, error) {
	if f.origin != (origin{}) && originOf(u) == f.origin && u.User == nil {
		return f.trusted, nil
	}
	return f.guarded, checkURL(u)
}

// redirect is where a response leads on to; nil when it does not.
func redirect(r *http.Response) (*url.URL, error) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil //nolint:nilnil // no redirect is no error
	}
	next, err := r.Location()
	if errors.Is(err, http.ErrNoLocation) {
		return nil, nil //nolint:nilnil // it is judged by its status
	}
	if err != nil {
		return nil, problem(BadURL, Final, "the link was redirected to something that is no URL")
	}
	return next, nil
}
