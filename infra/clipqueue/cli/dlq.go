package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/request"
)

const (
	// holdFor keeps a message that is looked at, or moved, from others meanwhile.
	holdFor = 2 * time.Minute
	// giveBackFor bounds how long it takes to let go of what was looked at.
	giveBackFor = 10 * time.Second
	// receiveWait lets SQS ask all of its servers.
	receiveWait = 2 * time.Second
	// emptyReceives in a row mean that a queue is empty.
	emptyReceives = 2
	// shownDropped is how many messages are shown before they are dropped.
	shownDropped = 20
	// aboutWidth is how wide a text in a table gets.
	aboutWidth = 90
)

func (r *root) dlqCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dlq",
		Short: "What could not be handled: list, redrive, drop",
		Long:  "The dead-letter queues of the deployment: what lies in them and why, and back with it.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var limit int
	list := &cobra.Command{
		Use:     "list [QUEUE]",
		Short:   "What lies in the dead-letter queues, and why",
		Long:    `Without QUEUE, count what lies in each. With one, show its messages.`,
		Example: example("clipqueue dlq list", "clipqueue dlq list jobs"),
		Args:    cobra.MaximumNArgs(1),
	}
	list.Flags().IntVar(&limit, "limit", 20, "show at most so many messages")
	list.RunE = r.connected(func(ctx context.Context, s *Services, args []string) error {
		if len(args) == 0 {
			return r.dlqCount(ctx, s)
		}
		return r.dlqShow(ctx, s, args[0], limit)
	})
	c.AddCommand(list, r.redriveCommand(), r.dropCommand())
	return c
}

func (r *root) redriveCommand() *cobra.Command {
	var rate float64
	var most int
	c := &cobra.Command{
		Use:   "redrive QUEUE",
		Short: "Send messages back to where they came from, at a rate",
		Long: `Move the messages of a dead-letter queue back to their queue, one by one.

Use this rather than SQS's own redrive: that gives each message a new id, so one without a job_id
would be a new job, and paid for again. Here its old id becomes its job_id.`,
		Example: example("clipqueue dlq redrive jobs", "clipqueue dlq redrive jobs --rate 2 --max 100"),
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().Float64Var(&rate, "rate", 10, "messages a second")
	c.Flags().IntVar(&most, "max", 0, "move at most so many; 0 is all")
	r.askFirst(c)
	c.RunE = r.connected(func(ctx context.Context, s *Services, args []string) error {
		if rate <= 0 || most < 0 {
			return usage("--rate takes more than 0, --max 0 or more")
		}
		return r.redrive(ctx, s, args[0], rate, most)
	})
	return c
}

func (r *root) dropCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "drop QUEUE (MESSAGE-ID... | --all)",
		Short: "Delete messages for good",
		Long: `Show messages of a dead-letter queue, ask, and delete them for good. A prompt that is dropped gets no verdict, unless its
job is known already.`,
		Example: example("clipqueue dlq drop reconcile --all", "clipqueue dlq drop jobs 0fb5cd34-…"),
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().BoolVar(&all, "all", false, "everything that lies in it")
	r.askFirst(c)
	c.RunE = r.connected(func(ctx context.Context, s *Services, args []string) error {
		if all == (len(args) > 1) {
			return usage("say which messages, or --all")
		}
		return r.drop(ctx, s, args[0], args[1:])
	})
	return c
}

// deadQueue finds a queue by its name.
func deadQueue(ctx context.Context, s *Services, name string) (deployment.DeadQueue, error) {
	dead, err := s.Stack.Dead(ctx)
	if err != nil {
		return deployment.DeadQueue{}, err
	}
	var names []string
	for _, q := range dead {
		if q.Name == name {
			return q, nil
		}
		names = append(names, q.Name)
	}
	return deployment.DeadQueue{}, absent("there is no dead-letter queue %q: there are %s", name, strings.Join(names, ", "))
}

// deadView is a dead-letter queue as JSON.
type deadView struct {
	Queue    string `json:"queue"`
	URL      string `json:"url"`
	Messages int    `json:"messages"`
	About    string `json:"about"`
	Redrive  bool   `json:"redrive"`
	LogGroup string `json:"log_group,omitempty"`
}

// tail is the command that shows a log; empty without one.
func tail(logGroup string) string {
	if logGroup == "" {
		return ""
	}
	return "aws logs tail " + logGroup + " --since 1d"
}

