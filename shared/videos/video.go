package videos

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// sniffed is how many of a video's first bytes its type is told from.
const sniffed = 3072

// Video is a video that is being downloaded. Read returns io.EOF only at its
// true end, and a [*Problem] otherwise.
type Video struct {
	// ContentType is what the first bytes say, such as "video/mp4"; the server's word is not taken.
	ContentType string
	// Extension is the one that goes with it, such as ".mp4".
	Extension string
	// Size is in bytes; -1 when the server does not say.
	Size int64

	head   []byte
	source *source
}

// AtHand is a video that needs no download, for what stands in for a [Fetcher].
func AtHand(contentType, extension string, body []byte) *Video {
	return &Video{ContentType: contentType, Extension: extension, Size: int64(len(body)), head: body}
}

// Read is [io.Reader]'s.
func (v *Video) Read(p []byte) (int, error) {
	if len(v.head) > 0 {
		n := copy(p, v.head)
		v.head = v.head[n:]
		return n, nil
	}
	if v.source == nil {
		return 0, io.EOF
	}
	return v.source.Read(p)
}

// Close ends the download.
func (v *Video) Close() {
	if v.source != nil {
		v.source.stream.close()
	}
}

// inspect reads the first bytes, to see that they are a video's.
func (v *Video) inspect() error {
	head := make([]byte, sniffed)
	n, err := io.ReadFull(v.source, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	v.head = head[:n]
	kind := mimetype.Detect(v.head)
	switch {
	case isTransportStream(v.head):
		v.ContentType, v.Extension = "video/mp2t", ".ts"
	case strings.HasPrefix(kind.String(), "video/"):
		v.ContentType, v.Extension = kind.String(), kind.Extension()
	case n == 0:
		return problem(WrongType, Final, "the answer is empty")
	default:
		return problem(WrongType, Final, "the bytes are %s, not a video", kind)
	}
	return nil
}

// isTransportStream knows MPEG-TS by the sync byte of its first three packets of
// 188 bytes (ISO/IEC 13818-1, section 2.4.3.2).
func isTransportStream(b []byte) bool {
	const packet, sync = 188, 'G'
	return len(b) > 2*packet && bytes.Count([]byte{b[0], b[packet], b[2*packet]}, []byte{sync}) == 3
}

// source reads one video over as many connections as it takes.
type source struct {
	stream  *stream
	offset  int64
	size    int64
	most    int64
	etag    string
	resumes int
	tried   int
	reopen  func(offset int64) (*stream, error)
	wait    func(tried int) error
}

func (s *source) Read(p []byte) (int, error) {
	for {
		n, err := s.stream.Read(p)
		s.offset += int64(n)
		switch {
		case s.offset > s.most:
			return 0, tooLarge(s.most)
		case s.size >= 0 && s.offset > s.size:
			return 0, problem(WrongLength, Doubtful, "the server announced %d bytes and sent more", s.size)
		case n > 0:
			return n, nil
		case errors.Is(err, io.EOF) && (s.size < 0 || s.offset == s.size):
			return 0, io.EOF
		case err != nil:
			if err := s.resume(s.broken(err)); err != nil {
				return 0, err
			}
		}
	}
}

// broken says how a download broke off.
func (s *source) broken(err error) *Problem {
	switch {
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return problemOf(err)
	case s.size < 0:
		return problem(WrongLength, Doubtful, "the connection ended within the video, after %d bytes", s.offset)
	}
	return problem(WrongLength, Doubtful, "the server announced %d bytes and ended after %d", s.size, s.offset)
}

// resume goes on where the download broke off. If it cannot, why is the reason.
func (s *source) resume(why *Problem) error {
	for s.etag != "" && s.offset > 0 && s.tried < s.resumes {
		if err := s.wait(s.tried); err != nil {
			return err
		}
		s.tried++
		next, err := s.reopen(s.offset)
		if err == nil && s.size >= 0 && s.size != next.size {
			next.close()
			err = errNoResume
		}
		switch {
		case err == nil:
			s.stream.close()
			s.stream, s.size = next, next.size
			return nil
		case errors.Is(err, errNoResume):
			return why
		}
		if why = problemOf(err); why.Outlook != Passing {
			return why
		}
	}
	return why
}
