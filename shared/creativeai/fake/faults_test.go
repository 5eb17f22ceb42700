package fake_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"2": "2", "0": "0", "-1": "-1", "huge": "315360000", "junk": "in a while", `"1; later"`: "1; later",
		"date:30s": "Sat, 01 Jan 2000 00:00:30 GMT", "date:-1h": "Fri, 31 Dec 1999 23:00:00 GMT",
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, func(c *fake.Config) { c.Scale = 0.01 })
				if got := b.submit("[fault: 503 retry-after=" + value + "]").header.Get("Retry-After"); got != want {
					t.Errorf("Retry-After: %q, want %q", got, want)
				}
			})
		})
	}
}

func TestAnswersByStatus(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"400", "401", "402", "403", "404", "405", "408", "409", "422", "425", "429", "500", "502", "503"} {
		for body, contentType := range map[string]string{
			"json": "application/json", "html": "text/html; charset=utf-8", "text": "text/plain; charset=utf-8", "empty": "",
		} {
			b := setup(t)
			a := b.submit("[fault: " + code + " body=" + body + "]")
			if a.header.Get("Content-Type") != contentType || (len(a.body) == 0) != (body == "empty") {
				t.Errorf("%s %s: %v %s", code, body, a.header, a.body)
			}
			if code != strconv.Itoa(a.status) {
				t.Errorf("%s %s: status %d", code, body, a.status)
			}
			b.wantAccepted(0)
		}
	}
	a := setup(t).submit("[fault: 307 location=https://other.example/v1]")
	if a.status != 307 || a.header.Get("Location") != "https://other.example/v1" {
		t.Errorf("redirect: %d %v", a.status, a.header)
	}
}

func TestFaultsOfAllRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(c *fake.Config) { c.Faults = []string{"503 prompt=dog times=1", "500 after=10s until=20s"} })
		wantStatus(t, b.submit("A cat"), http.StatusAccepted)
		wantStatus(t, b.submit("A dog"), http.StatusServiceUnavailable)
		wantStatus(t, b.submit("A dog"), http.StatusAccepted)
		time.Sleep(10 * time.Second)
		wantStatus(t, b.submit("A cat"), http.StatusInternalServerError)
		time.Sleep(10 * time.Second)
		wantStatus(t, b.submit("A cat"), http.StatusAccepted)
		if err := b.vendor.AddFaults("429", "get-500"); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, b.submit("A cat"), http.StatusTooManyRequests)
		if f := b.vendor.Faults(); len(f) != 4 || f[0].Fired != 1 || f[2].Text != "429" || f[2].Fired != 1 || f[3].Fired != 0 {
			t.Errorf("faults: %+v", f)
		}
		b.vendor.ClearFaults()
		wantStatus(t, b.submit("A cat"), http.StatusAccepted)
	})
}

func TestChanceFollowsTheSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		b := setup(t, func(c *fake.Config) { c.Seed, c.Faults = seed, []string{"500 p=0.3"} })
		var got strings.Builder
		for range 200 {
			got.WriteString(strconv.Itoa(b.submit("A dog").status)[:1])
		}
		return got.String()
	}
	first := run(1)
	if n := strings.Count(first, "5"); n < 30 || n > 90 {
		t.Errorf("struck %d times of 200, want about 60", n)
	}
	if first != run(1) || first == run(2) {
		t.Error("the same seed must do the same, another something else")
	}
}

func TestDirectivesThatAreNotUnderstood(t *testing.T) {
	t.Parallel()
	vendor := setup(t).vendor
	for text, want := range map[string]string{
		"":                              "names none",
		"nonsense":                      `no fault "nonsense"`,
		"NNN":                           `no fault "NNN"`,
		"200":                           `no fault "200"`,
		"600":                           `no fault "600"`,
		"callback-404":                  `no fault "callback-404"`,
		"429 after-retry=2":             "429 has no argument \"after-retry\"; it has retry-after",
		"429 times=x":                   "times of 429",
		"429 times=-1":                  "times of 429",
		"429 p=often":                   "p of 429",
		"429 body=xml":                  `"xml" is none of json|html|text|empty`,
		"slow for=5":                    "for of slow",
		"slow for=-5s":                  "is negative",
		"cut-body at=x%":                "at of cut-body",
		"video-large size=5 GB":         `no argument "GB"`,
		"video-large size=5PB":          "no size such as",
		"fail message=\"x":              "no ] ends",
		"429] and more":                 "follows the end",
		"callback-signature with=none,": "is none of right|",
	} {
		err := vendor.AddFaults(text)
		if !errors.Is(err, fake.ErrDirective) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if f := vendor.Faults(); len(f) != 0 {
		t.Errorf("added: %+v", f)
	}
}

func TestDirectivesThatAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"429", "[fault: 429 times=3]", "  429\ttimes=3 ", `fail message="a \"quoted\" ] word"`, "video-large size=64KB",
		"video-length by=-100", "cut-body at=7", "get-slow for=1m30s p=0.5 after=1s until=2s prompt=x",
	} {
		if err := setup(t).vendor.AddFaults(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A prompt without a directive, whatever else stands in it, is accepted unless it is blank; one
// with a directive never brings the vendor down.
func FuzzPrompt(f *testing.F) {
	f.Add("A dog on a beach")
	f.Add("A dog [fault: 429 retry-after=2 times=3]")
	f.Add(`[fault: fail message="no ] here"] [fault: never]`)
	f.Add("[fault:")
	f.Add("[fault: cut\\]")
	f.Fuzz(func(t *testing.T, prompt string) {
		b := setup(t, func(c *fake.Config) { c.Scale = 1e-9 })
		prompt = strings.ToValidUTF8(prompt, "?")
		a := b.submit(prompt)
		asked := strings.Contains(prompt, "[fault:")
		switch {
		case a.status == http.StatusAccepted, asked:
		case a.status == http.StatusUnprocessableEntity && strings.TrimSpace(prompt) == "":
		default:
			t.Errorf("%q: %d %s %v", prompt, a.status, a.body, a.err)
		}
	})
}
