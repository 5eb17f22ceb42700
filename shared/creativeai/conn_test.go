package creativeai

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// What seal returns is the last word on what was written, even if a write hangs
// in the connection meanwhile and another one is still to come.
func TestSealIsTheLastWord(t *testing.T) {
	t.Parallel()
	for _, taken := range []int64{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			c := &conn{Conn: near}
			go func() { _, _ = io.CopyN(io.Discard, far, taken) }()
			wrote := make(chan error, 1)
			go func() {
				_, err := c.Write([]byte("POST / HTTP/1.1"))
				wrote <- err
			}()
			synctest.Wait() // the write hangs, with so much of it taken

			if n := c.seal(); n != taken {
				t.Errorf("seal says %d bytes, want %d", n, taken)
			}
			if err := <-wrote; err == nil {
				t.Error("the hanging write succeeded")
			}
			if n, err := c.Write([]byte("POST")); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("a write after the seal: %d, %v", n, err)
			}
		})
	}
}
