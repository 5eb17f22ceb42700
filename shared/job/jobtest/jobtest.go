// Package jobtest makes jobs for tests: one at every stage of a life, brought
// there by facts, and one with every field set.
package jobtest

import (
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
)

// What the jobs of [Stages] have in common.
const (
	Token        = "token-of-the-job"
	PayloadHash  = "hash-of-the-payload"
	GenerationID = "generation-1"
	// Attempt is the attempt that they are in: the first was put back.
	Attempt = 2
)

// Epoch is when the jobs of [Stages] were created.
func Epoch() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC) }

// When things happened to the jobs of [Stages], after Epoch. The claim of the
// attempt that counts was made at ClaimedAfter, its answer came at
// AnsweredAfter, the vendor's verdict at SettledAfter, the archive's at
// ArchivedAfter.
const (
	ClaimedAfter  = 10 * time.Second
	AnsweredAfter = 12 * time.Second
	SettledAfter  = 60 * time.Second
	ArchivedAfter = 70 * time.Second
)

// Stage is a job at a named stage of its life.
type Stage struct {
	// Name is the job's state, followed by what else tells it from others in that state.
	Name string
	Job  job.Job
}

// Stages are jobs with this id at every stage that the rules, which must
// archive, can bring one to. Every state is among them.
func Stages(tb testing.TB, rules job.Rules, id string) []Stage {
	tb.Helper()
	stages := []Stage{{"new", rules.New(Origin(id))}}
	reached := map[string]job.Job{"new": stages[0].Job}
	for _, s := range path(rules) {
		next := rules.Published(reached[s.from], Epoch().Add(rules.QueuedFor))
		if s.fact != nil {
			var err error
			if next, err = rules.Apply(reached[s.from], s.fact); err != nil {
				tb.Fatalf("bring a job from %q to %q with %T: %v", s.from, s.to, s.fact, err)
			}
		}
		reached[s.to] = next
		if s.to != "first attempt" {
			stages = append(stages, Stage{s.to, next})
		}
	}
	rejection := rules.Reject(id, `{"shot":7}`, job.Reason{
		Code: events.CodeOtherPayload, Field: "job_id", Message: "it is taken", ClaimedJobID: "other",
	}, Epoch())
	return append(stages, Stage{"rejection", rejection})
}

// At is the job of [Stages] at the stage of this name.
func At(tb testing.TB, rules job.Rules, id, name string) job.Job {
	tb.Helper()
	for _, s := range Stages(tb, rules, id) {
		if s.Name == name {
			return s.Job
		}
	}
	tb.Fatalf("no stage %q", name)
	return job.Job{}
}

// Origin is what the jobs of [Stages] are made of.
func Origin(id string) job.Origin {
	return job.Origin{
		ID: id, Token: Token, Request: `{"prompt":"a lighthouse"}`, PayloadHash: PayloadHash,
		Model: "auto", Metadata: `{"shot":7}`, Delivery: events.DeliveryWebhook,
		At: Epoch(), EnqueuedAt: Epoch().Add(-time.Second),
	}
}

// Callback is the vendor's verdict by callback, with a video that can be downloaded.
func Callback(state job.State) job.Verdict {
	result := job.Result{
		Charge:      job.Charge{ModelActual: "model-x", Credits: new(int64(40)), FailoverUsed: new(true)},
		CompletedAt: "2026-01-02T03:05:00Z", Via: events.ViaCallback,
	}
	if state == job.Completed {
		result.OutputURL = new("https://cdn.example/video.mp4")
	} else {
		result.ErrorMessage, result.OutputURLProblem = "the model gave up", "there is none"
	}
	return job.Verdict{
		At: Epoch().Add(SettledAfter), Token: Token, GenerationID: GenerationID, State: state,
		Result: result, Body: []byte(`{"status":"` + state + `"}`),
	}
}

// leg is a way from one stage to another; without a fact, the publication of
// the events that are owed.
type leg struct {
	from, to string
	fact     job.Fact
}

func path(rules job.Rules) []leg {
	claimed, answered := Epoch().Add(ClaimedAfter), Epoch().Add(AnsweredAfter)
	claim := func(at time.Time, id string) job.Claim {
		return job.Claim{At: at, ID: id, PayloadHash: PayloadHash}
	}
	putBack := job.PutBack{At: Epoch().Add(2 * time.Second), Attempt: 1, RetryAt: claimed, Message: "429"}
	accept := job.Accept{
		At: answered, Attempt: Attempt, GenerationID: GenerationID,
		Charge: job.Charge{ModelActual: "model-x", Credits: new(int64(41)), FailoverUsed: new(false)},
	}
	stored := job.Archive{
		State: job.ArchiveStored, Bucket: "bucket", Key: "job/video.mp4", Size: 1 << 20, SHA256: "c0ffee", ContentType: "video/mp4",
	}
	lost := job.Archive{State: job.ArchiveFailed, Code: "not_found", Message: "404"}
	return []leg{
		{"new", "first attempt", claim(Epoch(), "claim-1")},
		{"first attempt", "queued", putBack},
		{"queued", "submitting", claim(claimed, "claim-2")},
		{"submitting", "unconfirmed", job.LoseAnswer{At: answered, Attempt: Attempt, Message: "connection reset"}},
		{"submitting", "processing", accept},
		{"processing", "completed", Callback(job.Completed)},
		{"completed", "completed, published", nil},
		{"completed", "completed, archived", job.Stored{At: Epoch().Add(ArchivedAfter), Archive: stored}},
		{"completed", "completed, archive failed", job.Stored{At: Epoch().Add(ArchivedAfter), Archive: lost}},
		{"processing", "failed", Callback(job.Failed)},
		{"submitting", "rejected", job.Refuse{At: answered, Attempt: Attempt, Message: "400: no such model"}},
		{"queued", "rejected, cancelled", job.Cancel{At: answered, By: "an operator"}},
		{"queued", "expired, never accepted", job.Deadline{At: Epoch().Add(rules.QueuedFor)}},
		{"unconfirmed", "expired, unconfirmed", job.Deadline{At: claimed.Add(rules.UnconfirmedFor)}},
		{"expired, unconfirmed", "expired, published", nil},
		{"processing", "expired, with an id", job.Deadline{At: answered.Add(rules.ProcessingFor)}},
	}
}
