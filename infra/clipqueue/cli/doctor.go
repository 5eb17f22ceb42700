package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/store"
)

// The grades of a finding.
const (
	gradeOK      = "ok"
	gradeWarning = "warning"
	gradeFailed  = "failed"
)

const (
	// skewAllowed is how far a clock may be off before times mislead.
	skewAllowed = 30 * time.Second
	// overdueAfter is how long a job may be overdue: reconcile looks every minute.
	overdueAfter = 10 * time.Minute
	// overduePage is how many overdue jobs of a shard are counted.
	overduePage = 100
	// probeID is a generation that no vendor has.
	probeID = "clipqueue-doctor"
)

// finding is what one check found; it is also the JSON.
type finding struct {
	Check string `json:"check"`
	Grade string `json:"grade"`
	Found string `json:"found"`
	// Do says what to do about it; empty when all is well.
	Do string `json:"do,omitempty"`
}

func (r *root) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check a deployment, and say what to do about each finding",
		Long: `Check a deployment: its outputs, this machine's clock, the vendor's key and whether the vendor takes
it, the webhook, the feed of the queue, what waits and for how long, dead letters, quarantine,
overdue jobs and alarms. Nothing is changed.

Exits 1 when a check failed; warnings do not count.`,
		Example: example("clipqueue doctor", "clipqueue doctor --stage prod -o json | jq 'select(.grade != \"ok\")'"),
		Args:    cobra.NoArgs,
		RunE:    r.connected(r.doctor),
	}
}

// check looks at one thing. Its error means that it could not look.
type check struct {
	name string
	look func(context.Context, *Services) (finding, error)
}

func (r *root) checks() []check {
	return []check{
		{"outputs", func(_ context.Context, s *Services) (finding, error) {
			return well("the stack %s is complete", s.Name), nil
		}},
		{"clock", r.checkClock},
		{"key", checkKey},
		{"vendor", checkVendor},
		{"webhook", checkWebhook},
		{"feed", checkFeed},
		{"queue", r.checkQueue},
		{"dead letters", checkDead},
		{"overdue jobs", r.checkOverdue},
		{"quarantine", checkQuarantine},
		{"alarms", checkAlarms},
	}
}

func (r *root) doctor(ctx context.Context, s *Services, _ []string) error {
	failed := 0
	for _, c := range r.checks() {
		f, err := c.look(ctx, s)
		if err != nil {
			f = bad(fmt.Sprintf("could not be checked: %v", err), "See that your credentials allow it, and that the deployment is complete.")
		}
		f.Check = c.name
		if f.Grade == gradeFailed {
			failed++
		}
		if r.json() {
			if err := r.print(f); err != nil {
				return err
			}
			continue
		}
		r.finding(f)
	}
	if failed > 0 {
		return &failure{fmt.Sprintf("%s failed", plural(failed, "check")), nil}
	}
	return nil
}

func (r *root) finding(f finding) {
	colour := map[string]text.Color{gradeOK: text.FgGreen, gradeWarning: text.FgYellow, gradeFailed: text.FgRed}[f.Grade]
	r.say("%s  %-13s %s", r.paint(fmt.Sprintf("%-7s", f.Grade), colour), f.Check, f.Found)
	if f.Do != "" {
		r.say("%24s%s", "", f.Do)
	}
}

func well(format string, args ...any) finding {
	return finding{Grade: gradeOK, Found: fmt.Sprintf(format, args...)}
}

func warn(found, do string) finding { return finding{Grade: gradeWarning, Found: found, Do: do} }

func bad(found, do string) finding { return finding{Grade: gradeFailed, Found: found, Do: do} }

func (r *root) checkClock(_ context.Context, s *Services) (finding, error) {
	skew := s.Stack.Skew()
	if skew.Abs() > skewAllowed {
		return warn("this machine's clock is "+story.Span(skew)+" ahead of AWS's", "Set it: ages and deadlines are told by it, and AWS refuses requests that are minutes off."), nil
	}
	return well("within %s of AWS's", story.Span(skewAllowed)), nil
}

