// Package report sums up the jobs of a time: how many and how they ended, how
// long they took and where, by model, with their credits and what AWS charges
// about; as numbers, and as one self-contained HTML page.
package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
)

// Report gathers jobs. Its zero value is of no use: see [New].
type Report struct {
	since, until time.Time

	points     []point
	outcomes   map[job.State]int
	rejections int
	times      []times
	models     map[string]*Model
	credits    int64
	silent     int // ended at the vendor's without a word on the price
	usage      usage
}

// times is how long one job took, and where.
type times struct {
	queue, vendor, us time.Duration
	// heard is the part of us until we heard of the verdict.
	heard time.Duration
}

func (t times) total() time.Duration { return t.queue + t.vendor + t.us }

// New is an empty report of the jobs created from since until just before until.
func New(since, until time.Time) *Report {
	return &Report{
		since: since.UTC(), until: until.UTC(), outcomes: map[job.State]int{}, models: map[string]*Model{},
	}
}

// Add takes a job, or a refused message, into the report. Those created at
// another time are left out.
func (r *Report) Add(j job.Job) {
	if j.CreatedAt.Before(r.since) || !j.CreatedAt.Before(r.until) {
		return
	}
	r.usage.add(j, r.until)
	if j.Rejection {
		r.rejections++
		return
	}
	r.outcomes[j.State]++
	r.model(j)
	if j.State == job.Completed || j.State == job.Failed {
		r.times = append(r.times, timesOf(j))
	}
	p := point{at: j.CreatedAt.UTC(), state: j.State}
	if c := story.Credits(j); c != nil {
		p.credits = *c
		r.credits += *c
	} else if j.GenerationID != "" {
		r.silent++
	}
	r.points = append(r.points, p)
}

// timesOf splits the time from the queue to the verdict: in the queue until the
// claim that counts; at the vendor's from its acceptance until its own
// completed_at, or until we heard; and ours, which is the rest: the submit, and
// until we heard of the verdict, which a callback that is lost makes long.
func timesOf(j job.Job) times {
	total := max(0, story.Took(j))
	t := times{queue: between(story.Began(j), j.ClaimedAt, total)}
	accepted, ended := j.AcceptedAt, j.SettledAt
	if accepted.IsZero() {
		accepted = j.ClaimedAt // the answer was lost: the POST is all that is known
	}
	if at, err := time.Parse(time.RFC3339, j.Result.CompletedAt); err == nil && at.After(accepted) && at.Before(ended) {
		ended = at
	}
	t.vendor = between(accepted, ended, total-t.queue)
	t.us = total - t.queue - t.vendor
	t.heard = between(ended, j.SettledAt, t.us)
	return t
}

// between is the time between two moments, at least 0 and at most the rest: the
// clocks are not one.
func between(from, to time.Time, rest time.Duration) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return min(max(0, to.Sub(from)), rest)
}

// Model is what became of the jobs of one model.
type Model struct {
	// Name is the provider that did the work, or failing that what was asked for.
	Name      string `json:"model"`
	Jobs      int    `json:"jobs"`
	Completed int    `json:"completed"`
	Failed    int    `json:"failed"`
	// Other are rejected and expired jobs, Open those without a verdict.
	Other int `json:"other"`
	Open  int `json:"open"`
	// Failovers are jobs for which the vendor used a fallback provider.
	Failovers int   `json:"failovers"`
	Credits   int64 `json:"credits"`
}

func (r *Report) model(j job.Job) {
	name := cmp.Or(j.Acceptance.ModelActual, j.Model)
	failover := j.Acceptance.FailoverUsed
	if j.Result != nil {
		name = cmp.Or(j.Result.Charge.ModelActual, name)
		failover = cmp.Or(j.Result.Charge.FailoverUsed, failover)
	}
	m, ok := r.models[name]
	if !ok {
		m = &Model{Name: name}
		r.models[name] = m
	}
	m.Jobs++
	switch j.State {
	case job.Completed:
		m.Completed++
	case job.Failed:
		m.Failed++
	case job.Rejected, job.Expired:
		m.Other++
	case job.Queued, job.Submitting, job.Unconfirmed, job.Processing:
		m.Open++
	}
	if failover != nil && *failover {
		m.Failovers++
	}
	if c := story.Credits(j); c != nil {
		m.Credits += *c
	}
}

