// Package keys reads the vendor's API key from Secrets Manager and keeps it at
// hand: the current one, and for callbacks the one before it.
//
// A key that was read is used for five minutes and then read again, so that one
// retired by two rotations stops verifying. While Secrets Manager cannot be read
// the keys at hand stay in use, for as long as that lasts: losing results is
// worse than a retired key that verifies a little longer. An answer that there
// is no value is no failure to read; it takes the key out of use.
//
// No error or formatted Source holds a key.
package keys

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// ErrNoKey means that the secret has no key in it: no value, a blank one, or
// JSON instead of the bare key.
var ErrNoKey = errors.New("no API key")

type getter interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Source gives out the keys of one secret. It is safe for concurrent use.
type Source struct {
	current, previous *version
}

// New returns a source of the keys in the secret with this name or ARN. It
// reads nothing yet.
func New(client getter, secretID string, now func() time.Time) (*Source, error) {
	if client == nil || now == nil {
		return nil, errors.New("keys: a Secrets Manager client and a clock are required")
	}
	if secretID == "" {
		return nil, errors.New("keys: the name or ARN of the API key's secret is required")
	}
	s := secret{client: client, id: secretID, now: now}
	return &Source{
		current:  &version{secret: s, stage: "AWSCURRENT", turn: make(chan struct{}, 1)},
		previous: &version{secret: s, stage: "AWSPREVIOUS", optional: true, turn: make(chan struct{}, 1)},
	}, nil
}

// Current returns the key to call the vendor with. It reads the secret only if
// no key is at hand or it is older than five minutes. It returns [ErrNoKey], or
// why the secret could not be read.
func (s *Source) Current(ctx context.Context) (string, error) {
	return s.current.get(ctx)
}

// Pair returns the keys to verify callbacks with. previous is empty before the
// first rotation; an empty key verifies nothing. It returns [ErrNoKey] if there
// is no current key, and an error if either could not be read and none is at hand.
func (s *Source) Pair(ctx context.Context) (current, previous string, err error) {
	var previousErr error
	var group sync.WaitGroup
	group.Go(func() { previous, previousErr = s.previous.get(ctx) })
	current, err = s.current.get(ctx)
	group.Wait()
	if err = errors.Join(err, previousErr); err != nil {
		return "", "", err
	}
	return current, previous, nil
}

// Refresh reads again whichever of the keys have been asked for, because one of
// them did not fit. Within three seconds of the last read, a failed one
// included, it reads nothing and returns what that read returned. If the secret
// cannot be read the keys at hand stay in use, and the error says so.
func (s *Source) Refresh(ctx context.Context) error {
	var previousErr error
	var group sync.WaitGroup
	group.Go(func() { previousErr = s.previous.refreshIfAsked(ctx) })
	err := s.current.refreshIfAsked(ctx)
	group.Wait()
	return errors.Join(err, previousErr)
}

// Format keeps the keys out of every verb of fmt.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "keys.Source") }
