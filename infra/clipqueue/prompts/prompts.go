// Package prompts reads files of prompts, JSON lines or CSV, into queue
// messages, and finds what is wrong with them by the submit function's own rules.
package prompts

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/strictjson"
)

// Place is where something is in a file, named by what stands there too: lines
// are hard to count in a spreadsheet.
type Place struct {
	// Line is where it begins in its file, from 1; 0 in no file.
	Line int
	// JobID is the row's, and Prompt what it shows, as far as they can be read.
	JobID, Prompt string
}

// promptShown is how much of a prompt names a row.
const promptShown = 40

func (p Place) String() string {
	var names []string
	if prompt := Beginning(p.Prompt, promptShown); prompt != "" {
		names = append(names, strconv.Quote(prompt))
	}
	if p.JobID != "" {
		names = append(names, "job_id "+p.JobID)
	}
	if len(names) == 0 {
		return fmt.Sprintf("line %d", p.Line)
	}
	return fmt.Sprintf("line %d (%s)", p.Line, strings.Join(names, ", "))
}

// Beginning is a prompt on one line, cut to so many characters.
func Beginning(prompt string, most int) string {
	prompt = strings.Join(strings.Fields(prompt), " ")
	runes := []rune(prompt)
	if len(runes) <= most {
		return prompt
	}
	return string(runes[:most-1]) + "…"
}

// Row is one prompt, ready for the queue.
type Row struct {
	Place

	// Body is the queue message; it has the job_id.
	Body string
	// Hash tells its payload from another's under the same job_id; see [request.Request].
	Hash string
}

// Problem is a row that cannot be sent.
type Problem struct { //nolint:errname // it is read as prompts.Problem
	Place

	// Field is the field that is wrong, where it is one field.
	Field string
	What  string
}

func (p *Problem) Error() string { return fmt.Sprintf("%v: %s", p.Place, p.What) }

// Minder is told of what can be sent, but may not be meant.
type Minder func(remark string)

// DefaultBatch begins the job_id of rows that bring none.
const DefaultBatch = "row"

// MaxBatch is the length of the longest batch name: with the 20 digits after it,
// an id keeps within 64 bytes.
const MaxBatch = 43

// Read reads prompts: JSON lines when the first character is a "{", CSV else.
//
// A row without job_id gets one made of batch and its content, and, where the
// same content comes again, how often it came before. So a file that is sent
// twice makes each video once; under another batch name the rows are new jobs.
//
// A [*Problem] concerns one row, and the reading goes on; any other error ends it.
// mind may be nil. allowed are columns of a CSV that resemble a field and are
// meant all the same; any other such column is an error.
func Read(r io.Reader, batch string, mind Minder, allowed ...string) iter.Seq2[Row, error] {
	if mind == nil {
		mind = func(string) {}
	}
	return func(yield func(Row, error) bool) {
		buffered := bufio.NewReader(r)
		first, err := firstByte(buffered)
		if err != nil {
			yield(Row{}, err)
			return
		}
		rows := func(r *bufio.Reader) iter.Seq2[raw, error] { return csvRows(r, mind, allowed) }
		switch first {
		case '{':
			rows = jsonLines
		case '[':
			yield(Row{}, errors.New("the file is a JSON array: write one object a line instead, as `jq -c '.[]' FILE` does"))
			return
		}
		reader := reader{batch: batch, mind: mind, same: map[string]repeats{}, taken: map[string]origin{}}
		for raw, err := range rows(buffered) {
			row, err := reader.row(raw, err)
			if !yield(row, err) {
				return
			}
			if _, one := errors.AsType[*Problem](err); err != nil && !one {
				return
			}
		}
	}
}

// errEmpty is a file without a single prompt.
var errEmpty = errors.New("there is nothing in it: write a prompt a line, as JSON objects or as CSV with a header")

