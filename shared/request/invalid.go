package request

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/shared/strictjson"
)

// The bounds of what an Invalid repeats of a message, in bytes.
const (
	excerptBytes = 256
	quoteBytes   = 64
)

// Invalid is what is wrong with a message, and whose message it was.
type Invalid struct { //nolint:errname // it is read as request.Invalid, and is data before it is an error
	// Field is the first field that is wrong; empty when it is the message as a whole.
	Field string
	// Problem says what is wrong, where, and what to do; it names the field.
	Problem string
	// ClaimedJobID is the job_id that the message asked for, at most 64 bytes of it; empty when there is none.
	ClaimedJobID string
	// Metadata is the caller's own, compact, if it could be read and is valid; else nil.
	Metadata json.RawMessage
	// Excerpt is the beginning of the message, at most 256 bytes of valid UTF-8 without control characters;
	// empty when there is Metadata.
	Excerpt string
}

// Error is the problem.
func (e *Invalid) Error() string { return "invalid message: " + e.Problem }

// from adds whose message it was, as far as the body tells.
func (e *Invalid) from(body []byte) *Invalid {
	metadata, jobID := salvage(body)
	e.Metadata, e.ClaimedJobID = metadata, jobID
	if metadata == nil {
		e.Excerpt = Excerpt(string(body))
	}
	return e
}

// salvage reads metadata and job_id out of a message that is broken elsewhere:
// before a syntax error, beside a duplicate name or a field of the wrong type.
// A name that occurs twice says nothing.
func salvage(body []byte) (metadata json.RawMessage, jobID string) {
	decoder := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if start, err := decoder.ReadToken(); err != nil || start.Kind() != jsontext.KindBeginObject {
		return nil, ""
	}
	seen := map[string]int{}
	for decoder.PeekKind() == jsontext.KindString {
		name, err := decoder.ReadToken()
		if err != nil {
			break
		}
		key := name.String()
		value, err := decoder.ReadValue()
		if err != nil {
			break
		}
		seen[key]++
		switch key {
		case "metadata":
			metadata, _ = metadataOf(value)
		case "job_id":
			jobID = claimed(value)
		}
	}
	if seen["metadata"] > 1 {
		metadata = nil
	}
	if seen["job_id"] > 1 {
		jobID = ""
	}
	return metadata, jobID
}

func claimed(value jsontext.Value) string {
	var id string
	if strictjson.Unmarshal(value, &id) != nil {
		return ""
	}
	return clip([]byte(id), maxJobIDBytes)
}

// Excerpt is the beginning of a message that cannot be told otherwise, at most
// 256 bytes.
func Excerpt(body string) string { return clip([]byte(body), excerptBytes) }

// clip is the beginning of data as valid UTF-8 without control characters but
// tab and line feed, at most limit bytes.
func clip(data []byte, limit int) string {
	data = data[:min(len(data), limit+utf8.UTFMax)]
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, string(data))
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
