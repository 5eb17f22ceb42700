package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

const (
	feedOpen   = "Enabled"
	feedClosed = "Disabled"
	// feedWithin is how long Lambda may take to follow; it says up to a minute.
	feedWithin = 2 * time.Minute
	feedLook   = 2 * time.Second
)

func (r *root) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause",
		Short: "Stop submitting prompts, without losing one",
		Long: `Stop taking prompts from the queue. They wait on it, for up to 14 days; what is with the vendor goes
on: callbacks are taken, polls made, events sent. "resume" goes on where it stopped.

The time of a job that was tried before runs on: it expires after queuedFor, 7 days by default.
A new deployment of the stack may open the feed again.`,
		Example: example("clipqueue pause --stage prod"),
		Args:    cobra.NoArgs,
		RunE: r.connected(func(ctx context.Context, s *Services, _ []string) error {
			return r.setFeed(ctx, s, false, "Paused: prompts wait on the queue. To go on: clipqueue resume")
		}),
	}
}

func (r *root) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "resume",
		Short:   "Go on submitting after a pause",
		Example: example("clipqueue resume --stage prod"),
		Args:    cobra.NoArgs,
		RunE: r.connected(func(ctx context.Context, s *Services, _ []string) error {
			return r.setFeed(ctx, s, true, "Resumed: prompts are taken from the queue.")
		}),
	}
}

// feedView is the state of the feed, as JSON.
type feedView struct {
	Paused bool `json:"paused"`
}

// setFeed opens or closes the feed, and waits until that is so.
func (r *root) setFeed(ctx context.Context, s *Services, open bool, done string) error {
	want := map[bool]string{true: feedOpen, false: feedClosed}[open]
	state, err := s.Feed.FeedState(ctx)
	if err != nil {
		return err
	}
	if state != want {
		if err := s.Feed.SetFeed(ctx, open); err != nil {
			return err
		}
	}
	for end := r.app.Now().Add(feedWithin); state != want; {
		if state, err = s.Feed.FeedState(ctx); err != nil {
			return err
		}
		if state == want {
			break
		}
		if r.app.Now().After(end) {
			return &failure{fmt.Sprintf("the feed is still %q: it follows by itself, look again with clipqueue doctor", state), nil}
		}
		if err := r.app.Pause(ctx, feedLook); err != nil {
			return err
		}
	}
	if r.json() {
		return r.print(feedView{Paused: !open})
	}
	r.say("%s", done)
	return nil
}
