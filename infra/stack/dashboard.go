package stack

import (
	"maps"
	"slices"
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
			{b.alarms(), b.now()},
			{b.submits(), b.verdicts()},
			{b.legs(), b.waiting()},
			{b.credits(), b.calls()},
			{b.surprises(), b.faults()},
			{b.time()},
		},
	})
}

// alarms lists them in the order of their names, those that are on first.
func (b board) alarms() awscloudwatch.IWidget {
	var all []interfacesawscloudwatch.IAlarmRef
	for _, name := range slices.Sorted(maps.Keys(b.bundle.Alarms.All)) {
		all = append(all, b.bundle.Alarms.All[name])
	}
	return awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
		Title: jsii.String("Is it well?"), Alarms: &all, Width: jsii.Number(14), Height: jsii.Number(6),
		SortBy: awscloudwatch.AlarmStatusWidgetSortBy_STATE_UPDATED_TIMESTAMP,
	})
}

func (b board) now() awscloudwatch.IWidget {
	jobs, dead := b.bundle.JobQueue.Queue.QueueName(), b.bundle.JobQueue.DeadLetters.QueueName()
	return awscloudwatch.NewSingleValueWidget(&awscloudwatch.SingleValueWidgetProps{
		Title: jsii.String("Now"), Width: jsii.Number(10), Height: jsii.Number(6), Period: seconds(minute),
		Metrics: &[]awscloudwatch.IMetric{
			labelled("Prompts waiting", b.queue(jobs, "ApproximateNumberOfMessagesVisible", minute)),
			labelled("Prompts in hand or put off", b.queue(jobs, "ApproximateNumberOfMessagesNotVisible", minute)),
			labelled("Oldest prompt, s", b.queue(jobs, "ApproximateAgeOfOldestMessage", minute)),
			labelled("Dead prompts", b.queue(dead, "ApproximateNumberOfMessagesVisible", minute)),
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
		lines = append(lines, labelled(leg.label+", p50", b.own(leg.metric, "p50", b.period)), labelled(leg.label+", p95", b.own(leg.metric, "p95", b.period)))
	}
	return b.graph("How fast?", "milliseconds", lines...)
}

func (b board) waiting() awscloudwatch.IWidget {
	return b.graph("How fast is the rest?", "milliseconds",
		labelled("answer to a callback, p50", b.api("Latency", "p50", b.period)),
		labelled("answer to a callback, p99", b.api("Latency", "p99", b.period)),
		labelled("age of what is published, max", b.function(b.bundle.Publish.Function, "IteratorAge", "Maximum", b.period)))
}

func (b board) credits() awscloudwatch.IWidget {
	credits := b.own(env.MetricCredits, "Sum", hour)
	each := expression("credits / (FILL(completed, 0) + FILL(failed, 0))", "credits a verdict", hour, map[string]awscloudwatch.IMetric{
		"credits": credits, "completed": b.own(env.MetricCompleted, "Sum", hour), "failed": b.own(env.MetricFailed, "Sum", hour),
	})
	return b.graph("What does the vendor cost? (each hour)", "credits", labelled("credits", credits), each)
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
	}
	for _, f := range b.bundle.functions() {
		lines = append(lines, labelled("errors of "+f.name, b.function(f.Function, "Errors", "Sum", b.period)))
	}
	return b.graph("What fails", "times", lines...)
}

func (b board) time() awscloudwatch.IWidget {
	var lines []awscloudwatch.IMetric
	for _, f := range b.bundle.functions() {
		lines = append(lines, labelled(f.name+", p95", b.function(f.Function, "Duration", "p95", b.period)))
	}
	return b.graph("How long do the functions run?", "milliseconds", lines...)
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
		LeftYAxis:      &awscloudwatch.YAxisProps{Label: jsii.String(unit), Min: jsii.Number(0), ShowUnits: jsii.Bool(false)},
		LegendPosition: awscloudwatch.LegendPosition_RIGHT,
	})
}

func labelled(text string, m awscloudwatch.Metric) awscloudwatch.IMetric {
	return m.With(&awscloudwatch.MetricOptions{Label: jsii.String(text)})
}
