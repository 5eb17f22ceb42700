package store

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
)

// item is one row of the table.
type item = map[string]types.AttributeValue

// record is a job as the table holds it. Times are in milliseconds since 1970,
// but for expires_at: DynamoDB's TTL wants seconds.
type record struct {
	PK           string   `dynamodbav:"pk"`
	Rejection    bool     `dynamodbav:"rejection,omitempty"`
	State        string   `dynamodbav:"state"`
	Version      int64    `dynamodbav:"version"`
	Token        string   `dynamodbav:"token,omitempty"`
	Request      string   `dynamodbav:"request,omitempty"`
	PayloadHash  string   `dynamodbav:"payload_hash,omitempty"`
	Model        string   `dynamodbav:"model,omitempty"`
	Metadata     string   `dynamodbav:"metadata,omitempty"`
	Delivery     string   `dynamodbav:"delivery,omitempty"`
	CreatedAt    int64    `dynamodbav:"created_at"`
	CreatedShard string   `dynamodbav:"created_shard"`
	EnqueuedAt   int64    `dynamodbav:"enqueued_at,omitempty"`
	Attempt      int64    `dynamodbav:"attempt,omitempty"`
	ClaimID      string   `dynamodbav:"claim_id,omitempty"`
	ClaimedAt    int64    `dynamodbav:"claimed_at,omitempty"`
	ClaimUntil   int64    `dynamodbav:"claim_until,omitempty"`
	RetryAt      int64    `dynamodbav:"retry_at,omitempty"`
	GenerationID string   `dynamodbav:"generation_id,omitempty"`
	AcceptedAt   int64    `dynamodbav:"accepted_at,omitempty"`
	Acceptance   *charge  `dynamodbav:"acceptance,omitempty"`
	Result       *result  `dynamodbav:"result,omitempty"`
	Callback     []byte   `dynamodbav:"callback,omitempty"`
	Reason       *reason  `dynamodbav:"reason,omitempty"`
	SettledAt    int64    `dynamodbav:"settled_at,omitempty"`
	Archive      *archive `dynamodbav:"archive,omitempty"`
	History      []step   `dynamodbav:"history"`
	Owed         []owed   `dynamodbav:"owed,omitempty"`
	Unpublished  int64    `dynamodbav:"unpublished,omitempty"`
	DueAt        int64    `dynamodbav:"due_at,omitempty"`
	DueShard     string   `dynamodbav:"due_shard"`
	LeaseID      string   `dynamodbav:"lease_id,omitempty"`
	Looks        int64    `dynamodbav:"looks,omitempty"`
	ExpiresAt    int64    `dynamodbav:"expires_at"`
}

type charge struct {
	ModelActual  string `dynamodbav:"model_actual,omitempty"`
	Credits      *int64 `dynamodbav:"credits,omitempty"`
	FailoverUsed *bool  `dynamodbav:"failover_used,omitempty"`
}

type result struct {
	OutputURL        *string `dynamodbav:"output_url,omitempty"`
	OutputURLProblem string  `dynamodbav:"output_url_problem,omitempty"`
	ErrorMessage     string  `dynamodbav:"error_message,omitempty"`
	Charge           charge  `dynamodbav:"charge"`
	CompletedAt      string  `dynamodbav:"completed_at,omitempty"`
	Via              string  `dynamodbav:"via"`
}

type reason struct {
	Code         string `dynamodbav:"code,omitempty"`
	Field        string `dynamodbav:"field,omitempty"`
	Message      string `dynamodbav:"message,omitempty"`
	ClaimedJobID string `dynamodbav:"claimed_job_id,omitempty"`
	Excerpt      string `dynamodbav:"excerpt,omitempty"`
}

type archive struct {
	State       string `dynamodbav:"state"`
	Bucket      string `dynamodbav:"bucket,omitempty"`
	Key         string `dynamodbav:"key,omitempty"`
	Size        int64  `dynamodbav:"size,omitempty"`
	SHA256      string `dynamodbav:"sha256,omitempty"`
	ContentType string `dynamodbav:"content_type,omitempty"`
	URL         string `dynamodbav:"url,omitempty"`
	URLEnd      int64  `dynamodbav:"url_expires_at,omitempty"`
	Code        string `dynamodbav:"code,omitempty"`
	Message     string `dynamodbav:"message,omitempty"`
	At          int64  `dynamodbav:"at,omitempty"`
}

