package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

func (r *root) quarantineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "Signed callbacks that fitted no job: list, show, replay, drop",
		Long: `Callbacks that the vendor signed and that fitted no job, or contradicted one. They are kept raw, and
never become events by themselves. Each is held against its job as that stands now, and what to do
with it is said.

ID is the callback's id from the list, or enough of its beginning.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var limit int
	list := &cobra.Command{
		Use:     "list",
		Short:   "What lies in quarantine, why, and what to do with it",
		Long:    "List what lies in quarantine, the newest first, by an index: the table is not scanned.",
		Example: example("clipqueue quarantine list"),
		Args:    cobra.NoArgs,
	}
	list.Flags().IntVar(&limit, "limit", 50, "show at most so many")
	list.RunE = r.connected(func(ctx context.Context, s *Services, _ []string) error {
		if limit < 1 {
			return usage("--limit takes at least 1")
		}
		return r.quarantineList(ctx, s, limit)
	})
	show := &cobra.Command{
		Use:     "show ID",
		Short:   "One callback, why it is here, what to do, and its raw body",
		Example: example("clipqueue quarantine show 3f9a2c"),
		Args:    cobra.ExactArgs(1),
		RunE:    r.connected(r.quarantineShow),
	}
	var to string
	replay := &cobra.Command{
		Use:   "replay ID...",
		Short: "Take callbacks as if they came now",
		Long: `Take each callback as if it came now. What becomes of it depends on its job:

  it awaits a verdict     it takes this one, if it has no other generation; its event goes out
  it expired              the same: a late verdict still counts
  it says the same        nothing changes
  it says something else, or has another generation, or was refused
                          the callback is refused, and stays in quarantine

Except for the last, the callback leaves quarantine. Its path must name the job and prove that the
callback is meant for it; --to gives it to a job that you name instead, whatever its path says.`,
		Example: example("clipqueue quarantine replay 3f9a2c", "clipqueue quarantine replay 3f9a2c --to order-1042"),
		Args:    cobra.MinimumNArgs(1),
	}
	replay.Flags().StringVar(&to, "to", "", "give it to the job of this job_id")
	replay.RunE = r.connected(func(ctx context.Context, s *Services, ids []string) error {
		if to != "" && len(ids) > 1 {
			return usage("--to takes one callback: a job has one verdict")
		}
		return r.forEach(ids, func(id string) error { return r.replay(ctx, s, id, to) })
	})
	drop := &cobra.Command{
		Use:     "drop ID...",
		Short:   "Show callbacks, ask, and delete them for good",
		Example: example("clipqueue quarantine drop 3f9a2c"),
		Args:    cobra.MinimumNArgs(1),
		RunE:    r.connected(r.quarantineDrop),
	}
	r.askFirst(drop)
	c.AddCommand(list, show, replay, drop)
	return c
}

// heldView is a callback in quarantine as JSON.
type heldView struct {
	ID      string    `json:"id"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	Seen    int       `json:"seen"`
	JobID   string    `json:"job_id,omitempty"`
	Reason  string    `json:"reason"`
	Status  string    `json:"status,omitempty"`
	advice
	// Body is the raw body, where it is UTF-8; else BodyBase64 is.
	Body       string `json:"body,omitempty"`
	BodyBase64 string `json:"body_base64,omitempty"`
}

func viewOfHeld(h store.Held, a advice) heldView {
	v := heldView{ID: h.ID(), FirstAt: h.FirstAt, LastAt: h.At, Seen: h.Seen, Reason: h.Reason, advice: a}
	v.JobID, _ = addressOf(h.Path)
	if g, err := creativeai.ParseCallback(h.Body); err == nil {
		v.Status = g.Status
	}
	if utf8.Valid(h.Body) {
		v.Body = string(h.Body)
	} else {
		v.BodyBase64 = base64.StdEncoding.EncodeToString(h.Body)
	}
	return v
}

// addressOf reads job id and token from a callback's path.
func addressOf(path string) (id, token string) {
	_, rest, _ := strings.Cut(path, "/webhooks/creativeai/")
	id, token, _ = strings.Cut(rest, "/")
	if id == "" || token == "" {
		return "", ""
	}
	return id, token
}

func (r *root) quarantineList(ctx context.Context, s *Services, limit int) error {
	list, err := s.Quarantine.ListQuarantine(ctx, limit)
	if err != nil {
		return err
	}
	advise, err := r.adviser(ctx, s, list)
	if err != nil {
		return err
	}
	t := r.table("id", "first", "seen", "job", "says", "why it is here, and what to do")
	for _, h := range list {
		v := viewOfHeld(h, advise(h))
		if r.json() {
			if err := r.print(v); err != nil {
				return err
			}
			continue
		}
		t.AppendRow([]any{v.ID[:min(len(v.ID), shortID)], story.Distance(v.FirstAt, r.app.Now()), v.Seen, v.JobID, v.Status, v.lines()})
	}
	if !r.json() && len(list) > 0 {
		t.Render()
	}
	r.note("%s in quarantine", plural(len(list), "callback"))
	return nil
}

