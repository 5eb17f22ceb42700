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

// A deployment is one run of the CDK command: its own assembly, its own home.
type deployment struct {
	tools    tools
	dir      string
	progress func(format string, args ...any)
}

// Outputs are what the stack hands to its users.
type Outputs struct {
	JobQueueURL         string `json:"JobQueueUrl"`
	WebhookURL          string `json:"WebhookUrl"`
	EventBusName        string
	TableName           string
	APIKeySecretARN     string `json:"ApiKeySecretArn"`
	PollStateMachineARN string `json:"PollStateMachineArn"`
	ArchiveBucketName   string
}

func (d deployment) assembly() string { return filepath.Join(d.dir, "cdk.out") }

// synth makes the template, which builds the functions.
func (d deployment) synth(ctx context.Context, settings map[string]string) error {
	args := []string{"synth", "--quiet", "--output", d.assembly()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--context", name+"="+settings[name])
	}
	return d.cdk(ctx, "cdk synth, which builds the functions", d.tools.infra, "", args...)
}

// bootstrap makes the CDK's asset bucket, as once in every account. It runs
// away from the app: beside cdk.json it would make the template too.
func (d deployment) bootstrap(ctx context.Context, endpoint string) error {
	return d.cdk(ctx, "cdk bootstrap", d.dir, endpoint, "bootstrap", "aws://"+Account+"/"+Region)
}

// deploy puts the stack onto the engine and reads its outputs.
func (d deployment) deploy(ctx context.Context, endpoint string) (string, Outputs, error) {
	file := filepath.Join(d.dir, "outputs.json")
	err := d.cdk(ctx, "cdk deploy", d.dir, endpoint, "deploy", "--all", "--app", d.assembly(),
		"--require-approval", "never", "--outputs-file", file)
	if err != nil {
		return "", Outputs{}, err
	}
	outputs, err := readOutputs(file)
	return file, outputs, err
}

// readOutputs reads the outputs of the one stack in an outputs file.
func readOutputs(file string) (Outputs, error) {
	text, err := os.ReadFile(file) //nolint:gosec // written by the CDK command for us
	if err != nil {
		return Outputs{}, fmt.Errorf("stack outputs: %w", err)
	}
	var stacks map[string]Outputs
	if err := json.Unmarshal(text, &stacks); err != nil {
		return Outputs{}, fmt.Errorf("stack outputs: %w", err)
	}
	for _, outputs := range stacks {
		if outputs.JobQueueURL != "" {
			return outputs, nil
		}
	}
	return Outputs{}, fmt.Errorf("stack outputs: no JobQueueUrl in %s", text)
}

// cdk runs the checkout's CDK command in dir, on the checkout's Node.
func (d deployment) cdk(ctx context.Context, what, dir, endpoint string, args ...string) error {
	began := time.Now()
	command := append([]string{filepath.Join(d.tools.bin, "cdk")}, args...)
	command = append(command, "--no-notices", "--no-color", "--no-version-reporting", "--ci")
	if err := run(ctx, dir, d.env(endpoint), command...); err != nil {
		return err
	}
	d.progress("%s: %.1f s", what, time.Since(began).Seconds())
	return nil
}

// env is the caller's environment without its AWS configuration: no profile or
// role of the user's may take part in a local deployment.
func (d deployment) env(endpoint string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "CDK_")
	})
	return append(env,
		"PATH="+d.tools.bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"CDK_HOME="+filepath.Join(d.dir, "cdk"),
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
