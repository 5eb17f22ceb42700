package local

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseSettings(t *testing.T) {
	t.Parallel()
	got, err := ParseSettings(" stage=blue  creativeaiUrl=http://127.0.0.1:1/?a=b archive= ")
	want := map[string]string{"stage": "blue", "creativeaiUrl": "http://127.0.0.1:1/?a=b", "archive": ""}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, wrong := range []string{"stage", "=blue", "stage=blue and green"} {
		if _, err := ParseSettings(wrong); err == nil {
			t.Errorf("%q is taken for settings", wrong)
		}
	}
}

func TestChosenSettingsWin(t *testing.T) {
	t.Parallel()
	got := localSettings("http://127.0.0.1:1/api/", map[string]string{"stage": "blue", "archiveTrustedOrigin": "http://127.0.0.1:2"})
	if got["stage"] != "blue" || got["archiveTrustedOrigin"] != "http://127.0.0.1:2" ||
		got["creativeaiUrl"] != "http://127.0.0.1:1/api" || got["local"] != "true" {
		t.Errorf("settings are %v", got)
	}
}

func TestVendorsVideosAreTrusted(t *testing.T) {
	t.Parallel()
	if got := localSettings("http://127.0.0.1:1/api/", nil)["archiveTrustedOrigin"]; got != "http://127.0.0.1:1" {
		t.Errorf("the trusted origin is %q", got)
	}
}

func TestReadStack(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "outputs.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"Clipqueue-main": {"JobQueueUrl": "http://q", "ApiKeySecretArn": "arn", "Another": "output"}}`)
	if got, err := readStack(file); err != nil || got != "Clipqueue-main" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, wrong := range []string{``, `{}`, `{"Other": {}}`, `[]`} {
		write(wrong)
		if got, err := readStack(file); err == nil {
			t.Errorf("%q is taken for the outputs of %q", wrong, got)
		}
	}
}

func TestFindTools(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if _, err := findTools(root); !errors.Is(err, errNoProject) {
		t.Errorf("outside of a checkout: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module github.com/clipqueue/clipqueue\n\ngo 1.26.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := findTools(root); err == nil || !strings.Contains(err.Error(), "make tools") {
		t.Errorf("without tools: %v, want advice to run `make tools`", err)
	}
	for _, file := range []string{".local/venv/bin/python", "infra/node_modules/.bin/cdk", "infra/node_modules/.bin/node"} {
		path := filepath.Join(root, filepath.FromSlash(file))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	below := filepath.Join(root, "infra", "node_modules")
	if got, err := findTools(below); err != nil || got.infra != filepath.Join(root, "infra") {
		t.Errorf("from %s: %+v, %v", below, got, err)
	}
}

// No profile or role of the user's may take part in a local deployment.
func TestDeploymentKeepsTheUsersAWSOut(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("AWS_SESSION_TOKEN", "of a role")
	t.Setenv("CDK_DEFAULT_ACCOUNT", "123456789012")
	t.Setenv("HOME", "/home/somebody")
	env := cdk{tools: tools{bin: "/tools"}, dir: "/scratch"}.env("http://127.0.0.1:1")
	for _, v := range env {
		if strings.HasPrefix(v, "AWS_PROFILE=") || strings.HasPrefix(v, "AWS_SESSION_TOKEN=") || strings.HasPrefix(v, "CDK_DEFAULT_ACCOUNT=") {
			t.Errorf("%s is handed on", v)
		}
	}
	for _, v := range []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_CONFIG_FILE=" + os.DevNull, "HOME=/home/somebody"} {
		if !slices.Contains(env, v) {
			t.Errorf("%s is missing", v)
		}
	}
}
