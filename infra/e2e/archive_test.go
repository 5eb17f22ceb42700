package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/job"
)

// bucket is S3 as the engine has it: by path, not by host.
func bucket() *s3.Client {
	return s3.NewFromConfig(bundle.AWS, func(o *s3.Options) { o.UsePathStyle = true })
}

// TestVideoIsArchived compares what lies in the bucket with what the vendor served.
func TestVideoIsArchived(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A video to keep", message{"metadata": message{"order": 12}})
	s.ends(events.TypeCompleted)
	got := data[events.Archived](t, s.hears(events.TypeArchived))
	paid := s.generation()
	want := fake.SmallVideo()
	sum := sha256.Sum256(want)
	if got.Bucket != bundle.Outputs.ArchiveBucketName || got.Size != int64(len(want)) || got.SHA256 != hex.EncodeToString(sum[:]) ||
		got.ContentType != "video/mp4" || got.GenerationID != paid.ID ||
		!strings.HasPrefix(got.Key, "videos/"+s.record().CreatedAt.Format("2006/01/02")+"/") {
		t.Errorf("archived as %+v", got)
	}
	metadataIs(t, jsontext.Value(got.Metadata), `{"order":12}`)
	object, err := bucket().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &got.Bucket, Key: &got.Key})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = object.Body.Close() }()
	body, err := io.ReadAll(object.Body)
	if err != nil || !bytes.Equal(body, want) {
		t.Errorf("%d bytes lie in the bucket (%v), want the vendor's %d", len(body), err, len(want))
	}
	if aws.ToString(object.ContentType) != "video/mp4" || object.Metadata["job-id"] != s.jobID || object.Metadata["generation-id"] != paid.ID {
		t.Errorf("content type %q, metadata %v", aws.ToString(object.ContentType), object.Metadata)
	}
	tags, err := bucket().GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &got.Bucket, Key: &got.Key})
	if err != nil {
		t.Fatal(err)
	}
	if len(tags.TagSet) != 1 || aws.ToString(tags.TagSet[0].Key) != "sha256" || aws.ToString(tags.TagSet[0].Value) != got.SHA256 {
		t.Errorf("tags %v, want the checksum", tags.TagSet)
	}
	if a := s.record().Archive; a.State != job.ArchiveStored || a.Key != got.Key {
		t.Errorf("the job says %+v", a)
	}
}

// A run of archive that died after its upload, or one beside this, has the video
// there already: it is taken as it is.
func TestVideoIsThereAlready(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A video that is there [fault: takes for=3m]", nil)
	s.hears(events.TypeAccepted)
	key := "videos/" + s.record().CreatedAt.UTC().Format("2006/01/02") + "/" + s.jobID + ".mp4"
	_, err := bucket().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bundle.Outputs.ArchiveBucketName, Key: &key, Body: strings.NewReader("uploaded before"),
		ContentType: aws.String("video/mp4"), Metadata: map[string]string{"generation-id": s.generation().ID},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.ends(events.TypeCompleted)
	if got := data[events.Archived](t, s.hears(events.TypeArchived)); got.Key != key || got.Size != int64(len("uploaded before")) {
		t.Errorf("archived as %+v", got)
	}
}

// TestVideoCannotBeHad: each with the reason in an event of its own.
func TestVideoCannotBeHad(t *testing.T) {
	t.Parallel()
	for fault, code := range map[string]string{
		"video-404":     "not_found",
		"video-410":     "gone",
		"video-html":    "wrong_type",
		"video-endless": "too_large",
		"video-redirect to=http://169.254.169.254": "not_https",
		"video-redirect to=https://127.0.0.1:1/v":  "forbidden_address",
		"output url=https://127.0.0.1/v.mp4":       "forbidden_address",
		"output url=http":                          "not_https",
	} {
		t.Run(code+" "+fault, func(t *testing.T) {
			t.Parallel()
			s := enqueue(t, "A video that cannot be had [fault: "+fault+"]", nil)
			s.ends(events.TypeCompleted)
			got := data[events.ArchiveFailed](t, s.hears(events.TypeArchiveFailed))
			if got.Code != code || got.Message == "" {
				t.Errorf("failed as %q: %s; want %q", got.Code, got.Message, code)
			}
			if a := s.record().Archive; a.State != job.ArchiveFailed || a.Key != "" {
				t.Errorf("the job says %+v", a)
			}
		})
	}
}
