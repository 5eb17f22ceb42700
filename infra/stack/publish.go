package stack

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// publishLimit is the time limit for one batch of stream records.
const publishLimit = minute

// Publish is the function that turns what was written into events.
type Publish struct {
	constructs.Construct

	Function *Function
	// Failures takes pointers to stream records that were given up.
	Failures *DeadLetters
	// Poison takes records that cannot be made into an event.
	Poison *DeadLetters
}

// PublishProps of [NewPublish]; all required.
type PublishProps struct {
	*Deployment

	Jobs *Jobs
	Bus  *VideoBus
}

// NewPublish feeds the table's stream to the function.
func NewPublish(scope constructs.Construct, id string, props *PublishProps) *Publish {
	this := constructs.NewConstruct(scope, jsii.String(id))
	p := &Publish{Construct: this, Failures: newDeadLetters(this, "Failures", props.Settings), Poison: newDeadLetters(this, "Poison", props.Settings)}
	p.Function = newFunction(this, &functionProps{
		Deployment: props.Deployment, name: "publish", size: props.Settings.Publish, timeout: publishLimit,
		description: "Clipqueue: puts an event on the bus for each change that owes one",
	})
	props.Jobs.Grant(p.Function, "PutItem")
	props.Jobs.Feed(p.Function, p.Failures)
	props.Bus.GrantPut(p.Function)
	p.Poison.GrantSend(p.Function)
	p.Function.setEnv(env.PoisonQueueURL, *p.Poison.QueueUrl())
	return p
}
