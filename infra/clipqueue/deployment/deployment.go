// Package deployment finds a deployed bundle by the name of its stack, and
// reaches its parts: queues, bus, table, key, and the submit function's feed. It
// knows AWS; what to do with the parts is the commands' business.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

// ErrNotFound is a stack that does not exist, or that is none of Clipqueue's.
var ErrNotFound = errors.New("no such deployment")

// Outputs are what the stack hands to its users.
type Outputs struct {
	JobQueueURL         string `json:"JobQueueUrl"`
	WebhookURL          string `json:"WebhookUrl"`
	EventBusName        string `json:"EventBusName"`
	TableName           string `json:"TableName"`
	APIKeySecretARN     string `json:"ApiKeySecretArn"`
	PollStateMachineARN string `json:"PollStateMachineArn"`
	// ArchiveBucketName is empty where archiving is switched off.
	ArchiveBucketName string `json:"ArchiveBucketName"`
}

// Deployment is one deployed bundle.
type Deployment struct {
	// Stack is the name of its CloudFormation stack.
	Stack   string
	Outputs Outputs

	aws       aws.Config
	web       *http.Client
	now       func() time.Time
	skew      time.Duration
	resources func() ([]types.StackResourceSummary, error)
	settings  func() (Settings, error)
}

// Find looks up the stack of this name. web is what the webhook is probed with,
// now the clock of this machine. It returns [ErrNotFound], which then tells
// what there is instead, or the error of the call.
func Find(ctx context.Context, cfg aws.Config, stack string, web *http.Client, now func() time.Time) (*Deployment, error) {
	client := cloudformation.NewFromConfig(cfg)
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		var refused smithy.APIError
		if errors.As(err, &refused) && strings.Contains(refused.ErrorMessage(), "does not exist") {
			return nil, fmt.Errorf("%w: there is no stack %s in %s%s", ErrNotFound, stack, cfg.Region, others(ctx, client))
		}
		return nil, fmt.Errorf("look up the stack %s: %w", stack, err)
	}
	d := &Deployment{Stack: stack, aws: cfg, web: web, now: now, skew: skewOf(out.ResultMetadata)}
	if err := d.Outputs.fill(out.Stacks); err != nil {
		return nil, fmt.Errorf("look up the stack %s: %w", stack, err)
	}
	d.resources = sync.OnceValues(func() ([]types.StackResourceSummary, error) { return listResources(ctx, client, stack) })
	d.settings = sync.OnceValues(func() (Settings, error) { return d.readSettings(ctx) })
	return d, nil
}

// fill reads the outputs, all of which but the bucket must be there.
func (o *Outputs) fill(stacks []types.Stack) error {
	values := map[string]string{}
	for _, s := range stacks {
		for _, output := range s.Outputs {
			values[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
		}
	}
	var missing []string
	for _, want := range []struct {
		name string
		into *string
	}{
		{"JobQueueUrl", &o.JobQueueURL},
		{"WebhookUrl", &o.WebhookURL},
		{"EventBusName", &o.EventBusName},
		{"TableName", &o.TableName},
		{"ApiKeySecretArn", &o.APIKeySecretARN},
		{"PollStateMachineArn", &o.PollStateMachineARN},
	} {
		if *want.into = values[want.name]; *want.into == "" {
			missing = append(missing, want.name)
		}
	}
	o.ArchiveBucketName = values["ArchiveBucketName"]
	if len(missing) > 0 {
		return fmt.Errorf("%w: it has no output %s: is it Clipqueue's, and is its deployment complete?", ErrNotFound, strings.Join(missing, ", "))
	}
	return nil
}

// others names the stacks that look like deployments, to help with a wrong name.
func others(ctx context.Context, client *cloudformation.Client) string {
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err != nil {
		return "" // the hint is all that is lost
	}
	var names []string
	for _, s := range out.Stacks {
		if new(Outputs).fill([]types.Stack{s}) == nil {
			names = append(names, aws.ToString(s.StackName))
		}
	}
	if len(names) == 0 {
		return ", nor any other deployment of Clipqueue"
	}
	return "; there is " + strings.Join(names, ", ")
}

func listResources(ctx context.Context, client *cloudformation.Client, stack string) ([]types.StackResourceSummary, error) {
	var list []types.StackResourceSummary
	pages := cloudformation.NewListStackResourcesPaginator(client, &cloudformation.ListStackResourcesInput{StackName: &stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the resources of the stack %s: %w", stack, err)
		}
		list = append(list, page.StackResourceSummaries...)
	}
	return list, nil
}

// skewOf is how far this machine's clock is ahead of AWS's, as of an answer.
func skewOf(metadata middleware.Metadata) time.Duration {
	server, known := awsmiddleware.GetServerTime(metadata)
	at, received := awsmiddleware.GetResponseAt(metadata)
	if !known || !received {
		return 0
	}
	return at.Sub(server)
}

// Skew is how far this machine's clock is ahead of AWS's, to about a second.
func (d *Deployment) Skew() time.Duration { return d.skew }

// Jobs is the table of jobs.
func (d *Deployment) Jobs() (*store.Table, error) {
	return store.New(dynamodb.NewFromConfig(d.aws), d.Outputs.TableName, job.DefaultRules(), d.now)
}

// Bus is the bus that events come out on.
func (d *Deployment) Bus() (*bus.Bus, error) {
	return bus.New(eventbridge.NewFromConfig(d.aws), d.Outputs.EventBusName)
}
