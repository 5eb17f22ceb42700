// Command lambda is the submit function.
package main

import (
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/keys"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/queue"
	"github.com/clipqueue/clipqueue/shared/store"
)

func main() { boot.Main(wire, lambda.Start) }

func wire(b *boot.Boot) (any, error) {
	s := submit.Settings{
		Rules: b.Rules(), Delivery: events.Delivery(b.Env.String(env.DefaultDelivery)),
		WebhookURL: b.Env.URL(env.WebhookURL), Timeout: b.Env.Duration(env.SubmitTimeout),
		PerMinute: float64(b.Env.Int(env.SubmitsPerMinute)) / float64(max(b.Env.Int(env.MaxConcurrency), 1)),
	}
	table, noTable := store.New(dynamodb.NewFromConfig(b.AWS), b.Env.String(env.TableName), s.Rules, b.Now)
	source, noKeys := keys.New(secretsmanager.NewFromConfig(b.AWS), b.Env.String(env.APIKeySecretID), b.Now)
	client, noClient := creativeai.New(b.Env.URL(env.CreativeAIURL), creativeai.WithVersion(b.Version))
	account, noAccount := creativeai.NewAccount(client, source)
	messages, noQueue := queue.New(sqs.NewFromConfig(b.AWS), b.Env.String(env.JobQueueURL))
	loops, noLoop := loop.New(sfn.NewFromConfig(b.AWS), b.Env.String(env.PollStateMachineARN))
	h, err := submit.New(s, submit.Deps{
		Jobs: table, Vendor: account, Queue: messages, Loops: loops, Log: b.Log, Metrics: b.Metrics, Now: b.Now,
		NewID: rand.Text, Random: mathrand.Float64,
	})
	return h.Handle, errors.Join(noTable, noKeys, noClient, noAccount, noQueue, noLoop, err)
}
