package videos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const (
	// partSize times atOnce and a few more is what an upload holds in memory: about
	// 40 MB. S3 takes 10,000 parts, so a video may have 80 GB
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
	partSize = 8 << 20
	atOnce   = 3
	// abortFor is how long a failed upload has to take its parts away, although its own time is over.
	abortFor = 10 * time.Second
	// The names of the object's metadata, and of its tag.
	metadataJob        = "job-id"
	metadataGeneration = "generation-id"
	tagSHA256          = "sha256"
)

// Bucket is the S3 bucket of videos.
type Bucket struct {
	client  *s3.Client
	uploads *transfermanager.Client
	name    string
}

// NewBucket is the bucket of this name.
func NewBucket(client *s3.Client, name string) (*Bucket, error) {
	if client == nil || name == "" {
		return nil, errors.New("videos: a client and a bucket's name are needed")
	}
	return &Bucket{client: client, name: name, uploads: transfermanager.New(client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency = partSize, partSize, atOnce
		o.FailTimeout = abortFor
	})}, nil
}

// Object is what a video is stored as.
type Object struct {
	Key         string
	ContentType string
	// JobID and GenerationID become the object's metadata.
	JobID, GenerationID string
	// Size is in bytes; -1 when it is not known.
	Size int64
}

// Stored is a video in the bucket.
type Stored struct {
	Bucket      string
	Key         string
	ContentType string
	// Size is in bytes.
	Size int64
	// SHA256 is of the bytes, in lower-case hex; the object's tag of this name holds it too.
	SHA256 string
}

// Put streams a video into the bucket, in parts when it is large. The object is
// there whole or not at all, and never changes: where the same generation's video
// lies already, that one is taken, whatever the reader would have brought. An
// error of the reader comes back as it is; a [*Problem] with KeyTaken says that
// another generation's video lies there.
func (b *Bucket) Put(ctx context.Context, o Object, video io.Reader) (Stored, error) {
	body := &summed{reader: video, hash: sha256.New()}
	in := &transfermanager.UploadObjectInput{
		Bucket: &b.name, Key: &o.Key, Body: body, ContentType: &o.ContentType, IfNoneMatch: aws.String("*"),
		Metadata: map[string]string{metadataJob: inHeader(o.JobID), metadataGeneration: inHeader(o.GenerationID)},
	}
	if o.Size >= 0 {
		in.ContentLength = &o.Size
	}
	_, err := b.uploads.UploadObject(ctx, in)
	switch {
	case body.err != nil:
		return Stored{}, body.err
	case isTaken(err):
		return b.adopt(ctx, o)
	case err != nil:
		return Stored{}, fmt.Errorf("upload to s3://%s/%s: %w", b.name, o.Key, err)
	}
	return b.seal(ctx, Stored{Bucket: b.name, Key: o.Key, ContentType: o.ContentType, Size: body.size, SHA256: body.sum()})
}

// isTaken says whether an object was there already.
func isTaken(err error) bool {
	answer, ok := errors.AsType[smithy.APIError](err)
	return ok && answer.ErrorCode() == "PreconditionFailed"
}

// adopt takes what lies there already: a run before this one died, or one beside
// it was faster. It is read back, since a checksum cannot be asked for.
func (b *Bucket) adopt(ctx context.Context, o Object) (Stored, error) {
	there, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &o.Key})
	if err != nil {
		return Stored{}, fmt.Errorf("read back s3://%s/%s: %w", b.name, o.Key, err)
	}
	defer there.Body.Close() //nolint:errcheck // it was only read
	if there.Metadata[metadataGeneration] != inHeader(o.GenerationID) {
		return Stored{}, problem(KeyTaken, Final, "the video of another generation lies at s3://%s/%s", b.name, o.Key)
	}
	body := &summed{reader: there.Body, hash: sha256.New()}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return Stored{}, fmt.Errorf("read back s3://%s/%s: %w", b.name, o.Key, err)
	}
	kind := aws.ToString(there.ContentType)
	return b.seal(ctx, Stored{Bucket: b.name, Key: o.Key, ContentType: kind, Size: body.size, SHA256: body.sum()})
}

// seal tags the object with its checksum, which no header could say before the bytes were read.
func (b *Bucket) seal(ctx context.Context, s Stored) (Stored, error) {
	_, err := b.client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
		Bucket: &b.name, Key: &s.Key,
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(tagSHA256), Value: &s.SHA256}}},
	})
	if err != nil {
		return Stored{}, fmt.Errorf("tag s3://%s/%s: %w", b.name, s.Key, err)
	}
	return s, nil
}

// Presign is a link to an object that anyone can use for so long, but no longer
// than the credentials live that sign it. It calls nothing.
func (b *Bucket) Presign(ctx context.Context, key string, lives time.Duration) (string, error) {
	signed, err := s3.NewPresignClient(b.client).PresignGetObject(ctx,
		&s3.GetObjectInput{Bucket: &b.name, Key: &key}, s3.WithPresignExpires(lives))
	if err != nil {
		return "", fmt.Errorf("sign a link to s3://%s/%s: %w", b.name, key, err)
	}
	return signed.URL, nil
}

// inHeader spells an id of the vendor's so that it fits into a header, where S3
// has room for 2 KB in all; an ordinary id stays as it is.
func inHeader(id string) string {
	const most = 900
	escaped := url.PathEscape(id)
	return escaped[:min(len(escaped), most)]
}

// summed counts and hashes what is read through it.
type summed struct {
	reader io.Reader
	hash   hash.Hash
	size   int64
	err    error
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.reader.Read(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (s *summed) sum() string { return hex.EncodeToString(s.hash.Sum(nil)) }
