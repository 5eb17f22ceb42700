// Package archive copies finished videos into the user's bucket, and writes down
// where each lies, or why it cannot be had.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/videos"
)

type jobs interface {
	Get(ctx context.Context, key string) (job.Job, error)
	Put(ctx context.Context, next, prev job.Job) error
}

type fetcher interface {
	Fetch(ctx context.Context, link string) (*videos.Video, error)
}

type bucket interface {
	Put(ctx context.Context, o videos.Object, video io.Reader) (videos.Stored, error)
	Presign(ctx context.Context, key string, lives time.Duration) (string, error)
}

type delayer interface {
	Delay(ctx context.Context, receipt string, d time.Duration) error
}

// Settings are what the function is configured with.
type Settings struct {
	Rules job.Rules
	// Timeout bounds one attempt at a video, download and upload together.
	Timeout time.Duration
	// URLFor is how long the presigned link in the event lives; 0 puts none in.
	URLFor time.Duration
}

// Deps are what the function works with.
type Deps struct {
	Jobs   jobs
	Videos fetcher
	Bucket bucket
	Queue  delayer
	Log    *slog.Logger
	Now    func() time.Time
	// Random is in [0, 1), and spreads the waits.
	Random func() float64
}

// Handler is the function. It copies one video at a time.
type Handler struct {
	Deps
	settings Settings
}

// New checks what it is given.
func New(s Settings, d Deps) (*Handler, error) {
	switch {
	case d.Jobs == nil, d.Videos == nil, d.Bucket == nil, d.Queue == nil, d.Log == nil, d.Now == nil, d.Random == nil:
		return nil, errors.New("archive: something it works with is missing")
	case s.Timeout <= 0:
		return nil, fmt.Errorf("archive: an attempt may take %v: want more than 0", s.Timeout)
	}
	if err := s.Rules.Validate(); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &Handler{Deps: d, settings: s}, nil
}

// accountFor is what an invocation keeps for the end of an attempt: to take the
// parts of an upload away, and to write the outcome down.
const accountFor = 15 * time.Second

// Handle takes one batch of "completed" events. What is not done with goes back,
// each message after a wait of its own.
func (h *Handler) Handle(ctx context.Context, batch lambda.SQSEvent) (lambda.SQSEventResponse, error) {
	response := lambda.SQSEventResponse{BatchItemFailures: []lambda.SQSBatchItemFailure{}}
	for _, m := range batch.Records {
		after, done := h.handle(ctx, m)
		if done {
			continue
		}
		response.BatchItemFailures = append(response.BatchItemFailures, lambda.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		if err := h.Queue.Delay(ctx, m.ReceiptHandle, after); err != nil {
			// It comes back all the same, when the queue's own visibility timeout ends.
			h.Log.WarnContext(ctx, "a message's visibility could not be changed",
				slog.String("message_id", m.MessageId), slog.Any("error", err))
		}
	}
	return response, nil
}

// handle deals with one message; when it is not done, the message shall stay away for so long.
func (h *Handler) handle(ctx context.Context, m lambda.SQSMessage) (after time.Duration, done bool) {
	if !h.timeLeft(ctx) {
		return 0, false
	}
	receives, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	if err != nil {
		receives = 1
	}
	id, err := jobID(m.Body)
	log := h.Log.With(slog.String("message_id", m.MessageId), slog.String("job_id", id))
	if err == nil {
		err = h.archive(ctx, log, id, receives)
	}
	if err == nil {
		return 0, true
	}
	log.WarnContext(ctx, "the video could not be archived yet", slog.Int("receives", receives), slog.Any("error", err))
	if _, vendors := errors.AsType[*videos.Problem](err); vendors && receives >= tries {
		// The dead-letter queue is for failures of our own. The job stays due, and
		// reconcile has it tried again later.
		return 0, true
	}
	return backoff(receives, h.Random()), false
}

func (h *Handler) timeLeft(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return !ok || deadline.Sub(h.Now()) > h.settings.Timeout+accountFor
}

// archive brings one job's video home, or writes down why it cannot be had. An
// error says that it is to be tried again.
func (h *Handler) archive(ctx context.Context, log *slog.Logger, id string, receives int) error {
	j, err := h.Jobs.Get(ctx, job.Key(id))
	if errors.Is(err, store.ErrNotFound) {
		log.WarnContext(ctx, "an event of a job that is not in the table")
		return nil
	}
	if err != nil {
		return err
	}
	if j.State != job.Completed || j.Archive.State != job.ArchivePending || j.Result == nil || j.Result.OutputURL == nil {
		log.InfoContext(ctx, "there is nothing to archive", slog.String("archive", string(j.Archive.State)))
		return nil
	}
	log = log.With(slog.String("generation_id", j.GenerationID))
	start := h.Now()
	outcome, err := h.copy(ctx, j)
	if p, ok := errors.AsType[*videos.Problem](err); ok && final(p, receives) {
		outcome, err = job.Archive{State: job.ArchiveFailed, Code: string(p.Code), Message: p.Message}, nil
	}
	if err != nil {
		return err
	}
	_, err = store.Transition(ctx, h.Jobs, h.settings.Rules, j, job.Stored{At: h.Now(), Archive: outcome})
	if errors.Is(err, job.ErrDuplicate) {
		log.InfoContext(ctx, "another run was faster")
		return nil
	}
	if err != nil {
		return fmt.Errorf("write down what became of the video: %w", err)
	}
	log.InfoContext(ctx, "the video's fate is settled", slog.String("archive", string(outcome.State)), slog.String("key", outcome.Key),
		slog.Int64("bytes", outcome.Size), slog.String("code", outcome.Code), slog.String("reason", outcome.Message),
		slog.Int64("took_ms", h.Now().Sub(start).Milliseconds()))
	return nil
}

// copy streams the video from the vendor's link into the bucket.
func (h *Handler) copy(ctx context.Context, j job.Job) (job.Archive, error) {
	ctx, cancel := context.WithTimeout(ctx, h.settings.Timeout)
	defer cancel()
	video, err := h.Videos.Fetch(ctx, *j.Result.OutputURL)
	if err != nil {
		return job.Archive{}, fmt.Errorf("download: %w", err)
	}
	defer video.Close()
	stored, err := h.Bucket.Put(ctx, videos.Object{
		Key: key(j, video.Extension), ContentType: video.ContentType, Size: video.Size, JobID: j.ID, GenerationID: j.GenerationID,
	}, video)
	if err != nil {
		return job.Archive{}, fmt.Errorf("store: %w", err)
	}
	out := job.Archive{
		State: job.ArchiveStored, Bucket: stored.Bucket, Key: stored.Key, Size: stored.Size,
		SHA256: stored.SHA256, ContentType: stored.ContentType,
	}
	if h.settings.URLFor > 0 {
		out.URLExpiresAt = h.Now().UTC().Add(h.settings.URLFor).Truncate(time.Millisecond)
		out.URL, err = h.Bucket.Presign(ctx, stored.Key, h.settings.URLFor)
	}
	return out, err
}

// key is where a job's video lies. The date is the job's, so that it can be told from the job alone.
func key(j job.Job, extension string) string {
	return "videos/" + j.CreatedAt.UTC().Format("2006/01/02") + "/" + j.ID + extension
}
