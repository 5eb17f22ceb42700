package metric_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/metric"
)

func at() time.Time { return time.UnixMilli(1767323045678) }

// A line is what CloudWatch's specification of the embedded format asks for.
func TestLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := metric.New(&out, "prod", at)
	s.Count(env.MetricCredits, 40)
	s.Time(env.MetricTotalTime, 1500*time.Millisecond)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	for i, want := range []string{
		`{"_aws":{"Timestamp":1767323045678,"CloudWatchMetrics":[{"Namespace":"Clipqueue","Dimensions":[["Stage"]],
		  "Metrics":[{"Name":"Credits","Unit":"Count"}]}]},"Stage":"prod","Credits":40}`,
		`{"_aws":{"Timestamp":1767323045678,"CloudWatchMetrics":[{"Namespace":"Clipqueue","Dimensions":[["Stage"]],
		  "Metrics":[{"Name":"TotalTime","Unit":"Milliseconds"}]}]},"Stage":"prod","TotalTime":1500}`,
	} {
		if diff := cmp.Diff(decode(t, want), decode(t, lines[i])); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i, diff)
		}
	}
}

func decode(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("pipe closed") }

// A lost metric fails nothing, and the zero value drops them.
func TestDropped(t *testing.T) {
	t.Parallel()
	metric.Sink{}.Count("x", 1)
	metric.New(broken{}, "", at).Count("x", 1)
}
