package fake

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

const (
	generationsPath = "/v1/video/generations"
	videosPath      = "/videos/"
)

// submit answers POST /v1/video/generations. The order is that of a careful vendor: who is it,
// is the request sound, are we willing, and only then is anything accepted.
func (v *Vendor) submit(w http.ResponseWriter, r *http.Request) {
	rec := v.record(w, r, "submit")
	defer rec.finish()
	keyName, key := v.bearer(r.Header)
	rec.note(func(q *Request) { q.Key = keyName })
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSubmission))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			refuse(rec, http.StatusRequestEntityTooLarge, "too_large", "the body is over 1 MiB")
		}
		return // else the client has gone
	}
	if key == "" {
		refuse(rec, http.StatusUnauthorized, "invalid_api_key", "the API key is "+keyName)
		return
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), jsonType) {
		refuse(rec, http.StatusUnsupportedMediaType, "unsupported_media_type", "the Content-Type must be application/json")
		return
	}
	s, own, err := decodeSubmission(body)
	rec.note(func(q *Request) { q.Prompt, q.PromptSHA256, q.WebhookURL = s.Prompt, digest(s.Prompt), s.WebhookURL })
	if err != nil {
		problem := asRefusal(err)
		refuse(rec, problem.status, problem.code, problem.message)
		return
	}
	_, dialled := rec.ResponseWriter.(*exchange)
	before, after := v.submitFaults(s, own, dialled)
	rec.strike(before)
	rec.strike(after)
	out, done := v.disturb(rec, r, before)
	if done {
		return
	}
	g := v.accept(s, own, key, keyName, v.base(r), has(after, "same-id")) //nolint:contextcheck // its work outlives the request
	rec.note(func(q *Request) { q.GenerationID, q.Credits, q.Accepted = g.id, s.credits(), true })
	if g.early {
		v.run(v.settle(g)) //nolint:contextcheck // the callback does not depend on the client
	}
	if out, done = v.disturb(out, r, after); done {
		return
	}
	acknowledge(out, g, after)
}

// submitFaults fires the faults of a submission and splits them into those before and those
// after its acceptance. Over a socket, where no connection can be refused any more, the fault
// refuse is one of them; Transport has asked for it already.
func (v *Vendor) submitFaults(s submission, own []*fault, dialled bool) (before, after []*fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	job := v.job(s, own)
	if !dialled {
		before = v.fire(onDial, s.Prompt, job.list, job.since)
	}
	for _, f := range v.fire(onSubmit, s.Prompt, job.list, job.since) {
		if f.accepted() {
			after = append(after, f)
		} else {
			before = append(before, f)
		}
	}
	return before, after
}

func has(faults []*fault, kind string) bool {
	for _, f := range faults {
		if f.kind == kind {
			return true
		}
	}
	return false
}

// acknowledge answers an accepted submission, as oddly as it should.
func acknowledge(w http.ResponseWriter, g *generation, faults []*fault) {
	status, body := http.StatusAccepted, g.acceptance()
	for _, f := range faults {
		if f.kind != "answer" {
			continue
		}
		status = f.count("status")
		body = oddID(body, f.arguments["id"])
		switch f.arguments["body"] {
		case "empty":
			answer(w, status, jsonType, nil)
			return
		case "array":
			answer(w, status, jsonType, []byte("["+string(body.encode())+"]"))
			return
		case "junk":
			answer(w, status, jsonType, []byte(`{"id": "gen_`))
			return
		}
	}
	answer(w, status, jsonType, body.encode())
}

func oddID(body object, name string) object {
	switch name {
	case "":
		return body
	case "none":
		return body.set("id", "")
	case "empty":
		return body.set("id", `""`)
	case "null":
		return body.set("id", "null")
	case "number":
		return body.set("id", "12345")
	case "object":
		return body.set("id", `{"id":"gen_1"}`)
	case "huge":
		return body.set("id", `"gen_`+strings.Repeat("9", 64<<10)+`"`)
	}
	return body.set("id", string(quote(name)))
}

// get answers GET /v1/video/generations/{id}.
func (v *Vendor) get(w http.ResponseWriter, r *http.Request) {
	rec := v.record(w, r, "get")
	defer rec.finish()
	keyName, key := v.bearer(r.Header)
	id := r.PathValue("id")
	rec.note(func(q *Request) { q.Key, q.GenerationID = keyName, id })
	if key == "" {
		refuse(rec, http.StatusUnauthorized, "invalid_api_key", "the API key is "+keyName)
		return
	}
	v.mu.Lock()
	g := v.byID[id]
	faults := v.fireFor(onGet, g)
	v.mu.Unlock()
	rec.strike(faults)
	out, done := v.disturb(rec, r, faults)
	if done {
		return
	}
	if g == nil {
		refuse(out, http.StatusNotFound, "not_found", "there is no generation "+id)
		return
	}
	v.mu.Lock()
	body := g.state(v.config.Now())
	v.mu.Unlock()
	for _, f := range faults {
		if f.kind == "status" {
			body = body.set("status", string(quote(f.arguments["is"])))
		}
		body = oddBody(body, f)
	}
	answer(out, http.StatusOK, jsonType, body.encode())
}

// fireFor fires the faults of a generation, which may be nil. The caller holds mu.
func (v *Vendor) fireFor(at place, g *generation) []*fault {
	if g == nil {
		return v.fire(at, "", nil, v.config.Now())
	}
	since := g.acceptedAt
	if at == onVideo {
		since = g.completedAt
	}
	return v.fire(at, g.submission.Prompt, g.own, since)
}

// oddBody applies the faults field and duplicate-name.
func oddBody(body object, f *fault) object {
	switch f.kind {
	case "field":
		return body.set(f.arguments["name"], f.arguments["value"])
	case "duplicate-name":
		return append(body, member{f.arguments["name"], []byte(f.arguments["value"])})
	}
	return body
}

// base is what the vendor's own URLs begin with, for a request that came to r.
func (v *Vendor) base(r *http.Request) string {
	switch {
	case v.config.BaseURL != "":
		return strings.TrimSuffix(v.config.BaseURL, "/")
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
