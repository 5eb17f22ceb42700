package stack

import (
	_ "embed"
	"strconv"
	"strings"
	"time"

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
	StateMachine awsstepfunctions.IStateMachine
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
	props.Jobs.Grant(fn, "GetItem", "PutItem")
	props.Vendor.GrantAPI(fn)
	fn.setEnv(env.PollEvery, s.PollEvery.String())
	fn.setEnv(env.PollSlowAfter, s.PollSlowAfter.String())
	fn.setEnv(env.PollSlowEvery, s.PollSlowEvery.String())
	fn.setEnv(env.PollHandOverAfter, s.PollHandOverAfter.String())
	return &PollLoop{Construct: this, Function: fn, StateMachine: newPollStateMachine(this, fn, s)}
}

func newPollStateMachine(scope constructs.Construct, poll *Function, s *Settings) awsstepfunctions.IStateMachine {
	role, policy := newRole(scope, "LoopRole", "states.amazonaws.com", "What the poll loop of Clipqueue may do")
	policy.AddStatements(
		allowed([]string{"lambda:InvokeFunction"}, *poll.FunctionArn()),
		// AWS has no narrower resource for the delivery of logs, nor for traces.
		allowed([]string{
			"logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
			"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
		}, "*"),
	)
	if s.Tracing {
		policy.AddStatements(allowed([]string{
			"xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
		}, "*"))
	}
	logs := newLogGroup(scope, "LoopLogs", "/aws/vendedlogs/states/"+uniqueName(scope, 200), s)
	loop := awsstepfunctions.NewCfnStateMachine(scope, jsii.String("Loop"), &awsstepfunctions.CfnStateMachineProps{
		StateMachineType:        jsii.String("EXPRESS"),
		RoleArn:                 role.RoleArn(),
		DefinitionString:        jsii.String(pollLoop(s)),
		DefinitionSubstitutions: &map[string]any{"PollFunctionArn": poll.FunctionArn()},
		TracingConfiguration:    &awsstepfunctions.CfnStateMachine_TracingConfigurationProperty{Enabled: jsii.Bool(s.Tracing)},
		LoggingConfiguration: &awsstepfunctions.CfnStateMachine_LoggingConfigurationProperty{
			Level: jsii.String("ERROR"), IncludeExecutionData: jsii.Bool(false),
			Destinations: []any{&awsstepfunctions.CfnStateMachine_LogDestinationProperty{
				CloudWatchLogsLogGroup: &awsstepfunctions.CfnStateMachine_CloudWatchLogsLogGroupProperty{LogGroupArn: logs.LogGroupArn()},
			}},
		},
	})
	return awsstepfunctions.StateMachine_FromStateMachineArn(scope, jsii.String("StateMachine"), loop.Ref())
}

// GrantStart lets fn start a loop.
func (p *PollLoop) GrantStart(fn *Function) {
	fn.allow([]string{"states:StartExecution"}, *p.StateMachine.StateMachineArn())
	fn.setEnv(env.PollStateMachineARN, *p.StateMachine.StateMachineArn())
}

// pollLoop fills the settings in; the function's ARN is left to CloudFormation.
func pollLoop(s *Settings) string {
	return strings.NewReplacer(
		"${FirstWaitSeconds}", wholeSeconds(s.PollFirstWait),
		"${WaitSeconds}", wholeSeconds(s.PollEvery),
		"${HandOverMilliseconds}", strconv.FormatInt(s.PollHandOverAfter.Milliseconds(), 10),
	).Replace(pollLoopDefinition)
}

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
