package local

import (
	"fmt"
	"maps"
	"net/url"
	"runtime"
	"strings"
)

// localSettings are the caller's settings on top of what a local deployment
// needs: the engine runs the functions as processes of this machine, and the
// vendor's videos lie on a loopback address.
func localSettings(vendorURL string, chosen map[string]string) map[string]string {
	settings := map[string]string{
		"local":                "true",
		"architecture":         architecture(),
		"creativeaiUrl":        strings.TrimRight(vendorURL, "/"),
		"archiveTrustedOrigin": origin(vendorURL),
	}
	maps.Copy(settings, chosen)
	return settings
}

// origin is the scheme and host of a URL; the URL itself if it has none, for the
// stack to complain of.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	return u.Scheme + "://" + u.Host
}

// architecture is this machine's, as AWS calls it.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// ParseSettings reads "name=value name=value …", as SETTINGS has it. What a
// name means, and which values it takes, only the stack knows.
func ParseSettings(text string) (map[string]string, error) {
	settings := make(map[string]string)
	for word := range strings.FieldsSeq(text) {
		name, value, found := strings.Cut(word, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("%q is no setting: write name=value, separated by spaces", word)
		}
		settings[name] = value
	}
	return settings, nil
}
