package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/clipqueue/prompts"
)

const (
	// sendersAtOnce is how many batches are on their way side by side.
	sendersAtOnce = 4
	// sendTries is how often a message that SQS could not take is sent.
	sendTries = 6
	sendPause = 200 * time.Millisecond
)

// errNotTaken is a message that SQS could not take, time and again.
var errNotTaken = errors.New("SQS did not take it")

// sending is a run of submit.
type sending struct {
	*root
	s *Services

	mu   sync.Mutex
	sent []prompts.Row // without their bodies, when they are followed
	keep bool
	n    int
	lost int
}

// sentView is a message on the queue, as JSON.
type sentView struct {
	JobID     string `json:"job_id"`
	MessageID string `json:"message_id"`
}

// send puts the rows on the queue, and follows them when wanted.
func (r *root) send(ctx context.Context, s *Services, rows iter.Seq2[prompts.Row, error], total int, wait bool) error {
	run := &sending{root: r, s: s, keep: wait}
	group, sendCtx := errgroup.WithContext(ctx)
	group.SetLimit(sendersAtOnce)
	for batch := range batches(rows) {
		if sendCtx.Err() != nil {
			break
		}
		group.Go(func() error { return run.batch(sendCtx, batch) })
	}
	err := group.Wait()
	switch {
	case err != nil:
		return fmt.Errorf("%d of %d are on the queue; send the same again, what is there already is not made twice: %w", run.n, total, err)
	case run.lost > 0:
		return fmt.Errorf("%d of %d are on the queue; send the same again, what is there already is not made twice: %w", run.n, total, errNotTaken)
	}
	if !r.json() {
		r.note("%s on the queue", plural(run.n, "prompt"))
	}
	if !wait {
		return nil
	}
	return r.follow(ctx, s, run.sent)
}

// batches groups rows into what SQS takes in one call. Rows that are wrong have
// been told of, and are passed over.
func batches(rows iter.Seq2[prompts.Row, error]) iter.Seq[[]prompts.Row] {
	return func(yield func([]prompts.Row) bool) {
		var batch []prompts.Row
		size := 0
		for row, err := range rows {
			if err != nil {
				continue
			}
			if len(batch) == deployment.BatchMessages || len(batch) > 0 && size+len(row.Body) > deployment.BatchBytes {
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
func (run *sending) batch(ctx context.Context, rows []prompts.Row) error {
	pause := sendPause
	for try := 1; ; try++ {
		bodies := make([]string, len(rows))
		for i, row := range rows {
			bodies[i] = row.Body
		}
		sent, err := run.s.Queues.Send(ctx, run.s.Outputs.JobQueueURL, bodies)
		if err != nil {
			return err
		}
		if rows, err = run.record(rows, sent, try == sendTries); err != nil || len(rows) == 0 {
			return err
		}
		if err := run.app.Pause(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
}

// record prints what is on the queue, and returns what is to be sent again.
func (run *sending) record(rows []prompts.Row, sent []deployment.Sent, last bool) (again []prompts.Row, err error) {
	run.mu.Lock()
	defer run.mu.Unlock()
	for i, row := range rows {
		switch {
		case sent[i].Err == nil:
			run.n++
			if run.keep {
				run.sent = append(run.sent, prompts.Row{JobID: row.JobID, Hash: row.Hash})
			}
			err = errors.Join(err, run.printSent(row, sent[i].MessageID))
		case sent[i].Final, last:
			run.lost++
			run.note("%s is not on the queue: %v", row.JobID, sent[i].Err)
		default:
			again = append(again, row)
		}
	}
	return again, err
}

func (run *sending) printSent(row prompts.Row, messageID string) error {
	switch {
	case run.json() && !run.keep: // the verdicts are printed later
		return run.print(sentView{row.JobID, messageID})
	case !run.json():
		run.say("%s", row.JobID)
	}
	return nil
}
