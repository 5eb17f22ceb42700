package e2e_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
)

func TestCallbackCompletesAJob(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A lighthouse at dusk", message{
		"aspect_ratio": "16:9", "duration": 5, "metadata": message{"order": 4711, "tags": []string{"sea"}}, "seed": 7,
	})
	accepted := data[events.Accepted](t, s.hears(events.TypeAccepted))
	e := s.ends(events.TypeCompleted)
	got, paid := data[events.Completed](t, e), s.generation()

	if got.Via != events.ViaCallback || got.OutputURL == nil || *got.OutputURL != paid.OutputURL {
		t.Errorf("completed by %q with output_url %v, want callback and %s", got.Via, got.OutputURL, paid.OutputURL)
	}
	if got.Credits == nil || *got.Credits != paid.Credits || accepted.Credits == nil || *accepted.Credits != paid.Credits {
		t.Errorf("credits are %v at first and %v in the end, want %d", accepted.Credits, got.Credits, paid.Credits)
	}
	if got.GenerationID != paid.ID || accepted.GenerationID != paid.ID {
		t.Errorf("generation is %q at first and %q in the end, want %q", accepted.GenerationID, got.GenerationID, paid.ID)
	}
	metadataIs(t, jsontext.Value(got.Metadata), `{"order":4711,"tags":["sea"]}`)
	if e.Source != events.Source || e.Detail.Metadata.SchemaVersion != events.SchemaVersion || e.Detail.Metadata.EventID == "" {
		t.Errorf("envelope: source %q, metadata %+v", e.Source, e.Detail.Metadata)
	}
	s.answersAre(202)
	s.stateIs(job.Completed)
	s.endsOnce()
}

func TestPollCompletesAJob(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A flower that opens", message{"delivery": "poll"})
	if got := data[events.Completed](t, s.ends(events.TypeCompleted)); got.Via != events.ViaPoll {
		t.Errorf("completed by %q, want a poll", got.Via)
	}
	if url := s.generation().WebhookURL; url != "" {
		t.Errorf("a job to be polled was submitted with webhook_url %q", url)
	}
	s.answersAre(202)
	s.stateIs(job.Completed)
}

func TestFailedGeneration(t *testing.T) {
	t.Parallel()
	for delivery, via := range map[string]events.Via{"webhook": events.ViaCallback, "poll": events.ViaPoll} {
		t.Run(delivery, func(t *testing.T) {
			t.Parallel()
			s := enqueue(t, `A square circle [fault: fail message="No such shape."]`, message{"delivery": delivery})
			got := data[events.Failed](t, s.ends(events.TypeFailed))
			if got.ErrorMessage != "No such shape." || got.Via != via {
				t.Errorf("failed by %q with %q, want %q with the vendor's reason", got.Via, got.ErrorMessage, via)
			}
			s.answersAre(202)
			s.stateIs(job.Failed)
		})
	}
}

func TestFailover(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A valley in the mist [fault: failover model=kling-v3]", message{"model": "seedance-1.5-pro", "failover": true})
	got := data[events.Completed](t, s.ends(events.TypeCompleted))
	if got.FailoverUsed == nil || !*got.FailoverUsed || got.Model != "seedance-1.5-pro" || got.ModelActual != "kling-v3" {
		t.Errorf("failover %v, model %q, made by %q", got.FailoverUsed, got.Model, got.ModelActual)
	}
}

func TestVendorRefusesAPrompt(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "Something indecent [fault: 422]", nil)
	if got := data[events.Rejected](t, s.ends(events.TypeRejected)); got.Code != events.CodeRefused {
		t.Errorf("code is %q, want %q", got.Code, events.CodeRefused)
	}
	s.answersAre(422)
	s.stateIs(job.Rejected)
}