// shortID is how much of an id a person reads and types.
const shortID = 12

// mostHeld is how many are looked through for one whose id is cut short.
const mostHeld = 1000

// held finds a callback by its id, or the beginning of it.
func held(ctx context.Context, s *Services, id string) (store.Held, error) {
	h, err := s.Quarantine.GetQuarantined(ctx, id)
	if !errors.Is(err, store.ErrNotFound) {
		return h, err
	}
	list, err := s.Quarantine.ListQuarantine(ctx, mostHeld)
	if err != nil {
		return h, err
	}
	var fits []store.Held
	for _, h := range list {
		if strings.HasPrefix(h.ID(), id) {
			fits = append(fits, h)
		}
	}
	switch len(fits) {
	case 0:
		return h, absent("no callback in quarantine has the id %s; see: clipqueue quarantine list", id)
	case 1:
		return fits[0], nil
	}
	return h, &failure{fmt.Sprintf("%d callbacks have an id that begins with %s: write more of it", len(fits), id), nil}
}

func (r *root) quarantineShow(ctx context.Context, s *Services, args []string) error {
	h, err := held(ctx, s, args[0])
	if err != nil {
		return err
	}
	advise, err := r.adviser(ctx, s, []store.Held{h})
	if err != nil {
		return err
	}
	v := viewOfHeld(h, advise(h))
	if r.json() {
		return r.print(v)
	}
	r.say("%s\n  first  %s\n  last   %s\n  seen   %d\n  job    %s\n  noted  %s\n", v.ID,
		v.FirstAt.UTC().Format(time.RFC3339), v.LastAt.UTC().Format(time.RFC3339), v.Seen, v.JobID, v.Reason)
	r.say("%s\n\n%s", v.lines(), v.Body+v.BodyBase64)
	return nil
}

// replay takes a callback as if it came now, and drops it if it was taken. If
// it is refused for the job that its path names, it says what to do instead.
func (r *root) replay(ctx context.Context, s *Services, id, to string) error {
	h, err := held(ctx, s, id)
	if err != nil {
		return err
	}
	err = r.take(ctx, s, h, to)
	refused, ok := errors.AsType[*failure](err)
	if !ok || to != "" {
		return err
	}
	advise, adviceErr := r.adviser(ctx, s, []store.Held{h})
	if adviceErr != nil {
		return err
	}
	return &failure{refused.text + "\n" + advise(h).step(), refused.kind}
}

func (r *root) take(ctx context.Context, s *Services, h store.Held, to string) error {
	g, err := creativeai.ParseCallback(h.Body)
	if err != nil {
		return err
	}
	v, final := verdict.Of(g, r.app.Now())
	if !final {
		return &failure{fmt.Sprintf("%s has no verdict in it: it says %s", h.ID(), short(g.Status, 40)), nil}
	}
	v.Body = h.Body
	jobID, token := addressOf(h.Path)
	if to != "" {
		jobID = to
	}
	if jobID == "" {
		return &failure{fmt.Sprintf("the path of %s names no job", h.ID()), nil}
	}
	j, err := find(ctx, s, jobID)
	if err != nil {
		return err
	}
	if v.Token = token; to != "" {
		v.Token = j.Token
	}
	after, err := transition(ctx, s, j, v)
	switch {
	case err == nil, errors.Is(err, job.ErrDuplicate):
	case errors.Is(err, job.ErrForeign):
		return refusal(after, "the callback does not mean it: token or generation id differ. It stays in quarantine")
	case errors.Is(err, job.ErrContradiction):
		return refusal(after, "the callback says %s, which contradicts it: the first verdict stands. It stays in quarantine", v.State)
	default:
		return err
	}
	if err := s.Quarantine.DropQuarantined(ctx, h.ID()); err != nil {
		return err
	}
	return r.done(after, "holds what the callback says; it has left quarantine")
}

func (r *root) quarantineDrop(ctx context.Context, s *Services, ids []string) error {
	list := make([]store.Held, len(ids))
	for i, id := range ids {
		h, err := held(ctx, s, id)
		if err != nil {
			return err
		}
		list[i] = h
	}
	advise, err := r.adviser(ctx, s, list)
	if err != nil {
		return err
	}
	for _, h := range list {
		v := viewOfHeld(h, advise(h))
		r.note("%s  %s  %s  %s", v.ID, story.Distance(v.FirstAt, r.app.Now()), v.Status, v.Why)
	}
	if err := r.agree(ctx, fmt.Sprintf("Delete %s for good?", plural(len(ids), "callback"))); err != nil {
		return err
	}
	for _, h := range list {
		if err := s.Quarantine.DropQuarantined(ctx, h.ID()); err != nil {
			return err
		}
		if r.json() {
			if err := r.print(movedQuarantine{h.ID()}); err != nil {
				return err
			}
			continue
		}
		r.say("%s dropped", h.ID())
	}
	return nil
}

// movedQuarantine is a callback that was dropped, as JSON.
type movedQuarantine struct {
	ID string `json:"id"`
}
