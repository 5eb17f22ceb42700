package job_test

import (
	"strings"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

// A job that waited in vain after an operator allowed a new submit may have been
// charged for all the same; one that was never submitted, or always refused, was not.
func TestExpiryAfterAnOperatorsWord(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	apply := must(t)
	expire := func(j job.Job) job.Owed {
		j = apply(rules.Apply(j, job.Deadline{At: j.EnqueuedAt.Add(rules.QueuedFor)}))
		return j.Owed[len(j.Owed)-1]
	}
	if owed := expire(jobtest.At(t, rules, "job-1", "queued")); owed.MayBeCharged || !strings.HasSuffix(owed.Message, "nothing was paid") {
		t.Errorf("never accepted: %+v", owed)
	}
	at := jobtest.Epoch().Add(time.Hour)
	released := apply(rules.Apply(jobtest.At(t, rules, "job-1", "unconfirmed"), job.Release{At: at, By: "jo"}))
	if owed := expire(released); !owed.MayBeCharged || !strings.Contains(owed.Message, "operator's word") {
		t.Errorf("after an operator's word: %+v", owed)
	}
	// A history that is full has dropped what went before: the worst is assumed.
	tried := released
	for range 40 {
		at = at.Add(time.Minute)
		tried = apply(rules.Apply(tried, job.Claim{At: at, ID: at.String(), PayloadHash: tried.PayloadHash}))
		tried = apply(rules.Apply(tried, job.PutBack{At: at, Attempt: tried.Attempt, RetryAt: at, Message: "429"}))
	}
	if owed := expire(tried); !owed.MayBeCharged {
		t.Errorf("after many tries: %+v", owed)
	}
}
