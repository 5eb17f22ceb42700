package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/go-json-experiment/json"
)

// logged are all lines of all log groups, by the group's name.
func logged(ctx context.Context) (map[string][]string, error) {
	client := cloudwatchlogs.NewFromConfig(bundle.AWS)
	all := map[string][]string{}
	groups := cloudwatchlogs.NewDescribeLogGroupsPaginator(client, &cloudwatchlogs.DescribeLogGroupsInput{})
	for groups.HasMorePages() {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.LogGroups {
			lines, err := linesOf(ctx, client, aws.ToString(g.LogGroupName))
			if err != nil {
				return nil, err
			}
			all[aws.ToString(g.LogGroupName)] = lines
		}
	}
	return all, nil
}

func linesOf(ctx context.Context, client *cloudwatchlogs.Client, group string) ([]string, error) {
	var lines []string
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(client, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			lines = append(lines, aws.ToString(e.Message))
		}
	}
	return lines, nil
}

// quietLogs says where a log holds what none may hold, and what was refused for
// want of a grant. engineLog is the engine's own file, with what the functions
// wrote to it.
func quietLogs(ctx context.Context, engineLog string) error {
	logs, err := logged(ctx)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(engineLog)
	if err != nil {
		return err
	}
	problems := speak(ctx, logs)
	logs[engineLog] = strings.Split(string(text), "\n")
	for name, lines := range logs {
		problems = append(problems, refusals(name, lines)...)
		problems = append(problems, leaks(name, lines)...)
	}
	return errors.Join(problems...)
}

// speak says which functions have no line about a job of this run in their log:
// a search in an empty log would find nothing.
func speak(ctx context.Context, logs map[string][]string) []error {
	names, err := resourceNames(ctx)
	if err != nil {
		return []error{err}
	}
	byLast := map[string]string{}
	for name, lines := range logs {
		byLast[lastName(name)] = strings.Join(lines, "\n")
	}
	var problems []error
	for _, group := range []string{"SubmitLogs", "WebhookLogs", "PollLoopLogs", "ReconcileLogs", "PublishLogs", "ArchiveLogs"} {
		if !strings.Contains(byLast[names[group]], `"job_id":"e2e-`) {
			problems = append(problems, fmt.Errorf("%s, which is %q, says nothing of any job", group, names[group]))
		}
	}
	return problems
}

func refusals(name string, lines []string) []error {
	var problems []error
	for _, line := range lines {
		if strings.Contains(line, "AccessDenied") || strings.Contains(line, "not authorized to perform") {
			problems = append(problems, fmt.Errorf("refused, in %s: %s", name, line))
		}
	}
	return problems
}

// leaks says, for each kind of secret, how many of them a log holds, with a line
// that has one.
func leaks(name string, lines []string) []error {
	whole := strings.Join(lines, "\n")
	count, example := map[string]int{}, map[string]string{}
	for secret, kind := range secrets() {
		for _, form := range []string{secret, inJSON(secret)} {
			if at := strings.Index(whole, form); at >= 0 {
				count[kind]++
				example[kind] = lineAt(whole, at)
				break
			}
		}
	}
	var problems []error
	for kind, n := range count {
		problems = append(problems, fmt.Errorf("%s holds %s, %d in all, such as in %s", name, kind, n, example[kind]))
	}
	return problems
}

func lineAt(text string, at int) string {
	line, _, _ := strings.Cut(text[strings.LastIndexByte(text[:at], '\n')+1:], "\n")
	return line
}

// inJSON is a text as it stands between the quotes of JSON.
func inJSON(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return strings.Trim(string(out), `"`)
}

// keyPrefix begins every key of the vendor's, and so all that the tests use.
const keyPrefix = "rph_live_"

// signatures are those that the tests made themselves.
var signatures sync.Map

// secrets are what no log may hold, with what each is.
func secrets() map[string]string {
	all := map[string]string{keyPrefix: "a key"}
	add := func(secret, kind string) {
		if secret != "" {
			all[secret] = kind
		}
	}
	ledger := bundle.Vendor.Ledger()
	for _, r := range ledger.Requests {
		add(r.Prompt, "a whole prompt")
		add(tokenOf(r.WebhookURL), "a webhook's token")
	}
	for _, a := range ledger.Attempts {
		for _, s := range a.Signatures {
			add(digestOf(s), "a signature")
		}
	}
	signatures.Range(func(s, _ any) bool {
		add(digestOf(s.(string)), "a signature")
		return true
	})
	return all
}

func tokenOf(webhookURL string) string {
	if webhookURL == "" {
		return ""
	}
	return lastName(webhookURL)
}

// digestOf is the part of a signature that counts; empty for what is too short to be one.
func digestOf(signature string) string {
	const half = 32
	_, digest, _ := strings.Cut(signature, "=")
	if len(digest) < half {
		return ""
	}
	return digest[:half] // also of one that was cut short, or is followed by another
}
