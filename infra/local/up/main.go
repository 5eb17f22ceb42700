// Command up is `make local`: the bundle deployed to the local engine, left
// running until ctrl-C, with its events on the screen.
//
// It reads CREATIVEAI_URL (another vendor than the fake one), CREATIVEAI_API_KEY
// (the vendor's key) and SETTINGS ("name=value …", the stack's settings), and
// writes dist/local/outputs.json and dist/local/env.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clipqueue/clipqueue/infra/local"
)

func main() {
	ctx, stop := local.Context()
	defer stop()
	if err := up(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "make local: %v\n", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// errEngineGone means that the engine ended while it was in use.
var errEngineGone = errors.New("the engine has ended by itself: see dist/local/engine.log")

// up brings the bundle up, says where it is, and waits for ctx to end.
func up(ctx context.Context) error {
	root, err := local.Root()
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist", "local")
	if err := os.MkdirAll(dist, 0o750); err != nil {
		return fmt.Errorf("results: %w", err)
	}
	remove(dist)
	defer remove(dist)
	settings, err := local.ParseSettings(os.Getenv("SETTINGS"))
	if err != nil {
		return fmt.Errorf("SETTINGS: %w", err)
	}
	bundle, err := local.Start(ctx, local.Options{
		Root:        root,
		Settings:    settings,
		VendorURL:   os.Getenv("CREATIVEAI_URL"),
		APIKey:      os.Getenv("CREATIVEAI_API_KEY"),
		VendorScale: vendorScale,
		EngineLog:   filepath.Join(dist, "engine.log"),
		Progress:    say,
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil // asked to stop before it was ready: that is no failure
		}
		return err
	}
	defer bundle.Stop()
	here := newPage(root, bundle)
	if err := here.write(dist); err != nil {
		return err
	}
	if err := here.render(os.Stdout, guide); err != nil {
		return err
	}
	return watch(ctx, bundle)
}

// watch shows what clipqueue says of the bundle, and its events as they happen,
// until ctx or the engine ends.
func watch(ctx context.Context, bundle *local.Bundle) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		<-bundle.Done()
		cancel(errEngineGone)
	}()
	for _, command := range []string{"doctor", "listen"} {
		fmt.Printf("\n$ clipqueue %s\n", command)
		bundle.Clipqueue(ctx, command) // it says itself what is wrong, and the bundle stays up
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, errEngineGone) {
		fmt.Printf("\nstopping: %v\n", cause)
		return nil
	}
	return errEngineGone
}

// say prints a line.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// vendorScale lets the fake vendor's generations take 3 to 18 seconds.
const vendorScale = 0.1
