package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// healthWithin bounds the engine's start, which takes about two seconds.
	healthWithin = 60 * time.Second
	// engineAttempts is how often another port is tried when someone else took
	// the free one before the engine did.
	engineAttempts = 3
)

// errEngineEnded means that the engine ended before it answered.
var errEngineEnded = errors.New("the engine ended at its start")

// startEngine starts the engine on a free loopback port, waits until it
// answers, and returns it with its address.
func startEngine(ctx context.Context, t tools, dir, logFile string) (*process, string, error) {
	if logFile == "" {
		logFile = filepath.Join(dir, "engine.log")
	}
	log, err := os.Create(logFile) //nolint:gosec // the caller's choice of a file
	if err != nil {
		return nil, "", fmt.Errorf("engine log: %w", err)
	}
	defer log.Close() //nolint:errcheck // the engine has a descriptor of its own
	for attempt := 1; ; attempt++ {
		engine, endpoint, err := tryEngine(ctx, t, dir, log)
		if err == nil || !errors.Is(err, errEngineEnded) || attempt == engineAttempts {
			return engine, endpoint, withLog(err, logFile)
		}
	}
}

func tryEngine(ctx context.Context, t tools, dir string, log *os.File) (*process, string, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, "", err
	}
	p, err := start(dir, engineEnv(dir, port), log, t.python, "-m", "ministack")
	if err != nil {
		return nil, "", err
	}
	endpoint := address(port)
	if err := p.healthy(ctx, endpoint+"/_ministack/health"); err != nil {
		p.kill()
		return nil, "", err
	}
	return p, endpoint, nil
}

// engineEnv is the engine's whole environment: nothing of the user's own AWS
// configuration may reach it or the functions.
func engineEnv(dir string, port int) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + dir,
		"TMPDIR=" + dir,
		"STATE_DIR=" + filepath.Join(dir, "state"),
		"S3_DATA_DIR=" + filepath.Join(dir, "s3"),
		"GATEWAY_PORT=" + strconv.Itoa(port),
		"BIND_HOST=127.0.0.1",
		"AWS_ENDPOINT_URL=" + address(port), // handed on to the functions
		"AUTH=true",
		"CLOUDTRAIL_RECORDING=1",
		"CLOUDTRAIL_MAX_EVENTS=100000", // a call that is forgotten would be one that was never made
		"PYTHONDONTWRITEBYTECODE=1",
	}
}

func address(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

// freePort is a loopback port that nobody listened on a moment ago.
func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	defer l.Close() //nolint:errcheck // only its port was wanted
	return l.Addr().(*net.TCPAddr).Port, nil
}

// healthy waits until url answers 200.
func (p *process) healthy(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return errEngineEnded
		case <-ctx.Done():
			return fmt.Errorf("wait for the engine: %w", context.Cause(ctx))
		case <-tick.C:
			if answers(ctx, url) {
				return nil
			}
		}
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close() //nolint:errcheck // only the status was wanted
	return res.StatusCode == http.StatusOK
}

// withLog adds the end of the engine's log to an error.
func withLog(err error, logFile string) error {
	if err == nil {
		return nil
	}
	text, readErr := os.ReadFile(logFile) //nolint:gosec // written by us
	if readErr != nil {
		return err
	}
	return fmt.Errorf("%w\n%s", err, tail(text))
}