func checkKey(ctx context.Context, s *Services) (finding, error) {
	current, err := s.KeyReader.Value(ctx, deployment.KeyCurrent)
	if err != nil {
		return finding{}, err
	}
	if current == "" {
		return bad("the secret has no key: nothing is submitted, and callbacks are answered with 503", "Put it: clipqueue key set"), nil
	}
	previous, err := s.KeyReader.Value(ctx, deployment.KeyPrevious)
	if err != nil {
		return finding{}, err
	}
	switch {
	case strings.HasPrefix(current, "{"):
		return bad("the secret holds JSON, not the bare key", "Put the key alone: clipqueue key set"), nil
	case previous != "" && previous != current:
		return well("there is one; the one before it is valid for callbacks too (clipqueue key retire ends it)"), nil
	}
	return well("there is one"), nil
}

func checkVendor(ctx context.Context, s *Services) (finding, error) {
	url, err := s.Vendor.URL(ctx)
	if err != nil {
		return finding{}, err
	}
	_, err = s.Vendor.Ask(ctx, probeID)
	var status *creativeai.StatusError
	switch {
	case err == nil, errors.Is(err, creativeai.ErrNotFound):
		return well("%s answers and takes the key", url), nil
	case errors.Is(err, creativeai.ErrAccountRefused):
		return bad(fmt.Sprintf("%s refuses the %s: %s", url, refused(err), vendorSaid(err)), accountAdvice(ctx, s, err)), nil
	case errors.As(err, &status):
		return warn(fmt.Sprintf("%s answers, but not as documented: %s", url, vendorSaid(err)), "If it lasts, ask the vendor. Jobs wait meanwhile."), nil
	}
	return warn(fmt.Sprintf("%s cannot be reached from here: %v", url, err), "See whether it is down, or only not reachable from this machine."), nil
}

// vendorSaid is the vendor's answer, or why there was none.
func vendorSaid(err error) string {
	if status, ok := errors.AsType[*creativeai.StatusError](err); ok {
		return status.Reason
	}
	return err.Error()
}

// accountAdvice says what to do about a refused key, or a refused account.
func accountAdvice(ctx context.Context, s *Services, err error) string {
	if refused(err) != "key" {
		return "Top up the account, or ask the vendor what it lacks. Jobs wait meanwhile."
	}
	previous, err := s.KeyReader.Value(ctx, deployment.KeyPrevious)
	if err == nil && previous != "" && try(ctx, s, previous).verdict == keyTaken {
		return "The vendor still takes the key before it. Make that the current one again: clipqueue key swap. Jobs wait meanwhile."
	}
	return "Put the right key: clipqueue key set. Jobs wait meanwhile."
}

func checkWebhook(ctx context.Context, s *Services) (finding, error) {
	status, err := s.Health.ProbeWebhook(ctx)
	url := s.Outputs.WebhookURL
	switch {
	case err != nil:
		return bad(fmt.Sprintf("%s cannot be reached: %v", url, err), "The vendor cannot call back, and jobs are asked about instead, later. See that the API is deployed, and reachable from here."), nil
	case status == http.StatusUnauthorized:
		return well("%s refuses a wrong signature, as it should", url), nil
	case status == http.StatusServiceUnavailable:
		return bad(url+" answers 503: it has no key to verify with", "Put it: clipqueue key set"), nil
	case status == http.StatusTooManyRequests:
		return warn(url+" is throttled: 429", "Raise the settings webhookRate and webhookBurst if callbacks are that many."), nil
	}
	return bad(fmt.Sprintf("%s answers a wrong signature with %d, not 401", url, status),
		"See that nothing else answers there, and look at the log of the webhook function."+logCommand(ctx, s, "Webhook")), nil
}

// logCommand is what shows the log of a function, to follow a sentence; empty
// where that is not known.
func logCommand(ctx context.Context, s *Services, function string) string {
	group, err := s.Health.LogGroup(ctx, function)
	if err != nil || group == "" {
		return ""
	}
	return " " + tail(group)
}

func checkFeed(ctx context.Context, s *Services) (finding, error) {
	state, err := s.Feed.FeedState(ctx)
	if err != nil {
		return finding{}, err
	}
	if state != feedOpen {
		return warn("submitting is paused (the feed is "+state+")", "To go on: clipqueue resume"), nil
	}
	return well("prompts are taken from the queue"), nil
}

