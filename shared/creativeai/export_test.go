package creativeai

import "crypto/tls"

// WithTLS lets a test trust its own server's certificate.
func WithTLS(config *tls.Config) Option { return func(s *settings) { s.dialer.tls = config } }

// RetryAfter is tested without a server in between.
var RetryAfter = retryAfter
