//go:build !race

package stack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/infra/binaries"
)

// What a function reads is what the stack sets, no less and no more. Only the
// variable of the local engine may be absent.
func TestEnvironmentIsWhatEachFunctionReads(t *testing.T) {
	names := constantsOf(t, "../../shared/env/env.go")
	tpl := synth(t, func(s *Settings) { s.Local, s.ArchiveTrustedOrigin = true, "http://127.0.0.1:9" })
	for _, function := range binaries.FunctionNames() {
		reads := map[string]bool{names["LogLevel"]: true} // by the Reader itself
		for _, dir := range []string{"../../functions/" + function + "/lambda", "../../shared/boot"} {
			for _, constant := range usesOfEnv(t, dir) {
				if name, ok := names[constant]; ok {
					reads[name] = true
				}
			}
		}
		if diff := cmp.Diff(sortedKeys(reads), sortedKeys(tpl.environment(t, function))); diff != "" {
			t.Errorf("environment of %s (-read +set):\n%s", function, diff)
		}
	}
}

// constantsOf gives the string constants of a file by name.
func constantsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	out := map[string]string{}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if out[spec.Names[0].Name], err = strconv.Unquote(literal.Value); err != nil {
				t.Fatal(err)
			}
		}
		return true
	})
	return out
}

// usesOfEnv gives the names N of all env.N in the Go files of a folder.
func usesOfEnv(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	inspect(t, dir, func(n ast.Node) {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if from, ok := selector.X.(*ast.Ident); ok && from.Name == "env" {
				out = append(out, selector.Sel.Name)
			}
		}
	})
	return out
}

// inspect visits what the Go files of a folder consist of, its tests left out.
func inspect(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, entry.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}

// Secrets travel by name only.
func TestEnvironmentHoldsNoSecret(t *testing.T) {
	tpl := synth(t, nil)
	for _, function := range binaries.FunctionNames() {
		if id, ok := tpl.environment(t, function)["API_KEY_SECRET_ID"]; ok && !strings.HasSuffix(id, "/creativeai-api-key") {
			t.Errorf("%s gets the secret %q, want its name", function, id)
		}
		for name, value := range tpl.environment(t, function) {
			if strings.Contains(value, "{{resolve:") {
				t.Errorf("%s of %s is resolved into the template: %s", name, function, value)
			}
		}
	}
}
