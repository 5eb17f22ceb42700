package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clipqueue/clipqueue/infra/clipqueue/report"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

func span() (since, until time.Time) {
	return jobtest.Epoch().Add(-time.Hour), jobtest.Epoch().Add(time.Hour)
}

// everyStage is a report of a job at each stage of its life.
func everyStage(t *testing.T) *report.Report {
	t.Helper()
	r := report.New(span())
	for _, s := range jobtest.Stages(t, job.DefaultRules(), "job") {
		if s.Job.Version > 0 {
			r.Add(s.Job)
		}
	}
	return r
}

func TestSummary(t *testing.T) {
	t.Parallel()
	s := everyStage(t).Summary()
	want := []report.Outcome{
		{State: job.Queued, Jobs: 1},
		{State: job.Submitting, Jobs: 1},
		{State: job.Unconfirmed, Jobs: 1},
		{State: job.Processing, Jobs: 1},
		{State: job.Completed, Jobs: 4},
		{State: job.Failed, Jobs: 1},
		{State: job.Rejected, Jobs: 2},
		{State: job.Expired, Jobs: 4},
	}
	if diff := cmp.Diff(want, s.Outcomes); diff != "" {
		t.Error(diff)
	}
	if s.Jobs != 15 || s.Ended != 11 || s.Completed() != 4 || s.Rejections != 1 {
		t.Errorf("%d jobs, %d ended, %d completed, %d rejections", s.Jobs, s.Ended, s.Completed(), s.Rejections)
	}
	// 40 for each of the five that the vendor settled, 41 for the two that it accepted.
	if s.Credits != 5*40+2*41 || s.WithoutPrice != 0 || s.Failovers != 5 {
		t.Errorf("%d credits, %d without a price, %d failovers", s.Credits, s.WithoutPrice, s.Failovers)
	}
	models := []report.Model{
		{Name: "auto", Jobs: 8, Other: 5, Open: 3},
		{Name: "model-x", Jobs: 7, Completed: 4, Failed: 1, Other: 1, Open: 1, Failovers: 5, Credits: 282},
	}
	if diff := cmp.Diff(models, s.Models); diff != "" {
		t.Error(diff)
	}
}

// TestWhereTheTimeWent: enqueued 1 s before the epoch, claimed at 10 s, accepted
// at 12 s, and settled at 60 s; by the vendor's own word it was done at 3:05:00,
// which is 54.322 s after the epoch.
func TestWhereTheTimeWent(t *testing.T) {
	t.Parallel()
	r := report.New(span())
	r.Add(jobtest.At(t, job.DefaultRules(), "a", "completed"))
	want := report.Latency{Percentile: 50, Total: 61, Queue: 11, Vendor: 54.322 - 12, Us: 61 - 11 - 42.322, Heard: 60 - 54.322}
	if diff := cmp.Diff(want, r.Summary().Latency[0], cmpopts.EquateApprox(0, 0.001)); diff != "" {
		t.Error(diff)
	}
}

// TestStrangeClocks: whatever the vendor's clock says, the parts add up and none is negative.
func TestStrangeClocks(t *testing.T) {
	t.Parallel()
	for _, completedAt := range []string{"", "yesterday", "1990-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2026-01-02T03:04:17.678Z"} {
		for _, change := range []func(*job.Job){
			func(*job.Job) {},
			func(j *job.Job) { j.AcceptedAt = time.Time{} },
			func(j *job.Job) { j.ClaimedAt = j.SettledAt.Add(time.Hour) },
			func(j *job.Job) { j.EnqueuedAt = j.SettledAt.Add(time.Hour) },
		} {
			j := jobtest.At(t, job.DefaultRules(), "a", "failed")
			j.Result.CompletedAt = completedAt
			change(&j)
			r := report.New(span())
			r.Add(j)
			l := r.Summary().Latency[0]
			if min(l.Queue, l.Vendor, l.Us, l.Heard, l.Submit()+1e-6, l.Total) < 0 || math.Abs(l.Queue+l.Vendor+l.Us-l.Total) > 1e-6 {
				t.Errorf("%q: %+v", completedAt, l)
			}
		}
	}
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	r := report.New(span())
	for i := range 100 { // 1 s to 100 s
		j := jobtest.At(t, job.DefaultRules(), "a", "completed")
		j.SettledAt = j.EnqueuedAt.Add(time.Duration(i+1) * time.Second)
		r.Add(j)
	}
	for i, want := range []float64{50, 75, 90, 99, 100} {
		if l := r.Summary().Latency[i]; l.Percentile != want || l.Total != want {
			t.Errorf("%+v, want %v s", l, want)
		}
	}
}

