package functions_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/archive"
	"github.com/clipqueue/clipqueue/functions/poll"
	"github.com/clipqueue/clipqueue/functions/publish"
	"github.com/clipqueue/clipqueue/functions/reconcile"
	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/functions/webhook"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/prices"
	"github.com/clipqueue/clipqueue/shared/store"
)

var updateCost = flag.Bool("update-cost", false, "write the table of costs into the README")

const (
	readme     = "../README.md"
	costPrompt = `{"prompt":"A lighthouse in a storm, seen from a small boat, waves breaking over the bow","model":"kling-v3",` +
		`"duration":5,"job_id":"order-20261124-000417","delivery":"%s","metadata":{"order":"20261124-000417","customer":"c-8812"}}`
	// takes is how long the vendor is assumed to work on a video.
	takes = time.Minute
)

// lasts is how long one call of each function is assumed to last: nothing here
// measures Lambda. Submit, poll and reconcile wait for the vendor's answer,
// archive for the video.
var lasts = map[string]time.Duration{
	"submit": time.Second, "webhook": 20 * time.Millisecond, "poll": 300 * time.Millisecond,
	"publish": 30 * time.Millisecond, "reconcile": 500 * time.Millisecond, "archive": 3 * time.Second,
}

// call charges for one call of a function, with the memory that is its setting's default.
func (b *billed) call(function string) {
	b.charge("Lambda request", 1)
	b.charge("Lambda GB-second", setting(b.t, function+"Memory", strconv.Atoi)/1024*lasts[function].Seconds())
}

