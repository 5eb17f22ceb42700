package videos_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/videos"
)

func TestFault30_LinksThatAreRefused(t *testing.T) {
	t.Parallel()
	for link, code := range map[string]videos.Code{
		"":                                     videos.BadURL,
		" ":                                    videos.BadURL,
		"a video":                              videos.BadURL,
		"v.mp4":                                videos.BadURL,
		"/v.mp4":                               videos.BadURL,
		"//cdn.example.com/v.mp4":              videos.BadURL,
		"https:":                               videos.BadURL,
		"https:cdn.example.com":                videos.BadURL,
		"https:///v.mp4":                       videos.BadURL,
		"https://:443/v.mp4":                   videos.BadURL,
		"https://cdn.example.com:x/":           videos.BadURL,
		"https://cdn example.com/":             videos.BadURL,
		"https://cdn.example.com/\n":           videos.BadURL,
		"https://cdn.example.com/%zz":          videos.BadURL,
		"https://%6c%6f%63%61%6c%68%6f%73%74/": videos.BadURL,
		"https://%31%32%37.0.0.1/":             videos.BadURL,
		"https://[::1/":                        videos.BadURL,
		"https://user@cdn.example.com/v.mp4":   videos.BadURL,
		"https://user:password@cdn.example.com/v.mp4": videos.BadURL,
		"https://:@cdn.example.com/v.mp4":             videos.BadURL,
		"http://cdn.example.com/v.mp4":                videos.NotHTTPS,
		"HTTP://cdn.example.com/v.mp4":                videos.NotHTTPS,
		"ftp://cdn.example.com/v.mp4":                 videos.NotHTTPS,
		"file:///etc/passwd":                          videos.NotHTTPS,
		"file:v.mp4":                                  videos.NotHTTPS,
		"data:video/mp4;base64,AAAA":                  videos.NotHTTPS,
		"javascript:alert(1)":                         videos.NotHTTPS,
		"s3://bucket/v.mp4":                           videos.NotHTTPS,
		"https://cdn.example.com:80/v.mp4":            videos.ForbiddenAddress,
		"https://cdn.example.com:8443/v.mp4":          videos.ForbiddenAddress,
		"https://cdn.example.com:22/v.mp4":            videos.ForbiddenAddress,
		"https://cdn.example.com:0/v.mp4":             videos.ForbiddenAddress,
		"https://93.184.216.34/v.mp4":                 videos.ForbiddenAddress,
		"https://93.184.216.34./v.mp4":                videos.ForbiddenAddress,
		"https://127.0.0.1/v.mp4":                     videos.ForbiddenAddress,
		"https://127.1/v.mp4":                         videos.ForbiddenAddress,
		"https://0/v.mp4":                             videos.ForbiddenAddress,
		"https://2130706433/v.mp4":                    videos.ForbiddenAddress,
		"https://0x7f000001/v.mp4":                    videos.ForbiddenAddress,
		"https://0x7F.0x0.0x0.0x1/v.mp4":              videos.ForbiddenAddress,
		"https://0177.0.0.01/v.mp4":                   videos.ForbiddenAddress,
		"https://169.254.169.254/latest/meta-data/":   videos.ForbiddenAddress,
		"https://[::1]/v.mp4":                         videos.ForbiddenAddress,
		"https://[::]/v.mp4":                          videos.ForbiddenAddress,
		"https://[::ffff:127.0.0.1]/v.mp4":            videos.ForbiddenAddress,
		"https://[::ffff:169.254.169.254]/v.mp4":      videos.ForbiddenAddress,
		"https://[::ffff:a9fe:a9fe]/v.mp4":            videos.ForbiddenAddress,
		"https://[fd00:ec2::254]/v.mp4":               videos.ForbiddenAddress,
		"https://[fe80::1%25eth0]/v.mp4":              videos.ForbiddenAddress,
		"https://[64:ff9b::a9fe:a9fe]/v.mp4":          videos.ForbiddenAddress,
		"https://[2606:2800:220:1::1]/v.mp4":          videos.ForbiddenAddress,
	} {
		n := newInternet(t, serve(mp4()))
		_, err := n.fetcher().Fetch(t.Context(), link)
		t.Run(strings.ReplaceAll(link, "/", "_"), func(t *testing.T) { wantProblem(t, err, code, videos.Final) })
		if len(n.dialled) > 0 {
			t.Errorf("%q: dialled %v", link, n.dialled)
		}
	}
}

func TestFault30_AddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	check := videos.PublicOnly()
	for _, address := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
		"169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.170.23", "172.16.0.1", "172.31.255.255", "192.0.0.1",
		"192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::2", "::7f00:1", "::127.0.0.1", "::169.254.169.254",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:93.184.216.34", "::ffff:0:127.0.0.1", "::ffff:0:169.254.169.254",
		"64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::93.184.216.34", "64:ff9b:1::169.254.169.254",
		"100::1", "100:0:0:1::1", "2001::1", "2001:0:a9fe:a9fe::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
		"2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:0a00:0001::1", "2620:4f:8000::1", "3fff::1", "5f00::1",
		"fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "fe80::a9fe:a9fe%lo", "fec0::1", "feff::1",
		"ff02::1", "ff0e::1", "2606:2800:220:1::1%eth0",
		"2606:2800:220:1:0:5efe:127.0.0.1", "2606:2800:220:1:200:5efe:169.254.169.254",
	} {
		network := "tcp4"
		if netip.MustParseAddr(address).Is6() {
			network = "tcp6"
		}
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, check(network, net.JoinHostPort(address, "443"), nil), videos.ForbiddenAddress, videos.Final)
		})
	}
	for _, bad := range [][2]string{
		{"tcp4", public + ":80"},
		{"tcp4", public + ":22"},
		{"tcp4", public + ":9001"},
		{"udp4", public + ":443"},
		{"unix", "/run/service.sock"},
		{"tcp4", "cdn.example.com:443"},
		{"tcp4", ""},
	} {
		err := check(bad[0], bad[1], nil)
		wantProblem(t, err, videos.ForbiddenAddress, videos.Final)
	}
}

