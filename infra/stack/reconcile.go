package stack

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// reconcileLimit ends a run before the next one starts.
const reconcileLimit = 55 * time.Second

// Reconcile is the function that looks for overdue jobs.
type Reconcile struct {
	constructs.Construct

	Function    *Function
	DeadLetters *DeadLetters
}

// ReconcileProps of [NewReconcile]; all required.
type ReconcileProps struct {
	*Deployment

	Jobs   *Jobs
	Queue  *JobQueue
	Vendor *Vendor
}

// NewReconcile runs the function on a schedule.
func NewReconcile(scope constructs.Construct, id string, props *ReconcileProps) *Reconcile {
	this := constructs.NewConstruct(scope, jsii.String(id))
	s := props.Settings
	dead := newDeadLetters(this, "DeadLetters", props.Settings)
	fn := newFunction(this, &functionProps{
		Deployment: props.Deployment, name: "reconcile", size: s.Reconcile, timeout: reconcileLimit, failures: dead,
		description: "Clipqueue: takes the next step for overdue jobs",
	})
	props.Jobs.Grant(fn, "GetItem", "PutItem")
	props.Jobs.GrantDue(fn)
	props.Queue.GrantSend(fn)
	props.Vendor.GrantAPI(fn)
	awsevents.NewRule(this, jsii.String("Schedule"), &awsevents.RuleProps{
		Description: jsii.String("Clipqueue: looks for overdue jobs"),
		Schedule:    awsevents.Schedule_Rate(seconds(s.ReconcileEvery)),
		// A run that failed is not repeated: the next one does the same.
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewLambdaFunction(fn.Function, &awseventstargets.LambdaFunctionProps{
			DeadLetterQueue: dead.Queue, RetryAttempts: jsii.Number(0), MaxEventAge: seconds(minute),
		})},
	})
	return &Reconcile{Construct: this, Function: fn, DeadLetters: dead}
}
