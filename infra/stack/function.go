package stack

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/infra/version"
	"github.com/clipqueue/clipqueue/shared/env"
)

// Function is one Lambda with a role and a log group of its own. It starts
// with no permission but to write its log; capabilities add what it calls.
type Function struct {
	awslambda.Function

	policy awsiam.PolicyDocument
}

// Deployment is what every function of one deployment has in common.
type Deployment struct {
	// Settings of the deployment.
	Settings *Settings
	// Code gives the code of the function in functions/<name>.
	Code func(name string) awslambda.Code
}

// functionProps say what sets one function apart from the others.
type functionProps struct {
	*Deployment

	// name is the function's folder under functions/.
	name        string
	description string
	size        FunctionSettings
	timeout     time.Duration
	// failures takes the events of failed asynchronous calls; nil for a function
	// that is never called so.
	failures *DeadLetters
}

func newFunction(scope constructs.Construct, props *functionProps) *Function {
	logs := newLogGroup(scope, "Logs", "", props.Settings)
	role, policy := newRole(scope, "Role", "lambda.amazonaws.com", "What the "+props.name+" function of Clipqueue may do")
	f := &Function{policy: policy, Function: awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
		Description:                  jsii.String(props.description),
		Runtime:                      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:                 lambdaArchitecture(props.Settings.Architecture),
		Handler:                      jsii.String("bootstrap"),
		Code:                         props.Code(props.name),
		MemorySize:                   jsii.Number(props.size.MemoryMB),
		Timeout:                      seconds(props.timeout),
		ReservedConcurrentExecutions: reserved(props.size.ReservedConcurrency),
		Role:                         role,
		LogGroup:                     logs,
		LoggingFormat:                awslambda.LoggingFormat_JSON,
		// LOG_LEVEL filters what the function says. Lambda's own filter stays
		// open, as it would drop metrics too.
		ApplicationLogLevelV2: awslambda.ApplicationLogLevel_DEBUG,
		SystemLogLevelV2:      awslambda.SystemLogLevel_INFO,
	})}
	f.allow([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, *logs.LogGroupArn())
	if props.Settings.Tracing {
		f.trace()
	}
	dependOnRoleOnly(f.Function)
	if props.failures != nil {
		f.sendFailures(props.failures)
	}
	f.setEnv(env.Stage, props.Settings.Stage)
	f.setEnv(env.LogLevel, props.Settings.LogLevel)
	f.setEnv(env.Version, version.Version)
	return f
}

// allow lets the function call actions on resources, and nothing else of them.
func (f *Function) allow(actions []string, resources ...string) {
	f.policy.AddStatements(allowed(actions, resources...))
}

// trace has Lambda send traces with the function's role. CDK's own property
// would make a policy outside of the role.
func (f *Function) trace() {
	if resource, ok := f.Node().DefaultChild().(awslambda.CfnFunction); ok {
		resource.SetTracingConfig(&awslambda.CfnFunction_TracingConfigProperty{Mode: jsii.String("Active")})
	}
	// AWS knows no narrower resource for traces.
	f.allow([]string{"xray:PutTelemetryRecords", "xray:PutTraceSegments"}, "*")
}

func (f *Function) setEnv(name, value string) {
	f.AddEnvironment(jsii.String(name), jsii.String(value), nil)
}

// sendFailures has Lambda put the events of failed asynchronous calls on queue,
// which it does with the function's role.
func (f *Function) sendFailures(queue *DeadLetters) {
	queue.GrantSend(f)
	awslambda.NewCfnEventInvokeConfig(f.Function, jsii.String("Failures"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             f.FunctionName(),
		Qualifier:                jsii.String("$LATEST"),
		MaximumRetryAttempts:     jsii.Number(0),
		MaximumEventAgeInSeconds: jsii.Number(60),
		DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: queue.QueueArn()},
		},
	})
}

// newRole makes a role for a service, and the policy inside it. The policy is
// part of the role, so that whatever has the role has its permissions.
func newRole(scope constructs.Construct, id, service, description string) (awsiam.Role, awsiam.PolicyDocument) {
	policy := awsiam.NewPolicyDocument(nil)
	return awsiam.NewRole(scope, jsii.String(id), &awsiam.RoleProps{
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String(service), nil),
		Description:    jsii.String(description),
		InlinePolicies: &map[string]awsiam.PolicyDocument{"calls": policy},
	}), policy
}

// dependOnRoleOnly drops what CDK says beside the reference to the role that is
// there anyway, and that cfn-lint calls redundant.
func dependOnRoleOnly(c constructs.Construct) {
	if resource, ok := c.Node().DefaultChild().(awscdk.CfnResource); ok {
		resource.AddDeletionOverride(jsii.String("DependsOn"))
	}
}

// allowed is a statement of a policy.
func allowed(actions []string, resources ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: jsii.Strings(resources...)})
}

// newLogGroup makes a log group that is kept as long as the settings say.
// An empty name lets CloudFormation choose one.
func newLogGroup(scope constructs.Construct, id, name string, s *Settings) awslogs.LogGroup {
	props := &awslogs.LogGroupProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY}
	if name != "" {
		props.LogGroupName = jsii.String(name)
	}
	group := awslogs.NewLogGroup(scope, jsii.String(id), props)
	// CDK's own property is an enumeration of words; the resource takes days.
	if resource, ok := group.Node().DefaultChild().(awslogs.CfnLogGroup); ok {
		resource.SetRetentionInDays(jsii.Number(s.LogRetentionDays))
	}
	return group
}

func lambdaArchitecture(name string) awslambda.Architecture {
	if name == "x86_64" {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}

func reserved(concurrency int) *float64 {
	if concurrency == 0 {
		return nil
	}
	return jsii.Number(concurrency)
}

func seconds(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}
