package videos_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/videos"
)

// cutting serves the body, but breaks off after so many bytes of each answer.
func cutting(body []byte, after int, change func(h http.Header, request int)) func(*internet) {
	return func(n *internet) {
		n.raw = func(w *bufio.ReadWriter, r *http.Request) {
			first := 0
			head := "HTTP/1.1 200 OK\r\n"
			if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &first); err == nil {
				head = "HTTP/1.1 206 Partial Content\r\n"
			}
			h := http.Header{"Content-Type": {"video/mp4"}, "Etag": {`"one"`}, "Accept-Ranges": {"bytes"}}
			h.Set("Content-Length", fmt.Sprint(len(body)-first))
			if first > 0 {
				h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, len(body)-1, len(body)))
			}
			if change != nil {
				change(h, len(n.seen()))
			}
			if status := h.Get("Status"); status != "" {
				head = "HTTP/1.1 " + status + "\r\n"
			}
			_, _ = w.WriteString(head)
			_ = h.Write(w)
			_, _ = w.WriteString("\r\n")
			_, _ = w.Write(body[first:min(first+after, len(body))])
		}
	}
}

func TestFault30_CutAndResumed(t *testing.T) {
	t.Parallel()
	body := long(t, 1_000_000)
	for name, tt := range map[string]struct {
		after, requests int
		change          func(http.Header, int)
	}{
		"at 99 %":                   {after: 990_000, requests: 2},
		"time and again":            {after: 170_000, requests: 6},
		"without Accept-Ranges":     {after: 500_000, requests: 2, change: func(h http.Header, _ int) { h.Del("Accept-Ranges") }},
		"an answer without an ETag": {after: 500_000, requests: 2, change: unless1(func(h http.Header) { h.Del("ETag") })},
		"by a part of the rest": {after: 500_000, requests: 3, change: func(h http.Header, n int) {
			if n == 2 {
				h.Set("Content-Range", "bytes 500000-699999/1000000")
				h.Set("Content-Length", "200000")
			}
		}},
		"a 503 in between": {after: 500_000, requests: 3, change: func(h http.Header, n int) {
			if n == 2 {
				h.Set("Status", "503 Service Unavailable")
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				defer goodbyes()
				n := newInternet(t, nil)
				cutting(body, tt.after, tt.change)(n)
				_, got, err := drain(t.Context(), n.fetcher(), link)
				if err != nil || !bytes.Equal(got, body) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
				if len(n.seen()) != tt.requests {
					t.Errorf("%d requests, want %d", len(n.seen()), tt.requests)
				}
				for i, r := range n.seen() {
					if i > 0 && (r.Header.Get("If-Range") != `"one"` || !strings.HasPrefix(r.Header.Get("Range"), "bytes=")) {
						t.Errorf("request %d has %v", i, r.Header)
					}
				}
			})
		})
	}
}

// unless1 changes every answer but the first.
func unless1(change func(http.Header)) func(http.Header, int) {
	return func(h http.Header, n int) {
		if n > 1 {
			change(h)
		}
	}
}

func TestFault30_CutAndNotResumed(t *testing.T) {
	t.Parallel()
	body := long(t, 1_000_000)
	set := func(name, value string) func(http.Header, int) {
		return unless1(func(h http.Header) { h.Set(name, value) })
	}
	for name, tt := range map[string]struct {
		after, requests int
		change          func(http.Header, int)
		code            videos.Code
		outlook         videos.Outlook
	}{
		"too often":          {100_000, 6, nil, videos.WrongLength, videos.Doubtful},
		"no ETag":            {500_000, 1, func(h http.Header, _ int) { h.Del("ETag") }, videos.WrongLength, videos.Doubtful},
		"a weak ETag":        {500_000, 1, func(h http.Header, _ int) { h.Set("ETag", `W/"one"`) }, videos.WrongLength, videos.Doubtful},
		"no ranges":          {500_000, 1, func(h http.Header, _ int) { h.Set("Accept-Ranges", "none") }, videos.WrongLength, videos.Doubtful},
		"it has changed":     {500_000, 2, set("Status", "200 OK"), videos.WrongLength, videos.Doubtful},
		"another ETag":       {500_000, 2, set("ETag", `"two"`), videos.WrongLength, videos.Doubtful},
		"another place":      {500_000, 2, set("Content-Range", "bytes 400000-999999/1000000"), videos.WrongLength, videos.Doubtful},
		"no place":           {500_000, 2, set("Content-Range", "bytes 500000-999999/*"), videos.WrongLength, videos.Doubtful},
		"another size":       {500_000, 2, set("Content-Range", "bytes 500000-999999/1000001"), videos.WrongLength, videos.Doubtful},
		"trouble":            {500_000, 6, set("Status", "503 Service Unavailable"), videos.Unavailable, videos.Passing},
		"the true size":      {500_000, 2, set("Status", "416 Range Not Satisfiable"), videos.WrongLength, videos.Doubtful},
		"it is gone":         {500_000, 2, set("Status", "404 Not Found"), videos.NotFound, videos.Final},
		"it swells":          {500_000, 2, set("Content-Encoding", "gzip"), videos.Encoded, videos.Final},
		"it leads elsewhere": {500_000, 2, unless1(func(h http.Header) { h.Set("Status", "302 Found"); h.Set("Location", "http://a.example.com") }), videos.NotHTTPS, videos.Final},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				defer goodbyes()
				n := newInternet(t, nil)
				cutting(body, tt.after, tt.change)(n)
				_, got, err := drain(t.Context(), n.fetcher(), link)
				wantProblem(t, err, tt.code, tt.outlook)
				if len(n.seen()) != tt.requests {
					t.Errorf("%d requests, want %d", len(n.seen()), tt.requests)
				}
				if !bytes.HasPrefix(body, got) {
					t.Error("what was read is not what was sent")
				}
			})
		})
	}
}

