package fake

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// video answers GET /videos/{id}.mp4, without a key, as signed URLs do.
func (v *Vendor) video(w http.ResponseWriter, r *http.Request) {
	rec := v.record(w, r, "video")
	defer rec.finish()
	id := strings.TrimSuffix(r.PathValue("id"), ".mp4")
	rec.note(func(q *Request) { q.GenerationID = id })
	v.mu.Lock()
	g := v.byID[id]
	completed := g != nil && g.status == statusCompleted
	var faults []*fault
	if completed {
		faults = v.fireFor(onVideo, g)
	}
	v.mu.Unlock()
	if !completed {
		http.Error(rec, "there is no such video", http.StatusNotFound)
		return
	}
	rec.strike(faults)
	if redirected(rec, r, faults) {
		return
	}
	out, done := v.disturb(rec, r, faults)
	if done {
		return
	}
	v.serveVideo(out, r, g, faults)
}

// redirected carries out video-redirect; hop counts those that were followed.
func redirected(w http.ResponseWriter, r *http.Request, faults []*fault) bool {
	hop, _ := strconv.Atoi(r.URL.Query().Get("hop"))
	for _, f := range faults {
		if f.kind != "redirect" {
			continue
		}
		hops, to := f.count("hops"), f.arguments["to"]
		switch {
		case hop < hops-1, hop < hops && to == "":
			to = r.URL.Path + "?hop=" + strconv.Itoa(hop+1)
		case hop >= hops:
			return false
		}
		w.Header().Set("Location", to)
		answer(w, f.count("status"), "", nil)
		return true
	}
	return false
}

// shape is how a video is served.
type shape struct {
	contentType string
	size        int64 // 0: the small video as it is
	salt        byte
	noRange     bool
	endless     bool
	bomb        int64 // unpacked size; 0: none
	lengthBy    int64
	etag        string
}

func (v *Vendor) shape(g *generation, faults []*fault) shape {
	s := shape{contentType: "video/mp4", etag: `"` + g.id + `"`}
	for _, f := range faults {
		switch f.kind {
		case "type":
			s.contentType = f.arguments["is"]
		case "no-range":
			s.noRange = true
		case "length":
			by, _ := strconv.ParseFloat(f.arguments["by"], 64)
			s.lengthBy = int64(by)
		case "large":
			s.size = f.size("size")
		case "endless":
			s.endless = true
		case "gzip-bomb":
			s.bomb = f.size("size")
		case "changing":
			v.mu.Lock()
			s.salt = byte(f.fired) //nolint:gosec // G115: 256 different ones are enough
			v.mu.Unlock()
			s.etag = fmt.Sprintf(`"%s-%d"`, g.id, s.salt)
		}
	}
	if s.endless {
		s.size = math.MaxInt64
	}
	if s.salt > 0 && s.size == 0 {
		s.size = int64(len(v.config.Video)) + 1<<10
	}
	return s
}

func (v *Vendor) serveVideo(w http.ResponseWriter, r *http.Request, g *generation, faults []*fault) {
	s := v.shape(g, faults)
	header := w.Header()
	header.Set("ETag", s.etag)
	header["Content-Type"] = []string{s.contentType}
	if s.contentType == "none" {
		header["Content-Type"] = nil // else net/http would guess one
	}
	if s.bomb > 0 {
		serveBomb(w, s.bomb)
		return
	}
	var content io.ReadSeeker = bytes.NewReader(v.config.Video)
	if s.size > 0 {
		made, err := NewContent(v.config.Video, s.size, s.salt)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		content = made
	}
	switch {
	case s.endless:
		w.WriteHeader(http.StatusOK)
		_, _ = io.Copy(writerOnly{w}, content)
	case s.lengthBy != 0:
		serveWrongLength(w, content, s.lengthBy)
	default:
		if s.noRange {
			r = r.Clone(r.Context())
			r.Header.Del("Range")
			w = noRangeWriter{w}
		}
		http.ServeContent(w, r, "", g.completedAt.UTC().Truncate(time.Second), content)
	}
}

// serveWrongLength declares another length than there is. Of more than there is net/http ends the
// connection; of less a client sees no more than that.
func serveWrongLength(w http.ResponseWriter, content io.ReadSeeker, by int64) {
	size, err := content.Seek(0, io.SeekEnd)
	if err != nil {
		return
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return
	}
	declared := max(0, size+by)
	w.Header().Set("Content-Length", strconv.FormatInt(declared, 10))
	w.WriteHeader(http.StatusOK)
	_, _ = io.CopyN(writerOnly{w}, content, declared) // ends with the content at the latest
}

// serveBomb sends zeros that unpack to a size, made of one small gzip member again and again.
func serveBomb(w http.ResponseWriter, size int64) {
	const unpacked = 1 << 20
	var member bytes.Buffer
	pack := gzip.NewWriter(&member)
	_, _ = pack.Write(make([]byte, unpacked)) // a Buffer takes everything
	_ = pack.Close()
	times := (size + unpacked - 1) / unpacked
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.FormatInt(times*int64(member.Len()), 10))
	w.WriteHeader(http.StatusOK)
	for range times {
		if _, err := w.Write(member.Bytes()); err != nil {
			return
		}
	}
}

// writerOnly hides ReadFrom, which would pass by the writers that disturb puts around.
type writerOnly struct{ io.Writer }

// noRangeWriter takes back what http.ServeContent says of ranges.
type noRangeWriter struct{ http.ResponseWriter }

// WriteHeader writes no Accept-Ranges.
func (w noRangeWriter) WriteHeader(status int) {
	w.Header().Del("Accept-Ranges")
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (w noRangeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
