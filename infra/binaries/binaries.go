// Package binaries compiles this module's programs with the local Go toolchain.
// The same source and toolchain make the same bytes, wherever the source lies;
// that can be a checkout or the module cache.
package binaries

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Module is the path of this module.
const Module = "github.com/clipqueue/clipqueue"

// FunctionNames are the folders under functions/ that hold a Lambda.
func FunctionNames() []string {
	return []string{"submit", "webhook", "poll", "reconcile", "publish", "archive"}
}

// ErrNoGo says that nothing can be built for want of a Go toolchain.
var ErrNoGo = errors.New("there is no go command on the PATH: install Go from https://go.dev/dl")

// Functions compiles every function for a processor in Lambda's words, "arm64"
// or "x86_64". It gives the folder of each function's bundle by its name, which
// holds the binary "bootstrap" and nothing else.
func Functions(ctx context.Context, architecture string) (map[string]string, error) {
	source, err := Source(ctx)
	if err != nil {
		return nil, fmt.Errorf("clipqueue: build the functions: %w", err)
	}
	out, err := bundleDir(source, architecture)
	if err != nil {
		return nil, fmt.Errorf("clipqueue: build the functions: %w", err)
	}
	bundles := map[string]string{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, name := range FunctionNames() {
		dir := filepath.Join(out, name)
		bundles[name] = dir
		group.Go(func() error {
			return Build(ctx, source, Function(name, architecture), filepath.Join(dir, "bootstrap"))
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("clipqueue: build the functions: %w", err)
	}
	return bundles, nil
}

// Function is what one function is built as, for a processor in Lambda's words.
func Function(name, architecture string) Target {
	processor := "arm64"
	if architecture == "x86_64" {
		processor = "amd64"
	}
	return Target{Package: "functions/" + name + "/lambda", Tags: "lambda.norpc", OS: "linux", Architecture: processor}
}

// Source finds the source of this module: the checkout around the working
// directory, or its folder in the module cache.
func Source(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", ErrNoGo
	}
	out, err := run(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", Module))
	if err != nil {
		return "", fmt.Errorf("find the source of %s: run CDK in a folder of the Go module that uses it: %w", Module, err)
	}
	dir := strings.TrimSpace(out)
	if dir == "" {
		return "", fmt.Errorf("find the source of %s: it is vendored or not downloaded: run go mod download", Module)
	}
	return dir, nil
}

// bundleDir is kept from run to run. It is the source's own, so that two
// checkouts do not get into each other's way.
func bundleDir(source, architecture string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the bundles: %w", err)
	}
	return filepath.Join(cache, "clipqueue", fmt.Sprintf("%x", sha256.Sum256([]byte(source)))[:12], architecture), nil
}

// Target says what is built, and for which machine in Go's words.
type Target struct {
	// Package is the folder of the main package within the source.
	Package string
	// Tags are build tags with commas between them; may be empty.
	Tags             string
	OS, Architecture string
}

// Build compiles a target and puts the program into place in one step, so that
// whoever reads it at the same time never sees half of it. Its folder is made.
func Build(ctx context.Context, source string, t Target, program string) error {
	dir := filepath.Dir(program)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make a folder for %s: %w", t.Package, err)
	}
	scratch, err := os.MkdirTemp(filepath.Dir(dir), ".build-")
	if err != nil {
		return fmt.Errorf("make a folder to build %s in: %w", t.Package, err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // at worst a stray folder in the cache
	built := filepath.Join(scratch, "program")
	//nolint:gosec // the go command found on the PATH, and names of our own
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-tags", t.Tags, "-ldflags", "-s -w -buildid=", "-o", built, "./"+t.Package)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOOS="+t.OS, "GOARCH="+t.Architecture, "CGO_ENABLED=0",
		// What a user has set for other work must not change the bytes.
		"GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOARM64=", "GOAMD64=")
	if _, err := run(cmd); err != nil {
		return fmt.Errorf("compile %s: %w", t.Package, err)
	}
	if err := os.Rename(built, program); err != nil {
		return fmt.Errorf("put %s into place: %w", t.Package, err)
	}
	return nil
}

// run gives what a command wrote; its error carries what the command complained of.
func run(cmd *exec.Cmd) (string, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args[:2], " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}
