// Package strictjson is the project's one rule for reading JSON: names are
// case-sensitive, a name that occurs twice is an error, so is text that is not
// UTF-8, and names that a Go type does not know are kept if it has room for
// them (a field tagged `json:",embed"`) and skipped otherwise.
//
// encoding/json folds the case of names and lets the last of two win, so two
// readers of one body can come to different verdicts.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrNotObject means that the text is JSON, but no object.
var ErrNotObject = errors.New("not a JSON object")

// Unmarshal reads exactly one JSON value into v. Text after it, a duplicate or
// wrongly cased name, invalid UTF-8 (a lone surrogate in an escape included)
// and more than 10,000 levels are errors; a JSON null leaves v at its zero.
func Unmarshal(data []byte, v any) error {
	return json.Unmarshal(data, v)
}

// Object reads one JSON object into its members, each value as it was written.
// It returns ErrNotObject for any other kind of value, null included. Members'
// own members obey the same rule.
func Object(data []byte) (map[string]jsontext.Value, error) {
	// The kind is asked after the parse, so that a syntax error is told as one.
	var value jsontext.Value
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, err
	}
	if kind := value.Kind(); kind != jsontext.KindBeginObject {
		return nil, fmt.Errorf("%w but %s", ErrNotObject, kindName(kind))
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(value, &members); err != nil {
		return nil, err
	}
	return members, nil
}

// Canonical returns the text with names sorted, white space gone and strings in
// their shortest spelling. Numbers stay letter by letter: 1.0 is not 1, and an
// integer past 2^53 loses no digit. Two texts that differ only in order, space
// or escapes come out equal, so the result can be hashed. data is not changed.
func Canonical(data []byte) ([]byte, error) {
	value := jsontext.Value(bytes.Clone(data))
	err := value.Canonicalize(
		jsontext.CanonicalizeRawInts(false),
		jsontext.CanonicalizeRawFloats(false),
		jsontext.ReorderRawObjects(true),
	)
	if err != nil {
		return nil, fmt.Errorf("put JSON into canonical form: %w", err)
	}
	return value, nil
}

func kindName(kind jsontext.Kind) string {
	names := map[jsontext.Kind]string{
		jsontext.KindTrue: "a boolean", jsontext.KindFalse: "a boolean", jsontext.KindString: "a string",
		jsontext.KindNumber: "a number", jsontext.KindBeginArray: "an array",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return kind.String()
}
