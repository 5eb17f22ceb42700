package creativeai_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

// An error from below that holds the key loses it, and with it the chain in
// which it could still be found; any other keeps its chain.
func TestErrorsFromBelowLoseTheKey(t *testing.T) {
	t.Parallel()
	below := errors.New("proxy said: bad " + key)
	leaky := creativeai.WithDialer(func(context.Context, string, string) (net.Conn, error) { return nil, below })
	c := newClient(t, "http://a.example", leaky)
	got := c.Submit(t.Context(), key, job())
	_, err := c.Get(t.Context(), key, "gen_1")
	if got.Kind != creativeai.Unsent {
		t.Errorf("%v, want unsent", got.Kind)
	}
	for _, err := range []error{got.Err, err} {
		if strings.Contains(err.Error(), key) || errors.Is(err, below) || !strings.Contains(err.Error(), "proxy said: bad [API key]") {
			t.Errorf("error %v", err)
		}
	}
	if strings.Contains(got.Reason, key) {
		t.Errorf("reason %q", got.Reason)
	}
}

func TestRefusalWithACutBody(t *testing.T) {
	t.Parallel()
	url, _ := listen(t, answerWith("HTTP/1.1 400 Bad Request\r\nContent-Length: 99\r\n\r\n{\"error\":\"no", closed))
	got := newClient(t, url).Submit(t.Context(), key, job())
	if got.Kind != creativeai.Refused || got.Status != 400 || !errors.Is(got.Err, io.ErrUnexpectedEOF) {
		t.Errorf("%+v, want refused", got)
	}
}

func TestClockForDatesWithoutAnswersDate(t *testing.T) {
	t.Parallel()
	v := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("Retry-After", clock().Add(time.Minute).Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	})
	got := newClient(t, v.URL, creativeai.WithClock(clock)).Submit(t.Context(), key, job())
	if got.Kind != creativeai.NotNow || got.RetryAfter != time.Minute {
		t.Errorf("%+v, want a minute", got)
	}
}