func TestOtherTimesAreLeftOut(t *testing.T) {
	t.Parallel()
	since, until := span()
	r := report.New(since, until)
	for _, at := range []time.Time{since.Add(-time.Millisecond), until, until.Add(time.Hour)} {
		j := jobtest.At(t, job.DefaultRules(), "a", "completed")
		j.CreatedAt = at
		r.Add(j)
	}
	if s := r.Summary(); s.Jobs != 0 || s.Cost.PerJob != 0 || len(s.Latency) != 0 {
		t.Errorf("%+v", s)
	}
	j := jobtest.At(t, job.DefaultRules(), "a", "completed")
	j.CreatedAt = since
	r.Add(j)
	if s := r.Summary(); s.Jobs != 1 {
		t.Errorf("%d jobs, want the one created at the beginning", s.Jobs)
	}
}

// TestCost: the order of magnitude that a person would work out by hand.
func TestCost(t *testing.T) {
	t.Parallel()
	r := report.New(span())
	for range 1_000_000 / 1000 {
		r.Add(jobtest.At(t, job.DefaultRules(), "a", "completed, archived"))
	}
	s := r.Summary()
	sum := 0.0
	for _, line := range s.Cost.Lines {
		if line.USD < 0 {
			t.Errorf("%+v", line)
		}
		sum += line.USD
	}
	if math.Abs(sum-s.Cost.USD) > 1e-9 || math.Abs(s.Cost.PerJob*1000-sum) > 1e-9 {
		t.Errorf("%v together, %v a job, the lines come to %v", s.Cost.USD, s.Cost.PerJob, sum)
	}
	if s.Cost.PerJob < 5e-6 || s.Cost.PerJob > 1e-4 {
		t.Errorf("$%v a job", s.Cost.PerJob)
	}
}

func page(t *testing.T, r *report.Report, note string) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.HTML(&out, "Clipqueue-<main>", note, jobtest.Epoch()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestPage: well-formed drawings, inside their frames, nothing from the network,
// and no text of anyone's as markup.
func TestPage(t *testing.T) {
	t.Parallel()
	r := everyStage(t)
	odd := jobtest.At(t, job.DefaultRules(), "a", "processing")
	odd.Acceptance.ModelActual = `<script>alert("x")</script>`
	r.Add(odd)
	for name, text := range map[string]string{
		"full": page(t, r, "Not all is in it."), "empty": page(t, report.New(span()), ""),
	} {
		if found := regexp.MustCompile(`(?i)(src|href|url\(|@import|<script|<link|https?:)`).FindString(text); found != "" {
			t.Errorf("%s: %q is in it", name, found)
		}
		for _, want := range []string{"Clipqueue-&lt;main&gt;", "Jobs over time", "How long they took", "By model", "Credits", "What AWS charges"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in it", name, want)
			}
		}
		checkDrawings(t, name, text)
	}
	if !strings.Contains(page(t, r, "Not all is in it."), "Not all is in it.") {
		t.Error("the note is not in it")
	}
}

// frame is an SVG drawing, as far as it is checked.
type frame struct {
	ViewBox string `xml:"viewBox,attr"`
	Bars    []struct {
		X      float64 `xml:"x,attr"`
		Y      float64 `xml:"y,attr"`
		Width  float64 `xml:"width,attr"`
		Height float64 `xml:"height,attr"`
		Title  string  `xml:"title"`
	} `xml:"rect"`
	Texts []struct {
		X     float64 `xml:"x,attr"`
		Class string  `xml:"class,attr"`
		Text  string  `xml:",chardata"`
	} `xml:"text"`
}