// setting is a default in the README's table, which a test of the stack holds to the code.
func setting[T int | time.Duration](t *testing.T, name string, parse func(string) (T, error)) float64 {
	t.Helper()
	found := regexp.MustCompile("(?m)^\\| `" + name + "` \\| `([^`]+)`").FindStringSubmatch(read(t, readme))
	if found == nil {
		t.Fatalf("the README has no setting %s", name)
	}
	value, err := parse(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return float64(value)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// submit is a prompt on the queue, submitted; its "accepted" event is published.
func (b *billed) submit(delivery events.Delivery) {
	b.t.Helper()
	b.warm()
	h := must(submit.New(
		submit.Settings{Rules: b.rules, Delivery: delivery, WebhookURL: webhookURL, Timeout: 30 * time.Second},
		submit.Deps{
			Jobs: billedTable{b}, Vendor: b.account(), Queue: billedQueue{b}, Loops: billedLoops{b}, Log: b.log(), Now: b.clock,
			NewID: func() string { return "7d0c5e1b9f2a4c6d8e0f1a2b3c" }, Random: func() float64 { return 0 },
		},
	))
	b.charge("SQS request", 1) // the producer's
	b.call("submit")
	answer, err := h.Handle(b.t.Context(), b.batch("message-1", fmt.Sprintf(costPrompt, delivery)))
	if err != nil || len(answer.BatchItemFailures) > 0 {
		b.t.Fatalf("submit says %v, %v", answer, err)
	}
	b.publish()
}

// publish publishes each record on the stream in a call of its own.
func (b *billed) publish() {
	b.t.Helper()
	h := must(publish.New(publish.Deps{
		Rules: b.rules, Jobs: billedTable{b}, Bus: billedBus{b}, Poison: billedQueue{b}, Log: b.log(), Now: b.clock,
	}))
	for len(b.stream) > 0 {
		record := streamed{sequence: "1", image: must(store.EncodeImage(b.stream[0]))}
		b.stream = b.stream[1:]
		b.call("publish")
		answer, err := h.Handle(b.t.Context(), publishBatch([]streamed{record}))
		if err != nil || len(answer.BatchItemFailures) > 0 {
			b.t.Fatalf("publish says %v, %v", answer, err)
		}
	}
}

// callback is the vendor's, when it has finished.
func (b *billed) callback() {
	b.t.Helper()
	h := must(webhook.New(webhook.Deps{Jobs: billedTable{b}, Keys: b.keys, Log: b.log(), Now: b.clock}))
	b.now = b.now.Add(takes)
	b.status = "completed"
	j := b.job()
	body := b.generation()
	mac := hmac.New(sha256.New, []byte(firstKey))
	mac.Write(body)
	b.charge("HTTP API request", 1)
	b.call("webhook")
	before := maps.Clone(b.counts)
	answer, err := h.Handle(b.t.Context(), lambda.APIGatewayV2HTTPRequest{
		RawPath: "/webhooks/creativeai/" + j.ID + "/" + j.Token, Body: string(body),
		Headers: map[string]string{"x-creativeai-signature": "sha256=" + hex.EncodeToString(mac.Sum(nil))},
	})
	if err != nil || answer.StatusCode != http.StatusOK {
		b.t.Fatalf("webhook says %v, %v", answer, err)
	}
	b.callsSince(before, "a callback", map[string]float64{"DynamoDB write": 1})
	b.publish()
}

// loop is the workflow, until it ends.
func (b *billed) loop() {
	b.t.Helper()
	duration := func(name string) time.Duration { return time.Duration(setting(b.t, name, time.ParseDuration)) }
	h := must(poll.New(poll.Settings{
		Rules: b.rules, Every: duration("pollEvery"), SlowAfter: duration("pollSlowAfter"), SlowEvery: duration("pollSlowEvery"),
		HandOverAfter: duration("pollHandOverAfter"),
	}, poll.Deps{Jobs: billedTable{b}, Vendor: b.account(), Log: b.log(), Now: b.clock}))
	in := b.loops[0]
	for wait := duration("pollFirstWait"); ; {
		b.now = b.now.Add(wait)
		if b.now.Sub(in.StartedAt) >= takes {
			b.status = "completed"
		}
		b.call("poll")
		before := maps.Clone(b.counts)
		answer, err := h.Handle(b.t.Context(), in)
		b.now = b.now.Add(lasts["poll"])
		if err != nil {
			b.t.Fatal(err)
		}
		if answer.Done {
			break
		}
		b.callsSince(before, "a pending poll", map[string]float64{"DynamoDB read": 1})
		wait = time.Duration(answer.WaitSeconds) * time.Second
	}
	// Express charges for chunks of 64 MB; a loop holds less.
	b.charge("Step Functions GB-second", b.now.Sub(in.StartedAt).Seconds()*64/1024)
	b.publish()
}

// reconcile is a run that finds a lost callback's job, and nothing else.
func (b *billed) reconcile() {
	b.t.Helper()
	b.now, b.status = b.job().DueAt, "completed"
	b.warm()
	h := must(reconcile.New(reconcile.Deps{
		Rules: b.rules, Jobs: billedTable{b}, Vendor: b.account(), Queue: billedQueue{b}, Log: b.log(), Now: b.clock,
	}))
	b.call("reconcile")
	if err := h.Handle(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.publish()
}

func (b *billed) archive() {
	b.t.Helper()
	h := must(archive.New(archive.Settings{Rules: b.rules, Timeout: time.Minute}, archive.Deps{
		Jobs: billedTable{b}, Videos: billedDownload{}, Bucket: b.bucket, Queue: billedQueue{b}, Log: b.log(), Now: b.clock,
		Random: func() float64 { return 0 },
	}))
	b.call("archive")
	answer, err := h.Handle(b.t.Context(), b.batch("video-1", b.videos[0]))
	if err != nil || len(answer.BatchItemFailures) > 0 {
		b.t.Fatalf("archive says %v, %v", answer, err)
	}
	b.publish()
}

func (b *billed) job() job.Job {
	for _, j := range b.table.Jobs() {
		return j
	}
	b.t.Fatal("there is no job")
	return job.Job{}
}

// callsSince checks which calls a function made, whatever their units.
func (b *billed) callsSince(before map[string]float64, what string, want map[string]float64) {
	b.t.Helper()
	got := map[string]float64{}
	for name, n := range b.counts {
		if n != before[name] && !strings.HasSuffix(name, " unit") {
			got[name] = n - before[name]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("the calls of %s (-want +got):\n%s", what, diff)
	}
}

// costPath is one way from prompt to last event.
type costPath struct {
	name     string
	archived bool
	drive    func(*billed)
	want     map[string]float64
}

func costPaths() []costPath {
	called := func(b *billed) { b.submit(events.DeliveryWebhook); b.callback() }
	polled := func(b *billed) { b.submit(events.DeliveryPoll); b.loop() }
	return []costPath{
		{"webhook", false, called, map[string]float64{
			"DynamoDB write": 5, "Lambda request": 4, "SQS request": 3, "EventBridge event": 2, "HTTP API request": 1,
		}},
		{"webhook, archived", true, func(b *billed) { called(b); b.archive() }, map[string]float64{
			"DynamoDB write": 7, "DynamoDB read": 1, "Lambda request": 6, "SQS request": 6, "EventBridge event": 3, "HTTP API request": 1, "S3 PUT": 6,
		}},
		{"poll", false, polled, map[string]float64{
			"DynamoDB write": 5, "DynamoDB read": 7, "Lambda request": 10, "SQS request": 3, "EventBridge event": 2, "Step Functions request": 1,
		}},
		{"poll, archived", true, func(b *billed) { polled(b); b.archive() }, map[string]float64{
			"DynamoDB write": 7, "DynamoDB read": 8, "Lambda request": 12, "SQS request": 6, "EventBridge event": 3, "Step Functions request": 1, "S3 PUT": 6,
		}},
		{"webhook, callback lost: reconcile", false, func(b *billed) { b.submit(events.DeliveryWebhook); b.reconcile() }, map[string]float64{
			"DynamoDB write": 6, "DynamoDB read": 1, "DynamoDB query": 8, "Lambda request": 4, "SQS request": 3, "EventBridge event": 2,
		}},
	}
}

// TestCost counts what one job makes AWS do on each path, prices it, and holds
// the README's table to that.
func TestCost(t *testing.T) { //nolint:paralleltest // it may write the README
	services := []string{"Lambda", "DynamoDB", "SQS", "EventBridge", "HTTP API", "Step Functions", "S3"}
	list := prices.Current()
	table := "| path | " + strings.Join(services, " | ") + " | **USD per million** | calls for one job |\n|---|" +
		strings.Repeat("--:|", len(services)+1) + "---|\n"
	for _, p := range costPaths() {
		b := newBilled(t, p.archived)
		p.drive(b)
		calls := maps.Clone(b.counts)
		maps.DeleteFunc(calls, func(name string, _ float64) bool {
			return strings.HasSuffix(name, " unit") || strings.HasSuffix(name, "GB-second")
		})
		if diff := cmp.Diff(p.want, calls); diff != "" {
			t.Errorf("the calls of %s (-want +got):\n%s", p.name, diff)
		}
		table += row(p.name, services, list, b.counts)
	}
	if *updateCost {
		writeCost(t, table)
	}
	if _, section, _ := strings.Cut(read(t, readme), "<!-- cost -->\n"); !strings.HasPrefix(section, table+"<!-- /cost -->") {
		t.Errorf("the README's table of costs is not what is counted: run go test ./functions -run TestCost -update-cost. Want:\n%s", table)
	}
}

func row(path string, services []string, list *prices.List, counts map[string]float64) string {
	const jobs = 1e6
	usd := map[string]float64{}
	sum := 0.0
	for name, n := range counts {
		for _, service := range services {
			// Of calls to DynamoDB the units are charged for, not the calls.
			free := service == "DynamoDB" && !strings.HasSuffix(name, " unit")
			if strings.HasPrefix(name, service+" ") && !free {
				usd[service] += n * list.Each(name) * jobs
				sum += n * list.Each(name) * jobs
			}
		}
	}
	var cells, calls []string
	for _, service := range services {
		cells = append(cells, fmt.Sprintf("%.2f", usd[service]))
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if !strings.HasSuffix(name, "GB-second") {
			calls = append(calls, fmt.Sprintf("%g × %s", counts[name], name))
		}
	}
	return fmt.Sprintf("| %s | %s | **%.2f** | %s |\n", path, strings.Join(cells, " | "), sum, strings.Join(calls, ", "))
}

func writeCost(t *testing.T, table string) {
	t.Helper()
	text := read(t, readme)
	before, rest, found := strings.Cut(text, "<!-- cost -->\n")
	_, after, closed := strings.Cut(rest, "<!-- /cost -->")
	if !found || !closed {
		t.Fatal("the README has no place for the table of costs")
	}
	if err := os.WriteFile(readme, []byte(before+"<!-- cost -->\n"+table+"<!-- /cost -->"+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
