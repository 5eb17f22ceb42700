package jobtest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
)

// Draw is a random fact that may or may not fit the job: one of every kind, of
// this attempt or another, with the right id and token or the wrong ones.
func Draw(t *rapid.T, j job.Job, now time.Time) job.Fact { //nolint:ireturn // any kind of fact
	attempt := max(0, j.Attempt+rapid.SampledFrom([]int64{0, 0, 0, -1, 1}).Draw(t, "attempt"))
	id := rapid.SampledFrom([]string{"g1", "g1", "g2", ""}).Draw(t, "id")
	hash := rapid.SampledFrom([]string{PayloadHash, PayloadHash, "other"}).Draw(t, "hash")
	archived := rapid.SampledFrom([]job.ArchiveState{job.ArchiveStored, job.ArchiveFailed, job.ArchivePending}).Draw(t, "archive")
	return rapid.SampledFrom([]job.Fact{
		job.Claim{At: now, ID: "claim", PayloadHash: hash},
		job.Accept{At: now, Attempt: attempt, GenerationID: id, Charge: job.Charge{Credits: new(int64(3))}},
		job.Refuse{At: now, Attempt: attempt, Message: "400"},
		job.PutBack{At: now, Attempt: attempt, RetryAt: now.Add(time.Minute), Message: "429"},
		job.LoseAnswer{At: now, Attempt: attempt, Message: "reset"},
		job.ClaimRanOut{At: now},
		DrawVerdict(t, now),
		job.Deadline{At: now},
		job.Attach{At: now, GenerationID: id, By: "jo"},
		job.Release{At: now, By: "jo"},
		job.GiveUp{At: now, By: "jo"},
		job.Cancel{At: now, By: "jo"},
		job.Stored{At: now, Archive: job.Archive{State: archived, Key: "key"}},
		job.Republish{At: now},
	}).Draw(t, "fact")
}

// DrawVerdict is a random verdict, for the right job or not.
func DrawVerdict(t *rapid.T, now time.Time) job.Verdict {
	return job.Verdict{
		At:           now,
		Token:        rapid.SampledFrom([]string{Token, Token, "", "wrong"}).Draw(t, "token"),
		GenerationID: rapid.SampledFrom([]string{"g1", "g1", "g2", ""}).Draw(t, "id"),
		State:        rapid.SampledFrom([]job.State{job.Completed, job.Failed, job.Processing}).Draw(t, "verdict"),
		Result:       job.Result{Via: events.ViaCallback, OutputURLProblem: rapid.SampledFrom([]string{"", "none"}).Draw(t, "problem")},
		Body:         []byte("{}"),
	}
}
