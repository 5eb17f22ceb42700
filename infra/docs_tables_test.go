//go:build !race

package main_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/webhook"
	"github.com/clipqueue/clipqueue/infra/clipqueue/report"
	"github.com/clipqueue/clipqueue/infra/stack"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

func TestDocsSettings(t *testing.T) {
	settings := stack.Defaults()
	var table strings.Builder
	table.WriteString("| setting | default | value | what it does |\n|---|---|---|---|\n")
	for _, s := range settings.Table() {
		value := "none"
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		escape := strings.NewReplacer("|", `\|`)
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", s.Name, value, escape.Replace(s.Want), escape.Replace(s.Doc))
	}
	generated(t, "settings", table.String())
}

// What stands there costs this without any job.
func TestDocsStanding(t *testing.T) {
	var table strings.Builder
	table.WriteString("| a month, without any job | count | USD |\n|---|--:|--:|\n")
	sum := 0.0
	for _, line := range report.Standing(30 * 24 * time.Hour) {
		fmt.Fprintf(&table, "| %s | %.0f %s | %.2f |\n", strings.TrimPrefix(line.What, "Standing: "), line.Count, line.Unit, line.USD)
		sum += line.USD
	}
	fmt.Fprintf(&table, "| **sum** | | **%.2f** |\n", sum)
	generated(t, "standing", table.String())
}

// The metrics' table: what the constants' comments say, the functions whose code
// names them, and the alarms that read them.
func TestDocsMetrics(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(top, "shared/env/metrics.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	alarms := alarmsOfMetrics(t)
	var table strings.Builder
	table.WriteString("| metric | unit | what it is | written by | read by alarms |\n|---|---|---|---|---|\n")
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name == "MetricNamespace" {
			return true
		}
		name, says := spec.Names[0].Name, strings.Join(strings.Fields(spec.Doc.Text()), " ")
		says, found := strings.CutPrefix(says, name+" ")
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil || !found {
			t.Errorf("the comment of %s does not begin with its name: %q, %v", name, says, err)
		}
		unit := "Count"
		if text, timed := strings.CutSuffix(says, ", in milliseconds."); timed {
			unit, says = "Milliseconds", text
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", value, unit, strings.TrimSuffix(says, "."),
			strings.Join(writersOf(t, name), ", "), cmp.Or(strings.Join(alarms[value], ", "), "none"))
		delete(alarms, value)
		return true
	})
	for name := range alarms {
		t.Errorf("alarms read %s, which nothing writes", name)
	}
	generated(t, "metrics", table.String())
}

// writersOf are the functions whose code names a metric.
func writersOf(t *testing.T, constant string) []string {
	t.Helper()
	var out []string
	named := regexp.MustCompile(`\benv\.` + constant + `\b`)
	sources(t, ".go", func(path, text string) {
		parts := strings.Split(filepath.ToSlash(path), "/") // ../functions/<name>/…
		if len(parts) > 3 && parts[1] == "functions" && !strings.HasSuffix(path, "_test.go") && named.MatchString(text) {
			out = append(out, parts[2])
		}
	})
	if len(out) == 0 {
		t.Errorf("no function writes %s", constant)
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}

// alarmsOfMetrics are the alarms of the template that read a metric of our own, by its name.
func alarmsOfMetrics(t *testing.T) map[string][]string {
	t.Helper()
	var template struct {
		Resources map[string]struct {
			Type       string          `json:"Type"`
			Properties json.RawMessage `json:"Properties"`
		} `json:"Resources"`
	}
	if err := json.Unmarshal([]byte(read(t, "infra/stack/testdata/template.golden.json")), &template); err != nil {
		t.Fatal(err)
	}
	type metric struct {
		Namespace  string `json:"Namespace"`
		MetricName string `json:"MetricName"`
	}
	out := map[string][]string{}
	for id, r := range template.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		var alarm struct {
			metric

			AlarmName string `json:"AlarmName"`
			Metrics   []struct {
				MetricStat struct {
					Metric metric `json:"Metric"`
				} `json:"MetricStat"`
			} `json:"Metrics"`
		}
		if err := json.Unmarshal(r.Properties, &alarm); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		name := alarm.AlarmName[strings.LastIndex(alarm.AlarmName, " ")+1:]
		read := []metric{alarm.metric}
		for _, m := range alarm.Metrics {
			read = append(read, m.MetricStat.Metric)
		}
		for _, m := range read {
			if m.Namespace == env.MetricNamespace {
				out[m.MetricName] = slices.Sorted(slices.Values(append(out[m.MetricName], "`"+name+"`")))
			}
		}
	}
	return out
}

