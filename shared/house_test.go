// Package shared_test holds who may import whom.
package shared_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/clipqueue/clipqueue/"
	sdk    = "github.com/aws/aws-sdk-go-v2"
	shapes = "github.com/aws/aws-lambda-go"
)

// listed is a package as go list tells of it, without its tests.
type listed struct {
	ImportPath string `json:"ImportPath"`
	Standard   bool   `json:"Standard"`
	// Imports are its own.
	Imports []string `json:"Imports"`
	// Deps are all that it links.
	Deps []string `json:"Deps"`
}

// list asks the go command about packages of the module, and of what they link.
func list(t *testing.T, patterns ...string) map[string]listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps", "-json=ImportPath,Standard,Imports,Deps"}, patterns...)...)
	command.Dir = ".."
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	packages := map[string]listed{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
	return packages
}

// of are the packages below a folder of the module; it must have some.
func of(t *testing.T, all map[string]listed, folder string) (found []listed) {
	t.Helper()
	for _, p := range all {
		if p.ImportPath == module+folder || strings.HasPrefix(p.ImportPath, module+folder+"/") {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no packages in %s", folder)
	}
	return found
}

// within says whether a package is one of these, or below one.
func within(p string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		root = strings.TrimSuffix(root, "/")
		return p == root || strings.HasPrefix(p, root+"/")
	})
}

// cdk is what must not be linked by what runs.
func cdk(p string) bool {
	return within(p, "github.com/aws/aws-cdk-go", "github.com/aws/constructs-go", "github.com/aws/jsii-runtime-go", "github.com/cdklabs")
}

// Consumers and producers import events: it needs nothing but the standard library.
func TestEventsNeedNothing(t *testing.T) {
	t.Parallel()
	all := list(t, "./events/...")
	for _, p := range of(t, all, "events") {
		for _, dep := range p.Deps {
			if !all[dep].Standard && !within(dep, module+"events") {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}

// What is shared knows nothing of those who share it.
func TestSharedStaysBelow(t *testing.T) {
	t.Parallel()
	for _, p := range of(t, list(t, "./shared/..."), "shared") {
		for _, dep := range p.Deps {
			if within(dep, module+"functions", module+"infra", shapes) || cdk(dep) {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}

// A function imports no SDK and no other function; its main alone makes clients.
func TestFunctions(t *testing.T) {
	t.Parallel()
	for _, p := range of(t, list(t, "./functions/..."), "functions") {
		isMain := path.Base(p.ImportPath) == "lambda"
		own := strings.TrimSuffix(p.ImportPath, "/lambda")
		for _, imported := range p.Imports {
			switch {
			case within(imported, sdk) && !isMain:
				t.Errorf("%s imports %s: make clients in lambda/main.go", p.ImportPath, imported)
			case within(imported, module+"functions") && (imported != own || !isMain):
				t.Errorf("%s imports %s, another function", p.ImportPath, imported)
			}
		}
		for _, dep := range p.Deps {
			if within(dep, module+"infra") || cdk(dep) || within(dep, "testing") {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}

// The stack builds and deploys the functions, and never imports their code.
func TestStack(t *testing.T) {
	t.Parallel()
	for _, p := range of(t, list(t, "./infra/stack/..."), "infra/stack") {
		for _, dep := range p.Deps {
			local := within(dep, module) && !within(dep, module+"shared/env", module+"events", module+"infra/stack", module+"infra/binaries", module+"infra/version")
			if local || within(dep, sdk, shapes) {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}
