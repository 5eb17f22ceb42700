package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/archive"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/videos"
	"github.com/clipqueue/clipqueue/shared/videos/s3test"
)

const key = "videos/2026/11/23/job-1.mp4"

// stored is what the table says of the small video.
func stored() job.Archive {
	video := fake.SmallVideo()
	sum := sha256.Sum256(video)
	return job.Archive{
		State: job.ArchiveStored, Bucket: s3test.Bucket, Key: key, Size: int64(len(video)),
		SHA256: hex.EncodeToString(sum[:]), ContentType: "video/mp4", At: now(),
	}
}

// wantStored checks that the small video lies in the bucket, once, and that table and event say so.
func (w *world) wantStored() {
	w.t.Helper()
	got := w.job("job-1").Archive
	got.At = now()
	if diff := cmp.Diff(stored(), got); diff != "" {
		w.t.Errorf("the job's archive differs (-want +got):\n%s", diff)
	}
	w.wantOwed("job-1", events.TypeArchived)
	o, _ := w.bucket.Object(key)
	if !bytes.Equal(o.Body, fake.SmallVideo()) || o.Tags["sha256"] != stored().SHA256 || o.ContentType != "video/mp4" ||
		o.Metadata["job-id"] != "job-1" || o.Metadata["generation-id"] != "gen_1" {
		w.t.Errorf("the object has %d bytes, %q, tags %v, metadata %v", len(o.Body), o.ContentType, o.Tags, o.Metadata)
	}
	if keys := w.bucket.Keys(); !slices.Equal(keys, []string{key}) || w.bucket.Unfinished() > 0 {
		w.t.Errorf("the bucket holds %v", keys)
	}
}

func TestAVideoComesHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	if w.receive(event("job-1"), 1) {
		t.Error("the message went back")
	}
	w.wantStored()
}

func TestFault30_TwiceCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	for n := range 3 {
		if w.receive(event("job-1"), n+1) {
			t.Error("the message went back")
		}
	}
	w.wantStored()
	if calls := w.bucket.Calls(); w.gets != 1 || len(calls) != 2 {
		t.Errorf("%d downloads and %v, want one of each", w.gets, calls)
	}
}

func TestFault30_TwiceAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	var ticks atomic.Int64
	w.clock = func() time.Time { return now().Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
	var together sync.WaitGroup
	together.Add(2)
	w.handler = func(rw http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait() // both are downloading
		serve(fake.SmallVideo())(rw, r)
	}
	h := w.handlerOf()
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if response, err := h.Handle(t.Context(), batch(1, event("job-1"))); err != nil || len(response.BatchItemFailures) > 0 {
				t.Errorf("%v, %v", response, err)
			}
		})
	}
	group.Wait()
	w.wantStored()
}

func TestKilledBetweenUploadAndWrite(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"not written": false, "written, answer lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.completed("job-1", w.vendor.URL+"/v.mp4")
			w.table.put, w.table.lost = errors.New("the table is down"), lost
			if !w.receive(event("job-1"), 1) {
				t.Error("the message did not go back")
			}
			w.table.put = nil
			if w.receive(event("job-1"), 2) {
				t.Error("the message went back again")
			}
			w.wantStored()
		})
	}
}

