package job_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

// columns are the stages that each fact meets, by the table's short names.
func columns() []struct{ short, stage string } {
	return []struct{ short, stage string }{
		{"new", "new"},
		{"queued", "queued"},
		{"submitting", "submitting"},
		{"unconfirmed", "unconfirmed"},
		{"processing", "processing"},
		{"completed", "completed"},
		{"published", "completed, published"},
		{"archived", "completed, archived"},
		{"unarchived", "completed, archive failed"},
		{"failed", "failed"},
		{"rejected", "rejected"},
		{"cancelled", "rejected, cancelled"},
		{"exp-queued", "expired, never accepted"},
		{"exp-unconf", "expired, unconfirmed"},
		{"exp-publ", "expired, published"},
		{"exp-proc", "expired, with an id"},
		{"rejection", "rejection"},
	}
}

// outcomes is what each fact does at each stage: ">state" where the job moves,
// "+" where it owes an event again without moving, else the error.
const outcomes = `
                                | new          queued       submitting   unconfirmed  processing   completed    published    archived     unarchived   failed       rejected     cancelled    exp-queued   exp-unconf   exp-publ     exp-proc     rejection
claim                           | >submitting  >submitting  claimed      duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    other
claim with another payload      | other        other        other        other        other        other        other        other        other        other        other        other        other        other        other        other        other
claim just before the deadline  | >submitting  >submitting  claimed      duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    other
claim at the deadline           | overdue      overdue      claimed      duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    other
accept                          | stale        >processing  >processing  >processing  duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    contradicts  contradicts  >expired     >expired     >expired     duplicate    contradicts
accept with another id          | stale        >processing  >processing  >processing  contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  >expired     >expired     >expired     contradicts  contradicts
accept without an id            | foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign
accept of an older attempt      | stale        stale        stale        stale        contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  stale        stale        stale        contradicts  contradicts
accept of a newer attempt       | stale        stale        stale        stale        contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  stale        stale        stale        contradicts  contradicts
refuse                          | stale        stale        >rejected    >rejected    stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
refuse of an older attempt      | stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
refuse of a newer attempt       | stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
put back                        | stale        stale        >queued      >queued      stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
put back of an older attempt    | stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
put back of a newer attempt     | stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
lost answer                     | stale        stale        >unconfirmed duplicate    stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
lost answer of an older attempt | stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
lost answer of a newer attempt  | stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
claim alive                     | stale        stale        not-due      stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
claim ran out                   | stale        stale        >unconfirmed stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
completed                       | >completed   >completed   >completed   >completed   >completed   duplicate    duplicate    duplicate    duplicate    contradicts  contradicts  contradicts  >completed   >completed   >completed   >completed   foreign
failed                          | >failed      >failed      >failed      >failed      >failed      contradicts  contradicts  contradicts  contradicts  duplicate    contradicts  contradicts  >failed      >failed      >failed      >failed      foreign
completed, wrong token          | foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign
completed, another id           | >completed   >completed   >completed   >completed   foreign      foreign      foreign      foreign      foreign      foreign      contradicts  contradicts  >completed   >completed   >completed   foreign      foreign
completed, no id                | foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign
completed, asked for            | foreign      foreign      foreign      foreign      >completed   duplicate    duplicate    duplicate    duplicate    contradicts  foreign      foreign      foreign      foreign      foreign      >completed   foreign
completed, another id asked for | foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign
verdict that is none            | foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign
just before the deadline        | not-due      not-due      stale        not-due      not-due      stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
deadline                        | >expired     >expired     stale        >expired     >expired     stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
attach                          | stale        stale        stale        >processing  duplicate    duplicate    duplicate    duplicate    duplicate    duplicate    stale        stale        >processing  >processing  >processing  duplicate    stale
attach another id               | stale        stale        stale        >processing  contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  stale        stale        >processing  >processing  >processing  contradicts  stale
attach without an id            | foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign      foreign
release                         | stale        stale        stale        >queued      contradicts  contradicts  contradicts  contradicts  contradicts  contradicts  stale        stale        >queued      >queued      >queued      contradicts  stale
give up                         | stale        stale        stale        >expired     stale        stale        stale        stale        stale        stale        stale        stale        duplicate    duplicate    duplicate    duplicate    stale
cancel                          | >rejected    >rejected    stale        stale        stale        stale        stale        stale        stale        stale        stale        duplicate    stale        stale        stale        stale        stale
stored                          | stale        stale        stale        stale        stale        >completed   >completed   duplicate    >completed   stale        stale        stale        stale        stale        stale        stale        stale
archive failed                  | stale        stale        stale        stale        stale        >completed   >completed   duplicate    duplicate    stale        stale        stale        stale        stale        stale        stale        stale
archive that is no outcome      | stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
republish                       | stale        stale        stale        stale        stale        duplicate    +            stale        stale        stale        stale        stale        stale        stale        stale        stale        stale
`

