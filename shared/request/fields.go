package request

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/strictjson"
)

const maxJobIDBytes = 64

// DefaultModel is the vendor's word for any model, which a message without one asks for.
const DefaultModel = "auto"

// Fields are the names of a message's fields, in the order in which they are
// checked. Any other goes to the vendor as it is.
func Fields() []string {
	return []string{
		"job_id", "prompt", "model", "aspect_ratio", "duration", "resolution", "failover", "delivery", "metadata",
	}
}

func isKnown(name string) bool { return slices.Contains(Fields(), name) }

// decode checks every field of a message; the first that is wrong is told.
func decode(members map[string]jsontext.Value) (events.Request, *Invalid) {
	d := decoder{members: members}
	d.names()
	r := events.Request{
		JobID:       d.text("job_id", maxJobIDBytes),
		Prompt:      d.text("prompt", events.MaxPromptBytes),
		Model:       d.text("model", events.MaxOptionBytes),
		AspectRatio: d.text("aspect_ratio", events.MaxOptionBytes),
		Duration:    d.duration(),
		Resolution:  d.text("resolution", events.MaxOptionBytes),
		Failover:    d.failover(),
		Delivery:    d.delivery(),
		Metadata:    d.metadata(),
		Extra:       d.extra(),
	}
	switch {
	case d.wrong != nil:
	case !validJobID(r.JobID):
		d.fail("job_id", "is %q: use 1 to %d letters, digits, - and _ only", clip([]byte(r.JobID), quoteBytes), maxJobIDBytes)
	case r.Prompt == "":
		d.fail("prompt", "is missing: say what the video shows")
	}
	return r, d.wrong
}

// decoder takes members apart and remembers the first problem.
type decoder struct {
	members map[string]jsontext.Value
	wrong   *Invalid
}

// fail notes a problem, which is worded to follow the field's name.
func (d *decoder) fail(field, format string, args ...any) {
	if d.wrong == nil {
		field = clip([]byte(field), quoteBytes)
		d.wrong = &Invalid{Field: field, Problem: field + " " + fmt.Sprintf(format, args...)}
	}
}

// value is a member that is there and not null.
func (d *decoder) value(name string) (jsontext.Value, bool) {
	value, ok := d.members[name]
	return value, ok && value.Kind() != jsontext.KindNull
}

// names refuses the names that would be taken for something they are not.
func (d *decoder) names() {
	for _, name := range slices.Sorted(maps.Keys(d.members)) {
		if strings.EqualFold(name, "webhook_url") {
			d.fail(name, "is ours to set: leave it out, the result comes as an event")
		}
		for _, right := range Fields() {
			if name != right && strings.EqualFold(name, right) {
				d.fail(name, "is not %[1]s, names are case-sensitive: write %[1]s", right)
			}
		}
	}
}

// text is a string that is not blank, or "" when the member is absent.
func (d *decoder) text(name string, limit int) string {
	value, ok := d.value(name)
	if !ok {
		return ""
	}
	var text string
	switch {
	case value.Kind() != jsontext.KindString:
		d.fail(name, "is %s: write a string, in quotes", kindName(value))
	case strictjson.Unmarshal(value, &text) != nil:
		d.fail(name, "is no readable string: write it in UTF-8")
	case strings.TrimSpace(text) == "":
		d.fail(name, "is blank: fill it in, or leave out what is not needed")
	case strings.ContainsRune(text, 0):
		d.fail(name, "contains a NUL character: remove it")
	case len(text) > limit:
		d.fail(name, "has %d bytes, at most %d are allowed: shorten it", len(text), limit)
	}
	return text
}

func validJobID(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(id) <= maxJobIDBytes
}

func (d *decoder) duration() int64 {
	value, ok := d.value("duration")
	if !ok {
		return 0
	}
	if value.Kind() != jsontext.KindNumber {
		what, text := kindName(value), ""
		if value.Kind() == jsontext.KindString && strictjson.Unmarshal(value, &text) == nil {
			what = fmt.Sprintf("%q, %s", clip([]byte(text), quoteBytes), what)
		}
		d.fail("duration", "is %s: write the seconds as a whole number, such as 5", what)
		return 0
	}
	seconds, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || seconds < 1 || seconds > events.MaxDurationSeconds {
		d.fail("duration", "is %s: write a whole number of seconds from 1 to %d, without point or exponent",
			clip(value, quoteBytes), events.MaxDurationSeconds)
	}
	return seconds
}

func (d *decoder) failover() *bool {
	value, ok := d.value("failover")
	if !ok {
		return nil
	}
	allowed := value.Kind() == jsontext.KindTrue
	if !allowed && value.Kind() != jsontext.KindFalse {
		d.fail("failover", "is %s: write true or false, without quotes", kindName(value))
	}
	return &allowed
}

func (d *decoder) delivery() events.Delivery {
	delivery := events.Delivery(d.text("delivery", events.MaxOptionBytes))
	switch delivery {
	case "", events.DeliveryWebhook, events.DeliveryPoll:
	default:
		d.fail("delivery", "is %q: write %q or %q", clip([]byte(delivery), quoteBytes), events.DeliveryWebhook, events.DeliveryPoll)
	}
	return delivery
}

func (d *decoder) metadata() json.RawMessage {
	value, ok := d.value("metadata")
	if !ok {
		return nil
	}
	metadata, problem := metadataOf(value)
	if problem != "" {
		d.fail("metadata", "%s", problem)
	}
	return metadata
}

// extra are the members that only the vendor knows.
func (d *decoder) extra() map[string]json.RawMessage {
	var extra map[string]json.RawMessage
	for _, name := range slices.Sorted(maps.Keys(d.members)) {
		if isKnown(name) {
			continue
		}
		if strings.ContainsRune(name, 0) {
			d.fail(name, "has a name with a NUL character: remove it")
		}
		if problem := checkValue(d.members[name]); problem != "" {
			d.fail(name, "%s", problem)
		}
		if extra == nil {
			extra = map[string]json.RawMessage{}
		}
		extra[name] = raw(d.members[name])
	}
	return extra
}
