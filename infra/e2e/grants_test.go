package e2e_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/go-json-experiment/json"

	"github.com/clipqueue/clipqueue/infra/local"
)

// A grant is an action on a resource that a role gives, as the stack's own test
// holds the template to it.
type grant struct {
	Role     string `json:"role"`
	Action   string `json:"action"`
	Resource string `json:"resource"`
	// Unseen says why the engine's record cannot show the call; empty where it can.
	Unseen string `json:"unseen"`
}

// leastPrivilege says which grants no call has used, and which are said to be
// unseen and were seen.
func leastPrivilege(ctx context.Context) error {
	grants, err := readGrants()
	if err != nil {
		return err
	}
	names, err := resourceNames(ctx)
	if err != nil {
		return err
	}
	made, err := recordedCalls(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, g := range grants {
		used := made.use(g, names)
		switch {
		case !used && g.Unseen == "":
			problems = append(problems, fmt.Errorf("%s is granted %s on %s, and no call used it", g.Role, g.Action, g.Resource))
		case used && g.Unseen != "":
			problems = append(problems, fmt.Errorf("%s on %s by %s was seen: take its reason out of the grants", g.Action, g.Resource, g.Role))
		}
	}
	return errors.Join(problems...)
}

func readGrants() ([]grant, error) {
	root, err := local.Root()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(root, "infra", "stack", "testdata", "grants.json"))
	if err != nil {
		return nil, err
	}
	var list []grant
	return list, json.Unmarshal(data, &list)
}

// resourceNames are what the stack's resources are called in calls, by their
// logical ids, without what the CDK puts around these.
func resourceNames(ctx context.Context) (map[string]string, error) {
	logical := regexp.MustCompile(`^Clipqueue(.+?)[0-9A-F]{8}$`)
	pages := cloudformation.NewListStackResourcesPaginator(cloudformation.NewFromConfig(bundle.AWS),
		&cloudformation.ListStackResourcesInput{StackName: &bundle.Stack})
	names := map[string]string{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.StackResourceSummaries {
			if id := logical.FindStringSubmatch(aws.ToString(r.LogicalResourceId)); id != nil {
				names[id[1]] = lastName(aws.ToString(r.PhysicalResourceId))
			}
		}
	}
	return names, nil
}

// lastName is that of a resource, by its URL, its ARN or its name.
func lastName(id string) string { return id[strings.LastIndexAny(id, "/:")+1:] }

// target is what a grant's resource is called in calls; a star at its end stands for anything.
func (g grant) target(names map[string]string) string {
	if _, secret, ok := strings.Cut(g.Resource, ":secret:"); ok {
		return lastName(strings.TrimSuffix(secret, "-??????"))
	}
	id, rest, _ := strings.Cut(g.Resource, "/")
	return path.Join(names[strings.TrimSuffix(id, ".Arn")], rest)
}

// A call is what a role did, as far as IAM asks.
type call struct{ role, action, resource string }

type calls map[call]bool

// use says whether some call needed the grant.
func (c calls) use(g grant, names map[string]string) bool {
	target, below := strings.CutSuffix(g.target(names), "*")
	for did := range c {
		if did.role == names[g.Role] && did.action == g.Action &&
			(did.resource == target || below && strings.HasPrefix(did.resource, target)) {
			return true
		}
	}
	return false
}

// recordedCalls are those of all functions that the engine carried out: it
// records none that it refused.
func recordedCalls(ctx context.Context) (calls, error) {
	list, err := bundle.function.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	if err != nil {
		return nil, err
	}
	all := calls{}
	for _, f := range list.Functions {
		events, err := eventsOf(ctx, accessKey(aws.ToString(f.FunctionArn), aws.ToString(f.Role)))
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			action, resource, err := needs(e)
			if err != nil {
				return nil, err
			}
			all[call{lastName(aws.ToString(f.Role)), action, resource}] = true
		}
	}
	return all, nil
}

// accessKey is what the engine gives to a function. No API of AWS's says whose a
// temporary key is, and the record knows callers by their key only.
func accessKey(functionARN, roleARN string) string {
	digest := sha256.Sum256([]byte(functionARN + ":" + roleARN))
	return "ASIA" + strings.ToUpper(hex.EncodeToString(digest[:]))[:16]
}

// eventsOf are all that the record has of a caller. The engine gives the newest
// 50 and no way to go on but by time.
func eventsOf(ctx context.Context, key string) ([]types.Event, error) {
	client, end := cloudtrail.NewFromConfig(bundle.AWS), time.Now()
	seen := map[string]bool{}
	var all []types.Event
	for {
		page, err := client.LookupEvents(ctx, &cloudtrail.LookupEventsInput{EndTime: &end, LookupAttributes: []types.LookupAttribute{
			{AttributeKey: types.LookupAttributeKeyAccessKeyId, AttributeValue: &key},
		}})
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, e := range page.Events {
			if id := aws.ToString(e.EventId); !seen[id] {
				seen[id] = true
				all = append(all, e)
			}
		}
		if len(all) == before {
			return all, nil
		}
		end = all[len(all)-1].EventTime.Add(2 * time.Millisecond) // the API's times are in milliseconds
	}
}

// needs is what a caller must have been granted for a recorded call.
func needs(e types.Event) (action, resource string, err error) {
	var record struct {
		Parameters struct {
			TableName       string `json:"TableName"`
			IndexName       string `json:"IndexName"`
			QueueURL        string `json:"QueueUrl"`
			SecretID        string `json:"SecretId"`
			StateMachineARN string `json:"stateMachineArn"`
			Entries         []struct {
				EventBusName string `json:"EventBusName"`
			} `json:"Entries"`
		} `json:"requestParameters"`
	}
	if err := json.Unmarshal([]byte(aws.ToString(e.CloudTrailEvent)), &record); err != nil {
		return "", "", fmt.Errorf("the engine's record: %w", err)
	}
	service, _, _ := strings.Cut(aws.ToString(e.EventSource), ".")
	action = service + ":" + strings.TrimSuffix(aws.ToString(e.EventName), "Batch")
	if action == "s3:DeleteObject" {
		action = "s3:AbortMultipartUpload" // both are a DELETE, and no role may do the other
	}
	p := record.Parameters
	switch {
	case service == "s3":
		var parts []string
		for _, r := range e.Resources {
			parts = append(parts, aws.ToString(r.ResourceName))
		}
		return action, path.Join(parts...), nil
	case p.IndexName != "":
		return action, path.Join(p.TableName, "index", p.IndexName), nil
	case len(p.Entries) > 0 && service == "events":
		return action, p.Entries[0].EventBusName, nil
	}
	return action, lastName(cmp.Or(p.TableName, p.QueueURL, p.SecretID, p.StateMachineARN)), nil
}
