// Package s3test is an S3 in memory, as far as videos need it: objects, uploads
// in parts, tags, conditional writes, and faults on demand. It speaks S3's own
// protocol over https, so that the real client is what is tested.
package s3test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Bucket is the one bucket that there is.
const Bucket = "videos-test"

// Object is what lies in the bucket.
type Object struct {
	// Body is empty in a server that discards.
	Body        []byte
	Size        int64
	SHA256      string
	ContentType string
	Metadata    map[string]string
	Tags        map[string]string
}

// Fault is what goes wrong with a request; the zero value is nothing.
type Fault struct {
	// Status is answered instead of the true answer; 500 if it is 0 and Applied is set.
	Status int
	// Applied says that the request was carried out all the same.
	Applied bool
}

// Server is the S3.
type Server struct {
	// URL is where it listens.
	URL string

	discard bool
	fault   func(operation string) Fault

	mu      sync.Mutex
	objects map[string]Object
	uploads map[string]*upload
	calls   []string
}

// Option sets up a [Server].
type Option func(*Server)

// Discard keeps sizes and checksums only, for bodies that do not fit into memory.
func Discard() Option { return func(s *Server) { s.discard = true } }

// Faults asks before each request what goes wrong with it; operation is S3's
// name for it, such as "UploadPart".
func Faults(f func(operation string) Fault) Option { return func(s *Server) { s.fault = f } }

// New starts a server, which ends with the test.
func New(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	s := &Server{objects: map[string]Object{}, uploads: map[string]*upload{}, fault: func(string) Fault { return Fault{} }}
	for _, o := range options {
		o(s)
	}
	server := httptest.NewTLSServer(s)
	tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Client is an SDK client of the server at this URL. It repeats as the SDK does,
// but without waiting.
func Client(url string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &url, UsePathStyle: true, Region: "us-east-1", HTTPClient: HTTPClient(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

// HTTPClient trusts the server, which is on this machine.
func HTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a double on this machine
	}}
}

// Object is what lies at the key.
func (s *Server) Object(key string) (Object, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	return o, ok
}

// Keys lists what lies in the bucket, sorted.
func (s *Server) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := []string{}
	for key := range s.objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Unfinished counts the uploads in parts that were neither completed nor aborted.
func (s *Server) Unfinished() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

// Calls lists the operations that were asked for, in order.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}
