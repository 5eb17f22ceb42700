package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/clipqueue/clipqueue/shared/job"
)

// json says whether programs read the output.
func (r *root) json() bool { return r.format == "json" }

// print writes v as one line of JSON.
func (r *root) print(v any) error {
	line, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true), jsontext.EscapeForHTML(false))
	if err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	if _, err := r.app.Out.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// say writes one line for people, who see for themselves when they see nothing.
func (r *root) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.app.Out, format+"\n", args...)
}

// note writes one line beside the output: progress, hints, warnings.
func (r *root) note(format string, args ...any) {
	r.app.complain(format+"\n", args...)
}

// table is a table that is rendered to the output.
func (r *root) table(header ...any) table.Writer { //nolint:ireturn // go-pretty gives out nothing else
	t := table.NewWriter()
	t.SetOutputMirror(r.app.Out)
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	style.Options.DrawBorder, style.Options.SeparateColumns, style.Options.SeparateHeader = false, false, true
	t.SetStyle(style)
	t.AppendHeader(table.Row(header))
	return t
}

// coloured says whether colours are wanted; see https://no-color.org.
func (r *root) coloured() bool { return r.app.Terminal && r.app.Getenv("NO_COLOR") == "" }

// paint colours a word, on a terminal.
func (r *root) paint(word string, colour text.Color) string {
	if !r.coloured() {
		return word
	}
	return text.Escape(word, colour.EscapeSeq()) // Sprint goes by a switch that is the whole process's
}

// state is a job's, in its colour.
func (r *root) state(s job.State) string {
	colour := text.FgCyan
	switch s {
	case job.Completed:
		colour = text.FgGreen
	case job.Failed, job.Rejected, job.Expired:
		colour = text.FgRed
	case job.Unconfirmed:
		colour = text.FgYellow
	case job.Queued, job.Submitting, job.Processing:
	}
	return r.paint(string(s), colour)
}

// errNotAgreed is a question that was answered with no.
var errNotAgreed = errors.New("nothing was done")

// agree asks before something that costs or cannot be undone. Without a terminal
// the flag must say yes.
func (r *root) agree(ctx context.Context, question string) error {
	if r.yes {
		return nil
	}
	if !r.app.Terminal {
		return usage("%s\nThis is not a terminal, so you are not asked: say --yes", question)
	}
	r.app.complain("%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(r.app.In).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answer <- line
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-answer:
		if word := strings.ToLower(strings.TrimSpace(line)); word == "y" || word == "yes" {
			return nil
		}
	}
	return errNotAgreed
}

// wrapped breaks a text into lines of at most so many characters, between words.
func wrapped(s string, most int) string {
	lines := strings.Split(text.WrapSoft(s, most), "\n") // each is filled up with spaces
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// short cuts a text to one line of so many characters.
func short(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most-1]) + "…"
}

// plural is a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
