// Command lambda is the archive function.
package main

import (
	"errors"
	"math/rand/v2"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/clipqueue/clipqueue/functions/archive"
	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/queue"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/videos"
)

func main() { boot.Main(wire, lambda.Start) }

func wire(b *boot.Boot) (any, error) {
	s := archive.Settings{Rules: b.Rules(), Timeout: b.Env.Duration(env.ArchiveTimeout), URLFor: b.Env.Duration(env.ArchiveURLFor)}
	table, noTable := store.New(dynamodb.NewFromConfig(b.AWS), b.Env.String(env.TableName), s.Rules, b.Now)
	fetcher, noFetcher := videos.NewFetcher(videos.Settings{
		MaxBytes: b.Env.Int(env.ArchiveMaxBytes), TrustedOrigin: b.Env.Optional(env.ArchiveTrustedOrigin, ""),
		Version: b.Version, Now: b.Now,
	})
	bucket, noBucket := videos.NewBucket(s3.NewFromConfig(b.AWS), b.Env.String(env.ArchiveBucket))
	messages, noQueue := queue.New(sqs.NewFromConfig(b.AWS), b.Env.String(env.ArchiveQueueURL))
	h, err := archive.New(s, archive.Deps{
		Jobs: table, Videos: fetcher, Bucket: bucket, Queue: messages, Log: b.Log, Now: b.Now, Random: rand.Float64,
	})
	return h.Handle, errors.Join(noTable, noFetcher, noBucket, noQueue, err)
}
