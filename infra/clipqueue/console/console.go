// Package console is the operator's command on this process's terminal, for
// deployments that AWS's ordinary configuration finds.
package console

import (
	"context"
	"crypto/rand"
	"os"
	"os/user"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/clipqueue/clipqueue/infra/clipqueue/cli"
	"github.com/clipqueue/clipqueue/infra/version"
)

// New is the command as a user runs it.
func New() *cli.App {
	a := &cli.App{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Terminal: isTerminal(os.Stdout) && isTerminal(os.Stderr) && isTerminal(os.Stdin),
		Getenv:   os.Getenv, Now: time.Now, Pause: pause, NewID: rand.Text, User: userName(), Version: version.Version, Connect: connect,
	}
	if isTerminal(os.Stdin) {
		a.Secret = func() (string, error) {
			line, err := term.ReadPassword(int(os.Stdin.Fd()))
			return string(line), err
		}
	}
	return a
}

func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// userName is who a job's history names for a decision.
func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "an operator"
}
