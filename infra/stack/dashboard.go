package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// board writes the dashboard. Its rows answer in turn: is it well, what comes
// out, how fast, what does it cost, and how does the machinery do.
type board struct {
	metrics

	period time.Duration
}

func newDashboard(scope constructs.Construct, c *Clipqueue, s *Settings) awscloudwatch.Dashboard {
	b := board{metrics: metrics{bundle: c, stage: s.Stage}, period: 5 * minute}
	return awscloudwatch.NewDashboard(scope, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName:   jsii.String(uniqueName(scope, 200)),
		DefaultInterval: awscdk.Duration_Hours(jsii.Number(24)),
		Widgets: &[]*[]awscloudwatch.IWidget{
			{b.text()},
			{b.alarms(), b.now(), b.day()},
			{b.submits(), b.verdicts()},
			{b.legs(), b.waiting()},
			{b.credits(), b.calls()},
			{b.surprises(), b.faults()},
			{b.time()},
		},
	})
}

// text says what each row answers, and where to read on.
func (b board) text() awscloudwatch.IWidget {
	return awscloudwatch.NewTextWidget(&awscloudwatch.TextWidgetProps{
		Width: jsii.Number(24), Height: jsii.Number(4),
		Markdown: jsii.Sprintf(`**Clipqueue, stage %s.** The rows, from the top: is it well; what goes to the vendor and what comes out; how fast; `+
			"what it costs; what surprises and what fails; how long the functions run.\n\n"+
			"What to do about an alarm is in `infra/RUNBOOK.md` of Clipqueue's repository, under the alarm's last word. `clipqueue doctor --stage %s` checks the "+
			"deployment, and `clipqueue why JOB --stage %s` tells the story of one job. What AWS charges for the counts below is in the README, under "+
			`"What it costs"; the README also lists each metric.`, b.stage, b.stage, b.stage),
	})
}

// alarms lists those that are on first, then those without data, and in each
// group the ones that changed last.
func (b board) alarms() awscloudwatch.IWidget {
	var all []interfacesawscloudwatch.IAlarmRef
	for _, name := range slices.Sorted(maps.Keys(b.bundle.Alarms.All)) {
		all = append(all, b.bundle.Alarms.All[name])
	}
	return awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
		Title: jsii.String("Is it well?"), Alarms: &all, Width: jsii.Number(10), Height: jsii.Number(6),
		SortBy: awscloudwatch.AlarmStatusWidgetSortBy_STATE_UPDATED_TIMESTAMP,
	})
}

func (b board) now() awscloudwatch.IWidget {
	jobs, dead := b.bundle.JobQueue.Queue.QueueName(), b.bundle.JobQueue.DeadLetters.QueueName()
	return awscloudwatch.NewSingleValueWidget(&awscloudwatch.SingleValueWidgetProps{
		Title: jsii.String("Now"), Width: jsii.Number(7), Height: jsii.Number(6), Period: seconds(minute),
		Metrics: &[]awscloudwatch.IMetric{
			labelled("Prompts waiting", b.queue(jobs, "ApproximateNumberOfMessagesVisible", minute)),
			labelled("Prompts in hand or put off", b.queue(jobs, "ApproximateNumberOfMessagesNotVisible", minute)),
			scaled("oldest", "Oldest prompt, minutes", 60, minute, b.queue(jobs, "ApproximateAgeOfOldestMessage", minute)),
			labelled("Dead prompts", b.queue(dead, "ApproximateNumberOfMessagesVisible", minute)),
		},
	})
}

// day is what came of the last 24 hours, whatever time the dashboard shows.
func (b board) day() awscloudwatch.IWidget {
	return awscloudwatch.NewSingleValueWidget(&awscloudwatch.SingleValueWidgetProps{
		Title: jsii.String("The last 24 hours"), Width: jsii.Number(7), Height: jsii.Number(6),
		Start: jsii.String("-PT24H"), SetPeriodToTimeRange: jsii.Bool(true), // a period of a day would begin at midnight
		Metrics: &[]awscloudwatch.IMetric{
			labelled("Completed", b.own(env.MetricCompleted, "Sum", day)),
			labelled("Failed", b.own(env.MetricFailed, "Sum", day)),
			labelled("Credits", b.own(env.MetricCredits, "Sum", day)),
			scaled("total", "From prompt to verdict, p95, seconds", 1000, day, b.own(env.MetricTotalTime, "p95", day)),
		},
	})
}

func (b board) submits() awscloudwatch.IWidget {
	return b.graph("What goes to the vendor", "submits", b.counts(env.MetricSubmitted, env.MetricNotNow, env.MetricAccountRefused, env.MetricUnconfirmed)...)
}

func (b board) verdicts() awscloudwatch.IWidget {
	return b.graph("What comes out", "events", b.counts(env.MetricCompleted, env.MetricFailed, env.MetricRejected, env.MetricExpired,
		env.MetricArchived, env.MetricArchiveFailed)...)
}

