package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// Alarms tell people of what the bundle cannot put right by itself. What to do
// about each is in RUNBOOK.md beside the CDK app.
type Alarms struct {
	constructs.Construct

	Topic awssns.Topic
	// All are the alarms by name.
	All map[string]awscloudwatch.Alarm

	prefix  string
	metrics metrics
	local   bool
}

// AlarmsProps of [NewAlarms]; all required.
type AlarmsProps struct {
	Settings *Settings
	Bundle   *Clipqueue
}

// NewAlarms makes the alarms and the topic that they go to.
func NewAlarms(scope constructs.Construct, id string, props *AlarmsProps) *Alarms {
	this := constructs.NewConstruct(scope, jsii.String(id))
	s := props.Settings
	a := &Alarms{
		Construct: this, All: map[string]awscloudwatch.Alarm{}, prefix: uniqueName(scope, 200),
		metrics: metrics{bundle: props.Bundle, stage: s.Stage}, local: s.Local,
		Topic: awssns.NewTopic(this, jsii.String("Topic"), &awssns.TopicProps{
			DisplayName: jsii.Sprintf("Clipqueue %s alarms", s.Stage), EnforceSSL: jsii.Bool(!s.Local),
		}),
	}
	a.allowAlarms(this)
	if s.AlarmEmail != "" {
		a.Topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(jsii.String(s.AlarmEmail), nil))
	}
	a.add(a.deadLetters()...)
	a.add(a.verdicts()...)
	a.add(a.money()...)
	a.add(a.callbacks()...)
	a.add(a.machinery()...)
	a.add(a.heartbeat(s))
	return a
}

// allowAlarms lets CloudWatch tell the topic. Any policy of a topic replaces the
// one that SNS makes, which allows it: the rule on TLS alone would leave nobody.
func (a *Alarms) allowAlarms(scope constructs.Construct) {
	stack := awscdk.Stack_Of(scope)
	a.Topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("AlarmsOfThisBundle"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sns:Publish"), Resources: &[]*string{a.Topic.TopicArn()},
		Conditions: &map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": stack.Account()},
			"ArnLike": map[string]any{"aws:SourceArn": stack.FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
				ResourceName: jsii.String(a.prefix + "*"),
			})},
		},
	}))
}

// alarm says when a metric is too high, or too low, and what to do about it.
type alarm struct {
	name    string
	metric  awscloudwatch.IMetric
	above   float64
	periods int // that it lasts; 1 when 0
	below   bool
	say     string
}

func (a *Alarms) add(alarms ...alarm) {
	action := awscloudwatchactions.NewSnsAction(a.Topic)
	for _, it := range alarms {
		if _, math := it.metric.(awscloudwatch.MathExpression); math && a.local {
			continue // the engine has no alarms on expressions
		}
		comparison, missing := awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD, awscloudwatch.TreatMissingData_NOT_BREACHING
		if it.below {
			comparison, missing = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD, awscloudwatch.TreatMissingData_BREACHING
		}
		made := awscloudwatch.NewAlarm(a.Construct, jsii.String(it.name), &awscloudwatch.AlarmProps{
			AlarmName:        jsii.String(a.prefix + " " + it.name),
			AlarmDescription: jsii.Sprintf("%s (%s in RUNBOOK.md)", it.say, it.name),
			Metric:           it.metric, Threshold: jsii.Number(it.above), EvaluationPeriods: jsii.Number(max(it.periods, 1)),
			ComparisonOperator: comparison, TreatMissingData: missing,
		})
		made.AddAlarmAction(action)
		a.All[it.name] = made
	}
}