func TestDocsGrants(t *testing.T) {
	type grant struct {
		Role     string `json:"role"`
		Action   string `json:"action"`
		Resource string `json:"resource"`
		Unseen   string `json:"unseen"`
	}
	var grants []grant
	for _, name := range []string{"grants.json", "grants_with_tracing.json"} {
		var list []grant
		if err := json.Unmarshal([]byte(read(t, "infra/stack/testdata/"+name)), &list); err != nil {
			t.Fatal(err)
		}
		grants = append(grants, list...)
	}
	others := map[string]string{"PollLoopRole": "poll", "PollLoopLoopRole": "the poll loop itself"}
	type row struct{ who, resource, unseen string }
	var order []row
	actions := map[row][]string{}
	for _, g := range grants {
		who := cmp.Or(others[g.Role], strings.ToLower(strings.TrimSuffix(g.Role, "Role")))
		resource := strings.Replace(g.Resource, ".Arn", "", 1)
		if strings.Contains(resource, ":secret:") {
			resource = path.Base(resource)
		}
		r := row{who, resource, g.Unseen}
		if actions[r] == nil {
			order = append(order, r)
		}
		actions[r] = append(actions[r], "`"+g.Action+"`")
	}
	var table strings.Builder
	table.WriteString("| function | on | may | in the end-to-end tests |\n|---|---|---|---|\n")
	for _, r := range order {
		fmt.Fprintf(&table, "| %s | `%s` | %s | %s |\n", r.who, r.resource, strings.Join(actions[r], ", "), cmp.Or(r.unseen, "used"))
	}
	generated(t, "grants", table.String())
}

