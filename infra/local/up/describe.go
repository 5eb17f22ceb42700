package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/template"

	"github.com/clipqueue/clipqueue/infra/local"
)

//go:embed guide.tmpl
var guide string

//go:embed env.tmpl
var environment string

// page is what the templates know.
type page struct {
	*local.Bundle

	// Bin is where the clipqueue command was built.
	Bin                          string
	AccessKey, SecretKey, Region string
}

func newPage(root string, b *local.Bundle) page {
	return page{b, filepath.Join(root, ".local", "bin"), local.AccessKey, local.SecretKey, local.Region}
}

// render fills a template with what there is to know about the bundle.
func (p page) render(w io.Writer, text string) error {
	t, err := template.New("").Parse(text)
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	return t.Execute(w, p)
}

// Files that programs read while the bundle is up.
const (
	outputsFile = "outputs.json"
	envFile     = "env"
)

// write leaves the stack's outputs and the environment in dist.
func (p page) write(dist string) error {
	outputs, err := os.ReadFile(p.OutputsFile)
	if err != nil {
		return fmt.Errorf("stack outputs: %w", err)
	}
	var env bytes.Buffer
	if err := p.render(&env, environment); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dist, outputsFile), outputs, 0o600), //nolint:gosec // below our own dist
		os.WriteFile(filepath.Join(dist, envFile), env.Bytes(), 0o600),
	)
}

// remove takes them away: they must not lead anyone to a bundle that is gone.
func remove(dist string) {
	_ = os.Remove(filepath.Join(dist, outputsFile))
	_ = os.Remove(filepath.Join(dist, envFile))
}
