package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/local"
)

func here(t *testing.T) page {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cdk-outputs.json")
	if err := os.WriteFile(file, []byte(`{"Clipqueue-main":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return newPage("/some where", &local.Bundle{
		Endpoint: "http://127.0.0.1:4242", VendorURL: "http://127.0.0.1:4343", OutputsFile: file,
		Deployment: &deployment.Deployment{
			Stack: "Clipqueue-main", Outputs: deployment.Outputs{JobQueueURL: "http://localhost:4242/q", TableName: "jobs-of-test"},
		},
	})
}

func TestGuide(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := here(t).render(&out, guide); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "ready\n") {
		t.Errorf("the guide does not begin with ready:\n%s", out.String())
	}
	for _, want := range []string{"aws --endpoint-url http://127.0.0.1:4242 sqs send-message", "boto3", "@aws-sdk/client-sqs", "jobs-of-test", "source dist/local/env", "clipqueue why first"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the guide lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "the fake one") {
		t.Error("another vendor is called the fake one")
	}
}

func TestFilesForPrograms(t *testing.T) {
	t.Parallel()
	dist := t.TempDir()
	if err := here(t).write(dist); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("/bin/sh", "-c", `. ./env && echo "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_REGION [$AWS_PROFILE] $CLIPQUEUE_STACK $PATH"`)
	shell.Dir, shell.Env = dist, []string{"AWS_PROFILE=production", "PATH=/bin"}
	got, err := shell.Output()
	if want := "http://127.0.0.1:4242 test us-east-1 [] Clipqueue-main /some where/.local/bin:/bin\n"; err != nil || string(got) != want {
		t.Errorf("the environment is %q (%v), want %q", got, err, want)
	}
	outputs, err := os.ReadFile(filepath.Join(dist, outputsFile))
	if err != nil || string(outputs) != `{"Clipqueue-main":{}}` {
		t.Errorf("outputs are %s (%v), want what cdk wrote", outputs, err)
	}
	remove(dist)
	if left, err := os.ReadDir(dist); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
