//go:build !race

package stack

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// helps finds what a person can go on with: a command, a setting, a log, an event
// or a place to look.
var helps = regexp.MustCompile("`clipqueue [a-z]+|`[a-z]+[A-Z]\\w+`|\\blog\\b|\\bdashboard\\b|\\bschedule\\b")

// Every alarm has a section in the runbook, and every section an alarm.
func TestRunbookHasASectionForEachAlarm(t *testing.T) {
	text, err := os.ReadFile("../RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	var sections, alarms []string
	for _, m := range regexp.MustCompile(`(?ms)^## (\w+)\n(.*?)(?:\n\n|\z)`).FindAllStringSubmatch(string(text), -1) {
		sections = append(sections, m[1])
		if !helps.MatchString(m[2]) {
			t.Errorf("the section %s names no command, no log and no setting to go on with: %s", m[1], m[2])
		}
	}
	for _, alarm := range synth(t, nil).ofType("AWS::CloudWatch::Alarm") {
		name, _ := alarm.Properties["AlarmName"].(string)
		name = name[strings.LastIndex(name, " ")+1:]
		alarms = append(alarms, name)
		if say, _ := alarm.Properties["AlarmDescription"].(string); !strings.HasSuffix(say, "("+name+" in RUNBOOK.md)") {
			t.Errorf("the description of %s does not lead to the runbook: %s", name, say)
		}
	}
	slices.Sort(sections)
	slices.Sort(alarms)
	if diff := cmp.Diff(alarms, sections); diff != "" {
		t.Errorf("(-alarms +sections):\n%s", diff)
	}
}
