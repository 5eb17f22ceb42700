package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
)

const (
	// listenWait is how long one receive waits for an event; SQS takes 20 s.
	listenWait = 10 * time.Second
	// listenHold is how long an event that a local server did not take stays away.
	listenHold = 30 * time.Second
	// forwardFor bounds one call of the local server.
	forwardFor = 20 * time.Second
	// removeFor bounds the removal of queue and rule after ctrl-C.
	removeFor = 15 * time.Second
	// listenAgain is the pause after a receive that failed.
	listenAgain = 5 * time.Second
)

// listenFlags are listen's.
type listenFlags struct {
	forward, name, job string
	types              []string
	remove             bool
	// printed are the messages that have been; one that is not taken comes again.
	printed map[string]bool
	// refused are those of them that the server has not taken.
	refused map[string]bool
}

func (r *root) listenCommand() *cobra.Command {
	f := listenFlags{printed: map[string]bool{}, refused: map[string]bool{}}
	c := &cobra.Command{
		Use:   "listen",
		Short: "See events as they happen, and hand them to a local server",
		Long: `Print events as they happen, until ctrl-C. With --forward each is also posted, as EventBridge's JSON,
to a server of yours; one that is not answered with 2xx comes again every 30 seconds.

It makes a queue and a rule of its own on the bus, and removes them in the end. Under a --name they
are kept, so that nothing is missed while this machine sleeps: for up to 14 days, and for the small
price of a queue. "listen --name NAME --remove" removes them.

Events are heard from about a minute after the rule is made.`,
		Example: example(
			"clipqueue listen",
			"clipqueue listen --forward http://localhost:3000/events --type completed,failed",
			"clipqueue listen --name my-laptop",
			"clipqueue listen -o json | jq .detail",
		),
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	flags.StringVar(&f.forward, "forward", "", "post each event to this URL")
	flags.StringVar(&f.name, "name", "", "keep queue and rule under this name")
	flags.StringVar(&f.job, "job", "", "only events of this job")
	flags.StringSliceVar(&f.types, "type", nil, "only these kinds: "+strings.Join(kindNames(), ", "))
	flags.BoolVar(&f.remove, "remove", false, "remove the queue and the rule of --name")
	must(c.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(kindNames(), cobra.ShellCompDirectiveNoFileComp)))
	c.RunE = r.connected(func(ctx context.Context, s *Services, _ []string) error { return r.listen(ctx, s, f) })
	return c
}

// kindNames are the words for the kinds of events: "completed", "archive-failed".
func kindNames() []string {
	var names []string
	for _, t := range events.DetailTypes() {
		names = append(names, kindName(t))
	}
	return names
}

func kindName(t events.DetailType) string {
	name := strings.TrimPrefix(string(t), "Video ")
	name = strings.TrimPrefix(name, "Generation ")
	return strings.ReplaceAll(strings.ToLower(name), " ", "-")
}

// kind is the type of event that a word means.
func kind(name string) (events.DetailType, error) {
	for _, t := range events.DetailTypes() {
		if kindName(t) == name {
			return t, nil
		}
	}
	return "", usage("there is no kind of event %q: there are %s", name, strings.Join(kindNames(), ", "))
}

