package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/go-json-experiment/json"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/job"
)

// buildCommand builds the operator's command, once for all tests.
var buildCommand = sync.OnceValues(func() (string, error) {
	root, err := local.Root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(root, "dist", "e2e", "clipqueue")
	out, err := exec.Command("go", "build", "-C", root, "-o", binary, "./infra/clipqueue").CombinedOutput()
	if err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return binary, nil
})

// operator is a run of the command against the bundle, with nothing but what a
// user has: the environment that `make local` prints.
func operator(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := buildCommand()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_ENDPOINT_URL=" + bundle.Endpoint, "AWS_REGION=" + local.Region,
		"AWS_ACCESS_KEY_ID=" + local.AccessKey, "AWS_SECRET_ACCESS_KEY=" + local.SecretKey,
	}
	return cmd
}

// runOperator runs the command to its end, and wants this exit code.
func runOperator(t *testing.T, stdin string, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := operator(ctx, t, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("clipqueue %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// lines decodes JSON lines.
func lines[T any](t *testing.T, text string) []T {
	t.Helper()
	var list []T
	for line := range strings.Lines(text) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		list = append(list, v)
	}
	return list
}

// view is what the tests read of a job's JSON.
type view struct {
	JobID        string    `json:"job_id"`
	State        job.State `json:"state"`
	GenerationID string    `json:"generation_id"`
	RetryID      string    `json:"retry_id"`
}

// The commands that change the whole deployment are tested before the parallel
// tests begin, which is why this one is not parallel.
func TestOperatorSteersTheDeployment(t *testing.T) {
	out, _ := runOperator(t, "", 0, "doctor", "-o", "json")
	for _, f := range lines[struct {
		Check string `json:"check"`
		Grade string `json:"grade"`
		Found string `json:"found"`
	}](t, out) {
		if f.Grade != "ok" {
			t.Errorf("%+v", f)
		}
	}
	runOperator(t, "", 3, "doctor", "--stage", "nowhere")

	runOperator(t, "", 0, "pause")
	id := "e2e-" + rand.Text()
	runOperator(t, "", 0, "submit", "A paused film", "--job-id", id)
	runOperator(t, "", 3, "why", id)
	runOperator(t, "", 0, "resume")
	(&story{t: t, jobID: id}).ends(events.TypeCompleted)

	_, errs := runOperator(t, bundle.APIKey+"\n", 1, "key", "set")
	if !strings.Contains(errs, "this is the key that is in force") || strings.Contains(errs, bundle.APIKey) {
		t.Errorf("the key set again: %s", errs)
	}
	out, _ = runOperator(t, "", 0, "key", "status")
	if strings.Contains(out, bundle.APIKey) {
		t.Errorf("the key is shown: %s", out)
	}
}

func TestOperatorFollowsAFile(t *testing.T) {
	t.Parallel()
	batch := "e2e-" + rand.Text()[:10]
	file := "prompt,metadata.n\nA kite " + batch + ",1\nA fox [fault: fail] " + batch + ",2\n"
	out, _ := runOperator(t, file, 1, "submit", "-f", "-", "--batch", batch, "--wait", "-o", "json")
	states := map[job.State]string{}
	for _, v := range lines[view](t, out) {
		states[v.State] = v.JobID
	}
	if len(states) != 2 || states[job.Completed] == "" || states[job.Failed] == "" {
		t.Fatalf("ended as %v", states)
	}
	for _, n := range []string{"1", "2"} {
		out, _ = runOperator(t, "", 0, "list", "--meta", "n="+n, "-o", "json", "--limit", "1000")
		if !strings.Contains(out, batch) {
			t.Errorf("metadata n=%s finds %s", n, out)
		}
	}
	out, _ = runOperator(t, "", 0, "why", states[job.Failed])
	if !strings.Contains(out, "The vendor could not make it.") {
		t.Error(out)
	}
	page := filepath.Join(t.TempDir(), "report.html")
	runOperator(t, "", 0, "report", "--since", "1h", "--html", page)
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "<svg") {
		t.Errorf("the page: %v", err)
	}
	out, _ = runOperator(t, "", 0, "retry", states[job.Failed], "--yes", "-o", "json")
	again := &story{t: t, jobID: lines[view](t, out)[0].RetryID}
	again.ends(events.TypeFailed)
}

// A submit whose answer and callback are lost: only a person can decide.
func TestOperatorResolves(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A message in a bottle [fault: lost-answer] [fault: callback-lost]", nil)
	s.becomes(job.Unconfirmed)
	runOperator(t, "", 1, "recheck", s.jobID)
	runOperator(t, "", 1, "cancel", s.jobID)
	runOperator(t, "", 1, "resolve", s.jobID, "--accepted", "gen_of_nobody")
	runOperator(t, "", 0, "resolve", s.jobID, "--accepted", s.generation().ID)
	s.hears(events.TypeAccepted)
	s.poked("recheck")
	s.ends(events.TypeCompleted)
	s.answersAre(0)
}

// A submit that the vendor never had: the job's message is long gone, and comes
// again when a person says so.
func TestOperatorAllowsANewSubmit(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A second attempt [fault: 500 times=1]", nil)
	s.becomes(job.Unconfirmed)
	runOperator(t, "", 0, "resolve", s.jobID, "--not-accepted", "--yes")
	s.endsByReconcile(events.TypeCompleted)
	s.answersAre(500, 202)
}

// poked runs a command on the job until it is settled, as an impatient operator does.
func (s *story) poked(command string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for !s.record().State.Settled() {
		runOperator(s.t, "", 0, command, s.jobID)
		if ctx.Err() != nil {
			s.t.Fatalf("%s is still %s", s.jobID, s.record().State)
		}
	}
}

// becomes waits until the table has the job in this state.
func (s *story) becomes(want job.State) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if j, err := table(s.t).Get(ctx, job.Key(s.jobID)); err == nil && j.State == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("%s never was %s", s.jobID, want)
		}
	}
}