func (r *root) checkQueue(ctx context.Context, s *Services) (finding, error) {
	d, err := s.Lookers.Depth(ctx, s.Outputs.JobQueueURL)
	if err != nil {
		return finding{}, err
	}
	owed, err := r.withoutMessage(ctx, s)
	if err != nil {
		return finding{}, err
	}
	if owed > 0 {
		return well("%s; not on it, but put there by reconcile within minutes: %s", waitingWords(d), plural(owed, "queued job")), nil
	}
	return well("%s", waitingWords(d)), nil
}

// withoutMessage counts the queued jobs whose message is due, as after a resolve
// that allowed a new submit; of each shard's due jobs it looks at one page.
func (r *root) withoutMessage(ctx context.Context, s *Services) (n int, err error) {
	rules, err := s.Stack.Rules(ctx)
	if err != nil {
		return 0, err
	}
	now := r.app.Now()
	var keys []string
	for shard := range store.Shards {
		due, err := s.Lists.Due(ctx, shard, now, overduePage)
		if err != nil {
			return 0, err
		}
		for _, d := range due {
			keys = append(keys, d.Key)
		}
	}
	jobs, err := s.Lists.Many(ctx, keys)
	for _, j := range jobs {
		if rules.NeedsMessage(j, now) {
			n++
		}
	}
	return n, err
}

func checkDead(ctx context.Context, s *Services) (finding, error) {
	dead, err := s.Stack.Dead(ctx)
	if err != nil {
		return finding{}, err
	}
	var full []string
	for _, q := range dead {
		d, err := s.Lookers.Depth(ctx, q.URL)
		if err != nil {
			return finding{}, err
		}
		if n := d.Waiting + d.InFlight; n > 0 {
			full = append(full, fmt.Sprintf("%d in %s", n, q.Name))
		}
	}
	if len(full) > 0 {
		return bad(strings.Join(full, ", "), "See what they are: clipqueue dlq list"), nil
	}
	return well("none in %s", plural(len(dead), "queue")), nil
}

func (r *root) checkOverdue(ctx context.Context, s *Services) (finding, error) {
	limit, n, most := r.app.Now().Add(-overdueAfter), 0, 0
	var first string
	for shard := range store.Shards {
		due, err := s.Lists.Due(ctx, shard, limit, overduePage)
		if err != nil {
			return finding{}, err
		}
		n, most = n+len(due), max(most, len(due))
		if len(due) > 0 {
			first = strings.TrimPrefix(due[0].Key, "job#")
		}
	}
	if n > 0 {
		return bad(fmt.Sprintf("overdue by more than %s: %s, such as %s", story.Span(overdueAfter), counted(n, most, "job"), first),
			"Reconcile should have looked at them: see its log."+logCommand(ctx, s, "Reconcile")), nil
	}
	return well("none"), nil
}

// counted is a number of things that were counted a page at a time: longest is
// the fullest page.
func counted(n, longest int, noun string) string {
	if longest >= overduePage {
		return "at least " + plural(n, noun)
	}
	return plural(n, noun)
}

func checkQuarantine(ctx context.Context, s *Services) (finding, error) {
	list, err := s.Quarantine.ListQuarantine(ctx, overduePage)
	if err != nil {
		return finding{}, err
	}
	if len(list) > 0 {
		return warn(counted(len(list), len(list), "callback")+" that fitted no job", "See what they are: clipqueue quarantine list"), nil
	}
	return well("empty"), nil
}

func checkAlarms(ctx context.Context, s *Services) (finding, error) {
	alarms, err := s.Health.Alarms(ctx)
	if err != nil {
		return finding{}, err
	}
	var ringing, say []string
	for _, a := range alarms {
		if a.State == "ALARM" {
			ringing, say = append(ringing, a.Name), append(say, a.Say)
		}
	}
	if len(ringing) > 0 {
		return bad("ringing: "+strings.Join(ringing, ", "), strings.Join(say, " ")), nil
	}
	return well("none of %d is ringing", len(alarms)), nil
}
