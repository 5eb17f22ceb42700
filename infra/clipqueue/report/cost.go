package report

import (
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/prices"
)

// What a job's record does not tell, as we measured or assume it.
const (
	functionGB     = 256.0 / 1024
	archiveGB      = 512.0 / 1024
	shortCall      = 20 * time.Millisecond // webhook, publish, poll
	bytesPerSecond = 20e6                  // of a download
	rowUnits       = 2                     // a row of up to 2 KB; each unit is 1 KB
	expressGB      = 64.0 / 1024
	pollEvery      = 5 * time.Second
	logsPerCall    = 1200.0 // bytes
	alarmMetrics   = 42     // an alarm on an expression is charged for each metric in it
	ownMetrics     = 22
	month          = 30 * 24 * time.Hour
	gigabyte       = 1e9
)

// Cost is what AWS charges, about.
type Cost struct {
	// USD is the sum; PerJob its share of each job, 0 without jobs.
	USD    float64 `json:"usd"`
	PerJob float64 `json:"usd_per_job"`
	// Region and AsOf say whose list prices these are, and of which day.
	Region string `json:"prices_of_region"`
	AsOf   string `json:"prices_as_of"`
	Lines  []Line `json:"lines"`
}

// Line is one thing that AWS charges for.
type Line struct {
	What  string  `json:"what"`
	Count float64 `json:"count"`
	Unit  string  `json:"unit"`
	USD   float64 `json:"usd"`
}

// usage counts what jobs made AWS do.
type usage struct {
	jobs                          int
	queue, calls, writes, events  float64
	callbacks, polls, loops, puts float64
	functionSeconds, storedMonths float64 // GB seconds, GB months
	loopSeconds                   float64
}

// add counts one job, from its record.
func (u *usage) add(j job.Job, until time.Time) {
	u.jobs++
	attempts := float64(max(1, j.Attempt))
	out := u.eventsOf(j)
	u.queue += 1 + 2*attempts // sent, received and deleted or put off
	u.events += out
	// Each transition is a write; so is the end of what it owes. Beside them
	// two indexes: one entry made, one made and taken away.
	u.writes += (float64(j.Version)+out)*rowUnits + 3
	u.call(attempts, functionGB, between(j.ClaimedAt, j.AcceptedAt, time.Minute))
	u.call(out, functionGB, shortCall)
	if j.Result != nil && j.Result.Via == events.ViaCallback {
		u.callbacks++
		u.call(1, functionGB, shortCall)
	}
	if j.Delivery == events.DeliveryPoll && !j.AcceptedAt.IsZero() {
		waited := between(j.AcceptedAt, j.SettledAt, 4*time.Minute)
		polls := max(1, float64(waited/pollEvery))
		u.polls += polls
		u.loops++
		u.loopSeconds += waited.Seconds()
		u.call(polls, functionGB, shortCall)
	}
	if j.Archive.State == job.ArchiveStored {
		size := float64(j.Archive.Size)
		u.puts++
		u.call(1, archiveGB, time.Duration(size/bytesPerSecond*float64(time.Second)))
		u.storedMonths += size / gigabyte * max(0, until.Sub(j.Archive.At).Hours()) / month.Hours()
	}
}

// eventsOf is how many events the job has put on the bus.
func (u *usage) eventsOf(j job.Job) (n float64) {
	if !j.AcceptedAt.IsZero() {
		n++
	}
	for _, step := range j.History {
		if step.State.Settled() {
			n++ // a verdict, or the archive's word after it
		}
	}
	return n
}

func (u *usage) call(n, gb float64, each time.Duration) {
	u.calls += n
	u.functionSeconds += n * gb * max(each, shortCall).Seconds()
}

// Standing is what AWS charges for so long a time without any job. Of the
// bundle's own metrics it is the most: each is charged for in hours that write it.
func Standing(span time.Duration) []Line {
	each, months, runs := prices.Current().Each, span.Hours()/month.Hours(), span.Minutes()
	run := each("Lambda request") + shortCall.Seconds()*functionGB*each("Lambda GB-second") + 4*0.5*each("DynamoDB read unit")
	return []Line{
		{"Standing: secret", months, "months", months * each("Secrets Manager secret-month")},
		{"Standing: metrics of alarms", alarmMetrics * months, "metric months", alarmMetrics * months * each("CloudWatch alarm-month")},
		{"Standing: dashboard", months, "months", months * each("CloudWatch dashboard-month")},
		{"Standing: own metrics, at most", ownMetrics * months, "metric months", ownMetrics * months * each("CloudWatch metric-month")},
		{"Standing: reconcile", runs, "runs", runs * run},
	}
}

// cost prices what was counted, and what stands there for so long anyhow.
func (u *usage) cost(span time.Duration) Cost {
	list := prices.Current()
	each := list.Each
	c := Cost{Region: list.Region, AsOf: list.AsOf, Lines: []Line{
		{"SQS requests", u.queue, "requests", u.queue * each("SQS request")},
		{"Lambda calls", u.calls, "calls", u.calls * each("Lambda request")},
		{"Lambda time", u.functionSeconds, "GB s", u.functionSeconds * each("Lambda GB-second")},
		{"DynamoDB writes", u.writes, "units", u.writes * each("DynamoDB write unit")},
		{"DynamoDB reads", u.polls * rowUnits, "units", u.polls * rowUnits * each("DynamoDB read unit")},
		{"HTTP API", u.callbacks, "callbacks", u.callbacks * each("HTTP API request")},
		{"EventBridge", u.events, "events", u.events * each("EventBridge event")},
		{"Step Functions, Express", u.loops, "loops", u.loops*each("Step Functions request") + u.loopSeconds*expressGB*each("Step Functions GB-second")},
		{"S3 requests", u.puts, "videos", u.puts * each("S3 PUT")},
		{"S3 storage so far", u.storedMonths, "GB months", u.storedMonths * each("S3 GB-month")},
		{"CloudWatch logs", u.calls * logsPerCall / gigabyte, "GB", u.calls * logsPerCall / gigabyte * each("CloudWatch GB of logs")},
	}}
	c.Lines = append(c.Lines, Standing(span)...)
	for _, line := range c.Lines {
		c.USD += line.USD
	}
	if u.jobs > 0 {
		c.PerJob = c.USD / float64(u.jobs)
	}
	return c
}
