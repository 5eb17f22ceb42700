//go:build !race

package videos_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/videos/s3test"
)

// The archive function has 256 MB. What its process holds at most must leave room
// in it, however large the video.
const (
	functionBytes = 256 << 20
	mostResident  = 160 << 20
)

var videoBytes = flag.Float64("video-bytes", 2e9, "size of the video in TestMemoryStaysFlat; 5e9 is the default limit of the archive")

func TestMemoryStaysFlat(t *testing.T) { // not parallel: it measures
	size := int64(*videoBytes)
	if testing.Short() {
		size = min(size, 300e6)
	}
	video, rootPEM := videoServer(t, size)
	s3 := s3test.New(t, s3test.Discard())
	start := time.Now()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self, "copy-one-video", video, rootPEM, s3.URL)
	child.Env = []string{fmt.Sprintf("GOMEMLIMIT=%d", functionBytes)}
	var problems strings.Builder
	child.Stderr = &problems
	sum, err := child.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	usage, ok := child.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Skip("this system does not tell how much memory a process held")
	}
	resident := usage.Maxrss * 1024 // Linux counts in KB
	took := time.Since(start)
	cpu := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	t.Logf("%d MB in %v (%v of CPU), at most %d MB resident", size/1e6, took.Round(time.Millisecond), cpu, resident>>20)
	if resident > mostResident {
		t.Errorf("the process held %d MB, want at most %d MB", resident>>20, mostResident>>20)
	}
	got, ok := s3.Object(key)
	if !ok || got.Size != size || got.SHA256 != string(sum) {
		t.Errorf("the object has %d bytes with checksum %s, the process says %s", got.Size, got.SHA256, sum)
	}
	if want := hashOfContent(t, size); got.SHA256 != want {
		t.Errorf("the object's checksum is %s, that of the video %s", got.SHA256, want)
	}
}
