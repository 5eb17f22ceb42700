//go:build !race

package stack

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where `make test-stack` installs the linters.
const (
	cfnLint      = "../../.local/cfn-lint/bin/cfn-lint"
	aslValidator = "../node_modules/.bin/asl-validator"
)

// What is deployed must please the linters that users run in their own
// pipelines: the defaults, and every setting at both ends of its range.
func TestLintersFindNothing(t *testing.T) {
	for _, tool := range []string{cfnLint, aslValidator} {
		if _, err := os.Stat(tool); err != nil {
			t.Fatalf("%s is not installed: run make test-stack: %v", filepath.Base(tool), err)
		}
	}
	var templates, loops []string
	for _, context := range []map[string]any{nil, lowest(), highest()} {
		settings, err := ParseSettings(context)
		if err != nil {
			t.Fatal(err)
		}
		path := synthFile(t, settings)
		templates, loops = append(templates, path), append(loops, loopFile(t, path))
	}
	lint(t, cfnLint, append([]string{"--include-checks", "I", "--non-zero-exit-code", "informational", "--template"}, templates...)...)
	for _, loop := range loops {
		lint(t, aslValidator, "--json-path", loop)
	}
}

func lint(t *testing.T, tool string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", filepath.Base(tool), err, out)
	}
}

// synthFile is the template as CDK writes it.
func synthFile(t *testing.T, settings Settings) string {
	t.Helper()
	_, app := newTestStack(t, func(s *Settings) { *s = settings })
	return filepath.Join(*app.Synth(nil).Directory(), "Clipqueue-"+settings.Stage+".template.json")
}

// loopFile is the definition of a template's state machine, as CloudFormation
// hands it to Step Functions.
func loopFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var tpl template
	if err := json.Unmarshal(data, &tpl); err != nil {
		t.Fatal(err)
	}
	definition := dig[string](t, tpl.one(t, "AWS::StepFunctions::StateMachine", "ClipqueuePollLoop").Properties, "DefinitionString")
	out := filepath.Join(t.TempDir(), "poll_loop.asl.json")
	write(t, out, strings.ReplaceAll(definition, "${PollFunctionArn}", "arn:aws:lambda:us-east-1:111111111111:function:poll"))
	return out
}
