// Package webhook takes the vendor's callbacks: it believes what is signed, and
// answers 2xx only for what is stored (promises P3 and P4).
package webhook

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

// MaxBody is the size of the largest callback, in bytes: a job's row, which
// keeps it beside the request, must stay under DynamoDB's 400 KB.
const MaxBody = 128 << 10

// prefix is the path that callbacks arrive under, before job id and token.
const prefix = "/webhooks/creativeai/"

type jobs interface {
	Settle(ctx context.Context, id string, v job.Verdict) error
	Quarantine(ctx context.Context, q store.Quarantined) error
}

type keys interface {
	Pair(ctx context.Context) (current, previous string, err error)
	Refresh(ctx context.Context) error
}

// Deps are what the function works with.
type Deps struct {
	Jobs    jobs
	Keys    keys
	Log     *slog.Logger
	Metrics metric.Sink
	Now     func() time.Time
}

// Handler is the function.
type Handler struct{ Deps }

// New checks what it is given.
func New(d Deps) (*Handler, error) {
	if d.Jobs == nil || d.Keys == nil || d.Log == nil || d.Now == nil {
		return nil, errors.New("webhook: something it works with is missing")
	}
	return &Handler{Deps: d}, nil
}

// The answers. Their bodies are constant: a caller who cannot sign learns nothing.
func received() lambda.APIGatewayV2HTTPResponse {
	return answer(http.StatusOK, `{"received":true}`)
}

func refused(status int) lambda.APIGatewayV2HTTPResponse {
	return answer(status, `{"error":"`+strings.ToLower(http.StatusText(status))+`"}`)
}

func answer(status int, body string) lambda.APIGatewayV2HTTPResponse {
	return lambda.APIGatewayV2HTTPResponse{
		StatusCode: status, Headers: map[string]string{"content-type": "application/json"}, Body: body,
	}
}

// Handle answers one callback. It returns no error: API Gateway would turn one
// into a 500 of its own.
func (h *Handler) Handle(ctx context.Context, r lambda.APIGatewayV2HTTPRequest) (lambda.APIGatewayV2HTTPResponse, error) {
	body, status := read(r)
	if status != 0 {
		return refused(status), nil
	}
	if status := h.verify(ctx, body, header(r)); status != 0 {
		return refused(status), nil
	}
	return h.take(ctx, r.RawPath, body), nil
}

// read undoes base64 and bounds the size, before anything is hashed.
func read(r lambda.APIGatewayV2HTTPRequest) (body []byte, status int) {
	if !r.IsBase64Encoded {
		if len(r.Body) > MaxBody {
			return nil, http.StatusRequestEntityTooLarge
		}
		return []byte(r.Body), 0
	}
	if base64.StdEncoding.DecodedLen(len(r.Body)) > MaxBody+2 {
		return nil, http.StatusRequestEntityTooLarge
	}
	body, err := base64.StdEncoding.DecodeString(r.Body)
	switch {
	case err != nil:
		return nil, http.StatusBadRequest
	case len(body) > MaxBody:
		return nil, http.StatusRequestEntityTooLarge
	}
	return body, 0
}

// header is the signature. HTTP API hands names over in lower case; a name is
// matched in any case all the same.
func header(r lambda.APIGatewayV2HTTPRequest) string {
	for name, value := range r.Headers {
		if strings.EqualFold(name, creativeai.SignatureHeader) {
			return value
		}
	}
	return ""
}

