package fake

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"
)

// callbackTransport posts callbacks. It knows no proxy, and dials localhost names itself, because
// not every machine resolves *.localhost, which the local AWS engine gives its HTTP APIs.
func callbackTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, localAddress(address))
		},
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     5 * time.Second,
		DisableCompression:  true,
	}
}

// localAddress replaces a localhost name in host:port by 127.0.0.1.
func localAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}
