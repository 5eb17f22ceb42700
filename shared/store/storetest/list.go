package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// Listed is a table of jobs that can be listed; [store.Table] says what its methods mean.
type Listed interface {
	Table
	lists
	quarantined
}

type lists interface {
	CreatedBetween(ctx context.Context, since, until time.Time) iter.Seq2[store.Created, error]
	Many(ctx context.Context, keys []string) ([]job.Job, error)
}

type quarantined interface {
	ListQuarantine(ctx context.Context, limit int) ([]store.Held, error)
	GetQuarantined(ctx context.Context, id string) (store.Held, error)
	DropQuarantined(ctx context.Context, id string) error
}

// RunLists runs the suite of what lists jobs, and callbacks in quarantine.
func RunLists(t *testing.T, open func(t *testing.T, rules job.Rules, now func() time.Time) Listed) {
	t.Helper()
	for name, test := range map[string]func(*listBench){
		"newest first, across days and shards": newestFirst,
		"both ends of the time":                bothEnds,
		"more than a page":                     morePages,
		"no more once the reader stops":        readerStops,
		"a span without bounds":                noBounds,
		"many":                                 many,
		"quarantine, newest first":             quarantineList,
		"quarantine, one by one":               quarantineOne,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, clock := job.DefaultRules(), &clock{now: jobtest.Epoch().Add(jobtest.SettledAfter)}
			test(&listBench{t: t, rules: rules, clock: clock, table: open(t, rules, clock.Now)})
		})
	}
}

type listBench struct {
	t     *testing.T
	rules job.Rules
	clock *clock
	table Listed
}

// stored puts a job or a rejection, created at this time, into the table.
func (b *listBench) stored(id, stage string, at time.Time) store.Created {
	b.t.Helper()
	j := jobtest.At(b.t, b.rules, id, stage)
	j.CreatedAt = at
	if err := b.table.Put(b.t.Context(), j, job.Job{}); err != nil {
		b.t.Fatal(err)
	}
	return store.Created{Key: j.Key(), At: at}
}

func (b *listBench) list(since, until time.Time) []store.Created {
	b.t.Helper()
	var list []store.Created
	for entry, err := range b.table.CreatedBetween(b.t.Context(), since, until) {
		if err != nil {
			b.t.Fatal(err)
		}
		list = append(list, entry)
	}
	return list
}

func (b *listBench) same(want, got any) {
	b.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("(-want +got):\n%s", diff)
	}
}

func newestFirst(b *listBench) {
	var want []store.Created
	for i := range 40 {
		at := jobtest.Epoch().Add(-time.Duration(i) * 2 * time.Hour)
		want = append(want, b.stored(fmt.Sprintf("job-%d", i), []string{"processing", "rejection"}[i%2], at))
	}
	b.same(want, b.list(jobtest.Epoch().Add(-80*time.Hour), jobtest.Epoch().Add(time.Hour)))
}

func bothEnds(b *listBench) {
	midnight := jobtest.Epoch().Truncate(24 * time.Hour)
	before := b.stored("before", "processing", midnight.Add(-time.Millisecond))
	at := b.stored("at", "processing", midnight)
	after := b.stored("after", "processing", midnight.Add(time.Millisecond))
	for name, tc := range map[string]struct {
		since, until time.Time
		want         []store.Created
	}{
		"since is in":          {before.At, after.At.Add(time.Millisecond), []store.Created{after, at, before}},
		"until is out":         {before.At, after.At, []store.Created{at, before}},
		"until is at midnight": {before.At, at.At, []store.Created{before}},
		"since is later":       {at.At, after.At, []store.Created{at}},
		"nothing between":      {after.At.Add(time.Millisecond), after.At.Add(time.Second), nil},
	} {
		b.t.Run(name, func(t *testing.T) {
			inner := *b
			inner.t = t
			inner.same(tc.want, inner.list(tc.since, tc.until))
		})
	}
}

func morePages(b *listBench) {
	const n = 230 // of one shard: a page has 200
	ids := sameShard(n, 1)
	for i, id := range ids {
		b.stored(id, "processing", jobtest.Epoch().Add(time.Duration(i)*time.Millisecond))
	}
	got := b.list(jobtest.Epoch(), jobtest.Epoch().Add(time.Minute))
	if len(got) != n || got[0].Key != job.Key(ids[n-1]) || got[n-1].Key != job.Key(ids[0]) {
		b.t.Errorf("%d entries, want %d, the newest first", len(got), n)
	}
}

