package prompts

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"iter"
)

// longestLine is far beyond what any message may have; a file without line ends is told of.
const longestLine = 1 << 20

// jsonLines reads a message a line; blank lines are passed over.
func jsonLines(r *bufio.Reader) iter.Seq2[raw, error] {
	return func(yield func(raw, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 64<<10), longestLine)
		n := 0
		for lines.Scan() {
			n++
			body := bytes.TrimSpace(lines.Bytes())
			if len(body) > 0 && !yield(raw{line: n, body: bytes.Clone(body)}, nil) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(raw{}, fmt.Errorf("line %d is longer than 1 MB: write one JSON object a line", n+1))
		case err != nil:
			yield(raw{}, fmt.Errorf("line %d: %w", n+1, err))
		}
	}
}
