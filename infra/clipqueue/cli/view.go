package cli

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/request"
)

// jobView is a job, or a refused message, as JSON. It is stable: fields may be
// added. The topic of help "output" describes each.
type jobView struct {
	JobID        string         `json:"job_id"`
	Kind         string         `json:"kind"`
	State        job.State      `json:"state"`
	Version      int64          `json:"version"`
	CreatedAt    time.Time      `json:"created_at"`
	EnqueuedAt   time.Time      `json:"enqueued_at"`
	SettledAt    time.Time      `json:"settled_at,omitzero"`
	Prompt       string         `json:"prompt,omitempty"`
	Model        string         `json:"model,omitempty"`
	ModelActual  string         `json:"model_actual,omitempty"`
	Delivery     string         `json:"delivery,omitempty"`
	Attempt      int64          `json:"attempt"`
	GenerationID string         `json:"generation_id,omitempty"`
	AcceptedAt   time.Time      `json:"accepted_at,omitzero"`
	Credits      *int64         `json:"credits"`
	FailoverUsed *bool          `json:"failover_used"`
	MayBeCharged bool           `json:"may_be_charged"`
	OutputURL    *string        `json:"output_url"`
	ErrorMessage string         `json:"error_message,omitempty"`
	Reason       *reasonView    `json:"reason,omitempty"`
	Archive      *archiveView   `json:"archive,omitempty"`
	Metadata     jsontext.Value `json:"metadata,omitempty"`
	Request      jsontext.Value `json:"request,omitempty"`
	Story        *story.Story   `json:"story,omitempty"`
}

type reasonView struct {
	Code         string `json:"code,omitempty"`
	Field        string `json:"field,omitempty"`
	Message      string `json:"message"`
	ClaimedJobID string `json:"claimed_job_id,omitempty"`
	Excerpt      string `json:"excerpt,omitempty"`
}

type archiveView struct {
	State       string `json:"state"`
	Bucket      string `json:"bucket,omitempty"`
	Key         string `json:"key,omitempty"`
	Size        int64  `json:"size,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	Message     string `json:"message,omitempty"`
}

func viewOf(j job.Job) jobView {
	v := jobView{
		JobID: j.ID, Kind: "job", State: j.State, Version: j.Version, CreatedAt: j.CreatedAt, EnqueuedAt: j.EnqueuedAt, SettledAt: j.SettledAt,
		Prompt: promptOf(j), Model: j.Model, ModelActual: j.Acceptance.ModelActual, Delivery: string(j.Delivery),
		Attempt: j.Attempt, GenerationID: j.GenerationID, AcceptedAt: j.AcceptedAt,
		Credits: story.Credits(j), FailoverUsed: j.Acceptance.FailoverUsed, MayBeCharged: story.MayBeCharged(j),
	}
	if j.Rejection {
		v.Kind = "rejection"
	}
	if r := j.Result; r != nil {
		v.OutputURL, v.ErrorMessage = r.OutputURL, r.ErrorMessage
		if r.Charge.ModelActual != "" {
			v.ModelActual = r.Charge.ModelActual
		}
		if r.Charge.FailoverUsed != nil {
			v.FailoverUsed = r.Charge.FailoverUsed
		}
	}
	if r := j.Reason; r != (job.Reason{}) {
		v.Reason = &reasonView{string(r.Code), r.Field, r.Message, r.ClaimedJobID, r.Excerpt}
	}
	if a := j.Archive; a.State != job.ArchiveNone {
		v.Archive = &archiveView{string(a.State), a.Bucket, a.Key, a.Size, a.SHA256, a.ContentType, a.Message}
	}
	if metadata := jsontext.Value(j.Metadata); metadata.IsValid() {
		v.Metadata = metadata
	}
	return v
}

// promptOf is what the video shows; empty for a refused message.
func promptOf(j job.Job) string {
	fields, err := request.Decode(j.Request)
	if err != nil {
		return ""
	}
	return fields.Prompt
}

// remark is the most telling thing about a job, for a table.
func remark(j job.Job) string {
	switch {
	case j.State == job.Failed && j.Result != nil:
		return j.Result.ErrorMessage
	case j.Reason.Message != "":
		return j.Reason.Message
	case !j.State.Settled() && len(j.History) > 0:
		return j.History[len(j.History)-1].Why
	}
	return promptOf(j)
}
