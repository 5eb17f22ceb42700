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
