package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/prompts"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/strictjson"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

// maxRetries bounds how often one prompt is retried under a name of its own.
const maxRetries = 99

// retryFlags are retry's, beside the filter's.
type retryFlags struct {
	twice, dry, wait bool
	model            string
	set              []string
}

func (r *root) retryCommand() *cobra.Command {
	var f filter
	var flags retryFlags
	c := &cobra.Command{
		Use:   "retry [JOB...]",
		Short: "Submit failed, expired or cancelled jobs again, as new jobs",
		Long: `Submit jobs that ended without a video again: as new jobs, named JOB-r2, JOB-r3 and so on, with the
same prompt and metadata. Name them, or choose them with the flags that list has. --set-model and
--set change fields of the new jobs. Of a job and its retries only the newest is retried.

The vendor is asked first about each old generation that may have finished since; if it has, its
verdict is stored and there is nothing to retry. A job that has been retried is not retried again
while that retry is open or completed. A job whose submit answer was lost may have been charged:
it is left out unless you say --even-if-charged.

It says what it would do and cost, and asks.`,
		Example: example(
			"clipqueue retry order-1042 --wait",
			"clipqueue retry order-1042 --set-model kling-v3 --set duration=5",
			"clipqueue retry --state failed,expired --since 7d --dry-run",
			"clipqueue retry --state failed --meta campaign=autumn --yes",
		),
	}
	c.RunE = r.connected(func(ctx context.Context, s *Services, args []string) error {
		chosen := slices.ContainsFunc([]string{"state", "since", "until", "model", "meta"}, c.Flags().Changed)
		switch {
		case chosen && len(args) > 0:
			return usage("name jobs or filter them, not both")
		case !chosen && len(args) == 0:
			return usage("name the jobs, or choose them with --state, --since, --model or --meta")
		}
		change, err := flags.change()
		if err != nil {
			return err
		}
		jobs, err := r.chosen(ctx, s, args, f)
		if err != nil {
			return err
		}
		return r.retry(ctx, s, jobs, flags, change)
	})
	f.flags(c.Flags(), 1000, 10_000)
	c.Flags().BoolVar(&flags.twice, "even-if-charged", false, "also jobs that may have been charged without anything to show for it")
	c.Flags().BoolVar(&flags.dry, "dry-run", false, "only say what would be done")
	c.Flags().BoolVarP(&flags.wait, "wait", "w", false, "follow the new jobs to their verdicts; exits 1 if one did not complete")
	c.Flags().StringVar(&flags.model, "set-model", "", "the model that the new jobs ask for")
	c.Flags().StringArrayVar(&flags.set, "set", nil, "a field of the new jobs: name=JSON; null takes it out; may be repeated")
	c.MarkFlagsMutuallyExclusive("dry-run", "wait")
	completeStates(c)
	r.askFirst(c)
	return c
}

// change are the fields that the new jobs have another value of.
func (f retryFlags) change() (map[string]jsontext.Value, error) {
	texts, err := pairs("--set", f.set)
	if err != nil {
		return nil, err
	}
	change := map[string]jsontext.Value{}
	for name, text := range texts {
		switch value := jsontext.Value(text); {
		case name == "job_id":
			return nil, usage("--set job_id: a retry is named after the job that it retries")
		case name == "model" && f.model != "":
			return nil, usage("say --set-model or --set model, not both")
		case !value.IsValid():
			return nil, usage(`--set %s: %q is no JSON: put texts in double quotes, as in --set 'style="noir"'`, name, text)
		default:
			change[name] = value
		}
	}
	if f.model != "" {
		value, err := jsontext.AppendQuote(nil, f.model)
		if err != nil {
			return nil, usage("--set-model is not UTF-8: %v", err)
		}
		change["model"] = value
	}
	return change, nil
}

// changed is the message of a new job: an old request with other values of some fields.
func changed(text, id string, change map[string]jsontext.Value) (prompts.Row, error) {
	members, err := strictjson.Object([]byte(text))
	if err != nil {
		return prompts.Row{}, fmt.Errorf("read the old request: %w", err)
	}
	for name, value := range change {
		if members[name] = value; value.Kind() == jsontext.KindNull {
			delete(members, name)
		}
	}
	body, err := json.Marshal(members, json.Deterministic(true), jsontext.PreserveRawStrings(true))
	if err != nil {
		return prompts.Row{}, fmt.Errorf("write the new request: %w", err)
	}
	return prompts.FromMessage(body, func(string) string { return id })
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
	// new is the new job; it has no JobID when there is none.
	new prompts.Row
	// why says why not, or what to mind.
	why string
	err error
}

// models is the model that the new job asks for, after the old one's where that is another.
func (p plan) models() string {
	asked, err := request.Parse([]byte(p.new.Body), "")
	model := cmp.Or(asked.Model, request.DefaultModel)
	if p.new.JobID == "" || err != nil || model == p.old.Model {
		return p.old.Model
	}
	return p.old.Model + " → " + model
}

// retryView is a plan as JSON.
type retryView struct {
	JobID   string `json:"job_id"`
	RetryID string `json:"retry_id,omitempty"`
	Note    string `json:"note,omitempty"`
	Credits *int64 `json:"credits"`
}