func readerStops(b *listBench) {
	newest := b.stored("newest", "processing", jobtest.Epoch())
	b.stored("older", "processing", jobtest.Epoch().Add(-time.Minute))
	for entry, err := range b.table.CreatedBetween(b.t.Context(), jobtest.Epoch().Add(-time.Hour), jobtest.Epoch().Add(time.Hour)) {
		if err != nil || entry != newest {
			b.t.Fatalf("%v, %v; want %v", entry, err, newest)
		}
		break
	}
}

// noBounds must not read a partition for each day since the year 1.
func noBounds(b *listBench) {
	b.stored("job-1", "processing", jobtest.Epoch())
	for entry, err := range b.table.CreatedBetween(b.t.Context(), time.Time{}, jobtest.Epoch().Add(time.Hour)) {
		b.t.Logf("%v, %v", entry, err)
		return // an error, or the entry: what counts is that it ends
	}
}

func many(b *listBench) {
	var keys []string
	for i := range 120 { // a batch has 100
		keys = append(keys, b.stored(fmt.Sprintf("job-%d", i), "completed", jobtest.Epoch()).Key)
	}
	ended := jobtest.At(b.t, b.rules, "ended", "failed")
	ended.ExpiresAt = b.clock.Now()
	if err := b.table.Put(b.t.Context(), ended, job.Job{}); err != nil {
		b.t.Fatal(err)
	}
	asked := append([]string{"job#absent", ended.Key(), keys[119]}, keys...)
	got, err := b.table.Many(b.t.Context(), asked)
	if err != nil {
		b.t.Fatal(err)
	}
	var gotKeys []string
	for _, j := range got {
		gotKeys = append(gotKeys, j.Key())
	}
	b.same(append([]string{keys[119]}, keys...), gotKeys)
	b.same(jobtest.At(b.t, b.rules, "job-119", "completed").Result, got[0].Result)
	none, err := b.table.Many(b.t.Context(), nil)
	if err != nil || len(none) != 0 {
		b.t.Errorf("no keys: %v, %v", none, err)
	}
}

func (b *listBench) quarantine(q store.Quarantined) {
	b.t.Helper()
	if err := b.table.Quarantine(b.t.Context(), q); err != nil {
		b.t.Fatal(err)
	}
}

func quarantineList(b *listBench) {
	first := store.Quarantined{Path: "/a", Body: []byte("1"), Reason: "no such job", At: jobtest.Epoch()}
	second := store.Quarantined{Path: "/b", Body: []byte("2"), Reason: "it contradicts", At: jobtest.Epoch().Add(time.Second)}
	b.quarantine(first)
	b.quarantine(second)
	again := first
	again.At = jobtest.Epoch().Add(time.Hour)
	b.quarantine(again)
	want := []store.Held{
		{Quarantined: second, FirstAt: second.At, Seen: 1},
		{Quarantined: again, FirstAt: first.At, Seen: 2},
	}
	got, err := b.table.ListQuarantine(b.t.Context(), 10)
	if err != nil {
		b.t.Fatal(err)
	}
	b.same(want, got)
	got, err = b.table.ListQuarantine(b.t.Context(), 1)
	if err != nil {
		b.t.Fatal(err)
	}
	b.same(want[:1], got)
	b.same([]store.Created(nil), b.list(jobtest.Epoch().Add(-time.Hour), jobtest.Epoch().Add(2*time.Hour)))
}

func quarantineOne(b *listBench) {
	q := store.Quarantined{Path: "/a", Body: []byte("\x00\xff"), Reason: "no such job", At: jobtest.Epoch()}
	b.quarantine(q)
	got, err := b.table.GetQuarantined(b.t.Context(), q.ID())
	if err != nil {
		b.t.Fatal(err)
	}
	b.same(store.Held{Quarantined: q, FirstAt: q.At, Seen: 1}, got)
	for range 2 {
		if err := b.table.DropQuarantined(b.t.Context(), q.ID()); err != nil {
			b.t.Fatal(err)
		}
	}
	if _, err := b.table.GetQuarantined(b.t.Context(), q.ID()); !errors.Is(err, store.ErrNotFound) {
		b.t.Errorf("dropped, and read: %v, want %v", err, store.ErrNotFound)
	}
}
