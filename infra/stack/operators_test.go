//go:build !race

package stack

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// What the operator's command calls, some policy allows; the paginators'
// inputs count too. What only the functions call of the store is not asked for.
func TestOperatorsMayCallWhatTheCommandCalls(t *testing.T) {
	tpl := synth(t, func(s *Settings) { s.OperatorPolicies = true })
	granted := map[string]bool{}
	for id, policy := range tpl.ofType("AWS::IAM::ManagedPolicy") {
		for _, grant := range statements(t, policy.Properties) {
			action, target, _ := strings.Cut(grant, " ")
			_, name, _ := strings.Cut(action, ":")
			granted[name] = true
			if strings.Contains(action, "*") {
				t.Errorf("%s grants %s", id, grant)
			}
			reader := strings.HasPrefix(id, "ClipqueueOperatorsReader")
			if reader && !readOnly(name) {
				t.Errorf("the reader may call %s", action)
			}
			if target == "*" && name != "ListEventSourceMappings" { // AWS knows no narrower resource for it
				t.Errorf("%s grants %s", id, grant)
			}
		}
	}
	called := append(callsOf(t, "../clipqueue/deployment"), callsOf(t, "../../shared/store")...)
	if len(called) < 20 {
		t.Errorf("only these calls were found: %v", called)
	}
	for _, call := range called {
		if !granted[strings.TrimSuffix(strings.TrimPrefix(call, "Transact"), "Batch")] {
			t.Errorf("the command calls %s, and no policy allows it", call)
		}
	}
}

// The narrowest that AWS takes: the account's alarms, and the one mapping that the
// command opens and closes.
func TestOperatorsMayCallNoMoreThanAWSAsksFor(t *testing.T) {
	tpl := synth(t, func(s *Settings) { s.OperatorPolicies = true })
	var grants []string
	for _, policy := range tpl.ofType("AWS::IAM::ManagedPolicy") {
		grants = append(grants, statements(t, policy.Properties)...)
	}
	const here = "arn:AWS::Partition:%s:AWS::Region:AWS::AccountId:"
	for _, want := range []string{
		"cloudwatch:DescribeAlarms " + fmt.Sprintf(here, "cloudwatch") + "alarm:*",
		"lambda:UpdateEventSourceMapping " + fmt.Sprintf(here, "lambda") + "event-source-mapping:SubmitFunctionQueue",
	} {
		if !slices.Contains(grants, want) {
			t.Errorf("no policy grants %s, but:\n%s", want, strings.Join(grants, "\n"))
		}
	}
	for id, alarm := range tpl.ofType("AWS::CloudWatch::Alarm") {
		if name, _ := alarm.Properties["AlarmName"].(string); len(name) <= 33 || !strings.HasPrefix(name, "Clipqueue-main-Clipqueue-96B887FE") {
			t.Errorf("the policy does not reach the alarm %s, %q", id, name)
		}
	}
}

func readOnly(call string) bool {
	return call != "GetSecretValue" && slices.ContainsFunc([]string{"Get", "BatchGet", "Query", "List", "Describe"}, func(verb string) bool {
		return strings.HasPrefix(call, verb)
	})
}

// callsOf gives the names N of all NInput in the Go files of a folder.
func callsOf(t *testing.T, dir string) []string {
	t.Helper()
	var calls []string
	inspect(t, dir, func(n ast.Node) {
		if literal, ok := n.(*ast.CompositeLit); ok {
			if kind, ok := literal.Type.(*ast.SelectorExpr); ok && strings.HasSuffix(kind.Sel.Name, "Input") {
				calls = append(calls, strings.TrimSuffix(kind.Sel.Name, "Input"))
			}
		}
	})
	slices.Sort(calls)
	return slices.Compact(calls)
}

func TestThereAreNoPoliciesForOperatorsUnlessAsked(t *testing.T) {
	if made := synth(t, nil).ofType("AWS::IAM::ManagedPolicy"); len(made) > 0 {
		t.Errorf("there are %v", sortedKeys(made))
	}
}
