package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/clipqueue/clipqueue/infra/binaries"
)

// artifact is a zip file of the release with one program in it.
type artifact struct {
	// file is its name in the release.
	file   string
	target binaries.Target
	// program is the name of the program in the zip file.
	program string
}

// artifacts are all of a release. Functions are named by Lambda's words for
// processors, the command by Go's.
func artifacts(label string) []artifact {
	var all []artifact
	for _, architecture := range []string{"arm64", "x86_64"} {
		for _, name := range binaries.FunctionNames() {
			all = append(all, artifact{
				file:    fmt.Sprintf("clipqueue-%s_%s_%s.zip", name, label, architecture),
				target:  binaries.Function(name, architecture),
				program: "bootstrap",
			})
		}
	}
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, processor := range []string{"amd64", "arm64"} {
			program := "clipqueue"
			if system == "windows" {
				program += ".exe"
			}
			all = append(all, artifact{
				file:    fmt.Sprintf("clipqueue_%s_%s_%s.zip", label, system, processor),
				target:  binaries.Target{Package: "infra/clipqueue", OS: system, Architecture: processor},
				program: program,
			})
		}
	}
	return all
}

// builder makes a release, step by step.
type builder struct {
	source, scratch, out, label string

	built []artifact
}

// compiled is where the program of a lies.
func (b *builder) compiled(a artifact) string {
	return filepath.Join(b.scratch, strings.TrimSuffix(a.file, ".zip"), a.program)
}

// programs compiles all and zips each, with the licences. Two at a time keep a machine busy, as
// the compiler itself runs in parallel.
func (b *builder) programs(ctx context.Context, all []artifact) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, a := range all {
		group.Go(func() error {
			if err := binaries.Build(ctx, b.source, a.target, b.compiled(a)); err != nil {
				return err
			}
			notices, err := b.notices(ctx, b.compiled(a))
			if err != nil {
				return err
			}
			beside := filepath.Join(filepath.Dir(b.compiled(a)), thirdParty)
			if err := write(beside, []byte(notices)); err != nil {
				return err
			}
			return writeZip(filepath.Join(b.out, a.file), []entry{
				{name: a.program, path: b.compiled(a), mode: 0o755},
				{name: ownLicence, path: filepath.Join(b.source, ownLicence), mode: 0o644},
				{name: thirdParty, path: beside, mode: 0o644},
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	b.built = all
	return nil
}

// template is what a deploy with the default settings hands to CloudFormation,
// to be read, or compared with what another version deploys.
func (b *builder) template(ctx context.Context) error {
	assembly := filepath.Join(b.scratch, "cdk.out")
	cmd := exec.CommandContext(ctx, "cdk", "synth", "--quiet", "--no-version-reporting", "--output", assembly) //nolint:gosec // a folder of our own
	cmd.Dir = filepath.Join(b.source, "infra")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the template with cdk synth, which make release puts on the PATH: %w\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(assembly, "Clipqueue-main.template.json")) //nolint:gosec // just written
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	return write(filepath.Join(b.out, "clipqueue_"+b.label+"_template.json"), data)
}

// write makes a file of the release, for everybody to read.
func write(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // a release is no secret
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
