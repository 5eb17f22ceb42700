package e2e_test

import (
	"net/http"
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

	runOperator(t, second+"\n", 0, "key", "set")
	bundle.Vendor.SetKeys(second, first)
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
