package e2e_test

import (
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/storetest"
)

// What lists jobs, over real tables with the keys and indexes of the stack's own.
func TestStoreLists(t *testing.T) {
	t.Parallel()
	storetest.RunLists(t, func(t *testing.T, rules job.Rules, now func() time.Time) storetest.Listed {
		t.Helper()
		table, err := store.New(bundle.dynamo, likeTheStacks(t), rules, now)
		if err != nil {
			t.Fatal(err)
		}
		return table
	})
}
