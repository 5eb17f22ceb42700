package fake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
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
	watch := context.AfterFunc(ctx, cancel)
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

// exchange is one request and its answer; it is the handler's ResponseWriter.
type exchange struct {
	header   http.Header
	request  *http.Request
	date     string
	bodyless bool
	hangup   context.CancelFunc // the client's way to go
	serving  func() context.Context

	status   int
	length   int64 // declared; -1: unknown
	written  int64
	buffer   bytes.Buffer // until the head goes out
	pipe     *io.PipeWriter
	hijacked bool
	reset    bool

	answered chan struct{} // closed when response or err is set
	response *http.Response
	err      error
}

// bufferSize is how much of a body waits for the end of the handler, as in net/http.
const bufferSize = 4 << 10

func (x *exchange) serve(handler http.Handler, r *http.Request) {
	x.serving = r.Context
	aborted := true
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
			panic(p)
		}
		x.end(aborted || x.hijacked)
	}()
	handler.ServeHTTP(x, r)
	aborted = false
}

// end completes the answer, or breaks it off.
func (x *exchange) end(aborted bool) {
	broken := io.EOF
	if aborted && x.reset {
		broken = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	switch {
	case aborted && x.pipe == nil:
		x.err = broken
		x.settle()
	case aborted:
		if !x.reset {
			broken = io.ErrUnexpectedEOF
		}
		_ = x.pipe.CloseWithError(broken)
	default:
		x.finish()
	}
}

func (x *exchange) finish() {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	short := x.length > x.written && !x.bodyless
	switch {
	case x.pipe == nil && !short:
		if x.length < 0 {
			x.length = x.written
		}
		x.head(io.NopCloser(bytes.NewReader(x.buffer.Bytes())))
		return
	case x.pipe == nil:
		x.flush()
	}
	if short {
		_ = x.pipe.CloseWithError(io.ErrUnexpectedEOF)
		return
	}
	_ = x.pipe.Close()
}

// head hands the response to the client.
func (x *exchange) head(body io.ReadCloser) {
	if x.header.Get("Date") == "" {
		x.header.Set("Date", x.date)
	}
	x.response = &http.Response{
		Status: strconv.Itoa(x.status) + " " + http.StatusText(x.status), StatusCode: x.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: x.header.Clone(), Body: body, ContentLength: x.length, Request: x.request,
	}
	x.settle()
}

func (x *exchange) settle() { close(x.answered) }

// flush sends the head and what is buffered, and opens the pipe for the rest.
func (x *exchange) flush() {
	if x.pipe != nil {
		return
	}
	reader, writer := io.Pipe()
	x.pipe = writer
	// A client that has gone reads no more: the handler's next write must fail, not wait.
	context.AfterFunc(x.serving(), func() { _ = writer.CloseWithError(context.Canceled) })
	x.head(&streamed{io.MultiReader(bytes.NewReader(x.buffer.Bytes()), reader), x.hangup})
}

// Header is the answer's header.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader fixes the status and the declared length.
func (x *exchange) WriteHeader(status int) {
	if x.status != 0 {
		return
	}
	x.status, x.length = status, -1
	if n, err := strconv.ParseInt(x.header.Get("Content-Length"), 10, 64); err == nil {
		x.length = n
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		x.bodyless = true
	}
}

// Write takes a part of the body; over the declared length it is http.ErrContentLength.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if x.bodyless {
		return len(p), nil
	}
	if x.length >= 0 && x.written+int64(len(p)) > x.length {
		return 0, http.ErrContentLength // as net/http: nothing of it
	}
	x.written += int64(len(p))
	if x.pipe == nil && x.buffer.Len()+len(p) > bufferSize {
		x.flush()
	}
	if x.pipe == nil {
		return x.buffer.Write(p)
	}
	return x.pipe.Write(p)
}

// FlushError serves http.ResponseController.
func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	x.flush()
	return nil
}

// Hijack serves hangUp: all that can be done with the connection is to end it.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x.hijacked = true
	return &severed{x: x}, nil, nil
}

// severed is the connection of an exchange, about to be closed.
type severed struct {
	net.Conn
	x *exchange
}

// Close leaves the breaking off to the end of the handler.
func (s *severed) Close() error { return nil }

// SetLinger makes the end a reset.
func (s *severed) SetLinger(int) error {
	s.x.reset = true
	return nil
}

// streamed is a body that the handler is still writing.
type streamed struct {
	io.Reader
	hangup context.CancelFunc
}

// Close tells the handler that the client has gone.
func (s *streamed) Close() error {
	s.hangup()
	return nil
}
