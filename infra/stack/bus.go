package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/env"
)

// VideoBus is the bus that events come out on.
type VideoBus struct {
	constructs.Construct

	Bus awsevents.EventBus
}

// VideoBusProps of [NewVideoBus].
type VideoBusProps struct{ Settings *Settings }

// NewVideoBus makes the bus, and an archive of its events when the settings ask for one.
func NewVideoBus(scope constructs.Construct, id string, props *VideoBusProps) *VideoBus {
	this := constructs.NewConstruct(scope, jsii.String(id))
	bus := awsevents.NewEventBus(this, jsii.String("Bus"), &awsevents.EventBusProps{
		EventBusName: jsii.String(uniqueName(this, 200)),
		Description:  jsii.String("Clipqueue: what became of each video"),
	})
	if days := props.Settings.EventArchiveDays; days > 0 {
		bus.Archive(jsii.String("Archive"), &awsevents.BaseArchiveProps{
			Description:  jsii.String("Clipqueue: events, for a replay"),
			EventPattern: &awsevents.EventPattern{Source: jsii.Strings(events.Source)},
			Retention:    awscdk.Duration_Days(jsii.Number(days)),
		})
	}
	return &VideoBus{Construct: this, Bus: bus}
}

// GrantPut lets fn put events on the bus.
func (b *VideoBus) GrantPut(fn *Function) {
	fn.allow([]string{"events:PutEvents"}, *b.Bus.EventBusArn())
	fn.setEnv(env.EventBusName, *b.Bus.EventBusName())
}
