// Package loopback reaches an AWS on this machine, whose HTTP APIs have names
// that end in ".localhost": not every resolver knows that they mean loopback.
package loopback

import (
	"context"
	"net"
	"net/http"
	"strings"
)

// Transport is Go's default transport, without a proxy, for such names.
func Transport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	dialer := new(net.Dialer)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return dialer.DialContext(ctx, network, address)
	}
	return transport
}