// A callback that goes astray, and is given to its job by hand.
func TestOperatorReplaysFromQuarantine(t *testing.T) {
	t.Parallel()
	s := enqueue(t, "A carrier pigeon [fault: callback-misdirected to=nobody] [fault: get-status is=running]", nil)
	s.hears(events.TypeAccepted)
	s.attempts(1)
	id := s.generation().ID
	out, _ := runOperator(t, "", 0, "quarantine", "list", "-o", "json")
	held := ""
	for _, v := range lines[struct {
		ID   string `json:"id"`
		Body string `json:"body"`
	}](t, out) {
		if strings.Contains(v.Body, id) {
			held = v.ID
		}
	}
	if held == "" {
		t.Fatalf("the callback of %s is not in %s", id, out)
	}
	runOperator(t, "", 0, "quarantine", "show", held)
	runOperator(t, "", 0, "quarantine", "replay", held, "--to", s.jobID)
	s.ends(events.TypeCompleted)
	runOperator(t, "", 3, "quarantine", "show", held)
}

// A message without job_id keeps its first id, and so its one payment, on its
// way out of the dead-letter queue.
func TestOperatorRedrives(t *testing.T) {
	t.Parallel()
	out, _ := runOperator(t, "", 0, "dlq", "list", "-o", "json")
	dead := ""
	for _, q := range lines[struct {
		Queue string `json:"queue"`
		URL   string `json:"url"`
	}](t, out) {
		if q.Queue == "jobs" {
			dead = q.URL
		}
	}
	prompt := "Back from the dead " + rand.Text()
	sent, err := bundle.queue.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &dead, MessageBody: aws.String(`{"prompt":"` + prompt + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, jobID: aws.ToString(sent.MessageId), prompt: prompt}
	out, _ = runOperator(t, "", 0, "dlq", "list", "jobs", "-o", "json")
	if !strings.Contains(out, s.jobID) {
		t.Errorf("%s is not listed: %s", s.jobID, out)
	}
	runOperator(t, "", 0, "dlq", "redrive", "jobs", "--yes")
	s.ends(events.TypeCompleted)
	s.answersAre(202)
}

// Events reach a local server through a queue that is gone afterwards.
func TestOperatorListens(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- string(body)
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	id := "e2e-" + rand.Text()
	cmd := operator(ctx, t, "listen", "--forward", server.URL, "--type", "failed", "--job", id)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("listening"))
	if _, err := io.ReadFull(stderr, line); err != nil || string(line) != "listening" {
		t.Fatalf("%q: %v", line, err)
	}
	runOperator(t, "", 0, "emit", "failed", "--job-id", id)
	select {
	case body := <-heard:
		var e local.Event
		if err := json.Unmarshal([]byte(body), &e); err != nil || !e.Detail.Metadata.Sample || e.JobID() != id {
			t.Errorf("heard %s: %v", body, err)
		}
	case <-ctx.Done():
		t.Fatal("the sample was not heard")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after ctrl-C: %v", err)
	}
	queues, err := bundle.queue.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: aws.String("Clipqueue-main-listen-once-")})
	if err != nil || len(queues.QueueUrls) > 0 {
		t.Errorf("left behind: %v, %v", queues.QueueUrls, err)
	}
}
