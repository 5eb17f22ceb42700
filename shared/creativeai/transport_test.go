package creativeai_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

// listen hands each connection to its script in turn, and returns the base URL
// and how many connections came.
func listen(t *testing.T, scripts ...func(net.Conn)) (string, *atomic.Int32) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var count atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(count.Add(1)) - 1
			go scripts[min(n, len(scripts)-1)](c)
		}
	}()
	return "http://" + l.Addr().String(), &count
}

// reset ends a TCP connection with RST instead of FIN.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// readRequest reads one whole request.
func readRequest(c net.Conn) bool {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}

func answerWith(text string, then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		if readRequest(c) {
			_, _ = io.WriteString(c, text)
		}
		then(c)
	}
}

func closed(c net.Conn) { _ = c.Close() }

const accepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 14\r\n\r\n{\"id\":\"gen_1\"}"

func wantKind(t *testing.T, got creativeai.Outcome, want creativeai.Kind) {
	t.Helper()
	if got.Kind != want {
		t.Errorf("%v (reason %q, error %v), want %v", got.Kind, got.Reason, got.Err, want)
	}
	if want != creativeai.Accepted && (got.Err == nil || got.Reason == "") {
		t.Errorf("%v without an error or a reason: %+v", want, got)
	}
}

func TestUnsentWhenRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	wantKind(t, newClient(t, server.URL).Submit(t.Context(), key, job()), creativeai.Unsent)
}

func TestUnsentWhenDNSFails(t *testing.T) {
	t.Parallel()
	d := net.Dialer{Resolver: &net.Resolver{
		PreferGo: true,
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no name server") },
	}}
	c := newClient(t, "https://api.example.com", creativeai.WithDialer(d.DialContext))
	got := c.Submit(t.Context(), key, job())
	wantKind(t, got, creativeai.Unsent)
	if _, ok := errors.AsType[*net.DNSError](got.Err); !ok {
		t.Errorf("error %v, want a DNS error", got.Err)
	}
}

func TestUnsentWhenTLSFails(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	got := newClient(t, server.URL).Submit(t.Context(), key, job())
	wantKind(t, got, creativeai.Unsent)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](got.Err); !ok {
		t.Errorf("error %v, want one of the certificate", got.Err)
	}

	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	wantKind(t, newClient(t, "https"+plain.URL[len("http"):]).Submit(t.Context(), key, job()), creativeai.Unsent)

	url, _ := listen(t, reset)
	wantKind(t, newClient(t, "https"+url[len("http"):]).Submit(t.Context(), key, job()), creativeai.Unsent)
}

func TestUnsentWhenContextHasEnded(t *testing.T) {
	t.Parallel()
	v := serve(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, newClient(t, v.URL).Submit(ctx, key, job()), creativeai.Unsent)
	if n := v.requests.Load(); n != 0 {
		t.Errorf("the vendor saw %d requests", n)
	}
}

// The dialer hands the connection over only once the other side's reset has
// arrived, so that the first write fails.
func TestUnsentWhenResetBeforeAnyByte(t *testing.T) {
	t.Parallel()
	url, count := listen(t, reset)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			_, _ = c.Read(make([]byte, 1)) // returns when the reset is here
		}
		return c, err
	}
	wantKind(t, newClient(t, url, creativeai.WithDialer(dial)).Submit(t.Context(), key, job()), creativeai.Unsent)
	if n := count.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestUnknownWhenResetOneByteLater(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(net.Conn){"reset": reset, "closed": closed} {
		url, count := listen(t, func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 1))
			end(c)
		})
		wantKind(t, newClient(t, url).Submit(t.Context(), key, job()), creativeai.Unknown)
		if n := count.Load(); n != 1 {
			t.Errorf("%s: %d connections, want 1", name, n)
		}
	}
}

func TestUnknownWhenTheAnswerIsCut(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":        "",
		"half a header":  "HTTP/1.1 202 Acc",
		"half a body":    "HTTP/1.1 202 Accepted\r\nContent-Length: 14\r\n\r\n{\"id\":\"gen",
		"no last chunk":  "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n{\"id\":\"gen_1\"}\r\n",
		"not HTTP":       "SSH-2.0-OpenSSH_9.6\r\n",
		"header endless": "HTTP/1.1 202 Accepted\r\nX: " + string(make([]byte, 100<<10)),
	} {
		for _, end := range []func(net.Conn){closed, reset} {
			url, count := listen(t, answerWith(text, end))
			got := newClient(t, url).Submit(t.Context(), key, job())
			wantKind(t, got, creativeai.Unknown)
			if n := count.Load(); n != 1 {
				t.Errorf("%s: %d connections, want 1", name, n)
			}
		}
	}
}

// resetNextRequest answers one request, offers to keep the connection, and
// resets it at the first byte of the next request: a kept-alive connection that
// died without the client's hearing of it.
func resetNextRequest(c net.Conn) {
	answerWith(accepted, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 1))
		reset(c)
	})(c)
}

// On such a connection nobody could tell what became of a second POST.
func TestSubmitUsesEachConnectionOnce(t *testing.T) {
	t.Parallel()
	url, count := listen(t, resetNextRequest, answerWith(accepted, closed))
	c := newClient(t, url)
	wantKind(t, c.Submit(t.Context(), key, job()), creativeai.Accepted)
	wantKind(t, c.Submit(t.Context(), key, job()), creativeai.Accepted)
	if n := count.Load(); n != 2 {
		t.Errorf("%d connections for 2 submits", n)
	}
}

