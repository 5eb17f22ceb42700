package fake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Content is a video of any size that is made while it is read: a real MP4, then one "free" box
// of a fixed pattern, which players skip. Its bytes depend on nothing but the MP4, size and salt.
type Content struct {
	head   []byte // the MP4 and the header of the free box
	size   int64
	salt   byte
	offset int64
}

// freeHeader is the size of a box header with a 64-bit length.
const freeHeader = 16

// NewContent returns a video of that size in bytes, beginning with video. Another salt makes other
// bytes. The error says that the size is too small to hold video and the header of a box.
func NewContent(video []byte, size int64, salt byte) (*Content, error) {
	rest := size - int64(len(video))
	if rest < freeHeader {
		return nil, fmt.Errorf("make video: %d bytes are too few for one of %d and a box", size, len(video))
	}
	header := make([]byte, freeHeader)
	binary.BigEndian.PutUint32(header, 1) // the length follows in 64 bits
	copy(header[4:], "free")
	binary.BigEndian.PutUint64(header[8:], uint64(rest))
	return &Content{head: append(append([]byte(nil), video...), header...), size: size, salt: salt}, nil
}

// Size is the whole length in bytes.
func (c *Content) Size() int64 { return c.size }

// Read implements io.Reader.
func (c *Content) Read(p []byte) (int, error) {
	if c.offset >= c.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), c.size-c.offset)]
	n := 0
	if c.offset < int64(len(c.head)) {
		n = copy(p, c.head[c.offset:])
	}
	fill(p[n:], c.offset+int64(n), c.salt)
	c.offset += int64(len(p))
	return len(p), nil
}

// Seek implements io.Seeker.
func (c *Content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.offset
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("seek in video: before its beginning")
	}
	c.offset = offset
	return offset, nil
}

// fill writes the pattern: each 8 bytes hold their own number, so that bytes that are missing,
// doubled or in a wrong place are noticed.
func fill(p []byte, offset int64, salt byte) {
	for ; len(p) >= 8 && offset%8 == 0; p, offset = p[8:], offset+8 {
		binary.BigEndian.PutUint64(p, uint64(offset/8)^uint64(salt)<<56) //nolint:gosec // G115: as below
	}
	for len(p) > 0 {
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], uint64(offset/8)^uint64(salt)<<56) //nolint:gosec // G115: offsets are not negative
		n := copy(p, word[offset%8:])
		p, offset = p[n:], offset+int64(n)
	}
}
