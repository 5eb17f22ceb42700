package fake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"syscall"
)

// Transport reaches a vendor without a network: an http.RoundTripper for clients in a test or a
// simulation, in real or virtual time. Whatever the host of a URL, it is the vendor. What the
// client sees is what it would see over a socket: a cut connection is io.EOF or ECONNRESET, a
// body cut short io.ErrUnexpectedEOF, the fault refuse a dial error; and httptrace is told of
// getting the connection, of the request written and of the first byte. A client that gives up
// does not stop the vendor. Unlike http.Transport it never sends a request again.
type Transport struct{ vendor *Vendor }

// Transport returns a way to reach the vendor without a network.
func (v *Vendor) Transport() *Transport { return &Transport{v} }

// RoundTrip implements http.RoundTripper. A closed vendor refuses connections.
//
//nolint:contextcheck // a vendor's handler does not end with its client's context
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, closeBody(r))
	}
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	body, err := takeBody(r)
	if err != nil {
		return nil, err
	}
	if t.vendor.refuses(r, body) || !t.vendor.enter() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	if trace != nil {
		traceWritten(trace)
	}
	serving, cancel := context.WithCancel(t.vendor.alive())
	x := &exchange{
		header: make(http.Header), answered: make(chan struct{}), request: r, hangup: cancel,
		date: t.vendor.config.Now().UTC().Format(http.TimeFormat), bodyless: r.Method == http.MethodHead,
	}
	x.reader, x.writer = io.Pipe()
	watch := context.AfterFunc(ctx, cancel)
	// A client that has gone reads no more: the handler's next write must fail, not wait.
	context.AfterFunc(serving, func() { _ = x.writer.CloseWithError(cmp.Or(context.Cause(ctx), io.ErrUnexpectedEOF)) })
	go func() {
		defer t.vendor.running.Done()
		defer cancel()
		defer watch()
		x.serve(t.vendor.mux, arriving(serving, r, body))
	}()
	select {
	case <-x.answered:
		if trace != nil && trace.GotFirstResponseByte != nil && x.err == nil {
			trace.GotFirstResponseByte()
		}
		return x.response, x.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func traceWritten(trace *httptrace.ClientTrace) {
	if trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	if trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
}

func closeBody(r *http.Request) error {
	if r.Body == nil {
		return nil
	}
	return r.Body.Close()
}

func takeBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	return body, nil
}

// arriving is the request as a server gets it.
func arriving(ctx context.Context, r *http.Request, body []byte) *http.Request {
	in := r.Clone(ctx)
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	in.RequestURI = r.URL.RequestURI()
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RemoteAddr = "127.0.0.1:1"
	return in
}

// refuses tells whether the fault refuse strikes a submission.
func (v *Vendor) refuses(r *http.Request, body []byte) bool {
	if r.Method != http.MethodPost || r.URL.Path != generationsPath {
		return false
	}
	s, own, err := decodeSubmission(body)
	if err != nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	job := v.job(s, own)
	return len(v.fire(onDial, s.Prompt, job.list, job.since)) > 0
}
