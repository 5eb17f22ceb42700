package e2e_test

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/go-json-experiment/json"
	pretty "github.com/jedib0t/go-pretty/v6/table"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/local"
)

var manyPrompts = flag.Int("prompts", 10, "how many prompts TestManyPromptsManyFaults sends: `make soak` sends 1000")

// kind is one of the vendor's faults, and how a prompt that it strikes ends.
type kind struct {
	name, fault string
	fields      message
	ends        events.DetailType
	// accepted is how often the vendor takes the prompt, and so is paid.
	accepted int
}

// kindsOfFault are ten: each strikes a tenth of the prompts. Those that only
// time ends come first.
func kindsOfFault() []kind {
	return []kind{
		{"every callback lost", "callback-lost", nil, events.TypeCompleted, 1},
		{"500, nothing accepted", "500", nil, events.TypeExpired, 0},
		{"the generation fails", "fail", nil, events.TypeFailed, 1},
		{"429 once", "429 retry-after=1 times=1", nil, events.TypeCompleted, 1},
		{"503 with Retry-After once", "503 retry-after=1 times=1", nil, events.TypeCompleted, 1},
		{"accepted, answer lost", "lost-answer", nil, events.TypeCompleted, 1},
		{"callback three times", "callback-double n=3", nil, events.TypeCompleted, 1},
		{"two forged callbacks first", "callback-forged n=2", nil, events.TypeCompleted, 1},
		{"a contradiction follows", "callback-contradict", nil, events.TypeCompleted, 1},
		{"polls answered 500 twice", "get-500 times=2", message{"delivery": "poll"}, events.TypeCompleted, 1},
	}
}

// many is a crowd of prompts, by job_id.
type many struct {
	kinds []kind
	of    map[string]int // which kind a job is of
	began time.Time
	took  []time.Duration // of each kind, until its last verdict
}

// Each of the vendor's faults at once, over many prompts: every prompt gets one
// verdict, none is paid for twice, and no message is given up. Not parallel: it
// keeps the whole bundle busy.
func TestManyPromptsManyFaults(t *testing.T) {
	t.Cleanup(func() { restart(t, "Submit") }) // with breakers that are shut
	given := deadLetters(t)
	m := sendMany(t, *manyPrompts)
	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(*manyPrompts)*2*time.Second)
	defer cancel()
	t.Cleanup(func() { t.Log("\n" + m.table()) })
	m.await(ctx, t)
	m.judge(t)
	for name, count := range deadLetters(t) {
		if count > given[name] {
			t.Errorf("%d messages were given up to %s", count-given[name], name)
		}
	}
}

// sendMany puts the prompts on the queue, the kinds mixed.
func sendMany(t *testing.T, n int) *many {
	t.Helper()
	m := &many{kinds: kindsOfFault(), of: map[string]int{}, began: time.Now()}
	m.took = make([]time.Duration, len(m.kinds))
	run := rand.Text()[:8]
	var entries []types.SendMessageBatchRequestEntry
	for i := range n {
		k := i % len(m.kinds)
		id := fmt.Sprintf("many-%s-%d", run, i)
		m.of[id] = k
		fields := message{"job_id": id, "prompt": fmt.Sprintf("%s [fault: %s]", id, m.kinds[k].fault)}
		maps.Copy(fields, m.kinds[k].fields)
		body, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(body))})
	}
	for batch := range slices.Chunk(entries, 10) {
		out, err := bundle.queue.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{
			QueueUrl: aws.String(bundle.Outputs.JobQueueURL), Entries: batch,
		})
		if err != nil || len(out.Failed) > 0 {
			t.Fatalf("send: %v, %v", err, out)
		}
	}
	return m
}

// await lets reconcile look, oftener than every minute, until every job has a verdict.
func (m *many) await(ctx context.Context, t *testing.T) {
	t.Helper()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		heard, changed, _ := bundle.journal.all()
		settled := m.verdicts(heard)
		for id := range settled {
			m.took[m.of[id]] = max(m.took[m.of[id]], settled[id].at.Sub(m.began))
		}
		if len(settled) == len(m.of) {
			return
		}
		select {
		case <-changed:
		case <-tick.C:
			reconcile(t) //nolint:contextcheck // it may take as long as the test
		case <-ctx.Done():
			t.Fatalf("%d of %d prompts have a verdict after %v", len(settled), len(m.of), time.Since(m.began))
		}
	}
}

