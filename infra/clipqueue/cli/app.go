// Package cli is the operator's command: one file a command, each a small type
// behind cobra that works on what [Services] gives it, and writes to the app's
// output.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

type jobs interface {
	Get(ctx context.Context, key string) (job.Job, error)
	Put(ctx context.Context, next, prev job.Job) error
}

type lists interface {
	CreatedBetween(ctx context.Context, since, until time.Time) iter.Seq2[store.Created, error]
	Many(ctx context.Context, keys []string) ([]job.Job, error)
	Due(ctx context.Context, shard int, at time.Time, limit int) ([]store.Due, error)
}

type quarantine interface {
	ListQuarantine(ctx context.Context, limit int) ([]store.Held, error)
	GetQuarantined(ctx context.Context, id string) (store.Held, error)
	DropQuarantined(ctx context.Context, id string) error
}

type queues interface {
	Send(ctx context.Context, url string, bodies []string) ([]deployment.Sent, error)
	Receive(ctx context.Context, url string, wait, hold time.Duration) ([]deployment.Letter, error)
	Delete(ctx context.Context, url, receipt string) error
}

type lookers interface {
	Depth(ctx context.Context, url string) (deployment.Depth, error)
	Return(ctx context.Context, url, receipt string) error
}

type keyReader interface {
	Value(ctx context.Context, stage string) (string, error)
	Versions(ctx context.Context) ([]deployment.KeyVersion, error)
	ChangedAt(ctx context.Context) (time.Time, error)
}

type keyWriter interface {
	Put(ctx context.Context, value string) error
	Swap(ctx context.Context, current, previous string) error
	Retire(ctx context.Context, version string) error
}

type listener interface {
	Subscribe(ctx context.Context, name string, types []events.DetailType) (url string, err error)
	Unsubscribe(ctx context.Context, name string) (existed bool, err error)
}

type emitter interface {
	Put(ctx context.Context, entries []bus.Entry) (failed []error, err error)
}

type vendor interface {
	Ask(ctx context.Context, generationID string) (creativeai.Generation, error)
	URL(ctx context.Context) (string, error)
	// AskWith asks with this key instead of the one in force.
	AskWith(ctx context.Context, key, generationID string) (creativeai.Generation, error)
}

// stack is what is known of the deployment as a whole.
type stack interface {
	Rules(ctx context.Context) (job.Rules, error)
	Dead(ctx context.Context) ([]deployment.DeadQueue, error)
	Skew() time.Duration
}

type health interface {
	Alarms(ctx context.Context) ([]deployment.Alarm, error)
	ProbeWebhook(ctx context.Context) (status int, err error)
	LogGroup(ctx context.Context, function string) (string, error)
}

type feed interface {
	FeedState(ctx context.Context) (string, error)
	SetFeed(ctx context.Context, open bool) error
	InHand(ctx context.Context) (deployment.InHand, error)
}

// Services are a deployment, as far as the commands need it.
type Services struct {
	Name       string
	Outputs    deployment.Outputs
	Stack      stack
	Jobs       jobs
	Lists      lists
	Quarantine quarantine
	Queues     queues
	Lookers    lookers
	KeyReader  keyReader
	KeyWriter  keyWriter
	Listener   listener
	Bus        emitter
	Vendor     vendor
	Health     health
	Feed       feed
}

// Target says which deployment is meant.
type Target struct {
	// Stack is the name of its CloudFormation stack.
	Stack string
	// Profile and Region are AWS's; empty leaves them to the environment.
	Profile, Region string
}

// App is the command's surroundings.
type App struct {
	In       io.Reader
	Out, Err io.Writer
	// Terminal says that Out and Err are seen by a person.
	Terminal bool
	// Secret reads a line from a terminal without showing it; nil when In is no terminal.
	Secret func() (string, error)
	Getenv func(string) string
	Now    func() time.Time
	// Pause waits, or returns why it was ended.
	Pause func(ctx context.Context, d time.Duration) error
	// NewID is a random text of letters and digits.
	NewID   func() string
	User    string
	Version string
	Connect func(ctx context.Context, t Target) (*Services, error)
}

// The exit codes.
const (
	exitOK = iota
	// exitFailed is something that went wrong, or a job that did not end as it should.
	exitFailed
	// exitUsage is a command line that is wrong: nothing was done.
	exitUsage
	// exitNotFound is a deployment, a job or another thing that is not there.
	exitNotFound
	// exitInterrupted is the shell's own code for ctrl-C.
	exitInterrupted = 130
)

var (
	// errUsage is a command line that is wrong.
	errUsage = errors.New("usage")
	// errAbsent is a thing, named by the caller, that is not there.
	errAbsent = errors.New("not found")
)

// failure is an error with a text for the operator, and the kind it is.
type failure struct {
	text string
	kind error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.kind }

func usage(format string, args ...any) error {
	return &failure{fmt.Sprintf(format, args...), errUsage}
}

func absent(format string, args ...any) error {
	return &failure{fmt.Sprintf(format, args...), errAbsent}
}

// Run runs one command line and returns the exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	r := newRoot(a)
	command := r.command() //nolint:contextcheck // what is run gets the context from cobra
	command.SetArgs(args)
	command.SetIn(a.In)
	command.SetOut(a.Out)
	command.SetErr(a.Err)
	ran, err := command.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil {
		a.complain("clipqueue: interrupted\n")
		return exitInterrupted
	}
	a.complain("clipqueue: %v\n", err)
	switch {
	case errors.Is(err, errUsage), !r.started:
		a.complain("See: %s --help\n", ran.CommandPath())
		return exitUsage
	case errors.Is(err, errAbsent), errors.Is(err, deployment.ErrNotFound), errors.Is(err, store.ErrNotFound):
		return exitNotFound
	}
	return exitFailed
}

// complain writes beside the output. Where that cannot be written there is
// nobody to tell, and the exit code stands.
func (a *App) complain(format string, args ...any) { _, _ = fmt.Fprintf(a.Err, format, args...) }

// example joins the lines of a command's examples.
func example(lines ...string) string { return "  " + strings.Join(lines, "\n  ") }

// action is what a command does once it is connected.
type action func(ctx context.Context, s *Services, args []string) error

// unconnected wraps what needs no deployment, or connects by itself.
func unconnected(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error { return do(c.Context(), args) }
}

// connected wraps an action into what cobra runs.
func (r *root) connected(do action) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		s, err := r.app.Connect(c.Context(), r.target())
		if err != nil {
			return err
		}
		return do(c.Context(), s, args)
	}
}