func TestAddressesThatAreAllowed(t *testing.T) {
	t.Parallel()
	check := videos.PublicOnly()
	for network, address := range map[string]string{"tcp4": "93.184.216.34:443", "tcp6": "[2606:2800:220:1::1]:443"} {
		if err := check(network, address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := check("tcp4", "13.32.0.1:443", nil); err != nil {
		t.Error(err)
	}
}

// TestFault30_NamesThatLeadInside asks the product as it is, through Go's own
// resolver: only the name server is the test's.
func TestFault30_NamesThatLeadInside(t *testing.T) { // not parallel: it sets the process's resolver
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	for _, address := range []string{
		"127.0.0.1", "127.0.0.53", "169.254.169.254", "10.1.2.3", "0.0.0.0", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
		"fd00:ec2::254", "fe80::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
	} {
		net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: nameServer(netip.MustParseAddr(address))}
		f, err := videos.NewFetcher(videos.Settings{MaxBytes: 1 << 20, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(address, func(t *testing.T) {
			_, err := f.Fetch(t.Context(), "https://evil.example.com/v.mp4")
			wantProblem(t, err, videos.ForbiddenAddress, videos.Final)
			_, err = f.Fetch(t.Context(), "https://localhost/v.mp4")
			wantProblem(t, err, videos.ForbiddenAddress, videos.Final)
		})
	}
}

// TestFault30_SpellingsOfLoopback are some that the check of the link lets pass as
// names, and that become addresses on their way to the dialler.
func TestFault30_SpellingsOfLoopback(t *testing.T) {
	t.Parallel()
	f, err := videos.NewFetcher(videos.Settings{MaxBytes: 1 << 20, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "localhost", "LOCALHOST"} {
		_, err := f.Fetch(t.Context(), "https://"+host+"/v.mp4")
		t.Log(host)
		wantProblem(t, err, videos.ForbiddenAddress, videos.Final)
	}
}

// nameServer answers every question for an address of its family, RFC 1035.
func nameServer(address netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close() //nolint:errcheck // the resolver looks at its own end
			for {
				var size uint16
				if binary.Read(server, binary.BigEndian, &size) != nil {
					return
				}
				question := make([]byte, size)
				if _, err := io.ReadFull(server, question); err != nil {
					return
				}
				answer := answerTo(question, address)
				if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}
}

func answerTo(question []byte, address netip.Addr) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	out := append([]byte{}, question[:end+5]...)
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}) // an answer without records
	const a, aaaa = 1, 28
	if kind == a && address.Is4() || kind == aaaa && address.Is6() {
		out[7] = 1
		out = append(out, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(address.AsSlice())))
		out = append(out, address.AsSlice()...)
	}
	return out
}

func TestFault30_DNSThatChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer goodbyes()
		for _, inside := range []string{"127.0.0.1", "169.254.169.254", "::1"} {
			n := newInternet(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, link, http.StatusFound) })
			n.names["cdn.example.com"] = []string{public, public, inside}
			_, err := n.fetcher().Fetch(t.Context(), link)
			wantProblem(t, err, videos.ForbiddenAddress, videos.Final)
			if len(n.seen()) != 2 {
				t.Errorf("%d requests arrived, want the two before the change", len(n.seen()))
			}
		}
	})
}

func TestFault30_NoProxy(t *testing.T) {
	t.Parallel()
	if os.Getenv("HTTPS_PROXY") == "" {
		t.Fatal("no proxy is set: see TestMain")
	}
	n := newInternet(t, serve(mp4()))
	if _, _, err := drain(t.Context(), n.fetcher(), link); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(n.dialled, " "); got != "cdn.example.com:443" {
		t.Errorf("dialled %s", got)
	}
}

func TestTrustedOrigin(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"127.0.0.1:80", "ftp://127.0.0.1:80", "http://", "http://127.0.0.1:80/path", "http://a@127.0.0.1", "http://127.0.0.1?a",
		"http://vendor.example.com", "http://10.0.0.1:80", "http://169.254.169.254", "http://localhost.example.com", "*",
	} {
		_, err := videos.NewFetcher(videos.Settings{MaxBytes: 1, Now: time.Now, TrustedOrigin: bad})
		if err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	for _, good := range []string{"http://127.0.0.1:8080", "http://localhost:1/", "https://[::1]:8443", "http://127.0.0.1"} {
		if _, err := videos.NewFetcher(videos.Settings{MaxBytes: 1, Now: time.Now, TrustedOrigin: good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	if _, err := videos.NewFetcher(videos.Settings{MaxBytes: 1}); err == nil {
		t.Error("no clock, no error")
	}
	if _, err := videos.NewFetcher(videos.Settings{Now: time.Now}); err == nil {
		t.Error("no limit, no error")
	}
}

func TestMessagesTellNoSecret(t *testing.T) {
	t.Parallel()
	n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for _, l := range []string{link, "https://user:secret@cdn.example.com/v.mp4", "https://nowhere.example.com/?signature=secret", "https://cdn.example.com:1/secret"} {
		_, err := n.fetcher().Fetch(t.Context(), l)
		var p *videos.Problem
		if !errors.As(err, &p) || strings.Contains(p.Message, "secret") {
			t.Errorf("%s: %v", l, err)
		}
	}
}
