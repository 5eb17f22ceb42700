package stack

import (
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/env"
)

const (
	// archiveAttempts is how often a video is tried before its message is set aside.
	archiveAttempts = 5
	// videoPrefix is the only part of the bucket that the function writes to.
	videoPrefix = "videos/"
)

// Archive copies finished videos to a bucket.
type Archive struct {
	constructs.Construct

	Function    *Function
	Bucket      awss3.Bucket
	Queue       awssqs.Queue
	DeadLetters *DeadLetters
}

// ArchiveProps of [NewArchive]; all required.
type ArchiveProps struct {
	*Deployment

	Jobs *Jobs
	Bus  *VideoBus
}

// NewArchive feeds each "completed" event on the bus to the function.
func NewArchive(scope constructs.Construct, id string, props *ArchiveProps) *Archive {
	this := constructs.NewConstruct(scope, jsii.String(id))
	s := props.Settings
	limit := s.ArchiveTimeout + 30*time.Second
	a := &Archive{Construct: this, DeadLetters: newDeadLetters(this, "DeadLetters", s), Bucket: newVideoBucket(this, s)}
	a.Queue = newQueue(this, "Queue", s, &awssqs.QueueProps{
		VisibilityTimeout: seconds(limit + minute),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: a.DeadLetters.Queue, MaxReceiveCount: jsii.Number(archiveAttempts)},
	})
	awsevents.NewRule(this, jsii.String("Completed"), &awsevents.RuleProps{
		Description:  jsii.String("Clipqueue: finished videos, to be archived"),
		EventBus:     props.Bus.Bus,
		EventPattern: &awsevents.EventPattern{Source: jsii.Strings(events.Source), DetailType: jsii.Strings(string(events.TypeCompleted))},
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewSqsQueue(a.Queue, &awseventstargets.SqsQueueProps{
			DeadLetterQueue: a.DeadLetters.Queue,
		})},
	})
	a.Function = newFunction(this, &functionProps{
		Deployment: props.Deployment, name: "archive", size: s.Archiver, timeout: limit,
		description: "Clipqueue: copies finished videos to the bucket",
	})
	consume(a.Function, a.Queue, env.ArchiveQueueURL, 1, s.ArchiveConcurrency)
	props.Jobs.Grant(a.Function, "GetItem", "PutItem")
	a.grantStore(a.Function)
	a.Function.setEnv(env.ArchiveMaxBytes, strconv.Itoa(s.ArchiveMaxBytes))
	a.Function.setEnv(env.ArchiveTimeout, s.ArchiveTimeout.String())
	a.Function.setEnv(env.ArchiveURLFor, s.ArchiveURLFor.String())
	if s.ArchiveTrustedOrigin != "" {
		a.Function.setEnv(env.ArchiveTrustedOrigin, s.ArchiveTrustedOrigin)
	}
	return a
}

// grantStore lets fn write videos, and read back what it wrote.
func (a *Archive) grantStore(fn *Function) {
	fn.allow([]string{"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"}, *a.Bucket.BucketArn()+"/"+videoPrefix+"*")
	fn.setEnv(env.ArchiveBucket, *a.Bucket.BucketName())
}

func newVideoBucket(scope constructs.Construct, s *Settings) awss3.Bucket {
	props := &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		RemovalPolicy:     removal(s.RetainData),
		LifecycleRules:    videoLifecycle(s),
	}
	if !s.Local { // the local engine speaks plain HTTP
		props.EnforceSSL, props.MinimumTLSVersion = jsii.Bool(true), jsii.Number(1.2)
	}
	return awss3.NewBucket(scope, jsii.String("Bucket"), props)
}

func videoLifecycle(s *Settings) *[]*awss3.LifecycleRule {
	rule := &awss3.LifecycleRule{Id: jsii.String("videos"), AbortIncompleteMultipartUploadAfter: seconds(day)}
	if s.ArchiveTransitionDays > 0 {
		rule.Transitions = &[]*awss3.Transition{{
			StorageClass:    awss3.StorageClass_INFREQUENT_ACCESS(),
			TransitionAfter: awscdk.Duration_Days(jsii.Number(s.ArchiveTransitionDays)),
		}}
	}
	if s.ArchiveExpiryDays > 0 {
		rule.Expiration = awscdk.Duration_Days(jsii.Number(s.ArchiveExpiryDays))
	}
	return &[]*awss3.LifecycleRule{rule}
}