func (a *Alarms) deadLetters() []alarm {
	c := a.metrics.bundle
	dead := func(name string, queue *DeadLetters, say string) alarm {
		return alarm{name: name, say: say, metric: a.metrics.queue(queue.QueueName(), "ApproximateNumberOfMessagesVisible", minute)}
	}
	alarms := []alarm{
		dead("JobDeadLetters", c.JobQueue.DeadLetters, "Prompts were given up after 1,000 receives. Read the log of submit, then redrive the queue."),
		dead("ReconcileDeadLetters", c.Reconcile.DeadLetters, "Runs of reconcile failed. Read its log; overdue jobs wait until a run ends well."),
		dead("PublishFailures", c.Publish.Failures, "Batches of the table's stream were given up. Read the log of publish; reconcile has their events sent again."),
		dead("PublishPoison", c.Publish.Poison, "Records could not be made into events. Read the messages: each names the item and what is wrong with it."),
	}
	if c.Archive != nil {
		alarms = append(alarms,
			dead("ArchiveDeadLetters", c.Archive.DeadLetters, "Videos could not be stored for a reason of our own. Read the log of archive, then redrive the queue."),
			alarm{
				name: "ArchiveFailed", metric: a.metrics.own(env.MetricArchiveFailed, "Sum", hour),
				say: "Videos will not be archived: the event says why. Fetch them from the vendor's URL while it lives.",
			})
	}
	return alarms
}

// verdicts watch over promise 1: every prompt ends in one.
func (a *Alarms) verdicts() []alarm {
	oldest := func() awscloudwatch.IMetric {
		return a.metrics.queue(a.metrics.bundle.JobQueue.Queue.QueueName(), "ApproximateAgeOfOldestMessage", 5*minute)
	}
	late := expression("IF(overdue > 10 AND overdue > FILL(submitted, 0) / 2, overdue, 0)", "Overdue jobs", hour, map[string]awscloudwatch.IMetric{
		"overdue":   a.metrics.own(env.MetricOverdue, "Sum", hour),
		"submitted": a.metrics.own(env.MetricSubmitted, "Sum", hour),
	})
	none := expression("IF(FILL(submitted, 0) > 0, 0, notNow)", "Put off, and none accepted", 15*minute, map[string]awscloudwatch.IMetric{
		"notNow":    a.metrics.own(env.MetricNotNow, "Sum", 15*minute),
		"submitted": a.metrics.own(env.MetricSubmitted, "Sum", 15*minute),
	})
	return []alarm{
		{
			name: "NothingAccepted", metric: none, periods: 2,
			say: "The vendor has taken no prompt for half an hour: it is down, cannot be reached, or puts all off. Run clipqueue doctor, and see its status page; prompts wait.",
		},
		{
			name: "OldestPromptOneDay", metric: oldest(), above: day.Seconds(),
			say: "A prompt has waited for a day. See whether the vendor takes any, and whether submit runs.",
		},
		{
			name: "OldestPromptTenDays", metric: oldest(), above: (10 * day).Seconds(),
			say: "A prompt has waited for ten days, and SQS deletes it at 14. Act now: copy the messages away, or make room at the vendor.",
		},
		{
			name: "Overdue", metric: late,
			say: "More than half of the jobs have to be asked about. Callbacks get lost, or the vendor is slow: check that the vendor reaches the webhook.",
		},
		{
			name: "Expired", metric: a.metrics.own(env.MetricExpired, "Sum", hour),
			say: "Jobs ended without a verdict. Read their events; look them up with the vendor, as they may have been charged.",
		},
		{
			name: "Internal", metric: a.metrics.own(env.MetricInternal, "Sum", 5*minute),
			say: "A message failed time and again for a reason of our own. Read the log of submit.",
		},
	}
}

