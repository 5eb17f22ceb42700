package creativeai_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

// ring is a source whose key changes on the first refresh, if it is to.
type ring struct {
	key, rotated string
	err          error
	refreshes    int
}

func (r *ring) Current(context.Context) (string, error) { return r.key, r.err }

func (r *ring) Refresh(context.Context) error {
	r.refreshes++
	if r.rotated != "" {
		r.key = r.rotated
	}
	return nil
}

func TestAccount(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		keys ring
		// used are the keys that each of a submit and a question is made with.
		used      []string
		kind      creativeai.Kind
		askErr    error
		refreshes int
	}{
		{"the key is good", ring{key: "good"}, []string{"good"}, creativeai.Accepted, nil, 0},
		{"the key was rotated", ring{key: "old", rotated: "good"}, []string{"old", "good"}, creativeai.Accepted, nil, 1},
		{"the key is bad", ring{key: "bad"}, []string{"bad"}, creativeai.AccountRefused, creativeai.ErrAccountRefused, 1},
		{"the new key is bad too", ring{key: "old", rotated: "bad"}, []string{"old", "bad"}, creativeai.AccountRefused, creativeai.ErrAccountRefused, 1},
		{"out of credit", ring{key: "broke"}, []string{"broke"}, creativeai.AccountRefused, creativeai.ErrAccountRefused, 0},
		{"no key", ring{err: io.ErrNoProgress}, nil, creativeai.Unsent, io.ErrNoProgress, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var used []string
			v := serve(t, func(w http.ResponseWriter, r *http.Request) {
				key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				used = append(used, key)
				switch key {
				case "good":
					_, _ = io.WriteString(w, `{"id":"gen_1","status":"pending"}`)
				case "broke":
					w.WriteHeader(http.StatusPaymentRequired)
				default:
					w.WriteHeader(http.StatusUnauthorized)
				}
			})
			forSubmit, forAsk := tt.keys, tt.keys
			submits, err := creativeai.NewAccount(newClient(t, v.URL), &forSubmit)
			if err != nil {
				t.Fatal(err)
			}
			if got := submits.Submit(t.Context(), job()); got.Kind != tt.kind {
				t.Errorf("submit: %+v, want %v", got, tt.kind)
			}
			if diff := cmp.Diff(tt.used, used); diff != "" || forSubmit.refreshes != tt.refreshes {
				t.Errorf("submit: %d refreshes, keys used (-want +got):\n%s", forSubmit.refreshes, diff)
			}

			used = nil
			asks, err := creativeai.NewAccount(newClient(t, v.URL), &forAsk)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := asks.Ask(t.Context(), "gen_1"); !errors.Is(err, tt.askErr) {
				t.Errorf("ask: %v, want %v", err, tt.askErr)
			}
			if diff := cmp.Diff(tt.used, used); diff != "" || forAsk.refreshes != tt.refreshes {
				t.Errorf("ask: %d refreshes, keys used (-want +got):\n%s", forAsk.refreshes, diff)
			}
			if err := asks.Ready(t.Context()); !errors.Is(err, tt.keys.err) {
				t.Errorf("ready: %v", err)
			}
		})
	}
	if _, err := creativeai.NewAccount(nil, &ring{}); err == nil {
		t.Error("no client: no error")
	}
}
