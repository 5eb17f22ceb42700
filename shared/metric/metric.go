// Package metric writes metrics as lines of CloudWatch's Embedded Metric Format
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html):
// a log line is all it takes, no call and no grant.
package metric

import (
	"encoding/json"
	"io"
	"time"

	"github.com/clipqueue/clipqueue/shared/env"
)

// Sink takes metrics. The zero value drops them.
type Sink struct {
	out   io.Writer
	stage string
	now   func() time.Time
}

// New writes to out, which is a function's standard output; stage is the one dimension.
func New(out io.Writer, stage string, now func() time.Time) Sink {
	return Sink{out: out, stage: stage, now: now}
}

// Count adds n to a counter; the names are in package env.
func (s Sink) Count(name string, n int64) { s.put(name, "Count", float64(n)) }

// Time records a duration, in milliseconds.
func (s Sink) Time(name string, d time.Duration) {
	s.put(name, "Milliseconds", float64(d.Milliseconds()))
}

func (s Sink) put(name, unit string, value float64) {
	if s.out == nil {
		return
	}
	line, err := json.Marshal(map[string]any{
		"_aws": map[string]any{
			"Timestamp": s.now().UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace":  env.MetricNamespace,
				"Dimensions": [][]string{{"Stage"}},
				"Metrics":    []any{map[string]string{"Name": name, "Unit": unit}},
			}},
		},
		"Stage": s.stage,
		name:    value,
	})
	if err != nil {
		return // a float and strings always marshal
	}
	_, _ = s.out.Write(append(line, '\n')) // a lost metric must not fail a job
}
