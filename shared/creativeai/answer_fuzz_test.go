package creativeai_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

// Whatever the vendor answers, a submit may be repeated only where the table of
// answers says so, and nothing that is handed on is unbounded or holds the key.
func FuzzAnswer(f *testing.F) {
	f.Add(202, "", readFile(f, "callbacks/completed.json"))
	f.Add(200, "", []byte(`{"id":"a","id":"b"}`))
	f.Add(302, "5", []byte(`<html>`))
	f.Add(404, "", []byte(`{"detail":"Not Found"}`))
	f.Add(429, "-1", []byte(`{"error":{"message":"`+key+`"}}`))
	f.Add(503, "soon", []byte(`{"message":"Service Unavailable"}`))
	f.Add(999, "", []byte("\ufeff{}"))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		rt := transport(func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status,
				Header:     http.Header{"Retry-After": {retryAfter}},
				Body:       io.NopCloser(bytes.NewReader(body)),
			}, nil
		})
		c, err := creativeai.New("https://api.example.com", creativeai.WithTransport(rt))
		if err != nil {
			t.Fatal(err)
		}
		got := c.Submit(t.Context(), key, job())

		allowed := map[creativeai.Kind]bool{creativeai.Unknown: true}
		switch {
		case status >= 200 && status <= 299:
			allowed[creativeai.Accepted] = true
		case status == 429:
			allowed = map[creativeai.Kind]bool{creativeai.NotNow: true}
		case status == 503:
			allowed[creativeai.NotNow] = true
		case status == 401, status == 402, status == 403:
			allowed = map[creativeai.Kind]bool{creativeai.AccountRefused: true}
		case status == 404, status == 405:
			allowed = map[creativeai.Kind]bool{creativeai.AccountRefused: true, creativeai.Refused: true}
		case status == 408, status == 409, status == 425:
		case status >= 400 && status <= 499:
			allowed = map[creativeai.Kind]bool{creativeai.Refused: true}
		}
		if !allowed[got.Kind] {
			t.Errorf("status %d is %v", status, got.Kind)
		}
		if id := got.Generation.ID; (got.Kind == creativeai.Accepted) != (id != "") || len(id) > 1024 {
			t.Errorf("%v with id %q", got.Kind, id)
		}
		if strings.Contains(got.Reason, key) || len([]rune(got.Reason)) > 300 || strings.ContainsFunc(got.Reason, unicode.IsControl) {
			t.Errorf("reason %q", got.Reason)
		}
		if got.Err != nil && strings.Contains(got.Err.Error(), key) {
			t.Errorf("error %v", got.Err)
		}

		g, err := c.Get(t.Context(), key, "gen_1")
		if err == nil && (status < 200 || status > 299 || g.Status == "" || g.ID != "gen_1") {
			t.Errorf("status %d: %+v", status, g)
		}
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("get: error %v", err)
		}
	})
}
