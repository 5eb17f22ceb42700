package videos_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/videos"
	"github.com/clipqueue/clipqueue/shared/videos/s3test"
)

// BenchmarkArchive copies a video from a TLS server on this machine into a file,
// as curl does, and into the bucket, whose S3 runs on this machine too. The
// metric "of-copy" is the share of the plain copy's throughput that is kept.
func BenchmarkArchive(b *testing.B) {
	const size = 256e6
	address, rootPEM := videoServer(b, size)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(rootPEM))
	plain := &http.Client{Transport: &http.Transport{
		DialContext: dialTo(address), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	f, err := videos.NewTestFetcher(videos.Settings{MaxBytes: 1 << 40, Now: time.Now}, dialTo(address), roots)
	if err != nil {
		b.Fatal(err)
	}
	for name, archive := range map[string]func(*testing.B, *videos.Video) error{
		"hashed": func(_ *testing.B, v *videos.Video) error {
			_, err := io.Copy(sha256.New(), v)
			return err
		},
		"to the bucket": func(b *testing.B, v *videos.Video) error {
			b.Helper()
			s3 := s3test.New(b, s3test.Discard())
			bucket, err := videos.NewBucket(s3test.Client(s3.URL), s3test.Bucket)
			if err != nil {
				return err
			}
			_, err = bucket.Put(b.Context(), videos.Object{Key: key, ContentType: v.ContentType, Size: v.Size}, v)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			var copying, archiving time.Duration
			for b.Loop() {
				start := time.Now()
				if err := copyToFile(b, plain); err != nil {
					b.Fatal(err)
				}
				copying += time.Since(start)
				start = time.Now()
				v, err := f.Fetch(b.Context(), link)
				if err != nil {
					b.Fatal(err)
				}
				if err := archive(b, v); err != nil {
					b.Fatal(err)
				}
				v.Close()
				archiving += time.Since(start)
			}
			b.ReportMetric(size/1e6*float64(b.N)/archiving.Seconds(), "archive-MB/s")
			b.ReportMetric(copying.Seconds()/archiving.Seconds(), "of-copy")
		})
	}
}

func copyToFile(b *testing.B, client *http.Client) error {
	b.Helper()
	response, err := client.Get(link)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	path := filepath.Join(b.TempDir(), "v.mp4")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, response.Body); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Remove(path)
}

// dialTo leads every name to one address.
func dialTo(address string) videos.Dial {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// videoServer serves a video of that size over TLS, made while it is read.
func videoServer(tb testing.TB, size int64) (address, rootPEM string) {
	tb.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := fake.NewContent(mp4(), size, 0)
		if err != nil {
			tb.Error(err)
			return
		}
		w.Header().Set("Content-Type", "video/mp4")
		http.ServeContent(w, r, "", time.Time{}, c)
	}))
	a := newAuthority(tb)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{a.own}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	tb.Cleanup(server.Close)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.own.Certificate[0]})
	return server.Listener.Addr().String(), string(block)
}

func hashOfContent(tb testing.TB, size int64) string {
	tb.Helper()
	c, err := fake.NewContent(mp4(), size, 0)
	if err != nil {
		tb.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{c}, make([]byte, 1<<20)); err != nil {
		tb.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
