// Package functions_test holds the promises P1 to P4 against all functions
// together, in virtual time and under injected faults.
//
// Real are the handlers, the vendor's client, the signature, the keys' cache, the
// job's rules, and the codec of the table's rows. Doubles that work are SQS, the
// table with its conditions and stream, Step Functions, the schedule, the bus and
// Secrets Manager; the vendor is package fake. Each call between them has a fate
// chosen by the seed: it fails before or after its effect, is slow, happens twice,
// or the process dies there.
//
//	go test ./functions -run TestPromises -seeds 20000
//	go test ./functions -run TestPromises -seed 17     prints that seed's story
package functions_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clipqueue/clipqueue/events"
)

var (
	seeds   = flag.Uint64("seeds", 300, "how many seeds TestPromises tries")
	from    = flag.Uint64("from", 1, "the first of them")
	oneSeed = flag.Uint64("seed", 0, "try this seed alone, and print its story")
)

// sending is one message that a producer puts on the queue.
type sending struct {
	body []byte
	at   time.Duration
	// id is the message id that SQS gave it.
	id string
}

func (w *world) send(ctx context.Context, s *sending) {
	if !until(ctx, w.start.Add(s.at), nil) {
		return
	}
	w.trace.note("producer", "sends "+string(s.body))
	id := w.queue.send(string(s.body))
	w.mu.Lock()
	defer w.mu.Unlock()
	s.id = id
}

// directives are what a prompt may ask of the vendor.
var directives = []string{
	"", "", "", "",
	"[fault: fail]", "[fault: never]", "[fault: failover]", "[fault: takes for=50m]", "[fault: takes for=2h]", "[fault: takes for=30h]",
	"[fault: 429 retry-after=3 times=2]", "[fault: 429 retry-after=huge times=1]", "[fault: 503 retry-after=10 times=2]", "[fault: 503 until=40m]", "[fault: 500]",
	"[fault: 400]", "[fault: 401 times=2]", "[fault: 403 times=1]", "[fault: 302]", "[fault: html]",
	"[fault: lost-answer]", "[fault: cut]", "[fault: cut-body]", "[fault: slow for=40s]", "[fault: answer id=none]", "[fault: answer status=200]",
	"[fault: callback-lost]", "[fault: callback-lost times=2]", "[fault: callback-late for=2h]", "[fault: callback-early]",
	"[fault: callback-double n=3]", "[fault: callback-contradict]", "[fault: callback-forged n=2]", "[fault: callback-altered times=1]",
	"[fault: lost-answer] [fault: callback-early]", "[fault: lost-answer] [fault: callback-lost]",
	"[fault: get-404 times=3] [fault: callback-lost]", "[fault: get-500 until=3h] [fault: callback-late for=20m]", "[fault: callback-misdirected to=/webhooks/creativeai/job-1/id-wrong times=1]", "[fault: callback-misdirected to=/webhooks/creativeai/job-0/id-wrong times=2]",
	"[fault: callback-misdirected to=previous times=1]", "[fault: output url=null]", "[fault: callback-body is=junk times=1]",
}

// directive chooses what one prompt asks for.
func (w *world) directive() string {
	switch w.chaos.theme {
	case deliveredTwice:
		return "[fault: slow for=20s times=2] [fault: 429 retry-after=1 times=2]"
	case lateAnswers:
		return []string{"[fault: 429 retry-after=1 times=1]", "[fault: 400 times=1]", "[fault: 503 retry-after=1 times=2]"}[w.chaos.below("directive", 3)]
	case ordinary:
	}
	return directives[w.chaos.below("directive", uint64(len(directives)))]
}

// prompts chooses what the producers send.
func (w *world) prompts() []sending {
	c := w.chaos
	var out []sending
	for n := range 1 + c.below("jobs", 3) {
		r := events.Request{
			JobID:    fmt.Sprintf("job-%d", n),
			Prompt:   fmt.Sprintf("prompt %d %s", n, w.directive()),
			Metadata: json.RawMessage(fmt.Sprintf(`{"n": %d, "text":"<&é>"}`, n)),
		}
		if c.chance("poll", 250) {
			r.Delivery = events.DeliveryPoll
		}
		if c.chance("no id", 100) {
			r.JobID = ""
		}
		at := c.between("sent", 0, 15*time.Minute)
		out = append(out, sending{body: must(json.Marshal(r)), at: at})
		if r.JobID == "" {
			continue
		}
		if c.chance("sent again", 250) {
			out = append(out, sending{body: must(json.Marshal(r)), at: at + c.between("again", 0, 3*time.Hour)})
		}
		if c.chance("other payload", 100) {
			r.Prompt += " other"
			out = append(out, sending{body: must(json.Marshal(r)), at: at + c.between("other", 0, time.Hour)})
		}
	}
	if c.chance("invalid", 150) {
		out = append(out, sending{body: []byte(`{"prompt":"","metadata":{"n":99}}`), at: c.between("invalid", 0, time.Hour)})
	}
	return out
}

// try lives through one seed, and says which promises it broke.
func try(t *testing.T, seed uint64, tracing bool) (broken []string, story string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w := newWorld(seed, tracing)
		send := w.prompts()
		w.live(send)
		broken = w.judge(send)
		story = w.trace.String()
	})
	return broken, story
}

func TestPromises(t *testing.T) {
	if *oneSeed != 0 {
		broken, story := try(t, *oneSeed, true)
		t.Logf("the story of seed %d:\n%s", *oneSeed, story)
		for _, b := range broken {
			t.Error(b)
		}
		return
	}
	// The worlds are small and short-lived: collecting less often is a third faster.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	var next, failed atomic.Uint64
	next.Store(*from)
	began := time.Now()
	var group sync.WaitGroup
	for n := range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			t.Run(fmt.Sprintf("worker-%d", n), func(t *testing.T) {
				for failed.Load() < 3 {
					seed := next.Add(1) - 1
					if seed >= *from+*seeds {
						return
					}
					if broken, _ := try(t, seed, false); len(broken) > 0 {
						failed.Add(1)
						report(t, seed)
					}
				}
			})
		})
	}
	group.Wait()
	tried := min(next.Load()-*from, *seeds)
	t.Logf("%d seeds, %.0f a minute", tried, float64(tried)/time.Since(began).Minutes())
}

// regressions are the seeds that ever broke a promise, in the product or in the
// simulation itself. What a seed means changes when the simulation does.
var regressions = []uint64{
	15, 78, 128, 186, 240, 301, 306, 378, 440, 460, 957, 1075, 1715, 1808, 1976, 3071, 3340, 5375, 5389, 6477, 6538, 7271,
}

func TestPromisesRegressions(t *testing.T) {
	for _, seed := range regressions {
		if broken, _ := try(t, seed, false); len(broken) > 0 {
			report(t, seed)
		}
	}
}

// report lives through a failed seed once more, and tells its story.
func report(t *testing.T, seed uint64) {
	t.Helper()
	broken, story := try(t, seed, true)
	t.Errorf("seed %d broke a promise; alone: go test ./functions -run TestPromises -seed %d\n%s", seed, seed, story)
	if len(broken) == 0 {
		t.Errorf("seed %d broke it only once: the simulation is not deterministic", seed)
	}
	for _, b := range broken {
		t.Errorf("seed %d: %s", seed, b)
	}
}
