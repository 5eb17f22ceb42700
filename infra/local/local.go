// Package local brings the whole bundle up on this machine: the local AWS
// engine with IAM enforced, a fake vendor, and the real stack, put there by the
// same cdk deploy that a user's account gets.
//
// Everything listens on free loopback ports and keeps its state in a scratch
// directory of its own, so that several bundles run side by side. Nothing that
// Start started outlives the process that called it, not even when that process
// is killed.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

// Options say what to bring up. The zero value is a bundle with the stack's own
// defaults and a fake vendor that works in real time.
type Options struct {
	// Root is the checkout's top directory; by default it is looked for from
	// the working directory upwards.
	Root string
	// Settings are the stack's settings by name, as cdk's -c takes them.
	Settings map[string]string
	// VendorURL is a CreativeAI API to use instead of the fake vendor.
	VendorURL string
	// APIKey is the vendor's key, put into the stack's secret; the fake vendor's by default.
	APIKey string
	// VendorScale is the factor on all of the fake vendor's times; 0 is 1.
	VendorScale float64
	// EngineLog is the file that the engine's log goes to, functions' output
	// included; by default one in the scratch directory.
	EngineLog string
	// Progress is told of each step that is done; nil is silence.
	Progress func(format string, args ...any)
}

// A Bundle is a running engine with the stack deployed to it.
type Bundle struct {
	// Deployment is the stack, as the clipqueue command knows it.
	*deployment.Deployment

	// Endpoint is the engine's address, for AWS_ENDPOINT_URL.
	Endpoint string
	// OutputsFile is what cdk deploy --outputs-file wrote.
	OutputsFile string
	// AWS configures SDK clients for the engine, with an administrator's rights.
	AWS aws.Config
	// VendorURL is the vendor that the bundle submits to.
	VendorURL string
	// Vendor is the fake one; nil if Options named another.
	Vendor *fake.Vendor
	// APIKey is the value that the stack's secret was given.
	APIKey string

	cdk    cdk
	engine *process
	dir    string
	stop   sync.Once
}

// Start brings a bundle up, which takes some ten seconds once everything is
// built. If it fails, or ctx ends, whatever had been started is ended first.
func Start(ctx context.Context, o Options) (_ *Bundle, err error) {
	t, err := findTools(o.Root)
	if err != nil {
		return nil, err
	}
	if o.APIKey == "" {
		o.APIKey = fake.DefaultKey
	}
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	dir, err := os.MkdirTemp("", "clipqueue-")
	if err != nil {
		return nil, fmt.Errorf("scratch directory: %w", err)
	}
	b := &Bundle{APIKey: o.APIKey, dir: dir}
	defer func() {
		if err != nil {
			b.Stop()
		}
	}()
	if err := b.startVendor(ctx, o); err != nil {
		return nil, err
	}
	b.cdk = cdk{tools: t, dir: dir, progress: o.Progress}
	if err := b.prepare(ctx, o); err != nil {
		return nil, err
	}
	if b.OutputsFile, b.Deployment, err = b.deploy(ctx, b.cdk); err != nil {
		return nil, err
	}
	// As a user does after the first deployment.
	if err := b.Key().Put(ctx, b.APIKey); err != nil {
		return nil, err
	}
	return b, nil
}

// deploy puts the stack onto the engine and finds it there.
func (b *Bundle) deploy(ctx context.Context, c cdk) (outputsFile string, found *deployment.Deployment, err error) {
	stack, outputsFile, err := c.deploy(ctx, b.Endpoint)
	if err != nil {
		return "", nil, err
	}
	found, err = deployment.Find(ctx, b.AWS, stack, HTTPClient(), time.Now)
	return outputsFile, found, err
}

// prepare starts the engine and makes it ready for deployments while the
// template is made: neither needs the other, and both take a while.
func (b *Bundle) prepare(ctx context.Context, o Options) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.cdk.synth(ctx, localSettings(b.VendorURL, o.Settings)) })
	g.Go(func() error {
		engine, endpoint, err := startEngine(ctx, b.cdk.tools, b.dir, o.EngineLog)
		if err != nil {
			return err
		}
		b.engine, b.Endpoint, b.AWS = engine, endpoint, clientConfig(endpoint)
		b.cdk.progress("engine at %s", endpoint)
		return b.cdk.bootstrap(ctx, endpoint)
	})
	return g.Wait()
}

// Update makes the template with other settings, and returns what deploys it
// over the running stack and finds what is there then.
func (b *Bundle) Update(ctx context.Context, settings map[string]string) (func(context.Context) (*deployment.Deployment, error), error) {
	dir, err := os.MkdirTemp(b.dir, "update-")
	if err != nil {
		return nil, fmt.Errorf("scratch directory: %w", err)
	}
	c := cdk{tools: b.cdk.tools, dir: dir, progress: b.cdk.progress}
	if err := c.synth(ctx, localSettings(b.VendorURL, settings)); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*deployment.Deployment, error) {
		_, found, err := b.deploy(ctx, c)
		return found, err
	}, nil
}

// Done is closed when the engine has ended, by Stop or by itself.
func (b *Bundle) Done() <-chan struct{} { return b.engine.done }

// Stop ends everything that Start started and removes the scratch directory.
// It may be called more than once.
func (b *Bundle) Stop() {
	b.stop.Do(func() {
		if b.engine != nil {
			b.engine.kill()
		}
		if b.Vendor != nil {
			b.Vendor.Close()
		}
		_ = os.RemoveAll(b.dir) // scratch; the system's own cleaning gets the rest
	})
}

// errNoProject means that no checkout was found around the working directory.
var errNoProject = errors.New("no go.mod of Clipqueue in this directory or above: run this inside a checkout")
