// Command lambda is the poll function.
package main

import (
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/clipqueue/clipqueue/functions/poll"
	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/keys"
	"github.com/clipqueue/clipqueue/shared/store"
)

func main() { boot.Main(wire, lambda.Start) }

func wire(b *boot.Boot) (any, error) {
	s := poll.Settings{
		Rules: b.Rules(), Every: b.Env.Duration(env.PollEvery), SlowAfter: b.Env.Duration(env.PollSlowAfter),
		SlowEvery: b.Env.Duration(env.PollSlowEvery), HandOverAfter: b.Env.Duration(env.PollHandOverAfter),
	}
	table, noTable := store.New(dynamodb.NewFromConfig(b.AWS), b.Env.String(env.TableName), s.Rules, b.Now)
	source, noKeys := keys.New(secretsmanager.NewFromConfig(b.AWS), b.Env.String(env.APIKeySecretID), b.Now)
	client, noClient := creativeai.New(b.Env.URL(env.CreativeAIURL), creativeai.WithVersion(b.Version))
	account, noAccount := creativeai.NewAccount(client, source)
	h, err := poll.New(s, poll.Deps{Jobs: table, Vendor: account, Log: b.Log, Metrics: b.Metrics, Now: b.Now})
	return h.Handle, errors.Join(noTable, noKeys, noClient, noAccount, err)
}
