package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

// maxRetries bounds how often one prompt is retried under a name of its own.
const maxRetries = 99

func (r *root) retryCommand() *cobra.Command {
	var f filter
	var twice, dry bool
	c := &cobra.Command{
		Use:   "retry [JOB...]",
		Short: "Submit failed, expired or cancelled jobs again, as new jobs",
		Long: `Submit jobs that ended without a video again: as new jobs, named JOB-r2, JOB-r3 and so on, with the
same prompt and metadata. Name them, or choose them with the flags that list has.

The vendor is asked first about each old generation that may have finished since; if it has, its
verdict is stored and there is nothing to retry. A job that has been retried is not retried again
while that retry is open or completed. A job whose submit answer was lost may have been charged:
it is left out unless you say --even-if-charged.

It says what it would do and cost, and asks.`,
		Example: example(
			"clipqueue retry order-1042",
			"clipqueue retry --state failed,expired --since 7d --dry-run",
			"clipqueue retry --state failed --meta campaign=autumn --yes",
		),
	}
	c.RunE = r.connected(func(ctx context.Context, s *Services, args []string) error {
		chosen := slices.ContainsFunc([]string{"state", "since", "until", "model", "meta"}, c.Flags().Changed)
		if chosen == (len(args) > 0) {
			return usage("name the jobs, or choose them with --state, --since, --model or --meta")
		}
		jobs, err := r.chosen(ctx, s, args, f)
		if err != nil {
			return err
		}
		return r.retry(ctx, s, jobs, twice, dry)
	})
	f.flags(c.Flags(), 1000, 10_000)
	c.Flags().BoolVar(&twice, "even-if-charged", false, "also jobs that may have been charged without anything to show for it")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	completeStates(c)
	r.askFirst(c)
	return c
}

// chosen are the jobs that were named, or that the filter finds.
func (r *root) chosen(ctx context.Context, s *Services, ids []string, f filter) ([]job.Job, error) {
	var jobs []job.Job
	if len(ids) > 0 {
		for _, id := range ids {
			j, err := find(ctx, s, id)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, j)
		}
		return jobs, nil
	}
	if len(f.states) == 0 {
		f.states = []string{string(job.Failed), string(job.Expired)}
	}
	query, err := f.check(r.app.Now())
	if err != nil {
		return nil, err
	}
	result, err := query.each(ctx, s.Lists, func(j job.Job) error {
		if !j.Rejection {
			jobs = append(jobs, j)
		}
		return nil
	})
	if err == nil && !result.next.IsZero() {
		r.note("not all were looked at: %s read. Run it again afterwards, or raise --limit and --read", plural(result.read, "record"))
	}
	return jobs, err
}

// plan is what is to become of one job.
type plan struct {
	old job.Job
	// id is the new job's; empty when there is none.
	id string
	// why says why not, or what to mind.
	why string
	err error
}

// retryView is a plan as JSON.
type retryView struct {
	JobID   string `json:"job_id"`
	RetryID string `json:"retry_id,omitempty"`
	Note    string `json:"note,omitempty"`
	Credits *int64 `json:"credits"`
}

func (r *root) retry(ctx context.Context, s *Services, jobs []job.Job, twice, dry bool) error {
	var plans []plan
	var failed int
	for _, j := range jobs {
		p := r.plan(ctx, s, j, twice)
		if p.err != nil {
			p.why = p.err.Error()
			failed++
		}
		plans = append(plans, p)
	}
	n, err := r.showPlans(plans)
	if err != nil {
		return err
	}
	if n > 0 && !dry {
		if err := r.agree(ctx, fmt.Sprintf("Submit %s? Each is paid for.", plural(n, "new job"))); err != nil {
			return err
		}
		if err := r.sendPlans(ctx, s, plans); err != nil {
			return err
		}
		r.note("%s on the queue", plural(n, "new job"))
	}
	if failed > 0 {
		return &failure{fmt.Sprintf("%d of %d could not be retried", failed, len(jobs)), nil}
	}
	return nil
}

