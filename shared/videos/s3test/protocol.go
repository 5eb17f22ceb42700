package s3test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
)

// upload is an upload in parts that is under way.
type upload struct {
	object Object
	key    string
	parts  map[int]part
	// In a server that discards, parts are hashed as soon as it is their turn.
	next int
	sum  hash.Hash
}

type part struct {
	body []byte
	size int64
	etag string
}

// refusal is an answer that is not what was asked for.
type refusal struct {
	status int
	code   string
}

// ServeHTTP carries out one request, path style: /<bucket>/<key>.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	operation := operationOf(r)
	body, err := read(r)
	if err != nil {
		return // the client went away
	}
	fault := s.fault(operation)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, operation)
	if fault.Status != 0 && !fault.Applied {
		refuse(w, refusal{fault.Status, "InternalError"})
		return
	}
	if bucket != Bucket {
		refuse(w, refusal{http.StatusNotFound, "NoSuchBucket"})
		return
	}
	answer, problem := s.carryOut(operation, key, r, body)
	switch {
	case problem != (refusal{}):
		refuse(w, problem)
	case fault.Applied:
		refuse(w, refusal{max(fault.Status, http.StatusInternalServerError), "InternalError"})
	case operation == "GetObject":
		give(w, s.objects[key])
	default:
		w.Header().Set("ETag", answer.etag)
		_, _ = io.WriteString(w, answer.xml)
	}
}

// read is the body, out of the chunks with a checksum behind them that the SDK
// sends over https.
func read(r *http.Request) ([]byte, error) {
	size, from := r.ContentLength, io.Reader(r.Body)
	if r.Header.Get("X-Amz-Content-Sha256") == "STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
		from = httputil.NewChunkedReader(r.Body)
		var err error
		if size, err = strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64); err != nil {
			return nil, err
		}
	}
	body := make([]byte, max(size, 0))
	if _, err := io.ReadFull(from, body); err != nil {
		return nil, err
	}
	_, err := io.Copy(io.Discard, r.Body)
	return body, err
}

type answer struct{ etag, xml string }

func operationOf(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodGet:
		return "GetObject"
	case r.Method == http.MethodPut && q.Has("tagging"):
		return "PutObjectTagging"
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return "UploadPart"
	case r.Method == http.MethodPut:
		return "PutObject"
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost:
		return "CompleteMultipartUpload"
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		return "AbortMultipartUpload"
	}
	return r.Method
}

func (s *Server) carryOut(operation, key string, r *http.Request, body []byte) (answer, refusal) {
	_, exists := s.objects[key]
	up := s.uploads[r.URL.Query().Get("uploadId")]
	if up == nil && (operation == "UploadPart" || operation == "CompleteMultipartUpload" || operation == "AbortMultipartUpload") {
		return answer{}, refusal{http.StatusNotFound, "NoSuchUpload"}
	}
	writes := operation == "PutObject" || operation == "CompleteMultipartUpload"
	if writes && exists && r.Header.Get("If-None-Match") == "*" {
		return answer{}, refusal{http.StatusPreconditionFailed, "PreconditionFailed"}
	}
	switch operation {
	case "PutObject":
		o := describe(r)
		o.Body, o.Size, o.SHA256 = s.keep(body), int64(len(body)), sum256(body)
		s.objects[key] = o
		return answer{etag: etagOf(body)}, refusal{}
	case "CreateMultipartUpload":
		id := fmt.Sprintf("upload-%d", len(s.calls))
		s.uploads[id] = &upload{object: describe(r), key: key, parts: map[int]part{}, next: 1, sum: sha256.New()}
		return answer{xml: "<InitiateMultipartUploadResult><UploadId>" + id + "</UploadId></InitiateMultipartUploadResult>"}, refusal{}
	case "UploadPart":
		return s.take(up, r, body)
	case "CompleteMultipartUpload":
		return s.complete(up, r, body)
	case "AbortMultipartUpload":
		delete(s.uploads, r.URL.Query().Get("uploadId"))
		return answer{}, refusal{}
	}
	if !exists {
		return answer{}, refusal{http.StatusNotFound, "NoSuchKey"}
	}
	if operation == "PutObjectTagging" {
		return s.tag(key, body)
	}
	return answer{}, refusal{}
}