// A transport that was brought along may reuse a dead connection. Whatever it
// does then, the POST must not be repeated, nor be called unsent without proof.
func TestDeadKeptAliveConnectionOfAForeignTransport(t *testing.T) {
	t.Parallel()
	url, count := listen(t, resetNextRequest, answerWith(accepted, closed))
	c := newClient(t, url, creativeai.WithTransport(&http.Transport{}))
	wantKind(t, c.Submit(t.Context(), key, job()), creativeai.Accepted)
	wantKind(t, c.Submit(t.Context(), key, job()), creativeai.Unknown)
	if n := count.Load(); n != 1 {
		t.Errorf("%d connections, want 1: the POST was repeated", n)
	}
}

func TestUnknownWhenEndedAfterTheWrite(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url, _ := listen(t, func(c net.Conn) {
		if readRequest(c) {
			cancel()
		}
		_, _ = io.Copy(io.Discard, c) // until the client hangs up
	})
	got := newClient(t, url).Submit(ctx, key, job())
	wantKind(t, got, creativeai.Unknown)
	if !errors.Is(got.Err, context.Canceled) {
		t.Errorf("error %v", got.Err)
	}
}

// piped is a client whose connections are pipes without any buffer: a byte is
// written when, and only when, the other end reads it.
func piped(t *testing.T, baseURL string, serve func(net.Conn)) *creativeai.Client {
	t.Helper()
	return newClient(t, baseURL, creativeai.WithDialer(func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go serve(far)
		return near, nil
	}))
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	hang := func(net.Conn) {}
	tests := []struct {
		name  string
		url   string
		serve func(net.Conn)
		want  creativeai.Kind
	}{
		{"nothing was taken", "http://a.example", hang, creativeai.Unsent},
		{"in the TLS handshake", "https://a.example", hang, creativeai.Unsent},
		{"one byte was taken", "http://a.example", func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 1)) }, creativeai.Unknown},
		{"all was taken", "http://a.example", func(c net.Conn) { readRequest(c) }, creativeai.Unknown},
		{"half an answer", "http://a.example", answerWith("HTTP/1.1 202 Accepted\r\n", hang), creativeai.Unknown},
		{"half a body", "http://a.example", answerWith(accepted[:len(accepted)-3], hang), creativeai.Unknown},
		{"slow drip", "http://a.example", func(c net.Conn) {
			answerWith("HTTP/1.1 202 Accepted\r\n\r\n", func(net.Conn) {})(c)
			for err := error(nil); err == nil; time.Sleep(time.Second) {
				_, err = io.WriteString(c, " ")
			}
		}, creativeai.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
				defer cancel()
				start := time.Now()
				got := piped(t, tt.url, tt.serve).Submit(ctx, key, job())
				wantKind(t, got, tt.want)
				if passed := time.Since(start); passed > 10*time.Second || !errors.Is(got.Err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v", passed, got.Err)
				}
				time.Sleep(2 * time.Second) // virtual: the vendor's side notices and ends
			})
		})
	}
}

func TestUnsentWhileDialling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, "http://a.example", creativeai.WithDialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wantKind(t, c.Submit(ctx, key, job()), creativeai.Unsent)
	})
}

// A handshake that hangs is given up after ten seconds, with time left to say so.
func TestTLSHandshakeTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		wantKind(t, piped(t, "https://a.example", func(net.Conn) {}).Submit(t.Context(), key, job()), creativeai.Unsent)
		if passed := time.Since(start); passed != 10*time.Second {
			t.Errorf("after %v, want 10s", passed)
		}
	})
}

// Over TLS, too, what counts is the request's own bytes: not the handshake's,
// nor those of the alert that ends the connection.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || r.ProtoMajor != 1 {
			t.Errorf("proto %s, TLS %v", r.Proto, r.TLS)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"gen_1"}`)
	}))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trust := creativeai.WithTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	wantKind(t, newClient(t, server.URL, trust).Submit(t.Context(), key, job()), creativeai.Accepted)

	// The server shakes hands and takes nothing, then one byte.
	for taken, want := range []creativeai.Kind{creativeai.Unsent, creativeai.Unknown} {
		serverTLS := server.TLS.Clone()
		url, _ := listen(t, func(c net.Conn) {
			secured := tls.Server(c, serverTLS)
			_ = secured.Handshake()
			_, _ = io.ReadFull(secured, make([]byte, taken))
			reset(c)
		})
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return &waitForReset{Conn: c, wait: taken == 0}, err
		}
		c := newClient(t, "https"+url[len("http"):], trust, creativeai.WithDialer(dial))
		wantKind(t, c.Submit(t.Context(), key, job()), want)
	}
}

// waitForReset holds back what is written after the TLS handshake's two flights
// until the other side has reset the connection.
type waitForReset struct {
	net.Conn

	wait   bool
	writes int
}

func (c *waitForReset) Write(p []byte) (int, error) {
	if c.writes++; c.wait && c.writes > 2 {
		_, _ = io.Copy(io.Discard, c.Conn)
	}
	return c.Conn.Write(p)
}

func TestGetReusesItsConnection(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"status\":\"pending\"}"
	url, count := listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for range 2 {
			if _, err := http.ReadRequest(r); err != nil {
				break
			}
			_, _ = io.WriteString(c, answer)
		}
		reset(c)
	}, answerWith(answer, closed))
	c := newClient(t, url)
	// The third finds the connection dead; a GET may be sent again, and is.
	for range 3 {
		if _, err := c.Get(t.Context(), key, "gen_1"); err != nil {
			t.Error(err)
		}
	}
	if n := count.Load(); n != 2 {
		t.Errorf("%d connections for 3 GETs, want 2", n)
	}
}
