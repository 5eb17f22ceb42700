package submit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/loop"
)

type panicking struct{}

func (panicking) Start(context.Context, loop.Input) error { panic("no loop") }

// FuzzMessage holds that no message is lost, whatever is in it: it ends as a job
// that was posted once, or as a rejection with a reason.
func FuzzMessage(f *testing.F) {
	for _, body := range badMessages(f) {
		if len(body) < 64<<10 {
			f.Add(body)
		}
	}
	f.Add(`{"prompt":"a red kite"}`)
	f.Add(`{"job_id":"j1","prompt":"a red kite","delivery":"poll","metadata":{"a":[1,{"b":null}]},"seed":1e400}`)
	f.Fuzz(func(t *testing.T, body string) {
		b := newBench(t)
		m := b.raw("m1", body)
		if back := b.deliver(m); len(back) != 0 {
			t.Fatalf("went back: %v", back)
		}
		rows := b.table.Jobs()
		if len(rows) != 1 {
			t.Fatalf("%d rows, want one", len(rows))
		}
		for _, j := range rows {
			switch {
			case j.Rejection && j.ID == "m1" && j.Reason.Message != "" && len(b.vendor.posts) == 0 && len(j.Owed) == 1:
			case !j.Rejection && j.State == job.Processing && len(b.vendor.posts) == 1 && strings.TrimSpace(b.vendor.posts[0].Prompt) != "":
			default:
				t.Fatalf("%d POSTs, and the row is %+v", len(b.vendor.posts), j)
			}
		}
		b.deliver(received(m, 2))
		if len(b.table.Jobs()) != 1 || len(b.vendor.posts) > 1 {
			t.Fatalf("delivered again: %d rows, %d POSTs", len(b.table.Jobs()), len(b.vendor.posts))
		}
	})
}
