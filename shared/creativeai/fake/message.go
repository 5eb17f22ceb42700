package fake

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"time"
)

// message is a callback on the wire.
type message struct {
	url        string
	body       []byte
	signatures []string
}

// compose writes a callback, with the faults that strike it. The caller holds mu.
func (v *Vendor) compose(d *delivery, faults []*fault) message {
	g := d.g
	object := g.callback(d.status, d.at)
	for _, f := range faults {
		object = oddBody(object, f)
	}
	m := message{url: g.submission.WebhookURL, body: object.encode()}
	for _, f := range faults {
		if f.kind == "body" {
			m.body = oddCallback(f.arguments["is"], m.body)
		}
	}
	how := d.sign
	for _, f := range faults {
		if f.kind == "signature" {
			how = f.arguments["with"]
		}
	}
	m.signatures = signing(how, m.body, v.signingKey(g), v.keys)
	for _, f := range faults {
		switch f.kind {
		case "altered":
			m.body = alter(f.arguments["how"], m.body)
		case "misdirected":
			m.url = v.elsewhere(f.arguments["to"], g)
		}
	}
	return m
}

// signingKey is the key that paid for the generation, while it is valid; the page says only that
// it is "your API key".
func (v *Vendor) signingKey(g *generation) string {
	if g.key == v.keys.current || g.key == v.keys.previous {
		return g.key
	}
	return v.keys.current
}

// callback is the body of a callback; the last member is not on the vendor's page.
func (g *generation) callback(status string, at time.Time) object {
	outputURL, failure := g.outcome(status)
	return object{}.
		add("id", g.id).
		add("object", "video.generation").
		add("status", status).
		add("model", g.submission.Model).
		add("model_actual", g.modelActual).
		add("prompt", g.submission.Prompt).
		add("output_url", outputURL).
		add("error_message", failure).
		add("credits", g.submission.credits()).
		add("failover_used", g.failover).
		add("completed_at", timestamp(at)).
		add("api_version", "2026-03-01")
}

const byteOrderMark = "\xef\xbb\xbf"

// oddCallback returns another body in place of the right one.
func oddCallback(name string, right []byte) []byte {
	switch name {
	case "empty":
		return nil
	case "array":
		return slices.Concat([]byte("["), right, []byte("]"))
	case "bom":
		return append([]byte(byteOrderMark), right...)
	case "newline":
		return append(slices.Clone(right), "\r\n"...)
	case "utf8":
		return bytes.Replace(right, []byte(`"object":"`), []byte("\"object\":\"\xff"), 1)
	case "large":
		return object{}.add("id", "gen_large").add("status", statusCompleted).add("padding", strings.Repeat("x", 1<<20)).encode()
	case "null":
		return []byte("null")
	}
	return []byte("this is no JSON")
}

// alter changes a body that was signed.
func alter(how string, body []byte) []byte {
	body = slices.Clone(body)
	switch {
	case how == "newline":
		return append(body, '\n')
	case how == "space":
		return append([]byte(" "), body...)
	case how == "bom":
		return append([]byte(byteOrderMark), body...)
	case len(body) > 0:
		body[len(body)/2] ^= 1
	}
	return body
}

// elsewhere is where a misdirected callback goes.
func (v *Vendor) elsewhere(to string, g *generation) string {
	if to == "previous" {
		for _, other := range slices.Backward(v.generations[:g.number]) {
			if other.submission.WebhookURL != "" {
				return other.submission.WebhookURL
			}
		}
		return g.submission.WebhookURL
	}
	base, err := url.Parse(g.submission.WebhookURL)
	if err != nil {
		return to
	}
	target, err := base.Parse(to)
	if err != nil {
		return to
	}
	return target.String()
}
