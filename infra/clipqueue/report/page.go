package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed page.tmpl
var pageTemplate string

// page is what the template knows.
type page struct {
	Summary

	Stack                                            string
	Made                                             time.Time
	JobsChart, TimesChart, ModelsChart, CreditsChart Chart
	Median                                           string
	// Stretch says what part of the time the charts show; empty when it is all.
	Stretch string
	// Note says what the report leaves out; empty when nothing.
	Note string
}

// HTML writes the report as one page that needs no network. note, which may be
// empty, says what the report leaves out.
func (r *Report) HTML(w io.Writer, stack, note string, made time.Time) error {
	tmpl, err := template.New("report").Funcs(template.FuncMap{
		"percent": percent, "usd": usd, "count": count, "seconds": seconds, "percentile": percentileName,
		"whole": func(n int64) string { return count(float64(n)) }, "thousands": func(n int) string { return count(float64(n)) },
		"time": func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") },
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("the report's page: %w", err)
	}
	s, t := r.Summary(), r.timeline()
	p := page{
		Summary: s, Stack: stack, Made: made, Note: note, Median: "-", Stretch: t.caption(),
		JobsChart: t.jobsChart(), TimesChart: latencyChart(s.Latency), ModelsChart: modelsChart(s.Models), CreditsChart: t.creditsChart(),
	}
	if len(s.Latency) > 0 {
		p.Median = seconds(s.Latency[0].Total)
	}
	if err := tmpl.Execute(w, p); err != nil {
		return fmt.Errorf("the report's page: %w", err)
	}
	return nil
}

// usd is an amount of money, with as many digits as it takes to see it.
func usd(v float64) string {
	switch {
	case v == 0:
		return "$0"
	case v < 0.01:
		return fmt.Sprintf("$%.6f", v)
	case v < 10:
		return fmt.Sprintf("$%.3f", v)
	}
	return fmt.Sprintf("$%.2f", v)
}

// count is a number as a person reads it: 1,234,567.
func count(v float64) string {
	if v < 100 && v != float64(int64(v)) {
		return fmt.Sprintf("%.3g", v)
	}
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
