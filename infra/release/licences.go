package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// ownLicence is the licence of this project, in each zip file.
	ownLicence = "LICENSE"
	// thirdParty has the licences and notices of what is linked into a program,
	// in the same zip file, as these licences ask for.
	thirdParty = "THIRD_PARTY_LICENSES"
	// stdlib is Go's own library, in the bill of materials and here.
	stdlib = "stdlib"
)

// notices gives what the authors of all that is linked into a program want to
// have handed on with it. A text that several modules share stands there once.
func (b *builder) notices(ctx context.Context, program string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("read what %s is made of: %w", filepath.Base(program), err)
	}
	modules := []string{stdlib}
	for _, m := range info.Deps {
		modules = append(modules, m.Path)
	}
	dirs, err := b.sources(ctx, modules)
	if err != nil {
		return "", err
	}
	owners := map[string][]string{}
	var texts []string
	for _, module := range modules {
		files, err := legalFiles(dirs[module], "LICENSE", "LICENCE", "COPYING", "NOTICE")
		if err != nil {
			return "", fmt.Errorf("read the licence of %s: %w", module, err)
		}
		for _, text := range files {
			if owners[text] == nil {
				texts = append(texts, text)
			}
			owners[text] = append(owners[text], module)
		}
	}
	var out strings.Builder
	out.WriteString("What is linked into this program, and on which terms.\n")
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(owners[text], "\n"), strings.TrimSpace(text))
	}
	return out.String(), nil
}

// sources tells where the source of each module lies.
func (b *builder) sources(ctx context.Context, modules []string) (map[string]string, error) {
	goroot, err := b.goCommand(ctx, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	args := []string{"list", "-m", "-f", "{{.Path}} {{.Dir}}"}
	for _, m := range modules {
		if m != stdlib {
			args = append(args, m)
		}
	}
	list, err := b.goCommand(ctx, args...)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{stdlib: strings.TrimSpace(goroot)}
	for line := range strings.Lines(list) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		dirs[path] = dir
	}
	return dirs, nil
}

// goCommand gives what the go command says about the source.
func (b *builder) goCommand(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // names of modules
	cmd.Dir = b.source
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find the source of what was linked: go %s: %w", args[0], err)
	}
	return string(out), nil
}

// legalFiles are the texts of a folder's files whose names begin so, in upper
// case, in the order of their names. There is at least one.
func legalFiles(dir string, prefixes ...string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, f := range files {
		begins := func(prefix string) bool { return strings.HasPrefix(strings.ToUpper(f.Name()), prefix) }
		if f.IsDir() || !slices.ContainsFunc(prefixes, begins) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name())) //nolint:gosec // a licence beside the source
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s has no file whose name begins with %s", dir, strings.Join(prefixes, " or "))
	}
	return texts, nil
}
