package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/prompts"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

func (r *root) resolveCommand() *cobra.Command {
	var accepted string
	var notAccepted, giveUp, force, wait bool
	c := &cobra.Command{
		Use:   "resolve JOB (--accepted GENERATION | --not-accepted | --give-up)",
		Short: "Decide about a job whose submit answer was lost",
		Long: `Decide what only a person can about an unconfirmed job, or one that expired unconfirmed. Look it up
with the vendor first, by its prompt and the time of its submit.

--accepted attaches the generation: the vendor is asked about it, its prompt must be the job's, and
its verdict is taken when there is one.
--not-accepted allows one new submit of the job. If the vendor did accept the first, the prompt is
paid for twice.
--give-up waits no longer: the job ends as expired, and its event says that it may be charged. A
verdict of the vendor that comes later still counts.`,
		Example: example(
			"clipqueue resolve order-1042 --accepted gen_7f3a9c21",
			"clipqueue resolve order-1042 --not-accepted --wait",
			"clipqueue resolve order-1042 --give-up",
		),
		Args: cobra.ExactArgs(1),
	}
	c.RunE = r.connected(func(ctx context.Context, s *Services, args []string) error {
		j, err := find(ctx, s, args[0])
		if err != nil {
			return err
		}
		switch {
		case giveUp:
			return r.giveUp(ctx, s, j)
		case notAccepted:
			err = r.release(ctx, s, j)
		default:
			err = r.attach(ctx, s, j, accepted, force)
		}
		if err != nil || !wait {
			return err
		}
		return r.follow(ctx, s, []prompts.Row{{Place: prompts.Place{JobID: j.ID}, Hash: j.PayloadHash}}, nil)
	})
	c.Flags().StringVar(&accepted, "accepted", "", "the vendor's id of the generation")
	c.Flags().BoolVar(&notAccepted, "not-accepted", false, "the vendor does not have it: submit it once more")
	c.Flags().BoolVar(&giveUp, "give-up", false, "wait no longer: the job ends as expired")
	c.Flags().BoolVarP(&wait, "wait", "w", false, "follow the job to its verdict; exits 1 if it did not complete")
	c.Flags().BoolVar(&force, "force", false, "attach the generation even if the vendor cannot be asked, or shows another prompt")
	r.askFirst(c)
	c.MarkFlagsOneRequired("accepted", "not-accepted", "give-up")
	c.MarkFlagsMutuallyExclusive("accepted", "not-accepted", "give-up")
	c.MarkFlagsMutuallyExclusive("give-up", "wait")
	return c
}

func (r *root) attach(ctx context.Context, s *Services, j job.Job, generation string, force bool) error {
	if generation == "" {
		return usage("--accepted needs the vendor's id of the generation")
	}
	g, err := s.Vendor.Ask(ctx, generation)
	switch {
	case force:
	case errors.Is(err, creativeai.ErrNotFound):
		return &failure{fmt.Sprintf("the vendor does not know the generation %s; --force attaches it all the same", generation), nil}
	case err != nil:
		return fmt.Errorf("ask the vendor about %s; --force attaches it all the same: %w", generation, err)
	case g.Prompt != "" && g.Prompt != promptOf(j):
		return &failure{fmt.Sprintf("the generation %s is of another prompt, %q; --force attaches it all the same", generation, short(g.Prompt, 60)), nil}
	}
	j, attachErr := transition(ctx, s, j, job.Attach{At: r.app.Now(), GenerationID: generation, By: r.app.User})
	switch {
	case errors.Is(attachErr, job.ErrDuplicate):
		return r.done(j, "has this generation already")
	case errors.Is(attachErr, job.ErrContradiction):
		return refusal(j, "it has the generation %s already, which came from the vendor", j.GenerationID)
	case errors.Is(attachErr, job.ErrStale):
		return refusal(j, "only a job whose submit answer was lost takes a generation; see: clipqueue why %s", j.ID)
	case attachErr != nil:
		return attachErr
	}
	if _, final := verdict.Of(g, r.app.Now()); err == nil && final {
		j, said, err := r.ask(ctx, s, j)
		if err != nil {
			return err
		}
		return r.done(j, "attached generation "+generation+"; "+said)
	}
	return r.done(j, "attached generation "+generation+"; the bundle asks the vendor from now on")
}

func (r *root) release(ctx context.Context, s *Services, j job.Job) error {
	if j.State != job.Unconfirmed && j.State != job.Expired {
		return refusal(j, "only an unconfirmed or expired job can be submitted once more; see: clipqueue why %s", j.ID)
	}
	if j.GenerationID != "" {
		return refusal(j, "the vendor did accept it, as %s; see: clipqueue why %s", j.GenerationID, j.ID)
	}
	if err := r.agree(ctx, fmt.Sprintf("Submit %s once more? If the vendor did accept it, it is paid for twice.", j.ID)); err != nil {
		return err
	}
	j, err := transition(ctx, s, j, job.Release{At: r.app.Now(), By: r.app.User})
	switch {
	case err == nil:
		return r.done(j, "goes onto the queue again, within a minute")
	case errors.Is(err, job.ErrContradiction):
		return refusal(j, "meanwhile the vendor has told that it accepted it, as %s", j.GenerationID)
	case errors.Is(err, job.ErrStale):
		return refusal(j, "meanwhile it has moved on; see: clipqueue why %s", j.ID)
	}
	return err
}

func (r *root) giveUp(ctx context.Context, s *Services, j job.Job) error {
	if err := unconfirmedOnly(j); err != nil {
		return err
	}
	if err := r.agree(ctx, fmt.Sprintf("Give %s up? Its event says that it may be charged.", j.ID)); err != nil {
		return err
	}
	j, err := transition(ctx, s, j, job.GiveUp{At: r.app.Now(), By: r.app.User})
	switch {
	case err == nil:
		return r.done(j, "given up; a verdict of the vendor that comes later still counts")
	case errors.Is(err, job.ErrDuplicate), errors.Is(err, job.ErrStale):
		return refusal(j, "meanwhile it has moved on; see: clipqueue why %s", j.ID)
	}
	return err
}

// unconfirmedOnly says of any other job what can be done with it.
func unconfirmedOnly(j job.Job) error {
	switch j.State {
	case job.Unconfirmed:
		return nil
	case job.Queued:
		return refusal(j, "nothing is waited for; to end it: clipqueue cancel %s", j.ID)
	case job.Submitting:
		return refusal(j, "a submit is under way; see: clipqueue why %s", j.ID)
	case job.Processing:
		return refusal(j, "the vendor has accepted it, and offers no way to cancel; see: clipqueue why %s", j.ID)
	case job.Completed, job.Failed, job.Rejected, job.Expired:
	}
	return refusal(j, "it has ended already; see: clipqueue why %s", j.ID)
}
