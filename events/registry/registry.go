// Package registry holds the schemas of the events in the form that the
// EventBridge schema registry takes: OpenAPI 3 documents, one a detail type,
// made from the types in events.
package registry

import (
	"embed"
	"fmt"
	"strings"

	"github.com/clipqueue/clipqueue/events"
)

// documents are the schemas.
//
//go:embed *.json
var documents embed.FS

// Name is the name of a detail type's schema, as the registry itself names what
// it discovers: "clipqueue@VideoGenerationCompleted".
func Name(t events.DetailType) string { return events.Source + "@" + title(t) }

// Document is a detail type's schema, an OpenAPI 3 document as JSON. It returns
// an error for a type that is none of [events.DetailTypes].
func Document(t events.DetailType) ([]byte, error) {
	text, err := documents.ReadFile(title(t) + ".json")
	if err != nil {
		return nil, fmt.Errorf("there is no schema of the event type %q", t)
	}
	return text, nil
}

func title(t events.DetailType) string { return strings.ReplaceAll(string(t), " ", "") }
