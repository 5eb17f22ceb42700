//go:build !race

package stack

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const grantsPath = "testdata/grants.json"

// wantGrants are all that each role may do: what is not in the file must not be
// granted. The end-to-end tests hold it to what is called, and the README shows it.
func wantGrants(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(grantsPath)
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
	want := map[string][]string{}
	for _, g := range list {
		want[g.Role] = append(want[g.Role], g.Action+" "+g.Resource)
	}
	return want
}

func TestEachRoleMayDoWhatItsFunctionCallsAndNoMore(t *testing.T) {
	tpl := synth(t, nil)
	want := wantGrants(t)
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
// reference for CloudWatch Logs.
func TestOnlyTheDeliveryOfLogsIsGrantedOnEverything(t *testing.T) {
	for role, grants := range wantGrants(t) {
		for _, grant := range grants {
			action, target, _ := strings.Cut(grant, " ")
			if strings.Contains(action, "*") || target == "*" && role != "PollLoopLoopRole" {
				t.Errorf("%s is granted %s", role, grant)
			}
		}
	}
}
