package creativeai

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

const (
	// connectTimeout bounds dialling and the TLS handshake together. net/http
	// lets them go on when the request that asked for them has ended.
	connectTimeout = 10 * time.Second
	// idleTimeout closes unused connections well before servers commonly do.
	idleTimeout = 15 * time.Second
)

// newTransport returns an HTTP/1.1 transport whose connections count what a
// request wrote. No proxy: the environment must not choose who sees the key.
func newTransport(d *dialer, reuse bool) *http.Transport {
	// Not DisableKeepAlives, which announces it: servers asked for
	// "Connection: close" may hang up on a body that they have not read, and the
	// reset destroys their answer.
	idle := -1
	if reuse {
		idle = 16
	}
	return &http.Transport{
		DialContext:            d.plain,
		DialTLSContext:         d.secure,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

// dialer opens connections that count. It shakes hands itself, so that conn
// lies above TLS: the alert that TLS writes when it closes is no request.
type dialer struct {
	dial dialFunc
	tls  *tls.Config
}

func (d *dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: raw}, nil
}

func (d *dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = host
	secured := tls.Client(raw, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return &conn{Conn: secured}, nil
}

// conn counts the bytes that were handed to the other side.
type conn struct {
	net.Conn

	mu      sync.Mutex
	written int64
	sealed  bool
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Write(p)
	c.written += int64(n)
	return n, err
}

// seal closes the connection for good and returns what was written to it
// before; nothing can be written after.
func (c *conn) seal() int64 {
	// Closing first lets go of a Write that hangs and holds the lock.
	_ = c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
	return c.written
}

// sighting is what a transport reports of one request's connections.
type sighting struct {
	mu sync.Mutex
	// asked is set once the transport looked for a connection.
	asked bool
	// got are the connections that it found, one unless it tried again.
	got []net.Conn
}

// watch returns a context under which a request's connections are seen.
func watch(ctx context.Context) (context.Context, *sighting) {
	s := &sighting{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.asked = true
		},
		GotConn: func(info httptrace.GotConnInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.got = append(s.got, info.Conn)
		},
	}), s
}

// unsent reports whether a request that failed provably never left: a
// connection was asked for and none had, or not one byte was written to any
// that was. It ends those connections. The WroteRequest of httptrace proves
// nothing: it fires when the request is in a buffer.
func (s *sighting) unsent(ours bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, got := range s.got {
		c, counts := got.(*conn)
		if !counts || c.seal() > 0 {
			return false
		}
	}
	return len(s.got) > 0 || s.asked || ours
}
