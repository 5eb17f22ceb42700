package videos_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/videos"
	"github.com/clipqueue/clipqueue/shared/videos/s3test"
)

const key = "videos/2026/11/24/job-1.mp4"

func bucketOf(t *testing.T, s *s3test.Server) *videos.Bucket {
	t.Helper()
	b, err := videos.NewBucket(s3test.Client(s.URL), s3test.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func object(size int) videos.Object {
	return videos.Object{Key: key, ContentType: "video/mp4", JobID: "job-1", GenerationID: "gen_1", Size: int64(size)}
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// wantObject checks that exactly this video lies in the bucket, and nothing of another upload.
func wantObject(t *testing.T, s *s3test.Server, body []byte) {
	t.Helper()
	got, _ := s.Object(key)
	if !bytes.Equal(got.Body, body) {
		t.Errorf("the object's %d bytes are not the video's %d", len(got.Body), len(body))
	}
	got.Body = nil
	want := s3test.Object{
		Size: int64(len(body)), SHA256: hashOf(body), ContentType: "video/mp4",
		Metadata: map[string]string{"job-id": "job-1", "generation-id": "gen_1"},
		Tags:     map[string]string{"sha256": hashOf(body)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the object differs (-want +got):\n%s", diff)
	}
	if keys := s.Keys(); len(keys) != 1 {
		t.Errorf("the bucket holds %v", keys)
	}
}

func wantNothingUnfinished(t *testing.T, s *s3test.Server) {
	t.Helper()
	if n := s.Unfinished(); n > 0 {
		t.Errorf("%d uploads are unfinished", n)
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	const part = 8 << 20
	for name, tt := range map[string]struct {
		size  int
		calls string
	}{
		"small":         {100_000, "PutObject PutObjectTagging"},
		"one part less": {part - 1, "PutObject PutObjectTagging"},
		"one part":      {part, "CreateMultipartUpload UploadPart CompleteMultipartUpload PutObjectTagging"},
		"large":         {2*part + 1, "CreateMultipartUpload UploadPart UploadPart UploadPart CompleteMultipartUpload PutObjectTagging"},
	} {
		for _, known := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := s3test.New(t)
				body := long(t, int64(tt.size))
				o := object(tt.size)
				if !known {
					o.Size = -1
				}
				got, err := bucketOf(t, s).Put(t.Context(), o, iotest.HalfReader(bytes.NewReader(body)))
				want := videos.Stored{Bucket: s3test.Bucket, Key: key, ContentType: "video/mp4", Size: int64(tt.size), SHA256: hashOf(body)}
				if err != nil || got != want {
					t.Fatalf("got %+v, %v", got, err)
				}
				wantObject(t, s, body)
				wantNothingUnfinished(t, s)
				if calls := strings.Join(s.Calls(), " "); calls != tt.calls {
					t.Errorf("calls: %s", calls)
				}
			})
		}
	}
}

// broken brings part of a video, and then a problem.
func broken(body []byte, err error) io.Reader {
	return io.MultiReader(bytes.NewReader(body), iotest.ErrReader(err))
}

func TestFault30_NoHalfObject(t *testing.T) {
	t.Parallel()
	problem := &videos.Problem{Code: videos.WrongLength, Message: "cut"}
	for name, size := range map[string]int64{"small": 100_000, "large": 20 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s3test.New(t)
			_, err := bucketOf(t, s).Put(t.Context(), object(30<<20), broken(long(t, size), problem))
			var p *videos.Problem
			if !errors.As(err, &p) || p != problem {
				t.Errorf("got %v, want the reader's own problem", err)
			}
			if len(s.Keys()) > 0 || s.Unfinished() > 0 {
				t.Errorf("the bucket holds %v and %d unfinished uploads", s.Keys(), s.Unfinished())
			}
		})
	}
}

func TestFault30_NoHalfObjectWhenTimeIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var parts atomic.Int32
	s := s3test.New(t, s3test.Faults(func(operation string) s3test.Fault {
		if operation == "UploadPart" && parts.Add(1) == 2 {
			cancel()
		}
		return s3test.Fault{}
	}))
	_, err := bucketOf(t, s).Put(ctx, object(40<<20), bytes.NewReader(long(t, 40<<20)))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(s.Keys()) > 0 || s.Unfinished() > 0 {
		t.Errorf("the bucket holds %v and %d unfinished uploads", s.Keys(), s.Unfinished())
	}
}

