package fake

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object under construction. It keeps its order and may hold a name twice,
// which no map or struct could.
type object []member

type member struct {
	name  string
	value jsontext.Value
}

// add appends a member; what cannot be encoded becomes null.
func (o object) add(name string, value any) object {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte("null")
	}
	return append(o, member{name, text})
}

// set replaces a member, or appends it; an empty text removes it.
func (o object) set(name, text string) object {
	at := slices.IndexFunc(o, func(m member) bool { return m.name == name })
	switch {
	case at < 0 && text == "":
		return o
	case at < 0:
		return append(o, member{name, jsontext.Value(text)})
	case text == "":
		return slices.Delete(o, at, at+1)
	}
	o[at].value = jsontext.Value(text)
	return o
}

func (o object) encode() []byte {
	text := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(text, quote(m.name)...), ':')
		text = append(text, m.value...)
	}
	return append(text, '}')
}

// answer writes a whole answer of known length.
func answer(w http.ResponseWriter, status int, contentType string, body []byte) {
	header := w.Header()
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // G705: a fake of an API, no page for browsers; and a client that has gone needs no answer
}

const jsonType = "application/json"

// refuse answers with the vendor's JSON error. Its shape is a guess: the page documents none.
func refuse(w http.ResponseWriter, status int, code, message string) {
	problem := object{}.add("code", code).add("message", message)
	answer(w, status, jsonType, object{}.add("error", jsontext.Value(problem.encode())).encode())
}

// quote returns s as a JSON string; bytes that are not UTF-8 are replaced.
func quote(s string) jsontext.Value {
	text, _ := jsontext.AppendQuote(nil, s)
	return text
}
