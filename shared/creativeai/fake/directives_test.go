package fake_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

// wantStatus checks an answer's status; 0 is none.
func wantStatus(t *testing.T, a reply, want int) {
	t.Helper()
	if a.status != want {
		t.Errorf("answer: %d %.80q %v, want %d", a.status, a.body, a.err, want)
	}
}

func wantErr(t *testing.T, a reply, want error) {
	t.Helper()
	if !errors.Is(a.err, want) {
		t.Errorf("answer: %d, error %v, want %v", a.status, a.err, want)
	}
}

func (b *bench) wantAccepted(want int) {
	b.t.Helper()
	if got := len(b.vendor.Ledger().Generations); got != want {
		b.t.Errorf("%d accepted, want %d", got, want)
	}
}

// callbacks ends the generation of a prompt, lets a minute pass and returns what the receiver got.
func (b *bench) callbacks(prompt string) []callback {
	b.t.Helper()
	b.vendor.Finish(b.accept(prompt))
	time.Sleep(time.Minute)
	synctest.Wait()
	return b.receiver.all()
}

func (b *bench) oneCallback(prompt string) callback {
	b.t.Helper()
	got := b.callbacks(prompt)
	if len(got) != 1 {
		b.t.Fatalf("%d callbacks, want 1", len(got))
	}
	return got[0]
}

// polled returns the answer to a poll of a generation with this prompt.
func (b *bench) polled(prompt string) reply {
	b.t.Helper()
	return b.get(b.accept(prompt))
}

// took measures, in virtual time.
func took(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

func wantTook(t *testing.T, got, want time.Duration) {
	t.Helper()
	if got != want {
		t.Errorf("took %s, want %s", got, want)
	}
}

// directiveTests has a test for each directive; TestEveryDirective fails if one is missing.
func directiveTests() map[string]func(*bench) {
	tests := make(map[string]func(*bench))
	for _, some := range []map[string]func(*bench){
		submitTests(), courseTests(), getTests(), callbackTests(), videoTests(),
	} {
		maps.Copy(tests, some)
	}
	return tests
}

func TestEveryDirective(t *testing.T) {
	t.Parallel()
	tests := directiveTests()
	page, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range fake.Directives() {
		test, found := tests[d.Name]
		if !found {
			t.Errorf("no test of %s", d.Name)
			continue
		}
		if !strings.Contains(string(page), d.Name) {
			t.Errorf("the package comment does not name %s", d.Name)
		}
		for _, a := range d.Arguments {
			if !strings.Contains(string(page), a.Name+"=") {
				t.Errorf("the package comment does not name %s= of %s", a.Name, d.Name)
			}
		}
		delete(tests, d.Name)
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(setup(t)) })
		})
	}
	for name := range tests {
		t.Errorf("a test of %s, which is no directive", name)
	}
}

