package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bustypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/clipqueue/clipqueue/infra/local"
)

// An attempt is a call that some function makes and others must not be able to.
type attempt func(ctx context.Context, cfg aws.Config) error

func readKey(ctx context.Context, cfg aws.Config) error {
	_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &bundle.Outputs.APIKeySecretARN})
	return err
}

func scanTable(ctx context.Context, cfg aws.Config) error {
	_, err := dynamodb.NewFromConfig(cfg).Scan(ctx, &dynamodb.ScanInput{TableName: &bundle.Outputs.TableName, Limit: aws.Int32(1)})
	return err
}

func putEvent(ctx context.Context, cfg aws.Config) error {
	_, err := eventbridge.NewFromConfig(cfg).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []bustypes.PutEventsRequestEntry{{
		EventBusName: &bundle.Outputs.EventBusName, Source: aws.String("e2e"), DetailType: aws.String("Probe"), Detail: aws.String("{}"),
	}}})
	return err
}

func enqueueForged(ctx context.Context, cfg aws.Config) error {
	_, err := sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &bundle.Outputs.JobQueueURL, MessageBody: aws.String(`{"prompt":"forged"}`),
	})
	return err
}

// Each function's role can do what the function does, which every other test
// shows, and is refused what only others do.
func TestRolesAreRefusedWhatOthersDo(t *testing.T) {
	t.Parallel()
	for function, forbidden := range map[string]map[string]attempt{
		"Submit":    {"scan the table": scanTable, "put events": putEvent, "enqueue": enqueueForged},
		"Webhook":   {"scan the table": scanTable, "put events": putEvent, "enqueue": enqueueForged},
		"PollLoop":  {"scan the table": scanTable, "put events": putEvent, "enqueue": enqueueForged},
		"Reconcile": {"scan the table": scanTable, "put events": putEvent},
		"Publish":   {"scan the table": scanTable, "read the key": readKey, "enqueue": enqueueForged},
		"Archive":   {"scan the table": scanTable, "put events": putEvent, "read the key": readKey, "enqueue": enqueueForged},
	} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			cfg := as(t, function)
			for what, do := range forbidden {
				if code := refusal(do(t.Context(), cfg)); !strings.HasPrefix(code, "AccessDenied") {
					t.Errorf("%s may %s: %q, want AccessDenied", function, what, code)
				}
			}
		})
	}
}

// The same calls go through with an administrator's rights: it is IAM that
// refuses them above.
func TestAdministratorIsNotRefused(t *testing.T) {
	t.Parallel()
	for what, do := range map[string]attempt{"scan the table": scanTable, "put events": putEvent, "read the key": readKey} {
		if err := do(t.Context(), bundle.AWS); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func refusal(err error) string {
	if refused, ok := errors.AsType[smithy.APIError](err); ok {
		return refused.ErrorCode()
	}
	return ""
}

// as configures clients with the role of a function of the stack. By itself only
// Lambda may take that role; here the administrator may, too.
func as(t *testing.T, function string) aws.Config {
	t.Helper()
	f, err := bundle.function.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{
		FunctionName: aws.String(functionName(t, function)),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, role, _ := strings.Cut(aws.ToString(f.Role), ":role/")
	_, err = iam.NewFromConfig(bundle.AWS).UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{
		RoleName: &role, PolicyDocument: aws.String(trust),
	})
	if err != nil {
		t.Fatal(err)
	}
	taken, err := sts.NewFromConfig(bundle.AWS).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: f.Role, RoleSessionName: aws.String("e2e")})
	if err != nil {
		t.Fatal(err)
	}
	cfg := bundle.AWS.Copy()
	c := taken.Credentials
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	return cfg
}

// trust lets this account's administrator take a role beside Lambda.
const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
	`"Principal":{"Service":"lambda.amazonaws.com","AWS":"arn:aws:iam::` + local.Account + `:root"}}]}`
