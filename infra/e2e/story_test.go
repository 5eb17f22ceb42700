package e2e_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

// message is a queue message by field.
type message map[string]any

// A story is one prompt's, from the queue to its verdict.
type story struct {
	t      *testing.T
	jobID  string
	prompt string
}

// enqueue puts a prompt on the queue under a job_id of its own. The prompt says
// which faults strike it, as the fake vendor's package describes; to it is added
// what makes it unlike every other.
func enqueue(t *testing.T, prompt string, fields message) *story {
	t.Helper()
	s := &story{t: t, jobID: "e2e-" + rand.Text()}
	s.prompt = prompt + " (" + s.jobID + ")"
	s.send(fields)
	return s
}

// send puts the story's message on the queue, once more if need be.
func (s *story) send(fields message) (messageID string) {
	s.t.Helper()
	m := message{"job_id": s.jobID, "prompt": s.prompt}
	maps.Copy(m, fields)
	body, err := json.Marshal(m)
	if err != nil {
		s.t.Fatal(err)
	}
	return send(s.t, string(body))
}

// send puts any body on the queue.
func send(t *testing.T, body string) (messageID string) {
	t.Helper()
	sent, err := bundle.queue.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(bundle.Outputs.JobQueueURL), MessageBody: aws.String(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(sent.MessageId)
}

// refused follows a message that has no job: its events bear the message's id.
func refused(t *testing.T, messageID string) *story {
	t.Helper()
	return &story{t: t, jobID: messageID}
}

// ends waits for the story's verdict and checks what kind it is.
func (s *story) ends(want events.DetailType) local.Event {
	s.t.Helper()
	e := bundle.journal.await(s.t, s.jobID, "verdict", isVerdict)
	if e.DetailType != want {
		s.t.Fatalf("%s ended as %s, want %s: %s", s.jobID, e.DetailType, want, e.Detail.Data)
	}
	return e
}

// hears waits for an event of this kind.
func (s *story) hears(want events.DetailType) local.Event {
	s.t.Helper()
	return bundle.journal.await(s.t, s.jobID, string(want), func(e local.Event) bool { return e.DetailType == want })
}

func isVerdict(e local.Event) bool {
	return slices.Contains([]events.DetailType{
		events.TypeCompleted, events.TypeFailed, events.TypeRejected, events.TypeExpired,
	}, e.DetailType)
}

// endsOnce checks that the one verdict heard stays the only one: another prompt,
// enqueued now, takes the whole way, and by then there is still just one.
func (s *story) endsOnce() {
	s.t.Helper()
	enqueue(s.t, "What comes later", nil).ends(events.TypeCompleted)
	heard, _, _ := bundle.journal.of(s.jobID)
	verdicts := slices.DeleteFunc(heard, func(e local.Event) bool { return !isVerdict(e) })
	if len(verdicts) != 1 {
		s.t.Errorf("%s has %d verdicts, want one: %s", s.jobID, len(verdicts), kinds(heard))
	}
}

// metadataIs checks the caller's metadata in an event; the engine adds white
// space of its own to the JSON that it delivers.
func metadataIs(t *testing.T, got jsontext.Value, want string) {
	t.Helper()
	if err := got.Compact(); err != nil || string(got) != want {
		t.Errorf("metadata came back as %s (%v), want %s", got, err, want)
	}
}

// data is an event's, as a consumer decodes it.
func data[T any](t *testing.T, e local.Event) T {
	t.Helper()
	var d T
	if err := json.Unmarshal(e.Detail.Data, &d); err != nil {
		t.Fatalf("%s: %v: %s", e.DetailType, err, e.Detail.Data)
	}
	return d
}

// record is the job's, as the table has it.
func (s *story) record() job.Job {
	s.t.Helper()
	j, err := table(s.t).Get(s.t.Context(), job.Key(s.jobID))
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

// stateIs checks the job's state in the table.
func (s *story) stateIs(want job.State) {
	s.t.Helper()
	if got := s.record().State; got != want {
		s.t.Errorf("%s is %s, want %s", s.jobID, got, want)
	}
}

func table(t *testing.T) *store.Table {
	t.Helper()
	table, err := store.New(bundle.dynamo, bundle.Outputs.TableName, job.DefaultRules(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// answers are the vendor's to the POSTs of this prompt, in order; 0 is none.
func (s *story) answers() []int {
	var list []int
	for _, r := range bundle.Vendor.Ledger().Requests {
		if r.Kind == "submit" && r.Prompt == s.prompt {
			list = append(list, r.Answer)
		}
	}
	return list
}

// answersAre checks the vendor's answers: each POST is one that may have to be
// paid for.
func (s *story) answersAre(want ...int) {
	s.t.Helper()
	if got := s.answers(); !slices.Equal(got, want) {
		s.t.Errorf("%s was answered %v by the vendor, want %v", s.jobID, got, want)
	}
}

// generation waits until the vendor has accepted the prompt, which it must have
// done once only.
func (s *story) generation() fake.Generation {
	s.t.Helper()
	var found []fake.Generation
	s.vendor("accepts the prompt", func(l fake.Ledger) bool {
		found = slices.DeleteFunc(l.Generations, func(g fake.Generation) bool { return g.Prompt != s.prompt })
		return len(found) > 0
	})
	if len(found) > 1 {
		s.t.Fatalf("%s was paid for %d times", s.jobID, len(found))
	}
	return found[0]
}

// attempts waits until the vendor has called back so often, and returns the
// webhook's answers in order; 0 is none.
func (s *story) attempts(n int) []int {
	s.t.Helper()
	id := s.generation().ID
	var list []int
	s.vendor(fmt.Sprintf("calls back %d times", n), func(l fake.Ledger) bool {
		list = nil
		for _, a := range l.Attempts {
			if a.GenerationID == id && (a.Answer != 0 || a.Error != "" || len(a.Faults) > 0) {
				list = append(list, a.Answer)
			}
		}
		return len(list) >= n
	})
	return list
}

// vendor waits until the vendor's ledger is as wanted.
func (s *story) vendor(what string, wanted func(fake.Ledger) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeoutCause(s.t.Context(), patience, errors.New("the test's patience is over"))
	defer cancel()
	if err := bundle.Vendor.Wait(ctx, wanted); err != nil {
		s.t.Fatalf("%s: wait until the vendor %s: %v", s.jobID, what, err)
	}
}

// reconcile runs the function that otherwise runs every minute.
func reconcile(t *testing.T) {
	t.Helper()
	out, err := bundle.function.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(functionName(t, "Reconcile"))})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError != nil {
		t.Fatalf("reconcile: %s: %s", *out.FunctionError, out.Payload)
	}
}

// functionName is the deployed name of one of the bundle's functions.
func functionName(t *testing.T, part string) string {
	t.Helper()
	list, err := bundle.function.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Functions {
		if strings.Contains(aws.ToString(f.FunctionName), part) {
			return aws.ToString(f.FunctionName)
		}
	}
	t.Fatalf("no function of the stack has %q in its name", part)
	return ""
}
