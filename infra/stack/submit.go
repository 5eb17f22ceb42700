package stack

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// Submit is the function that sends prompts to the vendor.
type Submit struct {
	constructs.Construct

	Function *Function
	// Feed hands the messages of the job queue to the function.
	Feed awslambda.CfnEventSourceMapping
}

// SubmitProps of [NewSubmit]; all required.
type SubmitProps struct {
	*Deployment

	Jobs     *Jobs
	Queue    *JobQueue
	Vendor   *Vendor
	PollLoop *PollLoop
	Webhook  *Webhook
}

// NewSubmit feeds the prompts of the queue to the function.
func NewSubmit(scope constructs.Construct, id string, props *SubmitProps) *Submit {
	this := constructs.NewConstruct(scope, jsii.String(id))
	s := props.Settings
	fn := newFunction(this, &functionProps{
		Deployment: props.Deployment, name: "submit", size: s.Submit, timeout: submitLimit,
		description: "Clipqueue: submits prompts from the queue to the vendor",
	})
	props.Jobs.Grant(fn, "PutItem")
	feed := props.Queue.Feed(fn, s.MaxConcurrency)
	props.Vendor.GrantAPI(fn)
	props.PollLoop.GrantStart(fn)
	fn.setEnv(env.WebhookURL, props.Webhook.URL)
	fn.setEnv(env.DefaultDelivery, s.DefaultDelivery)
	fn.setEnv(env.MaxConcurrency, strconv.Itoa(s.MaxConcurrency))
	fn.setEnv(env.SubmitsPerMinute, strconv.Itoa(s.SubmitsPerMinute))
	fn.setEnv(env.SubmitTimeout, s.SubmitTimeout.String())
	return &Submit{Construct: this, Function: fn, Feed: feed}
}
