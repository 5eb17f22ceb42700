package stack

import (
	_ "embed"
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// pollLimit is the time limit of one poll.
const pollLimit = 30 * time.Second

//go:embed poll_loop.asl.json
var pollLoopDefinition string

// PollLoop is the Express workflow that polls one generation until its verdict.
type PollLoop struct {
	constructs.Construct

	Function     *Function
	StateMachine awsstepfunctions.StateMachine
}

// PollLoopProps of [NewPollLoop]; all required.
type PollLoopProps struct {
	*Deployment

	Jobs   *Jobs
	Vendor *Vendor
}

// NewPollLoop makes the workflow and the function that it calls.
func NewPollLoop(scope constructs.Construct, id string, props *PollLoopProps) *PollLoop {
	this := constructs.NewConstruct(scope, jsii.String(id))
	s := props.Settings
	fn := newFunction(this, &functionProps{
		Deployment: props.Deployment, name: "poll", size: s.Poll, timeout: pollLimit,
		description: "Clipqueue: asks the vendor about one generation",
	})
	props.Jobs.Grant(fn, "GetItem", "PutItem", "UpdateItem")
	props.Vendor.GrantAPI(fn)
	fn.setEnv(env.PollEvery, s.PollEvery.String())
	fn.setEnv(env.PollSlowAfter, s.PollSlowAfter.String())
	fn.setEnv(env.PollSlowEvery, s.PollSlowEvery.String())
	fn.setEnv(env.PollHandOverAfter, s.PollHandOverAfter.String())
	return &PollLoop{Construct: this, Function: fn, StateMachine: newPollStateMachine(this, fn, s)}
}

func newPollStateMachine(scope constructs.Construct, poll *Function, s *Settings) awsstepfunctions.StateMachine {
	role := awsiam.NewRole(scope, jsii.String("LoopRole"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), nil),
		Description: jsii.String("What the poll loop of Clipqueue may do"),
	})
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("lambda:InvokeFunction"), Resources: &[]*string{poll.FunctionArn()},
	}))
	return awsstepfunctions.NewStateMachine(scope, jsii.String("Loop"), &awsstepfunctions.StateMachineProps{
		StateMachineType: awsstepfunctions.StateMachineType_EXPRESS,
		DefinitionBody:   awsstepfunctions.DefinitionBody_FromString(jsii.String(pollLoopDefinition)),
		DefinitionSubstitutions: &map[string]*string{
			"PollFunctionArn":      poll.FunctionArn(),
			"FirstWaitSeconds":     wholeSeconds(s.PollFirstWait),
			"WaitSeconds":          wholeSeconds(s.PollEvery),
			"HandOverMilliseconds": jsii.String(strconv.FormatInt(s.PollHandOverAfter.Milliseconds(), 10)),
		},
		Role:           role,
		TracingEnabled: jsii.Bool(s.Tracing),
		Logs: &awsstepfunctions.LogOptions{
			Destination:          newLogGroup(scope, "LoopLogs", "/aws/vendedlogs/states/"+uniqueName(scope, 200), s),
			Level:                awsstepfunctions.LogLevel_ERROR,
			IncludeExecutionData: jsii.Bool(false),
		},
	})
}

// GrantStart lets fn start a loop.
func (p *PollLoop) GrantStart(fn *Function) {
	fn.allow([]string{"states:StartExecution"}, *p.StateMachine.StateMachineArn())
	fn.setEnv(env.PollStateMachineARN, *p.StateMachine.StateMachineArn())
}

func wholeSeconds(d time.Duration) *string {
	return jsii.String(strconv.FormatInt(int64(d/time.Second), 10))
}
