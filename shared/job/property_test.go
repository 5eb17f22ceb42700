package job_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

// model goes through a random life and remembers of it what the job itself might forget.
type model struct {
	rules job.Rules
	now   time.Time
	j     job.Job

	// mayPost is how many POSTs are allowed: one, and one for each that provably was none.
	mayPost int
	posts   int
	// emitted are the events that the job has owed so far, by id.
	emitted map[string]events.DetailType
	// verdicts counts the vendor's verdicts that moved the job.
	verdicts int
}

// TestLife plays random facts, some of them nonsense, in random order, and
// checks the promises after each.
func TestLife(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := job.DefaultRules()
		rules.Archive = rapid.Bool().Draw(t, "archive")
		m := &model{rules: rules, now: jobtest.Epoch(), mayPost: 1, emitted: map[string]events.DetailType{}}
		m.j = rules.New(jobtest.Origin("job-1"))
		m.apply(t, claimAt(m.now))
		t.Repeat(map[string]func(*rapid.T){
			"fact": func(t *rapid.T) { m.apply(t, jobtest.Draw(t, m.j, m.now)) },
			"time": func(t *rapid.T) {
				steps := []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour, 8 * 24 * time.Hour}
				m.now = m.now.Add(rapid.SampledFrom(steps).Draw(t, "passes"))
			},
			"look":    func(t *rapid.T) { m.look(t) },
			"publish": func(*rapid.T) { m.j = rules.Published(m.j, m.now) },
			"":        m.check,
		})
		m.end(t)
	})
}

func (m *model) apply(t *rapid.T, f job.Fact) {
	// Room to grow is what makes two jobs share a slice's end.
	m.j.History, m.j.Owed = slices.Grow(m.j.History, 4), slices.Grow(m.j.Owed, 4)
	before, text := m.j, snapshot(m.j)
	after, err := m.rules.Apply(before, f)
	if snapshot(before) != text {
		t.Fatalf("%T changed the job that came in:\n%s\n%s", f, text, snapshot(before))
	}
	if err != nil {
		if !cmp.Equal(after, before) {
			t.Fatalf("%T does not move the job (%v) and changes it", f, err)
		}
		return
	}
	m.compareSibling(t, before, after, f)
	m.count(t, before, after, f)
	m.j = after
}

// compareSibling applies something else to the same job: what came of the
// first fact must not be changed by it, as it would be if both grew one slice.
func (m *model) compareSibling(t *rapid.T, before, after job.Job, f job.Fact) {
	text := snapshot(after)
	if _, err := m.rules.Apply(before, jobtest.Draw(t, before, m.now)); err == nil && snapshot(after) != text {
		t.Fatalf("another fact changed what came of %T", f)
	}
}

// count checks one move against the promises.
func (m *model) count(t *rapid.T, before, after job.Job, f job.Fact) {
	switch f.(type) {
	case job.Claim:
		if m.posts++; m.posts > m.mayPost {
			t.Fatalf("POST %d where %d were allowed", m.posts, m.mayPost)
		}
	case job.PutBack, job.Release:
		m.mayPost = m.posts + 1
	case job.Verdict:
		if m.verdicts++; m.verdicts > 1 {
			t.Fatal("a second verdict of the vendor moved the job")
		}
	case job.Republish:
		if after.Version != before.Version {
			t.Fatal("a repeat made a new version")
		}
		return
	}
	switch before.State {
	case job.Completed, job.Failed, job.Rejected:
		if after.State != before.State {
			t.Fatalf("%T moved a job from %s, which is final, to %s", f, before.State, after.State)
		}
	case job.Queued, job.Submitting, job.Unconfirmed, job.Processing, job.Expired:
	}
	if after.Version != before.Version+1 || after.History[len(after.History)-1].Version != after.Version {
		t.Fatalf("%T led from version %d to %d", f, before.Version, after.Version)
	}
	m.countOwed(t, before, after, f)
}

// countOwed checks that a verdict owes its one event, and that no id comes twice.
func (m *model) countOwed(t *rapid.T, before, after job.Job, f job.Fact) {
	owed := after.Owed[len(before.Owed):]
	if len(owed) > 1 {
		t.Fatalf("%T owes %d events", f, len(owed))
	}
	if after.State.Settled() && after.State != before.State && len(owed) != 1 {
		t.Fatalf("%T settled the job as %s and owes no event", f, after.State)
	}
	for _, o := range owed {
		id := after.EventID(o.Version)
		if earlier, ok := m.emitted[id]; ok {
			t.Fatalf("%q has the id of an earlier %q: %s", o.Type, earlier, id)
		}
		m.emitted[id] = o.Type
	}
}

// look is what reconcile does when the job is due.
func (m *model) look(t *rapid.T) {
	if m.j.DueAt.IsZero() {
		return
	}
	if m.now.Before(m.j.DueAt) {
		m.now = m.j.DueAt
	}
	m.j.DueAt, _ = m.rules.NextLook(m.j, m.now)
	m.j.Looks++
	if f := m.rules.Overdue(m.j, m.now); f != nil {
		before := m.j
		if m.apply(t, f); m.j.Version == before.Version {
			t.Fatalf("%T is overdue and does not move the job", f)
		}
	}
}

// check is what holds of every job at every time.
func (m *model) check(t *rapid.T) {
	j := m.j
	_, must := m.rules.NextLook(j, m.now)
	if unfinished := !j.State.Settled() || len(j.Owed) > 0 || j.Archive.State == job.ArchivePending; unfinished && (!must || j.DueAt.IsZero()) {
		t.Fatalf("%s, owing %d events, archive %q: due at %v, must be looked at: %v", j.State, len(j.Owed), j.Archive.State, j.DueAt, must)
	}
	if hasID := j.State == job.Processing || j.State == job.Completed || j.State == job.Failed; hasID && j.GenerationID == "" {
		t.Fatalf("%s without a generation id", j.State)
	}
	if len(j.History) > 50 || j.History[0].Version != 1 {
		t.Fatalf("%d steps, the first of version %d", len(j.History), j.History[0].Version)
	}
	if last := j.History[len(j.History)-1]; j.ExpiresAt.Sub(last.At) <= job.MinRecordFor-time.Second {
		t.Fatalf("the record ends at %v, %v after its last step", j.ExpiresAt, j.ExpiresAt.Sub(last.At))
	}
	for _, at := range []time.Time{j.CreatedAt, j.ClaimedAt, j.ClaimUntil, j.RetryAt, j.AcceptedAt, j.SettledAt, j.DueAt, j.Archive.At} {
		if at != at.UTC().Truncate(time.Millisecond) {
			t.Fatalf("%v is not in whole milliseconds and UTC", at)
		}
	}
}

// end lets nothing but time pass, and the publisher work: every job gets its
// verdict, and is let go of.
func (m *model) end(t *rapid.T) {
	const most = 200 // looks: a week of them, at intervals of up to six hours, and the archive's week
	for range most {
		if m.j = m.rules.Published(m.j, m.now); m.j.State.Settled() && m.j.DueAt.IsZero() {
			return
		}
		m.look(t)
	}
	t.Fatalf("after %d looks the job is %s, archive %q, due at %v", most, m.j.State, m.j.Archive.State, m.j.DueAt)
}