// step has no version in an item that a callback settled, since that write
// reads nothing: there it is the item's own version.
type step struct {
	Version int64  `dynamodbav:"version,omitempty"`
	State   string `dynamodbav:"state"`
	At      int64  `dynamodbav:"at"`
	Why     string `dynamodbav:"why"`
}

// owed has no version in an item that a callback settled, like a step.
type owed struct {
	Version      int64  `dynamodbav:"version,omitempty"`
	Type         string `dynamodbav:"type"`
	At           int64  `dynamodbav:"at"`
	Stage        string `dynamodbav:"stage,omitempty"`
	MayBeCharged bool   `dynamodbav:"may_be_charged,omitempty"`
	Message      string `dynamodbav:"message,omitempty"`
	Again        bool   `dynamodbav:"again,omitempty"`
}

// encode is the row of a job.
func encode(j job.Job) (item, error) {
	it, err := attributevalue.MarshalMap(toRecord(j))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", j.Key(), err)
	}
	return it, nil
}

// decode is the job of a row.
func decode(it item) (job.Job, error) {
	var r record
	if err := attributevalue.UnmarshalMap(it, &r); err != nil {
		return job.Job{}, fmt.Errorf("decode a job: %w", err)
	}
	return r.job()
}

func toRecord(j job.Job) record {
	return record{
		PK: j.Key(), Rejection: j.Rejection, State: string(j.State), Version: j.Version, Token: j.Token,
		Request: j.Request, PayloadHash: j.PayloadHash, Model: j.Model, Metadata: j.Metadata,
		Delivery:  string(j.Delivery),
		CreatedAt: millis(j.CreatedAt), CreatedShard: createdShard(j.Key(), j.CreatedAt), EnqueuedAt: millis(j.EnqueuedAt),
		Attempt: j.Attempt, ClaimID: j.ClaimID, ClaimedAt: millis(j.ClaimedAt), ClaimUntil: millis(j.ClaimUntil),
		RetryAt: millis(j.RetryAt), GenerationID: j.GenerationID, AcceptedAt: millis(j.AcceptedAt),
		Acceptance: orNil(charge(j.Acceptance)), Result: toResult(j.Result), Callback: j.Callback,
		Reason:    orNil(toReason(j.Reason)),
		SettledAt: millis(j.SettledAt), Archive: orNil(toArchive(j.Archive)), History: toSteps(j.History),
		Owed: toOwed(j.Owed), Unpublished: unpublished(j),
		DueAt: millis(j.DueAt), DueShard: dueShard(j.Key()), LeaseID: j.LeaseID, Looks: j.Looks, ExpiresAt: j.ExpiresAt.Unix(),
	}
}

func (r record) job() (job.Job, error) {
	j := job.Job{
		Rejection: r.Rejection, State: job.State(r.State), Version: r.Version, Token: r.Token,
		Request: r.Request, PayloadHash: r.PayloadHash, Model: r.Model, Metadata: r.Metadata,
		Delivery:  events.Delivery(r.Delivery),
		CreatedAt: fromMillis(r.CreatedAt), EnqueuedAt: fromMillis(r.EnqueuedAt),
		Attempt: r.Attempt, ClaimID: r.ClaimID, ClaimedAt: fromMillis(r.ClaimedAt), ClaimUntil: fromMillis(r.ClaimUntil),
		RetryAt: fromMillis(r.RetryAt), GenerationID: r.GenerationID, AcceptedAt: fromMillis(r.AcceptedAt),
		Acceptance: job.Charge(orZero(r.Acceptance)), Result: r.Result.job(), Callback: r.Callback,
		Reason:    orZero(r.Reason).job(),
		SettledAt: fromMillis(r.SettledAt), Archive: orZero(r.Archive).job(), History: fromSteps(r.History, r.Version),
		Owed:  fromOwed(r.Owed, r.Unpublished),
		DueAt: fromMillis(r.DueAt), LeaseID: r.LeaseID, Looks: r.Looks, ExpiresAt: time.Unix(r.ExpiresAt, 0).UTC(),
	}
	prefix, id, ok := strings.Cut(r.PK, "#")
	if !ok || (prefix != "job" && prefix != "rejection") || r.Version == 0 {
		return job.Job{}, fmt.Errorf("decode a job: %q is not a job's row", r.PK)
	}
	j.ID = id
	return j, nil
}

