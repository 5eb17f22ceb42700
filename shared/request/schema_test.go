package request_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// beyondASchema are refusals that JSON Schema cannot say: what is no JSON, and
// duplicate names, NULs, the spelling and size of numbers, other letters that fold.
func beyondASchema() []string {
	return []string{
		"empty", "blank", "not-json", "two-objects", "cut", "byte-order-mark", "trailing-comma",
		"duplicate-name", "duplicate-by-escape", "duplicate-in-metadata", "duplicate-metadata", "duplicate-job-id",
		"bad-utf8", "bad-utf8-metadata", "lone-surrogate", "nul-raw", "nul-escaped", "nul-in-metadata", "nul-in-name",
		"blank-prompt", "duration-float", "duration-exponent", "case-long-s",
		"metadata-integer", "metadata-float", "extra-integer",
	}
}

// A message that the published schema refuses is refused here, and the other way round.
func TestParseAgreesWithTheSchema(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("../../events/schema/request.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"valid", "invalid"} {
		files, err := filepath.Glob(filepath.Join("testdata", folder, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatal("no files", err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			if slices.Contains(beyondASchema(), name) {
				continue
			}
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if err := schema.Validate(value); (err == nil) != (folder == "valid") {
				t.Errorf("%s: the schema says %v", file, err)
			}
		}
	}
}

func TestPublishedExampleIsValid(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("../../events/testdata/request.json")
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, parse(t, string(body)))
}
