package cli

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/keys"
)

// hintFor bounds what a hint may take.
const hintFor = 3 * time.Second

// standstill says why prompts wait on the queue just now, and what ends that;
// empty when nothing is known to hold them up. It is a hint: what cannot be
// looked at in a moment is not told.
func standstill(ctx context.Context, s *Services) string {
	ctx, cancel := context.WithTimeout(ctx, hintFor)
	defer cancel()
	if state, err := s.Feed.FeedState(ctx); err == nil && slices.Contains([]string{feedClosed, "Disabling"}, state) {
		return "the deployment is paused: they wait on the queue (clipqueue resume)"
	}
	_, err := s.Vendor.Ask(ctx, probeID)
	switch {
	case errors.Is(err, keys.ErrNoKey):
		return "the vendor's key is missing: they wait on the queue (clipqueue key set)"
	case errors.Is(err, creativeai.ErrAccountRefused):
		return "the vendor refuses the " + refused(err) + ": they wait on the queue (clipqueue doctor)"
	}
	return ""
}

// noteStandstill tells why prompts that were put on the queue wait there.
func (r *root) noteStandstill(ctx context.Context, s *Services) {
	if why := standstill(ctx, s); why != "" {
		r.note("%s", why)
	}
}

// refused is what the vendor refuses of the account: 401 is about the key, 402
// and 403 are about what the account has or may.
func refused(err error) string {
	if status, ok := errors.AsType[*creativeai.StatusError](err); ok && status.Status != http.StatusUnauthorized {
		return "account"
	}
	return "key"
}
