// Command lambda is the webhook function.
package main

import (
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/clipqueue/clipqueue/functions/webhook"
	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/keys"
	"github.com/clipqueue/clipqueue/shared/store"
)

func main() { boot.Main(wire, lambda.Start) }

func wire(b *boot.Boot) (any, error) {
	table, noTable := store.New(dynamodb.NewFromConfig(b.AWS), b.Env.String(env.TableName), b.Rules(), b.Now)
	source, noKeys := keys.New(secretsmanager.NewFromConfig(b.AWS), b.Env.String(env.APIKeySecretID), b.Now)
	h, err := webhook.New(webhook.Deps{Jobs: table, Keys: source, Log: b.Log, Metrics: b.Metrics, Now: b.Now})
	return h.Handle, errors.Join(noTable, noKeys, err)
}
