// Command lambda is the reconcile function.
package main

import (
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/clipqueue/clipqueue/functions/reconcile"
	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/keys"
	"github.com/clipqueue/clipqueue/shared/queue"
	"github.com/clipqueue/clipqueue/shared/store"
)

func main() { boot.Main(wire, lambda.Start) }

func wire(b *boot.Boot) (any, error) {
	rules := b.Rules()
	table, noTable := store.New(dynamodb.NewFromConfig(b.AWS), b.Env.String(env.TableName), rules, b.Now)
	source, noKeys := keys.New(secretsmanager.NewFromConfig(b.AWS), b.Env.String(env.APIKeySecretID), b.Now)
	client, noClient := creativeai.New(b.Env.URL(env.CreativeAIURL), creativeai.WithVersion(b.Version))
	account, noAccount := creativeai.NewAccount(client, source)
	messages, noQueue := queue.New(sqs.NewFromConfig(b.AWS), b.Env.String(env.JobQueueURL))
	h, err := reconcile.New(reconcile.Deps{
		Rules: rules, Jobs: table, Vendor: account, Queue: messages, Log: b.Log, Metrics: b.Metrics, Now: b.Now,
	})
	return h.Handle, errors.Join(noTable, noKeys, noClient, noAccount, noQueue, err)
}
