package fake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Vendor is a CreativeAI account and the servers behind it, in memory. It is safe for concurrent use.
type Vendor struct {
	config Config
	mux    *http.ServeMux
	alive  func() context.Context // done when the vendor is closed
	stop   context.CancelFunc
	// closeIdle ends the kept-alive connections of a callback transport of our own.
	closeIdle func()

	running sync.WaitGroup // handlers and timers; grows only while mu is held and closed is false

	mu          sync.Mutex
	closed      bool
	server      *http.Server
	url         string
	timers      map[uint64]*time.Timer
	lastTimer   uint64
	random      *rand.Rand
	keys        keyring
	rules       []*fault
	jobs        map[jobKey]*ownFaults
	generations []*generation          // in the order of acceptance
	byID        map[string]*generation // the first with each id
	requests    []Request
	attempts    []Attempt
	changed     chan struct{} // closed at the next change of the ledger; nil while nobody waits
}

func newVendor(config Config) *Vendor {
	ctx, stop := context.WithCancel(context.Background())
	v := &Vendor{
		config:    config,
		alive:     func() context.Context { return ctx },
		stop:      stop,
		closeIdle: func() {},
		timers:    make(map[uint64]*time.Timer),
		random:    newRandom(config.Seed),
		keys:      keyring{current: config.Key, previous: config.PreviousKey},
		jobs:      make(map[jobKey]*ownFaults),
		byID:      make(map[string]*generation),
	}
	if config.Callback == nil {
		transport := callbackTransport()
		v.config.Callback, v.closeIdle = transport, transport.CloseIdleConnections
	}
	v.mux = http.NewServeMux()
	v.mux.HandleFunc("POST "+generationsPath, v.submit)
	v.mux.HandleFunc("GET "+generationsPath+"/{id}", v.get)
	v.mux.HandleFunc("GET "+videosPath+"{id}", v.video)
	control := sync.OnceValue(v.control) // a simulation never asks for it
	v.mux.HandleFunc(controlPath, func(w http.ResponseWriter, r *http.Request) { control().ServeHTTP(w, r) })
	return v
}

// ServeHTTP answers the vendor's API and, below /_fake/, the control surface.
func (v *Vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !v.enter() {
		hangUp(w, true)
	}
	defer v.running.Done()
	v.mux.ServeHTTP(w, r)
}

// enter registers something that Close must wait for; false when the vendor is closed. A success
// is paired with running.Done.
func (v *Vendor) enter() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false
	}
	v.running.Add(1)
	return true
}

// Start serves the vendor on address, until Close or the end of ctx. An empty address is a free
// port of 127.0.0.1. Others than loopback addresses are refused: the control surface has no lock.
func (v *Vendor) Start(ctx context.Context, address string) error {
	if address == "" {
		address = "127.0.0.1:0"
	}
	if host, _, err := net.SplitHostPort(address); err != nil || !loopback(host) {
		return fmt.Errorf("start fake vendor: %q is no loopback address with a port, such as 127.0.0.1:0", address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("start fake vendor: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.server != nil {
		return errors.Join(errors.New("start fake vendor: already started or closed"), listener.Close())
	}
	v.url = "http://" + listener.Addr().String()
	v.server = &http.Server{Handler: v, ReadHeaderTimeout: time.Minute}
	v.running.Add(1)
	go func(server *http.Server) {
		defer v.running.Done()
		_ = server.Serve(listener) // always ErrServerClosed, by Close
	}(v.server)
	context.AfterFunc(ctx, v.Close)
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// URL is where a started vendor listens, such as "http://127.0.0.1:4242"; empty before Start.
func (v *Vendor) URL() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.url
}

// Close ends all that the vendor started, generations and callbacks too, and returns when it has
// ended. The ledger can still be read. Closing twice does nothing.
func (v *Vendor) Close() {
	v.mu.Lock()
	v.closed = true
	for id, timer := range v.timers {
		if timer.Stop() {
			delete(v.timers, id)
			v.running.Done()
		}
	}
	server := v.server
	v.mu.Unlock()
	v.stop()
	if server != nil {
		_ = server.Close() // the listener is gone either way
	}
	v.running.Wait()
	v.closeIdle()
}

// scaled turns a duration of the vendor's into one of the clock's.
func (v *Vendor) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * v.config.Scale)
}

// later does something after a duration of the clock's, unless the vendor is closed by then.
func (v *Vendor) later(d time.Duration, do func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	v.running.Add(1)
	v.lastTimer++
	id := v.lastTimer
	v.timers[id] = time.AfterFunc(d, func() {
		defer v.running.Done()
		v.mu.Lock()
		delete(v.timers, id)
		v.mu.Unlock()
		do()
	})
}

// pause waits for a duration of the clock's; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