var listenName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,30}$`)

func (r *root) listen(ctx context.Context, s *Services, f listenFlags) error {
	types, err := f.check()
	if err != nil {
		return err
	}
	if f.remove {
		existed, err := s.Listener.Unsubscribe(ctx, f.name)
		if err != nil {
			return err
		}
		if !existed {
			return absent("there is no listener %s", f.name)
		}
		r.note("the listener %s is removed", f.name)
		return nil
	}
	name := f.name
	if name == "" {
		name = "once-" + strings.ToLower(r.app.NewID()[:10])
		defer r.stopListening(ctx, s, name)
	}
	queue, err := s.Listener.Subscribe(ctx, name, types)
	if err != nil {
		return err
	}
	r.note("listening to %s; ctrl-C ends it", s.Outputs.EventBusName)
	for ctx.Err() == nil {
		if err := r.hear(ctx, s, f, queue); err != nil && ctx.Err() == nil {
			r.note("clipqueue: %v; going on", err)
			_ = r.app.Pause(ctx, listenAgain) // it ends with the context, which the loop sees
		}
	}
	return nil // ctrl-C is how it is meant to end
}

func (f listenFlags) check() ([]events.DetailType, error) {
	var types []events.DetailType
	for _, name := range f.types {
		t, err := kind(name)
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	switch {
	case f.remove && f.name == "":
		return nil, usage("--remove needs the --name of the listener")
	case f.name != "" && !listenName.MatchString(f.name):
		return nil, usage("--name %q: use 1 to 30 letters, digits, - and _", f.name)
	}
	if f.forward != "" {
		u, err := url.Parse(f.forward)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) {
			return nil, usage("--forward %q: write a URL such as http://localhost:3000/events", f.forward)
		}
	}
	return types, nil
}

// stopListening removes queue and rule; the command's context has ended by then.
func (r *root) stopListening(ctx context.Context, s *Services, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeFor)
	defer cancel()
	if _, err := s.Listener.Unsubscribe(ctx, name); err != nil {
		r.note("clipqueue: %v\nRemove it with: clipqueue listen --name %s --remove", err, name)
	}
}

// hear receives once, and handles what came.
func (r *root) hear(ctx context.Context, s *Services, f listenFlags, queue string) error {
	letters, err := s.Queues.Receive(ctx, queue, listenWait, listenHold)
	if err != nil {
		return err
	}
	for _, l := range letters {
		taken, err := r.event(ctx, f, l)
		if err != nil {
			return err
		}
		if taken {
			if err := s.Queues.Delete(ctx, queue, l.Receipt); err != nil {
				return err
			}
		}
	}
	return nil
}

// event prints one event and hands it on, and says whether that is done with.
func (r *root) event(ctx context.Context, f listenFlags, l deployment.Letter) (taken bool, err error) {
	var e events.Envelope[jsontext.Value]
	if err := json.Unmarshal([]byte(l.Body), &e); err != nil {
		r.note("clipqueue: a message that is no event: %s", short(l.Body, 80))
		return true, nil //nolint:nilerr // told, and of no use to keep
	}
	if f.job != "" && f.job != e.Detail.Metadata.JobID {
		return true, nil
	}
	if !f.printed[l.MessageID] {
		f.printed[l.MessageID] = true
		if err := r.printEvent(e, l.Body); err != nil {
			return false, err
		}
	}
	if f.forward == "" {
		return true, nil
	}
	what := kindName(e.DetailType) + " of " + e.Detail.Metadata.JobID
	if err := forward(ctx, f.forward, l.Body); err != nil {
		f.refused[l.MessageID] = true
		r.note("%s was not taken by %s, it comes again: %v", what, f.forward, err)
		return false, nil
	}
	if f.refused[l.MessageID] {
		delete(f.refused, l.MessageID)
		r.note("%s is taken by %s now", what, f.forward)
	}
	return true, nil
}

func (r *root) printEvent(e events.Envelope[jsontext.Value], body string) error {
	if r.json() {
		return r.print(jsontext.Value(body))
	}
	data := e.Detail.Data
	_ = data.Compact() // it was just parsed
	sample := ""
	if e.Detail.Metadata.Sample {
		sample = " (sample)"
	}
	r.say("%s  %-16s  %s%s  %s", e.Detail.Metadata.OccurredAt.Format("15:04:05.000"), kindName(e.DetailType), e.Detail.Metadata.JobID, sample, data)
	return nil
}

// errStatus is an answer that is not 2xx.
var errStatus = errors.New("it answered")

func forward(ctx context.Context, to, body string) error {
	ctx, cancel := context.WithTimeout(ctx, forwardFor)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // so that the connection is used again
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%w %s", errStatus, res.Status)
	}
	return nil
}
