//go:build !race

package stack

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

func TestNagFindsNothingThatIsNotAccepted(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"defaults":      nil,
		"with policies": func(s *Settings) { s.OperatorPolicies, s.ProducerAccounts = true, "111111111111" },
		"with tracing":  func(s *Settings) { s.Tracing = true },
		"highest":       func(s *Settings) { *s = parsed(t, highest()) },
	} {
		t.Run(name, func(t *testing.T) {
			stack, app := newTestStack(t, change)
			awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
			annotations := assertions.Annotations_FromStack(stack)
			anything := assertions.Match_StringLikeRegexp(jsii.String(`^(AwsSolutions|CdkNag)`))
			for _, m := range slices.Concat(*annotations.FindError(jsii.String("*"), anything), *annotations.FindWarning(jsii.String("*"), anything)) {
				t.Errorf("%s: %v", *m.Id, m.Entry.Data) //nolint:staticcheck // FindError still answers with the old type
			}
		})
	}
}

// An acceptance that is about no resource any more has to go.
func TestEachAcceptanceIsAboutSomething(t *testing.T) {
	settings := parsed(t, highest())
	tpl := synth(t, func(s *Settings) { *s = settings })
	for _, a := range acceptances(&settings) {
		found := false
		for _, r := range tpl.ofType(a.kind) {
			path, _ := r.Metadata["aws:cdk:path"].(string)
			found = found || strings.HasSuffix(path, a.path)
		}
		if !found {
			t.Errorf("there is no %s that ends in %q, for which %v and %v are accepted", a.kind, a.path, a.nag, a.checkov)
		}
		if len(a.because) < 20 {
			t.Errorf("%v and %v of %s are accepted because %q", a.nag, a.checkov, a.kind, a.because)
		}
	}
}
