package videos_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/videos"
)

func TestFault30_Statuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer goodbyes()
		for _, tt := range []struct {
			code    videos.Code
			outlook videos.Outlook
			all     []int
		}{
			{videos.NotFound, videos.Final, []int{404}},
			{videos.Gone, videos.Final, []int{410}},
			{videos.Forbidden, videos.Doubtful, []int{401, 403}},
			{videos.Refused, videos.Doubtful, []int{400, 402, 405, 406, 409, 412, 416, 418, 451}},
			{videos.Unavailable, videos.Passing, []int{201, 204, 206, 300, 304, 408, 425, 429, 500, 502, 503, 504, 599}},
		} {
			for _, status := range tt.all {
				n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "video/mp4")
					w.WriteHeader(status)
					_, _ = w.Write(mp4())
				})
				_, err := n.fetcher().Fetch(t.Context(), link)
				message := wantProblem(t, err, tt.code, tt.outlook)
				if !strings.Contains(message, fmt.Sprint(status)) {
					t.Errorf("%d: %q does not say so", status, message)
				}
			}
		}
	})
}

func TestFault30_WhatIsNoVideo(t *testing.T) {
	t.Parallel()
	html := []byte("<!DOCTYPE html><html><body>Sign in</body></html>")
	for name, answer := range map[string]struct {
		kind string
		body []byte
	}{
		"HTML at 200":              {"text/html; charset=utf-8", html},
		"HTML as a video":          {"video/mp4", html},
		"HTML of no type":          {"application/octet-stream", html},
		"a video that claims HTML": {"text/html", mp4()},
		"JSON":                     {"application/json", []byte(`{"error":"expired"}`)},
		"JSON as a video":          {"video/mp4", []byte(`{"error":"expired"}`)},
		"an image":                 {"image/png", []byte("\x89PNG\r\n\x1a\n0000")},
		"an image as a video":      {"video/mp4", []byte("\x89PNG\r\n\x1a\n0000")},
		"HEIC, which is ftyp too":  {"video/mp4", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")},
		"AVIF, which is ftyp too":  {"video/mp4", []byte("\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif")},
		"sound, which is ftyp too": {"video/mp4", []byte("\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A mp42")},
		"a program":                {"video/mp4", []byte("\x7fELF\x02\x01\x01\x00")},
		"gzip as a video":          {"video/mp4", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00")},
		"zeros":                    {"video/mp4", make([]byte, 10_000)},
		"one byte":                 {"video/mp4", []byte("G")},
		"nothing":                  {"video/mp4", nil},
		"a type that is none":      {"vi deo", mp4()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", answer.kind)
				_, _ = w.Write(answer.body)
			})
			_, err := n.fetcher().Fetch(t.Context(), link)
			wantProblem(t, err, videos.WrongType, videos.Final)
		})
	}
}

func TestKindsOfVideo(t *testing.T) {
	t.Parallel()
	transportStream := bytes.Repeat(append([]byte("G"), make([]byte, 187)...), 20)
	for name, tt := range map[string]struct{ header, first, kind, extension string }{
		"MP4":               {"video/mp4", string(mp4()), "video/mp4", ".mp4"},
		"MP4, of no type":   {"application/octet-stream", string(mp4()), "video/mp4", ".mp4"},
		"MP4, as S3 has it": {"binary/octet-stream", string(mp4()), "video/mp4", ".mp4"},
		"MP4, untyped":      {"", string(mp4()), "video/mp4", ".mp4"},
		"MP4, in capitals":  {"Video/MP4; codecs=avc1", string(mp4()), "video/mp4", ".mp4"},
		"MP4, called WebM":  {"video/webm", string(mp4()), "video/mp4", ".mp4"},
		"QuickTime":         {"video/quicktime", "\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ", "video/quicktime", ".mov"},
		"WebM":              {"video/webm", "\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm\x42\x87\x81\x02", "video/webm", ".webm"},
		"Matroska":          {"video/x-matroska", "\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska\x42\x87\x81\x04", "video/matroska", ".mkv"},
		"AVI":               {"video/avi", "RIFF\x24\x00\x00\x00AVI LIST\x00\x00\x00\x00", "video/x-msvideo", ".avi"},
		"MPEG-TS":           {"video/mp2t", string(transportStream), "video/mp2t", ".ts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{tt.header}
				if tt.header == "" {
					w.Header()["Content-Type"] = nil
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(tt.first)))
				_, _ = io.WriteString(w, tt.first)
			})
			v, body, err := drain(t.Context(), n.fetcher(), link)
			if err != nil {
				t.Fatal(err)
			}
			if v.ContentType != tt.kind || v.Extension != tt.extension || v.Size != int64(len(tt.first)) || string(body) != tt.first {
				t.Errorf("got %q, %q, %d bytes", v.ContentType, v.Extension, v.Size)
			}
		})
	}
}

func TestFault30_GzipBomb(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	for _, encoding := range []string{"gzip", "GZIP", "br", "identity, gzip", "x"} {
		n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "video/mp4")
			w.Header().Set("Content-Encoding", encoding)
			_, _ = w.Write(bomb.Bytes())
		})
		_, err := n.fetcher().Fetch(t.Context(), link)
		wantProblem(t, err, videos.Encoded, videos.Final)
	}
	n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("Content-Encoding", "identity")
		_, _ = w.Write(mp4())
	})
	if _, _, err := drain(t.Context(), n.fetcher(), link); err != nil {
		t.Error(err)
	}
}

