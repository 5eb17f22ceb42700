package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// A scene is what a script plays in.
type scene struct {
	*world
	stdin    string
	terminal bool
	dir      string
}

type sceneKey struct{}

// TestScripts plays testdata/*.txtar. Beside testscript's own commands there are
//
//	clipqueue ARGS...            runs the command; "! clipqueue" wants it to fail
//	exits CODE ARGS...           runs it, and wants this exit code
//	input FILE | TEXT            is its standard input from then on
//	terminal                     lets it think that a person sees it
//	job ID STAGE                 puts a job at a stage of package jobtest into the table
//	generation ID STATUS [TEXT]  is what the vendor says of a generation, TEXT its prompt
//	letter QUEUE ID TEXT         puts a message on a dead-letter queue, or on a listener's
//	quarantined PATH TEXT        puts a callback into quarantine
//	later DURATION               lets time pass, and the bundle work
//	world NAME VALUE             sets something else about the deployment
//	server N                     runs a local server at $SERVER that answers 503 N times, then 200
//	listeners NAME...            wants just these listeners on the bus
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Values[sceneKey{}] = &scene{world: newWorld(), dir: e.WorkDir}
			e.Setenv("CLIPQUEUE_STACK", "Clipqueue-test")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"clipqueue": func(ts *testscript.TestScript, neg bool, args []string) {
				if code := play(ts, args); neg != (code != 0) {
					ts.Fatalf("it exited with %d", code)
				}
			},
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				if code := play(ts, args[1:]); strconv.Itoa(code) != args[0] {
					ts.Fatalf("it exited with %d, want %s", code, args[0])
				}
			},
			"input":       func(ts *testscript.TestScript, _ bool, args []string) { sceneOf(ts).stdin = fileOrText(ts, args[0]) },
			"terminal":    func(ts *testscript.TestScript, _ bool, _ []string) { sceneOf(ts).terminal = true },
			"job":         putJob,
			"generation":  putGeneration,
			"letter":      putLetter,
			"quarantined": putQuarantined,
			"later":       later,
			"world":       set,
			"listeners":   listeners,
			"server":      serve,
		},
	})
}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

func play(ts *testscript.TestScript, args []string) (code int) {
	s := sceneOf(ts)
	for i, arg := range args { // the command runs in this process, not in the script's directory
		if name, ok := strings.CutPrefix(arg, "./"); ok {
			args[i] = ts.MkAbs(name)
		}
	}
	out, errs, code := s.run(context.Background(), ts.Getenv, s.stdin, s.terminal, args)
	_, _ = ts.Stdout().Write([]byte(strings.ReplaceAll(out, s.dir, "$WORK")))
	_, _ = ts.Stderr().Write([]byte(strings.ReplaceAll(errs, s.dir, "$WORK")))
	return code
}

func fileOrText(ts *testscript.TestScript, name string) string {
	if _, err := os.Stat(ts.MkAbs(name)); err != nil || name == "" {
		return name
	}
	return ts.ReadFile(name)
}

func putJob(ts *testscript.TestScript, _ bool, args []string) {
	s := sceneOf(ts)
	for _, stage := range jobtest.Stages(scriptTB{ts: ts}, s.rules, args[0]) {
		if stage.Name == args[1] {
			ts.Check(s.table.Put(context.Background(), stage.Job, job.Job{}))
			return
		}
	}
	ts.Fatalf("no stage %q", args[1])
}

// scriptTB lets package jobtest fail a script. It has no other method of testing.TB.
type scriptTB struct {
	testing.TB
	ts *testscript.TestScript
}

func (t scriptTB) Helper() {}

func (t scriptTB) Fatalf(format string, args ...any) { t.ts.Fatalf(format, args...) }

func putGeneration(ts *testscript.TestScript, _ bool, args []string) {
	g := creativeai.Generation{ID: args[0], Status: args[1]}
	if len(args) > 2 {
		g.Prompt = args[2]
	}
	if g.Status == "completed" {
		g.OutputURL, g.Credits = "https://cdn.test/video.mp4", new(int64(9))
	}
	sceneOf(ts).generations[args[0]] = g
}

func putLetter(ts *testscript.TestScript, _ bool, args []string) {
	s := sceneOf(ts)
	s.mu.Lock()
	defer s.mu.Unlock()
	url := deadPrefix + args[0]
	if strings.HasPrefix(args[0], "listener/") {
		url = args[0]
	}
	s.put(url, strings.TrimSpace(fileOrText(ts, args[2])), args[1])
}

func putQuarantined(ts *testscript.TestScript, _ bool, args []string) {
	s := sceneOf(ts)
	ts.Check(s.table.Quarantine(context.Background(), store.Quarantined{
		Path: args[0], Body: []byte(strings.TrimSpace(fileOrText(ts, args[1]))), Reason: "no such job", At: s.clock(),
	}))
}

func later(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	ts.Check(sceneOf(ts).pause(context.Background(), d))
}

func set(ts *testscript.TestScript, _ bool, args []string) {
	s := sceneOf(ts)
	n, _ := strconv.Atoi(args[1])
	switch args[0] {
	case "fail-sends":
		s.failSends = n
	case "refuse-sends":
		s.finalFails = n
	case "webhook":
		s.webhook = n
	case "takes":
		s.taken = args[1]
	case "listens":
		s.listens = n
	case "opens-in":
		s.opensAt = s.clock().Add(time.Duration(n) * time.Second)
	case "skew":
		s.skew = time.Duration(n) * time.Second
	case "alarm":
		s.alarms = append(s.alarms, deployment.Alarm{Name: args[1], State: "ALARM", Say: "Look at it."})
	case "refuses-key":
		s.refused = append(s.refused, args[1])
	case "no-key":
		s.keys = nil
	default:
		ts.Fatalf("nothing of the world is called %q", args[0])
	}
}

func serve(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[0], 10, 32)
	ts.Check(err)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) <= n {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	ts.Defer(server.Close)
	ts.Setenv("SERVER", server.URL)
}

func listeners(ts *testscript.TestScript, _ bool, args []string) {
	s := sceneOf(ts)
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := slices.Sorted(maps.Keys(s.listeners)); !slices.Equal(got, args) {
		ts.Fatalf("listeners are %q, want %q", got, args)
	}
}

// TestTenThousandRows: a large CSV, through refusals of a moment, each row once.
func TestTenThousandRows(t *testing.T) {
	t.Parallel()
	const n = 10_000
	var file bytes.Buffer
	file.WriteString("job_id,prompt,metadata.n\n")
	for i := range n {
		fmt.Fprintf(&file, "row-%d,a kite,%d\n", i, i)
	}
	w := newWorld()
	w.failSends = 20
	getenv := func(string) string { return "" }
	_, errs, code := w.run(t.Context(), getenv, file.String(), false, []string{"submit", "--stage", "test", "-f", "-", "--wait", "-o", "json"})
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if jobs := w.table.Jobs(); len(jobs) != n || jobs["job#row-9999"].State != job.Completed {
		t.Errorf("%d jobs, the last %s", len(jobs), jobs["job#row-9999"].State)
	}
}