func submitTests() map[string]func(*bench) {
	return map[string]func(*bench){
		"NNN": func(b *bench) {
			prompt := "A dog [fault: 429 retry-after=2 times=2]"
			for range 2 {
				a := b.submit(prompt)
				wantStatus(b.t, a, http.StatusTooManyRequests)
				if a.header.Get("Retry-After") != "2" || !bytes.Contains(a.body, []byte(`"error"`)) {
					b.t.Errorf("answer: %v %s", a.header, a.body)
				}
			}
			b.wantAccepted(0)
			wantStatus(b.t, b.submit(prompt), http.StatusAccepted)
			wantStatus(b.t, b.submit("A cat [fault: 503 accepted=yes body=empty]"), http.StatusServiceUnavailable)
			b.wantAccepted(2)
		},
		"html": func(b *bench) {
			a := b.submit("A dog [fault: html]")
			wantStatus(b.t, a, http.StatusOK)
			if !bytes.HasPrefix(a.body, []byte("<!DOCTYPE html>")) || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
				b.t.Errorf("answer: %v %s", a.header, a.body)
			}
			b.wantAccepted(0)
			wantStatus(b.t, b.submit("A cat [fault: html status=202 accepted=yes]"), http.StatusAccepted)
			b.wantAccepted(1)
		},
		"cut": func(b *bench) {
			wantErr(b.t, b.submit("A dog [fault: cut]"), io.EOF)
			wantErr(b.t, b.submit("A dog [fault: cut how=reset]"), syscall.ECONNRESET)
			b.wantAccepted(0)
			wantErr(b.t, b.submit("A dog [fault: cut accepted=yes]"), io.EOF)
			b.wantAccepted(1)
		},
		"lost-answer": func(b *bench) {
			wantErr(b.t, b.submit("A dog [fault: lost-answer]"), io.EOF)
			wantErr(b.t, b.submit("A cat [fault: lost-answer how=reset]"), syscall.ECONNRESET)
			b.wantAccepted(2)
		},
		"cut-body": func(b *bench) {
			a := b.submit("A dog [fault: cut-body at=10]")
			wantErr(b.t, a, io.ErrUnexpectedEOF)
			if a.status != http.StatusAccepted || len(a.body) != 10 {
				b.t.Errorf("answer: %d %q, want 202 and 10 bytes", a.status, a.body)
			}
			b.wantAccepted(1)
		},
		"slow": func(b *bench) {
			wantTook(b.t, took(func() { b.accept("A dog [fault: slow for=7s]") }), 7*time.Second)
			ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
			defer cancel()
			a := b.do(ctx, http.MethodPost, submitPath, submission(b.t, "A cat [fault: slow for=7s]", webhook))
			wantErr(b.t, a, context.DeadlineExceeded)
			b.wantAccepted(1)
			time.Sleep(6 * time.Second)
			synctest.Wait()
			b.wantAccepted(2) // a vendor does not stop for a client that gave up
		},
		"drip": func(b *bench) {
			a := b.submit("A dog")
			drops := time.Duration(len(a.body)+len("[fault: drip every=1s bytes=10] ")) / 10
			if got := took(func() { b.accept("A dog [fault: drip every=1s bytes=10]") }); got < (drops-5)*time.Second {
				b.t.Errorf("took %s, want about %d drops of a second", got, drops)
			}
		},
		"answer": func(b *bench) {
			wantStatus(b.t, b.submit("[fault: answer status=200]"), http.StatusOK)
			ids := map[string]string{"empty": "", "null": "null", "number": "12345", "object": `{"id":"gen_1"}`}
			for id, want := range ids {
				wantField(b.t, b.submit("[fault: answer id="+id+"]").body, "id", want)
			}
			if _, found := fields(b.t, b.submit("[fault: answer id=none]").body)["id"]; found {
				b.t.Error("id=none has an id")
			}
			if id := fields(b.t, b.submit("[fault: answer id=huge]").body)["id"]; len(id) < 64<<10 {
				b.t.Errorf("id=huge has %d bytes", len(id))
			}
			for body, want := range map[string]string{"empty": "", "array": "[{", "junk": `{"id": "gen_`} {
				if a := b.submit("[fault: answer body=" + body + "]"); !strings.HasPrefix(string(a.body), want) || a.status != 202 {
					b.t.Errorf("body=%s: %d %s", body, a.status, a.body)
				}
			}
			b.wantAccepted(10)
		},
		"same-id": func(b *bench) {
			if first, second := b.accept("A dog"), b.accept("A cat [fault: same-id]"); first != second {
				b.t.Errorf("ids %s and %s differ", first, second)
			}
			b.wantAccepted(2)
		},
		"refuse": func(b *bench) {
			wantErr(b.t, b.submit("A dog [fault: refuse times=1]"), syscall.ECONNREFUSED)
			if n := len(b.vendor.Ledger().Requests); n != 0 {
				b.t.Errorf("%d requests arrived", n)
			}
			b.accept("A dog [fault: refuse times=1]")
		},
	}
}

