package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/clipqueue/clipqueue/infra/clipqueue/cli"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/clipqueue/loopback"
)

// connect finds a deployment with AWS's ordinary configuration.
func connect(ctx context.Context, t cli.Target) (*cli.Services, error) {
	options := []func(*config.LoadOptions) error{
		config.WithAppID("clipqueue-operator"),
		config.WithLogger(logging.Nop{}), // what goes wrong comes back as an error
	}
	if t.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(t.Profile))
	}
	if t.Region != "" {
		options = append(options, config.WithRegion(t.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("load AWS's configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, errNoRegion
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("there are no AWS credentials: log in (aws sso login), or set AWS_PROFILE or --profile; for make local: source dist/local/env: %w", err)
	}
	d, err := deployment.Find(ctx, cfg, t.Stack, webClient(os.Getenv("AWS_ENDPOINT_URL")), time.Now)
	if err != nil {
		return nil, err
	}
	return Services(d)
}

var errNoRegion = errors.New("no AWS region is set: set AWS_REGION or --region; for make local: source dist/local/env")

// Services are a deployment for the commands.
func Services(d *deployment.Deployment) (*cli.Services, error) {
	jobs, noJobs := d.Jobs()
	bus, noBus := d.Bus()
	if err := errors.Join(noJobs, noBus); err != nil {
		return nil, err
	}
	queues, key := d.Queues(), d.Key()
	return &cli.Services{
		Name: d.Stack, Outputs: d.Outputs, Stack: d,
		Jobs: jobs, Lists: jobs, Quarantine: jobs, Queues: queues, Lookers: queues, KeyReader: key, KeyWriter: key,
		Listener: d.Listener(), Bus: bus, Vendor: d.Vendor(), Health: d, Feed: d,
	}, nil
}

// webClient reaches the webhook, on this machine too.
func webClient(endpoint string) *http.Client {
	u, err := url.Parse(endpoint)
	if err != nil || !local(u.Hostname()) {
		return http.DefaultClient
	}
	return &http.Client{Transport: loopback.Transport()}
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
