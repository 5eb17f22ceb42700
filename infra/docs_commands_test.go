//go:build !race

package main_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/infra/clipqueue/cli"
)

// help is what the operator's command prints, given --help.
func help(tb testing.TB, args ...string) string {
	tb.Helper()
	var out, complaints bytes.Buffer
	app := cli.App{Out: &out, Err: &complaints, Getenv: func(string) string { return "" }, Now: time.Now}
	if code := app.Run(tb.Context(), append(slices.Clone(args), "--help")); code != 0 {
		tb.Errorf("clipqueue %s --help ends with %d: %s", strings.Join(args, " "), code, complaints.String())
	}
	return out.String()
}

// The table of commands is the help's own.
func TestDocsCommands(t *testing.T) {
	var table strings.Builder
	table.WriteString("| command | what it does |\n|---|---|\n")
	_, after, _ := strings.Cut(help(t), "Jobs:\n")
	commands, _, _ := strings.Cut(after, "Additional Commands:\n")
	for _, match := range regexp.MustCompile(`(?m)^  (\S+) +(.*)$`).FindAllStringSubmatch(commands, -1) {
		table.WriteString("| `clipqueue " + match[1] + "` | " + match[2] + " |\n")
	}
	generated(t, "commands", table.String())
}

// Each command line of the operator's command that the papers show is one: its
// words name a command, and its flags are among that command's.
func TestDocsCommandLines(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile("(?m)(?:`|^)clipqueue ([a-z][^`\n#]*)")
	word := regexp.MustCompile(`^[a-z][a-z-]*$`)
	for _, paper := range papers() {
		for _, match := range line.FindAllStringSubmatch(read(t, paper), -1) {
			words := strings.Fields(match[1])
			isTopic := words[0] == "help"
			if isTopic {
				words = words[1:]
			}
			path := words[:1]
			// A second word is a subcommand where the first has some.
			if len(words) > 1 && word.MatchString(words[1]) && strings.Contains(help(t, words[0]), "Available Commands:") {
				path = words[:2]
			}
			text := help(t, path...)
			if !isTopic && !strings.Contains(text, "  clipqueue "+strings.Join(path, " ")) {
				t.Errorf("%s says clipqueue %s, and its help is of another command:\n%s", paper, match[1], text)
			}
			for _, flag := range words {
				if name, _, _ := strings.Cut(flag, "="); strings.HasPrefix(name, "-") && !regexp.MustCompile(name+`[^\w-]`).MatchString(text) {
					t.Errorf("%s says clipqueue %s, and there is no flag %s", paper, match[1], name)
				}
			}
		}
	}
}
