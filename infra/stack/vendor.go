package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/shared/env"
)

// Vendor is the CreativeAI API: where it is, and the secret with its key.
type Vendor struct {
	constructs.Construct

	Secret awssecretsmanager.CfnSecret

	secretName string
	settings   *Settings
}

// VendorProps of [NewVendor].
type VendorProps struct{ Settings *Settings }

// NewVendor makes the secret, without a value: the operator puts the key in.
func NewVendor(scope constructs.Construct, id string, props *VendorProps) *Vendor {
	this := constructs.NewConstruct(scope, jsii.String(id))
	name := uniqueName(scope, 200) + "/creativeai-api-key"
	secret := awssecretsmanager.NewCfnSecret(this, jsii.String("ApiKey"), &awssecretsmanager.CfnSecretProps{
		Name:        jsii.String(name),
		Description: jsii.String("Key of the CreativeAI API, which also signs its callbacks. Made empty: put the key in with put-secret-value."),
	})
	secret.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	return &Vendor{Construct: this, secretName: name, settings: props.Settings, Secret: secret}
}

// GrantKey lets fn read the key, the current one and the one before it.
func (v *Vendor) GrantKey(fn *Function) {
	fn.allow([]string{"secretsmanager:GetSecretValue"}, v.secretARN())
	fn.setEnv(env.APIKeySecretID, v.secretName)
}

// secretARN is made of the name, with the six characters that Secrets Manager
// appends: what Ref gives is the ARN on AWS only.
func (v *Vendor) secretARN() string {
	return *awscdk.Stack_Of(v.Construct).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("secretsmanager"), Resource: jsii.String("secret"),
		ResourceName: jsii.String(v.secretName + "-??????"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}

// GrantAPI lets fn call the API.
func (v *Vendor) GrantAPI(fn *Function) {
	v.GrantKey(fn)
	fn.setEnv(env.CreativeAIURL, v.settings.CreativeAIURL)
}

// uniqueName names scope within the account and region, as it carries the
// stack's name.
func uniqueName(scope constructs.Construct, longest int) string {
	return *awscdk.Names_UniqueResourceName(scope, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(longest), Separator: jsii.String("-"), AllowedSpecialCharacters: jsii.String("-"),
	})
}