func toResult(r *job.Result) *result {
	if r == nil {
		return nil
	}
	return &result{
		OutputURL: r.OutputURL, OutputURLProblem: r.OutputURLProblem, ErrorMessage: r.ErrorMessage,
		Charge: charge(r.Charge), CompletedAt: r.CompletedAt, Via: string(r.Via),
	}
}

func (r *result) job() *job.Result {
	if r == nil {
		return nil
	}
	return &job.Result{
		OutputURL: r.OutputURL, OutputURLProblem: r.OutputURLProblem, ErrorMessage: r.ErrorMessage,
		Charge: job.Charge(r.Charge), CompletedAt: r.CompletedAt, Via: events.Via(r.Via),
	}
}

func toReason(r job.Reason) reason {
	return reason{
		Code: string(r.Code), Field: r.Field, Message: r.Message, ClaimedJobID: r.ClaimedJobID, Excerpt: r.Excerpt,
	}
}

func (r reason) job() job.Reason {
	return job.Reason{
		Code: events.RejectionCode(r.Code), Field: r.Field, Message: r.Message,
		ClaimedJobID: r.ClaimedJobID, Excerpt: r.Excerpt,
	}
}

func toArchive(a job.Archive) archive {
	return archive{
		State: string(a.State), Bucket: a.Bucket, Key: a.Key, Size: a.Size, SHA256: a.SHA256,
		ContentType: a.ContentType, URL: a.URL, URLEnd: millis(a.URLExpiresAt),
		Code: a.Code, Message: a.Message, At: millis(a.At),
	}
}

func (a archive) job() job.Archive {
	return job.Archive{
		State: job.ArchiveState(a.State), Bucket: a.Bucket, Key: a.Key, Size: a.Size, SHA256: a.SHA256,
		ContentType: a.ContentType, URL: a.URL, URLExpiresAt: fromMillis(a.URLEnd),
		Code: a.Code, Message: a.Message, At: fromMillis(a.At),
	}
}

func toSteps(in []job.Step) []step {
	out := make([]step, len(in))
	for i, s := range in {
		out[i] = step{Version: s.Version, State: string(s.State), At: millis(s.At), Why: s.Why}
	}
	return out
}

func fromSteps(in []step, version int64) []job.Step {
	out := make([]job.Step, len(in))
	for i, s := range in {
		if s.Version == 0 {
			s.Version = version
		}
		out[i] = job.Step{Version: s.Version, State: job.State(s.State), At: fromMillis(s.At), Why: s.Why}
	}
	return out
}

func toOwed(in []job.Owed) []owed {
	out := make([]owed, len(in))
	for i, o := range in {
		out[i] = owed{
			Version: o.Version, Type: string(o.Type), At: millis(o.At), Stage: string(o.Stage),
			MayBeCharged: o.MayBeCharged, Message: o.Message, Again: o.Again,
		}
	}
	return out
}

func fromOwed(in []owed, version int64) []job.Owed {
	var out []job.Owed
	for _, o := range in {
		if o.Version == 0 {
			o.Version = version
		}
		out = append(out, job.Owed{
			Version: o.Version, Type: events.DetailType(o.Type), At: fromMillis(o.At), Stage: job.State(o.Stage),
			MayBeCharged: o.MayBeCharged, Message: o.Message, Again: o.Again,
		})
	}
	return out
}

// unpublished is the outbox marker: the version that last owed an event.
func unpublished(j job.Job) int64 {
	if len(j.Owed) == 0 {
		return 0
	}
	return j.Owed[len(j.Owed)-1].Version
}

func orNil[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

func orZero[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// Shard is the partition of the indexes that a key falls into, 0 to Shards-1.
func Shard(key string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // a hash never fails to write
	return int(h.Sum32() % Shards)
}

func dueShard(key string) string { return fmt.Sprintf("due#%d", Shard(key)) }

func createdShard(key string, at time.Time) string {
	return fmt.Sprintf("%s#%d", at.UTC().Format(time.DateOnly), Shard(key))
}
