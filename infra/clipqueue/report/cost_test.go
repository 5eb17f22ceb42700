package report

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"
)

// AWS charges for each metric that an alarm reads, be it in an expression.
func TestAlarmMetricsAreThoseOfTheStack(t *testing.T) {
	data, err := os.ReadFile("../../stack/testdata/template.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string         `json:"Type"`
			Properties map[string]any `json:"Properties"`
		} `json:"Resources"`
	}
	if err := json.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, r := range template.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		if r.Properties["MetricName"] != nil {
			got++
		}
		queries, _ := r.Properties["Metrics"].([]any)
		for _, query := range queries {
			if q, _ := query.(map[string]any); q["MetricStat"] != nil {
				got++
			}
		}
	}
	if got != alarmMetrics {
		t.Errorf("the stack's alarms read %d metrics, and the report prices %d", got, alarmMetrics)
	}
}

func TestOwnMetricsAreAllPriced(t *testing.T) {
	source, err := os.ReadFile("../../../shared/env/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(regexp.MustCompile(`(?m)^\tMetric\w+ = `).FindAll(source, -1)) - 1; got != ownMetrics { // the namespace is none
		t.Errorf("the functions write %d metrics, and the report prices %d", got, ownMetrics)
	}
}
