package boot_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/smithy-go/logging"

	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
)

// child says that this process is a function, and which.
const child = "CLIPQUEUE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch env.Process().Optional(child, "") {
	case "starts":
		boot.Main(func(b *boot.Boot) (any, error) {
			b.Log.Info("wired")
			b.Metrics.Count("X", 1)
			b.AWS.Logger.Logf(logging.Warn, "body of %d bytes", 5)
			b.AWS.Logger.Logf(logging.Debug, "attempt %d", 2)
			return b.Version, nil
		}, func(handler any) { _, _ = os.Stdout.WriteString("handler " + handler.(string) + "\n") })
	case "rules":
		boot.Main(func(b *boot.Boot) (any, error) { return nil, b.Rules().Validate() }, func(any) { os.Exit(7) })
	case "wiring":
		boot.Main(func(*boot.Boot) (any, error) { return nil, errors.New("store: a client is needed") }, func(any) { os.Exit(7) })
	default:
		os.Exit(m.Run())
	}
}

// function runs this binary as a function with these variables and no others.
func function(t *testing.T, which string, variables ...string) (out string, code int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append([]string{child + "=" + which, "AWS_REGION=eu-central-1", "AWS_EC2_METADATA_DISABLED=true"}, variables...)
	var stdout bytes.Buffer
	command.Stdout = &stdout
	err := command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return stdout.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return stdout.String(), 0
}

func TestMainStarts(t *testing.T) {
	t.Parallel()
	out, code := function(t, "starts", env.Version+"=1.2.3", env.Stage+"=prod", env.LogLevel+"=DEBUG")
	if code != 0 || !strings.Contains(out, "handler 1.2.3") || !strings.Contains(out, `"version":"1.2.3"`) || !strings.Contains(out, `"Stage":"prod"`) {
		t.Errorf("ended with %d, and said\n%s", code, out)
	}
	// What the SDK tells is JSON too.
	for _, want := range []string{
		`"level":"WARN","msg":"the AWS SDK","version":"1.2.3","message":"body of 5 bytes"`,
		`"level":"DEBUG","msg":"the AWS SDK","version":"1.2.3","message":"attempt 2"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	out, _ = function(t, "starts", env.LogLevel+"=ERROR")
	if strings.Contains(out, "wired") || !strings.Contains(out, "handler dev") {
		t.Errorf("at level ERROR it said\n%s", out)
	}
}

// All that is missing or wrong is said at once, in one line of JSON, and the
// function ends before its first event.
func TestMainNamesAllThatIsMissing(t *testing.T) {
	t.Parallel()
	out, code := function(t, "rules", env.ClaimFor+"=soon", env.LogLevel+"=LOUD")
	var line struct {
		Level string `json:"level"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil || code != 1 || line.Level != "ERROR" {
		t.Fatalf("ended with %d, and said %s: %v", code, out, err)
	}
	for _, want := range []string{
		`CLAIM_FOR is "soon"`, `LOG_LEVEL is "LOUD"`, "FIRST_LOOK_AFTER is not set", "QUEUED_FOR is not set",
		"UNCONFIRMED_FOR is not set", "PROCESSING_FOR is not set", "RECORD_FOR is not set", "ARCHIVE_ENABLED is not set",
	} {
		if !strings.Contains(line.Error, want) {
			t.Errorf("no %s in %s", want, line.Error)
		}
	}
	if out, code := function(t, "wiring"); code != 1 || !strings.Contains(out, "store: a client is needed") {
		t.Errorf("ended with %d, and said %s", code, out)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	b := boot.Boot{Env: env.NewReader(func(name string) (string, bool) {
		value, ok := map[string]string{
			env.ClaimFor: "90s", env.FirstLookAfter: "5m", env.QueuedFor: "168h", env.UnconfirmedFor: "1h",
			env.ProcessingFor: "60m", env.RecordFor: "1080h", env.ArchiveEnabled: "true",
		}[name]
		return value, ok
	})}
	if got := b.Rules(); got != job.DefaultRules() || b.Env.Err() != nil {
		t.Errorf("%+v, %v", got, b.Env.Err())
	}
}