func (r *root) dlqCount(ctx context.Context, s *Services) error {
	dead, err := s.Stack.Dead(ctx)
	if err != nil {
		return err
	}
	t := r.table("queue", "messages", "what lies there, and what to do")
	for _, q := range dead {
		depth, err := s.Lookers.Depth(ctx, q.URL)
		if err != nil {
			return err
		}
		n := depth.Waiting + depth.InFlight + depth.Delayed
		if r.json() {
			if err := r.print(deadView{q.Name, q.URL, n, q.About, q.Source != "", q.LogGroup}); err != nil {
				return err
			}
			continue
		}
		t.AppendRow([]any{q.Name, n, wrapped(q.About, aboutWidth)})
		if n > 0 && q.LogGroup != "" {
			t.AppendRow([]any{"", "", tail(q.LogGroup)})
		}
	}
	if !r.json() {
		t.Render()
	}
	return nil
}

// letterView is a message of a dead-letter queue as JSON.
type letterView struct {
	MessageID string    `json:"message_id"`
	JobID     string    `json:"job_id,omitempty"`
	State     job.State `json:"state,omitempty"`
	SentAt    time.Time `json:"sent_at"`
	Receives  int       `json:"receives"`
	Body      string    `json:"body"`
}

func (r *root) dlqShow(ctx context.Context, s *Services, name string, limit int) error {
	q, err := deadQueue(ctx, s, name)
	if err != nil {
		return err
	}
	t := r.table("message", "sent", "receives", "job", "state", "body")
	n := 0
	err = r.drain(ctx, s, q, limit, func(l deployment.Letter) (bool, error) {
		n++
		v := letterView{MessageID: l.MessageID, SentAt: l.SentAt, Receives: l.Receives, Body: l.Body}
		if q.Name == "jobs" {
			v.JobID, v.State = jobOf(ctx, s, l)
		}
		if r.json() {
			return false, r.print(v)
		}
		t.AppendRow([]any{l.MessageID, story.Distance(l.SentAt, r.app.Now()), l.Receives, v.JobID, r.state(v.State), short(l.Body, 60)})
		return false, nil
	})
	if err != nil {
		return err
	}
	if !r.json() {
		if n > 0 {
			t.Render()
		}
		r.say("%s: %s shown; %s", q.Name, plural(n, "message"), q.About)
		if n > 0 && q.LogGroup != "" {
			r.say("%s", tail(q.LogGroup))
		}
	}
	return nil
}

// jobOf is the job that a prompt's message belongs to, and how it stands if it is known.
func jobOf(ctx context.Context, s *Services, l deployment.Letter) (string, job.State) {
	parsed, err := request.Parse([]byte(l.Body), l.MessageID)
	if err != nil {
		return "", ""
	}
	j, err := s.Jobs.Get(ctx, job.Key(parsed.JobID))
	if err != nil {
		return parsed.JobID, ""
	}
	return parsed.JobID, j.State
}

// drain receives messages, each once, until the queue is empty or most were
// taken; 0 is no bound. What do does not take goes back in the end.
func (r *root) drain(ctx context.Context, s *Services, q deployment.DeadQueue, most int, do func(deployment.Letter) (taken bool, err error)) (err error) {
	seen := map[string]bool{}
	var back []string
	defer func() { err = errors.Join(err, giveBack(ctx, s, q, back)) }()
	taken := 0
	for empty := 0; empty < emptyReceives && (most == 0 || taken < most); {
		letters, err := s.Queues.Receive(ctx, q.URL, receiveWait, holdFor)
		if err != nil {
			return err
		}
		empty++
		for _, l := range letters {
			if seen[l.MessageID] || most > 0 && taken >= most {
				back = append(back, l.Receipt)
				continue
			}
			seen[l.MessageID], empty = true, 0
			took, err := do(l)
			if err != nil {
				back = append(back, l.Receipt)
				return err
			}
			if taken++; !took {
				back = append(back, l.Receipt)
			}
		}
	}
	return nil
}

// giveBack lets others receive what was only looked at, whatever ended the looking.
func giveBack(ctx context.Context, s *Services, q deployment.DeadQueue, receipts []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackFor)
	defer cancel()
	var errs []error
	for _, receipt := range receipts {
		errs = append(errs, s.Lookers.Return(ctx, q.URL, receipt))
	}
	return errors.Join(errs...)
}

// movedView is a message that went back, as JSON.
type movedView struct {
	MessageID string `json:"message_id"`
	JobID     string `json:"job_id,omitempty"`
}

