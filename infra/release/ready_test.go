package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/clipqueue/clipqueue/infra/version"
)

// What the version says, the changelog and the example say too.
func TestVersionIsTheSameEverywhere(t *testing.T) {
	if err := checkChangelog(read(t, "../../CHANGELOG.md"), version.Version); err != nil {
		t.Error(err)
	}
	mod, err := modfile.Parse("go.mod", []byte(read(t, "../example/go.mod")), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "v" + strings.TrimSuffix(version.Version, dev)
	for _, r := range mod.Require {
		if r.Mod.Path == "github.com/clipqueue/clipqueue" && r.Mod.Version != want {
			t.Errorf("infra/example/go.mod requires %s, want %s", r.Mod.Version, want)
		}
	}
}

func TestChangelogMustFitTheVersion(t *testing.T) {
	const unreleased, older, newer = "\n## [Unreleased]\n\n- x\n", "\n## [1.1.0] - 2026-10-01\n\n- x\n", "\n## [1.2.0] - 2026-11-01\n\n- x\n"
	for name, tc := range map[string]struct{ changelog, version, want string }{
		"before the first release":     {unreleased, "0.1.0-dev", ""},
		"between two releases":         {unreleased + older, "1.2.0-dev", ""},
		"a release":                    {newer + older, "1.2.0", ""},
		"no section for changes":       {older, "1.2.0-dev", `it has no section "## [Unreleased]"`},
		"version was released":         {unreleased + newer, "1.2.0-dev", "1.2.0 is released: give infra/version/version.go the version that comes after it"},
		"release is not written down":  {older, "1.2.0", `its newest release is not 1.2.0: add "## [1.2.0] - YYYY-MM-DD"`},
		"release without a date":       {"\n## [1.2.0]\n" + older, "1.2.0", `add "## [1.2.0] - YYYY-MM-DD"`},
		"changes above the release":    {unreleased + newer, "1.2.0", "put them under [1.2.0]"},
		"version that is none":         {newer, "1.2.x", `"1.2.x" is not a semantic version`},
		"numbers are compared as such": {unreleased + "\n## [1.9.0] - 2026-11-01\n", "1.10.0-dev", ""},
	} {
		err := checkChangelog(tc.changelog, tc.version)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}

func TestReadyToRelease(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	changelog := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "CHANGELOG.md"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(version string, want ...string) {
		t.Helper()
		err := readyToRelease(t.Context(), dir, version)
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("version %s: error %v, want one that says %q", version, err, part)
			}
		}
		if len(want) == 0 && err != nil {
			t.Errorf("version %s: error %v, want none", version, err)
		}
	}
	run("init", "--quiet")
	run("config", "user.email", "a@example.com")
	run("config", "user.name", "a")
	changelog("# Changelog\n\n## [1.1.0] - 2026-10-01\n")
	run("add", ".")
	run("commit", "--quiet", "-m", "first")
	run("tag", "v1.1.0")
	refused("1.1.0")
	refused("1.2.0-dev", "1.2.0-dev is not a release", "tag it v1.2.0", "make release SNAPSHOT=1")
	changelog("# Changelog\n\n## [1.1.0] - 2026-10-02\n")
	refused("1.1.0", "not committed: commit or remove them:\n M CHANGELOG.md")
	refused("1.2.0", "its newest release is not 1.2.0", "not committed", "git tag v1.2.0")
	run("commit", "--quiet", "-a", "-m", "second")
	refused("1.1.0", "the commit has no tag v1.1.0: check out v1.1.0")
}

// An action that is named by a tag could change under it. A release is built
// with the newest patch of the Go version that the project is written for.
func TestWorkflowsArePinned(t *testing.T) {
	mod, err := modfile.Parse("go.mod", []byte(read(t, "../../go.mod")), nil)
	if err != nil {
		t.Fatal(err)
	}
	release := read(t, "../../.github/workflows/release.yml")
	if want := `go-version: "` + strings.TrimSuffix(mod.Go.Version, ".0") + `.x"`; !strings.Contains(release, want) {
		t.Errorf("release.yml lacks %s", want)
	}
	uses := regexp.MustCompile(`uses: (\S+)`)
	pinned := regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40}$`)
	for _, workflow := range []string{release, read(t, "../../.github/workflows/ci.yml")} {
		if !strings.Contains(workflow, "- run: .ci/run\n") {
			t.Errorf("a workflow does not run .ci/run:\n%s", workflow)
		}
		for _, match := range uses.FindAllStringSubmatch(workflow, -1) {
			if !pinned.MatchString(match[1]) {
				t.Errorf("%s is not pinned to a commit", match[1])
			}
		}
	}
}

func TestOutsideOfGit(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	if err := os.WriteFile(filepath.Join(dir, "CHANGELOG.md"), []byte("## [1.1.0] - 2026-10-01\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := readyToRelease(t.Context(), dir, "1.1.0"); err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Errorf("error %v, want git's own", err)
	}
}
