package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// tools are the programs that the Makefile installed into the checkout.
type tools struct {
	infra  string // the CDK app's directory
	python string // the interpreter that the engine is installed for
	bin    string // directory of cdk and node
}

// findTools looks for the checkout around root, or around the working
// directory, and for the tools in it.
func findTools(root string) (tools, error) {
	root, err := findRoot(root)
	if err != nil {
		return tools{}, err
	}
	t := tools{
		infra:  filepath.Join(root, "infra"),
		python: filepath.Join(root, ".local", "venv", "bin", "python"),
		bin:    filepath.Join(root, "infra", "node_modules", ".bin"),
	}
	for _, file := range []string{t.python, filepath.Join(t.bin, "cdk"), filepath.Join(t.bin, "node")} {
		if _, err := os.Stat(file); err != nil {
			return tools{}, fmt.Errorf("%s is not installed: run `make tools` once: %w", filepath.Base(file), err)
		}
	}
	return t, nil
}

// Root is the top directory of the checkout around the working directory.
func Root() (string, error) { return findRoot("") }

func findRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod")) //nolint:gosec // to see whose it is
		if err == nil && strings.HasPrefix(string(mod), "module github.com/clipqueue/clipqueue\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errNoProject
		}
		dir = parent
	}
}
