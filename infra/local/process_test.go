package local

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A family is a shell with a child in the background, as the engine with its
// functions. Both hold the write end of a pipe; when the other end reads EOF,
// both are gone.
func family() []string { return []string{"/bin/sh", "-c", "sleep 1000 & echo born; wait"} }

func TestKillEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	p, err := start(t.TempDir(), os.Environ(), w, family()...)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	waitForBirth(t, r)
	p.kill()
	waitForEnd(t, r)
}

// helperEnv makes the test binary the process that dies.
const helperEnv = "CLIPQUEUE_TEST_HELPER"

func TestGroupEndsWithAKilledParent(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	helper := exec.Command(os.Args[0], "-test.run=^TestHelperStartsAFamily$")
	helper.Env = append(os.Environ(), helperEnv+"=1")
	helper.Stdout = w
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	waitForBirth(t, r)
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait() // "signal: killed"
	waitForEnd(t, r)
}

func TestHelperStartsAFamily(t *testing.T) {
	if os.Getenv(helperEnv) == "" {
		return // no test of its own: TestGroupEndsWithAKilledParent runs it
	}
	if _, err := start(t.TempDir(), os.Environ(), os.Stdout, family()...); err != nil {
		t.Fatal(err)
	}
	select {}
}

func TestRunReportsWhatTheProgramPrinted(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), t.TempDir(), os.Environ(), "/bin/sh", "-c", "echo out of luck; exit 3")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("run: %v, want exit code 3", err)
	}
	if want := "out of luck"; !strings.Contains(err.Error(), want) {
		t.Errorf("run: %v, want %q in it", err, want)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	want := errors.New("enough")
	cancel(want)
	if err := run(ctx, t.TempDir(), os.Environ(), family()...); !errors.Is(err, want) {
		t.Errorf("run: %v, want %v", err, want)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return r, w
}

func waitForBirth(t *testing.T, r io.Reader) {
	t.Helper()
	if _, err := io.ReadFull(r, make([]byte, len("born\n"))); err != nil {
		t.Fatalf("the group did not start: %v", err)
	}
}

func waitForEnd(t *testing.T, r io.Reader) {
	t.Helper()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("a process of the group is still there: %v", err)
	}
}

func closed(t *testing.T, f *os.File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
