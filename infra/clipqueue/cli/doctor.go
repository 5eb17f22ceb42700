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
		{"queue", checkQueue},
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
		return bad(fmt.Sprintf("%s refuses the account: %v", url, err), "Put the right key (clipqueue key set), or top up the account. Jobs wait meanwhile."), nil
	case errors.As(err, &status):
		return warn(fmt.Sprintf("%s answers, but not as documented: %v", url, err), "If it lasts, ask the vendor. Jobs wait meanwhile."), nil
	}
	return warn(fmt.Sprintf("%s cannot be reached from here: %v", url, err), "See whether it is down, or only not reachable from this machine."), nil
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
	return bad(fmt.Sprintf("%s answers a wrong signature with %d, not 401", url, status), "Look at the log of the webhook function, and see that nothing else answers there."), nil
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

func checkQueue(ctx context.Context, s *Services) (finding, error) {
	d, err := s.Lookers.Depth(ctx, s.Outputs.JobQueueURL)
	if err != nil {
		return finding{}, err
	}
	return well("%d prompts wait, %d are being handled or wait for another try", d.Waiting+d.Delayed, d.InFlight), nil
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
	limit, n := r.app.Now().Add(-overdueAfter), 0
	var first string
	for shard := range store.Shards {
		due, err := s.Lists.Due(ctx, shard, limit, overduePage)
		if err != nil {
			return finding{}, err
		}
		if n += len(due); len(due) > 0 {
			first = strings.TrimPrefix(due[0].Key, "job#")
		}
	}
	if n > 0 {
		return bad(fmt.Sprintf("%d or more are overdue by more than %s, such as %s", n, story.Span(overdueAfter), first),
			"Look at the log of the reconcile function: it should have looked at them."), nil
	}
	return well("none"), nil
}

func checkQuarantine(ctx context.Context, s *Services) (finding, error) {
	list, err := s.Quarantine.ListQuarantine(ctx, overduePage)
	if err != nil {
		return finding{}, err
	}
	if len(list) > 0 {
		return warn(fmt.Sprintf("%d or more callbacks that fitted no job", len(list)), "See what they are: clipqueue quarantine list"), nil
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
