package env_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/env"
)

func reader(values map[string]string) *env.Reader {
	return env.NewReader(func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	})
}

func TestReader(t *testing.T) {
	t.Parallel()
	r := reader(map[string]string{
		"S": "text", "U": "https://x.example/base//", "D": "90s", "N": "12", "T": "true", "F": "false", env.LogLevel: "DEBUG",
	})
	if r.String("S") != "text" || r.URL("U") != "https://x.example/base" || r.Duration("D") != 90*time.Second ||
		r.Int("N") != 12 || !r.Bool("T") || r.Bool("F") || r.Level() != slog.LevelDebug ||
		r.Optional("S", "x") != "text" || r.Optional("absent", "x") != "x" {
		t.Error("a value was read wrong")
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if got := reader(nil).Level(); got != slog.LevelInfo {
		t.Errorf("the level is %v when unset", got)
	}
}

// Everything that is missing or wrong is named at once, with its value and what
// it should be.
func TestEverythingWrongAtOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value string
		read  func(*env.Reader)
		want  string
	}{
		"string, empty":          {"", func(r *env.Reader) { r.String("X") }, "X is not set"},
		"URL, empty":             {"", func(r *env.Reader) { r.URL("X") }, "X is not set"},
		"URL, relative":          {"/webhooks", func(r *env.Reader) { r.URL("X") }, `X is "/webhooks": want an absolute http or https URL`},
		"URL, another scheme":    {"ftp://x", func(r *env.Reader) { r.URL("X") }, `X is "ftp://x"`},
		"URL, no host":           {"https:///x", func(r *env.Reader) { r.URL("X") }, `X is "https:///x"`},
		"URL, junk":              {"http://%zz", func(r *env.Reader) { r.URL("X") }, `X is "http://%zz"`},
		"duration, empty":        {"", func(r *env.Reader) { r.Duration("X") }, "X is not set"},
		"duration, no unit":      {"90", func(r *env.Reader) { r.Duration("X") }, `X is "90": want a duration such as "90s"`},
		"duration, negative":     {"-1s", func(r *env.Reader) { r.Duration("X") }, `X is "-1s"`},
		"duration, days":         {"7d", func(r *env.Reader) { r.Duration("X") }, `X is "7d"`},
		"whole number, empty":    {"", func(r *env.Reader) { r.Int("X") }, "X is not set"},
		"whole number, fraction": {"1.5", func(r *env.Reader) { r.Int("X") }, `X is "1.5": want a whole number`},
		"whole number, negative": {"-1", func(r *env.Reader) { r.Int("X") }, `X is "-1"`},
		"yes or no, empty":       {"", func(r *env.Reader) { r.Bool("X") }, "X is not set"},
		"yes or no, one":         {"1", func(r *env.Reader) { r.Bool("X") }, `X is "1": want "true" or "false"`},
		"yes or no, upper case":  {"True", func(r *env.Reader) { r.Bool("X") }, `X is "True"`},
	} {
		r := reader(map[string]string{"X": tt.value, env.LogLevel: "LOUD"})
		tt.read(r)
		r.Level()
		r.String("ABSENT")
		err := r.Err()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range []string{tt.want, `LOG_LEVEL is "LOUD": want DEBUG, INFO, WARN or ERROR`, "ABSENT is not set", "environment of the function"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %s", name, err, want)
			}
		}
	}
}

// The process's own environment is the one that is read.
func TestProcess(t *testing.T) {
	t.Setenv("CLIPQUEUE_TEST_VARIABLE", "here")
	if got := env.Process().String("CLIPQUEUE_TEST_VARIABLE"); got != "here" {
		t.Errorf("read %q", got)
	}
}

// Every constant of the contract has a comment and a value of its own, names in
// the form that environments use.
func TestContract(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for file, form := range map[string]string{"env.go": `^[A-Z][A-Z0-9_]*$`, "metrics.go": `^[A-Z][A-Za-z]*$`} {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, decl := range tree.Decls {
			constants, ok := decl.(*ast.GenDecl)
			if !ok || constants.Tok != token.CONST {
				continue
			}
			for _, spec := range constants.Specs {
				c, _ := spec.(*ast.ValueSpec)
				literal, _ := c.Values[0].(*ast.BasicLit)
				value, err := strconv.Unquote(literal.Value)
				name := c.Names[0].Name
				switch {
				case err != nil, !regexp.MustCompile(form).MatchString(value):
					t.Errorf("%s is %q, %v", name, value, err)
				case seen[value] != "":
					t.Errorf("%s and %s are both %q", name, seen[value], value)
				case !strings.HasPrefix(c.Doc.Text(), name+" "):
					t.Errorf("%s has the comment %q", name, c.Doc.Text())
				}
				seen[value] = name
				count++
			}
		}
		if count < 20 {
			t.Errorf("%s has %d constants", file, count)
		}
	}
}
