//go:build !race

package stack

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// accepted are the findings of cdk-nag's AwsSolutions pack that stay, with the
// reason. Keys are the rule, a space, and where it is found.
func accepted() map[string]string {
	const deadLetters = "it is a dead-letter queue itself, of a kind that the rule does not recognise"
	return map[string]string{
		"AwsSolutions-SQS3 Publish/Failures/Resource":      deadLetters,
		"AwsSolutions-SQS3 Publish/Poison/Resource":        deadLetters,
		"AwsSolutions-SQS3 Reconcile/DeadLetters/Resource": deadLetters,
		"AwsSolutions-IAM5 Publish/Role/Resource":          "ListStreams takes streams of the table only by a pattern, as the stream's name is a time",
		"AwsSolutions-IAM5 Archive/Role/Resource":          "any object under videos/, as each has a key of its own",
		"AwsSolutions-IAM5 PollLoop/LoopRole/Resource":     "AWS knows no narrower resource for the delivery of logs",
		"AwsSolutions-APIG4 Webhook/Api/POST--webhooks--{proxy+}/Resource": "the vendor signs its callbacks, and the function verifies that; " +
			"it can send no credentials of AWS",
		"AwsSolutions-SMG4 Vendor/ApiKey":         "only the vendor can make a new key; both are accepted while it is changed",
		"AwsSolutions-S1 Archive/Bucket/Resource": "an access log needs a second bucket and a policy of the account's own; CloudTrail's data events do the same",
		"AwsSolutions-SF1 PollLoop/Loop":          "errors are logged; every event of every loop would cost more than the loop, and the functions log the rest",
		"AwsSolutions-SF2 PollLoop/Loop":          "tracing is a setting, off by default for its price",
	}
}

func TestNagFindsNothingThatIsNotAccepted(t *testing.T) {
	stack, app := newTestStack(t, nil)
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
	found := map[string]string{}
	annotations := assertions.Annotations_FromStack(stack)
	anything := assertions.Match_StringLikeRegexp(jsii.String(`^(AwsSolutions|CdkNag)`))
	for _, m := range slices.Concat(*annotations.FindError(jsii.String("*"), anything), *annotations.FindWarning(jsii.String("*"), anything)) {
		text, _ := m.Entry.Data.(string) //nolint:staticcheck // FindError still answers with the old type
		rule, what, _ := strings.Cut(text, ": ")
		path := strings.TrimPrefix(*m.Id, "/Clipqueue-main/Clipqueue/") //nolint:staticcheck // likewise
		found[regexp.MustCompile(`\[.*`).ReplaceAllString(rule, "")+" "+path] = what
	}
	for key, what := range found {
		if accepted()[key] == "" {
			t.Errorf("%s: %s", key, what)
		}
	}
	for key := range accepted() {
		if found[key] == "" {
			t.Errorf("%s is accepted and not found any more", key)
		}
	}
}
