package cli

import (
	"context"
	"fmt"
	"iter"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/clipqueue/clipqueue/infra/clipqueue/prompts"
	"github.com/clipqueue/clipqueue/shared/job"
)

// lookUpsAtOnce is how many batches of records are read side by side, and
// lookUpBatch how many records DynamoDB reads in one.
const (
	lookUpsAtOnce = 4
	lookUpBatch   = 100
)

// standing is how a row stands to the job that its job_id names.
type standing string

const (
	// standingNew is a job without a record.
	standingNew standing = "new"
	// standingKnown is a job with this content: what is sent changes nothing.
	standingKnown standing = "known"
	// standingTaken is a job with another content: the message would be refused, and is not sent.
	standingTaken standing = "taken"
)

// known are the jobs, by job_id, that rows name and that have a record; of each
// its state, and its payload's hash.
type known map[string]knownJob

type knownJob struct {
	state job.State
	hash  string
}

func (k known) standing(row prompts.Row) standing {
	switch j, ok := k[row.JobID]; {
	case !ok:
		return standingNew
	case j.hash != row.Hash:
		return standingTaken
	}
	return standingKnown
}

// withoutTaken leaves out the rows whose job_id a job with another content has.
func (k known) withoutTaken(rows iter.Seq2[prompts.Row, error]) iter.Seq2[prompts.Row, error] {
	return func(yield func(prompts.Row, error) bool) {
		for row, err := range rows {
			if err == nil && k.standing(row) == standingTaken {
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// lookUpRows reads the records of the jobs that rows name. Rows that are wrong
// are passed over.
func lookUpRows(ctx context.Context, s *Services, rows iter.Seq2[prompts.Row, error]) (known, error) {
	found := known{}
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookUpsAtOnce)
	for batch := range batches(rows, lookUpBatch, math.MaxInt) {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			jobs, err := s.Lists.Many(groupCtx, keysOf(batch))
			mu.Lock()
			defer mu.Unlock()
			for _, j := range jobs {
				found[j.ID] = knownJob{j.State, j.PayloadHash}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("look the jobs up, before anything is sent: %w", err)
	}
	return found, nil
}

// named says which row is meant, in a file or not.
func named(row prompts.Row) string {
	if row.Line == 0 {
		return row.JobID
	}
	return row.String()
}

func keysOf(rows []prompts.Row) []string {
	keys := make([]string, len(rows))
	for i, row := range rows {
		keys[i] = job.Key(row.JobID)
	}
	return keys
}

// tally counts rows by how they stand. A row that repeats one before it stands to a known job.
type tally struct {
	known known
	seen  map[string]bool
	n     map[standing]int
}

func newTally(k known) *tally {
	return &tally{known: k, seen: map[string]bool{}, n: map[standing]int{}}
}

func (t *tally) add(row prompts.Row) standing {
	how := t.known.standing(row)
	if how == standingNew && t.seen[row.JobID] {
		how = standingKnown
	}
	t.seen[row.JobID] = true
	t.n[how]++
	return how
}

func (t *tally) sum() int {
	return t.n[standingNew] + t.n[standingKnown]
}

// split says how many are new, and how many are not.
func (t *tally) split() string {
	text := fmt.Sprintf(": %d new", t.n[standingNew])
	if n := t.n[standingKnown]; n > 0 {
		text += fmt.Sprintf(", %d known already (not paid again)", n)
	}
	return text
}
