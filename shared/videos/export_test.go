package videos

import (
	"crypto/tls"
	"crypto/x509"
	"syscall"
)

// Dial is what a fetcher connects with.
type Dial = dial

// NewTestFetcher is a fetcher that dials as the test wants and trusts its certificates.
func NewTestFetcher(s Settings, d Dial, roots *x509.CertPool) (*Fetcher, error) {
	f, err := newFetcher(s, standard(), d)
	if err == nil {
		f.guarded.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return f, err
}

// PublicOnly is the check of what is being dialled.
func PublicOnly() func(network, address string, c syscall.RawConn) error { return publicOnly() }