func (r *root) retry(ctx context.Context, s *Services, jobs []job.Job, flags retryFlags, change map[string]jsontext.Value) error {
	var plans []plan
	var failed int
	for _, j := range jobs {
		p := r.plan(ctx, s, j, flags.twice)
		if p.new.JobID != "" {
			p.new, p.err = changed(j.Request, p.new.JobID, change)
		}
		if p.err != nil {
			p.why, p.new = p.err.Error(), prompts.Row{}
			failed++
		}
		plans = append(plans, p)
	}
	newestOnly(plans)
	rows, err := r.showPlans(plans)
	if err != nil {
		return err
	}
	if len(rows) > 0 && !flags.dry {
		if err := r.agree(ctx, fmt.Sprintf("Submit %s? Each is paid for.", plural(len(rows), "new job"))); err != nil {
			return err
		}
		if err := sendRows(ctx, s, rows); err != nil {
			return err
		}
		r.note("%s on the queue", plural(len(rows), "new job"))
		r.noteStandstill(ctx, s)
		if flags.wait {
			err = r.follow(ctx, s, rows, nil)
		}
	}
	if failed > 0 {
		return errors.Join(err, &failure{fmt.Sprintf("%d of %d could not be retried", failed, len(jobs)), nil})
	}
	return err
}

// newestOnly leaves at most one new job for a job and its retries: that of the
// newest, and none where the vendor has made one of the others by now.
func newestOnly(plans []plan) {
	newest, made := map[string]int{}, map[string]string{}
	for i, p := range plans {
		chain := story.RetryID(p.old.ID, 2)
		if best, ok := newest[chain]; !ok || nextRetry(p.old.ID) > nextRetry(plans[best].old.ID) {
			newest[chain] = i
		}
		if p.old.State == job.Completed {
			made[chain] = p.old.ID
		}
	}
	for i := range plans {
		p := &plans[i]
		chain := story.RetryID(p.old.ID, 2)
		switch best := newest[chain]; {
		case p.new.JobID == "":
		case made[chain] != "":
			p.new, p.why = prompts.Row{}, "the video is made, as "+made[chain]
		case best != i && plans[best].old.ID == p.old.ID:
			p.new, p.why = prompts.Row{}, "named twice"
		case best != i:
			p.new, p.why = prompts.Row{}, "its retry "+plans[best].old.ID+" is what counts"
		}
	}
}

// plan decides about one job; it may store a verdict that the vendor has by now.
func (r *root) plan(ctx context.Context, s *Services, j job.Job, twice bool) plan {
	p := plan{old: j}
	switch {
	case j.State == job.Rejected && j.Reason.Code == events.CodeCancelled, j.State == job.Failed:
	case j.State == job.Expired && j.GenerationID != "":
		return r.planKnown(ctx, s, p, twice)
	case story.Unanswered(j) && !twice:
		p.err = refusal(j, "its submit answer was lost and it may have been charged: look it up with the vendor (clipqueue why %s), or say --even-if-charged", j.ID)
		return p
	case j.State == job.Expired:
	default:
		p.err = refusal(j, "only failed, expired and cancelled jobs are retried")
		return p
	}
	if j.State != job.Failed && story.MayBeCharged(j) {
		p.why = "the answer to a submit of it was lost: it is paid for twice if the vendor accepted that"
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
			p.new.JobID = id
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

// showPlans prints the plans and their sum, and gives the new jobs.
func (r *root) showPlans(plans []plan) (rows []prompts.Row, err error) {
	var credits int64
	var unpriced int
	t := r.table("job", "state", "new job", "model", "cost the last time", "note")
	for _, p := range plans {
		cost := story.Credits(p.old)
		if p.new.JobID != "" {
			rows = append(rows, p.new)
			if cost != nil {
				credits += *cost
			} else {
				unpriced++
			}
		}
		if r.json() {
			if err := r.print(retryView{p.old.ID, p.new.JobID, p.why, cost}); err != nil {
				return nil, err
			}
			continue
		}
		t.AppendRow([]any{p.old.ID, r.state(p.old.State), p.new.JobID, p.models(), number(cost), short(p.why, 160)})
	}
	switch {
	case len(plans) == 0:
		r.note("there is nothing to retry")
	case !r.json():
		t.Render()
		r.say("%s", sum(len(rows), unpriced, credits))
	}
	return rows, nil
}

// sum says how many jobs are to be submitted, and what they cost before.
func sum(jobs, unpriced int, credits int64) string {
	are, they, models := "are", "they", "models they"
	if jobs == 1 {
		are, they, models = "is", "it", "model it"
	}
	text := fmt.Sprintf("%s %s to be submitted again", plural(jobs, "job"), are)
	if jobs > unpriced {
		text += fmt.Sprintf("; %s cost %d credits with the %s had", they, credits, models)
	}
	if unpriced > 0 {
		text += fmt.Sprintf("; of %d the price is not known", unpriced)
	}
	return text
}

func sendRows(ctx context.Context, s *Services, rows []prompts.Row) error {
	for sent, row := range rows {
		if err := sendOne(ctx, s, s.Outputs.JobQueueURL, row.Body); err != nil {
			return fmt.Errorf("%d of %d are on the queue; run it again for the others: send %s: %w", sent, len(rows), row.JobID, err)
		}
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