func (r *root) redrive(ctx context.Context, s *Services, name string, rate float64, most int) error {
	q, err := deadQueue(ctx, s, name)
	if err != nil {
		return err
	}
	if q.Source == "" {
		return &failure{fmt.Sprintf("there is no use in sending %s back. It holds %s", q.Name, q.About), nil}
	}
	depth, err := s.Lookers.Depth(ctx, q.URL)
	if err != nil {
		return err
	}
	n := depth.Waiting + depth.InFlight
	if most > 0 {
		n = min(n, most)
	}
	if err := r.agree(ctx, fmt.Sprintf("Send about %s back, %g a second? Prompts among them may be submitted, and paid for.", plural(n, "message"), rate)); err != nil {
		return err
	}
	moved := 0
	err = r.drain(ctx, s, q, most, func(l deployment.Letter) (bool, error) {
		if moved > 0 {
			if err := r.app.Pause(ctx, time.Duration(float64(time.Second)/rate)); err != nil {
				return false, err
			}
		}
		if err := r.move(ctx, s, q, l); err != nil {
			return false, err
		}
		moved++
		return true, nil
	})
	r.note("%s sent back", plural(moved, "message"))
	if err == nil && moved < n {
		r.note("%s more that someone is looking at: try again in a minute", plural(n-moved, "message"))
	}
	return err
}

// move sends a message back and then deletes it: what comes twice has a job_id, or is refused twice.
func (r *root) move(ctx context.Context, s *Services, q deployment.DeadQueue, l deployment.Letter) error {
	v := movedView{MessageID: l.MessageID}
	body := l.Body
	if q.Name == "jobs" {
		body, v.JobID = withJobID(l)
	}
	if err := sendOne(ctx, s, q.Source, body); err != nil {
		return fmt.Errorf("send %s back: %w", l.MessageID, err)
	}
	if err := s.Queues.Delete(ctx, q.URL, l.Receipt); err != nil {
		return err
	}
	if r.json() {
		return r.print(v)
	}
	return nil
}

// withJobID is a prompt's message with a job_id: its own, or the id that it had
// when it was first sent, under which it may have become a job.
func withJobID(l deployment.Letter) (body, jobID string) {
	parsed, err := request.Parse([]byte(l.Body), "")
	switch {
	case err != nil:
		return l.Body, "" // it is refused again, and its event says why
	case parsed.JobID != "":
		return l.Body, parsed.JobID
	}
	return request.Message(parsed.Text, l.MessageID), l.MessageID
}

// drop shows what it finds of the messages, asks, and deletes them.
func (r *root) drop(ctx context.Context, s *Services, name string, ids []string) error {
	q, err := deadQueue(ctx, s, name)
	if err != nil {
		return err
	}
	meant := func(l deployment.Letter) bool { return len(ids) == 0 || slices.Contains(ids, l.MessageID) }
	found := 0
	err = r.drain(ctx, s, q, 0, func(l deployment.Letter) (bool, error) {
		if meant(l) {
			if found++; found <= shownDropped {
				r.note("%s  %s  %s", l.MessageID, story.Distance(l.SentAt, r.app.Now()), short(l.Body, 80))
			}
		}
		return false, nil
	})
	switch {
	case err != nil:
		return err
	case found < len(ids):
		return absent("not found in %s: %s of %d. Someone may be looking at it; try again in a minute. Nothing was deleted",
			q.Name, plural(len(ids)-found, "message"), len(ids))
	case found > shownDropped:
		r.note("… and %s more", plural(found-shownDropped, "message"))
	case found == 0:
		r.note("%s is empty", q.Name)
		return nil
	}
	if err := r.agree(ctx, fmt.Sprintf("Delete %s of %s for good?", plural(found, "message"), q.Name)); err != nil {
		return err
	}
	return r.deleteLetters(ctx, s, q, found, meant)
}

// deleteLetters deletes the messages that are meant, of which there were so many.
func (r *root) deleteLetters(ctx context.Context, s *Services, q deployment.DeadQueue, wanted int, meant func(deployment.Letter) bool) error {
	dropped := 0
	err := r.drain(ctx, s, q, 0, func(l deployment.Letter) (bool, error) {
		if !meant(l) {
			return false, nil
		}
		if err := s.Queues.Delete(ctx, q.URL, l.Receipt); err != nil {
			return false, err
		}
		dropped++
		if r.json() {
			return true, r.print(movedView{MessageID: l.MessageID})
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	r.note("%s deleted", plural(dropped, "message"))
	if dropped < wanted {
		return absent("not found any more: %s. Someone may be looking at it; try again in a minute", plural(wanted-dropped, "message"))
	}
	return nil
}
