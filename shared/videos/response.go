package videos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stream is the body of one response, from offset on.
type stream struct {
	body io.ReadCloser
	// size is that of the whole video in bytes; -1 when the server does not say.
	size int64
	// etag is strong, so that a broken download can be gone on with; else empty.
	etag string

	limits limits
	now    func() time.Time
	idle   *time.Timer
	cancel context.CancelCauseFunc
	cause  func() error
	err    error
	waited time.Duration
	got    int64
}

// errNoResume is a server that does not go on where the download broke off:
// it cannot, or the video has changed.
var errNoResume = errors.New("the download cannot be resumed")

// connect asks for the video from offset on, as the version that etag names.
func (f *Fetcher) connect(ctx context.Context, u *url.URL, offset int64, etag string) (*stream, error) {
	header := http.Header{
		"User-Agent": {"clipqueue/" + f.settings.Version}, "Accept": {"video/*, application/octet-stream;q=0.5"},
		"Accept-Encoding": {"identity"},
	}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		header.Set("If-Range", etag)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &stream{limits: f.limits, now: f.settings.Now, cancel: cancel, cause: func() error { return context.Cause(ctx) }}
	response, err := f.open(ctx, u, header) //nolint:bodyclose // the stream closes it
	if err != nil {
		cancel(nil)
		return nil, err
	}
	s.body = response.Body
	s.idle = time.AfterFunc(f.limits.idle, func() {
		cancel(problem(Timeout, Passing, "the server sent nothing for %v", f.limits.idle))
	})
	s.idle.Stop()
	if s.size, err = judge(response, offset, etag); err == nil && s.size > f.settings.MaxBytes {
		err = tooLarge(f.settings.MaxBytes)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	if tag := response.Header.Get("ETag"); strings.HasPrefix(tag, `"`) && response.Header.Get("Accept-Ranges") != "none" {
		s.etag = tag
	}
	return s, nil
}

// judge takes a response that is a video as far as its header says, and returns
// the size of the whole, -1 when that is not said.
func judge(r *http.Response, offset int64, etag string) (size int64, err error) {
	if err := judgeStatus(r, offset); err != nil {
		return 0, err
	}
	if encodings := r.Header.Values("Content-Encoding"); slices.ContainsFunc(encodings, func(e string) bool {
		return e != "" && !strings.EqualFold(e, "identity")
	}) {
		return 0, problem(Encoded, Final, "the server packed the video as %q, which was not asked for", strings.Join(encodings, ", "))
	}
	if err := judgeType(r.Header.Get("Content-Type")); err != nil {
		return 0, err
	}
	if offset > 0 {
		return judgeRange(r, offset, etag)
	}
	if r.ContentLength < 0 && !slices.Contains(r.TransferEncoding, "chunked") {
		return 0, problem(WrongLength, Doubtful, "the server says neither how long the video is nor where it ends")
	}
	return r.ContentLength, nil
}

// judgeStatus tells a status that passes from one that does not.
func judgeStatus(r *http.Response, offset int64) error {
	code, answer := r.StatusCode, fmt.Sprintf("the server answered %d %s", r.StatusCode, http.StatusText(r.StatusCode))
	switch {
	case code == http.StatusOK && offset == 0, code == http.StatusPartialContent && offset > 0:
		return nil
	case code == http.StatusOK:
		return errNoResume
	case code == http.StatusNotFound:
		return problem(NotFound, Final, "%s", answer)
	case code == http.StatusGone:
		return problem(Gone, Final, "%s", answer)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return problem(Forbidden, Doubtful, "%s: the link may have expired", answer)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return problem(Unavailable, Passing, "%s", answer)
	case code == http.StatusRequestedRangeNotSatisfiable && offset > 0:
		return problem(WrongLength, Doubtful, "the video ends after %d bytes, earlier than the server announced", offset)
	case code >= 400:
		return problem(Refused, Doubtful, "%s", answer)
	}
	return problem(Unavailable, Passing, "%s, which is no video", answer)
}

// judgeType refuses what the server itself does not take for a video. Bytes of
// no type, or of none in particular, are judged by themselves.
func judgeType(header string) error {
	kind, _, err := mime.ParseMediaType(header)
	if header == "" || err == nil && (strings.HasPrefix(kind, "video/") ||
		kind == "application/octet-stream" || kind == "binary/octet-stream" || kind == "application/mp4") {
		return nil
	}
	return problem(WrongType, Final, "the server says that the link is %q, not a video", header)
}

// judgeRange makes sure that a resumed download goes on where it broke off.
func judgeRange(r *http.Response, offset int64, etag string) (size int64, err error) {
	var first, last int64
	n, _ := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size)
	if tag := r.Header.Get("ETag"); n == 3 && first == offset && last < size && (tag == "" || tag == etag) {
		return size, nil
	}
	return 0, errNoResume
}

// Read watches over the server's pace: it gives up on one that sends nothing, or
// next to nothing. What was read comes first, an error with the next call.
func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	start := s.now()
	s.idle.Reset(s.limits.idle)
	n, err := s.body.Read(p)
	s.idle.Stop()
	s.waited += s.now().Sub(start)
	s.got += int64(n)
	if cause := s.cause(); err != nil && !errors.Is(err, io.EOF) && cause != nil {
		err = cause
	}
	if s.waited >= s.limits.window {
		if err == nil && s.got < s.limits.windowBytes {
			err = problem(Timeout, Passing, "the server sent only %d bytes in %v", s.got, s.waited.Round(time.Second))
		}
		s.waited, s.got = 0, 0
	}
	if n > 0 {
		s.err = err
		return n, nil
	}
	return 0, err
}

func (s *stream) close() {
	s.idle.Stop()
	s.cancel(nil)
	_ = s.body.Close() // what is not read is not wanted
}

// problemOf says what an error of the network means.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), ok && timeout.Timeout():
		return problem(Timeout, Passing, "the server took too long: %v", err)
	case errors.Is(err, syscall.ECONNRESET):
		return problem(Unavailable, Passing, "the server broke off the connection")
	}
	return problem(Unavailable, Passing, "the server cannot be reached: %v", err)
}

func tooLarge(most int64) *Problem {
	return problem(TooLarge, Final, "the video is larger than the limit of %d bytes", most)
}
