package e2e_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

// An update deploys the stack again with the settings of updated.
type update struct {
	made   chan struct{} // closed once the template is
	deploy func(context.Context) (*deployment.Deployment, error)
	err    error
}

// prepareUpdate begins to make the template.
func prepareUpdate(ctx context.Context) *update {
	u := &update{made: make(chan struct{})}
	go func() {
		defer close(u.made)
		u.deploy, u.err = bundle.Update(ctx, updated())
	}()
	return u
}

// updated are settings that change every function, and by which the tests that
// follow run as most users do: without lines at DEBUG.
func updated() map[string]string {
	changed := settings()
	changed["logLevel"] = "INFO"
	for _, function := range []string{"submit", "webhook", "poll", "reconcile", "publish", "archive"} {
		changed[function+"Memory"] = "1024"
	}
	return changed
}

// A deployment over a running one loses nothing: with jobs in flight in every
// state, and more coming in all the while, each ends with one verdict and is
// paid for at most once. Nothing runs beside the deployment, as the functions
// are everybody's; the jobs end while other tests go on.
func TestUpdateWithJobsInFlight(t *testing.T) {
	var before map[string]*story
	var during []*story
	t.Run("deploy", func(t *testing.T) {
		before, during = updateInFlight(t)
	})
	if t.Failed() {
		return
	}
	all := slices.AppendSeq(during, maps.Values(before))
	for _, s := range all {
		s.t = t
	}
	t.Parallel()
	for state, s := range before {
		if e := s.settles(); e.DetailType != events.TypeCompleted {
			t.Errorf("the job that was %s ended as %s: %s", state, e.DetailType, e.Detail.Data)
		}
		s.generation()
	}
	before[archiving].hears(events.TypeArchived)
	for _, s := range during {
		s.settles()
		s.paidForAsTold()
	}
	before[string(job.Processing)].endsOnce()
	for _, s := range all {
		s.hasOneVerdict()
	}
}

// updateInFlight deploys the update between jobs: those that were in flight
// before, by what they waited for, and those that came during it.
func updateInFlight(t *testing.T) (before map[string]*story, during []*story) {
	t.Helper()
	if bundle.update == nil {
		bundle.update = prepareUpdate(context.WithoutCancel(t.Context()))
	}
	select {
	case <-bundle.update.made:
	case <-time.After(patience):
		t.Fatal("the template to update to is not made")
	}
	if bundle.update.err != nil {
		t.Fatal(bundle.update.err)
	}
	before = inFlight(t)
	done := make(chan struct{})
	var found *deployment.Deployment
	var err error
	go func() {
		defer close(done)
		found, err = bundle.update.deploy(t.Context())
	}()
	during = whileUpdating(t, done)
	if err != nil {
		t.Fatal(err)
	}
	if found.Outputs != bundle.Outputs {
		t.Errorf("the outputs were %+v, and are %+v", bundle.Outputs, found.Outputs)
	}
	functionsAreUpdated(t)
	sendAgain(t, during)
	return before, during
}

// What a job waits for that has no state of its own.
const (
	polled    = "being polled"
	archiving = "being archived"
)

// inFlight are jobs that wait for something, one in each state that lasts.
func inFlight(t *testing.T) map[string]*story {
	t.Helper()
	before := map[string]*story{
		string(job.Processing):  enqueue(t, "Called back after the update [fault: takes for=10m]", nil),
		polled:                  enqueue(t, "Polled before and after [fault: takes for=10m]", message{"delivery": "poll"}),
		string(job.Unconfirmed): enqueue(t, "Heard of after the update [fault: lost-answer] [fault: takes for=9m]", nil),
		archiving:               enqueue(t, "Archived after the update [fault: video-503 times=1]", nil),
	}
	before[string(job.Processing)].becomes(job.Processing)
	before[polled].becomes(job.Processing)
	before[string(job.Unconfirmed)].becomes(job.Unconfirmed)
	before[archiving].hears(events.TypeCompleted)
	before[string(job.Queued)] = enqueue(t, "Let in after the update [fault: 429 retry-after=8 times=1]", nil)
	before[string(job.Queued)].becomes(job.Queued)
	return before
}

// whileUpdating goes on sending prompts until done; the vendor takes its time
// with the answer to every other one.
func whileUpdating(t *testing.T, done <-chan struct{}) []*story {
	t.Helper()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	var sent []*story
	for {
		select {
		case <-done:
			return sent
		case <-tick.C:
			prompt := "Sent during the update"
			if len(sent)%2 == 0 {
				prompt += " [fault: slow for=2m]"
			}
			sent = append(sent, enqueue(t, prompt, nil))
		}
	}
}

func functionsAreUpdated(t *testing.T) {
	t.Helper()
	list, err := bundle.function.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Functions {
		if aws.ToInt32(f.MemorySize) != 1024 || f.Environment.Variables["LOG_LEVEL"] != "INFO" {
			t.Errorf("%s has %d MB and %v", aws.ToString(f.FunctionName), aws.ToInt32(f.MemorySize), f.Environment.Variables)
		}
	}
}

// sendAgain repeats the messages that no function has got to. An update ends the
// engine's processes, where AWS lets them finish: what they held comes back by
// itself, but 12 minutes later.
func sendAgain(t *testing.T, stories []*story) {
	t.Helper()
	for _, s := range stories {
		if _, err := table(t).Get(t.Context(), job.Key(s.jobID)); errors.Is(err, store.ErrNotFound) {
			s.send(nil)
		}
	}
}

// paidForAsTold checks that a job is completed if it was paid for, once, and has
// else expired: its process was ended before the POST.
func (s *story) paidForAsTold() {
	s.t.Helper()
	accepted := 0
	for _, g := range bundle.Vendor.Ledger().Generations {
		if g.Prompt == s.prompt {
			accepted++
		}
	}
	want := map[int]job.State{0: job.Expired, 1: job.Completed}[accepted]
	if got := s.record().State; got != want {
		s.t.Errorf("%s was accepted %d times and is %s", s.prompt, accepted, got)
	}
}

// hasOneVerdict counts verdicts without their repeats.
func (s *story) hasOneVerdict() {
	s.t.Helper()
	heard, _, _ := bundle.journal.of(s.jobID)
	verdicts := map[string]bool{}
	for _, e := range heard {
		if isVerdict(e) {
			verdicts[e.Detail.Metadata.EventID] = true
		}
	}
	if len(verdicts) != 1 {
		s.t.Errorf("%s has %d verdicts, want one: %v", s.prompt, len(verdicts), kinds(heard))
	}
}
