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

	"github.com/clipqueue/clipqueue/shared/request"
)

// Row is one prompt, ready for the queue.
type Row struct {
	// Line is where it begins in its file, from 1.
	Line  int
	JobID string
	// Body is the queue message; it has the job_id.
	Body string
	// Hash tells its payload from another's under the same job_id; see [request.Request].
	Hash string
}

// Problem is a row that cannot be sent.
type Problem struct { //nolint:errname // it is read as prompts.Problem
	Line int
	// Field is the field that is wrong, where it is one field.
	Field string
	What  string
}

func (p *Problem) Error() string { return fmt.Sprintf("line %d: %s", p.Line, p.What) }

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
func Read(r io.Reader, batch string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		buffered := bufio.NewReader(r)
		first, err := firstByte(buffered)
		if err != nil {
			yield(Row{}, err)
			return
		}
		rows := csvRows
		switch first {
		case '{':
			rows = jsonLines
		case '[':
			yield(Row{}, errors.New("the file is a JSON array: write one object a line instead, as `jq -c '.[]' FILE` does"))
			return
		}
		reader := reader{batch: batch, times: map[string]int{}, taken: map[string]Row{}}
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
	times map[string]int
	taken map[string]Row
}

func (r *reader) row(in raw, err error) (Row, error) {
	if err != nil {
		return Row{}, err
	}
	row, err := FromMessage(in.body, func(hash string) string {
		r.times[hash]++
		return derived(r.batch, hash, r.times[hash])
	})
	if invalid, ok := errors.AsType[*request.Invalid](err); ok {
		return Row{}, &Problem{Line: in.line, Field: invalid.Field, What: invalid.Problem}
	}
	if err != nil {
		return Row{}, err
	}
	row.Line = in.line
	if other, ok := r.taken[row.JobID]; ok && other.Hash != row.Hash {
		return Row{}, &Problem{Line: in.line, Field: "job_id", What: fmt.Sprintf(
			"job_id %s is that of line %d, with another content: give each prompt its own", row.JobID, other.Line)}
	}
	r.taken[row.JobID] = Row{Line: row.Line, Hash: row.Hash}
	return row, nil
}

// FromMessage checks one message by the submit function's rules. newID names it
// if it brings no job_id. The error is a [*request.Invalid].
func FromMessage(body []byte, newID func(hash string) string) (Row, error) {
	parsed, err := request.Parse(body, "")
	if err != nil {
		return Row{}, err
	}
	row := Row{JobID: parsed.JobID, Body: string(body), Hash: parsed.Hash}
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
