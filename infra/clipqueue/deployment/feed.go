package deployment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/keys"
)

// Settings are what the bundle was deployed with, as far as operators need it.
type Settings struct {
	Rules     job.Rules
	VendorURL string
	InHand    InHand
}

// InHand bounds what the submit function may have taken from the queue.
type InHand struct {
	// Prompts is how many at most; 0 when that is not bounded.
	Prompts int
	// For is how long it may work on them.
	For time.Duration
}

// errNoFeed is a queue that nothing is fed from.
var errNoFeed = errors.New("no function is fed from the job queue: is the deployment complete?")

// feed is the mapping that hands the queue's messages to the submit function.
func (d *Deployment) feed(ctx context.Context) (lambdatypes.EventSourceMappingConfiguration, error) {
	none := lambdatypes.EventSourceMappingConfiguration{}
	arn, err := queueARN(ctx, sqs.NewFromConfig(d.aws), d.Outputs.JobQueueURL)
	if err != nil {
		return none, err
	}
	out, err := lambda.NewFromConfig(d.aws).ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{EventSourceArn: &arn})
	if err != nil {
		return none, fmt.Errorf("look for the feed of the job queue: %w", err)
	}
	if len(out.EventSourceMappings) == 0 {
		return none, fmt.Errorf("look for the feed of the job queue: %w", errNoFeed)
	}
	return out.EventSourceMappings[0], nil
}

func queueARN(ctx context.Context, client *sqs.Client, url string) (string, error) {
	out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", fmt.Errorf("ask for the queue %s: %w", url, err)
	}
	return out.Attributes[string(sqstypes.QueueAttributeNameQueueArn)], nil
}

// FeedState is how the feed of the submit function stands, in Lambda's words:
// "Enabled", "Disabled", or on the way there.
func (d *Deployment) FeedState(ctx context.Context) (string, error) {
	m, err := d.feed(ctx)
	return aws.ToString(m.State), err
}

// SetFeed opens or closes the feed. Lambda takes up to a minute to follow;
// [Deployment.FeedState] tells.
func (d *Deployment) SetFeed(ctx context.Context, open bool) error {
	m, err := d.feed(ctx)
	if err != nil {
		return err
	}
	_, err = lambda.NewFromConfig(d.aws).UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: m.UUID, Enabled: &open})
	if err != nil {
		return fmt.Errorf("change the feed of the submit function: %w", err)
	}
	return nil
}

// InHand bounds what may still be submitted once the feed is closed.
func (d *Deployment) InHand(context.Context) (InHand, error) {
	s, err := d.settings()
	return s.InHand, err
}

// inHand reads the bound from the feed and the time limit of its function.
func inHand(m lambdatypes.EventSourceMappingConfiguration, timeout *int32) InHand {
	h := InHand{For: time.Duration(aws.ToInt32(timeout))*time.Second + time.Duration(aws.ToInt32(m.MaximumBatchingWindowInSeconds))*time.Second}
	if m.ScalingConfig != nil {
		h.Prompts = int(aws.ToInt32(m.BatchSize) * aws.ToInt32(m.ScalingConfig.MaximumConcurrency))
	}
	return h
}

// Rules are the settings that the life of a job depends on.
func (d *Deployment) Rules(context.Context) (job.Rules, error) {
	s, err := d.settings()
	return s.Rules, err
}

// readSettings reads what the submit function is configured with, and with it
// every function that changes jobs.
func (d *Deployment) readSettings(ctx context.Context) (Settings, error) {
	m, err := d.feed(ctx)
	if err != nil {
		return Settings{}, err
	}
	out, err := lambda.NewFromConfig(d.aws).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: m.FunctionArn})
	if err != nil {
		return Settings{}, fmt.Errorf("read the settings of the submit function: %w", err)
	}
	variables := map[string]string{}
	if out.Environment != nil {
		maps.Copy(variables, out.Environment.Variables)
	}
	r := env.NewReader(func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	})
	s := Settings{Rules: (&boot.Boot{Env: r}).Rules(), VendorURL: r.URL(env.CreativeAIURL), InHand: inHand(m, out.Timeout)}
	if err := errors.Join(r.Err(), s.Rules.Validate()); err != nil {
		return Settings{}, fmt.Errorf("read the settings of the submit function: %w", err)
	}
	return s, nil
}

// Vendor is the vendor as the bundle's account sees it.
type Vendor struct{ deployment *Deployment }

// Vendor asks with the key of the bundle's secret.
func (d *Deployment) Vendor() Vendor { return Vendor{d} }

// URL is the base URL of the vendor's API.
func (v Vendor) URL(context.Context) (string, error) {
	s, err := v.deployment.settings()
	return s.VendorURL, err
}

// Ask is [creativeai.Account.Ask].
func (v Vendor) Ask(ctx context.Context, generationID string) (creativeai.Generation, error) {
	d := v.deployment
	client, noClient := v.client()
	source, noKeys := keys.New(secretsmanager.NewFromConfig(d.aws), d.Outputs.APIKeySecretARN, d.now)
	if err := errors.Join(noClient, noKeys); err != nil {
		return creativeai.Generation{}, err
	}
	account, err := creativeai.NewAccount(client, source)
	if err != nil {
		return creativeai.Generation{}, err
	}
	return account.Ask(ctx, generationID)
}

// askFor bounds one question with a key that is not the bundle's.
const askFor = 15 * time.Second

// AskWith asks with a key that need not be the bundle's; see [creativeai.Client.Get].
func (v Vendor) AskWith(ctx context.Context, key, generationID string) (creativeai.Generation, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	client, err := v.client()
	if err != nil {
		return creativeai.Generation{}, err
	}
	return client.Get(ctx, key, generationID)
}

func (v Vendor) client() (*creativeai.Client, error) {
	s, err := v.deployment.settings()
	if err != nil {
		return nil, err
	}
	return creativeai.New(s.VendorURL, creativeai.WithVersion("operator"), creativeai.WithClock(v.deployment.now))
}
