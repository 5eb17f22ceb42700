package keys

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

const (
	// maxAge is how long a key is used before it is read again.
	maxAge = 5 * time.Minute
	// minInterval is the least time between two reads of one key.
	minInterval = 3 * time.Second
	// readTimeout bounds one read with the SDK's own repeats, so that a callback
	// can be answered within the ten seconds that the vendor gives.
	readTimeout = 3 * time.Second
)

type secret struct {
	client getter
	id     string
	now    func() time.Time
}

// version is one staged version of the secret, and what was last read of it.
type version struct {
	secret

	stage string
	// optional is set if having no value is in order.
	optional bool
	// turn is held while reading, so that many who need the key read it once.
	// Those who have one at hand do not wait for it.
	turn chan struct{}

	mu      sync.Mutex
	asked   bool
	key     string
	readAt  time.Time // of the last read that told what the key is, or that there is none
	triedAt time.Time // of the last read at all
	err     error     // what that one returned
}

// get returns the key at hand, or reads it.
func (v *version) get(ctx context.Context) (string, error) {
	if key, ok := v.atHand(maxAge); ok {
		return key, nil
	}
	err := v.refresh(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.key != "" {
		return v.key, nil // read just now, or kept because reading failed
	}
	return "", err
}

func (v *version) atHand(age time.Duration) (key string, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = true
	known := v.key != "" || v.optional
	return v.key, known && !v.readAt.IsZero() && v.now().Sub(v.readAt) < age
}

func (v *version) refreshIfAsked(ctx context.Context) error {
	v.mu.Lock()
	asked := v.asked
	v.mu.Unlock()
	if !asked {
		return nil
	}
	return v.refresh(ctx)
}

// refresh reads the key, unless that was tried a moment ago: then it returns
// what came of it.
func (v *version) refresh(ctx context.Context) error {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the %s API key: %w", v.stage, ctx.Err())
	}
	if tried, err := v.triedJustNow(); tried {
		return err
	}
	key, err := v.read(ctx)
	if err != nil && ctx.Err() != nil {
		return err // the caller gave up, which says nothing to the others
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.triedAt = v.now()
	if noKey := errors.Is(err, ErrNoKey); err == nil || noKey {
		v.key, v.readAt = key, v.triedAt
		if noKey && v.optional {
			err = nil
		}
	}
	v.err = err
	return err
}

func (v *version) triedJustNow() (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.triedAt.IsZero() && v.now().Sub(v.triedAt) < minInterval, v.err
}

// read asks Secrets Manager once. Its errors name the secret, never its value.
func (v *version) read(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := v.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(v.id),
		VersionStage: aws.String(v.stage),
	})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return "", v.noKey("has no value yet")
	}
	if err != nil {
		return "", fmt.Errorf("read the %s API key from the secret %s: %w", v.stage, v.id, err)
	}
	key := strings.TrimSpace(aws.ToString(out.SecretString))
	if key == "" {
		key = strings.TrimSpace(string(out.SecretBinary))
	}
	switch {
	case key == "":
		return "", v.noKey("has no value yet")
	case strings.HasPrefix(key, "{"):
		return "", v.noKey("holds JSON, not the bare key")
	}
	return key, nil
}

func (v *version) noKey(why string) error {
	return fmt.Errorf("%w: the secret %s %s (%s): put the key with `aws secretsmanager put-secret-value --secret-id %s --secret-string KEY`",
		ErrNoKey, v.id, why, v.stage, v.id)
}
