package fake

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
)

// exchange is one request and its answer; it is the handler's ResponseWriter.
type exchange struct {
	header   http.Header
	request  *http.Request
	date     string
	bodyless bool
	hangup   context.CancelFunc // the client's way to go

	status   int
	length   int64 // declared; -1: unknown
	written  int64
	buffer   bytes.Buffer // until the head goes out
	sent     bool         // the head: from then on the body goes through the pipe
	reader   *io.PipeReader
	writer   *io.PipeWriter
	hijacked bool
	reset    bool

	answered chan struct{} // closed when response or err is set
	response *http.Response
	err      error
}

// bufferSize is how much of a body waits for the end of the handler, as in net/http.
const bufferSize = 4 << 10

func (x *exchange) serve(handler http.Handler, r *http.Request) {
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
	case aborted && !x.sent:
		x.err = broken
		x.settle()
	case aborted:
		if !x.reset {
			broken = io.ErrUnexpectedEOF
		}
		_ = x.writer.CloseWithError(broken)
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
	case !x.sent && !short:
		if x.length < 0 {
			x.length = x.written
		}
		x.head(io.NopCloser(bytes.NewReader(x.buffer.Bytes())))
		return
	case !x.sent:
		x.flush()
	}
	if short {
		_ = x.writer.CloseWithError(io.ErrUnexpectedEOF)
		return
	}
	_ = x.writer.Close()
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

// flush sends the head and what is buffered; the rest goes through the pipe.
func (x *exchange) flush() {
	if x.sent {
		return
	}
	x.sent = true
	x.head(&streamed{io.MultiReader(bytes.NewReader(x.buffer.Bytes()), x.reader), x.hangup})
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
	if !x.sent && x.buffer.Len()+len(p) > bufferSize {
		x.flush()
	}
	if !x.sent {
		return x.buffer.Write(p)
	}
	return x.writer.Write(p)
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