// standing is what was heard of how a job ended.
type standing struct {
	ids   map[string]events.DetailType // the verdicts by event_id
	heard int
	at    time.Time
}

// verdicts are those of the crowd's jobs.
func (m *many) verdicts(heard []local.Event) map[string]standing {
	out := map[string]standing{}
	for _, e := range heard {
		if _, ours := m.of[e.JobID()]; !ours || !isVerdict(e) {
			continue
		}
		s, ok := out[e.JobID()]
		if !ok {
			s = standing{ids: map[string]events.DetailType{}, at: e.Detail.Metadata.OccurredAt}
		}
		s.ids[e.Detail.Metadata.EventID] = e.DetailType
		s.heard++
		out[e.JobID()] = s
	}
	return out
}

// accepted counts the vendor's acceptances, and so payments, by job.
func (m *many) accepted() (accepted, posts map[string]int) {
	accepted, posts = map[string]int{}, map[string]int{}
	for _, r := range bundle.Vendor.Ledger().Requests {
		id, _, _ := strings.Cut(r.Prompt, " ")
		if _, ours := m.of[id]; !ours || r.Kind != "submit" {
			continue
		}
		posts[id]++
		if r.Accepted {
			accepted[id]++
		}
	}
	return accepted, posts
}

func (m *many) judge(t *testing.T) {
	t.Helper()
	heard, _, _ := bundle.journal.all()
	settled := m.verdicts(heard)
	accepted, _ := m.accepted()
	for id, k := range m.of {
		want := m.kinds[k]
		if kinds := slices.Collect(maps.Values(settled[id].ids)); len(kinds) != 1 || kinds[0] != want.ends {
			t.Errorf("%s, %s: the verdicts %v, want one %q", id, want.name, kinds, want.ends)
		}
		if accepted[id] != want.accepted {
			t.Errorf("%s, %s: paid for %d times, want %d", id, want.name, accepted[id], want.accepted)
		}
	}
}

// table counts, kind by kind, what became of the prompts.
func (m *many) table() string {
	heard, _, _ := bundle.journal.all()
	settled := m.verdicts(heard)
	accepted, posts := m.accepted()
	t := pretty.NewWriter()
	t.SetStyle(pretty.StyleLight)
	t.AppendHeader(pretty.Row{"fault", "prompts", "POSTs", "accepted", "completed", "failed", "expired", "events repeated", "last after"})
	for k, what := range m.kinds {
		var jobs, sent, paid, repeated int
		ends := map[events.DetailType]int{}
		for id, of := range m.of {
			if of != k {
				continue
			}
			jobs, sent, paid = jobs+1, sent+posts[id], paid+accepted[id]
			repeated += settled[id].heard - len(settled[id].ids)
			for _, kind := range settled[id].ids {
				ends[kind]++
			}
		}
		t.AppendRow(pretty.Row{
			what.name, jobs, sent, paid, ends[events.TypeCompleted], ends[events.TypeFailed], ends[events.TypeExpired],
			repeated, m.took[k].Round(100 * time.Millisecond),
		})
	}
	return t.Render()
}

// deadLetters counts the messages in each queue of what was given up.
func deadLetters(t *testing.T) map[string]int {
	t.Helper()
	list, err := bundle.queue.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, url := range list.QueueUrls {
		name := url[strings.LastIndexByte(url, '/')+1:]
		if !strings.Contains(name, "DeadLetters") && !strings.Contains(name, "Failures") && !strings.Contains(name, "Poison") {
			continue
		}
		got, err := bundle.queue.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(url), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages},
		})
		if err != nil {
			t.Fatal(err)
		}
		if counts[name], err = strconv.Atoi(got.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)]); err != nil {
			t.Fatal(err)
		}
	}
	if len(counts) == 0 {
		t.Fatalf("no dead-letter queue among %v", list.QueueUrls)
	}
	return counts
}

// all is everything that was heard so far, and a channel that is closed at the next arrival.
func (j *journal) all() ([]local.Event, <-chan struct{}, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clip(j.events), j.changed, j.err
}
