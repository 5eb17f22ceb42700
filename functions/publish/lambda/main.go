// Command lambda is the publish function.
package main

import (
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/clipqueue/clipqueue/functions/publish"
	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/queue"
	"github.com/clipqueue/clipqueue/shared/store"
)

func main() { boot.Main(wire, lambda.Start) }

func wire(b *boot.Boot) (any, error) {
	rules := b.Rules()
	table, noTable := store.New(dynamodb.NewFromConfig(b.AWS), b.Env.String(env.TableName), rules, b.Now)
	events, noBus := bus.New(eventbridge.NewFromConfig(b.AWS), b.Env.String(env.EventBusName))
	poison, noQueue := queue.New(sqs.NewFromConfig(b.AWS), b.Env.String(env.PoisonQueueURL))
	h, err := publish.New(publish.Deps{
		Rules: rules, Jobs: table, Bus: events, Poison: poison, Log: b.Log, Metrics: b.Metrics, Now: b.Now,
	})
	return h.Handle, errors.Join(noTable, noBus, noQueue, err)
}