func courseTests() map[string]func(*bench) {
	return map[string]func(*bench){
		"fail": func(b *bench) {
			c := b.oneCallback("A dog [fault: fail message=blurred]")
			wantField(b.t, c.body, "status", "failed")
			wantField(b.t, c.body, "error_message", "blurred")
			wantField(b.t, c.body, "output_url", "null")
			if got := c.header.Get("X-CreativeAI-Event"); got != "video.generation.completed" {
				b.t.Errorf("event %q", got)
			}
		},
		"failover": func(b *bench) {
			a := b.submit("A dog [fault: failover model=other-1]")
			wantField(b.t, a.body, "failover_used", "true")
			wantField(b.t, a.body, "model_actual", "other-1")
			wantField(b.t, a.body, "model", "auto")
		},
		"takes": func(b *bench) {
			b.accept("A dog [fault: takes for=90s]")
			time.Sleep(91 * time.Second)
			synctest.Wait()
			if g := b.vendor.Ledger().Generations[0]; g.CompletedAt.Sub(g.AcceptedAt) != 90*time.Second {
				b.t.Errorf("took from %s to %s", g.AcceptedAt, g.CompletedAt)
			}
		},
		"never": func(b *bench) {
			id := b.accept("A dog [fault: never]")
			time.Sleep(10 * time.Hour)
			synctest.Wait()
			wantField(b.t, b.get(id).body, "status", "processing")
			if !b.vendor.Finish(id) || b.vendor.Finish(id) {
				b.t.Error("Finish must end it, once")
			}
			wantField(b.t, b.get(id).body, "status", "completed")
		},
		"output": func(b *bench) {
			for url, want := range map[string]string{
				"null": "null", "empty": "", "relative": "/videos/", "http": "http://videos.", "file": "file:///",
				"junk": "not a URL", "https://127.0.0.1/x.mp4": "https://127.0.0.1/x.mp4",
			} {
				id := b.accept("A dog [fault: output url=" + url + "]")
				b.vendor.Finish(id)
				if got := fields(b.t, b.get(id).body)["output_url"]; !strings.HasPrefix(got, want) || (want == "" && got != "") {
					b.t.Errorf("output url=%s: %q, want %q", url, got, want)
				}
			}
		},
		"callback-early": func(b *bench) {
			answered := false
			b.receiver.answer = func(int, *http.Request) (int, error) {
				if answered {
					b.t.Error("the submission was answered before the callback came")
				}
				return http.StatusOK, nil
			}
			id := b.accept("A dog [fault: callback-early]")
			answered = true
			if got := b.receiver.all(); len(got) != 1 || got[0].field(b.t, "id") != id {
				b.t.Errorf("%d callbacks", len(got))
			}
		},
	}
}

func getTests() map[string]func(*bench) {
	return map[string]func(*bench){
		"get-NNN": func(b *bench) {
			id := b.accept("A dog [fault: get-404 until=20s] [fault: get-503 after=20s until=30s retry-after=1]")
			wantStatus(b.t, b.get(id), http.StatusNotFound)
			time.Sleep(20 * time.Second)
			wantStatus(b.t, b.get(id), http.StatusServiceUnavailable)
			time.Sleep(10 * time.Second)
			wantStatus(b.t, b.get(id), http.StatusOK)
		},
		"get-html":     func(b *bench) { wantStatus(b.t, b.polled("[fault: get-html status=502]"), 502) },
		"get-cut":      func(b *bench) { wantErr(b.t, b.polled("[fault: get-cut]"), io.EOF) },
		"get-cut-body": func(b *bench) { wantErr(b.t, b.polled("[fault: get-cut-body]"), io.ErrUnexpectedEOF) },
		"get-slow": func(b *bench) {
			wantTook(b.t, took(func() { b.polled("[fault: get-slow for=3s]") }), 3*time.Second)
		},
		"get-drip": func(b *bench) {
			if got := took(func() { b.polled("[fault: get-drip]") }); got < 200*time.Second {
				b.t.Errorf("took %s for a byte a second", got)
			}
		},
		"get-status": func(b *bench) {
			wantField(b.t, b.polled("[fault: get-status is=archived]").body, "status", "archived")
		},
		"get-field": func(b *bench) {
			a := b.polled(`[fault: get-field name=credits value="\"many\""] [fault: get-field name=model]`)
			wantField(b.t, a.body, "credits", "many")
			if _, found := fields(b.t, a.body)["model"]; found {
				b.t.Errorf("model is still in %s", a.body)
			}
		},
		"get-duplicate-name": func(b *bench) {
			a := b.polled("[fault: get-duplicate-name name=STATUS]")
			if !bytes.HasSuffix(a.body, []byte(`,"STATUS":"failed"}`)) {
				b.t.Errorf("body: %s", a.body)
			}
		},
	}
}

