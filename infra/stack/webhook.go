package stack

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// webhookLimit leaves time for the answer within the 10 s that the vendor waits.
const webhookLimit = 9 * time.Second

const webhookPath = "/webhooks/creativeai"

// Webhook is the HTTP API that takes the vendor's callbacks.
type Webhook struct {
	constructs.Construct

	Function *Function
	API      awsapigatewayv2.HttpApi
	// URL is what job id and token are appended to.
	URL string
	// DomainTarget is where a host name of one's own must point; empty without one.
	DomainTarget string
}

// WebhookProps of [NewWebhook]; all required.
type WebhookProps struct {
	*Deployment

	Jobs   *Jobs
	Vendor *Vendor
}

// NewWebhook puts the function behind a throttled HTTP API.
func NewWebhook(scope constructs.Construct, id string, props *WebhookProps) *Webhook {
	this := constructs.NewConstruct(scope, jsii.String(id))
	s := props.Settings
	fn := newFunction(this, &functionProps{
		Deployment: props.Deployment, name: "webhook", size: s.Webhook, timeout: webhookLimit,
		description: "Clipqueue: verifies and stores the vendor's callbacks",
	})
	props.Jobs.Grant(fn, "UpdateItem")
	props.Vendor.GrantKey(fn)

	api := awsapigatewayv2.NewHttpApi(this, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		ApiName:            jsii.String(uniqueName(this, 128)),
		Description:        jsii.String("Clipqueue: callbacks of the vendor"),
		CreateDefaultStage: jsii.Bool(false),
	})
	api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
		// Greedy, as a route of an HTTP API cannot end in a slash: the
		// function reads the path.
		Path:        jsii.String("/webhooks/{proxy+}"),
		Methods:     &[]awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod_POST},
		Integration: awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String("Callback"), fn.Function, nil),
	})
	stage := newWebhookStage(this, api, s)
	webhook := &Webhook{Construct: this, Function: fn, API: api, URL: *api.ApiEndpoint() + webhookPath}
	if s.WebhookDomain != "" {
		webhook.URL = "https://" + s.WebhookDomain + webhookPath
		webhook.DomainTarget = newWebhookDomain(this, api, stage, s)
	}
	return webhook
}

// newWebhookDomain gives the API a host name of its own, and says where that
// must point. The API's first name stays, as jobs in flight were told of it.
func newWebhookDomain(scope constructs.Construct, api awsapigatewayv2.HttpApi, stage awsapigatewayv2.CfnStage, s *Settings) string {
	domain := awsapigatewayv2.NewCfnDomainName(scope, jsii.String("Domain"), &awsapigatewayv2.CfnDomainNameProps{
		DomainName: jsii.String(s.WebhookDomain),
		DomainNameConfigurations: []any{&awsapigatewayv2.CfnDomainName_DomainNameConfigurationProperty{
			CertificateArn: jsii.String(s.WebhookCertificateARN), EndpointType: jsii.String("REGIONAL"), SecurityPolicy: jsii.String("TLS_1_2"),
		}},
	})
	awsapigatewayv2.NewCfnApiMapping(scope, jsii.String("DomainMapping"), &awsapigatewayv2.CfnApiMappingProps{
		ApiId: api.ApiId(), DomainName: domain.Ref(), Stage: stage.Ref(),
	})
	return *domain.AttrRegionalDomainName()
}

// newWebhookStage publishes the API at once, throttled, with an access log.
func newWebhookStage(scope constructs.Construct, api awsapigatewayv2.HttpApi, s *Settings) awsapigatewayv2.CfnStage {
	log := newLogGroup(scope, "AccessLogs", "/aws/vendedlogs/apis/"+uniqueName(scope, 200), s)
	return awsapigatewayv2.NewCfnStage(scope, jsii.String("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId: api.ApiId(), StageName: jsii.String("$default"), AutoDeploy: jsii.Bool(true),
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit: jsii.Number(s.WebhookRate), ThrottlingBurstLimit: jsii.Number(s.WebhookBurst),
			DetailedMetricsEnabled: jsii.Bool(true),
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{DestinationArn: log.LogGroupArn(), Format: jsii.String(accessLogFormat)},
	})
}

// accessLogFormat leaves the path out, as it carries the job's token.
const accessLogFormat = `{"time":"$context.requestTime","request_id":"$context.requestId","ip":"$context.identity.sourceIp",` +
	`"route":"$context.routeKey","status":"$context.status","bytes":"$context.responseLength",` +
	`"latency_ms":"$context.responseLatency","error":"$context.error.message","integration_error":"$context.integrationErrorMessage"}`