// row is a fact as it meets a job.
type row struct {
	name string
	fact func(job.Job) job.Fact
}

func rows() []row {
	soon := jobtest.Epoch().Add(20 * time.Second)
	const other = "generation-2"
	verdict := func(change func(*job.Verdict)) func(job.Job) job.Fact {
		return func(job.Job) job.Fact {
			v := jobtest.Callback(job.Completed)
			change(&v)
			return v
		}
	}
	claim := func(at time.Time, hash string) func(job.Job) job.Fact {
		return func(job.Job) job.Fact { return job.Claim{At: at, ID: "claim-3", PayloadHash: hash} }
	}
	accept := func(attempt int64, id string) func(job.Job) job.Fact {
		return func(j job.Job) job.Fact {
			return job.Accept{At: soon, Attempt: j.Attempt + attempt, GenerationID: id}
		}
	}
	refuse := func(attempt int64) func(job.Job) job.Fact {
		return func(j job.Job) job.Fact {
			return job.Refuse{At: soon, Attempt: j.Attempt + attempt, Message: "no such model"}
		}
	}
	putBack := func(attempt int64) func(job.Job) job.Fact {
		return func(j job.Job) job.Fact {
			return job.PutBack{At: soon, Attempt: j.Attempt + attempt, RetryAt: soon, Message: "too many"}
		}
	}
	lose := func(attempt int64) func(job.Job) job.Fact {
		return func(j job.Job) job.Fact {
			return job.LoseAnswer{At: soon, Attempt: j.Attempt + attempt, Message: "connection reset"}
		}
	}
	fixed := func(f job.Fact) func(job.Job) job.Fact { return func(job.Job) job.Fact { return f } }
	archive := func(s job.ArchiveState) func(job.Job) job.Fact {
		return fixed(job.Stored{At: soon, Archive: job.Archive{State: s, Key: "key", Message: "gone"}})
	}
	return []row{
		{"claim", claim(soon, jobtest.PayloadHash)},
		{"claim with another payload", claim(soon, "another")},
		{"claim just before the deadline", claim(queuedUntil().Add(-time.Millisecond), jobtest.PayloadHash)},
		{"claim at the deadline", claim(queuedUntil(), jobtest.PayloadHash)},
		{"accept", accept(0, jobtest.GenerationID)},
		{"accept with another id", accept(0, other)},
		{"accept without an id", accept(0, "")},
		{"accept of an older attempt", accept(-1, other)},
		{"accept of a newer attempt", accept(1, other)},
		{"refuse", refuse(0)},
		{"refuse of an older attempt", refuse(-1)},
		{"refuse of a newer attempt", refuse(1)},
		{"put back", putBack(0)},
		{"put back of an older attempt", putBack(-1)},
		{"put back of a newer attempt", putBack(1)},
		{"lost answer", lose(0)},
		{"lost answer of an older attempt", lose(-1)},
		{"lost answer of a newer attempt", lose(1)},
		{"claim alive", fixed(job.ClaimRanOut{At: claimUntil().Add(-time.Millisecond)})},
		{"claim ran out", fixed(job.ClaimRanOut{At: claimUntil()})},
		{"completed", verdict(func(*job.Verdict) {})},
		{"failed", func(job.Job) job.Fact { return jobtest.Callback(job.Failed) }},
		{"completed, wrong token", verdict(func(v *job.Verdict) { v.Token = "of another job" })},
		{"completed, another id", verdict(func(v *job.Verdict) { v.GenerationID = other })},
		{"completed, no id", verdict(func(v *job.Verdict) { v.GenerationID = "" })},
		{"completed, asked for", verdict(func(v *job.Verdict) { v.Token = "" })},
		{"completed, another id asked for", verdict(func(v *job.Verdict) { v.Token, v.GenerationID = "", other })},
		{"verdict that is none", verdict(func(v *job.Verdict) { v.State = job.Processing })},
		{"just before the deadline", func(j job.Job) job.Fact { return job.Deadline{At: deadline(j).Add(-time.Millisecond)} }},
		{"deadline", func(j job.Job) job.Fact { return job.Deadline{At: deadline(j)} }},
		{"attach", fixed(job.Attach{At: soon, GenerationID: jobtest.GenerationID, By: "an operator"})},
		{"attach another id", fixed(job.Attach{At: soon, GenerationID: other, By: "an operator"})},
		{"attach without an id", fixed(job.Attach{At: soon, By: "an operator"})},
		{"release", fixed(job.Release{At: soon, By: "an operator"})},
		{"give up", fixed(job.GiveUp{At: soon, By: "an operator"})},
		{"cancel", fixed(job.Cancel{At: soon, By: "an operator"})},
		{"stored", archive(job.ArchiveStored)},
		{"archive failed", archive(job.ArchiveFailed)},
		{"archive that is no outcome", archive(job.ArchivePending)},
		{"republish", fixed(job.Republish{At: soon})},
	}
}

