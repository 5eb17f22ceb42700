package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// metrics make the CloudWatch metrics that alarms and dashboard read.
type metrics struct {
	bundle *Clipqueue
	stage  string
}

// own is one that the functions write into their logs; statistic as CloudWatch
// spells it, "Sum" or "p95".
func (m metrics) own(name, statistic string, period time.Duration) awscloudwatch.Metric {
	return metric(env.MetricNamespace, name, statistic, period, map[string]*string{"Stage": jsii.String(m.stage)})
}

func (m metrics) api(name, statistic string, period time.Duration) awscloudwatch.Metric {
	return metric("AWS/ApiGateway", name, statistic, period, map[string]*string{"ApiId": m.bundle.Webhook.API.ApiId()})
}

func (m metrics) loop(name string, period time.Duration) awscloudwatch.Metric {
	return metric("AWS/States", name, "Sum", period, map[string]*string{"StateMachineArn": m.bundle.PollLoop.StateMachine.StateMachineArn()})
}

func (m metrics) function(f *Function, name, statistic string, period time.Duration) awscloudwatch.Metric {
	return metric("AWS/Lambda", name, statistic, period, map[string]*string{"FunctionName": f.FunctionName()})
}

// functions adds one metric up over all functions.
func (m metrics) functions(name string, period time.Duration) awscloudwatch.IMetric {
	using := map[string]awscloudwatch.IMetric{}
	for _, f := range m.bundle.functions() {
		using[f.name] = m.function(f.Function, name, "Sum", period)
	}
	return total(name, period, using)
}

// throttledCalls adds up what DynamoDB turned away of the calls that the
// functions make.
func (m metrics) throttledCalls(period time.Duration) awscloudwatch.IMetric {
	using := map[string]awscloudwatch.IMetric{}
	for i, call := range []string{"GetItem", "PutItem", "Query", "UpdateItem"} {
		using[fmt.Sprintf("call%d", i)] = metric("AWS/DynamoDB", "ThrottledRequests", "Sum", period,
			map[string]*string{"TableName": m.bundle.Jobs.Table.TableName(), "Operation": jsii.String(call)})
	}
	return total("Throttled calls", period, using)
}

func (m metrics) table(name string, period time.Duration) awscloudwatch.Metric {
	return metric("AWS/DynamoDB", name, "Sum", period, map[string]*string{"TableName": m.bundle.Jobs.Table.TableName()})
}

func (m metrics) queue(name *string, metricName string, period time.Duration) awscloudwatch.Metric {
	return metric("AWS/SQS", metricName, "Maximum", period, map[string]*string{"QueueName": name})
}

func metric(namespace, name, statistic string, period time.Duration, dimensions map[string]*string) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(namespace), MetricName: jsii.String(name), Statistic: jsii.String(statistic),
		Period: seconds(period), DimensionsMap: &dimensions,
	})
}

func expression(text, label string, period time.Duration, using map[string]awscloudwatch.IMetric) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String(text), Label: jsii.String(label), Period: seconds(period), UsingMetrics: &using,
	})
}

// total adds metrics up by name, as METRICS() would take all others of a graph in.
func total(label string, period time.Duration, using map[string]awscloudwatch.IMetric) awscloudwatch.IMetric {
	return expression("SUM(["+strings.Join(slices.Sorted(maps.Keys(using)), ", ")+"])", label, period, using)
}
