package events

import (
	"embed"
	"fmt"
	"strings"
)

// samples are the examples of the events.
//
//go:embed testdata/video-*.json
var samples embed.FS

// Sample is an example of an event of this type, as JSON, whole as EventBridge
// hands it to a consumer: for a consumer's own tests. It returns an error for a
// type that is none of [DetailTypes].
func Sample(t DetailType) ([]byte, error) {
	name := strings.ReplaceAll(strings.ToLower(string(t)), " ", "-")
	text, err := samples.ReadFile("testdata/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("there is no event type %q", t)
	}
	return text, nil
}
