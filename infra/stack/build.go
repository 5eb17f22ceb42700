package stack

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

const modulePath = "github.com/clipqueue/clipqueue"

// functionNames are the folders under functions/ that hold a Lambda.
func functionNames() []string {
	return []string{"submit", "webhook", "poll", "reconcile", "publish", "archive"}
}

// ErrNoGo says that the functions cannot be built for want of a Go toolchain.
var ErrNoGo = errors.New("there is no go command on the PATH: install Go from https://go.dev/dl")

// BuildFunctions compiles every function for a processor, "arm64" or "x86_64",
// with the local Go toolchain. It gives the folder of each function's bundle
// by its name. The same source and toolchain make the same bytes, wherever the
// source lies; that can be a checkout or the module cache.
func BuildFunctions(ctx context.Context, architecture string) (map[string]string, error) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return nil, fmt.Errorf("clipqueue: build the functions: %w", ErrNoGo)
	}
	source, err := sourceDir(ctx, goCommand)
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
	for _, name := range functionNames() {
		dir := filepath.Join(out, name)
		bundles[name] = dir
		group.Go(func() error { return buildFunction(ctx, goCommand, source, name, architecture, dir) })
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("clipqueue: build the functions: %w", err)
	}
	return bundles, nil
}

// sourceDir finds the source of this module: the checkout that the CDK app
// belongs to, or its folder in the module cache.
func sourceDir(ctx context.Context, goCommand string) (string, error) {
	out, err := run(exec.CommandContext(ctx, goCommand, "list", "-m", "-f", "{{.Dir}}", modulePath))
	if err != nil {
		return "", fmt.Errorf("find the source of %s: run CDK in a folder of the Go module that uses it: %w", modulePath, err)
	}
	dir := strings.TrimSpace(out)
	if dir == "" {
		return "", fmt.Errorf("find the source of %s: it is vendored or not downloaded: run go mod download", modulePath)
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

// buildFunction puts the binary into place in one step, so that a synth that
// runs at the same time never sees half of it.
func buildFunction(ctx context.Context, goCommand, source, name, architecture, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make a folder for the bundle of %s: %w", name, err)
	}
	scratch, err := os.MkdirTemp(filepath.Dir(dir), ".build-")
	if err != nil {
		return fmt.Errorf("make a folder to build %s in: %w", name, err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // at worst a stray folder in the cache
	binary := filepath.Join(scratch, "bootstrap")
	//nolint:gosec // the go command found on the PATH, and names of our own
	cmd := exec.CommandContext(ctx, goCommand, "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", binary, "./functions/"+name+"/lambda")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+goArchitecture(architecture), "CGO_ENABLED=0",
		// What a user has set for other work must not change the bytes.
		"GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOARM64=", "GOAMD64=")
	if _, err := run(cmd); err != nil {
		return fmt.Errorf("compile %s: %w", name, err)
	}
	if err := os.Rename(binary, filepath.Join(dir, "bootstrap")); err != nil {
		return fmt.Errorf("put the bundle of %s into place: %w", name, err)
	}
	return nil
}

func goArchitecture(architecture string) string {
	if architecture == "x86_64" {
		return "amd64"
	}
	return "arm64"
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
