package stack

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// Alarms tell people of what the bundle cannot put right by itself.
type Alarms struct {
	constructs.Construct

	Topic awssns.Topic

	stage string
}

// AlarmsProps of [NewAlarms]; all required.
type AlarmsProps struct {
	Settings *Settings
	Bundle   *Clipqueue
}

// NewAlarms makes the alarms and the topic that they go to.
func NewAlarms(scope constructs.Construct, id string, props *AlarmsProps) *Alarms {
	this := constructs.NewConstruct(scope, jsii.String(id))
	a := &Alarms{Construct: this, stage: props.Settings.Stage}
	a.Topic = awssns.NewTopic(this, jsii.String("Topic"), &awssns.TopicProps{
		DisplayName: jsii.Sprintf("Clipqueue %s alarms", props.Settings.Stage), EnforceSSL: jsii.Bool(!props.Settings.Local),
	})
	if props.Settings.AlarmEmail != "" {
		a.Topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(jsii.String(props.Settings.AlarmEmail), nil))
	}
	a.watchQueues(props.Bundle)
	a.watchJobs()
	return a
}

// alarm says when a metric is too high, and what to do about it.
type alarm struct {
	id      string
	metric  awscloudwatch.IMetric
	above   float64
	periods int
	say     string
}

func (a *Alarms) add(alarms ...alarm) {
	action := awscloudwatchactions.NewSnsAction(a.Topic)
	for _, it := range alarms {
		awscloudwatch.NewAlarm(a.Construct, jsii.String(it.id), &awscloudwatch.AlarmProps{
			AlarmDescription:   jsii.String(it.say),
			Metric:             it.metric,
			Threshold:          jsii.Number(it.above),
			EvaluationPeriods:  jsii.Number(max(it.periods, 1)),
			ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
			TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		}).AddAlarmAction(action)
	}
}

// own is one of the metrics that the functions write into their logs, summed up.
func (a *Alarms) own(name string, period time.Duration) awscloudwatch.IMetric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(env.MetricNamespace), MetricName: jsii.String(name),
		DimensionsMap: &map[string]*string{"Stage": jsii.String(a.stage)},
		Statistic:     awscloudwatch.Stats_SUM(), Period: seconds(period),
	})
}

func (a *Alarms) watchQueues(c *Clipqueue) {
	dead := func(id string, queue *DeadLetters, say string) alarm {
		return alarm{id: id, say: say, metric: queue.MetricApproximateNumberOfMessagesVisible(
			&awscloudwatch.MetricOptions{Period: seconds(minute), Statistic: awscloudwatch.Stats_MAXIMUM()})}
	}
	a.add(
		dead("JobDeadLetters", c.JobQueue.DeadLetters, "Prompts were given up after 1,000 receives. Look at the log of submit, then redrive the queue."),
		dead("ReconcileDeadLetters", c.Reconcile.DeadLetters, "Runs of reconcile failed. Look at its log: overdue jobs wait until it runs again."),
		dead("PublishFailures", c.Publish.Failures, "Batches of the table's stream were given up. Look at the log of publish; reconcile sends their events again."),
		dead("PublishPoison", c.Publish.Poison, "Records could not be made into events. Look at the messages: each names the item and what is wrong with it."),
	)
	if c.Archive != nil {
		a.add(dead("ArchiveDeadLetters", c.Archive.DeadLetters, "Videos could not be archived. Look at the log of archive, then redrive the queue."))
	}
}

func (a *Alarms) watchJobs() {
	a.add(
		alarm{
			id: "AccountRefused", metric: a.own(env.MetricAccountRefused, 5*minute),
			say: "The vendor refuses the account: key, credit or base URL. Jobs wait. Put the right key in the secret, top up, or set creativeaiUrl.",
		},
		alarm{
			id: "Unconfirmed", metric: a.own(env.MetricUnconfirmed, 5*minute),
			say: "The outcome of a submit is unknown, and it is not sent again. Money may be spent: look the job up with the vendor.",
		},
		alarm{
			id: "Quarantined", metric: a.own(env.MetricQuarantined, 5*minute),
			say: "A signed callback fits no job, or contradicts one. Look at the quarantine items in the table.",
		},
		alarm{
			id: "SignatureFailed", metric: a.own(env.MetricSignatureFailed, 5*minute), above: 10,
			say: "Callbacks with a wrong signature. After a change of the key: check that the secret holds it. Else somebody is trying the webhook.",
		},
		alarm{
			id: "Internal", metric: a.own(env.MetricInternal, 5*minute),
			say: "A message failed time and again for a reason of our own. Look at the log of submit.",
		},
	)
}
