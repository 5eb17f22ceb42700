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
// the bundle: an import, and no build step.
func TestExampleAppOfAnotherModule(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copyFile(t, filepath.Join(root, "infra/example/main.go"), filepath.Join(dir, "main.go"))
	copyFile(t, filepath.Join(root, "go.sum"), filepath.Join(dir, "go.sum"))
	// The versions of this module's own dependencies, so that nothing is looked up.
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.mod"), strings.Replace(string(mod), "module "+binaries.Module, "module example.com/videos", 1)+
		"\nrequire "+binaries.Module+" v0.0.0\n\nreplace "+binaries.Module+" => "+root+"\n")

	out := filepath.Join(dir, "cdk.out")
	cmd := exec.CommandContext(t.Context(), "go", "run", "-mod=mod", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+out)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
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
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(data))
}
