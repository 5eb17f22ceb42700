package fake_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

// overSocket is a bench whose client reaches the vendor over TCP. Scale makes slow things fast.
func overSocket(t *testing.T) *bench {
	t.Helper()
	b := setup(t, func(c *fake.Config) { c.Scale = 1e-4 })
	if err := b.vendor.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	b.base = b.vendor.URL()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	b.client.Transport = transport
	return b
}

// What a client sees through Transport is what it sees over a socket.
func TestTransportAndSocketAgree(t *testing.T) {
	t.Parallel()
	submits := []string{
		"A dog", "[fault: 429 retry-after=3]", "[fault: 503 body=empty]", "[fault: 302]", "[fault: html]", "[fault: cut]",
		"[fault: cut how=reset]", "[fault: lost-answer]", "[fault: lost-answer how=reset]", "[fault: cut-body]",
		"[fault: cut-body at=0]", "[fault: slow]", "[fault: drip]", "[fault: answer body=empty]", "[fault: answer id=huge]",
		"[fault: answer body=junk status=200]",
	}
	videos := []string{
		"A dog", "[fault: video-cut]", "[fault: video-cut how=reset]", "[fault: video-cut-body]", "[fault: video-403]",
		"[fault: video-type is=none]", "[fault: video-no-range]", "[fault: video-length by=5]", "[fault: video-length by=-5]",
		"[fault: video-large size=100KB]", "[fault: video-large size=100KB] [fault: video-cut-body at=99%]",
		"[fault: video-gzip-bomb size=5MB]", "[fault: video-redirect]", "[fault: video-drip every=1ms bytes=1KB]",
	}
	for _, prompt := range submits {
		t.Run("submit "+prompt, func(t *testing.T) {
			t.Parallel()
			agree(t, overSocket(t).submit(prompt), setup(t, fast).submit(prompt))
		})
	}
	for _, prompt := range videos {
		t.Run("video "+prompt, func(t *testing.T) {
			t.Parallel()
			agree(t, overSocket(t).video(prompt), setup(t, fast).video(prompt))
			agree(t, overSocket(t).video(prompt, "Range", "bytes=100-199"), setup(t, fast).video(prompt, "Range", "bytes=100-199"))
		})
	}
}

func fast(c *fake.Config) { c.Scale = 1e-4 }

func agree(t *testing.T, socket, direct reply) {
	t.Helper()
	if socket.status != direct.status || len(socket.body) != len(direct.body) {
		t.Errorf("socket: %d, %d bytes; Transport: %d, %d bytes", socket.status, len(socket.body), direct.status, len(direct.body))
	}
	if (socket.err == nil) != (direct.err == nil) {
		t.Errorf("socket: %v; Transport: %v", socket.err, direct.err)
	}
	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET} {
		if errors.Is(socket.err, err) != errors.Is(direct.err, err) {
			t.Errorf("socket: %v; Transport: %v", socket.err, direct.err)
		}
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Range", "Content-Encoding", "Accept-Ranges", "Retry-After"} {
		if socket.header.Get(name) != direct.header.Get(name) {
			t.Errorf("%s: socket %q; Transport %q", name, socket.header.Get(name), direct.header.Get(name))
		}
	}
}

func TestTransportTraces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := func(prompt string) []string {
		var events []string
		note := func(event string) { events = append(events, event) }
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GetConn:              func(string) { note("get") },
			GotConn:              func(httptrace.GotConnInfo) { note("got") },
			WroteHeaders:         func() { note("headers") },
			WroteRequest:         func(httptrace.WroteRequestInfo) { note("wrote") },
			GotFirstResponseByte: func() { note("byte") },
		})
		b.do(ctx, http.MethodPost, submitPath, submission(t, prompt, webhook))
		return events
	}
	for prompt, want := range map[string][]string{
		"A dog": {"get", "got", "headers", "wrote", "byte"}, "[fault: cut]": {"get", "got", "headers", "wrote"}, "[fault: refuse]": {"get"},
	} {
		if got := run(prompt); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", prompt, got, want)
		}
	}
}

func TestTransportAfterItsClientHasGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the bubble fails if a handler is left
		b := setup(t)
		path := b.completed("[fault: video-slow for=10s times=1] [fault: video-endless]")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantErr(t, b.do(ctx, http.MethodGet, path, ""), context.DeadlineExceeded)
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		time.Sleep(2 * time.Second)
		if _, err := io.Copy(io.Discard, response.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("read on: %v", err)
		}
	})
}

func TestClosedVendorRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.vendor.Close()
	wantErr(t, b.submit("A dog"), syscall.ECONNREFUSED)
	s := overSocket(t)
	s.accept("A dog")
	s.vendor.Close()
	s.vendor.Close()
	if a := s.submit("A dog"); a.err == nil {
		t.Errorf("answered %d", a.status)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "example.com:80", "127.0.0.1"} {
		if err := b.vendor.Start(t.Context(), address); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: %v", address, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := b.vendor.Start(ctx, "localhost:0"); err != nil {
		t.Fatal(err)
	}
	if err := b.vendor.Start(ctx, ""); err == nil {
		t.Error("started twice")
	}
	if err := b.vendor.AddFaults("slow for=100h"); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+submitPath, strings.NewReader(`{"prompt":"A dog"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	hanging := make(chan reply)
	go func() { hanging <- b.send(r) }()
	err = b.vendor.Wait(t.Context(), func(l fake.Ledger) bool { return len(l.Requests) == 1 && len(l.Requests[0].Faults) == 1 })
	if err != nil {
		t.Fatal(err)
	}
	cancel() // ends the vendor
	if a := <-hanging; a.err == nil {
		t.Errorf("answered %d", a.status)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]fake.Config{
		"Now is missing":      {},
		"not be negative":     {Now: time.Now, Scale: -1},
		"no absolute URL":     {Now: time.Now, BaseURL: "/videos"},
		`no fault "nonsense"`: {Now: time.Now, Faults: []string{"nonsense"}},
	} {
		if _, err := fake.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", config, err, want)
		}
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *fake.Config) { c.BaseURL = "https://cdn.example/" })
	id := b.accept("A dog")
	b.vendor.Finish(id)
	wantField(t, b.get(id).body, "output_url", "https://cdn.example/videos/"+id+".mp4")
}

// A simulation makes and drops a vendor for each of its seeds.
func BenchmarkVendor(b *testing.B) {
	for b.Loop() {
		v, err := fake.New(fake.Config{Now: time.Now, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		v.Close()
	}
}

func BenchmarkSubmit(b *testing.B) {
	v, err := fake.New(fake.Config{Now: time.Now, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	client := &http.Client{Transport: v.Transport()}
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, vendorURL+submitPath, strings.NewReader(`{"prompt":"A dog"}`))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+fake.DefaultKey)
		r.Header.Set("Content-Type", "application/json")
		response, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_ = response.Body.Close()
	}
}
