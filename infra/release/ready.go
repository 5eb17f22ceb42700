package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// dev ends the version of what is not released yet.
const dev = "-dev"

// readyToRelease says what stands in the way of a release from a checkout, all
// at once, and what to do about it.
func readyToRelease(ctx context.Context, source, version string) error {
	changelog, err := os.ReadFile(filepath.Join(source, "CHANGELOG.md")) //nolint:gosec // the project's own
	if err != nil {
		return fmt.Errorf("read the changelog: %w", err)
	}
	if next, unreleased := strings.CutSuffix(version, dev); unreleased {
		return fmt.Errorf("version %[1]s is not a release: in infra/version/version.go take %[2]q off, "+
			"in CHANGELOG.md turn [Unreleased] into [%[3]s] with the date, commit, and tag it v%[3]s; "+
			"or build what is there with: make release SNAPSHOT=1", version, dev, next)
	}
	return errors.Join(checkChangelog(string(changelog), version), checkClean(ctx, source), checkTag(ctx, source, "v"+version))
}

// checkChangelog holds the changelog to the version: the newest release in it
// is this version, with nothing above it; or an older one, if this version is
// not released yet.
func checkChangelog(changelog, version string) error {
	newest := "0.0.0"
	if found := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$`).FindStringSubmatch(changelog); found != nil {
		newest = found[1]
	}
	unreleased := strings.Contains(changelog, "\n## [Unreleased]\n")
	switch {
	case !semver.IsValid("v" + version):
		return fmt.Errorf("infra/version/version.go: %q is not a semantic version such as 1.2.3 or 1.2.3%s", version, dev)
	case strings.HasSuffix(version, dev) && semver.Compare("v"+version, "v"+newest) <= 0:
		return fmt.Errorf("CHANGELOG.md: %s is released: give infra/version/version.go the version that comes after it, ending in %s", newest, dev)
	case strings.HasSuffix(version, dev) && !unreleased:
		return fmt.Errorf(`CHANGELOG.md: it has no section "## [Unreleased]" for the changes of %s: add it`, version)
	case strings.HasSuffix(version, dev):
		return nil
	case newest != version:
		return fmt.Errorf(`CHANGELOG.md: its newest release is not %[1]s: add "## [%[1]s] - YYYY-MM-DD" with what has changed`, version)
	case unreleased:
		return fmt.Errorf("CHANGELOG.md: there are changes under [Unreleased]: put them under [%s], and take that heading out", version)
	}
	return nil
}

func checkClean(ctx context.Context, source string) error {
	out, err := git(ctx, source, "status", "--porcelain")
	if err == nil && out != "" {
		return fmt.Errorf("the checkout has changes that are not committed: commit or remove them:\n%s", out)
	}
	return err
}

func checkTag(ctx context.Context, source, tag string) error {
	out, err := git(ctx, source, "tag", "--points-at", "HEAD")
	if err == nil && !slices.Contains(strings.Fields(out), tag) {
		return fmt.Errorf("the commit has no tag %[1]s: check out %[1]s, or tag this commit: git tag %[1]s", tag)
	}
	return err
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // arguments of our own
	cmd.Dir, cmd.Stderr = dir, &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimRight(string(out), "\n"), nil
}
