package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// VideoBus is the bus that events come out on.
type VideoBus struct {
	constructs.Construct

	Bus awsevents.EventBus
}

// NewVideoBus makes the bus.
func NewVideoBus(scope constructs.Construct, id string) *VideoBus {
	this := constructs.NewConstruct(scope, jsii.String(id))
	return &VideoBus{Construct: this, Bus: awsevents.NewEventBus(this, jsii.String("Bus"), &awsevents.EventBusProps{
		EventBusName: jsii.String(uniqueName(this, 200)),
		Description:  jsii.String("Clipqueue: what became of each video"),
	})}
}

// GrantPut lets fn put events on the bus.
func (b *VideoBus) GrantPut(fn *Function) {
	fn.allow([]string{"events:PutEvents"}, *b.Bus.EventBusArn())
	fn.setEnv(env.EventBusName, *b.Bus.EventBusName())
}
