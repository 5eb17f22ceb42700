package creativeai_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

func TestGet(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]struct {
		verdict        creativeai.Verdict
		url, errorText string
	}{
		"polls/pending.json":       {creativeai.Pending, "", ""},
		"polls/completed.json":     {creativeai.Succeeded, "https://cdn.example.com/gen_7f3a.mp4", ""},
		"polls/failed.json":        {creativeai.Failed, "", "All providers failed."},
		"callbacks/completed.json": {creativeai.Succeeded, "https://cdn.example.com/gen_7f3a.mp4", ""},
	} {
		body := readFile(t, file)
		v := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.RequestURI != "/v1/video/generations/gen_7f3a" || r.Header.Get("Authorization") != "Bearer "+key {
				t.Errorf("%s %s", r.Method, r.RequestURI)
			}
			_, _ = w.Write(body)
		})
		got, err := newClient(t, v.URL).Get(t.Context(), key, "gen_7f3a")
		if err != nil || got.ID != "gen_7f3a" || got.Verdict() != want.verdict || got.OutputURL != want.url || got.Error != want.errorText || string(got.Raw) != string(body) {
			t.Errorf("%s: %+v, %v", file, got, err)
		}
	}
}

// An id is opaque: whatever is in it, it stays one segment of the path.
func TestGetEscapesTheID(t *testing.T) {
	t.Parallel()
	var uri string
	v := serve(t, func(w http.ResponseWriter, r *http.Request) {
		uri = r.RequestURI
		_, _ = io.WriteString(w, `{"status":"pending"}`)
	})
	for id, want := range map[string]string{
		"gen_1": "gen_1", "a/b": "a%2Fb", "../x": "..%2Fx", "..": "%2E%2E", ".": "%2E", "a b?c#d%e": "a%20b%3Fc%23d%25e",
		"é": "%C3%A9", "a\nb": "a%0Ab", "a.b": "a.b",
	} {
		got, err := newClient(t, v.URL).Get(t.Context(), key, id)
		if err != nil || got.ID != id || uri != "/v1/video/generations/"+want {
			t.Errorf("id %q: %+v, %v, asked %s, want %s", id, got, err, uri, want)
		}
	}
}

func TestGetStatusErrors(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		301: nil, 302: nil, 400: nil, 401: creativeai.ErrAccountRefused, 402: creativeai.ErrAccountRefused, 403: creativeai.ErrAccountRefused,
		404: creativeai.ErrNotFound, 429: nil, 500: nil, 503: nil,
	} {
		v := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "9")
			w.Header().Set("Location", "/v1/video/generations/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":"not with `+r.Header.Get("Authorization")+`"}`)
		})
		_, err := newClient(t, v.URL).Get(t.Context(), key, "gen_1")
		statusErr, ok := errors.AsType[*creativeai.StatusError](err)
		if !ok || statusErr.Status != status || statusErr.RetryAfter != 9*time.Second || statusErr.Reason == "" {
			t.Errorf("%d: %v", status, err)
			continue
		}
		for _, sentinel := range []error{creativeai.ErrNotFound, creativeai.ErrAccountRefused, creativeai.ErrShape} {
			if wanted := errors.Is(want, sentinel); errors.Is(err, sentinel) != wanted {
				t.Errorf("%d: errors.Is %v is %v", status, sentinel, !wanted)
			}
		}
		if strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "gen_1") {
			t.Errorf("%d: %v", status, err)
		}
		if n := v.requests.Load(); n != 1 {
			t.Errorf("%d: %d requests, want 1", status, n)
		}
	}
}

func TestGetNonsense(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "<html>", "null", "[]", `{}`, `{"status":null}`, `{"status":""}`, `{"Status":"completed"}`, `{"id":"gen_2","status":"completed"}`,
		`{"status":"completed","status":"failed"}`, `{"status":"completed"`,
	} {
		v := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if got, err := newClient(t, v.URL).Get(t.Context(), key, "gen_1"); !errors.Is(err, creativeai.ErrShape) || got.Status != "" {
			t.Errorf("%s: %+v, %v, want ErrShape", body, got, err)
		}
	}
	url, _ := listen(t, answerWith("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"status\":\"completed\"}", closed))
	if _, err := newClient(t, url).Get(t.Context(), key, "gen_1"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
}

func TestGetBadArguments(t *testing.T) {
	t.Parallel()
	v := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := newClient(t, v.URL)
	for _, id := range []string{"", strings.Repeat("x", 1025)} {
		if _, err := c.Get(t.Context(), key, id); !errors.Is(err, creativeai.ErrShape) {
			t.Errorf("id of %d bytes: %v", len(id), err)
		}
	}
	if _, err := c.Get(t.Context(), "", "gen_1"); !errors.Is(err, creativeai.ErrAccountRefused) || !errors.Is(err, creativeai.ErrKey) || strings.Contains(err.Error(), "[API key]") {
		t.Errorf("empty key: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, key, "gen_1"); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	if n := v.requests.Load(); n != 0 {
		t.Errorf("the vendor saw %d requests", n)
	}
}
