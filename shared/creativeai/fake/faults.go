package fake

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kindStatus is the kind of the directives NNN; no name can be the same.
const kindStatus = "NNN status"

// fault is a directive that was read. Its counter is guarded by Vendor.mu.
type fault struct {
	text      string // as it was written
	at        place
	kind      string // the directive's name without "get-", "callback-" or "video-"
	status    int    // of kindStatus
	arguments map[string]string

	times        int // 0: any number
	chance       float64
	after, until time.Duration // of the vendor's time; until 0: no end
	prompt       string

	since time.Time // of a rule: when it was set
	fired int
}

// ownFaults are those that a prompt asks for, of one job: its retries count on.
type ownFaults struct {
	list  []*fault
	since time.Time
}

// jobKey tells jobs apart: a retry of the same job brings the same webhook_url and prompt.
type jobKey struct{ webhookURL, prompt string }

func (f *fault) setCommon() {
	f.times = f.count("times")
	f.after, f.until = f.duration("after"), f.duration("until")
	f.prompt = f.arguments["prompt"]
	if p, given := f.arguments["p"]; given {
		f.chance, _ = strconv.ParseFloat(p, 64) // checked when it was read
	}
}

// The values below were checked when the fault was read; an absent one is zero.

func (f *fault) duration(name string) time.Duration {
	d, _ := time.ParseDuration(f.arguments[name])
	return d
}

func (f *fault) count(name string) int {
	n, _ := strconv.Atoi(f.arguments[name])
	return n
}

func (f *fault) size(name string) int64 {
	n, _ := parseSize(f.arguments[name])
	return n
}

func (f *fault) yes(name string) bool { return f.arguments[name] == "yes" }

// accepted tells whether a fault of a submission strikes after the acceptance.
func (f *fault) accepted() bool {
	return f.yes("accepted") || f.kind == "lost-answer" || f.kind == "answer" || f.kind == "same-id"
}

// AddFaults adds faults that strike all requests, each in the notation of the package comment,
// without brackets. Their windows begin now. None is added if one is not understood; the error
// wraps ErrDirective.
func (v *Vendor) AddFaults(texts ...string) error {
	rules := make([]*fault, len(texts))
	for i, text := range texts {
		f, err := parseFault(text)
		if err != nil {
			return fmt.Errorf("add fault: %w", err)
		}
		f.since = v.config.Now()
		rules[i] = f
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rules = append(v.rules, rules...)
	return nil
}

// ClearFaults ends what AddFaults and Config.Faults began. What prompts ask for goes on.
func (v *Vendor) ClearFaults() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rules = nil
}

// Fault is a fault that strikes all requests, as it stands.
type Fault struct {
	Text  string    `json:"fault"`
	Since time.Time `json:"since"`
	Fired int       `json:"fired"`
}

// Faults lists what was added and how often each has struck.
func (v *Vendor) Faults() []Fault {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]Fault, len(v.rules))
	for i, f := range v.rules {
		list[i] = Fault{Text: f.text, Since: f.since, Fired: f.fired}
	}
	return list
}

// job returns the faults that a submission asks for, those of its first try if this is another:
// their counters go on. The caller holds mu.
func (v *Vendor) job(s submission, own []*fault) *ownFaults {
	if len(own) == 0 {
		return &ownFaults{}
	}
	key := jobKey{s.WebhookURL, s.Prompt}
	if v.jobs[key] == nil {
		v.jobs[key] = &ownFaults{list: own, since: v.config.Now()}
	}
	return v.jobs[key]
}

// fire returns the faults that strike at a place now, and counts them: the rules, then the
// prompt's own, whose windows begin at since. The caller holds mu.
func (v *Vendor) fire(at place, prompt string, own []*fault, since time.Time) []*fault {
	var struck []*fault
	now := v.config.Now()
	for _, f := range v.rules {
		if f.at == at && v.strikes(f, prompt, now.Sub(f.since)) {
			struck = append(struck, f)
		}
	}
	for _, f := range own {
		if f.at == at && v.strikes(f, prompt, now.Sub(since)) {
			struck = append(struck, f)
		}
	}
	return struck
}

func (v *Vendor) strikes(f *fault, prompt string, age time.Duration) bool {
	switch {
	case f.times > 0 && f.fired >= f.times,
		age < v.scaled(f.after),
		f.until > 0 && age >= v.scaled(f.until),
		!strings.Contains(prompt, f.prompt),
		f.chance < 1 && v.random.Float64() >= f.chance:
		return false
	}
	f.fired++
	return true
}
