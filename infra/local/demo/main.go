// Command demo is `make demo`: it deploys the bundle to the local engine, puts
// the prompts of prompts.jsonl on the queue, follows them, and says of each
// whether it ended as it should. The events that a consumer received, and a
// report, are left in dist/demo.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clipqueue/clipqueue/infra/local"
)

func main() {
	ctx, stop := local.Context()
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "make demo: %v\n", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

const (
	// vendorScale lets a generation, of 30 s to 3 min, take 1 to 6 s.
	vendorScale = 1.0 / 30
	// endWithin is when the demo gives up on prompts that have not ended.
	endWithin = 2 * time.Minute
)

// settings are the stack's, for a vendor that is that quick.
func settings() map[string]string {
	return map[string]string{"pollFirstWait": "2s", "pollEvery": "1s", "pollSlowEvery": "2s"}
}

// say prints a line.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// errNotAsExpected means that a prompt ended otherwise than prompts.jsonl says.
var errNotAsExpected = errors.New("not every prompt ended as it should")

func demo(ctx context.Context) error {
	prompts, err := readPrompts(promptFile)
	if err != nil {
		return err
	}
	root, err := local.Root()
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist", "demo")
	if err := os.MkdirAll(dist, 0o750); err != nil {
		return fmt.Errorf("results: %w", err)
	}
	bundle, err := local.Start(ctx, local.Options{
		Root:        root,
		Settings:    settings(),
		VendorScale: vendorScale,
		EngineLog:   filepath.Join(dist, "engine.log"),
		Progress:    say,
	})
	if err != nil {
		return err
	}
	defer bundle.Stop()
	w, err := newWatch(ctx, bundle, prompts, filepath.Join(dist, "events.jsonl"))
	if err != nil {
		return err
	}
	if err := w.run(ctx, newScreen(os.Stdout, w.jobs)); err != nil {
		return err
	}
	return ask(ctx, bundle, "why bottle", "report --since 10m --html "+filepath.Join("dist", "demo", "report.html"))
}

// errCommand means that the clipqueue command failed on what the demo left.
var errCommand = errors.New("the clipqueue command failed")

// ask shows what the clipqueue command says of it all.
func ask(ctx context.Context, bundle *local.Bundle, commands ...string) error {
	for _, command := range commands {
		say("\n$ clipqueue %s", command)
		if bundle.Clipqueue(ctx, strings.Fields(command)...) != 0 {
			return fmt.Errorf("%w: clipqueue %s", errCommand, command)
		}
	}
	return nil
}