// TestStallIsResumed has a server that falls silent once.
func TestStallIsResumed(t *testing.T) {
	t.Parallel()
	body := long(t, 1_000_000)
	synctest.Test(t, func(t *testing.T) {
		defer goodbyes()
		n := newInternet(t, nil)
		n.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(n.seen()) > 1 {
				serve(body)(w, r)
				return
			}
			serve(body)(&stalling{ResponseWriter: w, left: 300_000, until: r.Context()}, r)
		})
		start := time.Now()
		_, got, err := drain(t.Context(), n.fetcher(), link)
		if err != nil || !bytes.Equal(got, body) || len(n.seen()) != 2 {
			t.Fatalf("%d bytes in %d requests, %v", len(got), len(n.seen()), err)
		}
		if took := time.Since(start); took > 40*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

type stalling struct {
	http.ResponseWriter
	left  int
	until context.Context //nolint:containedctx // it is the request's own
}

func (s *stalling) Write(p []byte) (int, error) {
	n, err := s.ResponseWriter.Write(p[:min(s.left, len(p))])
	if s.left -= n; s.left == 0 && err == nil {
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		<-s.until.Done()
		return n, io.ErrClosedPipe
	}
	return n, err
}

// TestFault30_TheFakeVendorsVideoFaults asks the vendor that the demo has.
func TestFault30_TheFakeVendorsVideoFaults(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]struct {
		code    videos.Code
		outlook videos.Outlook
	}{
		"video-404":               {videos.NotFound, videos.Final},
		"video-403":               {videos.Forbidden, videos.Doubtful},
		"video-503 body=text":     {videos.Unavailable, videos.Passing},
		"video-html":              {videos.WrongType, videos.Final},
		"video-type is=text/html": {videos.WrongType, videos.Final},
		"video-redirect hops=10":  {videos.TooManyRedirects, videos.Final},
		"video-redirect hops=1 to=https://169.254.169.254/latest/meta-data/": {videos.ForbiddenAddress, videos.Final},
		"video-redirect hops=1 to=http://127.0.0.1:1/":                       {videos.NotHTTPS, videos.Final},
		"video-length by=1000":            {videos.WrongLength, videos.Doubtful},
		"video-cut":                       {videos.Unavailable, videos.Passing},
		"video-cut-body at=50%":           {videos.WrongLength, videos.Doubtful},
		"video-endless":                   {videos.TooLarge, videos.Final},
		"video-large size=1GB":            {videos.TooLarge, videos.Final},
		"video-gzip-bomb size=1GB":        {videos.Encoded, videos.Final},
		"video-type is=none":              {},
		"video-no-range":                  {},
		"video-changing":                  {},
		"video-large size=900KB":          {},
		"video-redirect hops=3":           {},
		"video-cut-body at=50% times=1":   {},
		"video-drip bytes=1000 every=1ms": {},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				defer goodbyes()
				vendor, link := vendorsVideo(t, fault)
				n := newInternet(t, vendor.ServeHTTP)
				_, body, err := drain(t.Context(), n.fetcher(func(s *videos.Settings) { s.MaxBytes = 1 << 20 }), link)
				if want.code != "" {
					wantProblem(t, err, want.code, want.outlook)
				} else if err != nil || !bytes.HasPrefix(body, mp4()) {
					t.Errorf("%d bytes, %v", len(body), err)
				}
			})
		})
	}
}

// vendorsVideo is a vendor whose one video has a fault.
func vendorsVideo(t *testing.T, fault string) (v *fake.Vendor, link string) {
	t.Helper()
	v, err := fake.New(fake.Config{Now: time.Now, Seed: 1, Faults: []string{fault}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	submit := httptest.NewRequest(http.MethodPost, "/v1/video/generations", strings.NewReader(`{"prompt":"a dog"}`))
	submit.Header.Set("Authorization", "Bearer "+fake.DefaultKey)
	submit.Header.Set("Content-Type", "application/json")
	v.ServeHTTP(httptest.NewRecorder(), submit)
	made := v.Ledger().Generations
	if len(made) != 1 {
		t.Fatalf("the vendor made %+v", made)
	}
	v.Finish(made[0].ID)
	return v, "https://cdn.example.com/videos/" + made[0].ID + ".mp4"
}
