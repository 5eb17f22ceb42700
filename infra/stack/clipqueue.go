// Package stack is the bundle as AWS resources: one construct a capability,
// and [Clipqueue], the construct that puts them together.
package stack

import (
	"context"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/infra/binaries"
)

// Clipqueue is the whole bundle as one construct. Its fields are the CDK
// objects, so that others can grant and subscribe.
type Clipqueue struct {
	constructs.Construct

	JobQueue  *JobQueue
	Jobs      *Jobs
	Vendor    *Vendor
	Bus       *VideoBus
	Webhook   *Webhook
	PollLoop  *PollLoop
	Submit    *Submit
	Reconcile *Reconcile
	Publish   *Publish
	// Schemas is nil unless the setting schemaRegistry is on.
	Schemas *SchemaRegistry
	// Archive is nil when the setting of this name is off.
	Archive   *Archive
	Alarms    *Alarms
	Dashboard awscloudwatch.Dashboard
	// Operators is nil unless the setting operatorPolicies is on.
	Operators *Operators
}

// named is a function with its name, as people know it.
type named struct {
	*Function

	name string
}

// functions are all functions of the bundle.
func (c *Clipqueue) functions() []named {
	all := []named{
		{c.Submit.Function, "submit"},
		{c.Webhook.Function, "webhook"},
		{c.PollLoop.Function, "poll"},
		{c.Reconcile.Function, "reconcile"},
		{c.Publish.Function, "publish"},
	}
	if c.Archive != nil {
		all = append(all, named{c.Archive.Function, "archive"})
	}
	return all
}

// Props of [NewClipqueue].
type Props struct {
	// Settings of the deployment; nil means [Defaults]. Each bundle in an account
	// and region needs a Stage of its own: it is what tells their metrics apart,
	// which alarms and dashboard read.
	Settings *Settings
}

// NewClipqueue puts the bundle into scope. Like CDK's own constructs it panics
// when it cannot be made: with a [*SettingsError], when the functions do not
// build, or when the app has a bundle of the same stage, account and region.
// props may be nil.
func NewClipqueue(scope constructs.Construct, id string, props *Props) *Clipqueue {
	settings := Defaults()
	if props != nil && props.Settings != nil {
		settings = *props.Settings
	}
	d, err := newDeployment(&settings)
	if err != nil {
		panic(err)
	}
	return newClipqueue(scope, id, d)
}

// newDeployment checks the settings and builds the functions.
func newDeployment(settings *Settings) (*Deployment, error) {
	if err := settings.Check(); err != nil {
		return nil, err
	}
	bundles, err := binaries.Functions(context.Background(), settings.Architecture)
	if err != nil {
		return nil, err
	}
	return &Deployment{Settings: settings, Code: func(name string) awslambda.Code {
		return awslambda.Code_FromAsset(jsii.String(bundles[name]), nil)
	}}, nil
}

