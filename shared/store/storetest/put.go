package storetest

import (
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

func keepsEveryField(b *bench) {
	full := jobtest.Full(b.t)
	b.put(full, job.Job{})
	b.stands(full)
}

func keepsEveryStage(b *bench) {
	for _, s := range jobtest.Stages(b.t, b.rules, "") {
		s.Job.ID = "job-" + string(s.Job.State) + "-" + time.Duration(len(s.Name)).String()
		if s.Job.Version == 0 {
			continue // not to be stored before it is claimed
		}
		b.put(s.Job, job.Job{})
		b.stands(s.Job)
	}
}

// jobsAndRejections may have one id and never meet.
func jobsAndRejections(b *bench) {
	j := b.stored("one-id", "processing")
	rejection := b.stored("one-id", "rejection")
	b.stands(j)
	b.stands(rejection)
	b.put(b.apply(j, jobtest.Callback(job.Failed)), j)
	b.stands(rejection)
}

func createAndConflict(b *bench) {
	first := b.stored("job-1", "submitting")
	second := first
	second.ClaimID = "of another delivery"
	b.conflicts(b.Table.Put(b.t.Context(), second, job.Job{}), first)
	b.stands(first)
	if err := b.Table.Put(b.t.Context(), first, job.Job{}); err != nil {
		b.t.Errorf("the same job once more, as after a lost answer: %v", err)
	}
	_, err := b.Table.Get(b.t.Context(), job.Key("job-2"))
	b.fails(err, store.ErrNotFound)
}

func replaceOnlyWhatWasRead(b *bench) {
	processing, published := b.at("", "processing"), b.at("", "completed, archived")
	published = b.rules.Published(published, jobtest.Epoch())
	for name, tc := range map[string]struct {
		stands job.Job
		change func(*job.Job)
	}{
		"as-read":        {processing, nil},
		"as-read-bare":   {published, nil},
		"version":        {processing, func(j *job.Job) { j.Version-- }},
		"another-life":   {processing, func(j *job.Job) { j.CreatedAt = j.CreatedAt.Add(time.Millisecond) }},
		"looked-at":      {processing, func(j *job.Job) { j.DueAt = j.DueAt.Add(-time.Millisecond) }},
		"due-again":      {processing, func(j *job.Job) { j.DueAt = time.Time{} }},
		"no-longer-due":  {published, func(j *job.Job) { j.DueAt = jobtest.Epoch() }},
		"owes-since":     {processing, func(j *job.Job) { j.Owed = nil }},
		"owes-more":      {processing, func(j *job.Job) { j.Owed = []job.Owed{{Version: 1}} }},
		"published-then": {published, func(j *job.Job) { j.Owed = []job.Owed{{Version: 1, Type: events.TypeAccepted}} }},
	} {
		stands := tc.stands
		stands.ID = name
		b.put(stands, job.Job{})
		next, read := stands, stands
		next.ClaimID = "new"
		if tc.change == nil {
			b.put(next, read)
			b.stands(next)
			continue
		}
		tc.change(&read)
		b.conflicts(b.Table.Put(b.t.Context(), next, read), stands)
		b.stands(stands)
	}
	gone := b.at("gone", "processing")
	b.fails(b.Table.Put(b.t.Context(), gone, gone), store.ErrNotFound)
	_, err := b.Table.Get(b.t.Context(), gone.Key())
	b.fails(err, store.ErrNotFound)
}

// endedRecords are still in the table: DynamoDB deletes them days later.
func endedRecords(b *bench) {
	old := b.stored("job-1", "processing")
	b.clock.set(old.ExpiresAt.Add(-time.Millisecond))
	b.stands(old)
	next := b.at("job-1", "submitting")
	next.CreatedAt = b.clock.Now()
	b.conflicts(b.Table.Put(b.t.Context(), next, job.Job{}), old)

	b.clock.set(old.ExpiresAt)
	_, err := b.Table.Get(b.t.Context(), old.Key())
	b.fails(err, store.ErrNotFound)
	b.fails(b.Table.Settle(b.t.Context(), old.ID, jobtest.Callback(job.Completed)), store.ErrNotFound)
	next = b.rules.New(job.Origin{ID: "job-1", Token: "new", PayloadHash: "new", At: b.clock.Now(), EnqueuedAt: b.clock.Now()})
	next = b.apply(next, job.Claim{At: b.clock.Now(), ID: "new", PayloadHash: "new"})
	b.put(next, job.Job{})
	b.stands(next)
	// A write by someone who read the record before it ended must not bring it back.
	b.conflicts(b.Table.Put(b.t.Context(), b.apply(old, jobtest.Callback(job.Completed)), old), next)
	b.fails(b.Table.Settle(b.t.Context(), old.ID, jobtest.Callback(job.Completed)), job.ErrForeign)
	b.stands(next)
}
