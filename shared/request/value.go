package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
)

// metadataOf is the caller's metadata without white space, or what is wrong
// with it. As everywhere here, a problem is worded to follow the field's name.
func metadataOf(value jsontext.Value) (metadata json.RawMessage, problem string) {
	if value.Kind() != jsontext.KindBeginObject {
		return nil, fmt.Sprintf("is %s: write a JSON object", kindName(value))
	}
	if problem := checkValue(value); problem != "" {
		return nil, problem
	}
	metadata = raw(value)
	if len(metadata) > events.MaxMetadataBytes {
		return nil, fmt.Sprintf("has %d bytes without white space, at most %d are allowed: keep the data elsewhere and send a reference",
			len(metadata), events.MaxMetadataBytes)
	}
	return metadata, ""
}

// checkValue says what in a value of the caller's would not survive the way to
// every consumer: EventBridge refuses deeper nesting and larger integers, and
// not every language's strings can hold a NUL.
func checkValue(value jsontext.Value) (problem string) {
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	for {
		token, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return ""
		case err != nil:
			return "is " + unreadable(err).Problem
		case decoder.StackDepth() > events.MaxDepth:
			return fmt.Sprintf("nests deeper than %d levels: flatten it, or send it as a string", events.MaxDepth)
		}
		if problem := checkToken(token, decoder); problem != "" {
			return problem
		}
	}
}

func checkToken(token jsontext.Token, decoder *jsontext.Decoder) (problem string) {
	kind := token.Kind()
	if kind == jsontext.KindString && strings.ContainsRune(token.String(), 0) {
		return "contains a NUL character" + where(decoder) + ": remove it"
	}
	if kind == jsontext.KindNumber && !fits(token.String()) {
		return fmt.Sprintf("contains the number %s%s, which does not fit 64 bits: send it as a string",
			clip([]byte(token.String()), quoteBytes), where(decoder))
	}
	return ""
}

// where is the JSON pointer of what was just read, to follow a noun.
func where(decoder *jsontext.Decoder) string {
	pointer := clip([]byte(decoder.StackPointer()), quoteBytes)
	if pointer == "" {
		return ""
	}
	return " at " + strconv.Quote(pointer)
}

// fits says whether a JSON number is an int64, or a float64 that is finite.
func fits(number string) bool {
	if !strings.ContainsAny(number, ".eE") {
		_, err := strconv.ParseInt(number, 10, 64)
		return err == nil
	}
	float, err := strconv.ParseFloat(number, 64)
	return err == nil && !math.IsInf(float, 0)
}

func kindName(value jsontext.Value) string {
	switch value.Kind() {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginArray:
		return "an array"
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindInvalid, jsontext.KindEndObject, jsontext.KindEndArray:
	}
	return "no JSON value"
}
