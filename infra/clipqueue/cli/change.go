package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

// refusal is a job that does not stand so that the change can be made.
func refusal(j job.Job, format string, args ...any) error {
	return &failure{fmt.Sprintf("%s is %s: ", j.ID, j.State) + fmt.Sprintf(format, args...), nil}
}

// transition applies a fact by the deployment's rules.
func transition(ctx context.Context, s *Services, j job.Job, f job.Fact) (job.Job, error) {
	rules, err := s.Stack.Rules(ctx)
	if err != nil {
		return j, err
	}
	return store.Transition(ctx, s.Jobs, rules, j, f)
}

// find reads a job by its id.
func find(ctx context.Context, s *Services, id string) (job.Job, error) {
	j, err := s.Jobs.Get(ctx, job.Key(id))
	if errors.Is(err, store.ErrNotFound) {
		return j, missing(ctx, s, id)
	}
	return j, err
}

// generationID is what the vendor's ids look like, as far as one has been seen.
var generationID = regexp.MustCompile(`^v?gen[_-][A-Za-z0-9_-]+$`)

// missing is a job that is not there.
func missing(ctx context.Context, s *Services, id string) error {
	if generationID.MatchString(id) {
		return absent(`%[1]s: no such job. It looks like the vendor's id of a generation; to find its job:
  clipqueue list --since 7d --limit 5000 -o json | jq -r 'select(.generation_id == "%[1]s").job_id'`, id)
	}
	if n := waiting(ctx, s); n > 0 && paused(ctx, s) {
		return absent("%s: no record yet: the deployment is paused and %s on the queue; it is probably among them (clipqueue resume)", id, waits(n))
	}
	return absent("%s: no such job. Its message may still wait on the queue (clipqueue doctor counts them), or its record has ended", id)
}

// done tells how a job stands after a change.
func (r *root) done(j job.Job, what string) error {
	if r.json() {
		return r.print(viewOf(j))
	}
	r.say("%s  %s  %s", j.ID, r.state(j.State), what)
	return nil
}

func (r *root) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel JOB...",
		Short: "End jobs that the vendor has not accepted",
		Long: `End jobs that wait on the queue: each becomes rejected (cancelled) and gets its event.

A job that the vendor has accepted cannot be cancelled: the vendor offers no way to. A prompt that
was not taken from the queue yet has no record, and cannot be cancelled; while the deployment is
paused none is taken. Resume it, then cancel.`,
		Example: example("clipqueue cancel order-1042"),
		Args:    cobra.MinimumNArgs(1),
		RunE:    r.connected(r.cancel),
	}
}

func (r *root) cancel(ctx context.Context, s *Services, ids []string) error {
	return r.forEach(ids, func(id string) error {
		j, err := find(ctx, s, id)
		if err != nil {
			return err
		}
		j, err = transition(ctx, s, j, job.Cancel{At: r.app.Now(), By: r.app.User})
		switch {
		case err == nil:
			return r.done(j, "cancelled; its message, when it comes, is dropped")
		case errors.Is(err, job.ErrDuplicate):
			return r.done(j, "was cancelled before")
		case errors.Is(err, job.ErrStale) && j.State == job.Submitting:
			return refusal(j, "a submit is under way; its claim ends %s. Try again then", story.Distance(j.ClaimUntil, r.app.Now()))
		case errors.Is(err, job.ErrStale) && j.State.Settled():
			return refusal(j, "it has ended already; see: clipqueue why %s", j.ID)
		case errors.Is(err, job.ErrStale):
			return refusal(j, "the vendor has accepted it, or may have, and offers no way to cancel; see: clipqueue why %s", j.ID)
		}
		return err
	})
}

func (r *root) recheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recheck JOB...",
		Short: "Ask the vendor about jobs now, and store its verdict",
		Long: `Ask the vendor about each job's generation, and store its verdict if there is one, as the
bundle would at its next look. Works on jobs whose generation id is known.`,
		Example: example("clipqueue recheck order-1042"),
		Args:    cobra.MinimumNArgs(1),
		RunE:    r.connected(r.recheck),
	}
}

func (r *root) recheck(ctx context.Context, s *Services, ids []string) error {
	return r.forEach(ids, func(id string) error {
		j, err := find(ctx, s, id)
		if err != nil {
			return err
		}
		if j.GenerationID == "" {
			return refusal(j, "its generation id is not known, so the vendor cannot be asked; see: clipqueue why %s", j.ID)
		}
		j, said, err := r.ask(ctx, s, j)
		if err != nil {
			return err
		}
		return r.done(j, said)
	})
}

// ask asks the vendor about a job's generation, and stores its verdict. It says
// what the vendor said.
func (r *root) ask(ctx context.Context, s *Services, j job.Job) (job.Job, string, error) {
	g, err := s.Vendor.Ask(ctx, j.GenerationID)
	if errors.Is(err, creativeai.ErrNotFound) {
		return j, "the vendor does not know the generation " + j.GenerationID, nil
	}
	if err != nil {
		return j, "", fmt.Errorf("ask the vendor about %s: %w", j.ID, err)
	}
	v, final := verdict.Of(g, r.app.Now())
	if !final {
		return j, "the vendor is not finished: it says " + short(g.Status, 40), nil
	}
	v.Result.Via = events.ViaPoll
	after, err := transition(ctx, s, j, v)
	switch {
	case err == nil:
		return after, "the vendor's verdict is stored, and its event goes out", nil
	case errors.Is(err, job.ErrDuplicate):
		return after, "the vendor says what is stored already", nil
	case errors.Is(err, job.ErrContradiction), errors.Is(err, job.ErrForeign):
		return after, "", refusal(after, "the vendor now says %s, which contradicts it: the first verdict stands", short(g.Status, 40))
	}
	return after, "", err
}
