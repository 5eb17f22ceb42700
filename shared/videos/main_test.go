package videos_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/videos"
	"github.com/clipqueue/clipqueue/shared/videos/s3test"
)

// TestMain runs the child of TestMemoryStaysFlat, which is this binary again. All
// tests run with proxies set, which net/http reads once a process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "copy-one-video" {
		if err := copyOneVideo(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"} {
		if err := os.Setenv(name, "http://proxy.example.com:3128"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// copyOneVideo is what the function does, in a process of its own: from a TLS
// server at the address to the S3 at the URL.
func copyOneVideo(address, root, s3URL string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(root))
	f, err := videos.NewTestFetcher(videos.Settings{MaxBytes: 50e9, Now: time.Now}, dialTo(address), roots)
	if err != nil {
		return err
	}
	b, err := videos.NewBucket(s3test.Client(s3URL), s3test.Bucket)
	if err != nil {
		return err
	}
	v, err := f.Fetch(context.Background(), link)
	if err != nil {
		return err
	}
	defer v.Close()
	stored, err := b.Put(context.Background(), videos.Object{Key: key, ContentType: v.ContentType, Size: v.Size}, v)
	if err != nil {
		return err
	}
	fmt.Print(stored.SHA256)
	return nil
}