func TestFault30_ForGood(t *testing.T) {
	t.Parallel()
	html := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>"))
	}
	for name, tt := range map[string]struct {
		link    string // empty: the vendor's own
		handler http.HandlerFunc
		code    videos.Code
	}{
		"404":             {handler: answer(404), code: videos.NotFound},
		"410":             {handler: answer(410), code: videos.Gone},
		"HTML":            {handler: html, code: videos.WrongType},
		"too large":       {handler: serve(make([]byte, 1<<20+1)), code: videos.TooLarge},
		"a redirect home": {handler: http.RedirectHandler("https://127.0.0.1/", http.StatusFound).ServeHTTP, code: videos.ForbiddenAddress},
		"10 redirects":    {handler: http.RedirectHandler("/v.mp4", http.StatusFound).ServeHTTP, code: videos.TooManyRedirects},
		"http":            {link: "http://cdn.example.com/v.mp4", code: videos.NotHTTPS},
		"file":            {link: "file:///etc/passwd", code: videos.NotHTTPS},
		"not a URL":       {link: "a video", code: videos.BadURL},
		"user name":       {link: "https://a:b@cdn.example.com/", code: videos.BadURL},
		"metadata":        {link: "https://169.254.169.254/latest/meta-data/", code: videos.ForbiddenAddress},
		"IPv6 metadata":   {link: "https://[::ffff:169.254.169.254]/", code: videos.ForbiddenAddress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if tt.handler != nil {
				w.handler = tt.handler
			}
			if tt.link == "" {
				tt.link = w.vendor.URL + "/v.mp4"
			}
			w.completed("job-1", tt.link)
			for n := range 2 { // a repeat changes nothing
				if w.receive(event("job-1"), n+1) {
					t.Error("the message went back")
				}
			}
			a := w.job("job-1").Archive
			if a.State != job.ArchiveFailed || a.Code != string(tt.code) || a.Message == "" || !a.At.Equal(now()) || a.Key != "" {
				t.Errorf("got %+v, want it to fail as %s", a, tt.code)
			}
			w.wantOwed("job-1", events.TypeArchiveFailed)
			if keys := w.bucket.Keys(); len(keys) > 0 {
				t.Errorf("the bucket holds %v", keys)
			}
		})
	}
}

func TestFault30_ForNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	w.handler = answer(http.StatusServiceUnavailable)
	for n := 1; n <= 4; n++ {
		if !w.receive(event("job-1"), n) {
			t.Errorf("receive %d: the message did not go back", n)
		}
	}
	want := []time.Duration{5 * time.Second, 25 * time.Second, 125 * time.Second, 625 * time.Second}
	if !slices.Equal(w.delays, want) {
		t.Errorf("it went back for %v, want %v", w.delays, want)
	}
	if w.receive(event("job-1"), 5) {
		t.Error("it ends in the dead-letter queue, want it left to reconcile")
	}
	j := w.job("job-1")
	if j.Archive.State != job.ArchivePending || j.DueAt.IsZero() || len(j.Owed) > 0 {
		t.Errorf("the job is not left as it was: %+v, due %v", j.Archive, j.DueAt)
	}
	w.handler = serve(fake.SmallVideo())
	if w.receive(event("job-1"), 1) {
		t.Error("the message went back")
	}
	w.wantStored()
}

func TestFault30_DoubtfulBecomesFinal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	w.handler = answer(http.StatusForbidden)
	for n, back := range []bool{true, true, false} {
		if got := w.receive(event("job-1"), n+1); got != back {
			t.Errorf("receive %d: went back %v, want %v", n+1, got, back)
		}
	}
	if a := w.job("job-1").Archive; a.State != job.ArchiveFailed || a.Code != "forbidden" || !strings.Contains(a.Message, "403") {
		t.Errorf("got %+v", a)
	}
}

func TestFault30_TooSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Timeout = 50 * time.Millisecond
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	w.handler = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	if !w.receive(event("job-1"), 1) || w.job("job-1").Archive.State != job.ArchivePending {
		t.Errorf("the message did not go back, or the job moved: %+v", w.job("job-1").Archive)
	}
}

func TestFailuresOfOurOwnReachTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	denied := s3test.Faults(func(string) s3test.Fault { return s3test.Fault{Status: http.StatusForbidden} })
	w := newWorld(t, denied)
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	for n := 1; n <= 6; n++ {
		if !w.receive(event("job-1"), n) {
			t.Errorf("receive %d: the message did not go back", n)
		}
	}
	if w.job("job-1").Archive.State != job.ArchivePending {
		t.Errorf("got %+v", w.job("job-1").Archive)
	}
	w.table.get = errors.New("the table is down")
	if !w.receive(event("job-1"), 5) {
		t.Error("the table is down, and the message did not go back")
	}
}

func TestNothingToArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.completed("fault-23-no-url", "")
	for _, id := range []string{"fault-23-no-url", "unknown", "rejected"} {
		if w.receive(event(id), 1) {
			t.Errorf("%s: the message went back", id)
		}
	}
	if w.gets > 0 || len(w.bucket.Calls()) > 0 {
		t.Errorf("%d downloads, %v", w.gets, w.bucket.Calls())
	}
}

