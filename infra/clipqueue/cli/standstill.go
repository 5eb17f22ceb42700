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
	if paused(ctx, s) {
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

// paused says whether submit takes no prompts from the queue, as far as that can be seen.
func paused(ctx context.Context, s *Services) bool {
	state, err := s.Feed.FeedState(ctx)
	return err == nil && slices.Contains([]string{feedClosed, "Disabling"}, state)
}

// waiting is how many prompts wait on the queue, about; 0 when that cannot be
// seen in a moment. It is a hint, like [standstill].
func waiting(ctx context.Context, s *Services) int {
	ctx, cancel := context.WithTimeout(ctx, hintFor)
	defer cancel()
	depth, err := s.Lookers.Depth(ctx, s.Outputs.JobQueueURL)
	if err != nil {
		return 0
	}
	return depth.Waiting + depth.Delayed
}

// waits is how many prompts wait, with the verb.
func waits(n int) string {
	if n == 1 {
		return "1 prompt waits"
	}
	return plural(n, "prompt") + " wait"
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