// says sends raw bytes after the request, and ends the connection.
func says(head string, body []byte) func(*bufio.ReadWriter, *http.Request) {
	return func(w *bufio.ReadWriter, _ *http.Request) {
		_, _ = w.WriteString("HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n" + head + "\r\n")
		_, _ = w.Write(body)
	}
}

func TestFault30_WrongLength(t *testing.T) {
	t.Parallel()
	body := long(t, 100_000)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
	for name, raw := range map[string]func(*bufio.ReadWriter, *http.Request){
		"one byte short":      says("Content-Length: 100001\r\n", body),
		"cut at 99 %":         says("Content-Length: 100000\r\n", body[:99_000]),
		"cut at the start":    says("Content-Length: 100000\r\n", body[:10]),
		"cut in a chunk":      says("Transfer-Encoding: chunked\r\n", []byte(chunk[:len(chunk)/2])),
		"without a last mark": says("Transfer-Encoding: chunked\r\n", []byte(chunk)),
		"without any length":  says("Connection: close\r\n", body),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newInternet(t, nil)
			n.raw = raw
			_, got, err := drain(t.Context(), n.fetcher(), link)
			wantProblem(t, err, videos.WrongLength, videos.Doubtful)
			if !bytes.HasPrefix(body, got) {
				t.Error("what was read is not what was sent")
			}
		})
	}
	n := newInternet(t, nil)
	n.raw = says("Transfer-Encoding: chunked\r\n", []byte(chunk+"0\r\n\r\n"))
	if v, got, err := drain(t.Context(), n.fetcher(), link); err != nil || v.Size != -1 || !bytes.Equal(got, body) {
		t.Errorf("chunked and whole: %d bytes, %v", len(got), err)
	}
}

func TestFault30_TooLarge(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	small := func(s *videos.Settings) { s.MaxBytes = limit }
	for name, handler := range map[string]http.HandlerFunc{
		"announced": serve(long(t, limit+1)),
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "video/mp4")
			_, _ = w.Write(mp4())
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newInternet(t, handler)
			_, got, err := drain(t.Context(), n.fetcher(small), link)
			wantProblem(t, err, videos.TooLarge, videos.Final)
			if len(got) > limit {
				t.Errorf("%d bytes were read, over a limit of %d", len(got), limit)
			}
		})
	}
	n := newInternet(t, serve(long(t, limit)))
	if _, got, err := drain(t.Context(), n.fetcher(small), link); err != nil || len(got) != limit {
		t.Errorf("at the limit: %d bytes, %v", len(got), err)
	}
}

func TestFault30_SlowServers(t *testing.T) {
	t.Parallel()
	head := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("Content-Length", "100000000")
		_, _ = w.Write(long(t, 5000))
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	trickle := func(every time.Duration, bytes int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for head(w); r.Context().Err() == nil; time.Sleep(every) {
				_, _ = w.Write(make([]byte, bytes))
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		within  time.Duration
	}{
		"no answer":                 {hang, 30 * time.Second},
		"nothing after the header":  {func(w http.ResponseWriter, r *http.Request) { head(w); hang(w, r) }, 30 * time.Second},
		"1 byte a second":           {trickle(time.Second, 1), 35 * time.Second},
		"a byte every 29 seconds":   {trickle(29*time.Second, 1), 90 * time.Second},
		"10 KB a second":            {trickle(time.Second, 10<<10), 35 * time.Second},
		"fast enough for ever more": {trickle(time.Second, 50<<10), 10*time.Minute + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				defer goodbyes()
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				_, _, err := drain(ctx, newInternet(t, tt.handler).fetcher(), link)
				wantProblem(t, err, videos.Timeout, videos.Passing)
				if took := time.Since(start); took > tt.within {
					t.Errorf("it took %v, want at most %v", took, tt.within)
				}
			})
		})
	}
}

func TestASlowReaderIsNotTheServersFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer goodbyes()
		v, err := newInternet(t, serve(long(t, 500_000))).fetcher().Fetch(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		total := 0
		for buffer := make([]byte, 1000); ; time.Sleep(10 * time.Second) {
			n, err := v.Read(buffer)
			total += n
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if total != 500_000 {
			t.Errorf("read %d bytes", total)
		}
	})
}

func TestServersThatCannotBeReached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, serversThatCannotBeReached)
}

func serversThatCannotBeReached(t *testing.T) {
	defer goodbyes()
	n := newInternet(t, serve(mp4()))
	_, err := n.fetcher().Fetch(t.Context(), "https://nowhere.example.com/v.mp4")
	wantProblem(t, err, videos.Unavailable, videos.Passing)

	n.names["cdn.other.test"] = []string{public} // a name that the certificate does not have
	_, err = n.fetcher().Fetch(t.Context(), "https://cdn.other.test/v.mp4")
	if message := wantProblem(t, err, videos.Unavailable, videos.Passing); !strings.Contains(message, "certificate") {
		t.Errorf("%q does not say why", message)
	}

	n.raw = func(w *bufio.ReadWriter, _ *http.Request) { _, _ = w.WriteString("SSH-2.0-OpenSSH\r\n") }
	_, err = n.fetcher().Fetch(t.Context(), link)
	wantProblem(t, err, videos.Unavailable, videos.Passing)

	n.raw = says("X-Filler: "+strings.Repeat("x", 100<<10)+"\r\n", nil)
	_, err = n.fetcher().Fetch(t.Context(), link)
	wantProblem(t, err, videos.Unavailable, videos.Passing)

	n.raw = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = n.fetcher().Fetch(ctx, link)
	wantProblem(t, err, videos.Unavailable, videos.Passing)
}
