package report

import (
	"slices"
	"time"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
)

// point is one job in the charts of time.
type point struct {
	at      time.Time
	state   job.State
	credits int64
}

// timeline is a time cut into columns.
type timeline struct {
	from, until time.Time
	width       time.Duration
	columns     []column
	// narrowed says that it is only the part of the report's time with the jobs;
	// end is the end of that whole time.
	narrowed bool
	end      time.Time
}

// column is one stretch of time.
type column struct {
	at      time.Time
	states  map[job.State]int
	credits int64
}

const (
	// columnsMost bounds how many stretches a timeline is cut into.
	columnsMost = 60
	// narrowBelow is the share of the report's time below which the jobs' part is shown alone.
	narrowBelow = 1.0 / 3
	// shortest is how long a timeline is at least, unless the report's time is shorter.
	shortest = 10 * time.Minute
)

// timeline sorts the jobs into columns.
func (r *Report) timeline() timeline {
	t := r.stretch()
	day := 24 * time.Hour
	for _, width := range []time.Duration{
		time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 7 * day, 28 * day, 364 * day,
	} {
		if t.width = width; t.until.Sub(t.from)/width < columnsMost {
			break
		}
	}
	start := t.from.Truncate(t.width)
	for at := start; at.Before(t.until); at = at.Add(t.width) {
		t.columns = append(t.columns, column{at: at, states: map[job.State]int{}})
	}
	for _, p := range r.points {
		c := &t.columns[int(p.at.Sub(start)/t.width)]
		c.states[p.state]++
		c.credits += p.credits
	}
	return t
}

// stretch is the time of the timeline: the report's, or that of its jobs where
// they would be a few columns at its edge.
func (r *Report) stretch() timeline {
	whole := timeline{from: r.since, until: r.until, end: r.until}
	if len(r.points) == 0 {
		return whole
	}
	byTime := func(a, b point) int { return a.at.Compare(b.at) }
	first, last := slices.MinFunc(r.points, byTime).at, slices.MaxFunc(r.points, byTime).at.Add(time.Millisecond)
	if missing := shortest - last.Sub(first); missing > 0 {
		first, last = first.Add(-missing/2), last.Add(missing/2)
	}
	if float64(last.Sub(first)) >= narrowBelow*float64(r.until.Sub(r.since)) {
		return whole
	}
	return timeline{from: later(first, r.since), until: earlier(last, r.until), narrowed: true, end: r.until}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// tick names a column below the chart.
func (t timeline) tick(at time.Time) string {
	switch {
	case t.width >= 24*time.Hour:
		return at.Format("2 Jan")
	case t.until.Sub(t.from) > 24*time.Hour:
		return at.Format("2 Jan 15:04")
	}
	return at.Format("15:04")
}

// name is a column in full.
func (t timeline) name(at time.Time) string {
	return at.Format("2 Jan 15:04") + ", " + story.Span(t.width)
}

// caption says which part of the report's time is shown; empty when it is all.
func (t timeline) caption() string {
	if !t.narrowed || len(t.columns) == 0 {
		return ""
	}
	const layout = "2 Jan 15:04 UTC"
	end := earlier(t.columns[len(t.columns)-1].at.Add(t.width), t.end)
	return "The charts of time show " + t.columns[0].at.Format(layout) + " to " + end.Format(layout) + ", in which all the jobs were created."
}
