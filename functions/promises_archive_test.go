package functions_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/archive"
	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/videos"
)

// archiveReceives is the redrive policy of the archive's queue.
const archiveReceives = 5

// archive is a process of the archive function.
func (w *world) archive(i *instance) sqsHandler {
	return must(archive.New(
		archive.Settings{Rules: w.rules, Timeout: time.Minute},
		archive.Deps{
			Jobs: instanceTable{i, w.table}, Videos: download{i}, Bucket: instanceBucket{i, w.bucket}, Queue: instanceQueue{i, w.videos},
			Log: w.trace.log(i.name), Now: i.now, Random: w.random(i),
		},
	)).Handle
}

// deliver is the bus's rule on completed jobs; its message may be lost.
func (w *world) deliver(e bus.Entry) {
	if e.DetailType != events.TypeCompleted {
		return
	}
	if time.Now().Before(w.chaos.ends) && w.chaos.chance("archive message lost", w.chaos.wild) {
		w.trace.note("rule", "loses the archive's message")
		return
	}
	w.videos.send(string(must(json.Marshal(events.Envelope[json.RawMessage]{
		Source: events.Source, DetailType: e.DetailType, Time: e.Time, Detail: rawEvent(e.Detail),
	}))))
}

func rawEvent(detail []byte) events.Event[json.RawMessage] {
	var e events.Event[json.RawMessage]
	if err := json.Unmarshal(detail, &e); err != nil {
		panic(err)
	}
	return e
}

// download stands for the vendor's server of videos: one in ten is gone for good.
type download struct{ i *instance }

func (d download) Fetch(ctx context.Context, link string) (*videos.Video, error) {
	var video *videos.Video
	err := d.i.call(ctx, "video get", link, false, func() error {
		if mix(uint64(len(link))+uint64(link[len(link)-6]))%10 == 0 {
			return &videos.Problem{Code: videos.NotFound, Outlook: videos.Final, Message: "404"}
		}
		video = videos.AtHand("video/mp4", ".mp4", []byte(link))
		return nil
	})
	if errors.Is(err, errInjected) {
		err = &videos.Problem{Code: videos.Unavailable, Outlook: videos.Passing, Message: "injected"}
	}
	if err != nil {
		return nil, err
	}
	return video, nil
}

// objects is S3: an object is never replaced.
type objects struct {
	mu   sync.Mutex
	keys map[string]object
}

type object struct{ generation, body string }

type instanceBucket struct {
	i *instance
	o *objects
}

func (b instanceBucket) Put(ctx context.Context, o videos.Object, video io.Reader) (stored videos.Stored, err error) {
	body, err := io.ReadAll(video)
	if err != nil {
		return stored, err
	}
	err = b.i.call(ctx, "bucket put", o.Key, false, func() error {
		b.o.mu.Lock()
		defer b.o.mu.Unlock()
		if old, taken := b.o.keys[o.Key]; taken && old.generation != o.GenerationID {
			return &videos.Problem{Code: videos.KeyTaken, Outlook: videos.Final, Message: "taken"}
		}
		b.o.keys[o.Key] = object{o.GenerationID, string(body)}
		return nil
	})
	sum := sha256.Sum256(body)
	return videos.Stored{
		Bucket: "videos", Key: o.Key, ContentType: o.ContentType, Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]),
	}, err
}

func (b instanceBucket) Presign(context.Context, string, time.Duration) (string, error) {
	return "", errors.New("no link is asked for")
}

// judgeVideos: each completed job's video lies in the bucket, or it is known why
// not; and one event says so.
func (w *world) judgeVideos(add func(string, ...any), jobs map[string]job.Job, out []published) {
	for _, j := range jobs {
		if j.State != job.Completed || j.Result.OutputURLProblem != "" {
			continue
		}
		var said []events.DetailType
		for _, p := range out {
			if p.jobID == j.ID && (p.kind == events.TypeArchived || p.kind == events.TypeArchiveFailed) {
				said = append(said, p.kind)
			}
		}
		object, there := w.bucket.keys[j.Archive.Key]
		switch {
		case len(said) != 1:
			add("archive: %s is completed, its video %q, and the bus says %q", j.Key(), j.Archive.State, said)
		case (said[0] == events.TypeArchived) != (j.Archive.State == job.ArchiveStored):
			add("archive: the video of %s is %q, and the bus says %q", j.Key(), j.Archive.State, said)
		case j.Archive.State == job.ArchiveStored && (!there || object.generation != j.GenerationID || !strings.Contains(object.body, j.GenerationID)):
			add("archive: at %s lies %v", j.Archive.Key, object)
		}
	}
}
