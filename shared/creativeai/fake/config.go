package fake

import (
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// What a Config leaves out.
const (
	// DefaultKey is the API key when Config.Key is empty.
	DefaultKey = "rph_live_fake"
	// DefaultCallbackTimeout is how long the vendor waits for a callback's answer.
	DefaultCallbackTimeout = 10 * time.Second
)

// The vendor's page: a generation takes 30 s to 3 min.
const (
	shortestWork = 30 * time.Second
	longestWork  = 3 * time.Minute
)

//go:embed video.mp4
var smallVideo []byte

// Config says what a Vendor is like. Only Now is required.
type Config struct {
	// Now tells the time. Timers are those of package time, so that testing/synctest moves both.
	Now func() time.Time
	// Key is the account's API key; it signs the callbacks too. Empty: DefaultKey.
	Key string
	// PreviousKey is accepted beside Key while a key is being rotated. Empty: none.
	PreviousKey string
	// Scale multiplies every duration of the vendor's except CallbackTimeout: 0.01 makes a
	// generation of 100 s take 1 s, and the callback attempts come at 0, 50 and 300 ms. Zero: 1.
	Scale float64
	// Seed fixes ids, working times and the chances of faults. Zero: taken from Now.
	Seed uint64
	// Faults strike all requests, as by Vendor.AddFaults; in the notation of the package comment.
	Faults []string
	// BaseURL is what output_url begins with. Empty: the URL that the submission came to.
	BaseURL string
	// Callback carries the callbacks. Nil: a transport that uses no proxy and dials
	// "localhost" and every "*.localhost" at 127.0.0.1.
	Callback http.RoundTripper
	// CallbackTimeout bounds one attempt; it is real time, not scaled. Zero: DefaultCallbackTimeout.
	CallbackTimeout time.Duration
	// Video is what output_url serves. Nil: SmallVideo.
	Video []byte
}

// SmallVideo returns the MP4 that output_url serves unless told otherwise: one second of H.264,
// about 2 KB.
func SmallVideo() []byte { return append([]byte(nil), smallVideo...) }

// New makes a vendor that listens nowhere yet: serve it with Start, as an http.Handler, or without
// a network through Transport. It starts nothing; what requests start ends with Close.
func New(config Config) (*Vendor, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	v := newVendor(config)
	if err := v.AddFaults(config.Faults...); err != nil {
		return nil, err
	}
	return v, nil
}

func (c *Config) complete() error {
	if c.Now == nil {
		return errors.New("fake vendor: Config.Now is missing: pass time.Now")
	}
	if c.Scale < 0 || c.CallbackTimeout < 0 {
		return fmt.Errorf("fake vendor: Config.Scale (%g) and CallbackTimeout (%s) must not be negative", c.Scale, c.CallbackTimeout)
	}
	if c.BaseURL != "" {
		if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" {
			return fmt.Errorf("fake vendor: Config.BaseURL %q is no absolute URL", c.BaseURL)
		}
	}
	if c.Key == "" {
		c.Key = DefaultKey
	}
	if c.Scale == 0 {
		c.Scale = 1
	}
	if c.Seed == 0 {
		c.Seed = uint64(c.Now().UnixNano())
	}
	if c.CallbackTimeout == 0 {
		c.CallbackTimeout = DefaultCallbackTimeout
	}
	if c.Video == nil {
		c.Video = smallVideo
	}
	return nil
}

// newRandom is reproducible on purpose: a failing run can be repeated from its seed.
func newRandom(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x636c6970)) //nolint:gosec // G404: nothing secret is drawn from it
}
