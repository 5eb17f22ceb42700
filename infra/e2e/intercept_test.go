package e2e_test

import (
	"bytes"
	"context"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/clipqueue/clipqueue/infra/e2e/faultproxy"
)

// endpoints are the variables that AWS's SDKs take one service's endpoint from.
// They are set on the deployed functions, by tests only.
func endpoints() []string {
	return []string{
		"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SFN",
		"AWS_ENDPOINT_URL_EVENTBRIDGE", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_S3",
	}
}

// intercept puts a fault proxy between all functions and the engine until the
// test has ended. The functions start anew, before and after: such a test must
// not run beside others, as everybody's functions are the same.
func intercept(t *testing.T) *faultproxy.Proxy {
	t.Helper()
	proxy, err := faultproxy.New(bundle.Endpoint, 1)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		reconfigure(t, "", func(env map[string]string) {
			for _, name := range endpoints() {
				delete(env, name)
			}
		})
		server.CloseClientConnections() // of functions that were killed
		server.Close()
	})
	reconfigure(t, "", func(env map[string]string) {
		for _, name := range endpoints() {
			env[name] = server.URL
		}
	})
	return proxy
}

// restart has a function begin anew, with nothing in its memory.
func restart(t *testing.T, part string) {
	t.Helper()
	reconfigure(t, part, func(env map[string]string) { env["RESTARTED"] += "again " })
}

// reconfigure changes the environment of the functions that have part in their
// name, which ends their processes; also in a cleanup.
func reconfigure(t *testing.T, part string, change func(env map[string]string)) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	list, err := bundle.function.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Functions {
		if f.Runtime != types.RuntimeProvidedal2023 || !strings.Contains(aws.ToString(f.FunctionName), part) {
			continue
		}
		env := map[string]string{}
		if f.Environment != nil {
			env = maps.Clone(f.Environment.Variables)
		}
		change(env)
		_, err := bundle.function.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: f.FunctionName, Environment: &types.Environment{Variables: env},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// kill ends the processes of one function on this test's own engine, as a host
// that fails does, and says how many there were.
func kill(t *testing.T, part string) int {
	t.Helper()
	pids := processes(t, functionName(t, part))
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("kill %d of %s: %v", pid, part, err)
		}
	}
	return len(pids)
}

// processes are those of a function, known by its name and this test's engine in
// their environment.
func processes(t *testing.T, function string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(files) == 0 {
		t.Skipf("killing processes needs /proc (%v)", err)
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended, or is somebody else's
		}
		env := strings.Split(string(bytes.TrimRight(text, "\x00")), "\x00")
		if !slices.Contains(env, "AWS_LAMBDA_FUNCTION_NAME="+function) || !slices.Contains(env, "AWS_ENDPOINT_URL="+bundle.Endpoint) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
