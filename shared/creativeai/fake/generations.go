package fake

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Statuses that the vendor's page names, and two that it does not: a client must take those as
// not finished yet.
const (
	statusPending    = "pending"
	statusQueued     = "queued"
	statusProcessing = "processing"
	statusCompleted  = "completed"
	statusFailed     = "failed"
)

// generation is one accepted submission. Its fields are guarded by Vendor.mu; those above the
// blank line never change.
type generation struct {
	id          string
	submission  submission
	key         string // the API key that paid for it
	keyName     string
	modelActual string
	failover    bool
	failure     string // the error it will end with; empty: it completes
	outputURL   string // what it will have when it completes
	base        string // of the vendor's own URLs
	acceptedAt  time.Time
	work        time.Duration // of the clock's time
	never       bool
	early       bool
	own         []*fault
	number      int // place among the accepted, from 0

	status      string // empty until the verdict
	completedAt time.Time
	sent        map[string]time.Time // when each status was sent
}

// accept takes a submission on: from here on it is paid for.
func (v *Vendor) accept(s submission, faults []*fault, key, keyName, base string, sameID bool) *generation {
	v.mu.Lock()
	g := &generation{
		id:          fmt.Sprintf("gen_%016x", v.random.Uint64()),
		submission:  s,
		key:         key,
		keyName:     keyName,
		modelActual: s.Model,
		base:        base,
		acceptedAt:  v.config.Now(),
		work:        v.scaled(shortestWork + time.Duration(v.random.Int64N(int64(longestWork-shortestWork)))),
		own:         faults,
		number:      len(v.generations),
		sent:        make(map[string]time.Time, 1),
	}
	if s.Model == "auto" {
		g.modelActual = "seedance-1.5-pro"
	}
	if sameID && g.number > 0 {
		g.id = v.generations[g.number-1].id
	}
	g.outputURL = base + videosPath + g.id + ".mp4"
	for _, f := range v.fire(onAccept, s.Prompt, faults, g.acceptedAt) {
		v.steer(g, f)
	}
	v.generations = append(v.generations, g)
	if v.byID[g.id] == nil {
		v.byID[g.id] = g
	}
	v.touch()
	v.mu.Unlock()
	if !g.never && !g.early {
		v.later(g.work, func() { v.run(v.settle(g)) })
	}
	return g
}

// steer applies a fault that changes the course of a generation.
func (v *Vendor) steer(g *generation, f *fault) {
	switch f.kind {
	case "fail":
		g.failure = f.arguments["message"]
	case "failover":
		g.failover, g.modelActual = true, f.arguments["model"]
	case "takes":
		g.work = v.scaled(f.duration("for"))
	case "never":
		g.never = true
	case "early":
		g.early = true
	case "output":
		g.outputURL = oddURL(f.arguments["url"], g)
	}
}

func oddURL(name string, g *generation) string {
	switch name {
	case "null":
		return nullURL
	case "empty":
		return ""
	case "relative":
		return videosPath + g.id + ".mp4"
	case "http":
		return "http://videos.creativeai.example/" + g.id + ".mp4"
	case "file":
		return "file:///etc/passwd"
	case "junk":
		return "not a URL: %zz"
	}
	return name
}

// nullURL stands for the JSON null, which differs from an empty output_url.
const nullURL = "\x00"

// settle gives a generation its verdict and plans its callbacks; nil if it has one already.
func (v *Vendor) settle(g *generation) *plan {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g.status != "" {
		return nil
	}
	g.status = statusCompleted
	if g.failure != "" {
		g.status = statusFailed
	}
	g.completedAt = v.config.Now()
	v.touch()
	return v.plan(g)
}

// Finish ends a generation now, such as one that would never end of itself, and sends its
// callbacks in the background. False: there is none with that id that has not ended.
func (v *Vendor) Finish(id string) bool {
	v.mu.Lock()
	g := v.byID[id]
	v.mu.Unlock()
	if g == nil {
		return false
	}
	p := v.settle(g)
	if p == nil {
		return false
	}
	v.later(0, func() { v.run(p) })
	return true
}

// progress is what a GET tells at a time.
func (g *generation) progress(now time.Time) string {
	switch {
	case g.status != "":
		return g.status
	case now.Sub(g.acceptedAt) < g.work/4:
		return statusQueued
	}
	return statusProcessing
}

// opposite returns the verdict that contradicts status.
func opposite(status string) string {
	if status == statusFailed {
		return statusCompleted
	}
	return statusFailed
}

// outcome returns output_url and error as a verdict tells them; nil is null.
func (g *generation) outcome(status string) (outputURL, failure any) {
	switch {
	case status == statusFailed:
		return nil, cmp.Or(g.failure, "The provider withdrew this video.")
	case status == statusCompleted && g.outputURL != nullURL:
		return g.outputURL, nil
	}
	return nil, nil
}

// acceptance is the body of the 202. The last two members are not on the vendor's page.
func (g *generation) acceptance() object {
	return object{}.
		add("id", g.id).
		add("object", "video.generation").
		add("status", statusPending).
		add("model", g.submission.Model).
		add("model_actual", g.modelActual).
		add("credits", g.submission.credits()).
		add("failover_used", g.failover).
		add("created_at", timestamp(g.acceptedAt)).
		add("queue", map[string]int{"position": g.number % 7})
}

// state is the body of a GET. The caller holds Vendor.mu.
func (g *generation) state(now time.Time) object {
	status := g.progress(now)
	outputURL, failure := g.outcome(status)
	o := object{}.
		add("id", g.id).
		add("object", "video.generation").
		add("status", status).
		add("model", g.submission.Model).
		add("model_actual", g.modelActual).
		add("prompt", g.submission.Prompt).
		add("output_url", outputURL).
		add("credits", g.submission.credits()).
		add("failover_used", g.failover).
		add("created_at", timestamp(g.acceptedAt))
	if status == statusFailed {
		o = o.add("error", failure)
	}
	if g.status != "" {
		o = o.add("completed_at", timestamp(g.completedAt))
	}
	return o.add("provider_trace", []string{strings.ToLower(g.modelActual)})
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
