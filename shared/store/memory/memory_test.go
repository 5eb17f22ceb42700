package memory_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
	"github.com/clipqueue/clipqueue/shared/store/storetest"
)

func TestTable(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(_ *testing.T, rules job.Rules, now func() time.Time) storetest.Subject {
		table := memory.New(rules, now, nil)
		lossy := &storetest.Lossy{Table: table}
		return storetest.Subject{
			Table: lossy, LoseAnswer: lossy.LoseAnswer,
			Quarantined: func(_ *testing.T, key string) (store.Quarantined, int) {
				held := table.Quarantined()[key]
				return held.Quarantined, held.Seen
			},
		}
	})
}

// TestOnChange: what stands for the stream sees every write that was made, in order, and no other.
func TestOnChange(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	var images []job.Job
	table := memory.New(rules, jobtest.Epoch, func(j job.Job) { images = append(images, j) })
	processing := jobtest.At(t, rules, "job-1", "processing")
	completed := jobtest.At(t, rules, "job-1", "completed")
	want := []job.Job{processing, completed}
	if err := table.Put(t.Context(), processing, job.Job{}); err != nil {
		t.Fatal(err)
	}
	if err := table.Put(t.Context(), completed, job.Job{}); err == nil {
		t.Error("created over a job that is there")
	}
	if err := table.Settle(t.Context(), "job-1", jobtest.Callback(job.Completed)); err != nil {
		t.Fatal(err)
	}
	if err := table.Settle(t.Context(), "job-1", jobtest.Callback(job.Completed)); err == nil {
		t.Error("settled twice")
	}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]job.Job{completed.Key(): completed}, table.Jobs()); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}
