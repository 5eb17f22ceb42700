package events_test

import (
	"encoding/json"
	"testing"

	"github.com/clipqueue/clipqueue/events"
)

func TestSample(t *testing.T) {
	t.Parallel()
	for _, kind := range events.DetailTypes() {
		text, err := events.Sample(kind)
		if err != nil {
			t.Fatal(err)
		}
		var e events.Envelope[json.RawMessage]
		if err := json.Unmarshal(text, &e); err != nil || e.DetailType != kind || e.Source != events.Source {
			t.Errorf("the sample of %q is a %q from %q: %v", kind, e.DetailType, e.Source, err)
		}
	}
	if _, err := events.Sample("../request"); err == nil {
		t.Error("a sample of what is no event")
	}
}