// What looks like a setting in the text is one, and so are those in commands.
func TestDocsSettingsAreNamedRight(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	settings := stack.Defaults()
	for _, s := range settings.Table() {
		known[s.Name] = true
	}
	camel := regexp.MustCompile(`^[a-z]+([A-Z][a-z]+)+$`)
	for _, paper := range papers() {
		text := read(t, paper)
		for _, code := range codes(text) {
			if camel.MatchString(code) && !known[code] {
				t.Errorf("%s names the setting %s, and there is none", paper, code)
			}
		}
		for _, match := range regexp.MustCompile(`SETTINGS="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			for word := range strings.FieldsSeq(match[1]) {
				name, value, _ := strings.Cut(word, "=")
				if _, err := stack.ParseSettings(map[string]any{name: value}); err != nil && name != "name" {
					t.Errorf("%s sets %s: %v", paper, word, err)
				}
			}
		}
	}
}

// The message's table has the fields of events.Request, and its limits.
func TestDocsMessage(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	table := section(t, readme, "message")
	var fields []string
	for field := range reflect.TypeFor[events.Request]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "-" {
			fields = append(fields, name)
		}
	}
	if diff := gocmp.Diff(fields, firstCodes(table)); diff != "" {
		t.Errorf("fields of the message (-events.Request +README):\n%s", diff)
	}
	says := map[string]string{}
	for _, row := range rows(table) {
		says[codes(row[0])[0]] = row[1]
	}
	for field, phrase := range map[string]string{
		"prompt":       fmt.Sprintf("at most %d KB", events.MaxPromptBytes>>10),
		"model":        fmt.Sprintf("at most %d bytes", events.MaxOptionBytes),
		"aspect_ratio": fmt.Sprintf("at most %d bytes", events.MaxOptionBytes),
		"resolution":   fmt.Sprintf("at most %d bytes", events.MaxOptionBytes),
		"duration":     fmt.Sprintf("1 to %d", events.MaxDurationSeconds),
		"delivery":     fmt.Sprintf("`%s` or `%s`", events.DeliveryWebhook, events.DeliveryPoll),
		"metadata":     fmt.Sprintf("up to %d KB, at most %d levels deep", events.MaxMetadataBytes>>10, events.MaxDepth),
	} {
		if !strings.Contains(says[field], phrase) {
			t.Errorf("%s: the README says %q, want %q in it", field, says[field], phrase)
		}
	}
}

func TestDocsEvents(t *testing.T) {
	t.Parallel()
	var want []string
	for _, kind := range events.DetailTypes() {
		want = append(want, string(kind))
	}
	if diff := gocmp.Diff(want, firstCodes(section(t, read(t, "README.md"), "events"))); diff != "" {
		t.Errorf("detail types (-events +README):\n%s", diff)
	}
}

func TestDocsRejectionCodes(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(top, "events/events.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "RejectionCode" {
			if value, ok := spec.Values[0].(*ast.BasicLit); ok {
				code, _ := strconv.Unquote(value.Value)
				want = append(want, code)
			}
		}
		return true
	})
	if diff := gocmp.Diff(want, firstCodes(section(t, read(t, "README.md"), "codes"))); diff != "" || len(want) == 0 {
		t.Errorf("rejection codes (-events +README):\n%s", diff)
	}
}

func TestDocsStates(t *testing.T) {
	t.Parallel()
	var want []string
	for _, state := range job.States() {
		want = append(want, string(state))
	}
	_, after, _ := strings.Cut(read(t, "README.md"), "| state |")
	table, _, _ := strings.Cut("| state |"+after, "\n\n")
	got := firstCodes(table)
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("states (-shared/job +README):\n%s", diff)
	}
}

// The demo's table in the README has a row for each prompt of the demo, in order,
// with the state and the event that it must end in.
func TestDocsDemo(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, "README.md"), "│ JOB ")
	var got []string
	for _, match := range regexp.MustCompile(`(?m)^│ ([^│]+?) +│[^│]+│ (\w+) +│[^│]+│[^│]+│ ([\w ]+?) +│$`).FindAllStringSubmatch(table, -1) {
		got = append(got, strings.Join(match[1:], ", "))
	}
	var want []string
	for line := range strings.Lines(read(t, "infra/local/demo/prompts.jsonl")) {
		var prompt struct {
			Message struct {
				JobID string `json:"job_id"`
			} `json:"message"`
			Expect struct {
				State string `json:"state"`
				Event string `json:"event"`
			} `json:"expect"`
		}
		if err := json.Unmarshal([]byte(line), &prompt); err != nil {
			t.Fatal(err)
		}
		want = append(want, strings.Join([]string{cmp.Or(prompt.Message.JobID, "(no job_id)"), prompt.Expect.State, prompt.Expect.Event}, ", "))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("the demo's table (-prompts.jsonl +README):\n%s", diff)
	}
	if n := fmt.Sprintf("%d prompts go onto the queue", len(want)); !strings.Contains(read(t, "README.md"), n) {
		t.Errorf("the README does not say %q", n)
	}
}

// The outputs are those that the stack makes; the stack's own test holds the
// template to them.
func TestDocsOutputs(t *testing.T) {
	t.Parallel()
	var want []string
	for _, match := range regexp.MustCompile(`\boutput\("(\w+)"`).FindAllStringSubmatch(read(t, "infra/stack/clipqueue.go"), -1) {
		want = append(want, match[1])
	}
	readme := read(t, "README.md")
	if diff := gocmp.Diff(want, firstCodes(section(t, readme, "outputs"))); diff != "" || len(want) == 0 {
		t.Errorf("outputs (-stack +README):\n%s", diff)
	}
	for _, match := range regexp.MustCompile(`\(output (\w+)\)`).FindAllStringSubmatch(readme, -1) {
		if !slices.Contains(want, match[1]) {
			t.Errorf("a command asks for the output %s, and there is none", match[1])
		}
	}
	if name := "`Clipqueue-` and the setting `stage`"; !strings.Contains(readme, name) ||
		!strings.Contains(read(t, "infra/stack/stack.go"), `"Clipqueue-"+`) {
		t.Error("the stack's name has changed, or the README does not say it")
	}
}

// The numbers that the text says are those of the code.
func TestDocsNumbers(t *testing.T) {
	t.Parallel()
	readme := strings.Join(strings.Fields(read(t, "README.md")), " ")
	for _, n := range []struct{ file, constant, value, says string }{
		{"functions/reconcile/reconcile.go", "most", "2000", "up to 2,000 overdue jobs a run"},
		{"functions/submit/gate.go", "firstWait", "5 * time.Second", "tried again after 5 s"},
		{"functions/submit/gate.go", "longestWait", "15 * time.Minute", "later every 15 minutes"},
		{"functions/submit/reject.go", "panicsMax", "5", "it is tried five times"},
		{"functions/publish/event.go", "maxDetailBytes", "240 << 10", "at most 240 KB"},
		{"shared/job/due.go", "firstInterval", "time.Minute", "at first every minute"},
		{"shared/job/due.go", "longestInterval", "15 * time.Minute", "up to every 15 minutes"},
		{"shared/job/due.go", "archiveGivesUp", "7 * 24 * time.Hour", "given up after 7 days"},
		{"shared/queue/queue.go", "Longest", "11 * time.Hour", "at most 11 hours"},
		{"shared/keys/version.go", "maxAge", "5 * time.Minute", "within five minutes"},
		{"shared/videos/address.go", "httpsPort", "443", "port 443"},
	} {
		constant := regexp.MustCompile(`(?m)\b` + n.constant + `\s*=\s*(.*?)(?:\s*//.*)?$`).FindStringSubmatch(read(t, n.file))
		if constant == nil || constant[1] != n.value {
			t.Errorf("%s in %s is %q, and the README says %q", n.constant, n.file, constant, n.says)
		}
		if !strings.Contains(readme, n.says) {
			t.Errorf("the README does not say %q, of %s", n.says, n.constant)
		}
	}
	for _, says := range []string{
		fmt.Sprintf("The whole message has at most %d KB", events.MaxMessageBytes>>10),
		fmt.Sprintf("| message | %d KB, its prompt %d KB, its metadata %d KB |",
			events.MaxMessageBytes>>10, events.MaxPromptBytes>>10, events.MaxMetadataBytes>>10),
		fmt.Sprintf("| callbacks | %d KB each", webhook.MaxBody>>10),
		fmt.Sprintf("over %d KB: 413", webhook.MaxBody>>10),
		fmt.Sprintf("spread over %d partitions", store.Shards),
		fmt.Sprintf("`recordDays`, %d at least", int(job.MinRecordFor.Hours()/24)),
	} {
		if !strings.Contains(readme, says) {
			t.Errorf("the README does not say %q", says)
		}
	}
}
