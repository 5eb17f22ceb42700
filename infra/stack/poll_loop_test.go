//go:build !race

package stack

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPollLoop(t *testing.T) {
	loop := synth(t, func(s *Settings) {
		s.PollFirstWait, s.PollEvery, s.PollHandOverAfter = 20*time.Second, 7*time.Second, 3*time.Minute
	}).one(t, "AWS::StepFunctions::StateMachine", "ClipqueuePollLoop").Properties
	if loop["StateMachineType"] != "EXPRESS" {
		t.Errorf("the loop's type is %v", loop["StateMachineType"])
	}
	if got := readable(dig[any](t, loop, "DefinitionSubstitutions", "PollFunctionArn")); got != "PollLoopFunction.Arn" {
		t.Errorf("the loop calls %s", got)
	}
	text := dig[string](t, loop, "DefinitionString")
	for _, want := range []string{"'wait_seconds': 20}", "{'wait_seconds': 7, ", "+ 7 * 1000 > 180000}", `"Resource": "${PollFunctionArn}"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the definition lacks %s:\n%s", want, text)
		}
	}
	var definition struct {
		QueryLanguage string `json:"QueryLanguage"`
		StartAt       string `json:"StartAt"`
		States        map[string]struct {
			Type    string   `json:"Type"`
			Next    string   `json:"Next"`
			Default string   `json:"Default"`
			Choices []next   `json:"Choices"`
			Catch   []caught `json:"Catch"`
		} `json:"States"`
	}
	if err := json.Unmarshal([]byte(text), &definition); err != nil {
		t.Fatal(err)
	}
	if definition.QueryLanguage != "JSONata" || definition.StartAt != "Start" {
		t.Errorf("the definition begins at %s in %s", definition.StartAt, definition.QueryLanguage)
	}
	got := map[string]string{}
	for name, state := range definition.States {
		ways := []string{state.Type, state.Next, state.Default}
		for _, choice := range state.Choices {
			ways = append(ways, choice.Next)
		}
		for _, caught := range state.Catch {
			ways = append(ways, strings.Join(caught.ErrorEquals, ","), caught.Next)
		}
		got[name] = strings.Join(strings.Fields(strings.Join(ways, " ")), " ")
	}
	// A failed poll must not end the loop: it waits and goes on like any other.
	want := map[string]string{
		"Start": "Pass Wait", "Wait": "Wait Poll", "Poll": "Task Done? States.ALL Done?", "Done?": "Choice Wait End", "End": "Succeed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states and where they lead (-want +got):\n%s", diff)
	}
}

// A poll that fails must not make the loop outlive Express: it ends where the
// next wait would lead past the hand-over, whatever the settings. One poll of
// 30 s may come on top.
func TestPollLoopEndsBeforeExpressDoes(t *testing.T) {
	for name, context := range map[string]map[string]any{"lowest": lowest(), "highest": highest()} {
		s := parsed(t, context)
		loop := pollLoop(&s)
		var wait, handOver int64
		_, end, _ := strings.Cut(loop, "$toMillis($states.input.started_at) ")
		if _, err := fmt.Sscanf(end, "+ %d * 1000 > %d}", &wait, &handOver); err != nil {
			t.Fatalf("%s: how a loop ends cannot be read: %v\n%s", name, err, loop)
		}
		if wait != int64(s.PollEvery.Seconds()) || handOver != s.PollHandOverAfter.Milliseconds() {
			t.Errorf("%s: a loop waits %d s after a failure and hands over after %d ms, want pollEvery and pollHandOverAfter", name, wait, handOver)
		}
		if last := s.PollHandOverAfter + pollLimit; last >= 5*time.Minute {
			t.Errorf("%s: a loop may last %v, and Express ends it at 5m", name, last)
		}
	}
}

type next struct {
	Next string `json:"Next"`
}

type caught struct {
	ErrorEquals []string `json:"ErrorEquals"`
	Next        string   `json:"Next"`
}
