package creativeai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// askFor bounds one question: short beside a loop's poll and reconcile's minute.
const askFor = 15 * time.Second

type keySource interface {
	Current(ctx context.Context) (string, error)
	Refresh(ctx context.Context) error
}

// Account is the vendor as one account sees it: the client with the key of the
// moment. On a 401 the key may have been rotated: it is read again, and only if
// it differs is the call, which the vendor refused, made anew.
type Account struct {
	client *Client
	keys   keySource
}

// NewAccount joins a client with the source of its key.
func NewAccount(client *Client, keys keySource) (*Account, error) {
	if client == nil || keys == nil {
		return nil, errors.New("creativeai: a client and a source of keys are needed")
	}
	return &Account{client: client, keys: keys}, nil
}

// Ready says whether there is a key to call the vendor with.
func (a *Account) Ready(ctx context.Context) error {
	_, err := a.keys.Current(ctx)
	return err
}

// Submit is [Client.Submit].
func (a *Account) Submit(ctx context.Context, s Submission) Outcome {
	key, err := a.keys.Current(ctx)
	if err != nil {
		return Outcome{Kind: Unsent, Reason: "the vendor's key cannot be read", Err: err}
	}
	outcome := a.client.Submit(ctx, key, s)
	if outcome.Kind != AccountRefused || outcome.Status != http.StatusUnauthorized {
		return outcome
	}
	if fresh, ok := a.rotated(ctx, key); ok {
		return a.client.Submit(ctx, fresh, s)
	}
	return outcome
}

// Ask is [Client.Get], within 15 seconds.
func (a *Account) Ask(ctx context.Context, id string) (Generation, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	key, err := a.keys.Current(ctx)
	if err != nil {
		return Generation{}, fmt.Errorf("ask about generation %q: %w", id, err)
	}
	g, err := a.client.Get(ctx, key, id)
	status, ok := errors.AsType[*StatusError](err)
	if !ok || status.Status != http.StatusUnauthorized {
		return g, err
	}
	if fresh, ok := a.rotated(ctx, key); ok {
		return a.client.Get(ctx, fresh, id)
	}
	return g, err
}

func (a *Account) rotated(ctx context.Context, key string) (fresh string, ok bool) {
	if err := a.keys.Refresh(ctx); err != nil {
		return "", false // the 401 stands, and says more than this
	}
	fresh, err := a.keys.Current(ctx)
	return fresh, err == nil && fresh != key
}