// The times of the design, told anew here so that the product's own sums are checked.
func claimUntil() time.Time  { return jobtest.Epoch().Add(jobtest.ClaimedAfter + 90*time.Second) }
func queuedUntil() time.Time { return jobtest.Origin("").EnqueuedAt.Add(7 * 24 * time.Hour) }

// deadline is the end of a job's state; for states without one, a time after all of them.
func deadline(j job.Job) time.Time {
	switch j.State {
	case job.Queued:
		return queuedUntil()
	case job.Unconfirmed:
		return jobtest.Epoch().Add(jobtest.ClaimedAfter + time.Hour)
	case job.Processing:
		return jobtest.Epoch().Add(jobtest.AnsweredAfter + time.Hour)
	case job.Submitting, job.Completed, job.Failed, job.Rejected, job.Expired:
	}
	return jobtest.Epoch().AddDate(1, 0, 0)
}

// TestEveryFactAtEveryStage holds the rules against the table: the exact error
// or the exact state, one version and one step in the history more, and a job
// that comes back as it was where it does not move.
func TestEveryFactAtEveryStage(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	table := parse(t)
	for _, row := range rows() {
		for _, c := range columns() {
			t.Run(row.name+" at "+c.stage, func(t *testing.T) {
				t.Parallel()
				j := jobtest.At(t, rules, "job-1", c.stage)
				before := snapshot(j)
				next, err := rules.Apply(j, row.fact(j))
				if got, want := outcome(j, next, err), table[row.name][c.short]; got != want {
					t.Fatalf("%s, want %s (error: %v)", got, want, err)
				}
				if diff := cmp.Diff(before, snapshot(j)); diff != "" {
					t.Errorf("the job that came in was changed:\n%s", diff)
				}
				checkStep(t, j, next, err)
			})
		}
	}
}

// checkStep checks what holds of every outcome.
func checkStep(t *testing.T, j, next job.Job, err error) {
	t.Helper()
	if err != nil || next.Version == j.Version {
		if err != nil && !cmp.Equal(next, j) {
			t.Errorf("did not move, and is not as it was:\n%s", cmp.Diff(j, next))
		}
		return
	}
	if next.Version != j.Version+1 || len(next.History) != len(j.History)+1 {
		t.Fatalf("version %d and %d steps after version %d and %d", next.Version, len(next.History), j.Version, len(j.History))
	}
	last := next.History[len(next.History)-1]
	if last.Version != next.Version || last.State != next.State || last.At.IsZero() || last.Why == "" {
		t.Errorf("the last step is %+v at version %d, %s: want the same, with a time and a reason", last, next.Version, next.State)
	}
}

func TestUnknownFact(t *testing.T) {
	t.Parallel()
	j := jobtest.At(t, job.DefaultRules(), "job-1", "queued")
	next, err := job.DefaultRules().Apply(j, nil)
	if err == nil || !cmp.Equal(next, j) {
		t.Errorf("no fact at all: error %v and a job that differs by\n%s", err, cmp.Diff(j, next))
	}
}

// parse reads the table of outcomes, by fact and column.
func parse(t *testing.T) map[string]map[string]string {
	t.Helper()
	table := map[string]map[string]string{}
	lines := strings.Split(strings.Trim(outcomes, "\n"), "\n")
	_, head, _ := strings.Cut(lines[0], "|")
	for _, line := range lines[1:] {
		name, cells, _ := strings.Cut(line, "|")
		name = strings.TrimSpace(name)
		table[name] = map[string]string{}
		for i, cell := range strings.Fields(cells) {
			table[name][strings.Fields(head)[i]] = cell
		}
	}
	return table
}

// outcome is what the table says of an outcome.
func outcome(j, next job.Job, err error) string {
	for word, sentinel := range map[string]error{
		"duplicate": job.ErrDuplicate, "claimed": job.ErrClaimed, "overdue": job.ErrOverdue,
		"other": job.ErrOtherPayload, "foreign": job.ErrForeign, "contradicts": job.ErrContradiction,
		"stale": job.ErrStale, "not-due": job.ErrNotDue,
	} {
		if errors.Is(err, sentinel) {
			return word
		}
	}
	switch {
	case err != nil:
		return "an unknown error"
	case next.Version == j.Version:
		return "+"
	}
	return ">" + string(next.State)
}

// snapshot is all of a job as text, to see later whether something it points to was changed.
func snapshot(j job.Job) string {
	text, err := json.Marshal(j) //nolint:musttag // only to be compared with another of its kind
	if err != nil {
		panic(err) // a job holds nothing that JSON cannot
	}
	return string(text)
}