// verify is 0 when the body is signed with a key of ours. If no key at hand
// fits, the secret is read again: it may have been rotated a moment ago.
func (h *Handler) verify(ctx context.Context, body []byte, signature string) (status int) {
	current, previous, err := h.Keys.Pair(ctx)
	if err != nil {
		h.Log.ErrorContext(ctx, "no key to verify callbacks with: put the vendor's key into the secret; the vendor tries again", slog.Any("error", err))
		return http.StatusServiceUnavailable
	}
	if creativeai.Verify(body, signature, current, previous) == nil {
		return 0
	}
	if err := h.Keys.Refresh(ctx); err != nil {
		h.Log.ErrorContext(ctx, "the keys could not be read again; the vendor tries again", slog.Any("error", err))
		return http.StatusServiceUnavailable
	}
	current, previous, err = h.Keys.Pair(ctx)
	if err != nil {
		h.Log.ErrorContext(ctx, "no key to verify callbacks with; the vendor tries again", slog.Any("error", err))
		return http.StatusServiceUnavailable
	}
	err = creativeai.Verify(body, signature, current, previous)
	if errors.Is(err, creativeai.ErrNoKey) {
		h.Log.ErrorContext(ctx, "the key is empty and verifies nothing: put the vendor's key into the secret; the vendor tries again")
		return http.StatusServiceUnavailable
	}
	if err != nil {
		h.Metrics.Count(env.MetricSignatureFailed, 1)
		h.Log.WarnContext(ctx, "a callback whose signature fits no key of ours", slog.Int("bytes", len(body)))
		return http.StatusUnauthorized
	}
	return 0
}

// take stores what a signed callback says.
func (h *Handler) take(ctx context.Context, path string, body []byte) lambda.APIGatewayV2HTTPResponse {
	g, err := creativeai.ParseCallback(body)
	if err != nil {
		h.Log.ErrorContext(ctx, "a signed callback that is no generation", slog.Any("error", err))
		return refused(http.StatusBadRequest)
	}
	log := h.Log.With(slog.String("generation_id", g.ID), slog.String("status", g.Status))
	v, final := verdict.Of(g, h.Now())
	if !final {
		log.InfoContext(ctx, "a callback without a verdict")
		return received()
	}
	id, token, ok := address(path)
	if !ok {
		return h.quarantine(ctx, log, path, body, "its path names no job")
	}
	log = log.With(slog.String("job_id", id))
	v.Token, v.Body = token, body
	err = h.Jobs.Settle(ctx, id, v)
	switch {
	case err == nil:
		log.InfoContext(ctx, "settled by a callback")
		return received()
	case errors.Is(err, job.ErrDuplicate):
		log.InfoContext(ctx, "a repeat of a callback that is stored")
		return received()
	case errors.Is(err, job.ErrForeign), errors.Is(err, job.ErrContradiction), errors.Is(err, store.ErrNotFound):
		return h.quarantine(ctx, log, path, body, err.Error())
	}
	log.ErrorContext(ctx, "the callback could not be stored; the vendor tries again", slog.Any("error", err))
	return refused(http.StatusServiceUnavailable)
}

// address reads job id and token from the path. HTTP API routes cannot end in a
// slash, so the path is parsed here.
func address(path string) (id, token string, ok bool) {
	stage, rest, found := strings.Cut(path, prefix)
	// The path starts with the API's stage, unless that is $default.
	found = found && (stage == "" || (stage[0] == '/' && plain(stage[1:])))
	id, token, cut := strings.Cut(rest, "/")
	return id, token, found && cut && plain(id) && plain(token)
}

// plain is what our own ids and tokens are made of.
func plain(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// quarantine keeps a signed callback that fits no job, or contradicts one.
func (h *Handler) quarantine(ctx context.Context, log *slog.Logger, path string, body []byte, why string) lambda.APIGatewayV2HTTPResponse {
	err := h.Jobs.Quarantine(ctx, store.Quarantined{Path: path, Body: body, Reason: why, At: h.Now()})
	if err != nil {
		log.ErrorContext(ctx, "a callback could not be put into quarantine; the vendor tries again", slog.Any("error", err))
		return refused(http.StatusServiceUnavailable)
	}
	h.Metrics.Count(env.MetricQuarantined, 1)
	log.ErrorContext(ctx, "a signed callback is in quarantine", slog.String("reason", why))
	return received()
}
