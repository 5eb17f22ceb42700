package local

import (
	"context"

	"github.com/clipqueue/clipqueue/infra/clipqueue/cli"
	"github.com/clipqueue/clipqueue/infra/clipqueue/console"
)

// Clipqueue runs the operator's command on the bundle, as a user would type it,
// and returns its exit code.
func (b *Bundle) Clipqueue(ctx context.Context, args ...string) int {
	app := console.New()
	app.Connect = func(context.Context, cli.Target) (*cli.Services, error) { return console.Services(b.Deployment) }
	return app.Run(ctx, args)
}
