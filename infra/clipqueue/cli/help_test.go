package cli

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/report"
)

// TestOutputIsDocumented: every field that any command prints as JSON is in the
// topic of help that promises it.
func TestOutputIsDocumented(t *testing.T) {
	t.Parallel()
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`[a-z0-9_]+`).FindAllString(helpOutput, -1) {
		words[word] = true
	}
	for _, printed := range []any{
		jobView{},
		sentView{},
		wrongView{},
		retryView{},
		report.Summary{},
		finding{},
		feedView{},
		keyView{},
		deadView{},
		letterView{},
		movedView{},
		heldView{},
		movedQuarantine{},
		emittedView{},
		vendorView{},
	} {
		for _, name := range fieldNames(reflect.TypeOf(printed)) {
			if !words[name] {
				t.Errorf("%T has a field %q that clipqueue help output does not name", printed, name)
			}
		}
	}
}

// fieldNames are the JSON names of a type's fields, and of theirs.
func fieldNames(typ reflect.Type) []string {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || !strings.HasPrefix(typ.PkgPath(), "github.com/clipqueue/") {
		return nil
	}
	var names []string
	for field := range typ.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !field.Anonymous {
			names = append(names, name)
		}
		names = append(names, fieldNames(field.Type)...)
	}
	return names
}

// TestEveryCommandExplainsItself: a person solves a task with --help alone.
func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	root := newRoot(&App{Getenv: func(string) string { return "" }}).command()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		path := strings.TrimPrefix(c.CommandPath(), "clipqueue ")
		if c.HasSubCommands() || !c.Runnable() || strings.HasPrefix(path, "completion") || path == "help" {
			return
		}
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: short %q, example %q", path, c.Short, c.Example)
		}
		for line := range strings.Lines(c.Example) {
			if !strings.Contains(line, "clipqueue "+path) && !strings.Contains(line, "make local") {
				t.Errorf("%s: the example %q is of something else", path, line)
			}
		}
		if word, _, _ := strings.Cut(path, " "); !strings.Contains(helpOutput, word) {
			t.Errorf("%s: clipqueue help output does not tell what it prints", path)
		}
	}
	walk(root)
}
