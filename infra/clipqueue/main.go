// Command clipqueue is the operator's command: it shows and steers a deployed
// bundle. See clipqueue --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/clipqueue/clipqueue/infra/clipqueue/console"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := console.New().Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
