package fake_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

func TestSubmitAnswersAsThePageSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		a := b.do(t.Context(), http.MethodPost, submitPath, `{"model":"seedance-1.5-pro","prompt":"A dog","aspect_ratio":"16:9",
			"duration":5,"resolution":"720p","failover":true,"webhook_url":"`+webhook+`","a_field_to_come":[1]}`)
		if a.status != http.StatusAccepted || a.header.Get("Content-Type") != "application/json" {
			t.Fatalf("answer: %d %v %s", a.status, a.header, a.body)
		}
		if id := fields(t, a.body)["id"]; !strings.HasPrefix(id, "gen_") {
			t.Errorf("id is %q", id)
		}
		for name, want := range map[string]string{
			"status": "pending", "model_actual": "seedance-1.5-pro", "credits": "25", "failover_used": "false",
		} {
			wantField(t, a.body, name, want)
		}
	})
}

func TestGetFollowsTheGeneration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		id := b.accept("A dog [fault: takes for=1m]")
		wantField(t, b.get(id).body, "status", "queued")
		time.Sleep(30 * time.Second)
		running := b.get(id)
		wantField(t, running.body, "status", "processing")
		wantField(t, running.body, "output_url", "null")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		done := b.get(id)
		wantField(t, done.body, "status", "completed")
		wantField(t, done.body, "output_url", vendorURL+"/videos/"+id+".mp4")
		wantField(t, done.body, "completed_at", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	})
}

func TestFailedPollCarriesError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		id := b.accept(`A dog [fault: fail message="no dogs, [please]"]`)
		b.vendor.Finish(id)
		got := b.get(id)
		wantField(t, got.body, "status", "failed")
		wantField(t, got.body, "error", "no dogs, [please]")
		wantField(t, got.body, "output_url", "null")
		if _, found := fields(t, got.body)["error_message"]; found {
			t.Errorf("a poll must not carry error_message: %s", got.body)
		}
	})
}

func TestWorkTakesThirtySecondsToThreeMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(c *fake.Config) { c.Scale = 0.5 })
		for range 50 {
			b.accept("A dog")
		}
		time.Sleep(90 * time.Second)
		synctest.Wait()
		for _, g := range b.vendor.Ledger().Generations {
			if took := g.CompletedAt.Sub(g.AcceptedAt); took < 15*time.Second || took > 90*time.Second {
				t.Errorf("%s took %s, want half of 30 s to 3 min", g.ID, took)
			}
		}
	})
}

func TestSubmissionsThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body, auth, contentType string
		want                          int
	}{
		{"not JSON", `prompt=x`, "Bearer " + key, "application/json", 400},
		{"an array", `[]`, "Bearer " + key, "application/json", 400},
		{"a duplicate name", `{"prompt":"a","prompt":"b"}`, "Bearer " + key, "application/json", 400},
		{"a duration of text", `{"prompt":"a","duration":"5s"}`, "Bearer " + key, "application/json", 400},
		{"a fault not understood", `{"prompt":"a [fault: nonsense]"}`, "Bearer " + key, "application/json", 400},
		{"no prompt", `{}`, "Bearer " + key, "application/json", 422},
		{"a blank prompt", `{"prompt":" \n"}`, "Bearer " + key, "application/json", 422},
		{"no seconds", `{"prompt":"a","duration":0}`, "Bearer " + key, "application/json", 422},
		{"a relative webhook_url", `{"prompt":"a","webhook_url":"/hook"}`, "Bearer " + key, "application/json", 422},
		{"form data", `{"prompt":"a"}`, "Bearer " + key, "application/x-www-form-urlencoded", 415},
		{"no key", `{"prompt":"a"}`, "", "application/json", 401},
		{"another key", `{"prompt":"a"}`, "Bearer x", "application/json", 401},
		{"an empty key", `{"prompt":"a"}`, "Bearer ", "application/json", 401},
		{"over 1 MiB", `{"prompt":"` + strings.Repeat("a", 1<<20) + `"}`, "Bearer " + key, "application/json", 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := httptest.NewRequest(http.MethodPost, submitPath, strings.NewReader(tt.body))
			r.Header.Set("Authorization", tt.auth)
			r.Header.Set("Content-Type", tt.contentType)
			w := httptest.NewRecorder()
			b.vendor.ServeHTTP(w, r)
			if w.Code != tt.want || !strings.Contains(w.Body.String(), `"error"`) {
				t.Errorf("answer: %d %s, want %d with an error", w.Code, w.Body, tt.want)
			}
			b.wantAccepted(0)
			if got := b.vendor.Ledger().Requests[0].Key; strings.TrimSpace(tt.auth) != "Bearer "+key && got != "unknown" && got != "absent" {
				t.Errorf("key in the ledger: %s", got)
			}
		})
	}
}

func TestUnknownGenerationIsNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if a := b.get("gen_unknown"); a.status != http.StatusNotFound {
		t.Errorf("answer: %d %s", a.status, a.body)
	}
	if a := b.do(t.Context(), http.MethodGet, "/v2/other", ""); a.status != http.StatusNotFound || strings.Contains(string(a.body), "error") {
		t.Errorf("a path that is not the API's must not answer with its JSON error: %d %s", a.status, a.body)
	}
}

func TestKeysWhileRotating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		id := b.accept("A dog")
		b.vendor.SetKeys("new", key)
		b.accept("A cat")
		b.vendor.Finish(id)
		synctest.Wait()
		if got := b.receiver.all(); len(got) != 1 || !got[0].signedBy(key) {
			t.Errorf("want one callback signed by the key that submitted it, got %d", len(got))
		}
		b.vendor.SetKeys("newer", "new")
		if a := b.submit("A bird"); a.status != http.StatusUnauthorized {
			t.Errorf("a retired key: %d", a.status)
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if got := b.receiver.all(); len(got) != 2 || !got[1].signedBy("newer") {
			t.Errorf("want a callback signed by the current key once the other is retired")
		}
		var names []string
		for _, q := range b.vendor.Ledger().Requests {
			names = append(names, q.Key)
		}
		if got := strings.Join(names, " "); got != "current previous unknown" {
			t.Errorf("keys in the ledger: %s", got)
		}
	})
}
