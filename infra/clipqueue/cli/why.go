package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/strictjson"
)

func (r *root) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why JOB...",
		Short: "Tell a job's story in plain words, and what to do next",
		Long: `Tell what became of a job: every state with its time, what was asked for, what the vendor said, what
is known and what is not, the money at stake, where the video lies, and the safe next step with its command.

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
	told := 0
	return r.forEach(ids, func(id string) error {
		j, err := lookUp(ctx, s, id)
		if err != nil {
			return err
		}
		tale := story.Tell(j, rules, r.app.Now())
		if retry, err := s.Jobs.Get(ctx, job.Key(story.RetryID(id, nextRetry(id)))); err == nil {
			tale.Known = append(tale.Known, fmt.Sprintf("it was retried as %s, which is %s", retry.ID, retry.State))
		}
		if r.json() {
			v := viewOf(j)
			v.Story = &tale
			if request := jsontext.Value(j.Request); request.IsValid() {
				v.Request = request
			}
			return r.print(v)
		}
		if told++; told > 1 {
			r.say("")
		}
		r.tell(j, tale)
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
		return j, missing(ctx, s, id)
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
		{"Asked for", asked(j)}, {"Known", s.Known}, {"Not known", s.Unknown}, {"Money", []string{s.Money}}, {"Video", one(s.Video)},
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

// shownPrompt is how much of a prompt is shown, in characters.
const shownPrompt = 400

// asked is what the producer asked for, a line a field; nothing for a refused
// message, whose fields are not kept.
func asked(j job.Job) []string {
	members, err := strictjson.Object([]byte(j.Request))
	if err != nil {
		return nil
	}
	prompt := short(promptOf(j), shownPrompt)
	if len([]rune(prompt)) == shownPrompt {
		prompt += " (-o json has all of it)"
	}
	fields := [][2]string{{"prompt", prompt}, {"model", j.Model}}
	for _, name := range []string{"duration", "aspect_ratio", "resolution", "failover"} {
		if value, ok := members[name]; ok {
			fields = append(fields, [2]string{name, plain(value)})
		}
		delete(members, name)
	}
	for _, name := range []string{"prompt", "model", "delivery", "metadata"} {
		delete(members, name)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		fields = append(fields, [2]string{name, short(string(members[name]), shownPrompt)})
	}
	fields = append(fields, [2]string{"delivery", string(j.Delivery)})
	if j.Metadata != "" {
		fields = append(fields, [2]string{"metadata", short(j.Metadata, shownPrompt)})
	}
	var lines []string
	for _, f := range fields {
		lines = append(lines, fmt.Sprintf("%-12s  %s", f[0], f[1]))
	}
	return lines
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
	for _, id := range ids {
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
