package cli

import (
	"context"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/report"
	"github.com/clipqueue/clipqueue/shared/job"
)

func (r *root) reportCommand() *cobra.Command {
	f := filter{limit: math.MaxInt}
	var html string
	c := &cobra.Command{
		Use:   "report",
		Short: "Sum up jobs: outcomes, latency, models, credits, AWS cost",
		Long: `Sum up the jobs of a time: how they ended, how long they took from the queue to the verdict and
where (in the queue, our submit, at the vendor's, until we heard of it), by model, with failovers, credits, and about what AWS
charges. With --html as one page with charts, which needs no network.

It reads the index of creation times and each record, at half price: about 1 US cent for 50,000
jobs. --read bounds it.`,
		Example: example(
			"clipqueue report --since 7d --html report.html",
			"clipqueue report --since 2026-11-01 --until 2026-12-01 -o json | jq .credits",
		),
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&f.since, "since", "24h", "created since: an age (90m, 12h, 7d) or a time (2026-11-25, 2026-11-25T15:04:05Z)")
	c.Flags().StringVar(&f.until, "until", "", "created before: an age or a time (default now)")
	c.Flags().IntVar(&f.read, "read", 200_000, "read at most so many records")
	c.Flags().StringVar(&html, "html", "", "write a page with charts to this file")
	c.RunE = r.connected(func(ctx context.Context, s *Services, _ []string) error { return r.report(ctx, s, f, html) })
	return c
}

func (r *root) report(ctx context.Context, s *Services, f filter, html string) error {
	now := r.app.Now()
	query, err := f.check(now)
	if err != nil {
		return err
	}
	until := query.until
	if until.After(now) {
		until = now
	}
	sums := report.New(query.since, until)
	result, err := query.each(ctx, s.Lists, func(j job.Job) error {
		if !j.CreatedAt.Before(until) { // by the clock of a machine that is ahead
			j.CreatedAt = until.Add(-time.Millisecond)
		}
		sums.Add(j)
		return nil
	})
	if err != nil {
		return err
	}
	note := ""
	if !result.next.IsZero() {
		note = fmt.Sprintf("Not all is in it: %d records were read, the jobs created before %s were not. Raise --read.",
			result.read, result.next.UTC().Format("2 Jan 2006 15:04:05 UTC"))
		r.note("%s", note)
	}
	if html != "" {
		if err := r.writePage(sums, s.Name, note, html); err != nil {
			return err
		}
		r.note("the page is in %s", html)
	}
	switch {
	case r.json():
		return r.print(sums.Summary())
	case html == "":
		r.showSummary(sums.Summary(), query.window())
	}
	return nil
}

func (r *root) writePage(sums *report.Report, stack, note, name string) error {
	file, err := os.Create(name) //nolint:gosec // the user's own choice
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	err = sums.HTML(file, stack, note, r.app.Now())
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

func (r *root) showSummary(s report.Summary, window string) {
	if s.Jobs == 0 && s.Rejections == 0 {
		r.say("no jobs created %s", window)
		return
	}
	r.say("%s created %s: %d with a verdict, %d completed; %s refused", plural(s.Jobs, "job"), window, s.Ended, s.Completed(), plural(s.Rejections, "message"))
	r.say("%d credits; %d by a fallback provider; AWS about $%.4f, $%.6f a job\n", s.Credits, s.Failovers, s.Cost.USD, s.Cost.PerJob)
	if len(s.Models) > 0 {
		t := r.table("model", "jobs", "completed", "failed", "expired, rejected", "open", "by failover", "credits")
		for _, m := range s.Models {
			t.AppendRow([]any{m.Name, m.Jobs, m.Completed, m.Failed, m.Other, m.Open, m.Failovers, m.Credits})
		}
		t.Render()
	}
	if len(s.Latency) > 0 {
		r.say("")
		t := r.table("of the jobs", "within", "in the queue", "our submit", "at the vendor's", "until we heard")
		for _, l := range s.Latency {
			row := []any{fmt.Sprintf("%g%%", l.Percentile)}
			for _, seconds := range []float64{l.Total, l.Queue, l.Submit(), l.Vendor, l.Heard} {
				row = append(row, fmt.Sprintf("%.1f s", seconds))
			}
			t.AppendRow(row)
		}
		t.Render()
	}
}
