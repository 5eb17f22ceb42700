// Package boot is what every function's main does before its first event: read
// the environment, make the log, load AWS's configuration; and, when something
// is missing, say what and end.
package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/metric"
)

// Boot is what a function is made of.
type Boot struct {
	Env     *env.Reader
	AWS     aws.Config
	Log     *slog.Logger
	Metrics metric.Sink
	Version string
	Now     func() time.Time
}

// Main wires a function and starts it, and ends the process with a message when
// it cannot. start is Lambda's, which does not return.
func Main(wire func(*Boot) (handler any, err error), start func(handler any)) {
	b, err := load(context.Background())
	if err != nil {
		fail(err)
	}
	handler, err := wire(b)
	if err := errors.Join(b.Env.Err(), err); err != nil {
		fail(err)
	}
	start(handler)
}

func fail(err error) {
	slog.New(slog.NewJSONHandler(os.Stdout, nil)).Error("the function cannot start", slog.Any("error", err))
	os.Exit(1)
}

func load(ctx context.Context) (*Boot, error) {
	r := env.Process()
	//nolint:forbidigo // the one place that hands out the real clock
	b := &Boot{Env: r, Version: r.Optional(env.Version, "dev"), Now: time.Now}
	b.Log = slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: r.Level()})).
		With(slog.String("version", b.Version))
	b.Metrics = metric.New(os.Stdout, r.Optional(env.Stage, "default"), b.Now)
	cfg, err := config.LoadDefaultConfig(ctx, config.WithAppID("clipqueue-"+b.Version), config.WithLogger(sdkLog(b.Log)))
	if err != nil {
		return nil, fmt.Errorf("load AWS's configuration: %w", err)
	}
	b.AWS = cfg
	return b, nil
}

// Rules are the settings that the life of a job depends on.
func (b *Boot) Rules() job.Rules {
	return job.Rules{
		ClaimFor:       b.Env.Duration(env.ClaimFor),
		FirstLookAfter: b.Env.Duration(env.FirstLookAfter),
		QueuedFor:      b.Env.Duration(env.QueuedFor),
		UnconfirmedFor: b.Env.Duration(env.UnconfirmedFor),
		ProcessingFor:  b.Env.Duration(env.ProcessingFor),
		RecordFor:      b.Env.Duration(env.RecordFor),
		Archive:        b.Env.Bool(env.ArchiveEnabled),
	}
}
