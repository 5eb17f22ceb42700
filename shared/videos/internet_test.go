package videos_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/videos"
)

// link is the video that most tests ask for.
const link = "https://cdn.example.com/v.mp4?signature=secret"

// internet is a small one in memory: names resolve to addresses, one after the
// other with each look-up, and behind every public address is the same handler.
// Dialling goes through the product's own check of the address, and TLS is real.
type internet struct {
	t         testing.TB
	authority authority
	handler   http.Handler
	// raw, if set, speaks to the client instead of the handler, once the request is read.
	raw func(w *bufio.ReadWriter, r *http.Request)

	mu       sync.Mutex
	names    map[string][]string
	dialled  []string
	requests []*http.Request
}

// public is an address that no rule is against.
const public = "93.184.216.34"

func newInternet(tb testing.TB, handler http.HandlerFunc) *internet {
	tb.Helper()
	return &internet{t: tb, authority: newAuthority(tb), handler: handler, names: map[string][]string{
		"cdn.example.com": {public}, "www.example.com": {"2606:2800:220:1::1"},
	}}
}

func (n *internet) fetcher(change ...func(*videos.Settings)) *videos.Fetcher {
	n.t.Helper()
	s := videos.Settings{MaxBytes: 1 << 30, Version: "test", Now: time.Now}
	for _, c := range change {
		c(&s)
	}
	f, err := videos.NewTestFetcher(s, n.dial, n.authority.roots)
	if err != nil {
		n.t.Fatal(err)
	}
	return f
}

func (n *internet) dial(_ context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.dialled = append(n.dialled, address)
	answers := n.names[host]
	if len(answers) > 1 {
		n.names[host] = answers[1:]
	}
	n.mu.Unlock()
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	network := "tcp4"
	if net.ParseIP(answers[0]).To4() == nil {
		network = "tcp6"
	}
	if err := videos.PublicOnly()(network, net.JoinHostPort(answers[0], port), nil); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	client, server := net.Pipe()
	go n.serve(server)
	return client, nil
}

// serve answers one request on a connection, and ends it.
func (n *internet) serve(conn net.Conn) {
	secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{n.authority.own}, MinVersion: tls.VersionTLS12})
	if n.raw == nil {
		(&http.Server{Handler: n.recorded(), ErrorLog: log.New(io.Discard, "", 0)}).Serve(&once{conn: secure}) //nolint:errcheck // ends with errDone
		return
	}
	defer secure.Close() //nolint:errcheck // the test looks at the client
	w := bufio.NewReadWriter(bufio.NewReader(secure), bufio.NewWriter(secure))
	if r, err := http.ReadRequest(w.Reader); err == nil {
		n.note(r)
		n.raw(w, r)
		w.Flush() //nolint:errcheck // the test looks at the client
	}
}

func (n *internet) recorded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.note(r)
		n.handler.ServeHTTP(w, r)
	})
}

func (n *internet) note(r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests = append(n.requests, r)
}

func (n *internet) seen() []*http.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests
}

// once is a listener for one connection.
type once struct{ conn net.Conn }

var errDone = errors.New("no further connection")

func (o *once) Accept() (net.Conn, error) {
	c := o.conn
	if o.conn = nil; c == nil {
		return nil, errDone
	}
	return c, nil
}
func (*once) Close() error   { return nil }
func (*once) Addr() net.Addr { return &net.TCPAddr{} }

// authority is a certificate for every name in the small internet, valid at all
// times of synctest's clock, and the pool that trusts it.
type authority struct {
	own   tls.Certificate
	roots *x509.CertPool
}

func newAuthority(tb testing.TB) authority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"*.example.com"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	a := authority{own: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots: x509.NewCertPool()}
	a.roots.AddCert(parsed)
	return a
}

// goodbyes lets virtual time go on when a test in it is over: both ends of a TLS
// connection over a pipe wait up to 5 s with saying goodbye.
func goodbyes() { time.Sleep(time.Minute) }

// drain fetches a video and reads all of it.
func drain(ctx context.Context, f *videos.Fetcher, link string) (*videos.Video, []byte, error) {
	v, err := f.Fetch(ctx, link)
	if err != nil {
		return nil, nil, err
	}
	defer v.Close()
	body, err := io.ReadAll(v)
	return v, body, err
}

// wantProblem checks what kind of problem an error is.
func wantProblem(t *testing.T, err error, code videos.Code, outlook videos.Outlook) (message string) {
	t.Helper()
	var p *videos.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem %q", err, code)
	}
	if p.Code != code || p.Outlook != outlook || p.Message == "" {
		t.Fatalf("got %q, outlook %d (%s), want %q, outlook %d", p.Code, p.Outlook, p.Message, code, outlook)
	}
	return p.Message
}

// mp4 is a playable video; long is the same with so many bytes.
func mp4() []byte { return fake.SmallVideo() }

func long(tb testing.TB, size int64) []byte {
	tb.Helper()
	c, err := fake.NewContent(mp4(), size, 0)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(c)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// serve answers with a body as a file server does, ranges included.
func serve(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}