// letterWidth is about what a letter of the charts' font takes.
const letterWidth = 6.2

func checkDrawings(t *testing.T, name, text string) {
	t.Helper()
	drawings := regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAllString(text, -1)
	if len(drawings) < 2 {
		t.Errorf("%s: %d drawings", name, len(drawings))
	}
	for _, drawing := range drawings {
		var f frame
		if err := xml.Unmarshal([]byte(drawing), &f); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v in %.200s", name, err, drawing)
		}
		for _, text := range f.Texts {
			from, width := text.X, letterWidth*float64(len(text.Text))
			switch text.Class {
			case "left":
				from -= width
			case "below":
				from -= width / 2
			}
			if from < 0 || from+width > 880 {
				t.Errorf("%s: %q is cut off", name, text.Text)
			}
		}
		for _, bar := range f.Bars {
			if bar.X < 0 || bar.Y < 0 || bar.Width < 0 || bar.Height < 0 || bar.X+bar.Width > 880 || bar.Title == "" {
				t.Errorf("%s: %+v", name, bar)
			}
		}
	}
}

// TestStretch: a busy hour of a day is not a bar or two at its edge.
func TestStretch(t *testing.T) {
	t.Parallel()
	until := jobtest.Epoch().Truncate(time.Hour)
	for name, tc := range map[string]struct {
		first, last time.Duration // before the end
		want        string
	}{
		"all day":           {23 * time.Hour, time.Minute, ""},
		"half of it":        {12 * time.Hour, time.Minute, ""},
		"the last hour":     {time.Hour, time.Minute, "show 2 Jan 02:00 UTC to 2 Jan 03:00 UTC, in which all the jobs were created"},
		"an hour before":    {5 * time.Hour, 4 * time.Hour, "show 1 Jan 22:00 UTC to 1 Jan 23:05 UTC"},
		"one job":           {4 * time.Hour, 4 * time.Hour, "show 1 Jan 22:55 UTC to 1 Jan 23:06 UTC"},
		"one job, just now": {time.Second, time.Second, "show 2 Jan 02:54 UTC to 2 Jan 03:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := report.New(until.Add(-24*time.Hour), until)
			j := jobtest.At(t, job.DefaultRules(), "a", "completed")
			for _, ago := range []time.Duration{tc.first, tc.last} {
				j.CreatedAt = until.Add(-ago)
				r.Add(j)
			}
			text := page(t, r, "")
			if found := regexp.MustCompile(`The charts of time [^<]*`).FindString(text); tc.want == "" && found != "" || !strings.Contains(found, tc.want) {
				t.Errorf("%q, want %q", found, tc.want)
			}
			checkDrawings(t, name, text)
			n := 0
			for _, bar := range regexp.MustCompile(`: (\d+) completed</title>`).FindAllStringSubmatch(text[:strings.Index(text, "How long they took")], -1) {
				count, err := strconv.Atoi(bar[1])
				if err != nil {
					t.Error(err)
				}
				n += count
			}
			if n != 2 {
				t.Errorf("%d jobs in the chart, want 2", n)
			}
		})
	}
}

// TestColumns: any span is cut into a number of columns that can be told apart.
func TestColumns(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 31 * 24 * time.Hour, 365 * 24 * time.Hour, 3650 * 24 * time.Hour} {
		until := jobtest.Epoch()
		r := report.New(until.Add(-d), until)
		j := jobtest.At(t, job.DefaultRules(), "a", "completed")
		for i := range 200 {
			j.CreatedAt = until.Add(-d / 200 * time.Duration(i)).Add(-time.Millisecond)
			r.Add(j)
		}
		if s := r.Summary(); s.Jobs != 200 {
			t.Errorf("%v: %d of 200 jobs", d, s.Jobs)
		}
		if n := strings.Count(page(t, r, ""), `<rect class="good"`); n < 2 || n > 63 {
			t.Errorf("%v: %d columns", d, n)
		}
	}
}
