package local

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Account and Region are the engine's, which has just one of each.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// cdk runs the CDK command for one bundle: its own assembly, its own home.
type cdk struct {
	tools    tools
	dir      string
	progress func(format string, args ...any)
}

func (c cdk) assembly() string { return filepath.Join(c.dir, "cdk.out") }

// synth makes the template, which builds the functions.
func (c cdk) synth(ctx context.Context, settings map[string]string) error {
	args := []string{"synth", "--quiet", "--output", c.assembly()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--context", name+"="+settings[name])
	}
	return c.run(ctx, "cdk synth, which builds the functions", c.tools.infra, "", args...)
}

// bootstrap makes the CDK's asset bucket, as once in every account. It runs
// away from the app: beside cdk.json it would make the template too.
func (c cdk) bootstrap(ctx context.Context, endpoint string) error {
	return c.run(ctx, "cdk bootstrap", c.dir, endpoint, "bootstrap", "aws://"+Account+"/"+Region)
}

// deploy puts the stack onto the engine, and says what it is called there. The
// outputs are left in a file.
func (c cdk) deploy(ctx context.Context, endpoint string) (stack, file string, err error) {
	file = filepath.Join(c.dir, "outputs.json")
	err = c.run(ctx, "cdk deploy", c.dir, endpoint, "deploy", "--all", "--app", c.assembly(),
		"--require-approval", "never", "--outputs-file", file)
	if err != nil {
		return "", "", err
	}
	stack, err = readStack(file)
	return stack, file, err
}

// readStack reads the name of the one stack in an outputs file.
func readStack(file string) (string, error) {
	text, err := os.ReadFile(file) //nolint:gosec // written by the CDK command for us
	if err != nil {
		return "", fmt.Errorf("stack outputs: %w", err)
	}
	var stacks map[string]map[string]string
	if err := json.Unmarshal(text, &stacks); err != nil {
		return "", fmt.Errorf("stack outputs: %w", err)
	}
	for stack, outputs := range stacks {
		if outputs["JobQueueUrl"] != "" {
			return stack, nil
		}
	}
	return "", fmt.Errorf("stack outputs: no JobQueueUrl in %s", text)
}

// run runs the checkout's CDK command in dir, on the checkout's Node.
func (c cdk) run(ctx context.Context, what, dir, endpoint string, args ...string) error {
	began := time.Now()
	command := append([]string{filepath.Join(c.tools.bin, "cdk")}, args...)
	command = append(command, "--no-notices", "--no-color", "--no-version-reporting", "--ci")
	if err := run(ctx, dir, c.env(endpoint), command...); err != nil {
		return err
	}
	c.progress("%s: %.1f s", what, time.Since(began).Seconds())
	return nil
}

// env is the caller's environment without its AWS configuration: no profile or
// role of the user's may take part in a local deployment.
func (c cdk) env(endpoint string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "CDK_")
	})
	return append(env,
		"PATH="+c.tools.bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"CDK_HOME="+filepath.Join(c.dir, "cdk"),
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"CDK_DISABLE_VERSION_CHECK=true",
		"AWS_ENDPOINT_URL="+endpoint,
		"AWS_ACCESS_KEY_ID="+AccessKey,
		"AWS_SECRET_ACCESS_KEY="+SecretKey,
		"AWS_REGION="+Region,
		"AWS_DEFAULT_REGION="+Region,
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	)
}