// TestFaultsOfS3 has each request fail for good, or once; carried out or not.
func TestFaultsOfS3(t *testing.T) {
	t.Parallel()
	body := long(t, 9<<20)
	for _, operation := range []string{"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObjectTagging"} {
		for _, applied := range []bool{false, true} {
			for _, times := range []int32{1, 3} {
				name := operation + map[bool]string{true: " done, answer lost", false: " refused"}[applied] + map[int32]string{1: " once", 3: " always"}[times]
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					video := body
					if operation == "PutObject" {
						video = body[:100_000]
					}
					var struck atomic.Int32
					s := s3test.New(t, s3test.Faults(func(o string) s3test.Fault {
						if o == operation && struck.Add(1) <= times {
							return s3test.Fault{Status: http.StatusServiceUnavailable, Applied: applied}
						}
						return s3test.Fault{}
					}))
					b := bucketOf(t, s)
					got, err := b.Put(t.Context(), object(len(video)), bytes.NewReader(video))
					if err != nil { // the next delivery of the message
						got, err = b.Put(t.Context(), object(len(video)), bytes.NewReader(video))
					}
					want := videos.Stored{Bucket: s3test.Bucket, Key: key, ContentType: "video/mp4", Size: int64(len(video)), SHA256: hashOf(video)}
					if err != nil || got != want {
						t.Errorf("got %+v, %v", got, err)
					}
					wantObject(t, s, video)
					// An upload whose id was lost with the answer is for the bucket's lifecycle rule.
					if !applied || operation != "CreateMultipartUpload" {
						wantNothingUnfinished(t, s)
					}
				})
			}
		}
	}
}

func TestFault30_TwiceIsOneObject(t *testing.T) {
	t.Parallel()
	s := s3test.New(t)
	b := bucketOf(t, s)
	first, other := long(t, 100_000), bytes.ToUpper(long(t, 90_000))
	one, err := b.Put(t.Context(), object(len(first)), bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	// The vendor may make other bytes each time: what lies there stands.
	two, err := b.Put(t.Context(), object(len(other)), bytes.NewReader(other))
	if err != nil || one != two {
		t.Errorf("got %+v and then %+v, %v", one, two, err)
	}
	wantObject(t, s, first)
}

func TestFault30_TwiceAtOnceIsOneObject(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{100_000, 9 << 20} {
		s := s3test.New(t)
		b := bucketOf(t, s)
		got := make([]videos.Stored, 3)
		var group sync.WaitGroup
		for i := range got {
			group.Go(func() {
				body := long(t, size)
				body[size-1] = byte(i) // each run gets other bytes
				var err error
				if got[i], err = b.Put(t.Context(), object(len(body)), bytes.NewReader(body)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		lies, _ := s.Object(key)
		for i := range got {
			if got[i] != got[0] || got[i].SHA256 != lies.SHA256 {
				t.Errorf("run %d tells of %+v, but %s lies there", i, got[i], lies.SHA256)
			}
		}
		wantObject(t, s, lies.Body)
		wantNothingUnfinished(t, s)
	}
}

func TestKeyTaken(t *testing.T) {
	t.Parallel()
	s := s3test.New(t)
	b := bucketOf(t, s)
	body := long(t, 100_000)
	if _, err := b.Put(t.Context(), object(len(body)), bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	other := object(len(body))
	other.GenerationID = "gen_2"
	_, err := b.Put(t.Context(), other, bytes.NewReader(body))
	wantProblem(t, err, videos.KeyTaken, videos.Final)
	wantObject(t, s, body)
}

func TestGenerationIDsThatFitNoHeader(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"gen 1/ä\r\nX-Evil: 1", strings.Repeat("ü", 512), strings.Repeat("x", 1024), ""} {
		s := s3test.New(t)
		o := object(100_000)
		o.GenerationID = id
		for range 2 {
			if _, err := bucketOf(t, s).Put(t.Context(), o, bytes.NewReader(long(t, 100_000))); err != nil {
				t.Errorf("%.20q: %v", id, err)
			}
		}
		got, _ := s.Object(key)
		if m := got.Metadata["generation-id"]; len(m) > 900 || strings.ContainsAny(m, "\r\n ") {
			t.Errorf("%.20q became %q", id, m)
		}
	}
}

func TestPresign(t *testing.T) {
	t.Parallel()
	s := s3test.New(t)
	b := bucketOf(t, s)
	body := long(t, 100_000)
	if _, err := b.Put(t.Context(), object(len(body)), bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	link, err := b.Presign(t.Context(), key, time.Hour)
	if err != nil || !strings.Contains(link, "X-Amz-Expires=3600") {
		t.Fatalf("%s, %v", link, err)
	}
	response, err := s3test.HTTPClient().Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestNewBucket(t *testing.T) {
	t.Parallel()
	if _, err := videos.NewBucket(nil, "name"); err == nil {
		t.Error("no client, no error")
	}
	if _, err := videos.NewBucket(s3test.Client("http://127.0.0.1"), ""); err == nil {
		t.Error("no name, no error")
	}
}
