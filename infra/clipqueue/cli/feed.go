package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
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

What submit has in hand at that moment may still go to the vendor; it says how much that can be, and
until when.

The time of a job that was tried before runs on: it expires after queuedFor, 7 days by default.
A new deployment of the stack may open the feed again.`,
		Example: example("clipqueue pause --stage prod"),
		Args:    cobra.NoArgs,
		RunE: r.connected(func(ctx context.Context, s *Services, _ []string) error {
			return r.setFeed(ctx, s, false)
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
			return r.setFeed(ctx, s, true)
		}),
	}
}

// feedView is the state of the feed, as JSON.
type feedView struct {
	Paused bool `json:"paused"`
	// Changed says whether it was otherwise before.
	Changed bool `json:"changed"`
	// Waiting are the prompts on the queue, InFlight those in hand or that wait for another try.
	Waiting  int `json:"waiting"`
	InFlight int `json:"in_flight"`
	// EffectiveAt is when nothing that was in hand at a pause can go out any more.
	EffectiveAt time.Time `json:"effective_at,omitzero"`
}

// setFeed opens or closes the feed, waits until that is so, and tells what waits.
func (r *root) setFeed(ctx context.Context, s *Services, open bool) error {
	changed, err := r.turnFeed(ctx, s, open)
	if err != nil {
		return err
	}
	depth, err := s.Lookers.Depth(ctx, s.Outputs.JobQueueURL)
	if err != nil {
		return err
	}
	v := feedView{Paused: !open, Changed: changed, Waiting: depth.Waiting + depth.Delayed, InFlight: depth.InFlight}
	var hand deployment.InHand
	if changed && !open {
		if hand, err = s.Feed.InHand(ctx); err != nil {
			return err
		}
		v.EffectiveAt = r.app.Now().Add(hand.For).UTC().Truncate(time.Second)
	}
	if r.json() {
		return r.print(v)
	}
	r.say("%s", feedWords(v))
	r.say("On the queue: %s.", waitingWords(depth))
	if !v.EffectiveAt.IsZero() {
		r.say("%s", handWords(hand, v.EffectiveAt))
	}
	if !open {
		r.say("To go on: clipqueue resume")
	}
	return nil
}

func feedWords(v feedView) string {
	switch {
	case v.Paused && v.Changed:
		return "Paused: no more prompts are taken from the queue."
	case v.Paused:
		return "It was paused already: no prompts are taken from the queue."
	case v.Changed:
		return "Resumed: prompts are taken from the queue."
	}
	return "It was not paused: prompts are taken from the queue."
}

// waitingWords say how many prompts are on the queue, about, as SQS counts.
func waitingWords(d deployment.Depth) string {
	return fmt.Sprintf("%s waiting, %d in hand or waiting for another try", plural(d.Waiting+d.Delayed, "prompt"), d.InFlight)
}

// handWords say what may still be submitted after a pause.
func handWords(h deployment.InHand, until time.Time) string {
	most := ""
	if h.Prompts > 0 {
		most = fmt.Sprintf(", %d at most", h.Prompts)
	}
	return fmt.Sprintf("What submit has in hand may still go to the vendor%s: until %s, within %s. None does after that.",
		most, until.Format("15:04:05 UTC"), story.Span(h.For))
}

// turnFeed opens or closes the feed, waits until that is so, and says whether
// it was otherwise before.
func (r *root) turnFeed(ctx context.Context, s *Services, open bool) (changed bool, err error) {
	want := map[bool]string{true: feedOpen, false: feedClosed}[open]
	state, err := s.Feed.FeedState(ctx)
	if err != nil || state == want {
		return false, err
	}
	if err := s.Feed.SetFeed(ctx, open); err != nil {
		return false, err
	}
	for end := r.app.Now().Add(feedWithin); ; {
		if state, err = s.Feed.FeedState(ctx); err != nil || state == want {
			return true, err
		}
		if r.app.Now().After(end) {
			return true, &failure{fmt.Sprintf("the feed is still %q: it follows by itself, look again with clipqueue doctor", state), nil}
		}
		if err := r.app.Pause(ctx, feedLook); err != nil {
			return true, err
		}
	}
}
