package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
)

// published is an event as a consumer sees it.
type published struct {
	kind     events.DetailType
	id       string
	jobID    string
	version  int64
	metadata string
}

// judge holds everything that happened against the promises.
func (w *world) judge(send []sending) (broken []string) {
	add := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	jobs, out := w.table.Jobs(), w.published()
	for _, s := range send {
		w.judgeMessage(add, s, jobs, out)
	}
	for _, j := range jobs {
		judgeJob(add, j, out)
	}
	w.judgeMoney(add)
	w.judgeResults(add, jobs)
	w.judgeCallbacks(add, jobs)
	w.judgeTime(add, jobs, out)
	w.judgeVideos(add, jobs, out)
	w.judgeBreaker(add)
	w.judgeLeases(add)
	broken = append(broken, w.broken...)
	if n := w.queue.len(); n > 0 {
		add("P1: %d messages are still on the queue", n)
	}
	if len(w.queue.dead)+w.poison.len() > 0 {
		add("P1: %d messages in the dead-letter queue, %d poison records", len(w.queue.dead), w.poison.len())
	}
	return broken
}

// published reads the bus, each event once, in the order it was first put there.
func (w *world) published() []published {
	var out []published
	for _, e := range w.bus.on {
		var d events.Event[struct {
			Metadata json.RawMessage `json:"metadata"`
		}]
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			panic(err)
		}
		p := published{e.DetailType, d.Metadata.EventID, d.Metadata.JobID, d.Metadata.JobVersion, string(d.Data.Metadata)}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// judgeMessage: a message is the job's own, or has a rejection of its own.
func (w *world) judgeMessage(add func(string, ...any), s sending, jobs map[string]job.Job, out []published) {
	r, err := request.Parse(s.body, s.id)
	if err == nil {
		if j, ok := jobs[job.Key(r.JobID)]; ok && j.PayloadHash == r.Hash {
			if j.Metadata != string(r.Metadata) {
				add("P1: the metadata of %s are %s", j.ID, j.Metadata)
			}
			return
		}
	}
	j, ok := jobs[job.Job{ID: s.id, Rejection: true}.Key()]
	if !ok {
		add("P1: message %s has neither job nor rejection: %s", s.id, s.body)
		return
	}
	if !slices.ContainsFunc(out, func(p published) bool { return p.jobID == s.id && p.kind == events.TypeRejected }) {
		add("P1: the rejection of %s has no event: %+v", s.id, j.Reason)
	}
}

// judgeJob: one verdict that stands, its events out in order, nothing left to do.
func judgeJob(add func(string, ...any), j job.Job, out []published) {
	var verdicts []events.DetailType
	last := int64(0)
	for _, p := range out {
		if p.jobID != j.ID || !strings.HasPrefix(p.id, fmt.Sprintf("%s:%d:", j.ID, j.CreatedAt.UnixMilli())) {
			continue
		}
		if p.version <= last {
			add("P3: event %s of %s came after version %d", p.id, j.Key(), last)
		}
		last = p.version
		if p.kind != events.TypeAccepted && p.kind != events.TypeArchived && p.kind != events.TypeArchiveFailed {
			verdicts = append(verdicts, p.kind)
		}
		if want := j.Metadata; want != "" && p.metadata != want {
			add("P1: event %s has metadata %s, want %s", p.id, p.metadata, want)
		}
	}
	want := map[job.State]events.DetailType{
		job.Completed: events.TypeCompleted, job.Failed: events.TypeFailed, job.Rejected: events.TypeRejected, job.Expired: events.TypeExpired,
	}[j.State]
	late := len(verdicts) == 2 && verdicts[0] == events.TypeExpired && verdicts[1] != events.TypeExpired
	switch {
	case !j.State.Settled():
		add("P1: %s is %s for ever: %+v", j.Key(), j.State, j.History)
	case len(verdicts) == 0 || verdicts[len(verdicts)-1] != want || (len(verdicts) != 1 && !late):
		add("P1: %s is %s, and its verdicts on the bus are %q", j.Key(), j.State, verdicts)
	}
	if j.State == job.Expired && j.Reason.Message == expiredQueued {
		add("P1: %s waited for its message for 7 days, and the faults were over long before", j.Key())
	}
	if !j.DueAt.IsZero() || len(j.Owed) > 0 {
		add("P3: %s is due %v and owes %v", j.Key(), j.DueAt, j.Owed)
	}
}

// expiredQueued is the reason of a job that expired before it was accepted.
const expiredQueued = "the vendor did not accept the prompt by the deadline; nothing was paid"

// judgeMoney: at most one acceptance a job.
func (w *world) judgeMoney(add func(string, ...any)) {
	for what, generations := range w.vendor.Ledger().PaidTwice() {
		add("P2: %q was paid for %d times", what, len(generations))
	}
}

// judgeResults: what the vendor finished, and we could know of, is the job's verdict.
func (w *world) judgeResults(add func(string, ...any), jobs map[string]job.Job) {
	made := map[string]fake.Generation{}
	for _, g := range w.vendor.Ledger().Generations {
		made[g.ID] = g
	}
	for _, j := range jobs {
		g, known := made[j.GenerationID]
		switch {
		case j.GenerationID == "", strings.Contains(g.Prompt, "callback-contradict"):
			continue // unknown to us, or the first of two verdicts to arrive stands
		case !known:
			add("P4: %s has generation %s, which the vendor does not know", j.Key(), j.GenerationID)
		case g.Prompt != prompt(j) && (!strings.Contains(g.Prompt, "to=previous") || wasAccepted(j)):
			add("P4: %s has generation %s, which is of the prompt %q", j.Key(), j.GenerationID, g.Prompt)
		case g.Status == "completed" && j.State != job.Completed, g.Status == "failed" && j.State != job.Failed:
			if g.CompletedAt.Before(j.CreatedAt.Add(70 * time.Hour)) {
				add("P3: %s is %s, and the vendor says %s of %s", j.Key(), j.State, g.Status, g.ID)
			}
		case (j.State == job.Completed || j.State == job.Failed) && g.Status != string(j.State):
			add("P4: %s is %s, and the vendor says %s of %s", j.Key(), j.State, g.Status, g.ID)
		}
	}
}

// wasAccepted says whether we knew the job's own generation before its verdict. If
// not, a callback of another's that the vendor sends to its very URL is believed.
func wasAccepted(j job.Job) bool {
	return slices.ContainsFunc(j.History, func(s job.Step) bool { return s.State == job.Processing })
}

// judgeTime: a job that we know the generation of, and whose generation ended in
// good time and after the faults, does not expire first, unless it is given up.
func (w *world) judgeTime(add func(string, ...any), jobs map[string]job.Job, out []published) {
	for _, g := range w.vendor.Ledger().Generations {
		for _, j := range jobs {
			soon := g.CompletedAt.Before(j.AcceptedAt.Add(30*time.Minute)) && w.chaos.ends.Before(j.AcceptedAt.Add(30*time.Minute))
			if j.GenerationID != g.ID || gaveUp(j) || !soon || g.CompletedAt.IsZero() || strings.Contains(g.Prompt, "fault: get-") {
				continue
			}
			if slices.ContainsFunc(out, func(p published) bool { return p.jobID == j.ID && p.kind == events.TypeExpired }) {
				add("P3: %s expired, though the vendor had finished %s long before", j.Key(), g.ID)
			}
		}
	}
	for _, in := range w.ended {
		j := jobs[job.Key(in.JobID)]
		if j.GenerationID == "" && j.State != job.Rejected && j.Attempt == in.Attempt {
			add("P3: a loop ended, and %s never learned of its generation %s", j.Key(), in.GenerationID)
		}
	}
}

// judgeCallbacks: a signed verdict that was answered 2xx is stored, or kept in
// quarantine; one that is not signed was refused.
func (w *world) judgeCallbacks(add func(string, ...any), jobs map[string]job.Job) {
	held := w.table.Quarantined()
	for _, c := range w.callbacks {
		if c.valid && c.status == http.StatusUnauthorized {
			add("P4: a callback signed with a key in force was answered 401: %s", c.body)
		}
		if !c.signed {
			if c.status != http.StatusUnauthorized && c.status != http.StatusServiceUnavailable && c.status != http.StatusRequestEntityTooLarge {
				add("P4: an unsigned callback was answered %d: %s", c.status, c.body)
			}
			continue
		}
		if c.status != http.StatusOK {
			continue
		}
		var said struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		}
		if err := json.Unmarshal(c.body, &said); err != nil {
			add("P3: %d for a body that is no JSON: %s", c.status, c.body)
			continue
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(c.path, "/webhooks/creativeai/"), "/")
		j := jobs[job.Key(id)]
		stored := j.GenerationID == said.ID && string(j.State) == said.Status
		_, kept := held[(store.Quarantined{Path: c.path, Body: c.body}).Key()]
		if !stored && !kept {
			add("P3: the callback to %s, answered 200, is neither stored nor in quarantine: %s", c.path, c.body)
		}
	}
}

// judgeBreaker: after an answer that was none, a process leaves the vendor alone for a while.
func (w *world) judgeBreaker(add func(string, ...any)) {
	last := map[string]post{}
	for _, p := range w.posts {
		if before, ok := last[p.instance]; ok && before.held && p.at.Sub(before.at) < 3*time.Second {
			add("breaker: %s posted %v after a POST without an answer", p.instance, p.at.Sub(before.at))
		}
		last[p.instance] = p
	}
}

// judgeLeases: a lease lets only one of two reconcilers ask about a job.
func (w *world) judgeLeases(add func(string, ...any)) {
	last := map[string]ask{}
	for _, a := range w.asks {
		if before, ok := last[a.path]; ok && before.instance != a.instance && a.at.Sub(before.at) < 10*time.Second {
			add("lease: %s and %s asked about %s within %v", before.instance, a.instance, a.path, a.at.Sub(before.at))
		}
		last[a.path] = a
	}
}
