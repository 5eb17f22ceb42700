package fake

import "sync"

// Directive describes one fault that can be asked for.
type Directive struct {
	Name      string     `json:"name"` // NNN stands for a status from 300 to 599
	Summary   string     `json:"summary"`
	Arguments []Argument `json:"arguments,omitempty"`

	at place
}

// Argument describes a name=value of a Directive.
type Argument struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`              // duration, count, position, size, number, text, or the choices as a|b|c
	Default string `json:"default,omitempty"` // what it is when left out
	Summary string `json:"summary"`
}

// place is the moment at which a fault strikes.
type place string

const (
	onDial    place = "dial"       // before each POST
	onSubmit  place = "submit"     // each POST of a submission
	onAccept  place = "acceptance" // once a generation: its course is settled
	onGet     place = "get"        // each GET of a generation
	onVerdict place = "verdict"    // once a generation: its callbacks are planned
	onAttempt place = "attempt"    // each attempt of a callback
	onVideo   place = "video"      // each GET of a video
)

// Kinds of an Argument, apart from choices.
const (
	kindDuration = "duration"
	kindCount    = "count"
	kindPosition = "position"
	kindSize     = "size"
	kindNumber   = "number"
	kindText     = "text"
	yesNo        = "yes|no"
)

// Directives lists every fault, for help and documentation.
func Directives() []Directive { return append([]Directive(nil), catalogue().list...) }

// CommonArguments lists the arguments that every fault takes.
func CommonArguments() []Argument {
	return []Argument{
		{"times", kindCount, "", "strikes the first N times only"},
		{"p", kindNumber, "1", "the chance to strike, from 0 to 1"},
		{"after", kindDuration, "0s", "strikes from then on"},
		{"until", kindDuration, "", "strikes until then"},
		{"prompt", kindText, "", "strikes only prompts that contain this text"},
	}
}

type directiveIndex struct {
	list   []Directive
	byName map[string]Directive
}

//nolint:gochecknoglobals // a constant table; building it for each prompt would cost a simulation dearly
var catalogue = sync.OnceValue(func() directiveIndex {
	list := answerDirectives("", onSubmit)
	list = append(list, submitDirectives()...)
	list = append(list, courseDirectives()...)
	list = append(list, answerDirectives("get-", onGet)...)
	list = append(list, getDirectives()...)
	list = append(list, callbackDirectives()...)
	list = append(list, answerDirectives("video-", onVideo)...)
	list = append(list, videoDirectives()...)
	index := directiveIndex{list: list, byName: make(map[string]Directive, len(list))}
	for _, d := range list {
		index.byName[d.Name] = d
	}
	return index
})

// answerDirectives are the faults that any answer can have.
func answerDirectives(prefix string, at place) []Directive {
	list := []Directive{
		{Name: prefix + "NNN", at: at, Summary: "answers with that status", Arguments: []Argument{
			{"retry-after", kindText, "", "sent as it is; huge, junk, and date:30s for a date in 30 s"},
			{"body", "json|html|text|empty", "json", "json is the vendor's error, empty a proxy's bare answer"},
			{"location", kindText, "https://elsewhere.invalid/", "where a redirect goes"},
		}},
		{Name: prefix + "html", at: at, Summary: "answers with an HTML page", Arguments: []Argument{
			{"status", kindCount, "200", "its status"},
			{"type", kindText, "text/html; charset=utf-8", "its Content-Type"},
		}},
		{Name: prefix + "cut", at: at, Summary: "ends the connection without an answer", Arguments: []Argument{
			{"how", "close|reset", "close", "in order, or with a TCP reset"},
		}},
		{Name: prefix + "cut-body", at: at, Summary: "ends the connection within the answer's body", Arguments: []Argument{
			{"at", kindPosition, "50%", "after so many bytes, or per cent"},
		}},
		{Name: prefix + "slow", at: at, Summary: "waits before it does anything", Arguments: []Argument{
			{"for", kindDuration, "30s", "how long"},
		}},
		{Name: prefix + "drip", at: at, Summary: "sends the body in drops", Arguments: []Argument{
			{"every", kindDuration, "1s", "the time between two drops"},
			{"bytes", kindSize, "1", "the size of a drop"},
		}},
	}
	if at != onSubmit {
		return list
	}
	for i := range list {
		accepted := Argument{"accepted", yesNo, "no", "whether the generation is accepted, and paid for, all the same"}
		if name := list[i].Name; name == "cut-body" || name == "drip" {
			accepted.Default = "yes"
		}
		list[i].Arguments = append(list[i].Arguments, accepted)
	}
	return list
}

func submitDirectives() []Directive {
	return []Directive{
		{Name: "lost-answer", at: onSubmit, Summary: "accepts, then ends the connection without an answer", Arguments: []Argument{
			{"how", "close|reset", "close", "in order, or with a TCP reset"},
		}},
		{Name: "answer", at: onSubmit, Summary: "accepts, then answers oddly", Arguments: []Argument{
			{"status", kindCount, "202", "the status of the answer"},
			{"id", kindText, "", "the id it tells: none, empty, null, number, object or huge"},
			{"body", "json|empty|array|junk", "json", "the body of the answer"},
		}},
		{Name: "same-id", at: onSubmit, Summary: "accepts under the id of the generation before it"},
		{Name: "refuse", at: onDial, Summary: "refuses the connection: a dial error through Transport; the same as cut over a socket, which is open by then"},
	}
}

func courseDirectives() []Directive {
	return []Directive{
		{Name: "fail", at: onAccept, Summary: "the generation fails", Arguments: []Argument{
			{"message", kindText, "The provider could not generate this video.", "the error"},
		}},
		{Name: "failover", at: onAccept, Summary: "another provider does the work: failover_used is true", Arguments: []Argument{
			{"model", kindText, "kling-v3", "its model_actual"},
		}},
		{Name: "takes", at: onAccept, Summary: "the generation takes so long", Arguments: []Argument{
			{"for", kindDuration, "1m", "how long"},
		}},
		{Name: "never", at: onAccept, Summary: "the generation never ends of itself"},
		{Name: "output", at: onAccept, Summary: "an odd output_url", Arguments: []Argument{
			{"url", kindText, "null", "null, empty, relative, http, file, junk, or the very URL"},
		}},
		{Name: "callback-early", at: onAccept, Summary: "the generation ends, and its callback comes, before the submission is answered"},
	}
}

func getDirectives() []Directive {
	return append([]Directive{
		{Name: "get-status", at: onGet, Summary: "tells another status", Arguments: []Argument{
			{"is", kindText, "on_hold", "which"},
		}},
	}, bodyDirectives("get-", onGet)...)
}

// bodyDirectives are the faults of a JSON object that tells of a generation.
func bodyDirectives(prefix string, at place) []Directive {
	return []Directive{
		{Name: prefix + "field", at: at, Summary: "one member of the body is another", Arguments: []Argument{
			{"name", kindText, "credits", "its name"},
			{"value", kindText, "", "its raw JSON text; without it the member is missing"},
		}},
		{Name: prefix + "duplicate-name", at: at, Summary: "one name of the body comes a second time, at its end", Arguments: []Argument{
			{"name", kindText, "status", "which; written STATUS it differs by case only"},
			{"value", kindText, `"failed"`, "the raw JSON text of the second"},
		}},
	}
}

func callbackDirectives() []Directive {
	return append([]Directive{
		{Name: "callback-late", at: onVerdict, Summary: "the callback comes late; a GET knows at once", Arguments: []Argument{
			{"for", kindDuration, "2m", "how late"},
		}},
		{Name: "callback-double", at: onVerdict, Summary: "the callback comes again", Arguments: []Argument{
			{"n", kindCount, "2", "how often in all"},
			{"gap", kindDuration, "0s", "the time between two"},
		}},
		{Name: "callback-contradict", at: onVerdict, Summary: "the opposite verdict follows, signed as well", Arguments: []Argument{
			{"gap", kindDuration, "2s", "how long after the first"},
		}},
		{Name: "callback-forged", at: onVerdict, Summary: "somebody else's callback, with the opposite verdict, comes first", Arguments: []Argument{
			{"with", signings, "wrong", "its signature"},
			{"n", kindCount, "1", "how many"},
		}},
		{Name: "callback-lost", at: onAttempt, Summary: "the attempt never arrives"},
		{Name: "callback-signature", at: onAttempt, Summary: "the attempt is signed in another way", Arguments: []Argument{
			{"with", signings, "wrong", "how"},
		}},
		{Name: "callback-altered", at: onAttempt, Summary: "the body changes after it was signed", Arguments: []Argument{
			{"how", "byte|newline|bom|space", "byte", "one byte altered, or one thing added"},
		}},
		{Name: "callback-body", at: onAttempt, Summary: "another body, rightly signed", Arguments: []Argument{
			{"is", "empty|junk|array|bom|newline|utf8|large|null", "junk", "bom and newline wrap the right body, large is 1 MB, utf8 is not UTF-8"},
		}},
		{Name: "callback-misdirected", at: onAttempt, Summary: "the attempt goes elsewhere", Arguments: []Argument{
			{"to", kindText, "previous", "previous: the webhook_url before this one; else a URL, or a path on the same host"},
		}},
	}, bodyDirectives("callback-", onAttempt)...)
}

func videoDirectives() []Directive {
	return []Directive{
		{Name: "video-redirect", at: onVideo, Summary: "redirects first", Arguments: []Argument{
			{"hops", kindCount, "1", "how often"},
			{"to", kindText, "", "where the last one goes; without it, to the video"},
			{"status", kindCount, "302", "the status of each"},
		}},
		{Name: "video-type", at: onVideo, Summary: "another Content-Type", Arguments: []Argument{
			{"is", kindText, "application/octet-stream", "which; none for none"},
		}},
		{Name: "video-no-range", at: onVideo, Summary: "knows no Range"},
		{Name: "video-length", at: onVideo, Summary: "a wrong Content-Length: over it the connection ends early, under it the body does", Arguments: []Argument{
			{"by", kindNumber, "100", "bytes too many, or, negative, too few"},
		}},
		{Name: "video-large", at: onVideo, Summary: "a video of that size, made on the fly", Arguments: []Argument{
			{"size", kindSize, "5GB", "how large"},
		}},
		{Name: "video-endless", at: onVideo, Summary: "a video that never ends, of untold length"},
		{Name: "video-gzip-bomb", at: onVideo, Summary: "a small gzip body that swells", Arguments: []Argument{
			{"size", kindSize, "1GB", "its size when unpacked"},
		}},
		{Name: "video-changing", at: onVideo, Summary: "other bytes and another ETag at each request"},
	}
}