// money watches over promise 2: nothing is paid for twice, or in vain.
func (a *Alarms) money() []alarm {
	share := expression("IF(asked >= 10, 100 * FILL(errors, 0) / asked, 0)", "Unusable answers, %", 15*minute, map[string]awscloudwatch.IMetric{
		"errors": a.metrics.own(env.MetricVendorError, "Sum", 15*minute),
		"asked":  a.metrics.own(env.MetricAsked, "Sum", 15*minute),
	})
	return []alarm{
		{
			name: "AccountRefused", metric: a.metrics.own(env.MetricAccountRefused, "Sum", 5*minute),
			say: "The vendor refuses the account: key, credit or base URL. Jobs wait. Put the right key in the secret, top up, or set creativeaiUrl.",
		},
		{
			name: "Unconfirmed", metric: a.metrics.own(env.MetricUnconfirmed, "Sum", 5*minute),
			say: "The outcome of a submit is unknown, and it is not sent again. Money may be spent: look the job up with the vendor.",
		},
		{
			name: "Contradiction", metric: a.metrics.own(env.MetricContradiction, "Sum", 5*minute),
			say: "The vendor said of a job what cannot be, such as another job's generation id. Read the log, which has both ids: one may be charged in vain.",
		},
		{
			name: "VendorErrors", metric: share, above: 50,
			say: "More than half of our questions about generations get no usable answer. See the vendor's status page; jobs wait meanwhile.",
		},
	}
}

// callbacks watches over promises 3 and 4: none is lost, none is forged.
func (a *Alarms) callbacks() []alarm {
	return []alarm{
		{
			name: "WebhookErrors", metric: a.metrics.api("5xx", "Sum", 5*minute),
			say: "Callbacks were answered with 5xx: the key is missing, or the table refused the write. Read the log of webhook; reconcile asks for what was lost.",
		},
		{
			name: "SignatureFailed", metric: a.metrics.own(env.MetricSignatureFailed, "Sum", 5*minute), above: 10,
			say: "Callbacks with a wrong signature. After a change of the key, see that the secret holds it; else somebody tries the webhook.",
		},
		{
			name: "Quarantined", metric: a.metrics.own(env.MetricQuarantined, "Sum", 5*minute),
			say: "A signed callback fits no job, or contradicts one. Look at the quarantine items in the table.",
		},
	}
}

// machinery watches what all promises stand on.
func (a *Alarms) machinery() []alarm {
	m := a.metrics
	return []alarm{
		{
			name: "StreamAge", metric: m.function(m.bundle.Publish.Function, "IteratorAge", "Maximum", 5*minute), above: float64((15 * minute).Milliseconds()),
			say: "Events are late by more than 15 minutes. Read the log of publish; the stream forgets after 24 hours, and then reconcile sends them.",
		},
		{
			name: "FunctionErrors", metric: m.functions("Errors", 5*minute), periods: 3,
			say: "Functions end with errors for 15 minutes. The dashboard shows which; read its log.",
		},
		{
			name: "FunctionThrottles", metric: m.functions("Throttles", 5*minute), periods: 3,
			say: "Functions are throttled. Ask for more concurrency in the account, or lower maxConcurrency so that callbacks are served.",
		},
		{
			name: "TableThrottles", metric: m.throttledCalls(5 * minute), periods: 3,
			say: "DynamoDB turns calls away. An on-demand table grows within minutes; if it lasts, look for a hot partition or an account limit.",
		},
		{
			name: "PollLoopFailures", metric: expression("failed + overrun", "Poll loops", 15*minute, map[string]awscloudwatch.IMetric{
				"failed": m.loop("ExecutionsFailed", 15*minute), "overrun": m.loop("ExecutionsTimedOut", 15*minute),
			}),
			say: "Poll loops ended before their time. Read the log of the loop; reconcile goes on with their jobs.",
		},
	}
}

// heartbeat tells when the safety net itself is gone.
func (a *Alarms) heartbeat(s *Settings) alarm {
	return alarm{
		name: "ReconcileStopped", metric: a.metrics.function(a.metrics.bundle.Reconcile.Function, "Invocations", "Sum", 5*s.ReconcileEvery), above: 1, below: true, periods: 2,
		say: "Reconcile does not run, so nothing that was lost is found. See that its schedule is enabled.",
	}
}
