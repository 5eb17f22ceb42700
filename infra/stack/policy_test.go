//go:build !race

package stack

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	// grantsPath lists what each role may do, whatever the settings. The
	// end-to-end tests hold it to what is called, and the README shows it.
	grantsPath = "testdata/grants.json"
	// tracingGrantsPath lists what the setting tracing adds.
	tracingGrantsPath = "testdata/grants_with_tracing.json"
)

// wantGrants are all that each role may do by the lists: what is in none of
// them must not be granted.
func wantGrants(t *testing.T, paths ...string) map[string][]string {
	t.Helper()
	want := map[string][]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var list []struct {
			Role     string `json:"role"`
			Action   string `json:"action"`
			Resource string `json:"resource"`
		}
		if err := json.Unmarshal(data, &list); err != nil {
			t.Fatal(err)
		}
		for _, g := range list {
			want[g.Role] = append(want[g.Role], g.Action+" "+g.Resource)
		}
	}
	for _, grants := range want {
		slices.Sort(grants)
	}
	return want
}

func TestEachRoleMayDoWhatItsFunctionCallsAndNoMore(t *testing.T) {
	most := parsed(t, highest())
	most.Stage = "main" // the lists name the secret of this stage
	for name, tc := range map[string]struct {
		settings Settings
		lists    []string
	}{
		"defaults": {Defaults(), []string{grantsPath}},
		"highest":  {most, []string{grantsPath, tracingGrantsPath}},
	} {
		t.Run(name, func(t *testing.T) {
			checkGrants(t, synth(t, func(s *Settings) { *s = tc.settings }), wantGrants(t, tc.lists...))
		})
	}
}

func checkGrants(t *testing.T, tpl template, want map[string][]string) {
	t.Helper()
	for role := range want {
		if diff := cmp.Diff(want[role], tpl.grants(t, role)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
	if roles := tpl.ofType("AWS::IAM::Role"); len(roles) != len(want) {
		t.Errorf("the template has %d roles, and this test knows %d: %v", len(roles), len(want), sortedKeys(roles))
	}
	if others := sortedKeys(tpl.ofType("AWS::IAM::Policy")); len(others) > 0 {
		t.Errorf("policies outside of roles: %v", others)
	}
	for id, role := range tpl.ofType("AWS::IAM::Role") {
		if managed := role.Properties["ManagedPolicyArns"]; managed != nil {
			t.Errorf("%s has managed policies: %v", id, managed)
		}
	}
}

// AWS knows no narrower resource for these; see its service authorization
// reference for CloudWatch Logs and for X-Ray.
func TestOnlyTheDeliveryOfLogsAndTracesIsGrantedOnEverything(t *testing.T) {
	for role, grants := range wantGrants(t, grantsPath, tracingGrantsPath) {
		for _, grant := range grants {
			action, target, _ := strings.Cut(grant, " ")
			logs := role == "PollLoopLoopRole" && strings.HasPrefix(action, "logs:")
			if strings.Contains(action, "*") || target == "*" && !logs && !strings.HasPrefix(action, "xray:") {
				t.Errorf("%s is granted %s", role, grant)
			}
		}
	}
}
