package main

import (
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

func TestPrompts(t *testing.T) {
	t.Parallel()
	prompts, err := readPrompts(promptFile)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, p := range prompts {
		if p.Shows == "" || p.Expect.Event == "" || p.Expect.State == "" || p.Expect.Answers == nil || p.Expect.Callbacks == nil {
			t.Errorf("%s: what it shows, or what to expect of it, is missing: %+v", p.name(), p)
		}
		if !slices.Contains(events.DetailTypes(), p.Expect.Event) {
			t.Errorf("%s: there is no event %q", p.name(), p.Expect.Event)
		}
		if p.jobID != "" && ids[p.jobID] {
			t.Errorf("%s: the job_id comes twice", p.name())
		}
		ids[p.jobID] = true
	}
	for _, wrong := range []string{`{"shows":"a","shows":"b"}`, `{"shows":"a","expected":{}}`, `{"message":{"job_id":5}}`, ``} {
		if _, err := readPrompts([]byte(wrong)); err == nil {
			t.Errorf("%q is taken for prompts", wrong)
		}
	}
}

// A prompt ends as expected only if all that was seen of it is, with one verdict.
func TestAsExpected(t *testing.T) {
	t.Parallel()
	verdict := local.Event{DetailType: events.TypeCompleted}
	verdict.Detail.Data = jsontext.Value(`{"via":"callback","credits":50,"failover_used":false}`)
	ledger := fake.Ledger{
		Requests:    []fake.Request{{Kind: "submit", Prompt: "p", Answer: 202}, {Kind: "submit", Prompt: "another", Answer: 500}},
		Generations: []fake.Generation{{ID: "g", Prompt: "p"}},
		Attempts:    []fake.Attempt{{GenerationID: "g", Answer: 200}, {GenerationID: "another", Answer: 401}},
	}
	expect := outcome{Event: events.TypeCompleted, State: "completed", Via: events.ViaCallback, Answers: []int{202}, Callbacks: []int{200}}
	j := &tracked{prompt: prompt{text: "p", Expect: expect}}
	step := func(what string, want bool) {
		t.Helper()
		if got := j.asExpected(); got != want {
			t.Errorf("%s: as expected is %v, want %v: %+v", what, got, want, j.seen)
		}
	}
	step("at first", false)
	j.ask(ledger)
	j.seen.State = "completed"
	step("before its event", false)
	if err := j.take(verdict); err != nil {
		t.Fatal(err)
	}
	step("with its event, and no video yet", false)
	if got := j.amiss(); got != "its video is not in the bucket" {
		t.Errorf("what is amiss: %q", got)
	}
	lost := *j
	refused := local.Event{DetailType: events.TypeArchiveFailed}
	refused.Detail.Data = jsontext.Value(`{"code":"gone","message":"the link is dead"}`)
	if err := lost.take(refused); err != nil || lost.amiss() != "its video could not be kept: the link is dead" {
		t.Errorf("what is amiss: %q, %v", lost.amiss(), err)
	}
	archived := local.Event{DetailType: events.TypeArchived}
	archived.Detail.Data = jsontext.Value(`{"bucket":"b","key":"videos/p.mp4"}`)
	if err := j.take(archived); err != nil {
		t.Fatal(err)
	}
	step("with its video", true)
	if j.video != "s3://b/videos/p.mp4" {
		t.Errorf("the video lies at %q", j.video)
	}
	if j.credits == nil || *j.credits != 50 || j.how() != "called back" {
		t.Errorf("credits %v, how it went %q", j.credits, j.how())
	}
	if err := j.take(verdict); err != nil {
		t.Fatal(err)
	}
	step("with a second verdict", false)
	if got := j.amiss(); got != "2 verdicts, want 1" {
		t.Errorf("what is amiss: %q", got)
	}
}
