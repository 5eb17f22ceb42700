package report

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
)

// The size of charts, in SVG units.
const (
	chartWidth   = 880.0
	columnHeight = 180.0
	axisLeft     = 56.0
	labelLeft    = 150.0
	labelRight   = 270.0
	tickRoom     = 40.0
	rowHeight    = 30.0
	barHeight    = 18.0
)

// Rect is one bar, or a part of one.
type Rect struct {
	X, Y, W, H float64
	// Class is the colour, Title what a pointer on it shows.
	Class, Title string
}

// Label is a text in a chart.
type Label struct {
	X, Y float64
	Text string
}

// Chart is a drawing: bars, lines across at the heights of Rules, and labels.
type Chart struct {
	Width, Height float64
	Bars          []Rect
	Rules         []Rect
	Left          []Label // right-aligned
	Below         []Label // centred
	Right         []Label // left-aligned
}

// part is one state, or several, in the chart of time.
type part struct {
	class, name string
	states      []job.State
}

func parts() []part {
	return []part{
		{"good", "completed", []job.State{job.Completed}},
		{"bad", "failed", []job.State{job.Failed}},
		{"late", "expired, rejected", []job.State{job.Expired, job.Rejected}},
		{"open", "open", []job.State{job.Queued, job.Submitting, job.Unconfirmed, job.Processing}},
	}
}

// jobsChart is how many jobs were created when, by how they ended.
func (t timeline) jobsChart() Chart {
	return t.columnsChart(func(c column) []amount {
		var stack []amount
		for _, p := range parts() {
			n := 0
			for _, s := range p.states {
				n += c.states[s]
			}
			stack = append(stack, amount{float64(n), p.class, p.name})
		}
		return stack
	})
}

// creditsChart is what the vendor charged for jobs created when.
func (t timeline) creditsChart() Chart {
	return t.columnsChart(func(c column) []amount {
		return []amount{{float64(c.credits), "credit", "credits"}}
	})
}

// amount is a part of a column.
type amount struct {
	value       float64
	class, name string
}

func (t timeline) columnsChart(of func(column) []amount) Chart {
	c := Chart{Width: chartWidth, Height: columnHeight + 44}
	highest := 0.0
	for _, col := range t.columns {
		sum := 0.0
		for _, a := range of(col) {
			sum += a.value
		}
		highest = max(highest, sum)
	}
	step := niceStep(highest)
	top := max(step, math.Ceil(highest/step)*step)
	y := func(v float64) float64 { return 10 + columnHeight*(1-v/top) }
	for v := 0.0; v <= top+step/2; v += step {
		c.Rules = append(c.Rules, Rect{X: axisLeft, Y: y(v), W: chartWidth - axisLeft})
		c.Left = append(c.Left, Label{axisLeft - 8, y(v) + 4, strconv.FormatFloat(v, 'f', -1, 64)})
	}
	width := (chartWidth - axisLeft) / float64(max(1, len(t.columns)))
	every := max(1, (len(t.columns)+7)/8)
	for i, col := range t.columns {
		x, below := axisLeft+float64(i)*width, 0.0
		for _, a := range of(col) {
			if a.value == 0 {
				continue
			}
			c.Bars = append(c.Bars, Rect{
				X: x + width*0.1, W: width * 0.8, Y: y(below + a.value), H: y(below) - y(below+a.value), Class: a.class,
				Title: fmt.Sprintf("%s: %s %s", t.name(col.at), strconv.FormatFloat(a.value, 'f', -1, 64), a.name),
			})
			below += a.value
		}
		if i%every == 0 && x+width/2 < chartWidth-tickRoom {
			c.Below = append(c.Below, Label{x + width/2, columnHeight + 30, t.tick(col.at)})
		}
	}
	return c
}

// niceStep is 1, 2 or 5 times a power of ten, for about four lines.
func niceStep(highest float64) float64 {
	if highest <= 4 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(highest/4)))
	for _, m := range []float64{1, 2, 5} {
		if highest/(m*power) <= 5 {
			return m * power
		}
	}
	return 10 * power
}

// latencyChart is where the time went, at each percentile.
func latencyChart(list []Latency) Chart {
	c := Chart{Width: chartWidth, Height: rowHeight*float64(len(list)) + 8}
	longest := 0.0
	for _, l := range list {
		longest = max(longest, l.Total)
	}
	for i, l := range list {
		y, x := rowHeight*float64(i)+6, labelLeft
		c.Left = append(c.Left, Label{labelLeft - 10, y + 14, percentileName(l.Percentile)})
		for _, p := range []amount{
			{l.Queue, "queue", "in the queue"},
			{l.Submit(), "us", "our submit"},
			{l.Vendor, "vendor", "at the vendor's"},
			{l.Heard, "heard", "until we heard"},
		} {
			w := (chartWidth - labelLeft - labelRight) * share(p.value, longest)
			c.Bars = append(c.Bars, Rect{X: x, Y: y, W: w, H: barHeight, Class: p.class, Title: fmt.Sprintf("%s %s", seconds(p.value), p.name)})
			x += w
		}
		c.Right = append(c.Right, Label{x + 8, y + 14, fmt.Sprintf("%s (%s + %s + %s + %s)", seconds(l.Total), seconds(l.Queue), seconds(l.Submit()), seconds(l.Vendor), seconds(l.Heard))})
	}
	return c
}

func percentileName(p float64) string {
	switch p {
	case 50:
		return "half within"
	case 100:
		return "the slowest"
	}
	return fmt.Sprintf("%.0f%% within", p)
}

func seconds(s float64) string { return story.Span(time.Duration(s * float64(time.Second))) }

func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return part / whole
}

// modelsMost is how many models are drawn; the others are in the table.
const modelsMost = 12

// modelsChart is how each model's jobs ended.
func modelsChart(models []Model) Chart {
	models = models[:min(len(models), modelsMost)]
	c := Chart{Width: chartWidth, Height: rowHeight*float64(len(models)) + 8}
	for i, m := range models {
		y, x := rowHeight*float64(i)+6, labelLeft
		c.Left = append(c.Left, Label{labelLeft - 10, y + 14, cut(m.Name, 20)})
		for _, p := range []amount{
			{float64(m.Completed), "good", "completed"},
			{float64(m.Failed), "bad", "failed"},
			{float64(m.Other), "late", "expired or rejected"},
			{float64(m.Open), "open", "open"},
		} {
			w := (chartWidth - labelLeft - labelRight) * share(p.value, float64(m.Jobs))
			c.Bars = append(c.Bars, Rect{X: x, Y: y, W: w, H: barHeight, Class: p.class, Title: fmt.Sprintf("%s: %.0f %s", m.Name, p.value, p.name)})
			x += w
		}
		ended := m.Completed + m.Failed + m.Other
		c.Right = append(c.Right, Label{x + 8, y + 14, fmt.Sprintf("%s of %d ended, %d by failover", percent(m.Completed, ended), ended, m.Failovers)})
	}
	return c
}

func cut(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

func percent(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	p := 100 * float64(part) / float64(whole)
	if part < whole && p > 99 || part > 0 && p < 1 {
		return fmt.Sprintf("%.1f%%", p)
	}
	return fmt.Sprintf("%.0f%%", p)
}