func (s *Server) keep(body []byte) []byte {
	if s.discard {
		return nil
	}
	return body
}

func (s *Server) take(up *upload, r *http.Request, body []byte) (answer, refusal) {
	n, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || n < 1 || n > 10_000 {
		return answer{}, refusal{http.StatusBadRequest, "InvalidArgument"}
	}
	p := part{body: body, size: int64(len(body)), etag: etagOf(body)}
	up.parts[n] = p
	for s.discard {
		turn, ok := up.parts[up.next]
		if !ok {
			break
		}
		up.sum.Write(turn.body)
		up.parts[up.next] = part{size: turn.size, etag: turn.etag}
		up.next++
	}
	return answer{etag: p.etag}, refusal{}
}

func (s *Server) complete(up *upload, r *http.Request, body []byte) (answer, refusal) {
	var list struct {
		Part []struct {
			PartNumber int    `xml:"PartNumber"`
			ETag       string `xml:"ETag"`
		} `xml:"Part"`
	}
	if err := xml.Unmarshal(body, &list); err != nil { //nolint:gosec // a test double, fed by the SDK
		return answer{}, refusal{http.StatusBadRequest, "MalformedXML"}
	}
	o := up.object
	for i, listed := range list.Part {
		p, ok := up.parts[listed.PartNumber]
		switch {
		case !ok || listed.PartNumber != i+1 || p.etag != listed.ETag:
			return answer{}, refusal{http.StatusBadRequest, "InvalidPart"}
		case i < len(list.Part)-1 && p.size < 5<<20:
			return answer{}, refusal{http.StatusBadRequest, "EntityTooSmall"}
		}
		o.Body = append(o.Body, p.body...)
		o.Size += p.size
		if !s.discard {
			up.sum.Write(p.body)
		}
	}
	if size := r.Header.Get("x-amz-mp-object-size"); size != "" && size != strconv.FormatInt(o.Size, 10) {
		return answer{}, refusal{http.StatusBadRequest, "InvalidRequest"}
	}
	o.SHA256 = hex.EncodeToString(up.sum.Sum(nil))
	s.objects[up.key] = o
	delete(s.uploads, r.URL.Query().Get("uploadId"))
	return answer{xml: "<CompleteMultipartUploadResult><Key>" + up.key + "</Key></CompleteMultipartUploadResult>"}, refusal{}
}

func (s *Server) tag(key string, body []byte) (answer, refusal) {
	var tagging struct {
		TagSet struct {
			Tag []struct {
				Key   string `xml:"Key"`
				Value string `xml:"Value"`
			} `xml:"Tag"`
		} `xml:"TagSet"`
	}
	if err := xml.Unmarshal(body, &tagging); err != nil { //nolint:gosec // a test double, fed by the SDK
		return answer{}, refusal{http.StatusBadRequest, "MalformedXML"}
	}
	o := s.objects[key]
	o.Tags = map[string]string{}
	for _, t := range tagging.TagSet.Tag {
		o.Tags[t.Key] = t.Value
	}
	s.objects[key] = o
	return answer{}, refusal{}
}

func describe(r *http.Request) Object {
	o := Object{ContentType: r.Header.Get("Content-Type"), Metadata: map[string]string{}}
	for name, values := range r.Header {
		if short, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			o.Metadata[short] = values[0]
		}
	}
	return o
}

func give(w http.ResponseWriter, o Object) {
	for name, value := range o.Metadata {
		w.Header().Set("X-Amz-Meta-"+name, value)
	}
	w.Header().Set("Content-Type", o.ContentType)
	w.Header().Set("Content-Length", strconv.FormatInt(o.Size, 10))
	_, _ = w.Write(o.Body)
}

func refuse(w http.ResponseWriter, r refusal) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(r.status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as the test wants it</Message></Error>", r.code)
}

// etagOf is opaque to clients, so it need not be S3's own MD5.
func etagOf(body []byte) string { return fmt.Sprintf(`"%08x-%d"`, crc32.ChecksumIEEE(body), len(body)) }

func sum256(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
