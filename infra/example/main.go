// Command example is a CDK app of somebody else's with Clipqueue in it: what
// the bundle is made of can be granted and subscribed to.
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/infra/stack"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	videos := awscdk.NewStack(app, jsii.String("Videos"), nil)
	bundle := stack.NewClipqueue(videos, "Clipqueue", nil)
	bundle.AddOutputs(videos) // by which the clipqueue command finds it: clipqueue doctor --stack Videos

	shop := awsiam.NewRole(videos, jsii.String("Shop"), &awsiam.RoleProps{AssumedBy: awsiam.NewAccountRootPrincipal()})
	bundle.JobQueue.Queue.GrantSendMessages(shop)
	awsevents.NewRule(videos, jsii.String("Finished"), &awsevents.RuleProps{
		EventBus:     bundle.Bus.Bus,
		EventPattern: &awsevents.EventPattern{Source: jsii.Strings("clipqueue"), DetailType: jsii.Strings("Video Generation Completed")},
		Targets:      &[]awsevents.IRuleTarget{awseventstargets.NewSqsQueue(awssqs.NewQueue(videos, jsii.String("Inbox"), nil), nil)},
	})
	app.Synth(nil)
}
