package e2e_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/clipqueue/clipqueue/events"
)

// Fault 20: while a key is being rotated, both are good; an older one is not.
// Not parallel: the whole bundle's key changes.
func TestKeyRotation(t *testing.T) {
	early, late := waiting(t, "Under the old lock"), waiting(t, "Under a lock long gone")
	first := bundle.APIKey
	t.Cleanup(func() { rotate(t, first, "rph_live_third") })

	rotate(t, "rph_live_second", first)
	body := early.callback("completed")
	if got := post(t, early.generation().WebhookURL, sign(body, first), body); got != http.StatusOK {
		t.Errorf("signed with the previous key: answered %d, want 200", got)
	}
	early.ends(events.TypeCompleted)

	rotate(t, "rph_live_third", "rph_live_second")
	body = late.callback("completed")
	if got := post(t, late.generation().WebhookURL, sign(body, first), body); got != http.StatusUnauthorized {
		t.Errorf("signed with a key before the previous: answered %d, want 401", got)
	}
	if got := post(t, late.generation().WebhookURL, sign(body, "rph_live_second"), body); got != http.StatusOK {
		t.Errorf("signed with the previous key: answered %d, want 200", got)
	}
	late.ends(events.TypeCompleted)
	enqueue(t, "Under the new lock", nil).ends(events.TypeCompleted)
}

// rotate gives the account and the stack another key, and waits until it is in force.
func rotate(t *testing.T, current, previous string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience) // also for a cleanup
	defer cancel()
	bundle.Vendor.SetKeys(current, previous)
	_, err := secretsmanager.NewFromConfig(bundle.AWS).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(bundle.Outputs.APIKeySecretARN), SecretString: aws.String(current),
	})
	if err != nil {
		t.Fatal(err)
	}
	takesKey(t, current)
}

// takesKey waits until the webhook has taken notice of a key, which it does at
// a signature that fits no key it has, but not more often than every 3 s.
func takesKey(t *testing.T, current string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	blank := []byte("signed, and nothing else")
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for post(t, bundle.Outputs.WebhookURL+"/nobody/nothing", sign(blank, current), blank) != http.StatusBadRequest {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the webhook does not take the new key")
		}
	}
}