// firstByte looks past white space and a byte order mark.
func firstByte(r *bufio.Reader) (byte, error) {
	if mark, err := r.Peek(3); err == nil && bytes.Equal(mark, []byte("\uFEFF")) {
		_, _ = r.Discard(len(mark)) // just peeked at
	}
	for n := 1; ; n++ {
		peeked, err := r.Peek(n)
		if len(peeked) < n {
			if errors.Is(err, io.EOF) {
				err = errEmpty
			}
			return 0, err
		}
		if c := peeked[n-1]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
}

// raw is a row's message before it was checked.
type raw struct {
	line int
	body []byte
}

// reader remembers the rows that it has seen.
type reader struct {
	batch string
	mind  Minder
	// same are the rows without a job_id, by the hash of their content.
	same  map[string]repeats
	taken map[string]origin
}

// repeats is how often a content came, and on which line first.
type repeats struct{ n, line int }

// origin is the row that a job_id came from.
type origin struct {
	line int
	hash string
}

func (r *reader) row(in raw, err error) (Row, error) {
	if err != nil {
		return Row{}, err
	}
	twin := 0
	row, err := FromMessage(in.body, func(hash string) string {
		before := r.same[hash]
		twin = before.line
		if before.n++; before.n == 1 {
			before.line = in.line
		}
		r.same[hash] = before
		return derived(r.batch, hash, before.n)
	})
	if invalid, ok := errors.AsType[*request.Invalid](err); ok {
		return Row{}, &Problem{Place: glimpse(in), Field: invalid.Field, What: invalid.Problem}
	}
	if err != nil {
		return Row{}, err
	}
	row.Line = in.line
	other, taken := r.taken[row.JobID]
	if taken && other.hash != row.Hash {
		return Row{}, &Problem{Place: row.Place, Field: "job_id", What: fmt.Sprintf(
			"job_id %s is that of line %d, with another content: give each prompt its own", row.JobID, other.line)}
	}
	r.taken[row.JobID] = origin{row.Line, row.Hash}
	r.look(row, twin, other.line)
	return row, nil
}

// look tells what may not be meant: twin and same are the lines of an earlier
// row with the same content, under another job_id and under this one; 0 for none.
func (r *reader) look(row Row, twin, same int) {
	place := Place{Line: row.Line, Prompt: row.Prompt}
	switch {
	case twin > 0:
		r.mind(fmt.Sprintf("%v: the same as line %d, and a job of its own: both are made, and paid for", place, twin))
	case same > 0:
		r.mind(fmt.Sprintf("%v: line %d again, its job_id too: it is one job", row.Place, same))
	}
	if row.Prompt != strings.TrimSpace(row.Prompt) {
		r.mind(fmt.Sprintf("%v: the prompt begins or ends with white space, which makes it another job than the prompt without", place))
	}
}

// glimpse names a row that is wrong, as far as it can be read.
func glimpse(in raw) Place {
	p := Place{Line: in.line}
	members, err := strictjson.Object(in.body)
	if err != nil {
		return p
	}
	for name, into := range map[string]*string{"job_id": &p.JobID, "prompt": &p.Prompt} {
		var value string
		if strictjson.Unmarshal(members[name], &value) == nil {
			*into = Beginning(value, promptShown)
		}
	}
	return p
}

// FromMessage checks one message by the submit function's rules. newID names it
// if it brings no job_id. The error is a [*request.Invalid].
func FromMessage(body []byte, newID func(hash string) string) (Row, error) {
	parsed, err := request.Parse(body, "")
	if err != nil {
		return Row{}, err
	}
	row := Row{Place: Place{JobID: parsed.JobID, Prompt: parsed.Prompt}, Body: string(body), Hash: parsed.Hash}
	if row.JobID == "" {
		row.JobID = newID(parsed.Hash)
		row.Body = request.Message(parsed.Text, row.JobID)
		if _, err := request.Parse([]byte(row.Body), ""); err != nil {
			return Row{}, err
		}
	}
	return row, nil
}

// derived is the same for the same row of the same batch.
func derived(batch, hash string, times int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", hash, times))
	return batch + "-" + hex.EncodeToString(sum[:10])
}
