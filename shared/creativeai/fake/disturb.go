package fake

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// disturb carries out the faults that any answer can have, in their order. It returns the writer
// to answer with, and whether the answer is given already. Others than those it leaves alone.
func (v *Vendor) disturb(w http.ResponseWriter, r *http.Request, faults []*fault) (http.ResponseWriter, bool) {
	for _, f := range faults {
		switch f.kind {
		case "slow":
			// A client that gives up does not stop a vendor, so this does not look at its context.
			if !pause(v.alive(), v.scaled(f.duration("for"))) { //nolint:contextcheck // see above
				hangUp(w, true)
			}
		case "cut", "lost-answer", "refuse":
			hangUp(w, f.arguments["how"] == "reset")
		case "drip":
			w = &dripWriter{ResponseWriter: w, gone: r.Context(), every: v.scaled(f.duration("every")), drop: int(f.size("bytes"))}
		case "cut-body":
			w = &cutWriter{ResponseWriter: w, at: f.arguments["at"], left: -1}
		case "html":
			answer(w, f.count("status"), f.arguments["type"], []byte(htmlPage))
			return w, true
		case kindStatus:
			v.answerStatus(w, f)
			return w, true
		}
	}
	return w, false
}

const htmlPage = "<!DOCTYPE html>\n<html><head><title>One moment</title></head><body><h1>We are back soon</h1></body></html>\n"

// answerStatus carries out a fault NNN.
func (v *Vendor) answerStatus(w http.ResponseWriter, f *fault) {
	if value := f.arguments["retry-after"]; value != "" {
		w.Header().Set("Retry-After", v.retryAfter(value))
	}
	if f.status < 400 {
		w.Header().Set("Location", f.arguments["location"])
	}
	text := http.StatusText(f.status)
	switch f.arguments["body"] {
	case "empty":
		answer(w, f.status, "", nil)
	case "text":
		answer(w, f.status, "text/plain; charset=utf-8", []byte(text+"\n"))
	case "html":
		answer(w, f.status, "text/html; charset=utf-8", []byte(htmlPage))
	default:
		code := strings.ReplaceAll(strings.ToLower(text), " ", "_")
		refuse(w, f.status, code, "by fault: "+text)
	}
}

// retryAfter is literal time: a client waits as long as it says, whatever the scale.
func (v *Vendor) retryAfter(value string) string {
	switch value {
	case "huge":
		return "315360000" // ten years
	case "junk":
		return "in a while"
	}
	if text, found := strings.CutPrefix(value, "date:"); found {
		if d, err := time.ParseDuration(text); err == nil {
			return v.config.Now().Add(d).UTC().Format(http.TimeFormat)
		}
	}
	return value
}

// hangUp ends the connection without another byte. It does not return.
func hangUp(w http.ResponseWriter, reset bool) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if c, ok := conn.(interface{ SetLinger(sec int) error }); ok && reset {
			_ = c.SetLinger(0) // closing is then a reset
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler) // without Hijack, as in HTTP/2, this resets the stream
}

// dripWriter sends a body in drops, until the client has gone.
type dripWriter struct {
	http.ResponseWriter
	gone  context.Context //nolint:containedctx // the request's own, and no longer lived than it
	every time.Duration
	drop  int
}

// Write sends p drop by drop.
func (d *dripWriter) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, err := d.ResponseWriter.Write(p[sent:min(sent+max(d.drop, 1), len(p))])
		sent += n
		if err != nil {
			return sent, err
		}
		if err := http.NewResponseController(d.ResponseWriter).Flush(); err != nil {
			return sent, err
		}
		if !pause(d.gone, d.every) {
			return sent, context.Cause(d.gone)
		}
	}
	return sent, nil
}

// Unwrap serves http.ResponseController.
func (d *dripWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// cutWriter ends the connection within the body.
type cutWriter struct {
	http.ResponseWriter
	at   string // bytes, or per cent of the Content-Length
	left int64  // -1 before the first byte
}

// Write passes on what comes before the cut.
func (c *cutWriter) Write(p []byte) (int, error) {
	if c.left < 0 {
		c.left = cutPosition(c.at, c.Header().Get("Content-Length"))
	}
	if int64(len(p)) < c.left {
		n, err := c.ResponseWriter.Write(p)
		c.left -= int64(n)
		return n, err
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	hangUp(c.ResponseWriter, false)
	return 0, http.ErrAbortHandler
}

// Unwrap serves http.ResponseController.
func (c *cutWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func cutPosition(at, contentLength string) int64 {
	percent, relative := strings.CutSuffix(at, "%")
	n, _ := strconv.ParseInt(percent, 10, 64) // checked when the fault was read
	if !relative {
		return n
	}
	total, err := strconv.ParseInt(contentLength, 10, 64)
	if err != nil {
		total = 4096 // of untold length: early on
	}
	return total/100*n + total%100*n/100
}
