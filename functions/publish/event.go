package publish

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

const (
	// maxDetailBytes keeps an entry below the smaller of the limits that EventBridge has had, 256 KB.
	maxDetailBytes = 240 << 10
	// maxTextBytes is what a text of the vendor's is cut to when an event is too large.
	maxTextBytes = 4 << 10
)

// errNoResult is a verdict that is owed by a job without one.
var errNoResult = errors.New("the job has no result")

// Entry is one event, ready for the bus.
type Entry struct {
	DetailType events.DetailType
	// Time is when it happened.
	Time time.Time
	// Detail is an [events.Event] as JSON, at most 240 KB.
	Detail []byte
	// Version is the job's version that owes the event.
	Version int64
	// Again says that it is a repeat, which counts for nothing.
	Again bool
}

// Entries are the events that a job owes, oldest first.
//
// An event larger than 240 KB is made again with each of the vendor's texts cut
// to 4 KB, ending in "… (cut)", and with an output_url longer than that left out;
// output_url_problem then says so. The caller's metadata are never cut.
func Entries(j job.Job) ([]Entry, error) {
	entries := make([]Entry, 0, len(j.Owed))
	for _, o := range j.Owed {
		detail, err := encode(j, o)
		if err != nil {
			return nil, fmt.Errorf("make the event %q of %s, version %d: %w", o.Type, j.Key(), o.Version, err)
		}
		entries = append(entries, Entry{DetailType: o.Type, Time: o.At, Detail: detail, Version: o.Version, Again: o.Again})
	}
	return entries, nil
}

func encode(j job.Job, o job.Owed) ([]byte, error) {
	detail, err := marshal(j, o)
	if err != nil || len(detail) <= maxDetailBytes {
		return detail, err
	}
	if detail, err = marshal(trim(j), o); err == nil && len(detail) > maxDetailBytes {
		err = fmt.Errorf("it has %d bytes with all texts cut, at most %d are allowed", len(detail), maxDetailBytes)
	}
	return detail, err
}

// marshal writes the detail without the HTML escapes of json.Marshal, which
// would touch the caller's metadata.
func marshal(j job.Job, o job.Owed) ([]byte, error) {
	data, err := dataOf(j, o)
	if err != nil {
		return nil, err
	}
	var detail bytes.Buffer
	encoder := json.NewEncoder(&detail)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(events.Event[any]{
		Metadata: events.Metadata{
			EventID: j.EventID(o.Version), SchemaVersion: events.SchemaVersion,
			OccurredAt: o.At.UTC(), JobID: j.ID, JobVersion: o.Version,
		},
		Data: data,
	})
	return bytes.TrimSuffix(detail.Bytes(), []byte("\n")), err
}

func dataOf(j job.Job, o job.Owed) (any, error) {
	switch o.Type {
	case events.TypeAccepted:
		return accepted(j), nil
	case events.TypeCompleted:
		return completed(j)
	case events.TypeFailed:
		return failed(j)
	case events.TypeRejected:
		return rejected(j), nil
	case events.TypeExpired:
		return expired(j, o), nil
	case events.TypeArchived:
		return archived(j), nil
	case events.TypeArchiveFailed:
		return archiveFailed(j), nil
	}
	return nil, errors.New("an event of this type is not known")
}

// callers is the caller's own metadata.
func callers(j job.Job) json.RawMessage { return json.RawMessage(cmp.Or(j.Metadata, "{}")) }

func accepted(j job.Job) events.Accepted {
	return events.Accepted{
		GenerationID: j.GenerationID, Model: j.Model, ModelActual: j.Acceptance.ModelActual,
		Credits: j.Acceptance.Credits, FailoverUsed: j.Acceptance.FailoverUsed, Metadata: callers(j),
	}
}

func completed(j job.Job) (events.Completed, error) {
	if j.Result == nil {
		return events.Completed{}, errNoResult
	}
	r := j.Result
	return events.Completed{
		GenerationID: j.GenerationID, Model: j.Model, ModelActual: r.Charge.ModelActual,
		OutputURL: r.OutputURL, OutputURLProblem: r.OutputURLProblem,
		Credits: r.Charge.Credits, FailoverUsed: r.Charge.FailoverUsed,
		CompletedAt: r.CompletedAt, Via: r.Via, Metadata: callers(j),
	}, nil
}

func failed(j job.Job) (events.Failed, error) {
	if j.Result == nil {
		return events.Failed{}, errNoResult
	}
	r := j.Result
	return events.Failed{
		GenerationID: j.GenerationID, Model: j.Model, ModelActual: r.Charge.ModelActual, ErrorMessage: r.ErrorMessage,
		Credits: r.Charge.Credits, FailoverUsed: r.Charge.FailoverUsed,
		CompletedAt: r.CompletedAt, Via: r.Via, Metadata: callers(j),
	}, nil
}

func rejected(j job.Job) events.Rejected {
	return events.Rejected{
		Code: j.Reason.Code, Field: j.Reason.Field, Message: j.Reason.Message,
		ClaimedJobID: j.Reason.ClaimedJobID, Excerpt: j.Reason.Excerpt, Metadata: callers(j),
	}
}

// expired tells the expiry as it was, whatever the job has become since.
func expired(j job.Job, o job.Owed) events.Expired {
	return events.Expired{
		Stage: string(o.Stage), Message: o.Message, MayBeCharged: o.MayBeCharged,
		GenerationID: j.GenerationID, Model: j.Model, Credits: j.Acceptance.Credits, Metadata: callers(j),
	}
}

func archived(j job.Job) events.Archived {
	a := j.Archive
	data := events.Archived{
		GenerationID: j.GenerationID, Bucket: a.Bucket, Key: a.Key, Size: a.Size, SHA256: a.SHA256,
		ContentType: a.ContentType, URL: a.URL, Metadata: callers(j),
	}
	if a.URL != "" {
		data.URLExpiresAt = &a.URLExpiresAt
	}
	return data
}

func archiveFailed(j job.Job) events.ArchiveFailed {
	data := events.ArchiveFailed{
		GenerationID: j.GenerationID, Code: j.Archive.Code, Message: j.Archive.Message, Metadata: callers(j),
	}
	if j.Archive.State == job.ArchiveStored {
		data.Code, data.Message = "superseded", "the video could not be had at first, and has been archived since"
	}
	if j.Result != nil {
		data.OutputURL = j.Result.OutputURL
	}
	return data
}

// trim cuts every text whose length is the vendor's to choose.
func trim(j job.Job) job.Job {
	j.Acceptance.ModelActual = cut(j.Acceptance.ModelActual)
	j.Reason.Message, j.Reason.Excerpt = cut(j.Reason.Message), cut(j.Reason.Excerpt)
	j.Archive.Message = cut(j.Archive.Message)
	if j.Result == nil {
		return j
	}
	r := *j.Result
	r.ErrorMessage, r.CompletedAt = cut(r.ErrorMessage), cut(r.CompletedAt)
	r.Charge.ModelActual, r.OutputURLProblem = cut(r.Charge.ModelActual), cut(r.OutputURLProblem)
	if r.OutputURL != nil && len(*r.OutputURL) > maxTextBytes {
		r.OutputURLProblem = fmt.Sprintf("the vendor's link has %d bytes and does not fit into an event: it is in the job's record", len(*r.OutputURL))
		r.OutputURL = nil
	}
	j.Result = &r
	return j
}

func cut(text string) string { return verdict.Cut(text, maxTextBytes) }
