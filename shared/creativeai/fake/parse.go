package fake

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const directiveStart = "[fault:"

// ErrDirective is wrapped by every error about a fault that cannot be understood.
var ErrDirective = errors.New("fault not understood")

// parsePrompt reads the directives in a prompt, of the form "[fault: NAME key=value …]".
func parsePrompt(prompt string) ([]*fault, error) {
	var faults []*fault
	for {
		_, rest, found := strings.Cut(prompt, directiveStart)
		if !found {
			return faults, nil
		}
		words, rest, err := split(rest)
		if err != nil {
			return nil, err
		}
		f, err := newFault(words)
		if err != nil {
			return nil, err
		}
		faults = append(faults, f)
		prompt = rest
	}
}

// parseFault reads a directive without its brackets, such as "429 retry-after=2 times=3".
func parseFault(text string) (*fault, error) {
	text = strings.TrimSpace(text)
	if inner, found := strings.CutPrefix(text, directiveStart); found {
		text = inner
	} else {
		text += "]"
	}
	words, rest, err := split(text)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, fmt.Errorf("%w: %q follows the end of %q", ErrDirective, rest, text)
	}
	return newFault(words)
}

// split cuts a directive into words at white space outside of quotes, up to its "]".
func split(text string) (words []string, rest string, err error) {
	var word strings.Builder
	quoted, started := false, false
	flush := func() {
		if started {
			words = append(words, word.String())
		}
		word.Reset()
		started = false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quoted && i+1 < len(text):
			i++
			word.WriteByte(text[i])
		case c == '"':
			quoted = !quoted
			started = true
		case quoted:
			word.WriteByte(c)
		case c == ']':
			flush()
			return words, text[i+1:], nil
		case strings.IndexByte(" \t\r\n", c) >= 0:
			flush()
		default:
			word.WriteByte(c)
			started = true
		}
	}
	return nil, "", fmt.Errorf("%w: no ] ends %q", ErrDirective, directiveStart+text)
}

func newFault(words []string) (*fault, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("%w: %q names none", ErrDirective, directiveStart+"]")
	}
	f := &fault{text: strings.Join(words, " "), arguments: make(map[string]string, len(words)), chance: 1}
	d, err := f.named(words[0])
	if err != nil {
		return nil, err
	}
	known := slices.Concat(d.Arguments, CommonArguments())
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		at := slices.IndexFunc(known, func(a Argument) bool { return a.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("%w: %s has no argument %q; it has %s", ErrDirective, words[0], name, names(known))
		}
		if err := known[at].check(value); err != nil {
			return nil, fmt.Errorf("%w: %s of %s: %w", ErrDirective, name, words[0], err)
		}
		f.arguments[name] = value
	}
	f.setCommon()
	for _, a := range d.Arguments {
		if _, given := f.arguments[a.Name]; !given && a.Default != "" {
			f.arguments[a.Name] = a.Default
		}
	}
	return f, nil
}

// named finds the directive and sets the fault's place and kind, which is the name without the
// place's prefix.
func (f *fault) named(name string) (Directive, error) {
	prefix := ""
	for _, p := range []string{"get-", "callback-", "video-"} {
		if strings.HasPrefix(name, p) {
			prefix = p
		}
	}
	f.kind = strings.TrimPrefix(name, prefix)
	listed := name
	if status, err := strconv.Atoi(f.kind); err == nil && status >= 300 && status <= 599 {
		f.kind, f.status = kindStatus, status
		listed = prefix + "NNN"
	}
	d, known := catalogue().byName[listed]
	if !known || f.kind == "NNN" {
		return Directive{}, fmt.Errorf("%w: there is no fault %q; GET /_fake/directives lists them", ErrDirective, name)
	}
	f.at = d.at
	return d, nil
}

func names(arguments []Argument) string {
	list := make([]string, len(arguments))
	for i, a := range arguments {
		list[i] = a.Name
	}
	return strings.Join(list, ", ")
}

// check tells whether a value fits the argument.
func (a Argument) check(value string) error {
	var err error
	switch a.Kind {
	case kindText:
	case kindDuration:
		var d time.Duration
		if d, err = time.ParseDuration(value); err == nil && d < 0 {
			err = fmt.Errorf("%s is negative", value)
		}
	case kindCount:
		_, err = strconv.ParseUint(value, 10, 31)
	case kindNumber:
		_, err = strconv.ParseFloat(value, 64)
	case kindSize:
		_, err = parseSize(value)
	case kindPosition:
		_, err = strconv.ParseUint(strings.TrimSuffix(value, "%"), 10, 63)
	default:
		if !slices.Contains(strings.Split(a.Kind, "|"), value) {
			err = fmt.Errorf("%q is none of %s", value, a.Kind)
		}
	}
	return err
}

// parseSize reads a number of bytes such as 5GB, with decimal units.
func parseSize(text string) (int64, error) {
	units := []struct {
		name string
		size int64
	}{{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}
	factor := int64(1)
	number := text
	for _, unit := range units {
		if trimmed, found := strings.CutSuffix(text, unit.name); found {
			number, factor = trimmed, unit.size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no size such as 500, 64KB or 5GB", text)
	}
	return n * factor, nil
}