func (b board) legs() awscloudwatch.IWidget {
	var lines []awscloudwatch.IMetric
	for _, leg := range []struct{ metric, label string }{
		{env.MetricQueueTime, "in the queue"}, {env.MetricVendorTime, "at the vendor"}, {env.MetricTotalTime, "from prompt to verdict"},
	} {
		for _, share := range []string{"p50", "p95"} {
			id := strings.ToLower(leg.metric) + share
			lines = append(lines, scaled(id, leg.label+", "+share, 1000, b.period, b.own(leg.metric, share, b.period)))
		}
	}
	return b.graph("How fast?", "seconds", lines...)
}

func (b board) waiting() awscloudwatch.IWidget {
	return b.graph("How fast is the rest?", "seconds",
		scaled("answerp50", "answer to a callback, p50", 1000, b.period, b.api("Latency", "p50", b.period)),
		scaled("answerp99", "answer to a callback, p99", 1000, b.period, b.api("Latency", "p99", b.period)),
		scaled("age", "age of what is published, max", 1000, b.period, b.function(b.bundle.Publish.Function, "IteratorAge", "Maximum", b.period)))
}

func (b board) credits() awscloudwatch.IWidget {
	credits := b.own(env.MetricCredits, "Sum", hour)
	each := expression("credits / (FILL(completed, 0) + FILL(failed, 0))", "credits a verdict", hour, map[string]awscloudwatch.IMetric{
		"credits": credits, "completed": b.own(env.MetricCompleted, "Sum", hour), "failed": b.own(env.MetricFailed, "Sum", hour),
	})
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: jsii.String("What does the vendor cost? (each hour)"), Width: jsii.Number(12), Height: jsii.Number(6),
		Left: &[]awscloudwatch.IMetric{labelled("credits", credits)}, LeftYAxis: axis("credits"),
		Right: &[]awscloudwatch.IMetric{each}, RightYAxis: axis("credits a verdict"),
		LegendPosition: awscloudwatch.LegendPosition_BOTTOM,
	})
}

// calls are what AWS bills.
func (b board) calls() awscloudwatch.IWidget {
	return b.graph("What does AWS bill? (each hour)", "units",
		b.functions("Invocations", hour),
		labelled("table, write units", b.table("ConsumedWriteCapacityUnits", hour)),
		labelled("table, read units", b.table("ConsumedReadCapacityUnits", hour)),
		labelled("poll loops", b.loop("ExecutionsStarted", hour)),
		labelled("callbacks", b.api("Count", "Sum", hour)))
}

func (b board) surprises() awscloudwatch.IWidget {
	return b.graph("What surprises", "times", b.counts(env.MetricSignatureFailed, env.MetricQuarantined, env.MetricContradiction,
		env.MetricVendorError, env.MetricOverdue, env.MetricInternal, env.MetricPoison)...)
}

func (b board) faults() awscloudwatch.IWidget {
	lines := []awscloudwatch.IMetric{
		b.functions("Throttles", b.period), b.throttledCalls(b.period), labelled("callbacks answered with 5xx", b.api("5xx", "Sum", b.period)),
		labelled("callbacks answered with 4xx", b.api("4xx", "Sum", b.period)),
	}
	for _, f := range b.bundle.functions() {
		lines = append(lines, labelled("errors of "+f.name, b.function(f.Function, "Errors", "Sum", b.period)))
	}
	return b.graph("What fails", "times", lines...)
}

func (b board) time() awscloudwatch.IWidget {
	var lines []awscloudwatch.IMetric
	for _, f := range b.bundle.functions() {
		lines = append(lines, scaled(f.name, f.name+", p95", 1000, b.period, b.function(f.Function, "Duration", "p95", b.period)))
	}
	return b.graph("How long do the functions run?", "seconds", lines...)
}

// counts are metrics of the functions, summed up, under their own names.
func (b board) counts(names ...string) []awscloudwatch.IMetric {
	lines := make([]awscloudwatch.IMetric, len(names))
	for i, name := range names {
		lines[i] = labelled(name, b.own(name, "Sum", b.period))
	}
	return lines
}

// graph fills half a row.
func (b board) graph(title, unit string, lines ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: jsii.String(title), Width: jsii.Number(12), Height: jsii.Number(6), Left: &lines,
		LeftYAxis:      axis(unit),
		LegendPosition: awscloudwatch.LegendPosition_RIGHT,
	})
}

func axis(unit string) *awscloudwatch.YAxisProps {
	return &awscloudwatch.YAxisProps{Label: jsii.String(unit), Min: jsii.Number(0), ShowUnits: jsii.Bool(false)}
}

// scaled is a metric in a unit that is so many times larger; id is its name in
// the widget, of small letters and digits.
func scaled(id, label string, by int, period time.Duration, m awscloudwatch.Metric) awscloudwatch.IMetric {
	return expression(fmt.Sprintf("%s / %d", id, by), label, period, map[string]awscloudwatch.IMetric{id: m})
}

func labelled(text string, m awscloudwatch.Metric) awscloudwatch.IMetric {
	return m.With(&awscloudwatch.MetricOptions{Label: jsii.String(text)})
}