// plan decides about one job; it may store a verdict that the vendor has by now.
func (r *root) plan(ctx context.Context, s *Services, j job.Job, twice bool) plan {
	p := plan{old: j}
	switch {
	case j.State == job.Rejected && j.Reason.Code == events.CodeCancelled, j.State == job.Failed:
	case j.State == job.Expired && j.GenerationID != "":
		return r.planKnown(ctx, s, p, twice)
	case j.State == job.Expired && story.MayBeCharged(j) && !twice:
		p.err = refusal(j, "its submit answer was lost and it may have been charged: look it up with the vendor (clipqueue why %s), or say --even-if-charged", j.ID)
		return p
	case j.State == job.Expired:
	default:
		p.err = refusal(j, "only failed, expired and cancelled jobs are retried")
		return p
	}
	return r.name(ctx, s, p)
}

// planKnown asks the vendor about a generation that may have finished since.
func (r *root) planKnown(ctx context.Context, s *Services, p plan, twice bool) plan {
	j := p.old
	g, err := s.Vendor.Ask(ctx, j.GenerationID)
	switch {
	case errors.Is(err, creativeai.ErrNotFound):
		p.why = "the vendor no longer knows its generation; it may have been charged"
		if !twice {
			p.err = refusal(j, "the vendor no longer knows its generation, which may have been charged: say --even-if-charged")
			return p
		}
		return r.name(ctx, s, p)
	case err != nil:
		p.err = fmt.Errorf("ask the vendor about %s: %w", j.ID, err)
		return p
	}
	if _, final := verdict.Of(g, r.app.Now()); !final {
		p.why = "the vendor is still working on it: " + short(g.Status, 40)
		return p
	}
	if p.old, p.why, p.err = r.ask(ctx, s, j); p.err != nil || p.old.State == job.Completed {
		return p
	}
	return r.name(ctx, s, p)
}

// name finds the first name that is free, unless a retry is on its way or done.
func (r *root) name(ctx context.Context, s *Services, p plan) plan {
	for n := nextRetry(p.old.ID); n <= maxRetries; n++ {
		id := story.RetryID(p.old.ID, n)
		retry, err := s.Jobs.Get(ctx, job.Key(id))
		switch {
		case errors.Is(err, store.ErrNotFound):
			p.id = id
			return p
		case err != nil:
			p.err = err
			return p
		case !retry.State.Settled() || retry.State == job.Completed:
			p.why = fmt.Sprintf("was retried as %s, which is %s", id, retry.State)
			return p
		}
	}
	p.err = refusal(p.old, "it was retried %d times: look at what is wrong with it", maxRetries)
	return p
}

// showPlans prints the plans, and counts the new jobs.
func (r *root) showPlans(plans []plan) (n int, err error) {
	t := r.table("job", "state", "new job", "cost the last time", "note")
	for _, p := range plans {
		if p.id != "" {
			n++
		}
		if r.json() {
			if err := r.print(retryView{p.old.ID, p.id, p.why, story.Credits(p.old)}); err != nil {
				return n, err
			}
			continue
		}
		t.AppendRow([]any{p.old.ID, r.state(p.old.State), p.id, number(story.Credits(p.old)), short(p.why, 90)})
	}
	if !r.json() && t.Length() > 0 {
		t.Render()
	}
	if len(plans) == 0 {
		r.note("there is nothing to retry")
	}
	return n, nil
}

func (r *root) sendPlans(ctx context.Context, s *Services, plans []plan) error {
	plans = slices.DeleteFunc(slices.Clone(plans), func(p plan) bool { return p.id == "" })
	sent := 0
	for _, p := range plans {
		if err := sendOne(ctx, s, s.Outputs.JobQueueURL, request.Message(p.old.Request, p.id)); err != nil {
			return fmt.Errorf("%d of %d are on the queue; run it again for the others: send %s: %w", sent, len(plans), p.id, err)
		}
		sent++
	}
	return nil
}

// sendOne puts one message on a queue.
func sendOne(ctx context.Context, s *Services, url, body string) error {
	sent, err := s.Queues.Send(ctx, url, []string{body})
	if err != nil {
		return err
	}
	return sent[0].Err
}
