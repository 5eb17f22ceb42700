package videos_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/videos"
)

// hops redirects so many times within the host, then serves the video.
func hops(n int, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		done, _ := strconv.Atoi(r.URL.Query().Get("hop"))
		if done == n {
			serve(mp4())(w, r)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		w.Header().Set("Location", fmt.Sprintf("?hop=%d", done+1))
		w.WriteHeader(code)
	}
}

func TestFault30_FewRedirects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer goodbyes()
		for _, code := range []int{301, 302, 303, 307, 308} {
			n := newInternet(t, hops(5, code))
			if _, body, err := drain(t.Context(), n.fetcher(), link); err != nil || len(body) != len(mp4()) {
				t.Errorf("%d: %d bytes, %v", code, len(body), err)
			}
		}
		for _, many := range []int{6, 10, 20, 1 << 30} {
			n := newInternet(t, hops(many, http.StatusFound))
			_, err := n.fetcher().Fetch(t.Context(), link)
			wantProblem(t, err, videos.TooManyRedirects, videos.Final)
			if len(n.seen()) != 6 {
				t.Errorf("%d hops: %d requests, want 6", many, len(n.seen()))
			}
		}
	})
}

func TestFault30_RedirectsThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer goodbyes()
		for to, code := range map[string]videos.Code{
			"http://cdn.example.com/v.mp4":         videos.NotHTTPS,
			"file:///etc/passwd":                   videos.NotHTTPS,
			"ftp://cdn.example.com/v.mp4":          videos.NotHTTPS,
			"https://127.0.0.1/v.mp4":              videos.ForbiddenAddress,
			"//127.0.0.1/v.mp4":                    videos.ForbiddenAddress,
			"https://[::1]/v.mp4":                  videos.ForbiddenAddress,
			"https://2852039166/latest/meta-data/": videos.ForbiddenAddress,
			"https://[::ffff:169.254.169.254]/":    videos.ForbiddenAddress,
			"https://inside.example.com/v.mp4":     videos.ForbiddenAddress,
			"https://metadata.example.com/v.mp4":   videos.ForbiddenAddress,
			"https://cdn.example.com:8443/v.mp4":   videos.ForbiddenAddress,
			"https://a:b@cdn.example.com/v.mp4":    videos.BadURL,
			"https://cdn.example.com/%zz":          videos.BadURL,
			"https://[::1/":                        videos.BadURL,
		} {
			n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
			})
			n.names["inside.example.com"] = []string{"10.0.0.1"}
			n.names["metadata.example.com"] = []string{"169.254.169.254"}
			_, err := n.fetcher().Fetch(t.Context(), link)
			t.Log(to)
			wantProblem(t, err, code, videos.Final)
			if len(n.seen()) != 1 {
				t.Errorf("%s: %d requests arrived, want 1", to, len(n.seen()))
			}
		}
		n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) })
		_, err := n.fetcher().Fetch(t.Context(), link)
		wantProblem(t, err, videos.Unavailable, videos.Passing)
	})
}

func TestNothingIsToldToServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer goodbyes()
		n := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "cdn.example.com" {
				http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
				http.Redirect(w, r, "https://www.example.com/v.mp4", http.StatusFound)
				return
			}
			serve(mp4())(w, r)
		})
		if _, _, err := drain(t.Context(), n.fetcher(), link); err != nil {
			t.Fatal(err)
		}
		allowed := map[string]bool{"User-Agent": true, "Accept": true, "Accept-Encoding": true, "Connection": true}
		for _, r := range n.seen() {
			for name := range r.Header {
				if !allowed[name] {
					t.Errorf("%s was sent %s", r.Host, name)
				}
			}
			if r.Method != http.MethodGet || r.Header.Get("Accept-Encoding") != "identity" || r.UserAgent() != "clipqueue/test" {
				t.Errorf("%s got %s, %v", r.Host, r.Method, r.Header)
			}
		}
		if len(n.seen()) != 2 {
			t.Errorf("%d requests, want 2", len(n.seen()))
		}
	})
}

// TestTrustedOriginIsTheOnlyExemption uses real sockets: a local vendor is one.
func TestTrustedOriginIsTheOnlyExemption(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(serve(mp4()))
	defer other.Close()
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/v.mp4", http.StatusFound)
		default:
			serve(mp4())(w, r)
		}
	}))
	defer vendor.Close()
	fetcher := func(trusted string) *videos.Fetcher {
		f, err := videos.NewFetcher(videos.Settings{MaxBytes: 1 << 20, Now: time.Now, TrustedOrigin: trusted})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, path := range []string{"/v.mp4", "/here"} {
		if _, body, err := drain(t.Context(), fetcher(vendor.URL), vendor.URL+path); err != nil || len(body) != len(mp4()) {
			t.Errorf("%s: %d bytes, %v", path, len(body), err)
		}
	}
	_, err := fetcher(vendor.URL).Fetch(t.Context(), vendor.URL+"/elsewhere")
	wantProblem(t, err, videos.NotHTTPS, videos.Final)
	_, err = fetcher(vendor.URL).Fetch(t.Context(), other.URL)
	wantProblem(t, err, videos.NotHTTPS, videos.Final)
	_, err = fetcher("").Fetch(t.Context(), vendor.URL)
	wantProblem(t, err, videos.NotHTTPS, videos.Final)
}
