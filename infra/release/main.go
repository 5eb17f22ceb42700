// Command release builds what is published of a version: the functions, the
// clipqueue command, the template of the defaults, a bill of materials and
// checksums. The same source and Go toolchain make the same bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/clipqueue/clipqueue/infra/binaries"
	"github.com/clipqueue/clipqueue/infra/version"
)

func main() {
	out := flag.String("out", "dist/release", "folder to build into; what it holds is removed first")
	snapshot := flag.Bool("snapshot", false, "build whatever the checkout holds, released or not")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := release(ctx, *out, *snapshot)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func release(ctx context.Context, out string, snapshot bool) error {
	source, err := binaries.Source(ctx)
	if err != nil {
		return err
	}
	label := version.Version
	if !snapshot {
		if err := readyToRelease(ctx, source, version.Version); err != nil {
			return err
		}
	}
	scratch, err := os.MkdirTemp("", "clipqueue-release-")
	if err != nil {
		return fmt.Errorf("make a folder to build in: %w", err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // at worst a stray folder among the temporary ones
	if err := empty(out); err != nil {
		return err
	}
	b := &builder{source: source, scratch: scratch, out: out, label: label}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return b.programs(ctx, artifacts(label)) },
		b.template, b.billOfMaterials,
		func(context.Context) error { return writeSums(out) },
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("%s is in %s; check it with: cd %s && sha256sum -c %s\n", label, out, out, sumsFile)
	return nil
}

// empty makes out an empty folder.
func empty(out string) error {
	if err := os.RemoveAll(out); err != nil {
		return fmt.Errorf("empty %s: %w", out, err)
	}
	if err := os.MkdirAll(filepath.Clean(out), 0o750); err != nil {
		return fmt.Errorf("make %s: %w", out, err)
	}
	return nil
}
