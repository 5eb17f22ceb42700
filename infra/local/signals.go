package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errParentEnded is the cause when the process that started this one is gone.
var errParentEnded = errors.New("the process that started this one has ended")

// Context ends on ctrl-C, on SIGTERM, when the terminal is closed, and when the
// parent process ends: a killed make must not leave its bundle running.
// context.Cause says which it was.
func Context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		defer signal.Stop(signals)
		parent, tick := os.Getppid(), time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				cancel(fmt.Errorf("got the signal %q", s))
			case <-tick.C:
				if os.Getppid() != parent {
					cancel(errParentEnded)
				}
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
