//go:build !race

package stack

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clipqueue/clipqueue/infra/binaries"
)

// The example is a module of its own, so this is how another team's app gets
// the bundle: an import, and no build step. It is run as it lies there, with its
// own go.mod and go.sum, which must not need a change.
func TestExampleAppOfAnotherModule(t *testing.T) {
	out := filepath.Join(t.TempDir(), "cdk.out")
	cmd := exec.CommandContext(t.Context(), "go", "run", "-mod=readonly", ".")
	cmd.Dir = "../example"
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+out, "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v; if its go.mod or go.sum lags behind the module's: cd infra/example && go mod tidy\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(out, "Videos.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tpl template
	if err := json.Unmarshal(data, &tpl); err != nil {
		t.Fatal(err)
	}
	for _, name := range binaries.FunctionNames() {
		asset := strings.TrimSuffix(dig[string](t, tpl.function(t, name).Properties, "Code", "S3Key"), ".zip")
		if _, err := os.Stat(filepath.Join(out, "asset."+asset, "bootstrap")); err != nil {
			t.Errorf("the assembly lacks the binary of %s: %v", name, err)
		}
	}
	if bus := readable(tpl.one(t, "AWS::Events::Rule", "Finished").Properties["EventBusName"]); bus != "VideoBus" {
		t.Errorf("the app's own rule is on %s, want the bundle's bus", bus)
	}
	// The operator's command finds the deployment by these.
	for _, name := range []string{"JobQueueUrl", "WebhookUrl", "EventBusName", "TableName", "ApiKeySecretArn", "PollStateMachineArn"} {
		if _, there := tpl.Outputs[name]; !there {
			t.Errorf("the stack has no output %s", name)
		}
	}
}
