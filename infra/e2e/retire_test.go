package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/clipqueue/clipqueue/events"
)

// Fault 20, from the operator's side, in the order that the README gives: the
// new key is put and both are good, whoever signs; then the old one is retired,
// and what it signs is nobody's. Not parallel: the whole bundle's key changes.
func TestFault20_OldKeyRetired(t *testing.T) {
	byOld, byNew, late := waiting(t, "Signed by the old"), waiting(t, "Signed by the new"), waiting(t, "Signed by the retired")
	first, second := bundle.APIKey, "rph_live_after_"+bundle.APIKey
	t.Cleanup(func() { rotate(t, first, "") })

	_, errs := runOperator(t, second+"\n", 1, "key", "set", "--yes")
	if !strings.Contains(errs, "the vendor refuses this key (401") || strings.Contains(errs, second) {
		t.Errorf("a key that the vendor does not know: %s", errs)
	}
	bundle.Vendor.SetKeys(second, first)
	runOperator(t, second+"\n", 0, "key", "set", "--yes")
	keysAre(t, second, first)
	runOperator(t, "", 0, "key", "swap")
	keysAre(t, first, second)
	runOperator(t, "", 0, "key", "swap")
	keysAre(t, second, first)
	takesKey(t, second)
	for s, key := range map[*story]string{byOld: first, byNew: second} {
		body := s.callback("completed")
		if got := post(t, s.generation().WebhookURL, sign(body, key), body); got != http.StatusOK {
			t.Errorf("%s: answered %d, want 200", s.prompt, got)
		}
		s.ends(events.TypeCompleted)
	}

	runOperator(t, "", 0, "key", "retire", "--yes")
	bundle.Vendor.SetKeys(second, "")
	restart(t, "Webhook") // or five minutes later
	body := late.callback("completed")
	if got := post(t, late.generation().WebhookURL, sign(body, first), body); got != http.StatusUnauthorized {
		t.Errorf("signed with the retired key: answered %d, want 401", got)
	}
	if got := post(t, late.generation().WebhookURL, sign(body, second), body); got != http.StatusOK {
		t.Errorf("signed with the new key: answered %d, want 200", got)
	}
	late.ends(events.TypeCompleted)
	enqueue(t, "Under the new key", nil).ends(events.TypeCompleted)
}

// keysAre wants these keys in force, by their fingerprints, both of which the
// vendor takes, and open jobs that depend on the previous one.
func keysAre(t *testing.T, current, previous string) {
	t.Helper()
	type key struct {
		Fingerprint string `json:"fingerprint"`
		Vendor      string `json:"vendor"`
		OpenJobs    int    `json:"open_jobs"`
	}
	out, _ := runOperator(t, "", 0, "key", "status", "-o", "json")
	keys := lines[key](t, out)
	if len(keys) != 2 || keys[1].OpenJobs < 1 {
		t.Fatalf("the keys are %s", out)
	}
	for i, want := range []string{current, previous} {
		if mark := fmt.Sprintf("%x", sha256.Sum256([]byte(want)))[:8]; keys[i].Fingerprint != mark || keys[i].Vendor != "takes" {
			t.Errorf("key %d is not %s: %s", i, mark, out)
		}
	}
}
