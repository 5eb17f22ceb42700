package job_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := job.DefaultRules().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for _, tc := range []struct {
		name   string
		spoil  func(*job.Rules)
		naming string
	}{
		{"record", func(r *job.Rules) { r.RecordFor = job.MinRecordFor - time.Second }, "records are kept for"},
		{"claim", func(r *job.Rules) { r.ClaimFor = 0 }, "ClaimFor"},
		{"first look", func(r *job.Rules) { r.FirstLookAfter = -1 }, "FirstLookAfter"},
		{"queued", func(r *job.Rules) { r.QueuedFor = 0 }, "QueuedFor"},
		{"unconfirmed", func(r *job.Rules) { r.UnconfirmedFor = 0 }, "UnconfirmedFor"},
		{"processing", func(r *job.Rules) { r.ProcessingFor = 0 }, "ProcessingFor"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rules := job.DefaultRules()
			tc.spoil(&rules)
			if err := rules.Validate(); err == nil || !strings.Contains(err.Error(), tc.naming) {
				t.Errorf("%v, want an error that names %q", err, tc.naming)
			}
		})
	}
	if job.MinRecordFor < 45*24*time.Hour {
		t.Errorf("records may go after %v: a redriven message could be older", job.MinRecordFor)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	o := jobtest.Origin("job-1")
	o.At = o.At.Add(999 * time.Microsecond).In(time.FixedZone("west", -7200))
	want := job.Job{
		ID: "job-1", State: job.Queued, Token: o.Token, Request: o.Request, PayloadHash: o.PayloadHash,
		Model: o.Model, Metadata: o.Metadata, Delivery: events.DeliveryWebhook,
		CreatedAt: jobtest.Epoch(), EnqueuedAt: jobtest.Epoch().Add(-time.Second),
		DueAt:     jobtest.Epoch().Add(5 * time.Minute),
		ExpiresAt: jobtest.Epoch().Add(45 * 24 * time.Hour).Truncate(time.Second),
	}
	if diff := cmp.Diff(want, job.DefaultRules().New(o)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	at := jobtest.Epoch()
	why := job.Reason{Code: events.CodeInvalid, Field: "prompt", Message: "it is blank", ClaimedJobID: "j", Excerpt: "{"}
	want := job.Job{
		ID: "message-1", Rejection: true, State: job.Rejected, Version: 1, Metadata: `{"a":1}`, Reason: why,
		CreatedAt: at, EnqueuedAt: at, SettledAt: at, DueAt: at.Add(5 * time.Minute),
		ExpiresAt: at.Add(45 * 24 * time.Hour).Truncate(time.Second),
		History:   []job.Step{{Version: 1, State: job.Rejected, At: at, Why: "it is blank"}},
		Owed:      []job.Owed{{Version: 1, Type: events.TypeRejected, At: at}},
	}
	got := job.DefaultRules().Reject("message-1", `{"a":1}`, why, at)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Key() != "rejection#message-1" || got.Key() == job.Key("message-1") {
		t.Errorf("its key is %s: it must not be the job's", got.Key())
	}
}

func TestEventID(t *testing.T) {
	t.Parallel()
	j := jobtest.At(t, job.DefaultRules(), "job-1", "completed")
	if got, want := j.EventID(4), fmt.Sprintf("job-1:%d:4", jobtest.Epoch().UnixMilli()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestStates holds what the states say of themselves against each other.
func TestStates(t *testing.T) {
	t.Parallel()
	settled := map[job.State]bool{job.Completed: true, job.Failed: true, job.Rejected: true, job.Expired: true}
	for _, s := range job.States() {
		if s.Settled() != settled[s] {
			t.Errorf("%s: settled is %v", s, s.Settled())
		}
		if want := !settled[s] || s == job.Expired; s.AwaitsVerdict() != want {
			t.Errorf("%s: awaits a verdict is %v", s, s.AwaitsVerdict())
		}
	}
	if unknown := job.State("lost"); unknown.Settled() || unknown.AwaitsVerdict() {
		t.Error("a state that is none says something of itself")
	}
}

// TestHistoryIsBounded: the first step and the latest are kept.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	j := jobtest.At(t, rules, "job-1", "new")
	for range 40 {
		j = must(t)(rules.Apply(j, job.Claim{At: jobtest.Epoch(), PayloadHash: jobtest.PayloadHash}))
		j = must(t)(rules.Apply(j, job.PutBack{At: jobtest.Epoch(), Attempt: j.Attempt, Message: "429"}))
		if len(j.History) > 50 {
			t.Fatalf("%d steps at version %d", len(j.History), j.Version)
		}
	}
	var kept []int64
	for _, s := range j.History {
		kept = append(kept, s.Version)
	}
	want := []int64{1}
	for v := int64(32); v <= 80; v++ {
		want = append(want, v)
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("versions in the history (-want +got):\n%s", diff)
	}
}

// must returns the job of an outcome that has to be one.
func must(t *testing.T) func(job.Job, error) job.Job {
	t.Helper()
	return func(j job.Job, err error) job.Job {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
}
