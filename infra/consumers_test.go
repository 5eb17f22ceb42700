//go:build !race

package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
)

// The types of the consumer in TypeScript are made from the schemas. That it
// fits them, and works, is held by the end-to-end tests.
func TestDocsTypeScriptTypes(t *testing.T) {
	t.Parallel()
	const path = "infra/consumers/typescript/events.ts"
	var schemas []json.RawMessage
	for _, kind := range events.DetailTypes() {
		file := strings.ReplaceAll(strings.ToLower(string(kind)), " ", "-") + ".json"
		schemas = append(schemas, json.RawMessage(read(t, "events/schema/"+file)))
	}
	all, err := json.Marshal(map[string]any{
		"title": "ClipqueueEvent", "description": "What comes out on the bus.", "oneOf": schemas,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "json2ts", "--bannerComment", "// Made from events/schema by go test ./infra -run TestDocs -update.")
	cmd.Stdin = bytes.NewReader(all)
	want, err := cmd.Output()
	if err != nil {
		t.Fatalf("json2ts: %v", err)
	}
	if *update {
		if err := os.WriteFile(filepath.Join(top, path), want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), read(t, path)); diff != "" {
		t.Errorf("%s is stale; run go test ./infra -run TestDocs -update (-schemas +file):\n%s", path, diff)
	}
}