func callbackTests() map[string]func(*bench) {
	return map[string]func(*bench){
		"callback-late": func(b *bench) {
			id := b.accept("A dog [fault: callback-late for=40s]")
			b.vendor.Finish(id)
			wantField(b.t, b.get(id).body, "status", "completed")
			time.Sleep(39 * time.Second)
			synctest.Wait()
			if n := len(b.receiver.all()); n != 0 {
				b.t.Errorf("%d callbacks before its time", n)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if n := len(b.receiver.all()); n != 1 {
				b.t.Errorf("%d callbacks at its time", n)
			}
		},
		"callback-lost": func(b *bench) {
			c := b.oneCallback("A dog [fault: callback-lost times=2]")
			if l := b.vendor.Ledger(); len(l.Attempts) != 3 || c.at.Sub(l.Attempts[0].At) != 30*time.Second {
				b.t.Errorf("attempts: %+v", l.Attempts)
			}
		},
		"callback-double": func(b *bench) {
			got := b.callbacks("A dog [fault: callback-double n=3 gap=4s]")
			if len(got) != 3 || !bytes.Equal(got[0].body, got[2].body) || got[2].at.Sub(got[0].at) != 8*time.Second {
				b.t.Errorf("%d callbacks: %v", len(got), got)
			}
		},
		"callback-contradict": func(b *bench) {
			got := b.callbacks("A dog [fault: callback-contradict gap=5s] [fault: fail]")
			if len(got) != 2 || !got[1].signedBy(key) {
				b.t.Fatalf("%d callbacks: %v", len(got), got)
			}
			wantField(b.t, got[0].body, "status", "failed")
			wantField(b.t, got[1].body, "status", "completed")
			wantField(b.t, got[1].body, "error_message", "null")
		},
		"callback-forged": func(b *bench) {
			got := b.callbacks("A dog [fault: callback-forged with=none n=2]")
			if len(got) != 3 {
				b.t.Fatalf("%d callbacks", len(got))
			}
			wantField(b.t, got[0].body, "status", "failed")
			if _, signed := got[1].header["X-Creativeai-Signature"]; signed {
				b.t.Error("with=none is signed")
			}
			if !got[2].signedBy(key) || got[2].field(b.t, "status") != "completed" {
				b.t.Error("the true one must follow")
			}
		},
		"callback-signature": testSignings,
		"callback-altered": func(b *bench) {
			for i, how := range []string{"byte", "newline", "bom", "space"} {
				got := b.callbacks("A dog [fault: callback-altered times=1 how=" + how + "]")
				if len(got) != i+1 || got[i].signedBy(key) {
					b.t.Errorf("%s: %d callbacks, the last one signed over its very body", how, len(got))
				}
			}
		},
		"callback-body": func(b *bench) {
			for i, is := range []string{"empty", "junk", "array", "bom", "newline", "utf8", "large", "null"} {
				got := b.callbacks("A dog [fault: callback-body is=" + is + "]")
				if len(got) != i+1 || !got[i].signedBy(key) {
					b.t.Fatalf("%s: %d callbacks, the last one not rightly signed", is, len(got))
				}
				if bytes.HasPrefix(got[i].body, []byte(`{"id":"gen_`)) && is != "newline" && is != "utf8" && is != "large" {
					b.t.Errorf("%s: %.80q", is, got[i].body)
				}
			}
		},
		"callback-misdirected": func(b *bench) {
			b.do(b.t.Context(), http.MethodPost, submitPath, submission(b.t, "A cat [fault: never]", webhook+"-of-the-other"))
			if c := b.oneCallback("A dog [fault: callback-misdirected]"); c.url != webhook+"-of-the-other" {
				b.t.Errorf("went to %s", c.url)
			}
			got := b.callbacks("A dog [fault: callback-misdirected to=/webhooks/x/../y]")
			if want := "https://receiver.example/webhooks/y"; got[1].url != want {
				b.t.Errorf("went to %s, want %s", got[1].url, want)
			}
		},
		"callback-field": func(b *bench) {
			wantField(b.t, b.oneCallback("[fault: callback-field name=credits value=12.5]").body, "credits", "12.5")
		},
		"callback-duplicate-name": func(b *bench) {
			c := b.oneCallback("[fault: callback-duplicate-name]")
			if !bytes.HasSuffix(c.body, []byte(`,"status":"failed"}`)) || !c.signedBy(key) {
				b.t.Errorf("body: %s", c.body)
			}
		},
	}
}

// testSignings holds each way to sign against the right one, which TestSignatureVectors pins.
func testSignings(b *bench) {
	b.vendor.SetKeys(key, "the-one-before")
	right := func(c callback) string { return fake.Signature(c.body, key) }
	tests := map[string]func(c callback) []string{
		"right":        func(c callback) []string { return []string{right(c)} },
		"current-key":  func(c callback) []string { return []string{right(c)} },
		"previous-key": func(c callback) []string { return []string{fake.Signature(c.body, "the-one-before")} },
		"empty-key":    func(c callback) []string { return []string{fake.Signature(c.body, "")} },
		"none":         func(callback) []string { return nil },
		"upper":        func(c callback) []string { return []string{"sha256=" + strings.ToUpper(right(c)[7:])} },
		"bare":         func(c callback) []string { return []string{right(c)[7:]} },
		"spaces":       func(c callback) []string { return []string{"sha256= " + right(c)[7:]} },
		"short":        func(c callback) []string { return []string{right(c)[:69]} },
		"odd":          func(c callback) []string { return []string{right(c)[:70]} },
		"twice":        func(c callback) []string { return []string{right(c), right(c)} },
		"comma":        func(c callback) []string { return []string{right(c) + ", " + right(c)} },
		"wrong":        nil,
		"other-key":    nil,
		"sha1":         nil,
	}
	for _, how := range signings(b.t) {
		want, found := tests[how]
		if !found {
			b.t.Errorf("no test of signature %s", how)
			continue
		}
		before := len(b.receiver.all())
		c := b.callbacks("A dog [fault: callback-signature with=" + how + "]")[before]
		got := c.header["X-Creativeai-Signature"]
		switch {
		case want != nil && strings.Join(got, "|") != strings.Join(want(c), "|"):
			b.t.Errorf("%s: %q, want %q", how, got, want(c))
		case want == nil && (len(got) != 1 || got[0] == right(c)):
			b.t.Errorf("%s: %q is right", how, got)
		case how == "sha1" && !strings.HasPrefix(got[0], "sha1="):
			b.t.Errorf("sha1: %q", got)
		}
	}
}

func signings(t *testing.T) []string {
	t.Helper()
	for _, d := range fake.Directives() {
		if d.Name == "callback-signature" {
			return strings.Split(d.Arguments[0].Kind, "|")
		}
	}
	t.Fatal("no callback-signature")
	return nil
}

func videoTests() map[string]func(*bench) {
	small := fake.SmallVideo()
	return map[string]func(*bench){
		"video-NNN": func(b *bench) {
			path := b.completed("A dog [fault: video-404 after=10s]")
			wantStatus(b.t, b.download(path), http.StatusOK)
			time.Sleep(10 * time.Second)
			wantStatus(b.t, b.download(path), http.StatusNotFound)
		},
		"video-html": func(b *bench) {
			a := b.video("[fault: video-html type=video/mp4]")
			if a.status != 200 || a.header.Get("Content-Type") != "video/mp4" || !bytes.HasPrefix(a.body, []byte("<!")) {
				b.t.Errorf("answer: %d %v %s", a.status, a.header, a.body)
			}
		},
		"video-cut": func(b *bench) { wantErr(b.t, b.video("[fault: video-cut]"), io.EOF) },
		"video-cut-body": func(b *bench) {
			path := b.completed("[fault: video-cut-body at=99% times=1]")
			a := b.download(path)
			wantErr(b.t, a, io.ErrUnexpectedEOF)
			if len(a.body) == 0 || len(a.body) >= len(small) {
				b.t.Fatalf("%d bytes of %d", len(a.body), len(small))
			}
			rest := b.download(path, "Range", "bytes="+strconv.Itoa(len(a.body))+"-", "If-Range", a.header.Get("ETag"))
			if rest.status != http.StatusPartialContent || !bytes.Equal(append(a.body, rest.body...), small) {
				b.t.Errorf("resumed: %d, %d bytes", rest.status, len(rest.body))
			}
		},
		"video-slow": func(b *bench) {
			wantTook(b.t, took(func() { b.video("[fault: video-slow for=9s]") }), 9*time.Second)
		},
		"video-drip": func(b *bench) {
			want := time.Duration(len(small)) * time.Second
			wantTook(b.t, took(func() { b.video("[fault: video-drip]") }), want)
		},
		"video-redirect": func(b *bench) {
			wantHops(b, "[fault: video-redirect hops=20]", 20, "")
			wantHops(b, "[fault: video-redirect hops=3 status=307 to=http://169.254.169.254/latest]", 3, "http://169.254.169.254/latest")
		},
		"video-type": func(b *bench) {
			for is, want := range map[string]string{"text/plain": "text/plain", "none": ""} {
				if a := b.video("[fault: video-type is=" + is + "]"); a.header.Get("Content-Type") != want || !bytes.Equal(a.body, small) {
					b.t.Errorf("type is=%s: %v", is, a.header)
				}
			}
		},
		"video-no-range": func(b *bench) {
			a := b.video("[fault: video-no-range]", "Range", "bytes=5-")
			if a.status != 200 || a.header.Get("Accept-Ranges") != "" || !bytes.Equal(a.body, small) {
				b.t.Errorf("answer: %d %v", a.status, a.header)
			}
		},
		"video-length": func(b *bench) {
			wantErr(b.t, b.video("[fault: video-length by=100]"), io.ErrUnexpectedEOF)
			if a := b.video("[fault: video-length by=-100]"); a.err != nil || len(a.body) != len(small)-100 {
				b.t.Errorf("answer: %d bytes, %v", len(a.body), a.err)
			}
		},
		"video-large": func(b *bench) {
			a := b.video("[fault: video-large size=1MB]")
			if len(a.body) != 1e6 || a.header.Get("Content-Length") != "1000000" || !bytes.HasPrefix(a.body, small) {
				b.t.Errorf("answer: %d bytes, %v", len(a.body), a.header)
			}
			if a := b.video("[fault: video-large size=5GB]", "Range", "bytes=4999999998-"); a.status != 206 || len(a.body) != 2 {
				b.t.Errorf("the end of 5 GB: %d, %d bytes", a.status, len(a.body))
			}
		},
		"video-endless":   testEndless,
		"video-gzip-bomb": testBomb,
		"video-changing": func(b *bench) {
			path := b.completed("[fault: video-changing]")
			one, two := b.download(path), b.download(path)
			if bytes.Equal(one.body, two.body) || one.header.Get("ETag") == two.header.Get("ETag") {
				b.t.Error("two requests got the same")
			}
		},
	}
}

func testEndless(b *bench) {
	path := b.completed("[fault: video-endless]")
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, response.Body, 10<<20); err != nil || response.ContentLength != -1 {
		b.t.Errorf("%d bytes of length %d, %v", n, response.ContentLength, err)
	}
	if err := response.Body.Close(); err != nil { // and the vendor ends, or the bubble would not
		b.t.Error(err)
	}
}

func testBomb(b *bench) {
	a := b.video("[fault: video-gzip-bomb size=20MB]")
	if a.header.Get("Content-Encoding") != "gzip" || len(a.body) > 100<<10 {
		b.t.Fatalf("%d bytes, %v", len(a.body), a.header)
	}
	unpack, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		b.t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, unpack); err != nil || n < 20e6 {
		b.t.Errorf("unpacks to %d bytes, %v", n, err)
	}
}

// wantHops follows redirects by hand, to the video (end "") or to what it must not follow.
func wantHops(b *bench, prompt string, hops int, end string) {
	b.t.Helper()
	path := b.completed(prompt)
	for i := range hops {
		a := b.download(path)
		if a.status < 300 || a.status > 399 {
			b.t.Fatalf("hop %d of %d: %d", i+1, hops, a.status)
		}
		path = a.header.Get("Location")
	}
	if end == "" {
		wantStatus(b.t, b.download(path), http.StatusOK)
	} else if path != end {
		b.t.Errorf("the last one goes to %s, want %s", path, end)
	}
}
