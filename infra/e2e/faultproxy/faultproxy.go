// Package faultproxy stands between AWS clients and an AWS endpoint, and has
// calls go wrong that a test names: refused, slow, cut off, or done and their
// answer lost.
//
// Clients reach it through AWS_ENDPOINT_URL_<SERVICE> or a BaseEndpoint. What
// they signed stays valid, as it hands the request on as it came, Host included.
package faultproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// Proxy is an http.Handler. It may be used by many at once.
type Proxy struct {
	forward http.Handler

	mu     sync.Mutex
	random *rand.Rand
	faults []*Armed
	calls  map[string]int
}

// New is a proxy to the endpoint at target. seed decides the chances of faults.
func New(target string, seed uint64) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("fault proxy: %q is no absolute URL", target)
	}
	return &Proxy{
		forward: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(u)
				r.Out.Host = r.In.Host // it is signed
			},
			// A client that has gone is no error of the proxy's.
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { hangUp() },
		},
		random: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // a run can be repeated from its seed
		calls:  map[string]int{},
	}, nil
}

// Fault is a wish that calls go wrong.
type Fault struct {
	// Service is the one that was signed for, such as "dynamodb", "sqs", "states",
	// "events", "secretsmanager" or "s3". Empty: any.
	Service string
	// Operation is the last part of X-Amz-Target, such as "PutItem"; of a call
	// without, as S3's, the HTTP method. Empty: any.
	Operation string
	// With must all be in the call's body.
	With []string
	// Times bounds how many calls it strikes. 0: all.
	Times int
	// Chance is of striking, from 0 to 1. 0: always.
	Chance float64
	// Do is what happens to a call that is struck.
	Do Effect
}

// Armed is a fault in force.
type Armed struct {
	Fault

	proxy  *Proxy
	struck int
	first  chan struct{} // closed when it strikes first
}

// Add puts a fault into force. Of several that fit a call, the oldest strikes.
func (p *Proxy) Add(f Fault) *Armed {
	a := &Armed{Fault: f, proxy: p, first: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, a)
	return a
}

// Remove ends the fault. Calls that it has struck stay struck.
func (a *Armed) Remove() {
	a.proxy.mu.Lock()
	defer a.proxy.mu.Unlock()
	for i, f := range a.proxy.faults {
		if f == a {
			a.proxy.faults = append(a.proxy.faults[:i:i], a.proxy.faults[i+1:]...)
			return
		}
	}
}

// Struck counts the calls that the fault struck.
func (a *Armed) Struck() int {
	a.proxy.mu.Lock()
	defer a.proxy.mu.Unlock()
	return a.struck
}

// Wait returns when the fault has struck, or with the cause of ctx's end.
func (a *Armed) Wait(ctx context.Context) error {
	select {
	case <-a.first:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Calls counts all calls that came, by "service operation".
func (p *Proxy) Calls() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.calls)
}

// ServeHTTP hands a call on, or has it go wrong.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		hangUp()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if do := p.choose(service(r), operation(r), body); do != nil {
		do(w, r, p.forward)
		return
	}
	p.forward.ServeHTTP(w, r)
}

// choose counts the call, and gives the effect of the fault that strikes it; nil when none does.
func (p *Proxy) choose(service, operation string, body []byte) Effect {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[service+" "+operation]++
	for _, a := range p.faults {
		if !a.fits(service, operation, body) || (a.Chance > 0 && p.random.Float64() >= a.Chance) {
			continue
		}
		a.struck++
		if a.struck == 1 {
			close(a.first)
		}
		return a.Do
	}
	return nil
}

func (a *Armed) fits(service, operation string, body []byte) bool {
	for _, text := range a.With {
		if !bytes.Contains(body, []byte(text)) {
			return false
		}
	}
	return (a.Service == "" || a.Service == service) && (a.Operation == "" || a.Operation == operation) &&
		(a.Times == 0 || a.struck < a.Times)
}

// service is the one in the scope of the signature:
// Credential=<key>/<date>/<region>/<service>/aws4_request.
func service(r *http.Request) string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	scope := strings.Split(credential, "/")
	if len(scope) < 5 {
		return ""
	}
	return scope[len(scope)-2]
}

func operation(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	if target == "" {
		return r.Method
	}
	return target[strings.LastIndexByte(target, '.')+1:]
}
