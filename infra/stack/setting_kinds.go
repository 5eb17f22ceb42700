package stack

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Setting describes one setting: what the README shows of it, and how its
// value gets into [Settings].
type Setting struct {
	// Name is the key in CDK context.
	Name string
	// Default is used when nothing is given; empty means "not set".
	Default string
	// Want says what a value must be: its type, unit and range.
	Want string
	// Doc says what the setting does.
	Doc string

	set func(string) error
	get func() string
}

var errUnwanted = errors.New("not a value that is wanted")

func require(ok bool) error {
	if !ok {
		return errUnwanted
	}
	return nil
}

func flag(name string, p *bool, value bool, doc string) Setting {
	return Setting{
		Name: name, Default: strconv.FormatBool(value), Want: "true or false", Doc: doc,
		get: func() string { return strconv.FormatBool(*p) },
		set: func(v string) error {
			*p = v == "true"
			return require(v == "true" || v == "false")
		},
	}
}

func number(name string, p *int, value, low, high int, unit, doc string) Setting {
	return wholeNumber(name, p, value, fmt.Sprintf("a whole number of %s, %d to %d", unit, low, high), doc,
		func(n int) bool { return n >= low && n <= high })
}

func wholeNumber(name string, p *int, value int, want, doc string, valid func(int) bool) Setting {
	return Setting{
		Name: name, Default: strconv.Itoa(value), Want: want, Doc: doc,
		get: func() string { return strconv.Itoa(*p) },
		set: func(v string) error {
			n, err := strconv.Atoi(v)
			if err == nil && !valid(n) {
				err = errUnwanted
			}
			*p = n
			return err
		},
	}
}

func duration(name string, p *time.Duration, value, low, high time.Duration, doc string) Setting {
	return Setting{
		Name: name, Default: formatDuration(value), Doc: doc,
		Want: fmt.Sprintf("a duration in whole seconds (\"90s\", \"12h\", \"7d\"), %s to %s", formatDuration(low), formatDuration(high)),
		get:  func() string { return formatDuration(*p) },
		set: func(v string) error {
			d, err := parseDuration(v)
			if err == nil && (d < low || d > high || d%time.Second != 0) {
				err = errUnwanted
			}
			*p = d
			return err
		},
	}
}

func choice(name string, p *string, doc string, options ...string) Setting {
	return text(name, p, options[0], "one of "+strings.Join(options, ", "), doc,
		func(v string) bool { return slices.Contains(options, v) })
}

func pattern(name string, p *string, value, want, expr, doc string) Setting {
	return text(name, p, value, want, doc, regexp.MustCompile(expr).MatchString)
}

func text(name string, p *string, value, want, doc string, valid func(string) bool) Setting {
	return Setting{
		Name: name, Default: value, Want: want, Doc: doc,
		get: func() string { return *p },
		set: func(v string) error {
			*p = v
			return require(v == value || valid(v))
		},
	}
}

// baseURL accepts an http or https URL that paths can be appended to.
func baseURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.HasSuffix(v, "/")
}

// origin accepts a base URL without a path.
func origin(v string) bool {
	u, err := url.Parse(v)
	return err == nil && baseURL(v) && u.Path == ""
}

// parseDuration reads Go's notation and, beyond it, whole days: "7d".
func parseDuration(v string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(v, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(v)
}

// formatDuration writes what parseDuration reads, in its shortest form.
func formatDuration(d time.Duration) string {
	if d > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	s := d.String()
	if d%time.Minute == 0 && d != 0 {
		s = strings.TrimSuffix(s, "0s")
	}
	if d%time.Hour == 0 && d != 0 {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
