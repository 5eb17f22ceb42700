package memory_test

import (
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store/memory"
	"github.com/clipqueue/clipqueue/shared/store/storetest"
)

func TestLists(t *testing.T) {
	t.Parallel()
	storetest.RunLists(t, func(_ *testing.T, rules job.Rules, now func() time.Time) storetest.Listed {
		return memory.New(rules, now, nil)
	})
}
