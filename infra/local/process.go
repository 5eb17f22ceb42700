package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// guard is a shell's program that turns into the command it is given, after it
// has left a watcher in the command's process group. The watcher reads a pipe
// whose other end only this process holds: however this process ends, the read
// ends with it, and the watcher ends the group.
const guard = `(cat <&3; kill -KILL 0) >/dev/null 2>&1 & exec 3<&-; exec "$@"`

// A process is a command in a process group of its own. The group is ended
// whole: the engine's warm function processes would outlive the engine.
type process struct {
	cmd  *exec.Cmd
	hold *os.File // our end of the watcher's pipe
	done chan struct{}
	err  error // how the command ended; to be read once done is closed
}

// start runs command in dir with env and sends its output to out.
func start(dir string, env []string, out io.Writer, command ...string) (*process, error) {
	watch, hold, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	defer watch.Close() //nolint:errcheck // the watcher has a descriptor of its own
	args := append([]string{"-c", guard, "guard"}, command...)
	cmd := exec.Command("/bin/sh", args...) //nolint:gosec,noctx // our own commands; a context would end the leader, not the group
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{watch}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", command[0], err), hold.Close())
	}
	p := &process{cmd: cmd, hold: hold, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// kill ends the whole group at once and waits for its leader.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // an error means that nobody is left
	_ = p.hold.Close()
	<-p.done
}

// run runs a command to its end, or ends its group when ctx ends. If it fails,
// the error carries the end of what it printed.
func run(ctx context.Context, dir string, env []string, command ...string) error {
	var out bytes.Buffer
	p, err := start(dir, env, &out, command...)
	if err != nil {
		return err
	}
	defer p.kill()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", command[0], context.Cause(ctx))
	case <-p.done:
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), p.err, tail(out.Bytes()))
	}
	return nil
}

// tail is the last few lines of a program's output.
func tail(out []byte) string {
	const most = 30
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
