package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/bus"
)

func (r *root) emitCommand() *cobra.Command {
	var jobID string
	var meta []string
	var show bool
	c := &cobra.Command{
		Use:   "emit KIND",
		Short: "Put a sample event on the bus, to try a consumer",
		Long: `Put a sample event on the bus of the deployment: every consumer whose rule fits it gets it, those in
use too. Its detail.metadata has "sample": true, by which a consumer tells it from a real one; no
job and no video belongs to it.

With archiving on, a sample "completed" reaches the archive too, which passes it over: it knows no
such job.`,
		Example: example(
			"clipqueue emit completed",
			"clipqueue emit failed --job-id order-1042 --meta order=1042",
			"clipqueue emit rejected --show",
		),
		ValidArgs: kindNames(),
		Args:      cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&jobID, "job-id", "", "the sample's job_id (default sample-…)")
	c.Flags().StringArrayVar(&meta, "meta", nil, "the caller's metadata in it: key=text; may be repeated (default the example's)")
	c.Flags().BoolVar(&show, "show", false, "only print the detail; needs no deployment")
	c.RunE = func(c *cobra.Command, args []string) error {
		t, err := kind(args[0])
		if err != nil {
			return err
		}
		detail, err := r.sample(t, jobID, meta)
		if err != nil {
			return err
		}
		if show {
			r.say("%s", detail)
			return nil
		}
		return r.connected(func(ctx context.Context, s *Services, _ []string) error { return r.emit(ctx, s, t, detail) })(c, nil)
	}
	return c
}

// sample is the example of a type, made into an event of now.
func (r *root) sample(t events.DetailType, jobID string, meta []string) ([]byte, error) {
	text, err := events.Sample(t)
	if err != nil {
		return nil, err
	}
	var e events.Envelope[map[string]json.RawMessage]
	if err := jsonv2.Unmarshal(text, &e); err != nil {
		return nil, fmt.Errorf("read the example of %q: %w", t, err)
	}
	m := &e.Detail.Metadata
	if m.JobID = jobID; jobID == "" {
		m.JobID = "sample-" + r.app.NewID()[:8]
	}
	m.OccurredAt = r.app.Now().UTC()
	m.EventID = fmt.Sprintf("%s:%d:%d", m.JobID, m.OccurredAt.UnixMilli(), m.JobVersion)
	m.Sample = true
	values, err := pairs("--meta", meta)
	if err != nil {
		return nil, err
	}
	if len(values) > 0 {
		if e.Detail.Data["metadata"], err = json.Marshal(values); err != nil {
			return nil, fmt.Errorf("write the metadata: %w", err)
		}
	}
	return json.Marshal(e.Detail)
}

// emittedView is a sample on the bus, as JSON.
type emittedView struct {
	EventID    string            `json:"event_id"`
	JobID      string            `json:"job_id"`
	DetailType events.DetailType `json:"detail_type"`
}

func (r *root) emit(ctx context.Context, s *Services, t events.DetailType, detail []byte) error {
	failed, err := s.Bus.Put(ctx, []bus.Entry{{DetailType: t, Time: r.app.Now(), Detail: detail}})
	if err := errors.Join(append(failed, err)...); err != nil {
		return err
	}
	var e events.Event[json.RawMessage]
	if err := jsonv2.Unmarshal(detail, &e); err != nil {
		return fmt.Errorf("read the sample: %w", err)
	}
	r.note(`every consumer on %s whose rule fits gets it; "sample": true in its metadata marks it`, s.Outputs.EventBusName)
	if r.json() {
		return r.print(emittedView{e.Metadata.EventID, e.Metadata.JobID, t})
	}
	r.say("%q of %s is on the bus, marked as a sample", t, e.Metadata.JobID)
	return nil
}
