package report

import (
	"os"
	"strings"
	"testing"
)

// The report prices the alarms that the stack has by default.
func TestAlarmsAreThoseOfTheStack(t *testing.T) {
	template, err := os.ReadFile("../../stack/testdata/template.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(template), `"AWS::CloudWatch::Alarm"`); got != alarms {
		t.Errorf("the stack has %d alarms, and the report prices %d", got, alarms)
	}
}
