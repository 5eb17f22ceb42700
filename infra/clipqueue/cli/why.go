package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

func (r *root) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why JOB...",
		Short: "Tell a job's story in plain words, and what to do next",
		Long: `Tell what became of a job: every state with its time, what the vendor said, what is known and
what is not, the money at stake, where the video lies, and the safe next step with its command.

JOB is a job_id, or the SQS message id of a message that was refused.`,
		Example: example("clipqueue why order-1042", "clipqueue why order-1042 -o json | jq .story.next"),
		Args:    cobra.MinimumNArgs(1),
		RunE:    r.connected(r.why),
	}
}

func (r *root) why(ctx context.Context, s *Services, ids []string) error {
	rules, err := s.Stack.Rules(ctx)
	if err != nil {
		return err
	}
	return r.forEach(ids, func(id string) error {
		j, err := lookUp(ctx, s, id)
		if err != nil {
			return err
		}
		told := story.Tell(j, rules, r.app.Now())
		if retry, err := s.Jobs.Get(ctx, job.Key(story.RetryID(id, nextRetry(id)))); err == nil {
			told.Known = append(told.Known, fmt.Sprintf("it was retried as %s, which is %s", retry.ID, retry.State))
		}
		if r.json() {
			v := viewOf(j)
			v.Story = &told
			return r.print(v)
		}
		r.tell(j, told)
		return nil
	})
}

// nextRetry is the number of a job's next retry.
func nextRetry(id string) int {
	if _, n, ok := story.RetryOf(id); ok {
		return n + 1
	}
	return 2
}

// lookUp reads a job, or the refused message of this id.
func lookUp(ctx context.Context, s *Services, id string) (job.Job, error) {
	j, err := s.Jobs.Get(ctx, job.Key(id))
	if !errors.Is(err, store.ErrNotFound) {
		return j, err
	}
	j, err = s.Jobs.Get(ctx, job.Job{ID: id, Rejection: true}.Key())
	if errors.Is(err, store.ErrNotFound) {
		return j, absent("%s: no such job. Its message may still wait on the queue (clipqueue doctor counts them), or its record has ended", id)
	}
	return j, err
}

func (r *root) tell(j job.Job, s story.Story) {
	r.say("%s  %s", r.paint(j.ID, text.Bold), r.state(j.State))
	r.say("%s", s.Headline)
	r.say("")
	for _, step := range s.Steps {
		r.say("  %s  %s  %s", step.At.UTC().Format("2006-01-02 15:04:05.000"), r.state(step.State)+strings.Repeat(" ", max(0, 11-len(step.State))), step.Why)
	}
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"Known", s.Known}, {"Not known", s.Unknown}, {"Money", []string{s.Money}}, {"Video", one(s.Video)},
	} {
		if len(part.lines) == 0 {
			continue
		}
		r.say("\n%s", r.paint(part.title, text.Bold))
		for _, line := range part.lines {
			r.say("  %s", line)
		}
	}
	if len(s.Next) > 0 {
		r.say("\n%s", r.paint("Next", text.Bold))
	}
	for _, n := range s.Next {
		r.say("  %s", n.Say)
		if n.Command != "" {
			r.say("    %s", n.Command)
		}
	}
}

func one(line string) []string {
	if line == "" {
		return nil
	}
	return []string{line}
}

// forEach does something to each of several things. What fails is told at once,
// and does not keep the others back.
func (r *root) forEach(ids []string, do func(string) error) error {
	if len(ids) == 1 {
		return do(ids[0])
	}
	var failed, missing int
	for i, id := range ids {
		if i > 0 && !r.json() {
			r.say("")
		}
		err := do(id)
		if err == nil {
			continue
		}
		r.note("clipqueue: %v", err)
		failed++
		if errors.Is(err, errAbsent) || errors.Is(err, store.ErrNotFound) {
			missing++
		}
	}
	switch {
	case failed == 0:
		return nil
	case missing == len(ids):
		return absent("none of the %d is there", len(ids))
	}
	return &failure{fmt.Sprintf("%d of %d failed", failed, len(ids)), nil}
}
