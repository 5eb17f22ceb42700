package story_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// printed is a story as it is compared.
func printed(name string, s story.Story) string {
	var text strings.Builder
	fmt.Fprintf(&text, "== %s\n%s\nmoney: %s\nvideo: %s\n", name, s.Headline, s.Money, s.Video)
	for _, k := range s.Known {
		fmt.Fprintf(&text, "known: %s\n", k)
	}
	for _, u := range s.Unknown {
		fmt.Fprintf(&text, "unknown: %s\n", u)
	}
	for _, n := range s.Next {
		fmt.Fprintf(&text, "next: %s | %s\n", n.Say, n.Command)
	}
	return text.String()
}

// TestEveryStage holds the story of a job at every stage of its life against
// what a person approved: read the diff before you rewrite it.
func TestEveryStage(t *testing.T) {
	t.Parallel()
	rules, golden := job.DefaultRules(), filepath.Join("testdata", "stages.txt")
	now := jobtest.Epoch().Add(2 * time.Minute)
	var got strings.Builder
	for _, stage := range jobtest.Stages(t, rules, "order-7") {
		s := story.Tell(stage.Job, rules, now)
		if s.Headline == "" || s.Money == "" {
			t.Errorf("%s: headline %q, money %q", stage.Name, s.Headline, s.Money)
		}
		if len(s.Steps) != len(stage.Job.History) {
			t.Errorf("%s: %d steps of %d", stage.Name, len(s.Steps), len(stage.Job.History))
		}
		got.WriteString(printed(stage.Name, s))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMayBeCharged(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	for stage, want := range map[string]bool{
		"new": false, "queued": false, "submitting": true, "unconfirmed": true, "processing": true, "completed": true, "failed": true,
		"rejected": false, "expired, never accepted": false, "expired, unconfirmed": true, "expired, with an id": true,
	} {
		if got := story.MayBeCharged(jobtest.At(t, rules, "a", stage)); got != want {
			t.Errorf("%s: %v, want %v", stage, got, want)
		}
	}
}

func TestRetryID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	for _, tc := range []struct {
		id   string
		n    int
		want string
	}{
		{"order-7", 2, "order-7-r2"},
		{"order-7-r2", 3, "order-7-r3"},
		{"-r2", 2, "-r2-r2"},
		{"a-r1", 2, "a-r1-r2"},
		{"a-r02", 2, "a-r02-r2"},
		{long, 2, strings.Repeat("x", 52) + "-" + hashOf(t, long) + "-r2"},
	} {
		got := story.RetryID(tc.id, tc.n)
		if got != tc.want || len(got) > 64 {
			t.Errorf("retry %d of %s: %s, want %s", tc.n, tc.id, got, tc.want)
		}
		if _, n, ok := story.RetryOf(got); !ok || n != tc.n {
			t.Errorf("%s is read back as %d, %v", got, n, ok)
		}
	}
	if story.RetryID(long, 2) == story.RetryID(long[:63]+"y", 2) {
		t.Error("two long ids have one retry")
	}
}

// hashOf is the mark in the middle of a cut id.
func hashOf(t *testing.T, id string) string {
	t.Helper()
	parts := strings.Split(story.RetryID(id, 2), "-")
	return parts[len(parts)-2]
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0ms", 20 * time.Millisecond: "20ms", 1550 * time.Millisecond: "1.5s", 59990 * time.Millisecond: "59.9s",
		time.Minute: "1m", 200 * time.Second: "3m 20s", 25*time.Hour + 30*time.Minute: "1d 1h", 24 * time.Hour: "1d", -time.Minute: "-1m",
	} {
		if got := story.Span(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

// The callback settles a job whose submit answer was lost: nobody knows when the
// vendor accepted it.
func TestSettledWithoutAnAcceptance(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	j, err := rules.Apply(jobtest.At(t, rules, "order-7", "unconfirmed"), jobtest.Callback(job.Completed))
	if err != nil {
		t.Fatal(err)
	}
	s := story.Tell(j, rules, jobtest.Epoch().Add(time.Hour))
	if want := "the vendor's id of the work is generation-1, which its callback brought"; !slices.Contains(s.Known, want) {
		t.Errorf("what is known lacks %q: %q", want, s.Known)
	}
	if text := printed("", s); strings.Contains(text, "0001") {
		t.Errorf("a time that is not known is told:\n%s", text)
	}
}

func TestSpanOfTheLongestTimes(t *testing.T) {
	t.Parallel()
	now := jobtest.Epoch()
	if got := story.Distance(time.Time{}, now); !strings.HasSuffix(got, "h ago") {
		t.Errorf("the year 1 is %q", got)
	}
	if got := story.Span(math.MinInt64); got != "-"+story.Span(math.MaxInt64) {
		t.Errorf("the longest time is %q", got)
	}
}

// A submit's answer was lost, an operator allowed another, and the job went on:
// that nothing was paid is then no more than the operator's word.
func TestAfterAnOperatorsWord(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	const word = "Nothing, if the submit whose answer was lost was not accepted."
	at := jobtest.Epoch().Add(30 * time.Minute)
	release := job.Release{At: at, By: "jo"}
	claim := job.Claim{At: at.Add(time.Minute), ID: "claim-3", PayloadHash: jobtest.PayloadHash}
	putBack := job.PutBack{At: claim.At, Attempt: 3, RetryAt: claim.At.Add(time.Hour), Message: "429"}
	for _, tc := range []struct {
		name, stage string
		facts       []job.Fact
		headline    string
		charged     bool
	}{
		{"queued", "unconfirmed", []job.Fact{release}, "It waits on the queue", true},
		{"refused for a moment", "unconfirmed", []job.Fact{release, claim, putBack}, "It waits on the queue", true},
		{"cancelled", "unconfirmed", []job.Fact{release, job.Cancel{At: at, By: "jo"}}, "It was cancelled by jo", true},
		{"refused", "unconfirmed", []job.Fact{release, claim, job.Refuse{At: at, Attempt: 3, Message: "400"}}, "It was refused: 400.", true},
		{
			"never accepted", "expired, unconfirmed",
			[]job.Fact{job.Release{At: at.Add(time.Hour), By: "jo"}, job.Deadline{At: at.AddDate(0, 0, 8)}},
			"It ended without a verdict: the vendor did not accept the prompt by the deadline.", true,
		},
		{"no answer was ever lost", "expired, never accepted", []job.Fact{job.Release{At: at.AddDate(0, 0, 8), By: "jo"}}, "It waits on the queue", false},
		{"refused late, by the vendor itself", "unconfirmed", []job.Fact{job.PutBack{At: at, Attempt: 2, RetryAt: at, Message: "429"}}, "It waits on the queue", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			j := jobtest.At(t, rules, "order-7", tc.stage)
			for _, f := range tc.facts {
				var err error
				if j, err = rules.Apply(j, f); err != nil {
					t.Fatalf("%T: %v", f, err)
				}
			}
			s := story.Tell(j, rules, at)
			if !strings.HasPrefix(s.Headline, tc.headline) || (s.Money == word) != tc.charged || story.MayBeCharged(j) != tc.charged {
				t.Errorf("%q, money %q, may be charged %v", s.Headline, s.Money, story.MayBeCharged(j))
			}
		})
	}
}

// The price of a job that was submitted twice is not all that may be charged.
func TestMoneyAfterAnOperatorsWord(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	at := jobtest.Epoch().Add(30 * time.Minute)
	release, charge := job.Release{At: at, By: "jo"}, job.Charge{Credits: new(int64(50))}
	claim := job.Claim{At: at, ID: "claim-3", PayloadHash: jobtest.PayloadHash}
	accept := job.Accept{At: at, Attempt: 3, GenerationID: jobtest.GenerationID, Charge: charge}
	verdict := job.Verdict{At: at, Token: jobtest.Token, GenerationID: jobtest.GenerationID, State: job.Completed, Result: job.Result{Charge: charge}}
	failure := verdict
	failure.State = job.Failed
	const word = " The answer to an earlier submit was lost, and that it was not accepted is an operator's word: if the vendor had it after all, it is charged too."
	for name, tc := range map[string]struct {
		facts []job.Fact
		want  string
	}{
		"accepted":  {[]job.Fact{release, claim, accept}, "50 credits for the last submit, as the vendor says at its acceptance." + word},
		"completed": {[]job.Fact{release, claim, accept, verdict}, "50 credits for the last submit, as the vendor says." + word},
		"failed":    {[]job.Fact{release, claim, accept, failure}, "The vendor named 50 credits, though it failed. Whether they are refunded cannot be seen from here: ask the vendor." + word},
		"expired":   {[]job.Fact{release, claim, accept, job.Deadline{At: at.AddDate(1, 0, 0)}}, "50 credits for the last submit, as the vendor says at its acceptance; it may have been charged." + word},
		"a callback first": {[]job.Fact{release, verdict}, "50 credits, as the vendor says." +
			" The answer to a submit was lost, and another was allowed: if the vendor accepted both, both are charged."},
		"never in doubt": {[]job.Fact{verdict}, "50 credits, as the vendor says."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := jobtest.At(t, rules, "order-7", "unconfirmed")
			for _, f := range tc.facts {
				var err error
				if j, err = rules.Apply(j, f); err != nil {
					t.Fatalf("%T: %v", f, err)
				}
			}
			if got := story.Tell(j, rules, at).Money; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// A record keeps its first step and its last ones: where an operator's word has
// been dropped, the worst is assumed.
func TestAnOperatorsWordThatIsForgotten(t *testing.T) {
	t.Parallel()
	j := jobtest.At(t, job.DefaultRules(), "order-7", "queued")
	if story.MayBeCharged(j) {
		t.Error("refused for a moment: it is not charged")
	}
	if j.EnqueuedAt = jobtest.Epoch().Add(time.Second); !story.MayBeCharged(j) {
		t.Error("put on the queue again, nobody knows why any more: it may be charged")
	}
}

// What a job that waits for reconcile tells of when it goes on.
func TestQueuedAnew(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	at := jobtest.Epoch().Add(time.Hour)
	for want, change := range map[string]func(*job.Job){
		"its message is put on the queue again within a minute (reconcileEvery), and is submitted then": func(*job.Job) {},
		"its message is put on the queue again 2026-01-02 04:09:05 UTC (in 5m), or up to a minute later, and is submitted then": func(j *job.Job) {
			j.DueAt = at.Add(5 * time.Minute)
		},
		"its message was put on the queue again, and is submitted in its turn": func(j *job.Job) { j.Looks, j.DueAt = 1, at.Add(time.Hour) },
	} {
		j, err := rules.Apply(jobtest.At(t, rules, "order-7", "unconfirmed"), job.Release{At: at, By: "jo"})
		if err != nil {
			t.Fatal(err)
		}
		change(&j)
		if s := story.Tell(j, rules, at); !slices.Contains(s.Known, want) {
			t.Errorf("what is known lacks %q: %q", want, s.Known)
		}
	}
}

func TestTook(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	j := jobtest.At(t, rules, "order-7", "unconfirmed")
	if got := story.Took(j); got != 0 {
		t.Errorf("without a verdict: %v", got)
	}
	settled, err := rules.Apply(j, jobtest.Callback(job.Completed))
	if got := story.Took(settled); err != nil || got != 61*time.Second {
		t.Errorf("from the queue to the verdict: %v, want 61 s (%v)", got, err)
	}
	j, err = rules.Apply(j, job.Release{At: jobtest.Epoch().Add(30 * time.Second), By: "jo"})
	if err != nil {
		t.Fatal(err)
	}
	j, err = rules.Apply(j, jobtest.Callback(job.Completed))
	if got := story.Took(j); err != nil || got != 60*time.Second {
		t.Errorf("put back by an operator meanwhile: %v, want 60 s from when it was stored (%v)", got, err)
	}
}