// TestFault35_LostMessage has reconcile notice, and the repeated event do it.
func TestFault35_LostMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.completed("job-1", w.vendor.URL+"/v.mp4")
	later := created().Add(time.Hour)
	if !w.settings.Rules.NeedsArchiving(j, later) {
		t.Fatal("no one notices")
	}
	again, err := w.settings.Rules.Apply(j, job.Republish{At: later})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.table.Put(t.Context(), again, j); err != nil {
		t.Fatal(err)
	}
	w.wantOwed("job-1", events.TypeCompleted)
	if w.receive(event("job-1"), 1) {
		t.Error("the message went back")
	}
	if diff := cmp.Diff(stored(), w.job("job-1").Archive); diff != "" {
		t.Errorf("the job's archive differs (-want +got):\n%s", diff)
	}
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../events/testdata/video-generation-completed.json")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for _, body := range []string{
		"", "null", "[]", "not JSON", "{}", event(""), strings.Replace(event("job-1"), "Completed", "Failed", 1),
		strings.Replace(event("job-1"), `"clipqueue"`, `"other"`, 1), strings.Replace(event("job-1"), `"job_id"`, `"Job_ID"`, 1),
		strings.Replace(event("job-1"), `"version"`, `"source":"other","version"`, 1), string(example) + "x",
	} {
		if !w.receive(body, 1) || !w.receive(body, 5) {
			t.Errorf("%.40q: the message did not go back", body)
		}
	}
	if w.receive(string(example), 1) {
		t.Error("the example of the event cannot be read")
	}
}

func TestTheOthersOfABatchGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.delayed = errors.New("the receipt has expired") // must not fail the batch
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	response, err := w.handlerOf().Handle(t.Context(), batch(1, "not JSON", event("job-1"), "not JSON"))
	if err != nil {
		t.Fatal(err)
	}
	var back []string
	for _, f := range response.BatchItemFailures {
		back = append(back, f.ItemIdentifier)
	}
	if !slices.Equal(back, []string{"message-0", "message-2"}) {
		t.Errorf("%v went back", back)
	}
	w.wantStored()
}

func TestNoTimeLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock = time.Now // as the context's
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	for _, tt := range []struct {
		left time.Duration
		back bool
	}{{time.Minute, true}, {75 * time.Second, true}, {90 * time.Second, false}} {
		ctx, cancel := context.WithTimeout(t.Context(), tt.left)
		response, err := w.handlerOf().Handle(ctx, batch(1, event("job-1")))
		cancel()
		if got := len(response.BatchItemFailures) > 0; err != nil || got != tt.back {
			t.Errorf("with %v left: went back %v, want %v; %v", tt.left, got, tt.back, err)
		}
	}
	if !slices.Equal(w.delays, []time.Duration{0, 0}) || w.gets != 1 {
		t.Errorf("it went back for %v, want at once; %d downloads", w.delays, w.gets)
	}
}

func TestPresignedLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.URLFor = time.Hour
	w.completed("job-1", w.vendor.URL+"/v.mp4")
	if w.receive(event("job-1"), 1) {
		t.Fatal("the message went back")
	}
	a := w.job("job-1").Archive
	if !a.URLExpiresAt.Equal(now().Add(time.Hour)) {
		t.Errorf("the link is said to end at %v", a.URLExpiresAt)
	}
	response, err := s3test.HTTPClient().Get(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only its status is looked at
	if response.StatusCode != http.StatusOK {
		t.Errorf("the link answers %s", response.Status)
	}
}

func TestNewNeedsEverything(t *testing.T) {
	t.Parallel()
	if _, err := archive.New(archive.Settings{Rules: job.DefaultRules(), Timeout: time.Minute}, archive.Deps{}); err == nil {
		t.Error("nothing to work with, and no error")
	}
	w := newWorld(t)
	h := w.handlerOf()
	for _, s := range []archive.Settings{{Rules: job.DefaultRules()}, {Timeout: time.Minute}} {
		if _, err := archive.New(s, h.Deps); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}
