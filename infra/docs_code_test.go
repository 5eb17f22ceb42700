//go:build !race

package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/request"
)

// blocks are the README's code blocks of one language.
func blocks(tb testing.TB, language string) []string {
	tb.Helper()
	var out []string
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(read(tb, "README.md"), -1) {
		out = append(out, match[1])
	}
	if len(out) == 0 {
		tb.Fatalf("the README has no block of %s", language)
	}
	return out
}

// Each JSON block is an event that fits its schema, or a rule's pattern that
// names what is there.
func TestDocsJSON(t *testing.T) {
	t.Parallel()
	for _, block := range blocks(t, "json") {
		var head struct {
			Source     json.RawMessage `json:"source"`
			DetailType json.RawMessage `json:"detail-type"`
		}
		if err := json.Unmarshal([]byte(block), &head); err != nil {
			t.Errorf("%v in\n%s", err, block)
			continue
		}
		if bytes.HasPrefix(head.Source, []byte("[")) {
			checkPattern(t, block)
			continue
		}
		var kind string
		if err := json.Unmarshal(head.DetailType, &kind); err != nil {
			t.Fatal(err)
		}
		if err := schema(t, kind).Validate(value(t, block)); err != nil {
			t.Errorf("the example of %s: %v", kind, err)
		}
	}
}

func checkPattern(t *testing.T, block string) {
	t.Helper()
	var pattern struct {
		Source     []string            `json:"source"`
		DetailType []events.DetailType `json:"detail-type"`
		Detail     struct {
			Metadata struct {
				SchemaVersion []struct {
					Prefix string `json:"prefix"`
				} `json:"schema_version"`
			} `json:"metadata"`
		} `json:"detail"`
	}
	if err := json.Unmarshal([]byte(block), &pattern); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pattern.Source, []string{events.Source}) || len(pattern.DetailType) == 0 {
		t.Errorf("the pattern matches nothing of ours:\n%s", block)
	}
	for _, version := range pattern.Detail.Metadata.SchemaVersion {
		if !strings.HasPrefix(events.SchemaVersion, version.Prefix) {
			t.Errorf("the pattern asks for version %s, and events are of %s", version.Prefix, events.SchemaVersion)
		}
	}
	for _, kind := range pattern.DetailType {
		if !slices.Contains(events.DetailTypes(), kind) {
			t.Errorf("the pattern asks for %q, and there is no such detail type", kind)
		}
	}
}

func schema(tb testing.TB, kind string) *jsonschema.Schema {
	tb.Helper()
	file := strings.ReplaceAll(strings.ToLower(kind), " ", "-") + ".json"
	compiled, err := jsonschema.NewCompiler().Compile(filepath.Join(top, "events/schema", file))
	if err != nil {
		tb.Fatal(err)
	}
	return compiled
}

func value(tb testing.TB, text string) any {
	tb.Helper()
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Every message in a shell command is one that submit takes, with a job_id; and
// so have the examples in the other languages.
func TestDocsMessages(t *testing.T) {
	t.Parallel()
	body := regexp.MustCompile(`(?s)--message-body\s+'(.*?)'`)
	messages := 0
	for _, block := range blocks(t, "sh") {
		for _, match := range body.FindAllStringSubmatch(block, -1) {
			messages++
			if r, err := request.Parse([]byte(match[1]), ""); err != nil || r.JobID == "" {
				t.Errorf("%v, job_id %q: %s", err, r.JobID, match[1])
			}
		}
	}
	if messages == 0 {
		t.Error("no shell command enqueues a prompt")
	}
	for language, key := range map[string]string{"python": `"job_id":`, "js": "job_id:", "go": "JobID:"} {
		producers := slices.DeleteFunc(blocks(t, language), func(block string) bool { return !strings.Contains(block, "JOB_QUEUE_URL") })
		if len(producers) == 0 {
			t.Errorf("no example in %s enqueues a prompt", language)
		}
		for _, block := range producers {
			if !strings.Contains(block, key) {
				t.Errorf("an example in %s sets no job_id:\n%s", language, block)
			}
		}
	}
}

// Each Go block compiles as it stands, as a package of this module. Listing with
// -export compiles and spares the linking, which takes longer.
func TestDocsGo(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	var packages []string
	for i, block := range blocks(t, "go") {
		if !strings.Contains(block, "func main()") {
			block += "\nfunc main() {}\n"
		}
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		folder := fmt.Sprintf("infra/readme%d", i)
		overlay[filepath.Join(root, folder, "main.go")] = file
		packages = append(packages, "./"+folder)
	}
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(list, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, root, "", "go", append([]string{"list", "-export", "-overlay", list, "-f", ""}, packages...)...)
}

// The other languages' blocks are read by their own parsers: the stack's tests
// need node, make tools needs python3, and CI is a bash script.
func TestDocsSyntax(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		language, program string
		args              []string
	}{
		{"sh", "bash", []string{"-n"}},
		{"python", "python3", []string{"-c", "import ast, sys; ast.parse(sys.stdin.read())"}},
		{"js", "node", []string{"--check", "--input-type=module", "-"}},
	} {
		t.Run(tt.language, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(tt.program); err != nil {
				t.Fatal(err)
			}
			for _, block := range blocks(t, tt.language) {
				run(t, "", block, tt.program, tt.args...)
			}
		})
	}
}

func run(t *testing.T, dir, stdin, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s\n%s", program, err, out.String(), stdin)
	}
}