func newClipqueue(scope constructs.Construct, id string, d *Deployment) *Clipqueue {
	claimStage(scope, id, d.Settings.Stage)
	this := constructs.NewConstruct(scope, jsii.String(id))
	c := &Clipqueue{Construct: this}
	c.Jobs = NewJobs(this, "Jobs", &JobsProps{Settings: d.Settings})
	c.JobQueue = NewJobQueue(this, "JobQueue", &JobQueueProps{Settings: d.Settings})
	c.Vendor = NewVendor(this, "Vendor", &VendorProps{Settings: d.Settings})
	c.Bus = NewVideoBus(this, "VideoBus", &VideoBusProps{Settings: d.Settings})
	c.Webhook = NewWebhook(this, "Webhook", &WebhookProps{Deployment: d, Jobs: c.Jobs, Vendor: c.Vendor})
	c.PollLoop = NewPollLoop(this, "PollLoop", &PollLoopProps{Deployment: d, Jobs: c.Jobs, Vendor: c.Vendor})
	c.Submit = NewSubmit(this, "Submit", &SubmitProps{
		Deployment: d, Jobs: c.Jobs, Queue: c.JobQueue, Vendor: c.Vendor, PollLoop: c.PollLoop, Webhook: c.Webhook,
	})
	c.Reconcile = NewReconcile(this, "Reconcile", &ReconcileProps{Deployment: d, Jobs: c.Jobs, Queue: c.JobQueue, Vendor: c.Vendor})
	c.Publish = NewPublish(this, "Publish", &PublishProps{Deployment: d, Jobs: c.Jobs, Bus: c.Bus})
	if d.Settings.SchemaRegistry {
		c.Schemas = NewSchemaRegistry(this, "Schemas")
	}
	if d.Settings.Archive {
		c.Archive = NewArchive(this, "Archive", &ArchiveProps{Deployment: d, Jobs: c.Jobs, Bus: c.Bus})
	}
	c.Alarms = NewAlarms(this, "Alarms", &AlarmsProps{Settings: d.Settings, Bundle: c})
	c.Dashboard = newDashboard(this, c, d.Settings)
	if d.Settings.OperatorPolicies {
		c.Operators = NewOperators(this, "Operators", &OperatorsProps{Bundle: c})
	}
	accept(this, d.Settings)
	return c
}

// claimStage notes the bundle's stage in the app, and panics where another bundle
// of the same account and region did: the two would add up to one in all metrics.
func claimStage(scope constructs.Construct, id, stage string) {
	place := *awscdk.Stack_Of(scope).Environment()
	const kind = "clipqueue:stage"
	mark := stage + " in " + place
	app := scope.Node().Root().Node()
	for _, other := range *app.Metadata() {
		if *other.Type != kind || other.Data != any(mark) {
			continue
		}
		panic(fmt.Sprintf("clipqueue: %s/%s is the second bundle of stage %q in %s, and they would share their metrics and alarms: "+
			"give it a Stage of its own in its Settings, or give its stack an Env of its own", *scope.Node().Path(), id, stage, place))
	}
	app.AddMetadata(jsii.String(kind), mark, nil)
}

// AddOutputs makes the outputs of the stack that its users and the clipqueue
// command read. Their names are fixed: a stack can have those of one bundle.
func (c *Clipqueue) AddOutputs(stack awscdk.Stack) {
	output := func(name, value, description string) {
		awscdk.NewCfnOutput(stack, jsii.String(name), &awscdk.CfnOutputProps{Value: jsii.String(value), Description: jsii.String(description)})
	}
	output("JobQueueUrl", *c.JobQueue.Queue.QueueUrl(), "Queue that takes prompts")
	output("WebhookUrl", c.Webhook.URL, "Where the vendor's callbacks arrive")
	output("EventBusName", *c.Bus.Bus.EventBusName(), "Bus that events come out on")
	output("TableName", *c.Jobs.Table.TableName(), "Table that keeps the account of every job")
	output("ApiKeySecretArn", *c.Vendor.Secret.Ref(), "Secret that takes the key of the CreativeAI API")
	output("PollStateMachineArn", *c.PollLoop.StateMachine.StateMachineArn(), "Workflow that polls one generation")
	if c.Webhook.DomainTarget != "" {
		output("WebhookDomainTarget", c.Webhook.DomainTarget, "Where the webhook's host name must point, as an alias or CNAME")
	}
	if c.Schemas != nil {
		output("SchemaRegistryName", *c.Schemas.Registry.AttrRegistryName(), "Registry of the events' schemas")
	}
	if c.Operators != nil {
		output("ReaderPolicyArn", *c.Operators.Reader.ManagedPolicyArn(), "Policy for people who may look")
		output("OperatorPolicyArn", *c.Operators.Operator.ManagedPolicyArn(), "Policy for people who may change things, on top of the reader's")
	}
	if c.Archive != nil {
		output("ArchiveBucketName", *c.Archive.Bucket.BucketName(), "Bucket of finished videos")
	}
}
