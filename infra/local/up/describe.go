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
	AccessKey, SecretKey, Region string
}

// render fills a template with what there is to know about a bundle.
func render(w io.Writer, text string, b *local.Bundle) error {
	t, err := template.New("").Parse(text)
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	return t.Execute(w, page{b, local.AccessKey, local.SecretKey, local.Region})
}

// Files that programs read while the bundle is up.
const (
	outputsFile = "outputs.json"
	envFile     = "env"
)

// write leaves the stack's outputs and the environment in dist.
func write(dist string, b *local.Bundle) error {
	outputs, err := os.ReadFile(b.OutputsFile)
	if err != nil {
		return fmt.Errorf("stack outputs: %w", err)
	}
	var env bytes.Buffer
	if err := render(&env, environment, b); err != nil {
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
