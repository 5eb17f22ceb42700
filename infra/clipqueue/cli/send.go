package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/clipqueue/prompts"
	"github.com/clipqueue/clipqueue/shared/job"
)

const (
	// sendersAtOnce is how many batches are on their way side by side.
	sendersAtOnce = 4
	// sendTries is how often a message that SQS could not take is sent.
	sendTries = 6
	sendPause = 200 * time.Millisecond
	// promptColumn is how much of a prompt is shown beside its job_id.
	promptColumn = 60
)

// errNotTaken is a message that SQS could not take, time and again.
var errNotTaken = errors.New("SQS did not take it")

// sending is a run of submit.
type sending struct {
	*root
	s *Services

	mu    sync.Mutex
	keep  bool          // the jobs are followed
	sent  []prompts.Row // then: without their bodies
	tally *tally        // of what is on the queue
	lost  int
	// done are the batches that are through, by their number, until all before
	// them are told: what is told is in the order of the file. next is the one to tell.
	done map[int][]outcome
	next int
}

// outcome is what became of one row.
type outcome struct {
	row prompts.Row // without its body
	// messageID is SQS's; empty when it did not take the row, for the reason err.
	messageID string
	err       error
}

// sentView is a message on the queue, as JSON.
type sentView struct {
	JobID     string `json:"job_id"`
	MessageID string `json:"message_id,omitempty"`
	Line      int    `json:"line,omitzero"`
	// Standing is how the row stands to its job, State how that stands if it is known.
	Standing standing  `json:"standing"`
	State    job.State `json:"state,omitempty"`
}

// send puts the rows on the queue, and follows them when wanted.
func (r *root) send(ctx context.Context, s *Services, rows iter.Seq2[prompts.Row, error], total int, k known, wait bool) error {
	run := &sending{root: r, s: s, keep: wait, tally: newTally(k), done: map[int][]outcome{}}
	group, sendCtx := errgroup.WithContext(ctx)
	group.SetLimit(sendersAtOnce)
	nth := 0
	for batch := range batches(rows, deployment.BatchMessages, deployment.BatchBytes) {
		if sendCtx.Err() != nil {
			break
		}
		number := nth
		nth++
		group.Go(func() error { return run.batch(sendCtx, number, batch) })
	}
	err := errors.Join(group.Wait(), run.tellRest())
	if err == nil && run.lost > 0 {
		err = errNotTaken
	}
	if err != nil {
		return fmt.Errorf("on the queue: %d of %d; send the same again, what is there already is not made twice: %w", run.tally.sum(), total, err)
	}
	if !r.json() {
		r.note("%s on the queue%s", plural(run.tally.sum(), "prompt"), run.tally.split())
	}
	r.noteStandstill(ctx, s)
	if !wait {
		return nil
	}
	return r.follow(ctx, s, run.sent, k)
}

// batches groups rows, at most so many and so many bytes of messages together.
// Rows that are wrong have been told of, and are passed over.
func batches(rows iter.Seq2[prompts.Row, error], most, mostBytes int) iter.Seq[[]prompts.Row] {
	return func(yield func([]prompts.Row) bool) {
		var batch []prompts.Row
		size := 0
		for row, err := range rows {
			if err != nil {
				continue
			}
			if len(batch) == most || len(batch) > 0 && size+len(row.Body) > mostBytes {
				if !yield(batch) {
					return
				}
				batch, size = nil, 0
			}
			batch, size = append(batch, row), size+len(row.Body)
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// batch sends one batch, and what of it SQS could not take again.
func (run *sending) batch(ctx context.Context, number int, rows []prompts.Row) error {
	outcomes, open := make([]outcome, len(rows)), make([]int, len(rows))
	for i, row := range rows {
		row.Body = ""
		outcomes[i], open[i] = outcome{row: row}, i
	}
	err := run.tries(ctx, rows, outcomes, open)
	return errors.Join(err, run.through(number, outcomes))
}

// tries sends the rows of these numbers, and what SQS could not take again, and
// notes what became of each.
func (run *sending) tries(ctx context.Context, rows []prompts.Row, outcomes []outcome, open []int) error {
	pause := sendPause
	for try := 1; len(open) > 0; try++ {
		if try > 1 {
			if err := run.app.Pause(ctx, pause); err != nil {
				return err
			}
			pause *= 2
		}
		bodies := make([]string, len(open))
		for i, n := range open {
			bodies[i] = rows[n].Body
		}
		sent, err := run.s.Queues.Send(ctx, run.s.Outputs.JobQueueURL, bodies)
		if err != nil {
			return err
		}
		var again []int
		for i, n := range open {
			outcomes[n].messageID, outcomes[n].err = sent[i].MessageID, sent[i].Err
			if sent[i].Err != nil && !sent[i].Final && try < sendTries {
				again = append(again, n)
			}
		}
		open = again
	}
	return nil
}

// through tells what became of a batch, once all before it are told.
func (run *sending) through(number int, outcomes []outcome) error {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.done[number] = outcomes
	for {
		outcomes, ok := run.done[run.next]
		if !ok {
			return nil
		}
		delete(run.done, run.next)
		run.next++
		if err := run.tell(outcomes); err != nil {
			return err
		}
	}
}

// tellRest tells of the batches that wait for one that never came through.
func (run *sending) tellRest() error {
	for _, number := range slices.Sorted(maps.Keys(run.done)) {
		if err := run.tell(run.done[number]); err != nil {
			return err
		}
	}
	return nil
}

func (run *sending) tell(outcomes []outcome) error {
	for _, o := range outcomes {
		switch {
		case o.messageID != "":
			if run.keep {
				run.sent = append(run.sent, o.row)
			}
			if err := run.printRow(o.row, o.messageID, run.tally, run.keep); err != nil {
				return err
			}
		case o.err != nil:
			run.lost++
			run.note("%s is not on the queue: %v", named(o.row), o.err)
		}
	}
	return nil
}

// printRow prints one row that is on the queue, or would be, and counts it. As
// JSON nothing is printed of jobs that are followed: their verdicts are, later.
func (r *root) printRow(row prompts.Row, messageID string, t *tally, followed bool) error {
	how := t.add(row)
	state := t.known[row.JobID].state
	if r.json() {
		if followed {
			return nil
		}
		return r.print(sentView{row.JobID, messageID, row.Line, how, state})
	}
	mark := ""
	switch {
	case state != "":
		mark = fmt.Sprintf("  (known, %s)", state)
	case how == standingKnown:
		mark = "  (the same again)"
	}
	r.say("%s  %s%s", row.JobID, prompts.Beginning(row.Prompt, promptColumn), mark)
	return nil
}

// rehearse says what send would do.
func (r *root) rehearse(rows iter.Seq2[prompts.Row, error], k known) error {
	t := newTally(k)
	for row, err := range rows {
		if err != nil {
			continue
		}
		if err := r.printRow(row, "", t, false); err != nil {
			return err
		}
	}
	if !r.json() {
		r.note("%s would go onto the queue%s. Nothing was sent", plural(t.sum(), "prompt"), t.split())
	}
	return nil
}
