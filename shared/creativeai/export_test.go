package creativeai

import (
	"crypto/tls"
	"net/http"
	"time"
)

// WithTLS lets a test trust its own server's certificate.
func WithTLS(config *tls.Config) Option { return func(s *settings) { s.dialer.tls = config } }

// RetryAfter is tested without a server in between.
func RetryAfter(header http.Header, now func() time.Time) (time.Duration, bool) {
	return retryAfter(header, now)
}
