package videos

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// httpsPort is the only port that downloads go to: the vendor names none, and
// this keeps a link from knocking at other doors of a public host.
const httpsPort = 443

// checkURL says what is wrong with a link before anything is dialled.
func checkURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme == "":
		return problem(BadURL, Final, "the link is not an absolute URL")
	case u.Scheme != "https":
		return problem(NotHTTPS, Final, "the link leads to %s, not to https", u.Scheme)
	case host == "":
		return problem(BadURL, Final, "the link names no host")
	case u.User != nil:
		return problem(BadURL, Final, "the link holds a user name or a password, which is refused")
	case u.Port() != "" && u.Port() != strconv.Itoa(httpsPort):
		return problem(ForbiddenAddress, Final, "the link leads to port %s of %s: only %d is allowed", u.Port(), host, httpsPort)
	case isLiteral(host):
		return problem(ForbiddenAddress, Final, "the link names the IP address %s instead of a host", host)
	}
	return nil
}

// isLiteral knows IP addresses in every spelling that some resolver takes for
// one: 127.1, 2130706433 and 0x7f.0.0.1 are all loopback. A host name's last
// label is never a number.
func isLiteral(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	last := strings.TrimSuffix(host, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	if last == "" {
		return false
	}
	if digits, hex := strings.CutPrefix(strings.ToLower(last), "0x"); hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// publicOnly is a [net.Dialer] control: it sees the address that is really being
// dialled, so neither DNS nor a redirect gets around it.
func publicOnly() func(network, address string, _ syscall.RawConn) error {
	guardian := ssrf.New(ssrf.WithPorts(httpsPort))
	return func(network, address string, c syscall.RawConn) error {
		err := guardian.Safe(network, address, c)
		if err == nil {
			err = noTunnel(address)
		}
		if err != nil {
			return problem(ForbiddenAddress, Final, "the link leads to %s, which is not on the public internet", address)
		}
		return nil
	}
}

var errTunnel = errors.New("an address that embeds an IPv4 address")

// noTunnel refuses ISATAP (RFC 5214, section 6.1), whose public IPv6 prefix can
// lead to a private IPv4 address; the guardian refuses the other forms that
// embed one: mapped and compatible, NAT64, 6to4 and Teredo.
func noTunnel(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address to dial: %w", err)
	}
	b := at.Addr().As16()
	if at.Addr().Is6() && b[8]&^0x03 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		return errTunnel
	}
	return nil
}

// origin is scheme, host and port of a URL.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	o := origin{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: u.Port()}
	if o.port == "" {
		o.port = map[string]string{"http": "80", "https": "443"}[o.scheme]
	}
	return o
}

// parseTrusted reads the origin of a local run. It must be this machine, so that
// the setting opens no other even where it is set by mistake.
func parseTrusted(raw string) (origin, error) {
	if raw == "" {
		return origin{}, nil
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return origin{}, fmt.Errorf("the trusted origin is %q: want scheme://host:port", raw)
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return origin{}, fmt.Errorf("the trusted origin is %q: only this machine can be trusted, such as http://127.0.0.1:8080", raw)
	}
	return originOf(u), nil
}