// Outcome is how many jobs are in a state.
type Outcome struct {
	State job.State `json:"state"`
	Jobs  int       `json:"jobs"`
}

// Latency is how long jobs took from the queue to the vendor's verdict, in
// seconds: queue, vendor and us are the mean of the jobs around this rank, and add
// up to the total.
type Latency struct {
	Percentile float64 `json:"percentile"`
	Total      float64 `json:"total_seconds"`
	Queue      float64 `json:"queue_seconds"`
	Vendor     float64 `json:"vendor_seconds"`
	Us         float64 `json:"us_seconds"`
	// Heard is the part of Us from the end of the work until we heard of it: by the
	// callback, or by asking.
	Heard float64 `json:"heard_seconds"`
}

// Submit is the part of Us until the vendor had accepted the job.
func (l Latency) Submit() float64 { return l.Us - l.Heard }

// Summary is a report in numbers.
type Summary struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Jobs counts jobs, Rejections messages that never became one.
	Jobs       int `json:"jobs"`
	Rejections int `json:"rejections"`
	// Ended counts jobs with a verdict.
	Ended     int       `json:"ended"`
	Outcomes  []Outcome `json:"outcomes"`
	Latency   []Latency `json:"latency"`
	Models    []Model   `json:"models"`
	Failovers int       `json:"failovers"`
	Credits   int64     `json:"credits"`
	// WithoutPrice are jobs that the vendor accepted without telling its price.
	WithoutPrice int  `json:"without_price"`
	Cost         Cost `json:"aws_cost"`
}

// Completed is how many jobs have their video.
func (s Summary) Completed() int {
	for _, o := range s.Outcomes {
		if o.State == job.Completed {
			return o.Jobs
		}
	}
	return 0
}

// Summary sums up what was added so far.
func (r *Report) Summary() Summary {
	s := Summary{
		Since: r.since, Until: r.until, Rejections: r.rejections, Outcomes: []Outcome{}, Models: []Model{},
		Latency: r.latency(), Credits: r.credits, WithoutPrice: r.silent, Cost: r.usage.cost(r.until.Sub(r.since)),
	}
	for _, state := range job.States() {
		n := r.outcomes[state]
		if n == 0 {
			continue
		}
		s.Outcomes = append(s.Outcomes, Outcome{state, n})
		s.Jobs += n
		if state.Settled() {
			s.Ended += n
		}
	}
	for _, m := range r.models {
		s.Models = append(s.Models, *m)
		s.Failovers += m.Failovers
	}
	slices.SortFunc(s.Models, func(a, b Model) int {
		return cmp.Or(cmp.Compare(b.Jobs, a.Jobs), cmp.Compare(a.Name, b.Name))
	})
	return s
}

// around is the share of the jobs, on either side of a rank, that its split is the mean of.
const around = 0.01

func (r *Report) latency() []Latency {
	list := []Latency{}
	sorted := slices.Clone(r.times)
	slices.SortFunc(sorted, func(a, b times) int { return cmp.Compare(a.total(), b.total()) })
	n := len(sorted)
	if n == 0 {
		return list
	}
	for _, p := range []float64{50, 75, 90, 99, 100} {
		rank := min(n-1, max(0, int(p/100*float64(n)+0.5)-1))
		side := int(around * float64(n))
		window := sorted[max(0, rank-side):min(n, rank+side+1)]
		var sum times
		for _, t := range window {
			sum.queue += t.queue
			sum.vendor += t.vendor
			sum.us += t.us
			sum.heard += t.heard
		}
		total := sorted[rank].total().Seconds()
		scale := 0.0
		if whole := sum.total().Seconds(); whole > 0 {
			scale = total / whole
		}
		list = append(list, Latency{
			Percentile: p, Total: total,
			Queue: sum.queue.Seconds() * scale, Vendor: sum.vendor.Seconds() * scale, Us: sum.us.Seconds() * scale, Heard: sum.heard.Seconds() * scale,
		})
	}
	return list
}
