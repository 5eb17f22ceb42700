package fake_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

func TestContentIsMP4Boxes(t *testing.T) {
	t.Parallel()
	small := fake.SmallVideo()
	content, err := fake.NewContent(small, 100_001, 7)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(content)
	if err != nil || len(all) != 100_001 || content.Size() != 100_001 {
		t.Fatalf("%d bytes, %v", len(all), err)
	}
	var names []string
	for rest := all; len(rest) > 0; {
		size := uint64(binary.BigEndian.Uint32(rest))
		if size == 1 {
			size = binary.BigEndian.Uint64(rest[8:])
		}
		if size < 8 || size > uint64(len(rest)) {
			t.Fatalf("a box of %d bytes in %d, after %v", size, len(rest), names)
		}
		names = append(names, string(rest[4:8]))
		rest = rest[size:]
	}
	if names[0] != "ftyp" || names[len(names)-1] != "free" {
		t.Errorf("boxes: %v", names)
	}
	if err := iotest.TestReader(content, all); err == nil {
		t.Error("a reader at its end must not start over")
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(content, all); err != nil {
		t.Error(err)
	}
}

func TestContentIsDeterministic(t *testing.T) {
	t.Parallel()
	read := func(offset int64, salt byte) []byte {
		content, err := fake.NewContent(fake.SmallVideo(), 5e9, salt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := content.Seek(offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 1001)
		if _, err := io.ReadFull(content, text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	if !bytes.Equal(read(4e9+3, 0)[2:], read(4e9+5, 0)[:999]) {
		t.Error("other bytes when read from elsewhere")
	}
	if bytes.Equal(read(4e9, 0), read(4e9, 1)) || bytes.Equal(read(4e9, 0), read(4e9+8, 0)) {
		t.Error("the same bytes with another salt, or in another place")
	}
	if _, err := fake.NewContent(fake.SmallVideo(), 100, 0); err == nil {
		t.Error("100 bytes were enough")
	}
}

func BenchmarkContent(b *testing.B) {
	content, err := fake.NewContent(fake.SmallVideo(), 5e9, 0)
	if err != nil {
		b.Fatal(err)
	}
	text := make([]byte, 32<<10)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := content.Read(text); err != nil {
			_, _ = content.Seek(0, io.SeekStart)
		}
	}
}
